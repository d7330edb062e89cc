package dev.ckpt.djl;

import ai.djl.engine.Engine;
import dev.ckpt.Progress.Phase;
import java.util.function.IntConsumer;
import java.util.function.LongSupplier;

/**
 * Seeds the engine as a function of the run's seed and of where the training stands. The engine's
 * generator cannot be read, only seeded, so this takes the place of saving its state. The count is
 * of batches, never of updates: those would repeat dropout masks among the batches of one
 * accumulated update.
 */
final class Seeding {
  private static final long RANK = 0;
  private static final long OPENED = Mixing.number("opened");
  private static final long INITIALIZE = Mixing.number("initialize");
  private static final long BATCH = Mixing.number("batch");
  private static final long VALIDATION = Mixing.number("validation");
  private static final long ORDER = Mixing.number("order");

  private final LongSupplier runSeed;
  private final IntConsumer engine;

  Seeding(LongSupplier runSeed, IntConsumer engine) {
    this.runSeed = runSeed;
    this.engine = engine;
  }

  /** PyTorch, and DJL's own generator. */
  static void seedDefaultEngine(int seed) {
    Engine.getInstance().setRandomSeed(seed);
  }

  void opened() {
    seed(OPENED, 0);
  }

  void initialize() {
    seed(INITIALIZE, 0);
  }

  /** What follows {@code batches} batches of the run. */
  void after(long batches, Phase phase) {
    seed(BATCH + phase.ordinal(), batches);
  }

  void validation(long batches) {
    seed(VALIDATION, batches);
  }

  /** The drawing of an epoch's order: alike on all workers. */
  void order(int epoch) {
    engine.accept((int) orderKey(epoch));
  }

  long orderKey(int epoch) {
    return Mixing.mix(runSeed.getAsLong(), ORDER, epoch);
  }

  private void seed(long purpose, long count) {
    engine.accept((int) Mixing.mix(runSeed.getAsLong(), RANK, purpose, count));
  }
}
