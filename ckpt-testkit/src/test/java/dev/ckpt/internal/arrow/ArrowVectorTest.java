package dev.ckpt.internal.arrow;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.TensorSpec;
import dev.ckpt.shards.Shards;
import dev.ckpt.shards.TestContents;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.FixedSizeListVector;
import org.apache.arrow.vector.ipc.ArrowFileReader;
import org.apache.arrow.vector.ipc.SeekableReadChannel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Arrow's own Java reader finds what we wrote. Needs a JVM flag, so it runs on its own. */
class ArrowVectorTest {

  @TempDir Path folder;

  @Test
  void readsEveryKindOfTensor() throws Exception {
    check(new ArrowFormat(1000), 1000, Shards.kinds());
  }

  @Test
  void readsAModelLikeGpt2() throws Exception {
    check(new ArrowFormat(), Long.MAX_VALUE, Shards.gpt2(16));
  }

  private void check(ArrowFormat format, long maxColumnBytes, List<TensorSpec> specs)
      throws Exception {
    TestContents contents = Shards.contents(specs);
    Path file = folder.resolve("shard.arrow");
    Shards.write(format, contents, folder, "shard.arrow");
    try (BufferAllocator allocator = new RootAllocator();
        FileChannel channel = FileChannel.open(file);
        ArrowFileReader reader = new ArrowFileReader(new SeekableReadChannel(channel), allocator)) {
      VectorSchemaRoot root = reader.getVectorSchemaRoot();
      assertThat(root.getSchema().getCustomMetadata())
          .containsEntry("ckpt.format", "ckpt-arrow/1")
          .containsEntry("ckpt.run", "digits");
      assertThat(reader.getMetaData()).containsKeys("ckpt.crc32c", "ckpt.chunkBytes");
      assertThat(reader.loadNextBatch()).isTrue();
      assertThat(root.getRowCount()).isEqualTo(1);
      List<Column> columns = Columns.of(specs, maxColumnBytes);
      assertThat(root.getFieldVectors()).hasSize(columns.size() + 1);
      List<MessageDigest> digests = new ArrayList<>();
      for (int i = 0; i < specs.size(); i++) {
        digests.add(MessageDigest.getInstance("SHA-256"));
      }
      for (int i = 0; i < columns.size(); i++) {
        FixedSizeListVector list = (FixedSizeListVector) root.getVector(i);
        assertThat(list.getName())
            .startsWith(Keys.COLUMN_NAME.escape(specs.get(columns.get(i).tensor()).name()));
        ArrowBuf data = list.getDataVector().getDataBuffer();
        ByteBuffer bytes = data.nioBuffer(0, (int) columns.get(i).bytes());
        digests.get(columns.get(i).tensor()).update(bytes);
      }
      for (int i = 0; i < specs.size(); i++) {
        assertThat(HexFormat.of().formatHex(digests.get(i).digest()))
            .as(specs.get(i).name())
            .isEqualTo(Shards.sha256(contents, i));
      }
      VarCharVector values = (VarCharVector) root.getVector("ckpt.values");
      assertThat(values.getObject(0)).hasToString(Shards.VALUES);
      assertThat(reader.loadNextBatch()).isFalse();
    }
  }
}
