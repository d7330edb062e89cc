package dev.ckpt.testkit;

import java.io.IOException;

/** Something that a call on a crashing file system does, with the tree's lock held. */
@FunctionalInterface
interface DiskAction<T> {
  T run() throws IOException;

  /** Does what is done when the process dies in the middle. */
  default void half() {}

  /** Does what is done all the same when it fails. */
  default void fail() {
    half();
  }

  /** Does less than was asked for, and says so, where the call may. */
  default T shorter() throws IOException {
    return run();
  }
}
