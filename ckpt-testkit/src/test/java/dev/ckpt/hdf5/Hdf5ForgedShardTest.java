package dev.ckpt.hdf5;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.DType;
import dev.ckpt.Placement;
import dev.ckpt.Shape;
import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.ChecksumOutput;
import dev.ckpt.internal.shard.VerifiedInput;
import dev.ckpt.shards.Shards;
import dev.ckpt.shards.TestContents;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a checksum cannot find: a file that somebody made so. Each malformation has its error. */
class Hdf5ForgedShardTest {

  private static final List<TensorSpec> TENSORS =
      List.of(
          TensorSpec.of("m/first", DType.FLOAT32, Shape.of(2, 25)),
          TensorSpec.of("m/empty", DType.INT16, Shape.of(0)),
          TensorSpec.of("m/other", DType.FLOAT32, Shape.of(25, 2)),
          new TensorSpec(
              "n/part",
              DType.INT64,
              Shape.of(3, 5),
              new Placement.Slice(Shape.of(6, 5), Shape.of(3, 0))));

  @TempDir Path folder;
  private byte[] bytes = new byte[0];

  @BeforeEach
  void write() throws Exception {
    Shards.write(new Hdf5Format(), Shards.contents(TENSORS), folder, "shard");
    bytes = Files.readAllBytes(folder.resolve("shard"));
    assertThat(open().tensors()).isEqualTo(TENSORS);
  }

