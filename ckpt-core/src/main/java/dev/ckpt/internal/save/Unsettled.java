package dev.ckpt.internal.save;

import dev.ckpt.CheckpointException;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The saves of one process that failed, may have left files, and are not decided. Each later save
 * decides about them, before it writes anything.
 *
 * <p>One with a vote can wait: it says itself what it is. One that may be without would, together
 * with a second, look like records that were lost (FORMAT.md, "Lost manifests"); so its ABORT comes
 * before the next shard. But a key that does not answer must not end all saves: after a few tries a
 * save goes on without, and the worst of that is a start that asks.
 *
 * <p>Thread-safe: a writer that hangs in here is passed by the next one.
 */
final class Unsettled {
  private static final Logger log = LoggerFactory.getLogger(Unsettled.class);

  /** What is more is decided by the next start. */
  private static final int MOST = 64;

  /** So many saves fail for one that is without a word. */
  private static final int TRIES = 3;

  private static final class Left {
    final boolean over;
    boolean wordless;
    boolean asking;
    int failures;

    Left(boolean wordless, boolean over) {
      this.over = over;
      this.wordless = wordless;
    }
  }

  /** The one that was not tried for longest first; guarded by this. */
  private final Map<CheckpointId, Left> left = new LinkedHashMap<>();

  /**
   * A save failed.
   *
   * @param wordless whether it may have a shard, and has no vote
   * @param over whether its writer has ended; else that reports and cleans up when it does
   */
  synchronized void add(CheckpointId id, boolean wordless, boolean over) {
    Left before = left.remove(id);
    Left now = new Left(wordless, over);
    now.failures = before == null ? 0 : before.failures;
    left.put(id, now);
    if (left.size() > MOST) {
      CheckpointId oldest = left.keySet().iterator().next();
      left.entrySet().stream()
          .filter(each -> !each.getValue().wordless)
          .map(Map.Entry::getKey)
          .findFirst()
          .ifPresentOrElse(left::remove, () -> left.remove(oldest));
    }
  }

  /** It is decided, and cleaned up. */
  synchronized void remove(CheckpointId id) {
    left.remove(id);
  }

  /**
   * Decides about all of them, as far as the store answers.
   *
   * @param but is tried again itself
   * @param moved called before each call that may take its time
   * @param late told of each that turns out to have been committed
   * @throws IOException if a shard would be the second one without a word; so does what {@link
   *     Committer#abort} throws
   */
  void settle(CheckpointId but, Committer committer, Runnable moved, Consumer<Manifest.Commit> late)
      throws IOException {
    for (CheckpointId id : those(true, but)) {
      moved.run();
      try {
        settle(id, committer, late);
      } catch (IOException | CheckpointException e) {
        if (isFirst(id)) {
          throw e;
        }
        log.debug("{}: goes on, though {} is not decided", but, id, e);
      }
    }
    for (CheckpointId id : those(false, but)) {
      moved.run();
      try {
        settle(id, committer, late);
      } catch (IOException | CheckpointException e) {
        log.debug("{}: {} is decided by a later save or start", but, id, e);
        return; // a store that does not answer costs one try a save
      }
    }
  }

  private synchronized List<CheckpointId> those(boolean wordless, CheckpointId but) {
    List<CheckpointId> ids = new ArrayList<>();
    left.forEach(
        (id, each) -> {
          if (each.wordless == wordless && !id.equals(but)) {
            ids.add(id);
          }
        });
    return ids;
  }

  private void settle(CheckpointId id, Committer committer, Consumer<Manifest.Commit> late)
      throws IOException {
    Left each = begin(id);
    if (each == null) {
      return;
    }
    boolean done = false;
    try {
      Manifest decision = committer.abort(id, "its save failed");
      decided(each);
      if (each.over && decision instanceof Manifest.Abort) {
        committer.discard(id);
      } else if (each.over && decision instanceof Manifest.Commit commit) {
        late.accept(commit);
      }
      done = true;
    } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
      log.debug("{}: its key is taken, so it is never committed", id, e);
      done = true;
    } finally {
      end(id, each, done);
    }
  }

  /** What is left of it is only in the way now. */
  private synchronized void decided(Left each) {
    each.wordless = false;
  }

  private synchronized @Nullable Left begin(CheckpointId id) throws IOException {
    Left each = left.get(id);
    if (each == null) {
      return null;
    }
    if (each.asking) {
      if (!each.wordless) {
        return null;
      }
      each.failures++;
      throw new IOException("an earlier save still waits for an answer about " + id);
    }
    each.asking = true;
    return each;
  }

  private synchronized void end(CheckpointId id, Left each, boolean done) {
    each.asking = false;
    if (left.get(id) != each) {
      return; // its writer has ended meanwhile, and said what is left
    }
    left.remove(id);
    if (!done) {
      each.failures++;
      left.put(id, each);
    }
  }

  /** Whether a save must not go on without that one. */
  private synchronized boolean isFirst(CheckpointId id) {
    Left each = left.get(id);
    return each != null && each.wordless && each.failures <= TRIES;
  }
}
