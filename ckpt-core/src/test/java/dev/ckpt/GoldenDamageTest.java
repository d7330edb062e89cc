package dev.ckpt;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.internal.commit.Keys;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Damaged and newer copies of the golden store: each fails in the one way that was designed. */
class GoldenDamageTest {

  private static final Keys KEYS = new Keys(GoldenRuns.RUN);
  private static final String NEWEST = "000003-000000000035-0";
  private static final String BEFORE = "000001-000000000020-1";
  private static final String MANIFEST = KEYS.manifest(GoldenRuns.id(NEWEST));
  private static final String SHARD = KEYS.shard(GoldenRuns.id(NEWEST), 0, 1, 0, "arrow");

  private TreeMap<String, byte[]> objects;

  @BeforeEach
  void fresh() throws IOException {
    objects = GoldenRuns.golden();
  }

  // ---- flipped bits

  @Test
  void everyFlippedBitOfEveryRecordIsCorruptAndNeverANewerVersion() {
    Map<String, BiFunction<String, byte[], Object>> decoders =
        Map.of(
            "attempts", AttemptRecord::decode,
            "resume", ResumeRecord::decode,
            "ends", EndRecord::decode,
            "votes", Vote::decode,
            "manifests", Manifest::decode);
    for (String key :
        List.of(
            KEYS.attempt(3),
            KEYS.resume(3),
            KEYS.end(3),
            KEYS.vote(GoldenRuns.id(NEWEST), 0),
            MANIFEST,
            KEYS.manifest(GoldenRuns.id("000003-000000000050-0")))) {
      byte[] bytes = object(key);
      BiFunction<String, byte[], Object> decoder = requireNonNull(decoders.get(key.split("/")[2]));
      assertThat(decoder.apply(key, bytes)).isNotNull();
      for (int bit = 0; bit < bytes.length * 8; bit++) {
        byte[] flipped = flipped(bytes, bit);
        assertThatThrownBy(() -> decoder.apply(key, flipped))
            .as("%s, bit %d", key, bit)
            .isInstanceOf(CheckpointException.Corrupt.class);
      }
      for (int length = 0; length < bytes.length; length++) {
        byte[] cut = Arrays.copyOf(bytes, length);
        assertThatThrownBy(() -> decoder.apply(key, cut))
            .as("%s, cut to %d", key, length)
            .isInstanceOf(CheckpointException.Corrupt.class);
      }
    }
  }

  @Test
  void aFlippedBitInAnyByteOfAShardIsFound() throws IOException {
    try (CheckpointStore store = GoldenRuns.storeOf(objects)) {
      Checkpoints golden = Checkpoints.read(store, GoldenRuns.RUN);
      byte[] bytes = object(SHARD);
      for (int at = 0; at < bytes.length; at++) {
        replace(store, SHARD, flipped(bytes, at * 8 + at % 8));
        assertThat(golden.verify(NEWEST).ok()).as("byte %d", at).isFalse();
      }
      replace(store, SHARD, bytes);
      assertThat(golden.verify(NEWEST).ok()).isTrue();
    }
  }

  @Test
  void aShardThatWasCutOrGrewIsCorrupt() throws IOException {
    byte[] bytes = object(SHARD);
    try (CheckpointStore store = GoldenRuns.storeOf(objects)) {
      for (int length : new int[] {0, 1, 8, 1000, bytes.length - 1, bytes.length + 1}) {
        replace(store, SHARD, Arrays.copyOf(bytes, length));
        assertThatThrownBy(() -> Checkpoints.read(store, GoldenRuns.RUN).open(NEWEST))
            .as("%d bytes", length)
            .isInstanceOf(CheckpointException.Corrupt.class)
            .hasMessageContaining(SHARD);
      }
    }
  }

  // ---- what a start does

  @Test
  void aDamagedOrMissingShardIsPassedOverForTheOneBefore() throws IOException {
    byte[] bytes = object(SHARD);
    for (byte[] damaged : List.of(flipped(bytes, 8 * 700), Arrays.copyOf(bytes, 999))) {
      objects.put(SHARD, damaged);
      passesOver(NEWEST);
    }
    objects.remove(SHARD);
    passesOver("missing");
  }

