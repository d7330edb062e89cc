package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.fresh;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.parsed;
import static dev.ckpt.manager.MaintainedStore.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Maintenance;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.manifest.Vote;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class RepairTest {

  private MaintainedStore at = new MaintainedStore();
  private TreeMap<String, byte[]> before = new TreeMap<>();

  @BeforeEach
  void twoBranches() throws IOException {
    at = MaintainedStore.of(MaintainedStore.template());
    at.repair(); // left-overs
    before = at.objects();
  }

  @Test
  void aRunThatIsWholeIsLeftAsItIs() throws IOException {
    assertThat(at.repair()).isEmpty();
    at.isAsBefore(before);
  }

  @Test
  void aFlippedBitInAnyByteOfAManifestAVoteOrAResumeRecordIsMended() throws IOException {
    at = new MaintainedStore();
    at.run("toy", new Resume.Auto(), 1);
    at.run("toy", new Resume.Auto(), -2);
    before = at.objects();
    Maintenance maintenance = Maintenance.of(at.store).clock(at.clock);
    List<String> keys = new ArrayList<>(before.keySet());
    keys.removeIf(key -> !key.matches(".*/(manifests|votes|resume)/.*"));
    assertThat(keys).hasSize(6);
    for (String key : keys) {
      for (int place = 0; place < at.bytes(key).length; place++) {
        at.flip(key, place);
        assertThat(maintenance.repair("toy", false))
            .as("%s, byte %s", key, place)
            .extracting(MaintenanceAction::kind, MaintenanceAction::subject)
            .containsExactly(tuple(Kind.RESTORE, key));
      }
      at.isAsBefore(before);
    }
  }

  @Test
  void whatWasAppendedToARecordIsCutOff() throws IOException {
    for (String key :
        List.of(
            KEYS.manifest(parsed(id(3, 6))),
            KEYS.manifest(parsed(id(3, 8))),
            KEYS.vote(parsed(id(3, 6)), 0),
            KEYS.resume(2),
            KEYS.end(1))) {
      byte[] bytes = at.bytes(key);
      byte[] longer = java.util.Arrays.copyOf(bytes, bytes.length + 3);
      longer[bytes.length] = '}';
      at.put(key, longer);
      at.mends(Kind.RESTORE, key);
    }
    at.isAsBefore(before);
  }

  @Test
  void aManifestThatNothingProvesIsWithdrawnWithAllOfItsCheckpoint() throws IOException {
    TreeMap<String, byte[]> whole = before;
    for (byte[] left : List.of(new byte[0], text("{\"digest\":\""))) {
      at = MaintainedStore.of(whole);
      at.put(KEYS.manifest(parsed(id(3, 6))), left);
      at.store.delete(List.of(KEYS.vote(parsed(id(3, 6)), 0)));
      before = at.objects();
      at.mends(Kind.QUARANTINE, id(3, 6));
      withdrawn(id(3, 6), Map.of());
    }
  }

  @Test
  void aManifestAndItsVoteThatAreBothDamagedProveNothing() throws IOException {
    String key = KEYS.manifest(parsed(id(3, 6)));
    at.flip(key, 100);
    at.flip(KEYS.vote(parsed(id(3, 6)), 0), 100);
    at.mends(Kind.QUARANTINE, id(3, 6));
    assertThat(at.start()).isEqualTo(id(2, 5));
  }

  @Test
  void aCheckpointWithADamagedShardIsMovedAsItWasAndItsIdStaysDecided() throws IOException {
    String shard = at.shard(id(3, 6));
    at.flip(shard, 700);
    byte[] damaged = at.bytes(shard);
    at.mends(Kind.QUARANTINE, id(3, 6));
    withdrawn(id(3, 6), Map.of(shard, damaged));
    assertThat(at.repair()).isEmpty();
    assertThat(at.start()).isEqualTo(id(2, 5));
  }

  /** A medium that spoils what is written below quarantine: the original is all there is. */
  @Test
  void nothingLeavesItsPlaceWhoseCopyIsNotItsOwn() throws IOException {
    at.flip(at.shard(id(3, 6)), 700);
    TreeMap<String, byte[]> damaged = at.objects();
    Locking spoiling =
        new Locking(at.store) {
          @Override
          public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
            if (!key.startsWith(KEYS.quarantine())) {
              return super.putIfAbsent(key, small);
            }
            byte[] bytes = new byte[small.remaining()];
            small.duplicate().get(bytes);
            bytes[bytes.length / 2] ^= 1;
            return super.putIfAbsent(key, ByteBuffer.wrap(bytes));
          }
        };
    assertThatThrownBy(() -> Maintenance.of(spoiling).clock(at.clock).repair("toy", false))
        .hasMessageContaining("was just copied from")
        .hasMessageContaining("and differs");
    TreeMap<String, byte[]> now = at.objects();
    now.keySet().removeIf(key -> key.startsWith(KEYS.quarantine()));
    assertThat(now.keySet()).isEqualTo(damaged.keySet());
    now.forEach((key, bytes) -> assertThat(bytes).as(key).isEqualTo(damaged.get(key)));
  }

  @Test
  void aCheckpointWithoutItsShardIsWithdrawn() throws IOException {
    at.store.delete(List.of(at.shard(id(3, 6))));
    at.mends(Kind.QUARANTINE, id(3, 6));
    assertThat(at.repair()).isEmpty();
    assertThat(at.listed("toy")).containsExactly(id(1, 1), id(1, 2), id(2, 4), id(2, 5), id(3, 7));
  }

  /** As docs/operations.md tells people to do. */
  @Test
  void whatWasMovedAsideCanBeBroughtBackByHand() throws IOException {
    byte[] shard = at.bytes(at.shard(id(3, 6)));
    at.flip(at.shard(id(3, 6)), 700);
    at.mends(Kind.QUARANTINE, id(3, 6));
    String manifest = KEYS.manifest(parsed(id(3, 6)));
    for (String key : List.of(at.shard(id(3, 6)), KEYS.vote(parsed(id(3, 6)), 0), manifest)) {
      byte[] copy = at.bytes(KEYS.quarantined(Optional.of(parsed(id(3, 6))), key));
      at.put(key, key.equals(at.shard(id(3, 6))) ? shard : copy);
    }
    assertThat(Checkpoints.read(at.store, "toy").verify(id(3, 6)).ok()).isTrue();
    assertThat(at.listed("toy")).contains(id(3, 6));
    assertThat(at.repair()).allMatch(action -> action.kind() == Kind.REMOVE);
    assertThat(at.start()).isEqualTo(id(3, 6));
  }

  /** All of an id is copied as it was, but for these; only an ABORT is in its place. */
  private void withdrawn(String id, Map<String, byte[]> damaged) throws IOException {
    TreeMap<String, byte[]> expected = new TreeMap<>(before);
    expected.putAll(damaged);
    TreeMap<String, byte[]> after = at.objects();
    String manifest = KEYS.manifest(parsed(id));
    for (Map.Entry<String, byte[]> object : expected.entrySet()) {
      String key = object.getKey();
      boolean its = key.contains("/" + id + "/") || key.equals(manifest);
      String place = its ? KEYS.quarantined(Optional.of(parsed(id)), key) : key;
      assertThat(after.get(place)).as(place).isEqualTo(object.getValue());
      assertThat(after.containsKey(key)).as(key).isEqualTo(!its || key.equals(manifest));
    }
    assertThat(Manifest.decode(manifest, at.bytes(manifest))).isInstanceOf(Manifest.Abort.class);
    assertThat(at.listed("toy")).doesNotContain(id);
  }

  @Test
  void aLargeShardIsCopiedWhole() throws IOException {
    ToyState large = ToyState.random(3, 1, 700_000);
    try (CheckpointManager ckpt =
        CheckpointManager.in(at.store).run("large").part("toy", large).open()) {
      ckpt.resume();
      ckpt.save(Progress.step(1), Map.of()).join();
    }
    String shard = new Keys("large").shard(parsed(id(1, 1)), 0, 1, 0, "arrow");
    at.flip(shard, 2_000_000);
    byte[] damaged = at.bytes(shard);
    assertThat(Maintenance.of(at.store).clock(at.clock).repair("large", false))
        .extracting(MaintenanceAction::kind)
        .containsExactly(Kind.QUARANTINE);
    assertThat(at.bytes(shard.replace("/data/", "/quarantine/" + id(1, 1) + "/data/")))
        .isEqualTo(damaged);
    assertThat(at.objects()).doesNotContainKey(shard);
  }

  @Test
  void aShardThatAnotherCheckpointNamesIsCopiedAndStays() throws IOException {
    String shared = at.shard(id(3, 6));
    Vote six = vote(KEYS, id(3, 6));
    String own = KEYS.shard(parsed(id(3, 8)), 0, 1, 0, "arrow");
    at.store.delete(List.of(KEYS.manifest(parsed(id(3, 8)))));
    try (CheckpointManager ckpt =
        CheckpointManager.in(at.store).run("other").part("other", fresh()).open()) {
      ckpt.resume();
      ckpt.save(Progress.step(1), Map.of()).join();
    }
    Keys other = new Keys("other");
    ShardEntry made = vote(other, id(1, 1)).shards().get(0);
    at.put(own, at.bytes(made.key()));
    Vote both =
        new Vote(
            parsed(id(3, 8)),
            0,
            1,
            six.parent(),
            six.seed(),
            Progress.step(8),
            six.savedAt(),
            Map.of(),
            true,
            List.of(
                new ShardEntry(0, shared, "arrow", six.shards().get(0).digest()),
                new ShardEntry(0, own, "arrow", made.digest())));
    Committer committer = new Committer(at.store, KEYS);
    committer.vote(both);
    committer.commit(List.of(both));
    assertThat(at.repair()).isEmpty();
    at.flip(own, 500);
    at.mends(Kind.QUARANTINE, id(3, 8));
    assertThat(at.bytes(shared)).isEqualTo(before.get(shared));
    assertThat(at.bytes(KEYS.quarantined(Optional.of(parsed(id(3, 8))), shared)))
        .isEqualTo(before.get(shared));
    assertThat(at.objects()).doesNotContainKey(own);
    assertThat(Checkpoints.read(at.store, "toy").verify(id(3, 6)).ok()).isTrue();

    at = MaintainedStore.of(at.objects());
    at.store.delete(List.of(KEYS.vote(parsed(id(3, 6)), 0)));
    at.put(KEYS.manifest(parsed(id(3, 6))), new byte[0]);
    assertThat(at.repair()).extracting(MaintenanceAction::kind).containsExactly(Kind.QUARANTINE);
    assertThat(at.objects()).as("nobody needs it now").doesNotContainKey(shared);
  }

  private Vote vote(Keys keys, String id) throws IOException {
    String key = keys.vote(parsed(id), 0);
    return Vote.decode(key, at.bytes(key));
  }

  @Test
  void aDamagedAbortIsReplacedByAnother() throws IOException {
    String key = KEYS.manifest(parsed(id(3, 8)));
    at.flip(key, 100);
    byte[] damaged = at.bytes(key);
    at.mends(Kind.QUARANTINE, id(3, 8));
    assertThat(((Manifest.Abort) Manifest.decode(key, at.bytes(key))).reason())
        .contains("quarantine");
    assertThat(at.bytes(KEYS.quarantined(Optional.of(parsed(id(3, 8))), key))).isEqualTo(damaged);
    assertThat(at.next()).isEqualTo(id(3, 6));
  }

  @Test
  void ifAllOfTheLiveBranchIsWithdrawnNoStartIsFreshUnlessAskedTo() throws IOException {
    for (String id : List.of(id(1, 1), id(1, 2), id(2, 4), id(2, 5), id(3, 6), id(3, 7))) {
      at.flip(at.shard(id), 600);
    }
    assertThat(at.next()).isEqualTo("error");
    assertThat(at.repair())
        .hasSize(6)
        .extracting(MaintenanceAction::kind)
        .containsOnly(Kind.QUARANTINE);
    assertThat(at.next()).isEqualTo("error");
    try (CheckpointManager ckpt = at.builder("toy", fresh()).open()) {
      assertThatThrownBy(ckpt::resume)
          .isInstanceOf(CheckpointException.Corrupt.class)
          .hasMessageContainingAll("moved it aside", id(3, 7), "never");
    }
    try (CheckpointManager ckpt = at.builder("toy", fresh()).resume(new Resume.Required()).open()) {
      assertThatThrownBy(ckpt::resume).isInstanceOf(CheckpointException.Corrupt.class);
    }
    try (CheckpointManager ckpt = at.builder("toy", fresh()).resume(new Resume.Never()).open()) {
      assertThat(ckpt.resume()).isEmpty();
    }
    assertThat(at.start()).as("the branch is a new one").isEqualTo("fresh");
  }

  @Test
  void anEmptiedVoteIsSetAside() throws IOException {
    String key = KEYS.vote(parsed(id(3, 6)), 0);
    at.put(key, text("?"));
    at.mends(Kind.QUARANTINE, key);
    assertThat(at.bytes(KEYS.quarantined(Optional.of(parsed(id(3, 6))), key))).isEqualTo(text("?"));
    assertThat(at.whole()).contains(id(3, 6));
    assertThat(at.repair()).isEmpty();
  }

  @Test
  void aVoteOfAnotherCheckpointIsSetAside() throws IOException {
    String key = KEYS.vote(parsed(id(3, 6)), 0);
    at.put(key, at.bytes(KEYS.vote(parsed(id(2, 5)), 0)));
    at.mends(Kind.QUARANTINE, key);
  }

  @Test
  void aResumeRecordThatNothingProvesStaysAndSaysTheWaysOut() throws IOException {
    String key = KEYS.resume(3);
    at.put(key, text("x"));
    at.mends(Kind.LEAVE, key);
    assertThat(at.repair().get(0).reason()).contains("by its id", "never");
    assertThat(at.bytes(key)).isEqualTo(text("x"));

    byte[] passedOver = new ResumeRecord(3, Optional.of(parsed(id(2, 5))), List.of("why")).encode();
    passedOver[passedOver.length - 1] ^= 1;
    at.put(key, passedOver);
    at.mends(Kind.LEAVE, key);
    assertThat(at.bytes(key)).isEqualTo(passedOver);

    at.store.delete(List.of(key));
    at.mends(Kind.LEAVE, key);
    assertThat(at.repair().get(0).reason()).contains("by its id", "never");
    assertThat(at.next()).isEqualTo("error");
  }

  @Test
  void aDamagedAttemptRecordKeepsItsNumber() throws IOException {
    at.flip(KEYS.attempt(3), 90);
    byte[] damaged = at.bytes(KEYS.attempt(3));
    at.mends(Kind.LEAVE, KEYS.attempt(3));
    assertThat(at.bytes(KEYS.attempt(3))).isEqualTo(damaged);
    assertThat(at.start()).isEqualTo(id(3, 6));
  }

  @Test
  void aDamagedEndRecordIsSetAside() throws IOException {
    at.flip(KEYS.end(3), 90);
    at.mends(Kind.QUARANTINE, KEYS.end(3));
    assertThat(at.objects())
        .doesNotContainKey(KEYS.end(3))
        .containsKey(KEYS.quarantined(Optional.empty(), KEYS.end(3)));
    assertThat(at.repair()).isEmpty();
  }

  @Test
  void whatANewerVersionWroteStaysUntouched() throws Exception {
    List<String> keys =
        List.of(
            KEYS.manifest(parsed(id(1, 3))),
            KEYS.vote(parsed(id(3, 6)), 0),
            KEYS.resume(3),
            KEYS.attempt(3),
            KEYS.end(3));
    for (String key : keys) {
      at = MaintainedStore.of(before);
      byte[] newer = newer(at.bytes(key));
      at.put(key, newer);
      at.mends(Kind.LEAVE, key);
      assertThat(at.bytes(key)).isEqualTo(newer);
    }
    assertThat(at.bytes(at.shard(id(1, 3)))).isEqualTo(before.get(at.shard(id(1, 3))));
  }

  private static byte[] newer(byte[] record) throws Exception {
    String covered = new String(record, java.nio.charset.StandardCharsets.UTF_8).substring(77);
    covered = covered.replace("\"version\":\"1.0\"", "\"version\":\"2.0\"");
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(text(covered));
    return text("{\"digest\":\"" + HexFormat.of().formatHex(digest) + "\"," + covered);
  }

  @Test
  void foreignFilesAreNeitherTouchedNorMentioned() throws IOException {
    Map<String, byte[]> foreign =
        Map.of(
            "runs/toy/notes.txt",
            text("a"),
            "runs/toy/data/notes.txt",
            text("b"),
            "runs/toy/manifests/backup",
            text("c"),
            "runs/toy/resume/0001",
            text("d"),
            "runs/toy/data/" + id(3, 6) + "/deep/er",
            text("e"),
            "elsewhere",
            text("f"));
    for (Map.Entry<String, byte[]> each : foreign.entrySet()) {
      at.put(each.getKey(), each.getValue());
    }
    at.flip(at.shard(id(3, 6)), 700);
    at.mends(Kind.QUARANTINE, id(3, 6));
    for (Map.Entry<String, byte[]> each : foreign.entrySet()) {
      assertThat(at.bytes(each.getKey())).isEqualTo(each.getValue());
    }
  }

  @Test
  void aRunUnderAnotherNameIsNotDamagedAndIsLeftAsItIs() throws IOException {
    TreeMap<String, byte[]> renamed = new TreeMap<>();
    before.forEach(
        (key, bytes) -> renamed.put(key.replaceFirst("^runs/toy/", "runs/other/"), bytes));
    MaintainedStore copy = MaintainedStore.of(renamed);
    for (boolean dry : new boolean[] {true, false}) {
      assertThatThrownBy(() -> Maintenance.of(copy.store).clock(copy.clock).repair("other", dry))
          .isInstanceOf(CheckpointException.Corrupt.class)
          .hasMessageContaining("are the records of run 'toy'")
          .hasMessageContaining("Nothing was changed");
    }
    copy.isAsBefore(renamed);
    assertThatThrownBy(() -> copy.run("other", new Resume.Auto()))
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining("call it 'toy' again");
    assertThat(copy.objects()).containsAllEntriesOf(renamed);
    copy.run("other", new Resume.Never(), 1);
    assertThat(Maintenance.of(copy.store).clock(copy.clock).repair("other", false))
        .as("and when something of its own is there")
        .hasSizeGreaterThanOrEqualTo(7)
        .allMatch(action -> action.kind() == Kind.LEAVE);
    assertThat(copy.objects()).containsAllEntriesOf(renamed);
  }

  @Test
  void ifNothingOfABranchIsWholeTheErrorNamesTheNewestWholeOneElsewhere() throws IOException {
    MaintainedStore made = new MaintainedStore();
    made.run("toy", new Resume.Auto(), 1, 2, 3, 4);
    made.run("toy", Resume.parse(id(1, 1)));
    made.flip(made.shard(id(1, 1)), 900);
    made.flip(made.shard(id(1, 4)), 900);
    assertThatThrownBy(() -> made.run("toy", new Resume.Auto()))
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining("resume from " + id(1, 3) + " by its id; to start over")
        .hasMessageContaining("never");
  }

  @Test
  void damagesDoNotHideEachOther() throws IOException {
    List<String> order =
        new ArrayList<>(
            List.of(
                KEYS.manifest(parsed(id(3, 6))),
                KEYS.vote(parsed(id(2, 5)), 0),
                KEYS.resume(2),
                KEYS.end(1),
                at.shard(id(3, 7))));
    for (int round = 0; round < order.size(); round++) {
      at = MaintainedStore.of(before);
      for (String key : order) {
        at.flip(key, 200);
      }
      assertThat(at.repair())
          .extracting(MaintenanceAction::kind)
          .containsExactlyInAnyOrder(
              Kind.RESTORE, Kind.RESTORE, Kind.RESTORE, Kind.QUARANTINE, Kind.QUARANTINE);
      assertThat(at.repair()).isEmpty();
      assertThat(at.next()).isEqualTo(id(3, 6));
      order.add(order.remove(0));
    }
  }

  @Test
  void commitsOfAnotherBranchForbidAFreshStartThatNobodyAskedFor() throws IOException {
    MaintainedStore made = new MaintainedStore();
    made.run("toy", new Resume.Auto());
    MaintainedStore saved = new MaintainedStore();
    saved.run("toy", new Resume.Auto(), 1);
    // a late commit of attempt 1, which attempt 2 had given up when it started fresh
    made.run("toy", new Resume.Auto());
    assertThat(made.start()).isEqualTo("fresh");
    for (var object : saved.objects().entrySet()) {
      if (object.getKey().contains(id(1, 1))) {
        made.put(object.getKey(), object.getValue());
      }
    }
    assertThat(made.next()).isEqualTo(id(1, 1));
    int newest = Checkpoints.read(made.store, "toy").attempts().size();
    made.flip(KEYS.attempt(newest), 150); // what it was asked for, nobody can tell
    assertThatThrownBy(() -> made.run("toy", new Resume.Auto()))
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining(id(1, 1));
    made.run("toy", new Resume.Never());
    assertThat(made.start()).isEqualTo("fresh");
  }

  @Test
  void whoEmptiesTheQuarantineDoesNotGetAFreshStart() throws IOException {
    MaintainedStore made = new MaintainedStore();
    made.run("toy", new Resume.Auto(), 1);
    MaintainedStore at = MaintainedStore.of(made.objects());
    at.flip(at.shard(id(1, 1)), 700);
    assertThat(Maintenance.of(at.store).clock(at.clock).repair("toy", false)).isNotEmpty();
    at.store.delete(
        at.objects().keySet().stream().filter(key -> key.startsWith(KEYS.quarantine())).toList());
    assertThat(at.start()).isEqualTo("error");
  }
}
