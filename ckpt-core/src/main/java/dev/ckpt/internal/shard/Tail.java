package dev.ckpt.internal.shard;

import dev.ckpt.CheckpointException;
import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Locale;
import java.util.zip.CRC32C;

/** What formats that keep the checksums in the tail prove of it before they look into it. */
public final class Tail {

  /** A tail up to this size is read at once; a longer one only when its checksum is right. */
  private static final int AT_ONCE = 1 << 24;

  private Tail() {}

  /**
   * The tail of a file, proved, little-endian.
   *
   * @param format what such a file is, for messages: {@code Arrow}
   * @param what the tail is, for messages: {@code footer}
   * @param head the fewest bytes before the tail
   * @param least the fewest bytes of a tail
   * @param most the most bytes of a tail behind so many as there are
   * @throws CheckpointException.Corrupt if the length or the tail is not as committed
   */
  public static ByteBuffer proved(
      ShardFormat.Input raw,
      ShardDigest expected,
      String format,
      String what,
      int head,
      int least,
      long most)
      throws IOException {
    String file = raw.name();
    if (raw.length() != expected.length()) {
      throw new CheckpointException.Corrupt(
          file
              + " has "
              + raw.length()
              + " bytes, but "
              + expected.length()
              + " were committed: it was cut or replaced");
    }
    long bytes = expected.length() - expected.tailStart();
    if (expected.tailStart() < head || bytes < least || bytes > Math.min(most, Integer.MAX_VALUE)) {
      throw new CheckpointException.Corrupt(
          file + " cannot be an " + format + " shard of " + expected);
    }
    if (bytes > AT_ONCE) {
      ByteBuffer window = ByteBuffer.allocate(AT_ONCE);
      CRC32C crc = new CRC32C();
      for (long at = expected.tailStart(); at < expected.length(); at += window.limit()) {
        window.clear().limit((int) Math.min(AT_ONCE, expected.length() - at));
        raw.read(at, window);
        crc.update(window.flip());
      }
      require(file, what, expected, crc);
    }
    ByteBuffer tail = ByteBuffer.allocate((int) bytes).order(ByteOrder.LITTLE_ENDIAN);
    raw.read(expected.tailStart(), tail);
    tail.clear();
    CRC32C crc = new CRC32C();
    crc.update(tail.array());
    require(file, what, expected, crc);
    return tail;
  }

  private static void require(String file, String what, ShardDigest expected, CRC32C crc) {
    if ((int) crc.getValue() != expected.tailCrc()) {
      throw new CheckpointException.Corrupt(
          String.format(
              Locale.ROOT,
              "%s: the %s (bytes %d to %d) is corrupt: CRC32C is %08x, %08x was written",
              file,
              what,
              expected.tailStart(),
              expected.length(),
              (int) crc.getValue(),
              expected.tailCrc()));
    }
  }

  /**
   * @throws CheckpointException.Incompatible if the chunks are not of the size that this version
   *     reads
   */
  public static void requireChunkBytes(String file, String chunkBytes) {
    if (!chunkBytes.equals(Integer.toString(ChunkTable.CHUNK_BYTES))) {
      throw new CheckpointException.Incompatible(
          file
              + " has checksums of "
              + chunkBytes
              + " bytes each: use the version of ckpt that wrote it, or a newer one");
    }
  }

  /**
   * @throws CheckpointException.Corrupt if these are not the checksums that were committed
   */
  public static ChunkTable requireCommitted(String file, ChunkTable table, ShardDigest expected) {
    if (!table.digest().equals(expected.tableDigest())) {
      throw new CheckpointException.Corrupt(
          file + " is no shard: its checksums are not those that were committed");
    }
    return table;
  }
}
