package dev.ckpt.internal.local;

import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Path;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Writes a temporary file and publishes it under its name.
 *
 * <p>Write-back starts early: every {@value #FORCE_EVERY} bytes one force, at most one at a time,
 * runs beside the further writes, so that the medium works while the encoder still computes. A
 * force that fails, early or late, ends the sink: the kernel reports a lost page once, and a second
 * force would succeed over the hole.
 */
final class PosixSink implements CheckpointStore.Sink {

  static final int FORCE_EVERY = 32 << 20;

  private enum State {
    OPEN,
    COMPLETING,
    FAILED,
    COMPLETE,
    ABORTED
  }

  private final Publisher publisher;
  private final String key;
  private final Path target;
  private final Temporary temporary;
  private final Executor forcing;
  private final Consumer<PosixSink> ended;
  private final AtomicReference<State> state = new AtomicReference<>(State.OPEN);
  private long unforced;
  private @Nullable FutureTask<Void> force;

  PosixSink(
      Publisher publisher,
      String key,
      Path target,
      Temporary temporary,
      Executor forcing,
      Consumer<PosixSink> ended) {
    this.publisher = publisher;
    this.ended = ended;
    this.key = key;
    this.target = target;
    this.temporary = temporary;
    this.forcing = forcing;
  }

  Path temporary() {
    return temporary.path();
  }

  @Override
  public void write(ByteBuffer... sources) throws IOException {
    requireOpen(state.get() == State.OPEN);
    long bytes = 0;
    for (ByteBuffer source : sources) {
      bytes += source.remaining();
    }
    boolean written = false;
    try {
      temporary.write(sources);
      unforced += bytes;
      if (unforced >= FORCE_EVERY && joinForce(false)) {
        unforced = 0;
        force =
            new FutureTask<>(
                () -> {
                  temporary.force(false);
                  return null;
                });
        forcing.execute(force);
      }
      written = true;
    } finally {
      if (!written) {
        state.compareAndSet(State.OPEN, State.FAILED);
      }
    }
  }

  @Override
  public void complete() throws IOException {
    requireOpen(state.compareAndSet(State.OPEN, State.COMPLETING));
    try {
      joinForce(true);
      temporary.force(true);
      temporary.close();
      if (!publisher.publish(temporary.path(), target)) {
        throw new FileAlreadyExistsException(key, null, "objects are never overwritten");
      }
      state.compareAndSet(State.COMPLETING, State.COMPLETE);
    } finally {
      if (!state.compareAndSet(State.COMPLETING, State.FAILED)) {
        ended.accept(this);
      }
    }
  }

  /** Whether no force is under way. */
  private boolean joinForce(boolean wait) throws IOException {
    FutureTask<Void> running = force;
    if (running == null) {
      return true;
    }
    if (!wait && !running.isDone()) {
      return false;
    }
    boolean interrupted = false;
    try {
      while (true) {
        try {
          running.get();
          force = null;
          return true;
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } catch (ExecutionException e) {
      throw new IOException(
          "Could not make the first part of " + key + " durable: " + e.getCause(), e.getCause());
    } catch (CancellationException e) {
      throw new IOException(key + " was given up", e);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @Override
  public void abort() {
    State before = state.getAndUpdate(s -> s == State.COMPLETE ? s : State.ABORTED);
    if (before != State.COMPLETE && before != State.ABORTED) {
      temporary.discard();
      ended.accept(this);
    }
  }

  @Override
  public void close() {
    abort();
  }

  private void requireOpen(boolean open) {
    if (!open) {
      throw new IllegalStateException(
          "the sink of " + key + " is " + state.get() + " and takes nothing more");
    }
  }
}
