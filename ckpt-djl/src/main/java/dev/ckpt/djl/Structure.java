package dev.ckpt.djl;

import dev.ckpt.CheckpointException;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Compares the tensors of a model with those that were saved. */
final class Structure {
  private static final int LISTED = 20;

  private Structure() {}

  /**
   * Fails if they are not the same names, types and shapes.
   *
   * @param advice what to do then
   * @throws CheckpointException.Incompatible listing what is missing, extra and reshaped
   */
  static void require(StateView saved, Map<String, TensorSpec> now, String advice) {
    List<String> missing = new ArrayList<>();
    List<String> reshaped = new ArrayList<>();
    Set<String> names = saved.names();
    now.forEach(
        (name, here) -> {
          if (!names.contains(name)) {
            missing.add(name);
            return;
          }
          TensorSpec there = saved.spec(name);
          if (!there.shape().equals(here.shape()) || there.type() != here.type()) {
            reshaped.add(name + " (saved " + show(there) + ", now " + show(here) + ")");
          }
        });
    List<String> extra = new ArrayList<>(names);
    extra.removeAll(now.keySet());
    if (!missing.isEmpty() || !extra.isEmpty() || !reshaped.isEmpty()) {
      throw new CheckpointException.Incompatible(
          "The model has another structure than the one in the checkpoint. "
              + describe("Missing in the checkpoint", missing)
              + describe("Extra in the checkpoint", extra)
              + describe("Reshaped", reshaped)
              + advice);
    }
  }

  /** The first of them, and how many more there are. */
  static String listed(List<String> names) {
    String more = names.size() > LISTED ? " and " + (names.size() - LISTED) + " more" : "";
    return String.join(", ", names.subList(0, Math.min(LISTED, names.size()))) + more;
  }

  static String show(TensorSpec spec) {
    return spec.type().id() + " " + spec.shape();
  }

  /** One sentence, and nothing of an empty list. */
  static String describe(String title, List<String> names) {
    if (names.isEmpty()) {
      return "";
    }
    return title + ": " + listed(names) + ". ";
  }
}
