package dev.ckpt.internal.arrow;

import dev.ckpt.CheckpointException;
import dev.ckpt.internal.shard.Tail;
import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.SortedMap;
import org.apache.arrow.flatbuf.Footer;

/** Finds the footer, and in it the checksums. */
final class ShardFooter {

  static final int MAGIC_HEAD = 8;

  /** Length of the footer, and magic. */
  static final int END = Integer.BYTES + Layout.MAGIC.length;

  private ShardFooter() {}

  static ChunkTable chunks(ShardFormat.Input raw, ShardDigest expected) throws IOException {
    String file = raw.name();
    ByteBuffer tail =
        Tail.proved(
            raw, expected, "Arrow", "footer", MAGIC_HEAD, END + 1, most(expected.tailStart()));
    ByteBuffer footer = footer(file, tail);
    if (footer.remaining() != tail.limit() - END) {
      throw new CheckpointException.Corrupt(file + ": the footer is not where it was committed");
    }
    Metadata metadata = new Metadata(file, footer.remaining());
    SortedMap<String, String> entries =
        Metadata.guarded(
            file,
            () -> {
              Footer decoded = Footer.getRootAsFooter(footer);
              return metadata.keyValues(decoded.customMetadataLength(), decoded::customMetadata);
            });
    return Tail.requireCommitted(file, table(file, metadata, entries, expected), expected);
  }

  /** It repeats the schema that stands before the body, and has the checksums as text. */
  private static long most(long tailStart) {
    return (1 << 16)
        + 2 * Math.min(tailStart, Integer.MAX_VALUE)
        + 8 * ChunkTable.chunks(tailStart);
  }

  private static ChunkTable table(
      String file, Metadata metadata, SortedMap<String, String> entries, ShardDigest expected) {
    String chunkBytes = metadata.present(entries.get(Keys.CHUNK_BYTES), Keys.CHUNK_BYTES);
    Tail.requireChunkBytes(file, chunkBytes);
    String packed = metadata.present(entries.get(Keys.CRC32C), Keys.CRC32C);
    try {
      return ChunkTable.fromBase64(expected.tailStart(), packed);
    } catch (IllegalArgumentException e) {
      throw metadata.corrupt(String.valueOf(e.getMessage()));
    }
  }

  /** The footer of an Arrow file; {@code end} are the file's last bytes. */
  static ByteBuffer footer(String file, ByteBuffer end) {
    int length = length(file, end);
    int start = end.limit() - END - length;
    if (start < 0) {
      throw new CheckpointException.Corrupt(
          file + " is no Arrow file: its footer is said to have " + length + " bytes");
    }
    return end.slice(start, length).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** The footer's length as the file's last bytes say. */
  static int length(String file, ByteBuffer end) {
    int magicAt = end.limit() - Layout.MAGIC.length;
    requireMagic(file, end, magicAt, "end");
    int length = end.getInt(magicAt - Integer.BYTES);
    if (length <= 0) {
      throw new CheckpointException.Corrupt(
          file + " is no Arrow file: its footer is said to have " + length + " bytes");
    }
    return length;
  }

  static void requireMagic(String file, ByteBuffer bytes, int at, String where) {
    for (int i = 0; i < Layout.MAGIC.length; i++) {
      if (bytes.get(at + i) != Layout.MAGIC[i]) {
        throw new CheckpointException.Corrupt(
            file + " is no Arrow file: its " + where + " is not ARROW1");
      }
    }
  }
}
