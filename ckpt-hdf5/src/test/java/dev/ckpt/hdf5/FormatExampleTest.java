package dev.ckpt.hdf5;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.Checkpoints;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.Stores;
import dev.ckpt.TensorSpec;
import dev.ckpt.spi.CheckpointStore;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The worked example of the HDF5 shard in FORMAT.md is what the code writes and reads. */
class FormatExampleTest {

  /** 32 bytes a line, each with its offset of five digits; {@code *} stands for lines of zeros. */
  private static final Pattern DUMP =
      Pattern.compile("```hex\\n(00000: [^`]+)\\n```", Pattern.MULTILINE);

  private static final Pattern ROW =
      Pattern.compile("^\\| `0x([0-9a-f]{5})` \\| `([^`]*)` \\|", Pattern.MULTILINE);

  private static byte[] documented() throws IOException {
    List<MatchResult> dumps = DUMP.matcher(text()).results().toList();
    assertThat(dumps).hasSize(1);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (String line : dumps.get(0).group(1).lines().toList()) {
      if (!line.equals("*")) {
        bytes.writeBytes(new byte[Integer.parseInt(line.substring(0, 5), 16) - bytes.size()]);
        bytes.writeBytes(HexFormat.of().parseHex(line.substring(7).replace(" ", "")));
      }
    }
    return bytes.toByteArray();
  }

  private static String text() throws IOException {
    return Files.readString(Path.of("..", "FORMAT.md"));
  }

  @Test
  void theCodeWritesTheExampleByteForByteAndReadsIt() throws IOException {
    try (CheckpointStore store = Stores.inMemory()) {
      try (CheckpointManager ckpt =
          CheckpointManager.in(store)
              .run("example")
              .format("hdf5")
              .part("model", new Tiny())
              .open()) {
        ckpt.resume();
        ckpt.save(Progress.step(2), Map.of()).join();
      }
      String id = "000001-000000000002-0";
      byte[] written =
          GoldenStoreTest.objects(store)
              .get("runs/example/data/" + id + "/rank-00000-of-00001.hdf5");
      assertThat(HexFormat.of().formatHex(documented()))
          .isEqualTo(HexFormat.of().formatHex(written));
      try (Checkpoints.Opened open = Checkpoints.read(store, "example").open(id)) {
        ByteBuffer read = ByteBuffer.allocate(8);
        open.view("model").read("w", 0, read);
        assertThat(read.array()).isEqualTo(Tiny.contents());
        assertThat(open.view("model").value("lr", Double.class)).isEqualTo(0.1);
      }
    }
  }

  @Test
  void theOffsetsThatTheTextNamesAreThose() throws IOException {
    byte[] shard = documented();
    List<MatchResult> rows = ROW.matcher(text()).results().toList();
    assertThat(rows).hasSizeGreaterThan(10);
    for (MatchResult row : rows) {
      byte[] bytes = HexFormat.of().parseHex(row.group(2).replace(" ", ""));
      int at = Integer.parseInt(row.group(1), 16);
      assertThat(Arrays.copyOfRange(shard, at, at + bytes.length)).as(row.group()).isEqualTo(bytes);
    }
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
}
