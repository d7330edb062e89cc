package dev.ckpt.djl;

import dev.ckpt.StateView;
import dev.ckpt.djl.ParamsLayout.Piece;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Iterator;
import java.util.List;

/** The bytes of DJL's file, put together from a layout and a checkpoint's tensors. */
final class ParamsStream extends InputStream {
  private static final int WINDOW = 1 << 18;

  private final StateView model;
  private final Iterator<Piece> pieces;
  private final ByteBuffer window = ByteBuffer.allocate(WINDOW).limit(0);

  /** What is read before the next window. */
  private ByteBuffer literal = ByteBuffer.allocate(0);

  private String tensor = "";
  private long offset;
  private long left;

  ParamsStream(List<Piece> pieces, StateView model) {
    this.pieces = pieces.iterator();
    this.model = model;
  }

  @Override
  public int read() {
    ByteBuffer ready = ready();
    return ready.hasRemaining() ? ready.get() & 0xff : -1;
  }

  @Override
  public int read(byte[] into, int start, int length) {
    if (length == 0) {
      return 0;
    }
    ByteBuffer ready = ready();
    int count = Math.min(length, ready.remaining());
    ready.get(into, start, count);
    return count == 0 ? -1 : count;
  }

  /** The bytes that come next; none at the end. */
  private ByteBuffer ready() {
    while (true) {
      if (literal.hasRemaining()) {
        return literal;
      }
      if (window.hasRemaining()) {
        return window;
      }
      if (left > 0) {
        window.clear().limit((int) Math.min(WINDOW, left));
        model.read(tensor, offset, window);
        window.flip();
        offset += window.limit();
        left -= window.limit();
      } else if (pieces.hasNext()) {
        Piece next = pieces.next();
        literal = ByteBuffer.wrap(next.bytes());
        tensor = next.tensor();
        offset = 0;
        left = tensor.isEmpty() ? 0 : model.spec(tensor).bytes();
      } else {
        return window;
      }
    }
  }
}