  @Test
  void aDamagedOrMissingManifestIsPassedOverForTheOneBefore() throws IOException {
    byte[] bytes = object(MANIFEST);
    for (byte[] damaged : List.of(flipped(bytes, 8 * 300), new byte[0])) {
      objects.put(MANIFEST, damaged);
      passesOver(NEWEST);
    }
    String other = KEYS.manifest(GoldenRuns.id(BEFORE));
    objects.put(MANIFEST, object(other)); // whole, but about another checkpoint
    passesOver("is about " + BEFORE);
  }

  private void passesOver(String why) throws IOException {
    GoldenState state = GoldenState.after(0);
    try (CheckpointStore store = GoldenRuns.storeOf(objects);
        CheckpointManager ckpt = open(store, state)) {
      Restored restored = ckpt.resume().orElseThrow();
      assertThat(restored.checkpoint().id()).isEqualTo(BEFORE);
      assertThat(restored.skipped()).anySatisfy(line -> assertThat(line).contains(NEWEST, why));
      assertThat(state.updates()).isEqualTo(20);
    }
  }

  @Test
  void ifNothingIsWholeTheStartFailsAndChangesNothing() throws IOException {
    objects.replaceAll(
        (key, bytes) -> key.endsWith(".arrow") ? flipped(bytes, bytes.length * 4) : bytes);
    GoldenState state = GoldenState.after(0);
    try (CheckpointStore store = GoldenRuns.storeOf(objects);
        CheckpointManager ckpt = open(store, state)) {
      assertThatThrownBy(ckpt::resume)
          .isInstanceOf(CheckpointException.Corrupt.class)
          .hasMessageContainingAll(NEWEST, BEFORE, "never");
      assertThat(state.updates()).isZero();
      assertThat(GoldenRuns.objects(store)).doesNotContainKey(KEYS.resume(ckpt.attempt()));
    }
  }

  @Test
  void aDamagedRecordOnTheWayToTheLatestStopsTheStart() throws IOException {
    byte[] bytes = object(KEYS.resume(3));
    objects.put(KEYS.resume(3), flipped(bytes, 8 * 100));
    stops(CheckpointException.Corrupt.class, KEYS.resume(3));
    objects.put(KEYS.resume(3), object(KEYS.resume(1)));
    stops(CheckpointException.Corrupt.class, KEYS.resume(3));
    objects.remove(KEYS.resume(3));
    stops(CheckpointException.Corrupt.class, KEYS.resume(3));
  }

  @Test
  void aDamagedRecordThatIsOnlyForPeopleCostsNoCheckpoint() throws IOException {
    for (String key : List.of(KEYS.attempt(1), KEYS.attempt(3), KEYS.end(3))) {
      TreeMap<String, byte[]> whole = new TreeMap<>(objects);
      objects.put(key, flipped(object(key), 8 * 100));
      try (CheckpointStore store = GoldenRuns.storeOf(objects);
          CheckpointManager ckpt = open(store, GoldenState.after(0))) {
        assertThat(ckpt.resume().orElseThrow().checkpoint().id()).as(key).isEqualTo(NEWEST);
      }
      objects = whole;
    }
  }

  @Test
  void aRecordUnderAnotherAttemptsKeyIsPassedOver() throws IOException {
    objects.put(KEYS.attempt(9), object(KEYS.attempt(1)));
    objects.put(KEYS.end(3), object(KEYS.end(1)));
    try (CheckpointStore store = GoldenRuns.storeOf(objects);
        CheckpointManager ckpt = open(store, GoldenState.after(0))) {
      assertThat(ckpt.attempt()).as("no number is taken twice").isEqualTo(10);
      assertThat(ckpt.completed()).isEmpty();
      assertThat(ckpt.resume().orElseThrow().checkpoint().id()).isEqualTo(NEWEST);
    }
  }

