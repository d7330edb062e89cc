package dev.ckpt.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * One JSON object being made. An empty {@link Optional} is {@code null}, so that a field is always
 * there. NaN and the infinities are the strings that the format has for them.
 */
final class Json {
  private static final JsonFactory FACTORY = new JsonFactory();

  private final Map<String, @Nullable Object> fields = new LinkedHashMap<>();

  /** Adds a field: a text, number, boolean, moment, list, map, object or optional of those. */
  Json put(String name, @Nullable Object value) {
    fields.put(name, value);
    return this;
  }

  /** Adds a list of what each element is turned into. */
  <T> Json list(String name, Iterable<T> elements, java.util.function.Function<T, ?> each) {
    List<@Nullable Object> list = new ArrayList<>();
    for (T element : elements) {
      list.add(each.apply(element));
    }
    return put(name, list);
  }

  /** One document, indented, with a line break behind it. */
  void print(Console console) {
    console.out.println(text(true));
  }

  /** One document on one line. */
  void printLine(Console console) {
    console.out.println(text(false));
  }

  /** A value alone, on one line. */
  static String of(@Nullable Object value) {
    return write(value, false);
  }

  private String text(boolean indented) {
    return write(this, indented);
  }

  private static String write(@Nullable Object value, boolean indented) {
    StringWriter text = new StringWriter();
    try (JsonGenerator to = FACTORY.createGenerator(text)) {
      if (indented) {
        to.setPrettyPrinter(
            new DefaultPrettyPrinter(
                Separators.createDefaultInstance()
                    .withObjectFieldValueSpacing(Separators.Spacing.AFTER)));
      }
      value(to, value);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return text.toString();
  }

  private static void value(JsonGenerator to, @Nullable Object value) throws IOException {
    if (value == null) {
      to.writeNull();
    } else if (value instanceof Json json) {
      object(to, json.fields);
    } else if (value instanceof Map<?, ?> map) {
      object(to, map);
    } else if (value instanceof Iterable<?> list) {
      to.writeStartArray();
      for (Object each : list) {
        value(to, each);
      }
      to.writeEndArray();
    } else if (value instanceof Optional<?> optional) {
      value(to, optional.orElse(null));
    } else if (value instanceof OptionalLong optional) {
      value(to, optional.isPresent() ? (Object) optional.getAsLong() : null);
    } else if (value instanceof String || value instanceof Instant) {
      to.writeString(value.toString());
    } else if (value instanceof Boolean flag) {
      to.writeBoolean(flag);
    } else if (value instanceof Double || value instanceof BigDecimal) {
      to.writeNumber(((Number) value).doubleValue());
    } else if (value instanceof Number) {
      to.writeNumber(value.toString());
    } else {
      throw new IllegalArgumentException("no JSON: " + value.getClass());
    }
  }

  private static void object(JsonGenerator to, Map<?, ?> fields) throws IOException {
    to.writeStartObject();
    for (Map.Entry<?, ?> field : fields.entrySet()) {
      to.writeFieldName(String.valueOf(field.getKey()));
      value(to, field.getValue());
    }
    to.writeEndObject();
  }
}
