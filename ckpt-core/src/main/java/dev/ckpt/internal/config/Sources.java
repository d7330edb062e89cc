package dev.ckpt.internal.config;

import dev.ckpt.spi.ConfigNode;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Where values come from: code wins over the environment, that over the file.
 *
 * @param folder what a relative path in the file, or by default, is relative to
 * @param root the file's tree
 * @param environment as {@link System#getenv()} gives it
 * @param code values by key
 */
public record Sources(
    Path folder, ConfigNode root, Map<String, String> environment, Map<String, String> code) {

  /** Reads a file. */
  public static Sources of(Path file, Map<String, String> environment) {
    LocatedNode root = YamlFile.read(file);
    Path parent = file.toAbsolutePath().getParent();
    return new Sources(
        parent == null ? file.toAbsolutePath() : parent, root, Map.copyOf(environment), Map.of());
  }

  /** No file: the working directory takes the place of its folder. */
  public static Sources withoutFile(Map<String, String> environment) {
    LocatedNode root = LocatedNode.map("", "defaults", "default", Map.of(), Map.of());
    return new Sources(Path.of("").toAbsolutePath(), root, Map.copyOf(environment), Map.of());
  }

  /** The same, with one more value from code. */
  public Sources with(String path, String text) {
    Map<String, String> more = new HashMap<>(code);
    more.put(path, text);
    return new Sources(folder, root, environment, Map.copyOf(more));
  }

  /** The file's tree. */
  LocatedNode tree() {
    return (LocatedNode) root;
  }

  Optional<LocatedNode> find(String path) {
    return outside(path).or(() -> inFile(path));
  }

  /** From code or the environment. An empty variable counts as not set, as shells treat it. */
  Optional<LocatedNode> outside(String path) {
    String given = code.get(path);
    if (given != null) {
      return Optional.of(LocatedNode.scalar(path, "code", "code", given));
    }
    String variable = ConfigKey.variable(path);
    String set = environment.get(variable);
    if (set == null || set.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        LocatedNode.scalar(
            path, "environment variable " + variable, "environment " + variable, set));
  }

  Optional<LocatedNode> inFile(String path) {
    LocatedNode node = tree();
    for (String key : path.split("\\.", -1)) {
      LocatedNode child = node.children().get(key);
      if (child == null) {
        return Optional.empty();
      }
      node = child;
    }
    return Optional.of(node);
  }
}
