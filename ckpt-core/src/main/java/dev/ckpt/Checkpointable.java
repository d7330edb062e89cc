package dev.ckpt;

/**
 * A part of the state that is saved and restored: a model, an optimizer, a simulation, a database's
 * pages. Called on the thread that calls the manager, never twice at once.
 */
public interface Checkpointable {

  /**
   * Hands the whole state to {@code sink}. The state must stand at a cut: nothing changes it until
   * this returns. Same names, types and shapes at each save make a save cheap. Whatever is thrown
   * fails that save alone.
   */
  void capture(StateSink sink);

  /**
   * Looks whether {@code view} fits, and changes nothing. All parts are checked before any is
   * restored. A part that the checkpoint does not hold sees an empty view here: one that cannot
   * start from nothing must refuse it.
   *
   * @throws CheckpointException.Incompatible listing what is missing, extra and reshaped
   */
  default void check(StateView view) {}

  /**
   * Takes the state over. Everything in {@code view} was verified before. If this throws, the
   * manager refuses further work, because the state is half old, half new.
   */
  void restore(StateView view);
}
