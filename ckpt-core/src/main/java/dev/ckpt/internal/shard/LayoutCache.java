package dev.ckpt.internal.shard;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * The encoded metadata of the last few layouts, so that a save of what was saved before makes no
 * garbage to speak of. A layout is patched by whoever uses it, so it leaves the cache meanwhile.
 * Thread-safe.
 */
public final class LayoutCache<L> {

  private static final int KEPT = 4;

  private final Deque<L> kept = new ArrayDeque<>();

  /** The layout that fits, or a new one; for the caller alone until it is given back. */
  public L take(Predicate<L> fits, Supplier<L> make) {
    synchronized (kept) {
      for (Iterator<L> all = kept.iterator(); all.hasNext(); ) {
        L layout = all.next();
        if (fits.test(layout)) {
          all.remove();
          return layout;
        }
      }
    }
    return make.get();
  }

  /** Keeps a layout for the next who wants it. */
  public void give(L layout) {
    synchronized (kept) {
      kept.addFirst(layout);
      if (kept.size() > KEPT) {
        kept.removeLast();
      }
    }
  }
}
