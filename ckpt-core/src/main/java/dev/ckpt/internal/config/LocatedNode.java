package dev.ckpt.internal.config;

import dev.ckpt.ConfigException;
import dev.ckpt.spi.ConfigNode;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * One node of the tree that the readers see, whatever it came from.
 *
 * @param path the key with its parents; empty for the root
 * @param where for messages: {@code file:line:column}, the environment variable
 * @param origin for people who ask: {@code file:line}, the environment variable, default, code
 * @param kind which of the following is filled
 * @param text a scalar's text
 * @param children a mapping's values
 * @param keyPlaces where the keys of a mapping stand
 * @param elements a list's values
 */
record LocatedNode(
    String path,
    String where,
    String origin,
    Kind kind,
    String text,
    Map<String, LocatedNode> children,
    Map<String, String> keyPlaces,
    List<LocatedNode> elements)
    implements ConfigNode {

  enum Kind {
    SCALAR,
    MAP,
    LIST,
    /** YAML's null. */
    NOTHING
  }

  static LocatedNode scalar(String path, String where, String origin, String text) {
    return new LocatedNode(path, where, origin, Kind.SCALAR, text, Map.of(), Map.of(), List.of());
  }

  static LocatedNode nothing(String path, String where, String origin) {
    return new LocatedNode(path, where, origin, Kind.NOTHING, "", Map.of(), Map.of(), List.of());
  }

  static LocatedNode list(String path, String where, String origin, List<LocatedNode> elements) {
    return new LocatedNode(
        path, where, origin, Kind.LIST, "", Map.of(), Map.of(), List.copyOf(elements));
  }

  static LocatedNode map(
      String path,
      String where,
      String origin,
      Map<String, LocatedNode> children,
      Map<String, String> keyPlaces) {
    return new LocatedNode(
        path,
        where,
        origin,
        Kind.MAP,
        "",
        new LinkedHashMap<>(children),
        new LinkedHashMap<>(keyPlaces),
        List.of());
  }

  /** Refuses every key that is not allowed. */
  void allow(Collection<String> allowed) {
    for (String key : map().keySet()) {
      if (!allowed.contains(key)) {
        String meant =
            Suggestion.nearest(key, allowed).map(s -> "did you mean '" + s + "'? ").orElse("");
        throw new ConfigException(
            keyPlaces.getOrDefault(key, where),
            "unknown key '"
                + key
                + "' "
                + (path.isEmpty() ? "at the top level" : "under " + path)
                + " ("
                + meant
                + "allowed: "
                + String.join(", ", allowed)
                + ")");
      }
    }
  }

  private Map<String, LocatedNode> map() {
    if (kind != Kind.MAP) {
      throw error("is " + what() + ", but must be a mapping of keys to values");
    }
    return children;
  }

  @Override
  public Set<String> keys() {
    return Set.copyOf(map().keySet());
  }

  @Override
  public Optional<ConfigNode> get(String key) {
    return Optional.ofNullable(map().get(key));
  }

  @Override
  public ConfigNode require(String key) {
    return get(key).orElseThrow(() -> error("needs the key '" + key + "'"));
  }

  @Override
  public List<ConfigNode> list() {
    return kind == Kind.LIST ? List.copyOf(elements) : List.of(this);
  }

  @Override
  public String string() {
    if (isEmpty()) {
      throw error("is without a value: give it one, or leave the key out");
    }
    if (kind != Kind.SCALAR) {
      throw error("is " + what() + ", but must be a single value");
    }
    return text;
  }

  @Override
  public boolean bool() {
    return switch (string()) {
      case "true" -> true;
      case "false" -> false;
      default -> throw error("must be true or false, not '" + text + "'");
    };
  }

  @Override
  public long integer(long min, long max) {
    long value;
    try {
      value = Long.parseLong(string());
    } catch (NumberFormatException e) {
      throw error("must be a whole number from -2^63 to 2^63 - 1, not '" + text + "'");
    }
    if (value < min || value > max) {
      throw error(
          "must be "
              + (max == Long.MAX_VALUE ? "at least " + min : "from " + min + " to " + max)
              + ", not "
              + value);
    }
    return value;
  }

  @Override
  public Duration duration(Duration min, Duration max) {
    Duration value =
        Quantities.duration(string())
            .orElseThrow(
                () ->
                    error(
                        "must be a duration such as 500ms, 30s, 5m, 1h or ISO-8601, not '"
                            + text
                            + "'"));
    if (value.compareTo(min) < 0 || value.compareTo(max) > 0) {
      throw error("must be from " + min + " to " + max + ", not '" + text + "'");
    }
    return value;
  }

  @Override
  public long bytes(long min) {
    long value =
        Quantities.bytes(string())
            .orElseThrow(
                () ->
                    error(
                        "must be a size such as 64KiB, 500MB, 1.5GB or 2GiB, not '" + text + "'"));
    if (value < min) {
      throw error("must be at least " + min + " bytes, not '" + text + "'");
    }
    return value;
  }

  @Override
  public <E extends Enum<E>> E oneOf(Class<E> type) {
    String given = string();
    List<E> constants = Arrays.asList(type.getEnumConstants());
    return constants.stream()
        .filter(constant -> lower(constant).equals(given))
        .findFirst()
        .orElseThrow(
            () ->
                error(
                    "must be "
                        + constants.stream()
                            .map(LocatedNode::lower)
                            .collect(Collectors.joining(" or "))
                        + ", not '"
                        + given
                        + "'"));
  }

  private static String lower(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  @Override
  public ConfigException error(String problem) {
    return new ConfigException(where, (path.isEmpty() ? "the config" : path) + " " + problem);
  }

  /** Whether nothing is written here: {@code key:}, {@code key: ~} or empty quotes. */
  boolean isEmpty() {
    return kind == Kind.NOTHING || (kind == Kind.SCALAR && text.isBlank());
  }

  private String what() {
    if (isEmpty()) {
      return "without a value";
    }
    return switch (kind) {
      case SCALAR -> "the value '" + text + "'";
      case MAP -> "a mapping";
      case LIST -> "a list";
      case NOTHING -> "nothing";
    };
  }
}
