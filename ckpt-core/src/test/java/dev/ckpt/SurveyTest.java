package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.ListedCheckpoint.Standing;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** What a look at a whole run says of each id. */
class SurveyTest {
  private static final String A10 = "000001-000000000010-0";
  private static final String A20 = "000001-000000000020-0";
  private static final String B30 = "000002-000000000030-0";
  private static final String C40 = "000003-000000000040-0";

  private final RunFixture run = new RunFixture();

  private static RunFixture three() {
    return new RunFixture()
        .taken(1, "auto", 0)
        .resumed(1, "")
        .committed(A10, 1)
        .taken(2, "auto", 10)
        .resumed(2, A10)
        .committed(B30, 11)
        .taken(3, "auto", 20)
        .resumed(3, B30)
        .committed(C40, 21);
  }

  @Test
  void theGoldenRunIsToldIdById() throws IOException {
    try (CheckpointStore store = Stores.local(GoldenRuns.FOLDER)) {
      Checkpoints golden = Checkpoints.read(store, GoldenRuns.RUN);
      assertThat(golden.all())
          .extracting(each -> each.id() + " " + each.standing() + (each.pinned() ? " pinned" : ""))
          .containsExactly(
              "000001-000000000010-0 LIVE pinned",
              "000001-000000000015-0 DELETED",
              "000001-000000000020-0 LIVE",
              "000001-000000000020-1 LIVE",
              "000001-000000000030-0 DEAD_BRANCH",
              "000002-000000000040-0 DEAD_BRANCH",
              "000003-000000000025-0 DELETED",
              "000003-000000000035-0 LIVE",
              "000003-000000000045-0 LIVE",
              "000003-000000000050-0 ABORTED",
              "000003-000000000055-0 UNDECIDED");
      assertThat(golden.all())
          .filteredOn(each -> each.standing() == Standing.DEAD_BRANCH)
          .allMatch(
              each ->
                  each.reason().equals("attempt 3 went back to 000001-000000000020-1 and left it"));
      assertThat(golden.all())
          .filteredOn(each -> each.standing() == Standing.LIVE)
          .allMatch(each -> each.reason().isEmpty())
          .extracting(each -> each.checkpoint().orElseThrow())
          .isEqualTo(golden.list());
      assertThat(golden.all())
          .filteredOn(each -> each.standing() == Standing.UNDECIDED)
          .singleElement()
          .satisfies(
              each -> {
                assertThat(each.bytes()).isEqualTo("died while it wrote".length());
                assertThat(each.reason()).contains("before attempt 4 took over");
              });
      assertThat(golden.verifyRecords().problems()).isEmpty();
      for (Checkpoint each : golden.list()) {
        assertThat(golden.verify(each.id()).problems()).isEmpty();
      }
    }
  }

  @Test
  void theBestIsTheFiniteOneWithTheBestValueAndOfEqualOnesTheNewer() throws IOException {
    try (CheckpointStore store = Stores.local(GoldenRuns.FOLDER)) {
      Checkpoints golden = Checkpoints.read(store, GoldenRuns.RUN);
      assertThat(golden.best("loss", Retention.Mode.MIN))
          .map(Checkpoint::id)
          .as("0.25 lies on a dead branch, 0.375 on the live one")
          .contains("000003-000000000035-0");
      assertThat(golden.best("loss", Retention.Mode.MAX))
          .map(Checkpoint::id)
          .as("9.0 belongs to one with NaN")
          .contains("000001-000000000010-0");
      assertThat(golden.best("nothing", Retention.Mode.MAX)).isEmpty();
    }
  }

  @Test
  void aLateCommitIsToldFromOneThatWasLeft() {
    run.taken(1, "auto", 0).resumed(1, "").committed(A10, 1).committed(A20, 2);
    run.taken(2, "auto", 10).resumed(2, A10).committed(B30, 11);
    assertThat(run.listed(A20).standing()).isEqualTo(Standing.DEAD_BRANCH);
    assertThat(run.listed(A20).reason())
        .as("whoever asks for the latest would have taken it, had it been there")
        .isEqualTo("committed by attempt 1 after attempt 2 had gone on without it");

    run.taken(2, A10, 10);
    assertThat(run.listed(A20).reason())
        .isEqualTo("attempt 2 went back to " + A10 + " and left it");

    run.committed(A20, 15);
    assertThat(run.listed(A20).reason())
        .as("saved after attempt 2 began")
        .isEqualTo("committed by attempt 1 after attempt 2 had gone on without it");

    run.resumed(2, A10, A20 + ": its shard is missing");
    assertThat(run.listed(A20).reason())
        .isEqualTo("attempt 2 passed over it: its shard is missing");

    run.taken(3, "never", 20).resumed(3, "");
    assertThat(run.listed(B30).reason()).isEqualTo("attempt 3 started afresh and left it");
    assertThat(run.listed(A10).reason()).isEqualTo("attempt 3 started afresh and left it");
    assertThat(run.read().list()).isEmpty();
  }

