package dev.ckpt;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The worked example in FORMAT.md is what the code reads and writes. */
class FormatExampleTest {

  private static final String RUN = "example";
  private static final Keys KEYS = new Keys(RUN);
  private static final CheckpointId ID = GoldenRuns.id("000001-000000000002-0");
  private static final Instant TIME = Instant.parse("2026-01-01T00:00:00Z");

  /** A key, and its object as JSON or as a dump of 32 bytes a line. */
  private static final Pattern EXAMPLE =
      Pattern.compile("^`(runs/[^`]+)`.*\\n\\n```(json|hex)\\n([^`]+)\\n```$", Pattern.MULTILINE);

  private static TreeMap<String, byte[]> documented() throws IOException {
    TreeMap<String, byte[]> objects = new TreeMap<>();
    String text = Files.readString(Path.of("..", "FORMAT.md"));
    for (MatchResult example : EXAMPLE.matcher(text).results().toList()) {
      objects.put(
          example.group(1),
          example.group(2).equals("json")
              ? example.group(3).getBytes(StandardCharsets.UTF_8)
              : undumped(example.group(3)));
    }
    return objects;
  }

  /** Lines {@code offset: hex hex ...}; a line of {@code *} repeats zeros up to the next offset. */
  private static byte[] undumped(String dump) {
    java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream();
    for (String line : dump.lines().toList()) {
      if (line.equals("*")) {
        continue;
      }
      int offset = Integer.parseInt(line.substring(0, 4), 16);
      bytes.writeBytes(new byte[offset - bytes.size()]);
      bytes.writeBytes(HexFormat.of().parseHex(line.substring(6).replace(" ", "")));
    }
    return bytes.toByteArray();
  }

  /** How the example's shard stands in FORMAT.md. */
  private static String dumped(byte[] bytes) {
    StringBuilder dump = new StringBuilder();
    boolean zeros = false;
    for (int at = 0; at < bytes.length; at += 32) {
      byte[] row = java.util.Arrays.copyOfRange(bytes, at, Math.min(at + 32, bytes.length));
      if (java.util.Arrays.equals(row, new byte[32])) {
        dump.append(zeros ? "" : "*\n");
        zeros = true;
        continue;
      }
      zeros = false;
      dump.append(String.format("%04x:", at));
      for (int i = 0; i < row.length; i += 4) {
        int end = Math.min(i + 4, row.length);
        dump.append(' ').append(HexFormat.of().formatHex(row, i, end));
      }
      dump.append('\n');
    }
    return dump.toString().strip();
  }

  /** Two floats, a value and nothing else. */
  private static final class Tiny implements Checkpointable {
    @Override
    public void capture(StateSink sink) {
      sink.tensor(
          TensorSpec.of("w", DType.FLOAT32, Shape.of(2)),
          (offset, into) -> into.put(contents(), (int) offset, into.remaining()),
          Stability.COPY_NOW);
      sink.value("lr", 0.1);
    }

    static byte[] contents() {
      ByteBuffer bytes = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      return bytes.putFloat(1.0f).putFloat(-2.5f).array();
    }

    @Override
    public void restore(StateView view) {
      throw new AssertionError("nothing is restored here");
    }
  }

  private static TreeMap<String, byte[]> written() throws IOException {
    try (CheckpointStore store = Stores.inMemory()) {
      try (CheckpointManager ckpt =
          CheckpointManager.in(store)
              .run(RUN)
              .part("model", new Tiny())
              .seed(42)
              .clock(() -> TIME, () -> 0)
              .open()) {
        ckpt.resume();
        ckpt.save(Progress.step(2), Map.of("loss", 0.5)).join();
        ckpt.complete(Map.of("steps", 2L));
      }
      TreeMap<String, byte[]> objects = GoldenRuns.objects(store);
      objects.computeIfPresent(
          KEYS.attempt(1),
          (key, bytes) ->
              new AttemptRecord(
                      1,
                      1,
                      List.of("0123456789abcdef"),
                      AttemptRecord.decode(key, bytes).request(),
                      AttemptRecord.decode(key, bytes).seed(),
                      AttemptRecord.decode(key, bytes).startedAt(),
                      Map.of("host", "node7", "pid", "4711"))
                  .encode());
      return objects;
    }
  }

  @Test
  void theCodeWritesTheExampleByteForByte() throws IOException {
    Map<String, String> documented = new TreeMap<>();
    documented().forEach((key, bytes) -> documented.put(key, shown(key, bytes)));
    Map<String, String> written = new TreeMap<>();
    written().forEach((key, bytes) -> written.put(key, shown(key, bytes)));
    assertThat(documented).isEqualTo(written);
  }

  private static String shown(String key, byte[] bytes) {
    return key.endsWith(".json") ? new String(bytes, StandardCharsets.UTF_8) : dumped(bytes);
  }

  @Test
  void theCodeReadsTheExample() throws IOException {
    try (CheckpointStore store = GoldenRuns.storeOf(documented())) {
      Checkpoints example = Checkpoints.read(store, RUN);
      assertThat(example.list()).extracting(Checkpoint::id).containsExactly(ID.toString());
      assertThat(example.verify(ID.toString()).ok()).isTrue();
      try (Checkpoints.Opened open = example.open(ID.toString())) {
        ByteBuffer read = ByteBuffer.allocate(8);
        open.view("model").read("w", 0, read);
        assertThat(read.array()).isEqualTo(Tiny.contents());
        assertThat(open.view("model").value("lr", Double.class)).isEqualTo(0.1);
        assertThat(open.checkpoint().metrics()).isEqualTo(Map.of("loss", 0.5));
      }
      RunLog run = new RunLog(store, KEYS);
      assertThat(run.lineage().seed(1)).contains(42L);
      assertThat(run.end(1))
          .contains(
              new EndRecord(
                  1,
                  EndRecord.COMPLETED,
                  Map.of("steps", 2L),
                  TIME,
                  Optional.empty(),
                  OptionalLong.of(2)));
    }
    Map<String, byte[]> objects = documented();
    assertThat(ResumeRecord.decode("resume", requireNonNull(objects.get(KEYS.resume(1)))).applied())
        .isEmpty();
    assertThat(Vote.decode("vote", requireNonNull(objects.get(KEYS.vote(ID, 0)))).savedAt())
        .isEqualTo(TIME);
  }

  @Test
  void theOffsetsThatTheTextNamesAreThose() throws IOException {
    byte[] shard = requireNonNull(documented().get(KEYS.shard(ID, 0, 1, 0, "arrow")));
    String text = Files.readString(Path.of("..", "FORMAT.md"));
    var rows =
        Pattern.compile("^\\| `0x([0-9a-f]{4})` \\| `([^`]*)` \\|", Pattern.MULTILINE)
            .matcher(text)
            .results()
            .toList();
    assertThat(rows).hasSizeGreaterThan(5);
    for (MatchResult row : rows) {
      byte[] bytes = HexFormat.of().parseHex(row.group(2).replace(" ", ""));
      int at = Integer.parseInt(row.group(1), 16);
      assertThat(java.util.Arrays.copyOfRange(shard, at, at + bytes.length))
          .as(row.group())
          .isEqualTo(bytes);
    }
  }
}
