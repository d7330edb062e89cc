package dev.ckpt.spi;

import dev.ckpt.CheckpointException;
import dev.ckpt.TensorSpec;
import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.manifest.ShardDigest;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * How one worker's state is laid out in one file. A format turns tensors into a sequence of bytes
 * and back; checksums, durability and the choice of the medium belong to the core, so a format
 * never opens a file. Instances are stateless apart from caches, and thread-safe.
 *
 * <p>Transforms of bytes (compression, encryption) wrap {@link Output} and {@link Input}. The
 * contract is held by {@code ShardFormatContract} in {@code ckpt-testkit}.
 */
public interface ShardFormat {

  /** The name in configs and manifests, which is also the file extension: {@code arrow}. */
  String name();

  /**
   * Whether the format patches what it has written, so that the core gives it a seekable local
   * spool and uploads that afterwards.
   */
  default boolean needsSpool() {
    return false;
  }

  /**
   * Writes a whole shard. A format that keeps the checksums inside asks {@link Output#chunks()}
   * when the body is written and appends the table; what follows the call is the <em>tail</em>,
   * covered by {@link ShardDigest#tailCrc()}.
   *
   * @throws IOException as the output or the contents do; the caller gives the file up
   */
  void write(Contents contents, Output out) throws IOException;

  /**
   * Finds the checksums of a shard whose tail matches {@code expected}, without trusting a byte of
   * it before its CRC was compared.
   *
   * @throws CheckpointException.Corrupt if the length, the tail or the table is not as expected
   */
  ChunkTable chunks(Input raw, ShardDigest expected) throws IOException;

  /**
   * Opens a shard for reading.
   *
   * @param verified gives only bytes that match their checksum
   * @throws CheckpointException.Corrupt if it is no shard of this format
   * @throws CheckpointException.Incompatible if its version is newer than this reader
   */
  Reader reader(Input verified) throws IOException;

  /** What a shard holds, as the writer thread sees it. Not thread-safe. */
  interface Contents {

    /** Facts about the whole shard, the same at every save of a run: strings, small. */
    Map<String, String> header();

    /** The tensors in their order on disk; names are {@code <part>/<name>}, unique. */
    List<TensorSpec> tensors();

    /** The small values: one canonical JSON object {@code {part: {name: value}}}, UTF-8. */
    ByteBuffer values();

    /**
     * A read-only view of up to {@code max} bytes of a tensor; at least one byte. Valid until the
     * next call. Calls go forward: tensor by tensor, offset by offset, each byte once.
     *
     * @throws IOException if the save was given up meanwhile
     */
    ByteBuffer window(int tensor, long offset, int max) throws IOException;
  }

  /** Takes the bytes of a shard, counting and checksumming them on the way. */
  interface Output {

    /** Bytes written so far. */
    long position();

    /** Appends the remaining bytes of all sources, in order. */
    void write(ByteBuffer... sources) throws IOException;

    /** Ends the tiled part at the current position and returns its checksums. Called once. */
    ChunkTable chunks() throws IOException;
  }

  /** Random access to the bytes of a shard. Thread-safe. */
  interface Input {

    /** For messages: where the bytes come from. */
    String name();

    /** Size in bytes. */
    long length();

    /**
     * Fills {@code into} from {@code position} on.
     *
     * @throws CheckpointException.Corrupt if the file ends before, or a checksum does not match
     */
    void read(long position, ByteBuffer into) throws IOException;

    /** The same range as a read-only little-endian view, where that costs no copy. */
    default Optional<ByteBuffer> map(long position, long length) throws IOException {
      return Optional.empty();
    }
  }

  /** An open shard. Thread-safe. */
  interface Reader extends Closeable {

    Map<String, String> header();

    /** The tensors as captured: slices joined, in their order on disk. */
    List<TensorSpec> tensors();

    /** The small values as written: canonical JSON, UTF-8. */
    ByteBuffer values() throws IOException;

    /** Fills {@code into} with a tensor's bytes from {@code offset} on. */
    void read(int tensor, long offset, ByteBuffer into) throws IOException;

    /** The range {@code [start, end)} pairs of the file that hold this tensor's bytes. */
    long[] ranges(int tensor);

    @Override
    void close() throws IOException;
  }
}
