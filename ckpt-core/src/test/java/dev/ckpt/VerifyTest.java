package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.internal.commit.Keys;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A look at a checkpoint names all that is wrong with it. */
class VerifyTest {
  private static final Keys KEYS = new Keys(GoldenRuns.RUN);
  private static final CheckpointId ID = GoldenRuns.id("000003-000000000035-0");
  private static final String MANIFEST = KEYS.manifest(ID);
  private static final String OTHER_SHARD = KEYS.shard(ID, 1, 2, 0, "arrow");
  private static final String SHARD = KEYS.shard(ID, 0, 1, 0, "arrow");

  private TreeMap<String, byte[]> objects;

  /** Two workers; the second has the shard of another checkpoint under its own name. */
  @BeforeEach
  void twoRanks() throws IOException {
    objects = GoldenRuns.golden();
    String other = "000001-000000000010-0";
    Vote mine = Vote.decode("mine", object(KEYS.vote(ID, 0)));
    Vote theirs = Vote.decode("theirs", object(KEYS.vote(GoldenRuns.id(other), 0)));
    objects.put(OTHER_SHARD, object(theirs.shards().get(0).key()));
    ShardEntry moved = new ShardEntry(1, OTHER_SHARD, "arrow", theirs.shards().get(0).digest());
    write(vote(mine, 0, mine.shards()), vote(mine, 1, List.of(moved)));
  }

  private static Vote vote(Vote like, int rank, List<ShardEntry> shards) {
    return new Vote(
        like.id(),
        rank,
        2,
        like.parent(),
        like.seed(),
        like.progress(),
        like.savedAt(),
        like.metrics(),
        like.finite(),
        shards);
  }

  private void write(Vote... votes) {
    for (Vote vote : votes) {
      objects.put(KEYS.vote(ID, vote.rank()), vote.encode());
    }
    objects.put(MANIFEST, Manifest.Commit.of(List.of(votes)).encode());
  }

  private byte[] object(String key) {
    return Objects.requireNonNull(objects.get(key), key);
  }

  private List<String> problems() throws IOException {
    try (CheckpointStore store = GoldenRuns.storeOf(objects)) {
      return Checkpoints.read(store, GoldenRuns.RUN).verify(ID.toString()).problems();
    }
  }

  private void flip(String key, int at) {
    byte[] bytes = object(key).clone();
    bytes[at] ^= 16;
    objects.put(key, bytes);
  }

  @Test
  void allThatIsWrongIsNamedAndNotOnlyTheFirst() throws IOException {
    assertThat(bytesOf(problems())).as("both hold the same part").contains("there twice");
    flip(SHARD, 700);
    flip(OTHER_SHARD, object(OTHER_SHARD).length - 1);
    flip(KEYS.vote(ID, 0), 100);
    flip(KEYS.vote(ID, 1), 3);
    assertThat(problems())
        .hasSize(4)
        .anyMatch(each -> each.startsWith(KEYS.vote(ID, 0)))
        .anyMatch(each -> each.startsWith(KEYS.vote(ID, 1)))
        .anyMatch(each -> each.startsWith(SHARD) && each.contains("chunk 0 (bytes 0 to "))
        .anyMatch(each -> each.startsWith(OTHER_SHARD) && each.contains("the footer (bytes "));
  }

  private static String bytesOf(List<String> problems) {
    return String.join("\n", problems);
  }

  @Test
  void theVotesStandInForADamagedManifest() throws IOException {
    flip(MANIFEST, 200);
    flip(SHARD, 700);
    objects.remove(OTHER_SHARD);
    assertThat(problems())
        .hasSize(3)
        .anyMatch(each -> each.startsWith(MANIFEST))
        .anyMatch(each -> each.startsWith(SHARD))
        .anyMatch(each -> each.contains(OTHER_SHARD) && each.contains("missing"));
  }

