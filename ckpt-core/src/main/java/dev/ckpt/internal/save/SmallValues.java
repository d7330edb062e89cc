package dev.ckpt.internal.save;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.List;
import java.util.Map;

/** Copies the few types that a value may have; anything else is refused, never serialized. */
final class SmallValues {
  private SmallValues() {}

  static JsonNode toJson(String name, Object value) {
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
