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
 * @param format of the shards
 */
record Combination(
    OptimizerKind optimizer,
    Loop loop,
    Place listener,
    boolean prefetch,
    boolean accumulate,
    String format) {

  /** Each must pass all; the only place that names them. */
  static final List<String> FORMATS = List.of("arrow", "hdf5");

  /** The plainest one. */
  static final Combination PLAIN =
      new Combination(OptimizerKind.ADAM, Loop.FIT, Place.LAST, false, false, FORMATS.get(0));

  /** Ten that hold every pair of two choices that can go together; a test says so. */
  static List<Combination> pairwise(List<String> formats) {
    String one = formats.get(0);
    String two = formats.get(formats.size() - 1);
    return List.of(
        new Combination(OptimizerKind.ADAM, Loop.FIT, Place.FIRST, false, false, one),
        new Combination(OptimizerKind.ADAM, Loop.EASYTRAIN, Place.MIDDLE, true, false, one),
        new Combination(OptimizerKind.ADAM, Loop.MANUAL, Place.LAST, false, true, one),
        new Combination(OptimizerKind.ADAMW, Loop.FIT, Place.MIDDLE, false, false, one),
        new Combination(OptimizerKind.ADAMW, Loop.EASYTRAIN, Place.LAST, false, false, two),
        new Combination(OptimizerKind.ADAMW, Loop.MANUAL, Place.FIRST, true, true, one),
        new Combination(OptimizerKind.SGD, Loop.FIT, Place.LAST, true, false, two),
        new Combination(OptimizerKind.SGD, Loop.EASYTRAIN, Place.FIRST, false, false, one),
        new Combination(OptimizerKind.SGD, Loop.MANUAL, Place.MIDDLE, false, true, two),
        new Combination(OptimizerKind.ADAM, Loop.MANUAL, Place.FIRST, true, false, two));
  }

  /** All that can be. */
  static List<Combination> product(List<String> formats) {
    List<Combination> all = new ArrayList<>();
    for (String format : formats) {
      for (OptimizerKind optimizer : OptimizerKind.values()) {
        for (Loop loop : Loop.values()) {
          for (Place listener : Place.values()) {
            for (boolean prefetch : new boolean[] {false, true}) {
              all.add(new Combination(optimizer, loop, listener, prefetch, false, format));
              if (loop == Loop.MANUAL) {
                all.add(new Combination(optimizer, loop, listener, prefetch, true, format));
              }
            }
          }
        }
      }
    }
    return all;
  }

  /**
   * What alone may decide the bits: who runs the loop, where the listener stands, who loads the
   * data and how they are stored must not.
   */
  Combination decisive() {
    return new Combination(
        optimizer,
        accumulate ? Loop.MANUAL : Loop.FIT,
        Place.LAST,
        false,
        accumulate,
        FORMATS.get(0));
  }

  /** The same, stored otherwise. */
  Combination in(String other) {
    return new Combination(optimizer, loop, listener, prefetch, accumulate, other);
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
        "--accumulate", Integer.toString(batchesPerUpdate()),
        "--format", format);
  }

  /** The choices, each with its kind, so that those of different kinds differ. */
  List<String> choices() {
    return List.of(
        optimizer.toString(),
        loop.toString(),
        listener.toString(),
        "prefetch " + prefetch,
        "accumulate " + accumulate,
        format);
  }

  private static String word(Enum<?> choice) {
    return choice.name().toLowerCase(Locale.ROOT);
  }
}
