package dev.ckpt.internal.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.TensorSpec;
import dev.ckpt.shards.Python;
import dev.ckpt.shards.Shards;
import dev.ckpt.shards.TestContents;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** pyarrow maps our shards with nothing allocated, aligned and bit-equal; polars reads them. */
class PythonReadersTest {

  @TempDir Path folder;

  @Test
  void readEveryKindOfTensor() throws Exception {
    check("kinds", new ArrowFormat(1000), 1000, Shards.kinds(), 1);
  }

  @Test
  void readAModelLikeGpt2() throws Exception {
    List<TensorSpec> specs = Shards.gpt2(16);
    assertThat(specs).hasSize(148);
    check("gpt2", new ArrowFormat(), Long.MAX_VALUE, specs, 1);
  }

  @Test
  void readTenThousandTensors() throws Exception {
    check("10,000 small tensors", new ArrowFormat(), Long.MAX_VALUE, Shards.small(10_000), 1);
  }

  @Test
  void readAHundredThousandTensors() throws Exception {
    check("100,000 small tensors", new ArrowFormat(), Long.MAX_VALUE, Shards.small(100_000), 100);
  }

  @Test
  void noticeAFlippedBitInATensor() throws Exception {
    TestContents contents = Shards.contents(Shards.gpt2(64));
    Path file = folder.resolve("shard.arrow");
    Shards.write(new ArrowFormat(), contents, folder, "shard.arrow");
    Path expected = expected(contents, 148, 1);
    byte[] bytes = Files.readAllBytes(file);
    // the middle of the file lies in the body
    bytes[bytes.length / 2] ^= 1;
    Files.write(file, bytes);
    assertThatThrownBy(() -> Python.run("check_shard.py", file, expected))
        .hasMessageContaining(" differs");
  }

  private void check(
      String what, ArrowFormat format, long maxColumnBytes, List<TensorSpec> specs, int step)
      throws Exception {
    TestContents contents = Shards.contents(specs);
    Path file = folder.resolve("shard.arrow");
    Shards.write(format, contents, folder, "shard.arrow");
    int columns = Columns.of(specs, maxColumnBytes).size();
    Path expected = expected(contents, columns, step);
    String printed = Python.run("check_shard.py", file, expected);
    System.out.printf("%s, %,d bytes: %s%n", what, Files.size(file), printed);
    assertThat(printed).contains(" tensors compared and equal", ", 0 bytes allocated");
  }

  private Path expected(TestContents contents, int columns, int step) throws Exception {
    return Shards.expected(
        contents,
        step,
        folder.resolve("expected.json"),
        root -> root.put("columns", columns),
        (tensor, spec) -> tensor.put("column", Keys.COLUMN_NAME.escape(spec.name())));
  }
}
