package dev.ckpt.manifest;

import java.util.regex.Pattern;

/**
 * What a vote and a manifest know of a shard file, enough to prove every byte of it.
 *
 * @param length size of the file in bytes
 * @param tailStart where the tiled part ends and the tail begins; equal to {@code length} if there
 *     is no tail
 * @param tailCrc CRC32C of the tail
 * @param tableDigest SHA-256 of the packed chunk table, 64 lower-case hex digits
 */
public record ShardDigest(long length, long tailStart, int tailCrc, String tableDigest) {

  private static final Pattern SHA_256 = Pattern.compile("[0-9a-f]{64}");

  /**
   * @throws IllegalArgumentException unless {@code 0 <= tailStart <= length} and the table's digest
   *     is one
   */
  public ShardDigest {
    if (tailStart < 0 || tailStart > length) {
      throw new IllegalArgumentException(
          "a tail that starts at " + tailStart + " of " + length + " bytes");
    }
    if (!SHA_256.matcher(tableDigest).matches()) {
      throw new IllegalArgumentException("no SHA-256 in lower-case hex: '" + tableDigest + "'");
    }
  }
}
