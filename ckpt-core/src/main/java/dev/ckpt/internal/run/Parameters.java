package dev.ckpt.internal.run;

import dev.ckpt.internal.commit.Keys;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * What a sweep varies, as text: in the record of an attempt, and in the name of a run.
 *
 * @param texts values by name
 */
public record Parameters(SortedMap<String, String> texts) {

  /** What their facts begin with. */
  private static final String PREFIX = "param.";

  private static final int LONGEST = 100;

  /**
   * Of these a name can be read back: the first '-' ends a parameter's name, a '_' its value. Hence
   * two sets of them never have one text; nor has a hash, behind whose '_' there is no '-'.
   */
  private static final Pattern NAME = Pattern.compile("[A-Za-z][A-Za-z0-9_.]*");

  private static final Pattern VALUE = Pattern.compile("[A-Za-z0-9.-]+");
  private static final int HASH = 16;

  public Parameters {
    texts = Collections.unmodifiableSortedMap(new TreeMap<>(texts));
  }

  /** Without any. */
  public static Parameters none() {
    return new Parameters(new TreeMap<>());
  }

  /**
   * As a program gives them.
   *
   * @throws IllegalArgumentException if one has no name, or no value that is the same text each
   *     time
   */
  public static Parameters of(Map<String, ?> given) {
    TreeMap<String, String> texts = new TreeMap<>();
    given.forEach(
        (name, value) -> {
          if (name.isBlank()) {
            throw new IllegalArgumentException("a parameter needs a name: " + given);
          }
          texts.put(name, Provenance.open(text(name, value)));
        });
    return new Parameters(texts);
  }

  private static String text(String name, Object value) {
    boolean told = value != null && !printsItsAddress(value.getClass());
    if (!told) {
      throw new IllegalArgumentException(
          "parameter '"
              + name
              + "' is "
              + (value == null ? "null" : "of " + value.getClass().getTypeName())
              + ": give a text, a number, a boolean, an enum or a list");
    }
    return value.toString();
  }

  private static boolean printsItsAddress(Class<?> type) {
    try {
      return type.getMethod("toString").getDeclaringClass() == Object.class;
    } catch (NoSuchMethodException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The facts that an attempt's record holds: {@code param.<name>}. */
  public Map<String, String> facts() {
    Map<String, String> facts = new TreeMap<>();
    texts.forEach((name, text) -> facts.put(PREFIX + name, text));
    return facts;
  }

  /**
   * Names the run: {@code <program>-<name>-<value>_<name>-<value>}, in the order of the names. With
   * a hash behind it if it is longer than 100, or would not tell one set from all others.
   */
  public String runName(String program) {
    if (texts.isEmpty()) {
      return program;
    }
    List<String> each = new ArrayList<>();
    boolean exact = true;
    for (Map.Entry<String, String> one : texts.entrySet()) {
      each.add(one.getKey() + "-" + one.getValue());
      exact &= NAME.matcher(one.getKey()).matches() && VALUE.matcher(one.getValue()).matches();
    }
    String name = program + "-" + String.join("_", each);
    if (exact && name.length() <= LONGEST) {
      return name;
    }
    String readable = Keys.sanitized(name);
    int most = LONGEST - 1 - HASH;
    return readable.substring(0, Math.min(readable.length(), most)) + "_" + hash();
  }

  private String hash() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      for (Map.Entry<String, String> one : texts.entrySet()) {
        for (String text : List.of(one.getKey(), one.getValue())) {
          byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
          out.writeInt(utf8.length);
          out.write(utf8);
        }
      }
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(bytes.toByteArray());
      return HexFormat.of().formatHex(digest).substring(0, HASH);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * How the parameters of this process differ from those of the newest one before it that had any.
   *
   * @param now facts of this attempt
   * @param before of those before it, the newest first
   * @return {@code lr 0.1 -> 0.2, width 32 -> (none)}; empty if they do not, or one has none
   */
  public static Optional<String> changed(
      Map<String, String> now, Iterable<Map<String, String>> before) {
    SortedMap<String, String> own = in(now);
    if (own.isEmpty()) {
      return Optional.empty();
    }
    for (Map<String, String> earlier : before) {
      SortedMap<String, String> then = in(earlier);
      if (!then.isEmpty()) {
        return difference(then, own);
      }
    }
    return Optional.empty();
  }

  private static Optional<String> difference(
      SortedMap<String, String> then, SortedMap<String, String> now) {
    TreeSet<String> names = new TreeSet<>(then.keySet());
    names.addAll(now.keySet());
    List<String> all = new ArrayList<>();
    for (String name : names) {
      String was = then.getOrDefault(name, "(none)");
      String is = now.getOrDefault(name, "(none)");
      if (!was.equals(is)) {
        all.add(name + " " + was + " -> " + is);
      }
    }
    return all.isEmpty() ? Optional.empty() : Optional.of(String.join(", ", all));
  }

  /** Whether a fact of an attempt is one of its parameters. */
  public static boolean isFact(String name) {
    return name.startsWith(PREFIX);
  }

  private static SortedMap<String, String> in(Map<String, String> facts) {
    TreeMap<String, String> found = new TreeMap<>();
    facts.forEach(
        (name, text) -> {
          if (isFact(name)) {
            found.put(name.substring(PREFIX.length()), text);
          }
        });
    return found;
  }
}