  @Test
  void aCommitOfASideBranchWhoseAttemptCommittedNothingBeforeIsLate() {
    run.taken(1, "auto", 0).resumed(1, "").committed(A10, 1);
    run.taken(2, "auto", 10).resumed(2, A10);
    run.taken(3, "auto", 20).resumed(3, A10).committed(C40, 21);
    run.committed(B30, 25);
    assertThat(run.listed(B30).reason())
        .isEqualTo("committed by attempt 2 after attempt 3 had gone on without it");
    assertThat(run.listed(A10).standing()).isEqualTo(Standing.LIVE);
  }

  @Test
  void aDamagedWayBackIsSaidAndHidesNothing() {
    RunFixture middle = three();
    middle.damaged(middle.keys.resume(2));
    assertThat(middle.listed(C40).standing()).isEqualTo(Standing.LIVE);
    assertThat(middle.listed(B30).standing()).isEqualTo(Standing.LIVE);
    assertThat(middle.listed(A10).standing()).isEqualTo(Standing.UNKNOWN);
    assertThat(middle.listed(A10).reason())
        .contains("cannot be told")
        .contains(middle.keys.resume(2));

    RunFixture head = three();
    head.damaged(head.keys.resume(3));
    assertThat(head.read().all())
        .hasSize(3)
        .allMatch(each -> each.standing() == Standing.UNKNOWN)
        .allMatch(each -> each.reason().contains(head.keys.resume(3)))
        .allMatch(each -> each.checkpoint().isPresent());

    RunFixture lost = three();
    lost.put(lost.keys.resume(2), new byte[0]);
    lost.resumed(2, C40);
    assertThat(lost.listed(A10).reason()).contains("future").contains("cannot be told");
  }

  @Test
  void aCommitWhoseAttemptHasNoRecordOfItsStartIsSaidToHaveNoPlace() {
    run.taken(1, "auto", 0).resumed(1, "").committed(A10, 1);
    run.taken(2, "auto", 10).committed(B30, 11);
    assertThat(run.listed(B30).standing()).isEqualTo(Standing.UNKNOWN);
    assertThat(run.listed(B30).reason()).contains("attempt 2 has no record of what it resumed");
    assertThat(run.read().verifyRecords().problems())
        .singleElement()
        .asString()
        .startsWith(run.keys.resume(2) + " is missing, although attempt 2 was there");
  }

  @Test
  void aDamagedRecordOfAnAttemptHidesNothing() {
    RunFixture broken = three().committed(A20, 2);
    broken.damaged(broken.keys.attempt(2));
    assertThat(broken.listed(A20).reason())
        .as("how it was asked is not known any more, what it did is")
        .isEqualTo("attempt 2 went back to " + A10 + " and left it");
    assertThat(broken.listed(A10).standing()).isEqualTo(Standing.LIVE);
    assertThat(broken.attempt(2).request()).isEmpty();
    assertThat(broken.attempt(2).startedAt()).isEmpty();
    assertThat(broken.attempt(2).from()).contains(A10);
  }

