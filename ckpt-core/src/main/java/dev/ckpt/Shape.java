package dev.ckpt;

import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * The dimensions of a tensor in C order. A scalar has no dimension; a dimension of 0 makes the
 * tensor empty. Immutable.
 */
public final class Shape {
  private final long[] dims;
  private final long elements;

  private Shape(long[] dims) {
    long product = 1;
    boolean empty = false;
    for (long dim : dims) {
      if (dim < 0) {
        throw new IllegalArgumentException("negative dimension in " + Arrays.toString(dims));
      }
      empty |= dim == 0;
    }
    if (!empty) {
      for (long dim : dims) {
        try {
          product = Math.multiplyExact(product, dim);
        } catch (ArithmeticException e) {
          throw new IllegalArgumentException(
              "more than 2^63 elements in " + Arrays.toString(dims), e);
        }
      }
    }
    this.dims = dims;
    this.elements = empty ? 0 : product;
  }

  /**
   * A shape with these dimensions; none for a scalar.
   *
   * @throws IllegalArgumentException on a negative dimension, or more than 2^63 elements
   */
  public static Shape of(long... dims) {
    return new Shape(dims.clone());
  }

  /** Number of dimensions. */
  public int rank() {
    return dims.length;
  }

  /** Size of one dimension, 0 being the outermost. */
  public long dim(int index) {
    return dims[index];
  }

  /** A copy of the dimensions. */
  public long[] dims() {
    return dims.clone();
  }

  /** Number of elements: 1 for a scalar. */
  public long elements() {
    return elements;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape that && Arrays.equals(dims, that.dims);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(dims);
  }

  /** As NumPy prints it: {@code (3, 4)}. */
  @Override
  public String toString() {
    return Arrays.stream(dims).mapToObj(Long::toString).collect(Collectors.joining(", ", "(", ")"));
  }
}
