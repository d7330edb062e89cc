package dev.ckpt.dl4j;

import java.util.Objects;

/**
 * A shuffle of {@code 0 .. size-1} that is computed place by place: no array, no draws in order, so
 * that starting in the middle costs what starting at the front costs.
 *
 * <p>A Feistel network permutes the smallest power of four that holds {@code size}; a value outside
 * is sent through again until it falls inside (cycle walking), which takes less than four rounds of
 * it on average and keeps the map a bijection.
 */
final class Permutation {
  private static final int ROUNDS = 10;

  private final long size;
  private final int halfBits;
  private final long halfMask;
  private final long[] keys = new long[ROUNDS];

  /**
   * The permutation that {@code key} stands for.
   *
   * @param size number of elements, 0 or more
   */
  Permutation(long size, long key) {
    if (size < 0) {
      throw new IllegalArgumentException("a permutation of " + size + " elements");
    }
    this.size = size;
    int bits = size < 2 ? 1 : 64 - Long.numberOfLeadingZeros(size - 1);
    this.halfBits = (bits + 1) / 2;
    this.halfMask = (1L << halfBits) - 1;
    for (int i = 0; i < ROUNDS; i++) {
      keys[i] = Mixing.mix(key, i);
    }
  }

  /** The element at {@code place}. */
  long at(long place) {
    long value = Objects.checkIndex(place, size);
    do {
      value = encrypt(value);
    } while (value >= size);
    return value;
  }

  private long encrypt(long value) {
    long left = value >>> halfBits;
    long right = value & halfMask;
    for (int i = 0; i < ROUNDS; i++) {
      long next = left ^ (Mixing.avalanche(right ^ keys[i]) & halfMask);
      left = right;
      right = next;
    }
    return (left << halfBits) | right;
  }
}