  @Test
  void whatIsHalfGoneOrMovedAsideIsListed() {
    Keys keys = run.keys;
    run.taken(1, "auto", 0).resumed(1, "");
    run.committed(id(1), 1).marked(id(1)).shard(id(1), 1000);
    run.marked(id(2)).shard(id(2), 70);
    run.marked(id(3));
    run.pinned(id(4));
    run.pinned(id(5)).put(keys.votes(GoldenRuns.id(id(5))) + "rank-00000.json", new byte[10]);
    run.shard(id(6), 11);
    run.aborted(id(7));
    run.aborted(id(8)).put(quarantined(8), new byte[13]);
    run.put(quarantined(9), new byte[14]);
    run.committed(id(10), 1).put(quarantined(10), new byte[15]);
    run.damaged(keys.manifest(GoldenRuns.id(id(11)))).shard(id(11), 99);
    run.damaged(keys.manifest(GoldenRuns.id(id(12)))).marked(id(12));
    run.put(keys.votes(GoldenRuns.id(id(13))) + "rank-00000.json", new byte[17]);
    run.put(keys.root() + "notes/" + id(14), new byte[1]);
    run.committed(id(15), 1); // what the last mark was set for
    run.put(keys.quarantine() + "attempts/000001.json", new byte[1]);
    run.put(keys.data() + "README", new byte[1]);
    assertThat(run.read().all())
        .extracting(each -> each.id() + " " + each.standing() + " " + each.bytes())
        .containsExactly(
            id(1) + " DELETED 1000",
            id(2) + " DELETED 70",
            id(3) + " DELETED 0",
            id(4) + " DELETED 0",
            id(5) + " DAMAGED 10",
            id(6) + " UNDECIDED 11",
            id(7) + " ABORTED " + length(7),
            id(8) + " QUARANTINED " + (length(8) + 13),
            id(9) + " QUARANTINED 14",
            id(10) + " LIVE 1000",
            id(11) + " DAMAGED 100",
            id(12) + " DELETED 1",
            id(13) + " UNDECIDED 17",
            id(15) + " LIVE 1000");
    assertThat(run.read().all())
        .filteredOn(each -> each.standing() != Standing.LIVE)
        .noneMatch(each -> each.reason().isBlank());
    assertThat(run.listed(id(5)).reason()).contains("it is pinned");
    assertThat(run.listed(id(6)).reason()).contains("under way");
    assertThat(run.listed(id(7)).reason()).contains("too slow");
    assertThat(run.listed(id(11)).reason()).contains(keys.manifest(GoldenRuns.id(id(11))));
    assertThat(run.read().all())
        .filteredOn(ListedCheckpoint::pinned)
        .extracting(ListedCheckpoint::id)
        .containsExactly(id(4), id(5));
  }

  @Test
  void whatANewerVersionWroteIsSaidToBeNewerAndIsNeverDamaged() throws IOException {
    TreeMap<String, byte[]> objects = GoldenRuns.golden();
    Keys keys = new Keys(GoldenRuns.RUN);
    String id = "000003-000000000035-0";
    String manifest = keys.manifest(GoldenRuns.id(id));
    objects.computeIfPresent(
        manifest,
        (key, bytes) -> GoldenDamageTest.sealed(bytes, text -> text.replace("1.0\"", "2.0\"")));
    try (CheckpointStore store = GoldenRuns.storeOf(objects)) {
      Checkpoints newer = Checkpoints.read(store, GoldenRuns.RUN);
      assertThat(newer.all())
          .filteredOn(each -> each.id().equals(id))
          .singleElement()
          .satisfies(
              each -> {
                assertThat(each.standing()).isEqualTo(Standing.NEWER);
                assertThat(each.reason()).contains("2.0");
              });
      assertThatThrownBy(() -> newer.verify(id))
          .isInstanceOf(CheckpointException.Incompatible.class);
      assertThatThrownBy(newer::verifyRecords).isInstanceOf(CheckpointException.Incompatible.class);
    }
    objects.computeIfPresent(
        manifest,
        (key, bytes) ->
            GoldenDamageTest.sealed(
                bytes,
                text ->
                    text.replace("2.0\"", "1.7\"")
                        .replace("\"world\":1}", "\"world\":1,\"zebra\":1}")));
    try (CheckpointStore store = GoldenRuns.storeOf(objects)) {
      assertThat(Checkpoints.read(store, GoldenRuns.RUN).verify(id).problems())
          .as("a newer minor version adds fields that its votes do not tell of")
          .isEmpty();
    }
  }

  @Test
  void anEmptyRunHasNothing() {
    assertThat(run.read().all()).isEmpty();
    assertThat(run.read().attempts()).isEmpty();
    assertThat(run.read().verifyRecords().ok()).isTrue();
    assertThat(run.read().best("loss", Retention.Mode.MIN)).isEmpty();
  }

  private static String id(int step) {
    return String.format(java.util.Locale.ROOT, "000001-%012d-0", step);
  }

  private String quarantined(int step) {
    return run.keys.quarantine() + id(step) + "/manifests/" + id(step) + ".json";
  }

  private static long length(int step) {
    return new dev.ckpt.manifest.Manifest.Abort(GoldenRuns.id(id(step)), "too slow")
        .encode()
        .length;
  }
}
