package dev.ckpt.internal.config;

import dev.ckpt.ConfigException;
import dev.ckpt.InitFrom;
import dev.ckpt.spi.ConfigNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Function;

/** Reads {@code initFrom}: lists in the file are lists, in a variable they are cut at commas. */
final class InitFromReader {
  private static final String NAME = "initFrom";

  private final Sources sources;
  private final BiConsumer<String, Settings.Value> note;
  private boolean given;

  /**
   * @param note told of each value and where it came from
   */
  InitFromReader(Sources sources, BiConsumer<String, Settings.Value> note) {
    this.sources = sources;
    this.note = note;
  }

  /**
   * @param place reads a path or URI
   * @param run reads a run's name
   */
  Optional<InitFrom> read(Function<ConfigNode, String> place, Function<ConfigNode, String> run) {
    Optional<LocatedNode> section = sources.inFile(NAME);
    section.ifPresent(node -> node.allow(ConfigKey.under(NAME)));
    String store = scalar("store", "", place);
    String other = scalar("run", "", run);
    String checkpoint = scalar("checkpoint", "latest", ConfigNode::string);
    List<String> include = list("include");
    List<String> exclude = list("exclude");
    Map<String, String> rename = rename();
    List<String> freeze = list("freeze");
    boolean strict = scalar("strict", true, ConfigNode::bool);
    if (!given) {
      return Optional.empty();
    }
    try {
      return Optional.of(
          new InitFrom(
              store,
              other,
              checkpoint,
              include.isEmpty() ? List.of("*") : include,
              exclude,
              rename,
              freeze,
              strict));
    } catch (IllegalArgumentException e) {
      throw new ConfigException(
          sources.find(NAME + ".rename").map(LocatedNode::where).orElse(NAME),
          String.valueOf(e.getMessage()));
    }
  }

  private <T> T scalar(String key, T standard, Function<ConfigNode, T> read) {
    Optional<LocatedNode> node = found(key);
    node.ifPresent(each -> say(key, each, each.string()));
    return node.map(read::apply).orElse(standard);
  }

  private List<String> list(String key) {
    Optional<LocatedNode> node = found(key);
    if (node.isEmpty()) {
      return List.of();
    }
    List<String> all = new ArrayList<>();
    for (ConfigNode each : node.get().list()) {
      if (node.get().kind() == LocatedNode.Kind.LIST) {
        all.add(each.string());
      } else {
        all.addAll(List.of(each.string().split("\\s*,\\s*")));
      }
    }
    say(key, node.get(), String.join(", ", all));
    return all;
  }

  private Map<String, String> rename() {
    Optional<LocatedNode> node = found("rename");
    Map<String, String> all = new LinkedHashMap<>();
    if (node.isEmpty()) {
      return all;
    }
    if (node.get().kind() == LocatedNode.Kind.MAP) {
      node.get().keys().forEach(key -> all.put(key, node.get().require(key).string()));
    } else {
      for (String pair : node.get().string().split("\\s*,\\s*")) {
        int equals = pair.indexOf('=');
        if (equals < 1) {
          throw node.get().error("must be a mapping, or old=new, not '" + pair + "'");
        }
        all.put(pair.substring(0, equals), pair.substring(equals + 1));
      }
    }
    say("rename", node.get(), all.toString());
    return all;
  }

  private Optional<LocatedNode> found(String key) {
    Optional<LocatedNode> node = sources.find(NAME + "." + key);
    given |= node.isPresent();
    if (node.isEmpty()) {
      note.accept(NAME + "." + key, new Settings.Value(Optional.empty(), "default"));
    }
    return node;
  }

  private void say(String key, LocatedNode node, String text) {
    note.accept(NAME + "." + key, new Settings.Value(Optional.of(text), node.origin()));
  }
}
