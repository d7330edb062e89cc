package dev.ckpt.dl4j;

import dev.ckpt.dl4j.Forgetting.Part;
import dev.ckpt.dl4j.SmallTraining.Kind;
import java.util.ArrayList;
import java.util.List;

/**
 * One way to train, to be killed.
 *
 * @param prefetch whether a thread loads batches ahead
 * @param format of the shards
 */
record Cell(Kind kind, Trait trait, boolean prefetch, String format) {

  /** What makes a resume hard, one at a time; and the part of a checkpoint that it needs. */
  enum Trait {
    PLAIN(Part.WEIGHTS),
    DROPOUT(Part.ND4J_RANDOM),
    NOISE(Part.ND4J_RANDOM),
    BATCH_NORM(Part.STATISTICS),
    MAX_NORM(Part.WEIGHTS),
    SCHEDULE(Part.COUNTERS),
    ADAM(Part.SLOTS),
    NESTEROVS(Part.SLOTS);

    private final Part needs;

    Trait(Part needs) {
      this.needs = needs;
    }
  }

  /** Each must pass all; the only place of this module that names them. */
  static final List<String> FORMATS = List.of("arrow", "hdf5");

  static final List<Kind> KINDS = List.of(Kind.NETWORK, Kind.GRAPH, Kind.SAMEDIFF);

  /** All that can be. */
  static List<Cell> product() {
    List<Cell> all = new ArrayList<>();
    for (String format : FORMATS) {
      for (Kind kind : KINDS) {
        for (Trait trait : Trait.values()) {
          for (boolean prefetch : new boolean[] {false, true}) {
            all.add(new Cell(kind, trait, prefetch, format));
          }
        }
      }
    }
    return all;
  }

  /** Each trait once; of kinds, iterators and formats every pair, as a test says. */
  static List<Cell> some(List<String> formats) {
    List<Cell> some = new ArrayList<>();
    int turn = 0;
    for (Trait trait : Trait.values()) {
      if (trait == Trait.PLAIN) {
        continue; // all others hold it
      }
      some.add(
          new Cell(
              KINDS.get(turn % KINDS.size()),
              trait,
              turn % 2 == 0,
              formats.get((turn + 1) / 3 % formats.size())));
      turn++;
    }
    return some;
  }

  /** A part without which the bytes must differ: the trait is there, and the comparison sees it. */
  Part needs() {
    // SameDiff's has no running statistics
    return kind == Kind.SAMEDIFF && trait == Trait.BATCH_NORM ? Part.WEIGHTS : trait.needs;
  }

  /** What alone may decide the bits: neither who loads the data nor how they are stored. */
  Cell decisive() {
    return new Cell(kind, trait, false, FORMATS.get(0));
  }

  List<String> arguments() {
    return List.of(kind.name(), trait.name(), Boolean.toString(prefetch), format);
  }

  static Cell of(List<String> arguments) {
    return new Cell(
        Kind.valueOf(arguments.get(0)),
        Trait.valueOf(arguments.get(1)),
        Boolean.parseBoolean(arguments.get(2)),
        arguments.get(3));
  }
}
