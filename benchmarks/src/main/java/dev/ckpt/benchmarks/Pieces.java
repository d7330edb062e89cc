package dev.ckpt.benchmarks;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;

/** A state cut into pieces that several threads share out: the same for every copy measured. */
final class Pieces {

  private static final int BYTES = 4 << 20;

  /** A range of one tensor. */
  record Piece(int tensor, int offset, int bytes) {}

  /** What is done with a piece; called from several threads. */
  @FunctionalInterface
  interface Work {
    void accept(Piece piece);
  }

  private final List<Piece> pieces = new ArrayList<>();

  Pieces(DirectState state) {
    for (int tensor = 0; tensor < state.tensors().size(); tensor++) {
      int bytes = state.tensors().get(tensor).contents.capacity();
      for (int offset = 0; offset < bytes; offset += BYTES) {
        pieces.add(new Piece(tensor, offset, Math.min(BYTES, bytes - offset)));
      }
    }
  }

  /** Does it for all, this thread being one of {@code threads}. */
  void each(int threads, Work work) throws Exception {
    AtomicInteger next = new AtomicInteger();
    List<FutureTask<Void>> helpers = new ArrayList<>();
    for (int i = 1; i < threads; i++) {
      FutureTask<Void> helper = new FutureTask<>(() -> drain(next, work), null);
      helpers.add(helper);
      new Thread(helper, "piece-" + i).start();
    }
    drain(next, work);
    for (FutureTask<Void> helper : helpers) {
      helper.get();
    }
  }

  private void drain(AtomicInteger next, Work work) {
    for (int i = next.getAndIncrement(); i < pieces.size(); i = next.getAndIncrement()) {
      work.accept(pieces.get(i));
    }
  }

  /** Plain memory copy. */
  void memcpy(DirectState from, DirectState to, int threads) throws Exception {
    each(
        threads,
        piece -> {
          ByteBuffer target = to.tensors().get(piece.tensor()).contents;
          ByteBuffer source = from.tensors().get(piece.tensor()).contents;
          target.put(piece.offset(), source, piece.offset(), piece.bytes());
        });
  }
}
