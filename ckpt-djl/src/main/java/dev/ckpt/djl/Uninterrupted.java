package dev.ckpt.djl;

import java.io.UncheckedIOException;
import java.util.function.Supplier;

/**
 * Reads that an interrupt of the thread, as by a notebook's Stop, does not break: the JDK closes
 * the file under an interrupted reader. The thread is interrupted again behind them.
 */
final class Uninterrupted {
  private Uninterrupted() {}

  /**
   * @param read repeated if an interrupt broke it
   */
  static <T> T get(Supplier<T> read) {
    boolean interrupted = false;
    try {
      while (true) {
        interrupted |= Thread.interrupted();
        try {
          return read.get();
        } catch (UncheckedIOException e) {
          if (!Thread.currentThread().isInterrupted()) {
            throw e;
          }
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
