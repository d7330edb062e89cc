package dev.ckpt.manifest;

/**
 * What a vote and a manifest know of a shard file, enough to prove every byte of it.
 *
 * @param length size of the file in bytes
 * @param tailStart where the tiled part ends and the tail begins; equal to {@code length} if there
 *     is no tail
 * @param tailCrc CRC32C of the tail
 * @param tableDigest SHA-256 of the packed chunk table, 64 lower-case hex digits
 */
public record ShardDigest(long length, long tailStart, int tailCrc, String tableDigest) {}
