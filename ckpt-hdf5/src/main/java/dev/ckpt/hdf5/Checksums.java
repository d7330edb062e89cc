package dev.ckpt.hdf5;

import dev.ckpt.CheckpointException;
import dev.ckpt.internal.shard.Tail;
import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The tail: the size of a chunk, then the checksum of each, as numbers of 32 bits. */
final class Checksums {

  /** No version will have smaller chunks: what has more checksums is no shard. */
  private static final long LEAST_CHUNK = 1 << 12;

  private Checksums() {}

  static ByteBuffer encode(ChunkTable table) {
    ByteBuffer numbers =
        ByteBuffer.allocate(Math.multiplyExact(1 + table.size(), Integer.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    numbers.putInt(ChunkTable.CHUNK_BYTES);
    for (int i = 0; i < table.size(); i++) {
      numbers.putInt(table.crc(i));
    }
    return numbers.flip();
  }

  /** Finds the checksums without trusting a byte before it was compared. */
  static ChunkTable read(ShardFormat.Input raw, ShardDigest expected) throws IOException {
    ByteBuffer tail =
        Tail.proved(
            raw,
            expected,
            "HDF5",
            "checksum table",
            Superblock.BYTES,
            Integer.BYTES,
            Integer.BYTES * (2 + expected.tailStart() / LEAST_CHUNK));
    Tail.requireChunkBytes(raw.name(), Integer.toUnsignedString(tail.getInt()));
    if (tail.remaining() % Integer.BYTES != 0) {
      throw new CheckpointException.Corrupt(
          raw.name() + " is no shard: its checksums have " + tail.remaining() + " bytes");
    }
    int[] crcs = new int[tail.remaining() / Integer.BYTES];
    tail.asIntBuffer().get(crcs);
    try {
      return Tail.requireCommitted(
          raw.name(), new ChunkTable(expected.tailStart(), crcs), expected);
    } catch (IllegalArgumentException e) {
      throw new CheckpointException.Corrupt(raw.name() + " is no shard: " + e.getMessage(), e);
    }
  }
}
