package dev.ckpt.samples;

import dev.ckpt.samples.DigitsOptions.Loop;
import dev.ckpt.samples.DigitsOptions.OptimizerKind;
import dev.ckpt.samples.DigitsOptions.Place;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * One way to train.
 *
 * @param prefetch whether threads load batches ahead
 * @param accumulate whether an update follows only each second batch; DJL's own loops cannot
 */
record Combination(
    OptimizerKind optimizer, Loop loop, Place listener, boolean prefetch, boolean accumulate) {

  /** The plainest one. */
  static final Combination PLAIN =
      new Combination(OptimizerKind.ADAM, Loop.FIT, Place.LAST, false, false);

  /** Ten that hold every pair of two choices that can go together; a test says so. */
  static final List<Combination> PAIRWISE =
      List.of(
          new Combination(OptimizerKind.ADAM, Loop.FIT, Place.FIRST, false, false),
          new Combination(OptimizerKind.ADAM, Loop.EASYTRAIN, Place.MIDDLE, true, false),
          new Combination(OptimizerKind.ADAM, Loop.MANUAL, Place.LAST, false, true),
          new Combination(OptimizerKind.ADAMW, Loop.FIT, Place.MIDDLE, false, false),
          new Combination(OptimizerKind.ADAMW, Loop.EASYTRAIN, Place.LAST, false, false),
          new Combination(OptimizerKind.ADAMW, Loop.MANUAL, Place.FIRST, true, true),
          new Combination(OptimizerKind.SGD, Loop.FIT, Place.LAST, true, false),
          new Combination(OptimizerKind.SGD, Loop.EASYTRAIN, Place.FIRST, false, false),
          new Combination(OptimizerKind.SGD, Loop.MANUAL, Place.MIDDLE, false, true),
          new Combination(OptimizerKind.ADAM, Loop.MANUAL, Place.FIRST, true, false));

  /** All that can be. */
  static List<Combination> product() {
    List<Combination> all = new ArrayList<>();
    for (OptimizerKind optimizer : OptimizerKind.values()) {
      for (Loop loop : Loop.values()) {
        for (Place listener : Place.values()) {
          for (boolean prefetch : new boolean[] {false, true}) {
            all.add(new Combination(optimizer, loop, listener, prefetch, false));
            if (loop == Loop.MANUAL) {
              all.add(new Combination(optimizer, loop, listener, prefetch, true));
            }
          }
        }
      }
    }
    return all;
  }

  /**
   * What alone may decide the bits: who runs the loop, where the listener stands and who loads the
   * data must not.
   */
  Combination decisive() {
    return new Combination(
        optimizer, accumulate ? Loop.MANUAL : Loop.FIT, Place.LAST, false, accumulate);
  }

  /** Batches for one update. */
  int batchesPerUpdate() {
    return accumulate ? 2 : 1;
  }

  List<String> arguments() {
    return List.of(
        "--optimizer", word(optimizer),
        "--loop", word(loop),
        "--listener", word(listener),
        "--prefetch", prefetch ? "2" : "0",
        "--accumulate", Integer.toString(batchesPerUpdate()));
  }

  /** The choices, each with its kind, so that those of different kinds differ. */
  List<String> choices() {
    return List.of(
        optimizer.toString(),
        loop.toString(),
        listener.toString(),
        "prefetch " + prefetch,
        "accumulate " + accumulate);
  }

  private static String word(Enum<?> choice) {
    return choice.name().toLowerCase(Locale.ROOT);
  }
}