  @Test
  void aSealedRecordWithAValueOutOfRangeIsCorrupt() {
    for (List<String> change :
        List.of(
            List.of("\"step\":35", "\"step\":-35"),
            List.of("\"epoch\":", "\"epoch\":-1"),
            List.of("\"metrics\":{", "\"metrics\":{\"a\":\"x\","),
            List.of("\"metrics\":{", "\"metrics\":{\"a\":\"1.5\","),
            List.of("\"length\":", "\"length\":-"),
            List.of("\"tailStart\":", "\"tailStart\":-"),
            List.of("\"tailStart\":", "\"tailStart\":99999"),
            List.of("\"tailCrc32c\":", "\"tailCrc32c\":-"),
            List.of("\"tailCrc32c\":", "\"tailCrc32c\":99999"),
            List.of("\"chunkTableSha256\":\"", "\"chunkTableSha256\":\"0"),
            List.of("\"world\":1", "\"world\":0"))) {
      refused(Manifest::decode, MANIFEST, change.get(0), change.get(1));
    }
    refused(AttemptRecord::decode, KEYS.attempt(1), "\"nonces\":[\"", "\"nonces\":[7,\"");
    refused(AttemptRecord::decode, KEYS.attempt(1), "\"provenance\":{", "\"provenance\":{\"a\":1,");
    refused(ResumeRecord::decode, KEYS.resume(1), "\"skipped\":[]", "\"skipped\":[1]");
    refused(EndRecord::decode, KEYS.end(1), "\"goal\":{}", "\"goal\":[]");
  }

  @Test
  void whatPinsAndMarksHoldDoesNotMatter() throws IOException {
    String pin = KEYS.pin(GoldenRuns.id("000001-000000000010-0"));
    String mark = KEYS.deleted(GoldenRuns.id("000001-000000000015-0"));
    objects.put(pin, new byte[0]);
    objects.put(mark, flipped(object(mark), 9));
    try (CheckpointStore store = GoldenRuns.storeOf(objects)) {
      assertThat(Checkpoints.read(store, GoldenRuns.RUN).list())
          .extracting(Checkpoint::id)
          .contains("000001-000000000010-0")
          .doesNotContain("000001-000000000015-0");
    }
  }

  @Test
  void votesAreNotNeededOnceTheManifestStands() throws IOException {
    objects.keySet().removeIf(key -> key.contains("/votes/"));
    GoldenState state = GoldenState.after(0);
    try (CheckpointStore store = GoldenRuns.storeOf(objects);
        CheckpointManager ckpt = open(store, state)) {
      assertThat(ckpt.resume().orElseThrow().checkpoint().id()).isEqualTo(NEWEST);
    }
  }

  // ---- newer versions

  @Test
  void aNewerMajorVersionIsIncompatibleAndNothingOlderIsTaken() throws IOException {
    newer(text -> text.replace("\"version\":\"1.0\"", "\"version\":\"2.0\""), "2.0");
  }

  @Test
  void anUnknownRequiredFeatureIsIncompatibleAndNothingOlderIsTaken() throws IOException {
    newer(
        text -> text.replace("\"requiredFeatures\":[]", "\"requiredFeatures\":[\"delta\"]"),
        "delta");
  }

  private void newer(UnaryOperator<String> change, String what) throws IOException {
    for (String key : List.of(KEYS.attempt(4), KEYS.resume(1), KEYS.end(3))) {
      byte[] bytes = object(key);
      objects.put(key, sealed(bytes, change));
      stops(CheckpointException.Incompatible.class, what);
      objects.put(key, bytes);
    }
    objects.put(MANIFEST, sealed(object(MANIFEST), change));
    resumeFails(what);
  }

