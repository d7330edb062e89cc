package dev.ckpt.djl;

import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What checkpoints hold, by {@code id part/name}: the type, shape and bytes of each tensor, each
 * value.
 */
record StateText(Map<String, String> lines) {
  /** Facts about the machine, and times. */
  private static final Set<String> OF_THE_MACHINE =
      Set.of("arch", "device", "djl", "elapsed", "engine", "engineVersion", "processor", "threads");

  /** What later builds say besides, and the first golden stores do not. */
  private static final List<String> ADDED =
      List.of(
          "environment/state/processor",
          "position/state/stoppedWith",
          "initialized/state/reference",
          "initialized/state/rename");

  /**
   * The newest checkpoint of a run, to the bit.
   *
   * <p>Left out is what a loop says only when it has begun: facts about its data, times.
   */
  static StateText exact(CheckpointStore store, String run) throws IOException {
    Checkpoints all = Checkpoints.read(store, run);
    Map<String, String> lines = new TreeMap<>();
    add(all, all.latest().orElseThrow(), true, lines);
    lines.keySet().removeIf(name -> name.startsWith("environment/") || name.endsWith("/elapsed"));
    return new StateText(lines);
  }

  /** Every checkpoint of a run, without what depends on the machine: the floats are types. */
  static StateText ofAnyMachine(CheckpointStore store, String run) throws IOException {
    Checkpoints all = Checkpoints.read(store, run);
    Map<String, String> lines = new TreeMap<>();
    for (Checkpoint each : all.list()) {
      Map<String, String> own = new TreeMap<>();
      add(all, each, false, own);
      own.put("metrics", new TreeSet<>(each.metrics().keySet()).toString());
      own.keySet().removeIf(name -> ADDED.stream().anyMatch(name::contains));
      own.forEach((name, text) -> lines.put(name + " of " + each.id(), text));
    }
    return new StateText(lines);
  }

  private static void add(
      Checkpoints all, Checkpoint checkpoint, boolean exact, Map<String, String> lines)
      throws IOException {
    try (Checkpoints.Opened open = all.open(checkpoint.id())) {
      for (String part : open.parts()) {
        StateView view = open.view(part);
        for (String name : view.names()) {
          TensorSpec spec = view.spec(name);
          boolean whole = spec.type().id().startsWith("int");
          ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(spec.bytes()));
          view.read(name, 0, bytes);
          lines.put(
              part + "/" + name,
              spec.type().id() + " " + spec.shape() + (exact || whole ? " " + sha(bytes) : ""));
        }
        for (String name : view.opaque()) {
          lines.put(part + "/" + name, "bytes " + sha(view.bytes(name)));
        }
        for (String name : view.values()) {
          flatten(part + "/" + name, view.value(name, Object.class), exact, lines);
        }
        lines.putIfAbsent(part, "a part");
      }
    }
  }

  private static void flatten(String name, Object value, boolean exact, Map<String, String> into) {
    if (value instanceof Map<?, ?> map) {
      map.forEach((key, each) -> flatten(name + "/" + key, each, exact, into));
    } else if (value instanceof List<?> list) {
      into.put(name, "list of " + list.size());
      for (int i = 0; i < list.size(); i++) {
        flatten(name + "/" + i, list.get(i), exact, into);
      }
    } else {
      String text = value.getClass().getSimpleName() + " " + value;
      into.put(name, exact ? text : ofAnyMachine(name, text));
    }
  }

  /** Counts of correct answers may differ where two classes are equally likely. */
  private static String ofAnyMachine(String name, String text) {
    if (OF_THE_MACHINE.contains(name.substring(name.lastIndexOf('/') + 1))
        || name.contains("correctInstances")) {
      return "of the machine";
    }
    return text.matches("String -?(\\d+\\.\\d+(E-?\\d+)?|NaN|Infinity)") ? "String real" : text;
  }

  private static String sha(ByteBuffer bytes) {
    MessageDigest digest = DataFacts.sha256();
    digest.update(bytes.rewind());
    return HexFormat.of().formatHex(digest.digest(), 0, 8);
  }

  /** The parts in which another is not the same. */
  Set<String> other(StateText than) {
    Set<String> names = new TreeSet<>(lines.keySet());
    names.addAll(than.lines.keySet());
    names.removeIf(name -> String.valueOf(lines.get(name)).equals(than.lines.get(name)));
    Set<String> parts = new TreeSet<>();
    names.forEach(name -> parts.add(name.replaceFirst("[/ ].*", "")));
    return parts;
  }
}
