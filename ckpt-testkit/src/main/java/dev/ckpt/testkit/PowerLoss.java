package dev.ckpt.testkit;

import java.util.ArrayList;
import java.util.List;

/**
 * What a loss of power does to what was not forced. What was forced, contents by a file's own force
 * and entries by a force of their folder, always survives.
 *
 * @param damage what becomes of contents
 * @param survival which changes of folders survive
 * @param seed picks the bit that is flipped, and which every other change it is
 */
public record PowerLoss(Damage damage, Survival survival, long seed) {

  /** What becomes of contents that were written and not forced. */
  public enum Damage {
    /** They had reached the disk all the same. What a failed force dropped had not. */
    KEPT,
    /** A file that was never forced is gone, under all its names; another is as it was forced. */
    DELETED,
    /** The file ends where the first byte stands that was not forced. */
    EMPTIED,
    /** The file ends in the middle of what was not forced. */
    CUT,
    /** The length is right, but what was not forced is zero. */
    ZEROED,
    /** One bit of what was not forced is wrong. */
    FLIPPED
  }

  /**
   * Which of the creations, links, renames and deletions survive that no force of their folder made
   * durable. A rename is one change.
   */
  public enum Survival {
    NONE,
    ALL,
    /** The older half: the order was kept. */
    FIRST_HALF,
    /** The newer half: the order was turned round. */
    LAST_HALF,
    /** Every second one; the seed says which. */
    EVERY_OTHER
  }

  /** Every damage with every survival. */
  public static List<PowerLoss> all(long seed) {
    List<PowerLoss> all = new ArrayList<>();
    for (Damage damage : Damage.values()) {
      for (Survival survival : Survival.values()) {
        all.add(new PowerLoss(damage, survival, seed));
      }
    }
    return List.copyOf(all);
  }

  /** Those changes of {@code pending}, oldest first, that survive. */
  <T> List<T> survivors(List<T> pending) {
    int half = (pending.size() + 1) / 2;
    return switch (survival) {
      case NONE -> List.of();
      case ALL -> List.copyOf(pending);
      case FIRST_HALF -> List.copyOf(pending.subList(0, half));
      case LAST_HALF -> List.copyOf(pending.subList(pending.size() - half, pending.size()));
      case EVERY_OTHER -> {
        List<T> some = new ArrayList<>();
        for (int i = (int) (seed & 1); i < pending.size(); i += 2) {
          some.add(pending.get(i));
        }
        yield List.copyOf(some);
      }
    };
  }
}
