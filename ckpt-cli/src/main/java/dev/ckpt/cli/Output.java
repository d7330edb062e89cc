package dev.ckpt.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Standard output that remembers how it failed, because {@link java.io.PrintStream} forgets it: a
 * reader that left ({@code ckpt list | head}) is no error, a full disk is.
 */
final class Output extends OutputStream {
  private final OutputStream to;
  private final boolean pipe;
  private volatile @Nullable IOException failure;

  /**
   * Output to a stream.
   *
   * @param pipe whether somebody reads the other end
   */
  Output(OutputStream to, boolean pipe) {
    this.to = to;
    this.pipe = pipe;
  }

  /** Whether somebody reads the other end. */
  boolean pipe() {
    return pipe;
  }

  /** Whether nothing that is printed from now on arrives anywhere. */
  boolean ended() {
    return failure != null;
  }

  /** What is to be told of the end: nothing if the reader left. */
  @Nullable IOException failure() {
    IOException why = failure;
    boolean left = pipe || String.valueOf(why).toLowerCase(Locale.ROOT).contains("broken pipe");
    return left ? null : why;
  }

  @Override
  public void write(int b) {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int from, int length) {
    if (failure == null) {
      try {
        to.write(bytes, from, length);
      } catch (IOException e) {
        failure = e;
      }
    }
  }

  @Override
  public void flush() {
    if (failure == null) {
      try {
        to.flush();
      } catch (IOException e) {
        failure = e;
      }
    }
  }
}