  @Test
  void aNewerMinorVersionIsReadAndWhatItAddsIsLeftAlone() throws IOException {
    UnaryOperator<String> change =
        text ->
            text.replace("\"version\":\"1.0\"", "\"version\":\"1.7\"")
                .replace("\"world\":1}", "\"world\":1,\"zebra\":{\"stripes\":[1]}}");
    for (String key : List.of(MANIFEST, KEYS.attempt(1), KEYS.attempt(3))) {
      byte[] changed = sealed(object(key), change);
      assertThat(changed).hasSizeGreaterThan(object(key).length);
      objects.put(key, changed);
    }
    GoldenState state = GoldenState.after(0);
    try (CheckpointStore store = GoldenRuns.storeOf(objects);
        CheckpointManager ckpt = open(store, state)) {
      assertThat(ckpt.resume().orElseThrow().checkpoint().id()).isEqualTo(NEWEST);
    }
  }

  @Test
  void aShardOfANewerMajorVersionIsIncompatibleAndNothingOlderIsTaken() throws IOException {
    Manifest.Commit commit = (Manifest.Commit) Manifest.decode(MANIFEST, object(MANIFEST));
    ShardDigest digest = commit.shards().get(0).digest();
    String shard = latin(object(SHARD)).replace("ckpt-arrow/1", "ckpt-arrow/2");
    int tail = (int) digest.tailStart();
    String before = table(object(SHARD), tail).base64();
    ChunkTable after = table(latin(shard), tail);
    assertThat(shard).containsOnlyOnce(before);
    byte[] changed = latin(shard.replace(before, after.base64()));
    objects.put(SHARD, changed);
    write(
        commit,
        new ShardEntry(
            0,
            SHARD,
            "arrow",
            new ShardDigest(
                changed.length, tail, crc(changed, tail, changed.length), after.digest())));
    resumeFails("format version 2");
  }

  @Test
  void aShardOfAnUnknownFormatIsIncompatibleAndNothingOlderIsTaken() throws IOException {
    Manifest.Commit commit = (Manifest.Commit) Manifest.decode(MANIFEST, object(MANIFEST));
    write(commit, new ShardEntry(0, SHARD, "papyrus", commit.shards().get(0).digest()));
    resumeFails("papyrus");
  }

  private void write(Manifest.Commit commit, ShardEntry shard) {
    objects.put(
        MANIFEST,
        new Manifest.Commit(
                commit.id(),
                1,
                commit.parent(),
                commit.seed(),
                commit.progress(),
                commit.committedAt(),
                commit.metrics(),
                true,
                List.of(shard))
            .encode());
  }

  private static ChunkTable table(byte[] shard, int tailStart) {
    return new ChunkTable(tailStart, new int[] {crc(shard, 0, tailStart)});
  }

