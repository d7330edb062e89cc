package dev.ckpt.internal.run;

import dev.ckpt.internal.config.Settings;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * What a process says of itself in its attempt's record: for people, but for {@code config.keep},
 * by which a limit of the whole store knows what another run calls its best. Bounded, and without
 * what could let anybody in: a record is never deleted, and is read by many.
 */
public final class Provenance {

  private static final int MOST = 200;
  private static final int LONGEST = 300;
  private static final Pattern URI = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]+:.*", Pattern.DOTALL);
  private static final Pattern USER = Pattern.compile("//[^/?#]*@");
  private static final Pattern SECRET =
      Pattern.compile("secret|password|passwd|token|credential|accesskey|apikey");

  private Provenance() {}

  /**
   * Facts by name: {@code program}, what the caller knows, and {@code config.<key>} with value and
   * origin for each value in force.
   *
   * @param config by key
   * @param code what the program has set itself, by key or by section ({@code save}, {@code keep}),
   *     whose keys are then not in force
   * @param facts given by the program or an adapter
   */
  public static Map<String, String> of(
      Map<String, Settings.Value> config, Map<String, String> code, Map<String, String> facts) {
    Map<String, String> all = new TreeMap<>();
    all.put("program", RunName.program());
    facts.forEach((name, value) -> put(all, name, value));
    code.forEach((key, value) -> put(all, "config." + key, value + " (code)"));
    config.forEach(
        (key, value) -> {
          boolean overruled = code.containsKey(key) || code.containsKey(key.split("\\.", 2)[0]);
          if (!overruled && value.text().isPresent()) {
            put(all, "config." + key, open(key, value.text().get()) + " (" + value.origin() + ")");
          }
        });
    return all;
  }

  private static void put(Map<String, String> all, String name, String value) {
    if (all.size() < MOST) {
      all.put(Failure.line(name, LONGEST), Failure.line(value, LONGEST));
    }
  }

  private static String open(String key, String value) {
    return SECRET.matcher(key.toLowerCase(Locale.ROOT)).find() ? "(hidden)" : open(value);
  }

  /** A value without what a URI may hide: user, password, query. */
  public static String open(String value) {
    if (!URI.matcher(value).matches()) {
      return value;
    }
    String bare = USER.matcher(value).replaceFirst("//");
    return bare.split("[?#]", 2)[0];
  }
}
