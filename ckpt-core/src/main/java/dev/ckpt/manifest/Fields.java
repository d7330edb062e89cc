package dev.ckpt.manifest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.CheckpointException;
import dev.ckpt.Progress;
import dev.ckpt.internal.json.CanonicalJson;
import dev.ckpt.internal.json.Envelope;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;

/** Reads the fields of a record whose digest was checked: what is wrong now was written wrong. */
final class Fields {
  private final String name;
  private final JsonNode node;

  Fields(String name, JsonNode node) {
    this.name = name;
    this.node = node;
  }

  /**
   * Reads a record. A sealed record whose values no writer of ours gives is as useless as a damaged
   * one, and is told as one.
   */
  static <T> T read(String kind, String name, byte[] bytes, Function<Fields, T> record) {
    Fields fields = new Fields(name, Envelope.open(kind, bytes, name));
    try {
      return record.apply(fields);
    } catch (IllegalArgumentException e) {
      throw new CheckpointException.Corrupt(name + ": " + e.getMessage(), e);
    }
  }

  static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }

  String text(String field) {
    JsonNode value = need(field);
    if (!value.isTextual()) {
      throw wrong(field, "a string");
    }
    return value.textValue();
  }

  long integer(String field) {
    JsonNode value = need(field);
    if (!value.isIntegralNumber() || !value.canConvertToLong()) {
      throw wrong(field, "a whole number");
    }
    return value.longValue();
  }

  int small(String field) {
    long value = integer(field);
    if (value != (int) value) {
      throw wrong(field, "a 32-bit number");
    }
    return (int) value;
  }

  boolean flag(String field) {
    JsonNode value = need(field);
    if (!value.isBoolean()) {
      throw wrong(field, "true or false");
    }
    return value.booleanValue();
  }

  Instant instant(String field) {
    try {
      return instantOf(text(field));
    } catch (DateTimeException e) {
      throw new CheckpointException.Corrupt(name + ": field '" + field + "' is no time", e);
    }
  }

  /** {@link Instant#parse}, without its machinery for the form that records have. */
  private static Instant instantOf(String text) {
    int length = text.length();
    if (length != 20 && length != 24 && length != 27 && length != 30) {
      return Instant.parse(text);
    }
    String form = "0000-00-00T00:00:00";
    long[] numbers = new long[7];
    int number = 0;
    for (int i = 0; i < length - 1; i++) {
      char c = text.charAt(i);
      char expected = i < form.length() ? form.charAt(i) : i == form.length() ? '.' : '0';
      if (expected != '0' && c == expected) {
        number++;
      } else if (expected == '0' && c >= '0' && c <= '9') {
        numbers[number] = numbers[number] * 10 + (c - '0');
      } else {
        return Instant.parse(text);
      }
    }
    if (text.charAt(length - 1) != 'Z' || numbers[3] > 23 || numbers[4] > 59 || numbers[5] > 59) {
      return Instant.parse(text);
    }
    long nanos = numbers[6];
    for (int digits = length - form.length() - 2; digits > 0 && digits < 9; digits++) {
      nanos *= 10;
    }
    long days = LocalDate.of((int) numbers[0], (int) numbers[1], (int) numbers[2]).toEpochDay();
    long seconds = ((days * 24 + numbers[3]) * 60 + numbers[4]) * 60 + numbers[5];
    return Instant.ofEpochSecond(seconds, nanos);
  }

  List<String> strings(String field) {
    List<String> all = new ArrayList<>();
    for (JsonNode each : list(field)) {
      if (!each.isTextual()) {
        throw wrong(field, "a list of strings");
      }
      all.add(each.textValue());
    }
    return all;
  }

  List<ShardEntry> shards(String field) {
    List<ShardEntry> all = new ArrayList<>();
    for (JsonNode each : list(field)) {
      all.add(ShardEntry.fromJson(new Fields(name + "." + field, each)));
    }
    return all;
  }

  private JsonNode list(String field) {
    JsonNode value = need(field);
    if (!value.isArray()) {
      throw wrong(field, "a list");
    }
    return value;
  }

  Map<String, Double> doubles(String field) {
    Map<String, Double> all = new TreeMap<>();
    for (Map.Entry<String, JsonNode> entry : inner(field).node.properties()) {
      all.put(entry.getKey(), CanonicalJson.doubleValue(entry.getValue()));
    }
    return all;
  }

  Map<String, Long> longs(String field) {
    Map<String, Long> all = new LinkedHashMap<>();
    Fields inner = inner(field);
    for (Map.Entry<String, JsonNode> entry : inner.node.properties()) {
      all.put(entry.getKey(), inner.integer(entry.getKey()));
    }
    return all;
  }

  Map<String, String> texts(String field) {
    Map<String, String> all = new TreeMap<>();
    Fields inner = inner(field);
    for (Map.Entry<String, JsonNode> entry : inner.node.properties()) {
      all.put(entry.getKey(), inner.text(entry.getKey()));
    }
    return all;
  }

  Progress progress(String field) {
    Fields inner = inner(field);
    int phase = inner.small("phase");
    if (phase != 0 && phase != 1) {
      throw wrong(field, "a progress");
    }
    return new Progress(
        inner.integer("step"),
        inner.small("epoch"),
        inner.integer("batch"),
        inner.integer("samples"),
        Progress.Phase.values()[phase]);
  }

  private Fields inner(String field) {
    JsonNode value = need(field);
    if (!value.isObject()) {
      throw wrong(field, "an object");
    }
    return new Fields(name + "." + field, value);
  }

  CheckpointId id(String field) {
    return CheckpointId.parse(text(field)).orElseThrow(() -> wrong(field, "a checkpoint id"));
  }

  Optional<CheckpointId> optionalId(String field) {
    return node.has(field) ? Optional.of(id(field)) : Optional.empty();
  }

  static ObjectNode of(Progress progress) {
    return object()
        .put("step", progress.step())
        .put("epoch", progress.epoch())
        .put("batch", progress.batch())
        .put("samples", progress.samples())
        .put("phase", progress.phase().ordinal());
  }

  static ObjectNode ofDoubles(Map<String, Double> values) {
    ObjectNode object = object();
    values.forEach((key, value) -> object.set(key, DoubleNode.valueOf(value)));
    return object;
  }

  static ObjectNode ofTexts(Map<String, String> values) {
    ObjectNode object = object();
    values.forEach(object::put);
    return object;
  }

  private JsonNode need(String field) {
    JsonNode value = node.get(field);
    if (value == null) {
      throw new CheckpointException.Corrupt(name + ": field '" + field + "' is missing");
    }
    return value;
  }

  private CheckpointException.Corrupt wrong(String field, String wanted) {
    return new CheckpointException.Corrupt(name + ": field '" + field + "' is not " + wanted);
  }
}
