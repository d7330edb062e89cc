package dev.ckpt.manifest;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.HexFormat;

/**
 * CRC32C checksums of consecutive chunks that tile the first {@code length} bytes of a file; the
 * last chunk is the shorter rest. Packed as little-endian 32-bit values. CRC32C is RFC 3720's
 * (Castagnoli).
 */
public final class ChunkTable {

  /** The size of a chunk in format version 1. */
  public static final int CHUNK_BYTES = 1 << 20;

  private final long length;
  private final int[] crcs;

  /**
   * @throws IllegalArgumentException if the number of checksums does not fit the length
   */
  public ChunkTable(long length, int[] crcs) {
    if (length < 0 || crcs.length != chunks(length)) {
      throw new IllegalArgumentException(crcs.length + " checksums for " + length + " bytes");
    }
    this.length = length;
    this.crcs = crcs.clone();
  }

  /** How many chunks tile that many bytes. */
  public static long chunks(long length) {
    return length / CHUNK_BYTES + (length % CHUNK_BYTES == 0 ? 0 : 1);
  }

  /** How many bytes are tiled. */
  public long length() {
    return length;
  }

  /** Number of chunks. */
  public int size() {
    return crcs.length;
  }

  /** The checksum of one chunk. */
  public int crc(int chunk) {
    return crcs[chunk];
  }

  /** The packed table in Base64, as Arrow's metadata wants it. */
  public String base64() {
    return Base64.getEncoder().encodeToString(packed());
  }

  /**
   * Reads the packed table.
   *
   * @throws IllegalArgumentException if it is no Base64, or does not fit the length
   */
  public static ChunkTable fromBase64(long length, String base64) {
    byte[] packed = Base64.getDecoder().decode(base64);
    if (packed.length % 4 != 0) {
      throw new IllegalArgumentException("a chunk table of " + packed.length + " bytes");
    }
    int[] crcs = new int[packed.length / 4];
    ByteBuffer.wrap(packed).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(crcs);
    return new ChunkTable(length, crcs);
  }

  /** SHA-256 of the packed table, 64 lower-case hex digits. */
  public String digest() {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(packed()));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has SHA-256", e);
    }
  }

  private byte[] packed() {
    ByteBuffer packed = ByteBuffer.allocate(crcs.length * 4).order(ByteOrder.LITTLE_ENDIAN);
    packed.asIntBuffer().put(crcs);
    return packed.array();
  }
}