  private static int crc(byte[] bytes, int from, int to) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, from, to - from);
    return (int) crc.getValue();
  }

  @Test
  void aManifestThatNamesFilesOutsideItsRunIsCorruptAndNothingOfThemIsDeleted() throws IOException {
    String foreign = KEYS.data().replace(GoldenRuns.RUN, GoldenRuns.KINDS);
    for (String key :
        List.of(
            foreign + "000001-000000000007-0/rank-00000-of-00001.arrow",
            KEYS.attempt(1),
            KEYS.data() + "../attempts/000001.json",
            KEYS.data())) {
      Manifest.Commit commit = (Manifest.Commit) Manifest.decode(MANIFEST, object(MANIFEST));
      TreeMap<String, byte[]> whole = new TreeMap<>(objects);
      write(commit, new ShardEntry(0, key, "arrow", commit.shards().get(0).digest()));
      passesOver(MANIFEST);
      objects = whole;
    }
  }

  @Test
  void aListLeavesOutWhatIsNewerAndGivesTheRest() throws IOException {
    objects.put(
        MANIFEST,
        sealed(
            object(MANIFEST), text -> text.replace("\"version\":\"1.0\"", "\"version\":\"2.0\"")));
    try (CheckpointStore store = GoldenRuns.storeOf(objects)) {
      Checkpoints golden = Checkpoints.read(store, GoldenRuns.RUN);
      assertThat(golden.list()).extracting(Checkpoint::id).contains(BEFORE).doesNotContain(NEWEST);
      assertThatThrownBy(() -> golden.open(NEWEST))
          .isInstanceOf(CheckpointException.Incompatible.class);
    }
    try (CheckpointStore store = GoldenRuns.storeOf(objects)) {
      assertThatThrownBy(
              () ->
                  CheckpointManager.in(store)
                      .run(GoldenRuns.RUN)
                      .part("model", GoldenState.after(0))
                      .resume(Resume.parse("best(loss, min)"))
                      .open())
          .as("a resume is not guessed")
          .isInstanceOf(CheckpointException.Incompatible.class);
    }
  }

  @Test
  void theBestThatLostItsManifestIsLeftOutWithAWord() throws IOException {
    String best = "000003-000000000035-0";
    requireNonNull(objects.remove("runs/golden/manifests/" + best + ".json"));
    PrintStream console = System.err;
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    System.setErr(new PrintStream(said, true, StandardCharsets.UTF_8));
    try (CheckpointStore store = GoldenRuns.storeOf(objects)) {
      assertThat(Checkpoints.read(store, GoldenRuns.RUN).find("best(loss, min)").id())
          .isNotEqualTo(best);
    } finally {
      System.setErr(console);
    }
    assertThat(said.toString(StandardCharsets.UTF_8))
        .contains("left out of the choice: " + best + ": its manifest is missing")
        .contains("`ckpt repair`");
  }

  // ---- tools

  private void refused(
      BiFunction<String, byte[], Object> decoder, String key, String from, String to) {
    byte[] changed = sealed(object(key), text -> text.replaceFirst(Pattern.quote(from), to));
    assertThat(changed).as("%s: %s is there", key, from).isNotEqualTo(object(key));
    assertThatThrownBy(() -> decoder.apply(key, changed))
        .as("%s: %s", key, to)
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining(key);
  }

  private byte[] object(String key) {
    return requireNonNull(objects.get(key), key);
  }

  private void stops(Class<? extends CheckpointException> how, String what) throws IOException {
    try (CheckpointStore store = GoldenRuns.storeOf(objects)) {
      assertThatThrownBy(() -> open(store, GoldenState.after(0)))
          .isInstanceOf(how)
          .hasMessageContaining(what);
    }
  }

  private void resumeFails(String what) throws IOException {
    GoldenState state = GoldenState.after(0);
    try (CheckpointStore store = GoldenRuns.storeOf(objects);
        CheckpointManager ckpt = open(store, state)) {
      ThrowingCallable resume = ckpt::resume;
      assertThatThrownBy(resume)
          .isInstanceOf(CheckpointException.Incompatible.class)
          .hasMessageContaining(what);
      assertThat(state.updates()).as("untouched").isZero();
      assertThat(GoldenRuns.objects(store)).doesNotContainKey(KEYS.resume(ckpt.attempt()));
    }
  }

  private static CheckpointManager open(CheckpointStore store, GoldenState state) {
    return CheckpointManager.in(store).run(GoldenRuns.RUN).part("model", state).open();
  }

  private static void replace(CheckpointStore store, String key, byte[] bytes) throws IOException {
    store.delete(List.of(key));
    store.putIfAbsent(key, ByteBuffer.wrap(bytes));
  }

  private static byte[] flipped(byte[] bytes, int bit) {
    byte[] flipped = bytes.clone();
    flipped[bit / 8] ^= (byte) (1 << bit % 8);
    return flipped;
  }

  /** A record with another text and the digest that fits it, as a newer ckpt would write. */
  static byte[] sealed(byte[] record, UnaryOperator<String> change) {
    try {
      String covered = change.apply(latin(record).substring(77));
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(latin(covered));
      return latin("{\"digest\":\"" + HexFormat.of().formatHex(digest) + "\"," + covered);
    } catch (java.security.NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  private static String latin(byte[] bytes) {
    return new String(bytes, StandardCharsets.ISO_8859_1);
  }

  private static byte[] latin(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }
}
