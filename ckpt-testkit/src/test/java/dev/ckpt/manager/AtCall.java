package dev.ckpt.manager;

import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;

/** The same medium, with its locks; before one call something else happens on it. */
final class AtCall extends Locking {
  private final int at;
  private final Runnable meanwhile;
  private final List<String> calls = new ArrayList<>();
  private boolean happened;

  /**
   * @param at the call before which it happens, from 1
   */
  AtCall(CheckpointStore medium, int at, Runnable meanwhile) {
    super(medium);
    this.at = at;
    this.meanwhile = meanwhile;
  }

  /** Whether that call came. */
  synchronized boolean happened() {
    return happened;
  }

  /** What was called so far. */
  synchronized List<String> calls() {
    return List.copyOf(calls);
  }

  private void call(String what) {
    synchronized (this) {
      calls.add(what);
      if (calls.size() != at) {
        return;
      }
      happened = true;
    }
    meanwhile.run();
  }

  @Override
  public Closeable lock(String key, String holder) throws IOException {
    call("lock " + key);
    return super.lock(key, holder);
  }

  @Override
  public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
    call("put " + key);
    return super.putIfAbsent(key, small);
  }

  @Override
  public Sink create(String key) throws IOException {
    call("create " + key);
    return super.create(key);
  }

  @Override
  public int read(String key, long offset, ByteBuffer into) throws IOException {
    call("read " + key);
    return super.read(key, offset, into);
  }

  @Override
  public Stream<Entry> list(String prefix, String after) throws IOException {
    call("list " + prefix);
    return super.list(prefix, after);
  }

  @Override
  public void delete(Collection<String> keys) throws IOException {
    call("delete " + keys);
    super.delete(keys);
  }

  @Override
  public Instant now() throws IOException {
    call("now");
    return super.now();
  }
}
