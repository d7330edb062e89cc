package dev.ckpt.manifest;

import com.fasterxml.jackson.databind.JsonNode;
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

  static ShardEntry fromJson(String name, JsonNode node) {
    Fields fields = new Fields(name, node);
    return new ShardEntry(
        fields.small("rank"),
        fields.text("key"),
        fields.text("format"),
        new ShardDigest(
            fields.integer("length"),
            fields.integer("tailStart"),
            (int) fields.integer("tailCrc32c"),
            fields.text("chunkTableSha256")));
  }
}
