package dev.ckpt.internal.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.DType;
import dev.ckpt.Shape;
import dev.ckpt.TensorSpec;
import dev.ckpt.shards.Shards;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a checksum cannot find: a file that somebody made so. Each malformation has its error. */
class ForgedShardTest {

  private static final List<TensorSpec> TENSORS =
      List.of(
          TensorSpec.of("m/first", DType.FLOAT32, Shape.of(2, 25)),
          TensorSpec.of("m/empty", DType.INT16, Shape.of(0)),
          TensorSpec.of("m/other", DType.FLOAT32, Shape.of(25, 2)),
          TensorSpec.of("m/large", DType.FLOAT32, Shape.of(3, 90)));

  @TempDir Path folder;
  private byte[] bytes = new byte[0];

  @BeforeEach
  void write() throws Exception {
    Shards.write(new ArrowFormat(600), Shards.contents(TENSORS), folder, "shard");
    bytes = Files.readAllBytes(folder.resolve("shard"));
    assertThat(open().tensors()).isEqualTo(TENSORS);
  }

  @ParameterizedTest
  @CsvSource({
    "m/first, m/other, two tensors named m/other",
    "m/first, m/empty, two tensors named m/empty",
    "m/first, m/fir#t, is not flat",
    "m/first, m/fi%zz, no escaped name",
    "m/large#1, m/large#x, no number",
    "m/large#1, m/large#2, does not follow",
    "m/large#1, m/larg_#1, does not follow",
    "m/large#0, m/large#1, does not follow",
    "arrow.fixed_shape_tensor, arrow.fixed_shape_tensoX, is no arrow.fixed_shape_tensor",
    "'{\"shape\":[2,25]}', '{\"shape\":[2,26]}', its shape is",
    "'{\"shape\":[2,25]}', '{\"shape\":[-,25]}', no number",
    "'{\"shape\":[2,25]}', '{\"sharp\":[2,25]}', no extension metadata",
    "'[3,90]', '[3,91]', its columns have 270",
    "float32, int32__, unknown dtype",
    "float32, float64, does not hold float64",
    "ckpt.dtype, ckpt.dtypo, ckpt.dtype is missing",
    "ckpt.values, ckpt.valueX, last column is not",
    "'\"index\":1', '\"index\":9', not in their order",
    "'\"ckpt.shape\":\"[0]\"', '\"ckpt.shape\":\"[1]\"', is said to be empty",
    "'\"[0]\"}]', '\"[0]\"]]', damaged JSON",
    "ckpt-arrow/1, other-arrow1, no shard of a checkpoint",
    "ckpt-arrow/1, ckpt-arrow/0, never existed",
    "ckpt-arrow/1, ckpt-arrow/x, no number",
  })
  void aForgedWordIsRefused(String from, String to, String problem) throws IOException {
    forge(from, to);
    assertThatThrownBy(this::open)
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining("shard")
        .satisfies(
            e ->
                assertThat(e.getMessage() + (e.getCause() == null ? "" : e.getCause().getMessage()))
                    .contains(problem));
  }

  @Test
  void aNewerVersionAndAnUnknownFeatureAreIncompatible() throws IOException {
    forge("ckpt-arrow/1", "ckpt-arrow/2");
    assertThatThrownBy(this::open)
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("version 2");
    forge("ckpt-arrow/2", "ckpt-arrow/1");
    forge("\2\0\0\0[]\0\0", "\3\0\0\0[1]\0");
    assertThatThrownBy(this::open)
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("needs the features [1]");
  }

  @Test
  void aNewerMinorVersionIsRead() throws IOException {
    forge("\14\0\0\0ckpt-arrow/1\0\0\0", "\16\0\0\0ckpt-arrow/1.7\0");
    assertThat(open().tensors()).isEqualTo(TENSORS);
  }

  @ParameterizedTest
  @CsvSource({
    // m/first lies at 0 and m/other at 256, 200 bytes each
    "256, 200, 0, 200, overlapping",
    "256, 200, 192, 200, overlapping in part",
    "256, 200, 320, 200, with a hole before it",
    "256, 200, 257, 200, not aligned",
    "256, 200, 256, 201, too long",
    "256, 200, 256, 199, too short",
    "256, 200, 256, -200, negative",
    "256, 200, -256, 200, before the body",
    "256, 200, 9223372036854775744, 200, overflowing",
    "256, 200, 256, 9223372036854775807, overflowing",
    "50, 0, 51, 0, a node too long",
    "50, 0, 50, 1, a null",
    "1, 0, 2, 0, two rows",
  })
  void aForgedPlaceIsRefused(long from, long bytesBefore, long to, long bytesAfter, String how)
      throws IOException {
    forge(longs(from, bytesBefore), longs(to, bytesAfter));
    assertThatThrownBy(this::open, how)
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining("record batch");
  }

  @Test
  void anotherShardsFooterIsRefused() throws Exception {
    List<TensorSpec> longer = List.of(TensorSpec.of("m/first", DType.FLOAT32, Shape.of(1 << 20)));
    Shards.write(new ArrowFormat(), Shards.contents(longer), folder, "longer");
    byte[] other = Files.readAllBytes(folder.resolve("longer"));
    int footer = ByteBuffer.wrap(other).order(ByteOrder.LITTLE_ENDIAN).getInt(other.length - 10);
    ByteBuffer joined = ByteBuffer.allocate(bytes.length + footer + 10);
    joined.put(bytes).put(other, other.length - footer - 10, footer + 10);
    bytes = joined.array();
    assertThatThrownBy(this::open)
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining("record batch is said to have");
  }

  private ShardFormat.Reader open() throws IOException {
    return new ArrowFormat().reader(Shards.input(bytes));
  }

  private static String longs(long... values) {
    ByteBuffer buffer = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    buffer.asLongBuffer().put(values);
    return new String(buffer.array(), StandardCharsets.ISO_8859_1);
  }

  /** Replaces all occurrences by something as long. */
  private void forge(String from, String to) {
    assertThat(to).hasSameSizeAs(from);
    String latin = new String(bytes, StandardCharsets.ISO_8859_1);
    assertThat(latin).contains(from);
    bytes = latin.replace(from, to).getBytes(StandardCharsets.ISO_8859_1);
  }
}