  @ParameterizedTest
  @CsvSource({
    "first, other, not in their order",
    "first, aaaaa, not in their order",
    "first, fi%zz, no escaped name",
    "first, fi#st, no escaped name",
    "empty, .mpty, no escaped name",
    "first~~~, firstxxx, a name is not in its heap",
    "float32~, float64~, is said to be of another type",
    "ckpt.dtype, ckpt.dtypo, ckpt.dtype is missing",
    "ckpt.index, ckpt.indox, ckpt.index is missing",
    "ckpt.index, ckpt.dtype, is there twice",
    "ckpt.body~, ckpt.bodi~, ckpt.body is missing",
    "ckpt.global, ckpt.glabel, ckpt.global is missing",
    "slice~, slick~, unknown placement",
    "#values, #valuez, no escaped name",
    "#checksums, #checksumz, no escaped name",
    "SNOD, SNOT, a group without names",
    "HEAP, HEAQ, not that of its names",
    "TREE, TREA, not that of its names",
    "ckpt-hdf5/1, other-hdf51, no shard of a checkpoint",
    "ckpt-hdf5/1, ckpt-hdf5/0, never existed",
    "ckpt-hdf5/1, ckpt-hdf5/x, no number",
    "[], {}, is no list",
  })
  void aForgedWordIsRefused(String from, String to, String problem) {
    forge(from.replace('~', '\0'), to.replace('~', '\0'));
    assertRefused(problem);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 200, 256, 200, overlapping the other",
    "0, 200, 64, 200, with a hole before it",
    "0, 200, 1, 200, not aligned",
    "0, 200, 0, 201, too long",
    "0, 200, 0, 199, too short",
    "0, 200, 0, -200, negative",
    "0, 200, -64, 200, in the metadata",
    "0, 200, 9223372036854770000, 200, overflowing",
    "0, 200, 0, 9223372036854775807, overflowing",
    "256, 200, 0, 200, overlapping the first",
    "512, 120, 576, 120, with a hole before it",
  })
  void aForgedPlaceIsRefused(long from, long bytesBefore, long to, long bytesAfter, String how)
      throws IOException {
    long body = open().ranges(0)[0];
    forge(longs(body + from, bytesBefore), longs(body + to, bytesAfter));
    assertThatThrownBy(this::open, how)
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining("a dataset lies at");
  }

  @ParameterizedTest
  @CsvSource({
    "2, 25, 2, 26, a dataset lies at",
    "2, 25, 25, 2, ''",
    "2, 25, -2, -25, negative dimension",
    "2, 25, 4294967296, 4294967296, more than 2^63 elements",
    "2, 25, 0, 25, a dataset lies at",
  })
  void aForgedShapeIsRefusedUnlessItIsOneOfAsManyBytes(
      long from0, long from1, long to0, long to1, String problem) throws IOException {
    forge(longs(from0, from1), longs(to0, to1));
    if (problem.isEmpty()) {
      // another shape of as many bytes: nothing tells but the checksum
      assertThat(open().tensors().get(0).shape()).isEqualTo(Shape.of(to0, to1));
    } else {
      assertRefused(problem);
    }
  }

  @Test
  void headersThatAreNotWhereTheOneBeforeEndedAreRefused() throws IOException {
    // the entry of the first tensor's name, in the order of the names: empty, first, other
    int first = latin().indexOf("SNOD", latin().indexOf("SNOD") + 4) + 8 + 40 + 8;
    long at = little().getLong(first);
    for (long forged : new long[] {at + 8, 96, 0, -1, Long.MAX_VALUE, bytes.length}) {
      little().putLong(first, forged);
      assertThatThrownBy(this::open, "%s", forged).isInstanceOf(CheckpointException.Corrupt.class);
    }
    little().putLong(first, at);
    assertThat(open().tensors()).isEqualTo(TENSORS);
  }

  @Test
  void everyByteOfTheSuperblockIsCompared() {
    for (int at = 0; at < Superblock.BYTES; at++) {
      bytes[at] ^= 1;
      assertThatThrownBy(this::open, "byte %s", at).isInstanceOf(CheckpointException.Corrupt.class);
      bytes[at] ^= 1;
    }
  }

  /** Also what only fills up: there is one file for what it describes. */
  @Test
  void noByteOfTheMetadataIsPassedOver() throws IOException {
    long body = open().ranges(0)[0];
    Map<String, String> header = open().header();
    for (int at = 0; at < body; at++) {
      for (int mask : new int[] {0x01, 0x55, 0x80}) {
        bytes[at] ^= (byte) mask;
        try {
          ShardFormat.Reader reader = open();
          assertThat(reader.tensors().equals(TENSORS) && reader.header().equals(header))
              .as("the same is read with byte %s xor %s", at, mask)
              .isFalse();
        } catch (CheckpointException.Corrupt | CheckpointException.Incompatible refused) {
          assertThat(refused).hasMessageContaining("shard");
        }
        bytes[at] ^= (byte) mask;
      }
    }
  }

  @Test
  void messagesInAnotherOrderAreRefused() {
    // fill value and layout of the first tensor, which stand one behind the other
    String fill = "\5\0\10\0\0\0\0\0\2\2\2\0\0\0\0\0";
    int at = latin().indexOf(fill);
    byte[] layout = java.util.Arrays.copyOfRange(bytes, at + 16, at + 48);
    System.arraycopy(bytes, at, bytes, at + 32, 16);
    System.arraycopy(layout, 0, bytes, at, 32);
    assertRefused("not in their order");
  }

  @Test
  void aNewerVersionAndAnUnknownFeatureAreIncompatible() {
    forge("ckpt-hdf5/1", "ckpt-hdf5/2");
    assertThatThrownBy(this::open)
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("version 2");
    forge("ckpt-hdf5/2", "ckpt-hdf5/1");
    // a text of 3 bytes becomes one of 4 in the same place
    forge("\23\20\0\0\3\0\0\0\1\0\0\0\0\0\0\0[]\0\0", "\23\20\0\0\4\0\0\0\1\0\0\0\0\0\0\0[1]\0");
    assertThatThrownBy(this::open)
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("needs the features [1]");
  }

  @Test
  void aNewerVersionIsIncompatibleThoughItsHeadersHoldUnknownMessages() {
    forge("ckpt-hdf5/1", "ckpt-hdf5/2");
    // the root group's first message is that of its index
    int type = Superblock.BYTES + HeaderEncoder.PREFIX_BYTES;
    assertThat(bytes[type]).isEqualTo((byte) HeaderEncoder.SYMBOL_TABLE);
    bytes[type] = 2;
    assertThatThrownBy(this::open).isInstanceOf(CheckpointException.Incompatible.class);
    forge("ckpt-hdf5/2", "ckpt-hdf5/1");
    assertRefused("message 2 in an object header");
  }

  @Test
  void aNewerMinorVersionIsReadAndItsAttributesArePassedOver() throws IOException {
    forge(
        "\23\20\0\0\14\0\0\0\1\0\0\0\0\0\0\0ckpt-hdf5/1\0\0\0",
        "\23\20\0\0\16\0\0\0\1\0\0\0\0\0\0\0ckpt-hdf5/1.7\0");
    // of what belongs to others
    forge("ckpt.run", "asdf.run");
    forge("ckpt.placement", "else.placement");
    assertThat(open().header()).isEqualTo(Map.of("id", "000001-0042-0"));
    assertThat(open().tensors().get(3))
        .isEqualTo(TensorSpec.of("n/part", DType.INT64, Shape.of(3, 5)));
  }

  @Test
  void checksumsOfAnotherSizeAreIncompatible() throws IOException {
    Kept kept = new Kept();
    ChecksumOutput out = new ChecksumOutput(kept);
    new Hdf5Format().write(Shards.contents(TENSORS), tailOf(out, 1 << 21));
    ShardFormat.Input raw = Shards.input(kept.bytes());
    assertThatThrownBy(() -> new Hdf5Format().chunks(raw, out.digest()))
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("checksums of 2097152 bytes each");
  }

  /** Whole to its last byte, so that a look must not call it damaged. */
  @Test
  void aWholeShardOfANewerVersionIsIncompatible() throws IOException {
    forge("ckpt-hdf5/1", "ckpt-hdf5/2");
    Kept kept = new Kept();
    ChecksumOutput out = new ChecksumOutput(kept);
    int tail = bytes.length - 8;
    out.write(ByteBuffer.wrap(bytes, 0, tail));
    out.write(Checksums.encode(out.chunks()));
    ShardFormat.Input raw = Shards.input(kept.bytes());
    ShardFormat format = new Hdf5Format();
    VerifiedInput verified = new VerifiedInput(raw, format.chunks(raw, out.digest()), out.digest());
    verified.verifyAll(1);
    assertThatThrownBy(() -> format.reader(verified))
        .isInstanceOf(CheckpointException.Incompatible.class);
  }

  @Test
  void whatHdf5CannotDescribeIsRefused() {
    long[] most = new long[33];
    java.util.Arrays.fill(most, 1);
    for (Map.Entry<TensorSpec, String> each :
        Map.of(
                TensorSpec.of("m/x", DType.INT8, Shape.of(most)), "more than the 32 dimensions",
                TensorSpec.of("x", DType.INT8, Shape.of(1)), "is not <part>/<name>",
                TensorSpec.of("m/" + "x".repeat(1 << 17), DType.INT8, Shape.of(1)), "64 KiB")
            .entrySet()) {
      assertThatThrownBy(
              () ->
                  new Hdf5Format()
                      .write(
                          Shards.contents(List.of(each.getKey())), new ChecksumOutput(new Kept())))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(each.getValue());
    }
  }

  @Test
  void moreFactsThanAHeaderCountsAreRefused() {
    Map<String, String> facts = new java.util.HashMap<>();
    for (int i = 0; i < 70_000; i++) {
      facts.put("fact" + i, "");
    }
    assertThatThrownBy(
            () ->
                new Hdf5Format()
                    .write(new TestContents(facts, TENSORS, "{}"), new ChecksumOutput(new Kept())))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("70004 messages");
  }

  private void assertRefused(String problem) {
    assertThatThrownBy(this::open)
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining("shard")
        .hasMessageContaining(problem);
  }

  private ShardFormat.Reader open() throws IOException {
    return new Hdf5Format().reader(Shards.input(bytes));
  }

  private ByteBuffer little() {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private String latin() {
    return new String(bytes, StandardCharsets.ISO_8859_1);
  }

  private static String longs(long... values) {
    ByteBuffer buffer = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    buffer.asLongBuffer().put(values);
    return new String(buffer.array(), StandardCharsets.ISO_8859_1);
  }

  /** Replaces all occurrences by something as long. */
  private void forge(String from, String to) {
    assertThat(to).hasSameSizeAs(from);
    assertThat(latin()).contains(from);
    bytes = latin().replace(from, to).getBytes(StandardCharsets.ISO_8859_1);
  }

  /** The same output, whose tail says another size of the chunks. */
  private static ShardFormat.Output tailOf(ChecksumOutput out, int chunkBytes) {
    return new ShardFormat.Output() {
      private boolean tail;

      @Override
      public long position() {
        return out.position();
      }

      @Override
      public void write(ByteBuffer... sources) throws IOException {
        if (tail) {
          byte[] copy = new byte[sources[0].remaining()];
          sources[0].get(copy);
          ByteBuffer changed = ByteBuffer.wrap(copy).order(ByteOrder.LITTLE_ENDIAN);
          out.write(changed.putInt(0, chunkBytes));
        } else {
          out.write(sources);
        }
      }

      @Override
      public dev.ckpt.manifest.ChunkTable chunks() {
        tail = true;
        return out.chunks();
      }
    };
  }

  private static final class Kept implements CheckpointStore.Sink {
    private final java.io.ByteArrayOutputStream kept = new java.io.ByteArrayOutputStream();

    byte[] bytes() {
      return kept.toByteArray();
    }

    @Override
    public void write(ByteBuffer... sources) {
      for (ByteBuffer source : sources) {
        byte[] copy = new byte[source.remaining()];
        source.get(copy);
        kept.writeBytes(copy);
      }
    }

    @Override
    public void complete() {}

    @Override
    public void abort() {}

    @Override
    public void close() {}
  }
}
