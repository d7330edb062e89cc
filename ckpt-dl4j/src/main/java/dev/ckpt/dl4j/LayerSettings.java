package dev.ckpt.dl4j;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.nd4j.serde.json.JsonMappers;
import org.nd4j.shade.jackson.databind.JsonNode;
import org.nd4j.shade.jackson.databind.node.MissingNode;

/** Compares two configurations, of a network or a graph, by their JSON. */
final class LayerSettings {
  private static final String CLASS = "@class";
  private static final Pattern DRAWN_NAME =
      Pattern.compile("\\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\\b");

  /**
   * What decides nothing behind a resume, or is told or refused elsewhere: counters, updaters, the
   * first weights, memory, names.
   */
  private static final Set<String> IGNORED =
      Set.of(
          "biasInit",
          "biasUpdater",
          "cacheMode",
          "defaultConfiguration",
          "epochCount",
          "gainInit",
          "inferenceWorkspaceMode",
          "iterationCount",
          "iupdater",
          "layerName",
          "seed",
          "topologicalOrder",
          "topologicalOrderStr",
          "trainEvaluationLabels",
          "trainEvaluations",
          "trainingWorkspaceMode",
          "updater",
          "validateOutputLayerConfig",
          "validationEvaluationLabels",
          "validationEvaluations",
          "variables",
          "weightInitFn");

  private final List<String> changes = new ArrayList<>();

  private LayerSettings() {}

  /** One sentence for each setting that differs; none if a text cannot be read. */
  static List<String> changes(String before, String now) {
    LayerSettings compared = new LayerSettings();
    try {
      compared.whole(
          JsonMappers.getMapper().readTree(numbered(before)),
          JsonMappers.getMapper().readTree(numbered(now)));
    } catch (IOException e) {
      return List.of();
    }
    return compared.changes;
  }

  /** Names that DL4J draws, as of SameDiff's dropout, are others each time: by their places. */
  private static String numbered(String text) {
    Map<String, String> numbers = new HashMap<>();
    return DRAWN_NAME
        .matcher(text)
        .replaceAll(
            found ->
                numbers.computeIfAbsent(found.group(), name -> "unnamed " + (numbers.size() + 1)));
  }

  private void whole(JsonNode before, JsonNode now) {
    for (String name : names(before, now)) {
      JsonNode was = before.path(name);
      JsonNode is = now.path(name);
      switch (name) {
        case "confs" -> {
          for (int i = 0; i < Math.max(was.size(), is.size()); i++) {
            layer("layer " + i, was.path(i), is.path(i));
          }
        }
        case "vertices" -> {
          for (String vertex : names(was, is)) {
            JsonNode layerBefore = was.path(vertex).path("layerConf");
            JsonNode layerNow = is.path(vertex).path("layerConf");
            if (layerBefore.isObject() && layerNow.isObject()) {
              layer("layer '" + vertex + "'", layerBefore, layerNow);
            } else {
              compare("vertex '" + vertex + "'", "", was.path(vertex), is.path(vertex));
            }
          }
        }
        case "constants" -> {
          for (String constant : was.isObject() ? names(was, is) : Set.<String>of()) {
            constant(constant, was.path(constant), is.path(constant));
          }
        }
        case "ops" -> {
          for (String op : names(was, is)) {
            compare("operation '" + op + "'", "", was.path(op), is.path(op));
          }
        }
        default -> compare("the configuration", name, was, is);
      }
    }
  }

  private void constant(String name, JsonNode before, JsonNode now) {
    if (!before.equals(now)) {
      changes.add(
          "constant '"
              + name
              + "' was "
              + text(before)
              + " and is "
              + text(now)
              + " (constants are not restored: draw them from a fixed seed)");
    }
  }

  private void layer(String owner, JsonNode before, JsonNode now) {
    for (String name : names(before, now)) {
      compare(owner, name.equals("layer") ? "" : name, before.path(name), now.path(name));
    }
  }

  private void compare(String owner, String path, JsonNode before, JsonNode now) {
    if (before.equals(now)) {
      return;
    }
    if (before.isObject() && now.isObject() && before.path(CLASS).equals(now.path(CLASS))) {
      for (String name : names(before, now)) {
        compare(
            owner, path.isEmpty() ? name : path + "." + name, before.path(name), now.path(name));
      }
    } else if (before.isArray() && now.isArray() && before.size() == now.size()) {
      for (int i = 0; i < now.size(); i++) {
        compare(owner, path + "[" + i + "]", before.path(i), now.path(i));
      }
    } else {
      changes.add(
          owner
              + (path.isEmpty() ? "" : ": " + path)
              + " was "
              + text(before)
              + " and is "
              + text(now));
    }
  }

  private static Set<String> names(JsonNode before, JsonNode now) {
    Set<String> names = new TreeSet<>();
    for (JsonNode each : List.of(before, now)) {
      Iterator<String> some = each.fieldNames();
      while (some.hasNext()) {
        names.add(some.next());
      }
    }
    names.removeAll(IGNORED);
    return names;
  }

  /** A class by its own name, with what it holds. */
  private static String text(JsonNode node) {
    if (node instanceof MissingNode || node.isNull()) {
      return "none";
    }
    List<String> parts = new ArrayList<>();
    if (node.isArray()) {
      node.forEach(each -> parts.add(text(each)));
      return "[" + String.join(", ", parts) + "]";
    }
    if (!node.isObject()) {
      return node.asText();
    }
    for (String name : names(node, MissingNode.getInstance())) {
      JsonNode value = node.path(name);
      if (!name.equals(CLASS) && !value.isNull()) {
        parts.add(name + "=" + text(value));
      }
    }
    String type = simpleName(node.path(CLASS).textValue());
    return parts.isEmpty() && !type.isEmpty() ? type : type + "(" + String.join(", ", parts) + ")";
  }

  private static String simpleName(@Nullable String type) {
    return type == null ? "" : type.substring(type.lastIndexOf('.') + 1);
  }
}