  @Test
  void aVoteThatIsGoneIsNoProblemAndOneThatDiffersIs() throws IOException {
    int before = problems().size();
    Vote mine = Vote.decode("mine", object(KEYS.vote(ID, 0)));
    objects.remove(KEYS.vote(ID, 1));
    assertThat(problems()).hasSize(before);
    Map<String, Consumer<TreeMap<String, byte[]>>> differences = new HashMap<>();
    differences.put(
        "does not agree", all -> all.put(KEYS.vote(ID, 0), vote(mine, 0, List.of()).encode()));
    differences.put(
        "is the vote of rank 1",
        all -> all.put(KEYS.vote(ID, 0), vote(mine, 1, List.of()).encode()));
    differences.put(
        "is the vote of rank 0 on " + ID,
        all -> all.put(KEYS.vote(ID, 7), vote(mine, 0, mine.shards()).encode()));
    for (Map.Entry<String, Consumer<TreeMap<String, byte[]>>> each : differences.entrySet()) {
      TreeMap<String, byte[]> whole = new TreeMap<>(objects);
      each.getValue().accept(objects);
      assertThat(bytesOf(problems())).contains(each.getKey());
      objects = whole;
    }
  }

  @Test
  void aManifestThatTheVotesDoNotMakeIsAProblem() throws IOException {
    Manifest.Commit commit = (Manifest.Commit) Manifest.decode(MANIFEST, object(MANIFEST));
    objects.put(
        MANIFEST,
        new Manifest.Commit(
                commit.id(),
                commit.world(),
                commit.parent(),
                commit.seed(),
                commit.progress(),
                commit.committedAt(),
                Map.of("loss", 0.0),
                commit.finite(),
                commit.shards())
            .encode());
    assertThat(bytesOf(problems())).contains(MANIFEST + " is not what the votes of all 2 ranks");
    objects.remove(KEYS.vote(ID, 1));
    assertThat(bytesOf(problems()))
        .as("one vote is enough to see it")
        .contains(KEYS.vote(ID, 0) + " does not agree with " + MANIFEST);
  }

  @Test
  void onlyWhatIsCommittedCanBeVerified() throws IOException {
    for (String none :
        List.of(
            "000003-000000000050-0", // aborted
            "000003-000000000055-0", // undecided
            "000001-000000000015-0", // marked deleted, its manifest is there
            "000009-000000000001-0",
            "nothing")) {
      try (CheckpointStore store = GoldenRuns.storeOf(objects)) {
        assertThatThrownBy(() -> Checkpoints.read(store, GoldenRuns.RUN).verify(none))
            .as(none)
            .isInstanceOf(CheckpointException.NotFound.class)
            .hasMessageContaining(none);
      }
    }
  }

  @Test
  void whoListensHearsOfEveryByteOfTheShards() throws IOException {
    objects = GoldenRuns.golden();
    AtomicLong heard = new AtomicLong();
    try (CheckpointStore store = GoldenRuns.storeOf(objects)) {
      Verification found =
          Checkpoints.read(store, GoldenRuns.RUN).verify(ID.toString(), heard::addAndGet);
      assertThat(found.ok()).isTrue();
      assertThat(found.bytes()).isEqualTo(object(SHARD).length);
      assertThat(heard).hasValue(object(SHARD).length);
    }
  }

  @Test
  void votesThatNoCheckpointLeadsToAreLookedAtWithTheRecords() throws IOException {
    List<String> lost = new ArrayList<>();
    CheckpointId undecided = GoldenRuns.id("000003-000000000056-0");
    CheckpointId aborted = GoldenRuns.id("000003-000000000050-0");
    for (CheckpointId id : List.of(undecided, aborted)) {
      objects.put(KEYS.vote(id, 0), object(KEYS.vote(ID, 0)));
      lost.add(KEYS.vote(id, 0));
    }
    flip(KEYS.manifest(aborted), 99);
    lost.add(KEYS.manifest(aborted));
    try (CheckpointStore store = GoldenRuns.storeOf(objects)) {
      Verification found = Checkpoints.read(store, GoldenRuns.RUN).verifyRecords();
      assertThat(found.problems()).hasSize(3);
      assertThat(found.id()).isEqualTo(GoldenRuns.RUN);
      for (String key : lost) {
        assertThat(found.problems()).anyMatch(each -> each.startsWith(key));
      }
    }
  }

  @Test
  void recordsThatShouldBeThereAndAreNotAreProblems() throws IOException {
    for (String key : List.of(KEYS.attempt(1), KEYS.resume(2), KEYS.attempt(3))) {
      TreeMap<String, byte[]> whole = new TreeMap<>(objects);
      objects.remove(key);
      try (CheckpointStore store = GoldenRuns.storeOf(objects)) {
        assertThat(Checkpoints.read(store, GoldenRuns.RUN).verifyRecords().problems())
            .singleElement()
            .asString()
            .startsWith(key + " is missing");
      }
      objects = whole;
    }
  }
}
