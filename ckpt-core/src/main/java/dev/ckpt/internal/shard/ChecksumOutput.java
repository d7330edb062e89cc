package dev.ckpt.internal.shard;

import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * Checksums every byte just before it goes to the sink. Pieces are at most {@link #STEP} long, so
 * that the sink's copy still finds them in the cache: checksum and write together then cost little
 * more than the write. What is longer is cut at multiples of it, where the kernel writes best. Used
 * by one thread; makes next to no garbage.
 */
public final class ChecksumOutput implements ShardFormat.Output {

  /** Fits any second-level cache with room to spare; a call of the sink per step is cheap. */
  private static final int STEP = 256 << 10;

  private final CheckpointStore.Sink sink;
  private final CRC32C crc = new CRC32C();
  private final ByteBuffer[] single = new ByteBuffer[1];
  private int[] crcs = new int[64];
  private int complete;
  private long position;
  private long tailStart = -1;
  private String tableDigest = "";

  /**
   * @param sink where the bytes go; completing or aborting it stays with the caller
   */
  public ChecksumOutput(CheckpointStore.Sink sink) {
    this.sink = sink;
  }

  @Override
  public long position() {
    return position;
  }

  @Override
  public void write(ByteBuffer... sources) throws IOException {
    long bytes = 0;
    for (ByteBuffer source : sources) {
      bytes += source.remaining();
    }
    if (bytes <= STEP) {
      for (ByteBuffer source : sources) {
        checksum(source);
      }
      sink.write(sources);
      return;
    }
    for (ByteBuffer source : sources) {
      int limit = source.limit();
      while (source.position() < limit) {
        int room = (int) (STEP - position % STEP);
        source.limit(source.position() + Math.min(room, limit - source.position()));
        checksum(source);
        single[0] = source;
        sink.write(single);
      }
    }
  }

  /** Takes the remaining bytes of {@code source} into the checksums and leaves it as it was. */
  private void checksum(ByteBuffer source) {
    int start = source.position();
    int limit = source.limit();
    if (tailStart >= 0) {
      crc.update(source);
      position += limit - start;
    } else {
      while (source.position() < limit) {
        int room = ChunkTable.CHUNK_BYTES - (int) (position % ChunkTable.CHUNK_BYTES);
        int piece = Math.min(room, limit - source.position());
        source.limit(source.position() + piece);
        crc.update(source);
        source.limit(limit);
        position += piece;
        if (piece == room) {
          endChunk();
        }
      }
    }
    source.position(start);
  }

  private void endChunk() {
    if (complete == crcs.length) {
      crcs = Arrays.copyOf(crcs, complete * 2);
    }
    crcs[complete++] = (int) crc.getValue();
    crc.reset();
  }

  @Override
  public ChunkTable chunks() {
    if (tailStart >= 0) {
      throw new IllegalStateException("the tiled part ended already at " + tailStart);
    }
    if (position % ChunkTable.CHUNK_BYTES != 0) {
      endChunk();
    }
    tailStart = position;
    ChunkTable table = new ChunkTable(position, Arrays.copyOf(crcs, complete));
    tableDigest = table.digest();
    return table;
  }

  /**
   * What proves every byte written so far. Of a format that never called {@link #chunks()}, the
   * tiled part is the whole file and there is no tail.
   */
  public ShardDigest digest() {
    if (tailStart < 0) {
      chunks();
    }
    return new ShardDigest(position, tailStart, (int) crc.getValue(), tableDigest);
  }
}
