package dev.ckpt.manifest;

import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * A shard file, as votes and manifests name it.
 *
 * @param rank the worker whose state it holds
 * @param key full key in the store; never derived by rule
 * @param format name of the shard format
 * @param digest what proves its bytes
 */
public record ShardEntry(int rank, String key, String format, ShardDigest digest) {

  ObjectNode toJson() {
    return Fields.object()
        .put("rank", rank)
        .put("key", key)
        .put("format", format)
        .put("length", digest.length())
        .put("tailStart", digest.tailStart())
        .put("tailCrc32c", Integer.toUnsignedLong(digest.tailCrc()))
        .put("chunkTableSha256", digest.tableDigest());
  }

  static ShardEntry fromJson(Fields fields) {
    long tailCrc = fields.integer("tailCrc32c");
    if (tailCrc != Integer.toUnsignedLong((int) tailCrc)) {
      throw new IllegalArgumentException("tailCrc32c " + tailCrc + " is no checksum");
    }
    return new ShardEntry(
        fields.small("rank"),
        fields.text("key"),
        fields.text("format"),
        new ShardDigest(
            fields.integer("length"),
            fields.integer("tailStart"),
            (int) tailCrc,
            fields.text("chunkTableSha256")));
  }
}
