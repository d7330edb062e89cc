package dev.ckpt.internal.memory;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A sequence of bytes without a limit on its length: arrays that grow with it. Written by one
 * thread, then read by many once it is safely published.
 */
final class Slabs {

  private static final int SMALLEST = 4 << 10;
  private static final int LARGEST = 8 << 20;

  private record Slab(long start, ByteBuffer bytes) {}

  private final List<Slab> slabs = new ArrayList<>();
  private long length;

  long length() {
    return length;
  }

  void append(ByteBuffer source) {
    while (source.hasRemaining()) {
      Slab slab = slabs.isEmpty() ? grow(source.remaining()) : slabs.get(slabs.size() - 1);
      int used = (int) (length - slab.start());
      if (used == slab.bytes().capacity()) {
        slab = grow(source.remaining());
        used = 0;
      }
      int n = Math.min(source.remaining(), slab.bytes().capacity() - used);
      slab.bytes().put(used, source, source.position(), n);
      source.position(source.position() + n);
      length += n;
    }
  }

  private Slab grow(int wanted) {
    long size = Math.max(Math.max(length, wanted), SMALLEST);
    Slab slab = new Slab(length, ByteBuffer.allocate((int) Math.min(size, LARGEST)));
    slabs.add(slab);
    return slab;
  }

  /** Gives back what the last slab does not use. */
  void trim() {
    if (!slabs.isEmpty()) {
      Slab last = slabs.remove(slabs.size() - 1);
      int used = (int) (length - last.start());
      slabs.add(new Slab(last.start(), ByteBuffer.wrap(Arrays.copyOf(last.bytes().array(), used))));
    }
  }

  int read(long offset, ByteBuffer into) {
    int before = into.position();
    long at = offset;
    while (into.hasRemaining() && at < length) {
      Slab slab = slabAt(at);
      int from = (int) (at - slab.start());
      long filled = Math.min(slab.bytes().capacity() - from, length - at);
      int n = (int) Math.min(into.remaining(), filled);
      into.put(into.position(), slab.bytes(), from, n);
      into.position(into.position() + n);
      at += n;
    }
    return into.position() - before;
  }

  /** The range as it lies in memory; empty if it straddles two slabs. */
  Optional<ByteBuffer> view(long offset, int size) {
    if (size == 0) {
      return Optional.of(ByteBuffer.allocate(0).asReadOnlyBuffer());
    }
    Slab slab = slabAt(offset);
    int from = (int) (offset - slab.start());
    return from + (long) size <= slab.bytes().capacity()
        ? Optional.of(slab.bytes().slice(from, size).asReadOnlyBuffer())
        : Optional.empty();
  }

  private Slab slabAt(long offset) {
    int low = 0;
    int high = slabs.size() - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (slabs.get(middle).start() <= offset) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return slabs.get(low);
  }
}
