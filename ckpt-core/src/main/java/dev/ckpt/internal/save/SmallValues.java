package dev.ckpt.internal.save;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.ckpt.internal.json.CanonicalJson;
import dev.ckpt.internal.shard.ShardValues;
import java.util.List;
import java.util.Map;

/**
 * The small values of one state, by part, and the names of what it stored as opaque bytes. The few
 * types that a value may have are copied; anything else is refused, never serialized.
 */
final class SmallValues {
  private static final int MOST_BYTES = 1 << 20;

  private final ObjectNode all = JsonNodeFactory.instance.objectNode();

  void put(String part, String name, Object value) {
    JsonNode copy = toJson(part + "/" + name, value);
    ObjectNode own = all.get(part) instanceof ObjectNode there ? there : all.putObject(part);
    own.set(name, copy);
  }

  void markBytes(String column) {
    ArrayNode list =
        all.get(ShardValues.OPAQUE) instanceof ArrayNode there
            ? there
            : all.putArray(ShardValues.OPAQUE);
    list.add(column);
  }

  /**
   * All of them as the one text of a shard.
   *
   * @throws IllegalArgumentException if that is too long
   */
  byte[] encode() {
    byte[] json = CanonicalJson.encode(all);
    if (json.length > MOST_BYTES) {
      throw new IllegalArgumentException(
          "values of " + json.length + " bytes: store what is large as bytes or tensors");
    }
    return json;
  }

  private static JsonNode toJson(String name, Object value) {
    if (value instanceof String text) {
      return TextNode.valueOf(text);
    } else if (value instanceof Boolean flag) {
      return BooleanNode.valueOf(flag);
    } else if (value instanceof Integer number) {
      return LongNode.valueOf(number);
    } else if (value instanceof Long number) {
      return LongNode.valueOf(number);
    } else if (value instanceof Double number) {
      return DoubleNode.valueOf(number);
    } else if (value instanceof List<?> list) {
      ArrayNode array = JsonNodeFactory.instance.arrayNode(list.size());
      for (int i = 0; i < list.size(); i++) {
        array.add(toJson(name + "[" + i + "]", list.get(i)));
      }
      return array;
    } else if (value instanceof Map<?, ?> map) {
      ObjectNode object = JsonNodeFactory.instance.objectNode();
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        if (!(entry.getKey() instanceof String key)) {
          throw new IllegalArgumentException(name + ": a map key that is no string");
        }
        object.set(key, toJson(name + "." + key, entry.getValue()));
      }
      return object;
    }
    throw new IllegalArgumentException(
        name
            + " is a "
            + (value == null ? "null" : value.getClass().getName())
            + ": values are String, Boolean, Integer, Long, Double, List or Map of those");
  }
}
