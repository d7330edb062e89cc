package dev.ckpt.cli;

import dev.ckpt.Attempt;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What tells runs apart: parameters and settings that are not the same in all of them.
 *
 * @param keys names of facts: {@code param.<name>}, then {@code config.<key>}
 */
record Contrast(List<String> keys) {
  private static final String PARAMETER = "param.";
  private static final String CONFIG = "config.";

  /** The name is a column already. */
  private static final String RUN = "config.run";

  private static final int WIDEST = 40;

  /** What the newest process said that said anything; who cleans up says nothing. */
  static Map<String, String> facts(List<Attempt> attempts) {
    for (int i = attempts.size() - 1; i >= 0; i--) {
      Map<String, String> facts = facts(attempts.get(i));
      if (!facts.isEmpty()) {
        return facts;
      }
    }
    return Map.of();
  }

  /** Of one process, settings without their origins. */
  static Map<String, String> facts(Attempt attempt) {
    Map<String, String> facts = new TreeMap<>();
    attempt
        .provenance()
        .forEach(
            (name, text) -> {
              if (name.startsWith(PARAMETER)) {
                facts.put(name, text);
              } else if (name.startsWith(CONFIG) && !name.equals(RUN)) {
                facts.put(name, Origin.parse(text).value());
              }
            });
    return facts;
  }

  /**
   * Compares runs by their facts.
   *
   * @param config whether settings count, too
   */
  static Contrast between(Collection<Map<String, String>> runs, boolean config) {
    Set<String> all = new TreeSet<>();
    runs.forEach(facts -> all.addAll(facts.keySet()));
    List<String> parameters = new ArrayList<>();
    List<String> settings = new ArrayList<>();
    for (String key : all) {
      Set<Optional<String>> values = new HashSet<>();
      runs.forEach(facts -> values.add(Optional.ofNullable(facts.get(key))));
      if (values.size() > 1) {
        (key.startsWith(PARAMETER) ? parameters : settings).add(key);
      }
    }
    if (config) {
      parameters.addAll(settings);
    }
    return new Contrast(List.copyOf(parameters));
  }

  /** A movable column for each. */
  void columns(Table table) {
    for (String key : keys) {
      table.left(key.startsWith(PARAMETER) ? key.substring(PARAMETER.length()) : key).movable();
    }
  }

  /** One run's. */
  List<String> cells(Map<String, String> facts) {
    return keys.stream().map(key -> Text.shortened(facts.getOrDefault(key, ""), WIDEST)).toList();
  }

  /** One run's; {@code null} where it has none. */
  Json json(Map<String, String> facts) {
    Json json = new Json();
    keys.forEach(key -> json.put(key, facts.get(key)));
    return json;
  }
}
