package dev.ckpt.dl4j;

import dev.ckpt.DType;
import dev.ckpt.Shape;
import dev.ckpt.StateView;
import dev.ckpt.TensorSource;
import dev.ckpt.TensorSpec;
import java.nio.ByteBuffer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * The memory of one array, or of a part of one, read and written in place, in the order in which it
 * lies there: nothing is rearranged on the training thread. DL4J keeps matrices column by column:
 * such memory is the row-major one of the transposed matrix, and is called that, with the shape
 * reversed and {@link #reversed} set.
 *
 * <p>Not through {@code new BytePointer(pointer).asByteBuffer()}: it takes the number of elements
 * for a number of bytes and cuts the rest off.
 *
 * @param owner keeps the memory alive
 * @param address of its first byte
 * @param spec what lies there, row by row
 * @param reversed whether the array has its dimensions in the other order
 */
record Region(Object owner, long address, TensorSpec spec, boolean reversed)
    implements TensorSource {

  /** The backend whose arrays lie in the memory of the process. */
  private static final String IN_HOST_MEMORY = "org.nd4j.linalg.cpu.nativecpu.CpuBackend";

  /** Bytes that are looked at through one buffer. */
  static final int WINDOW = 1 << 30;

  /**
   * Refuses a backend that computes elsewhere: what lies in the memory of the process is then a
   * copy that nobody keeps up to date.
   *
   * @throws UnsupportedOperationException saying what to do
   */
  static void requireHostMemory() {
    requireHostMemory(Nd4j.getBackend().getClass().getName());
  }

  /** The same for the backend of that class. */
  static void requireHostMemory(String backend) {
    if (!backend.equals(IN_HOST_MEMORY)) {
      throw new UnsupportedOperationException(
          "ND4J computes with "
              + backend
              + ". ckpt-dl4j reads and writes arrays where they lie, and knows that of "
              + IN_HOST_MEMORY
              + " alone: on a GPU it would save what the training has long replaced. Put"
              + " nd4j-native on the class path and no other backend; GPUs are not supported yet.");
    }
  }

  /**
   * All of an array.
   *
   * @param what names it in messages
   * @throws UnsupportedOperationException if its type cannot be saved, or its elements do not lie
   *     side by side
   */
  static Region of(String what, String name, INDArray array) {
    boolean rows = isDense(array, false);
    if (!rows && !isDense(array, true)) {
      throw new UnsupportedOperationException(
          what
              + " is a view whose elements do not lie side by side, which cannot be saved in place."
              + " Create it from array.dup().");
    }
    return new Region(
        array, addressOf(array), spec(what, name, array.dataType(), array.shape(), !rows), !rows);
  }

  /**
   * A run of elements inside an array.
   *
   * @param from index of its first element
   * @param spec what it is
   */
  static Region within(INDArray array, long from, TensorSpec spec, boolean reversed) {
    return new Region(
        array, addressOf(array) + Math.multiplyExact(from, spec.type().bytes()), spec, reversed);
  }

  private static TensorSpec spec(
      String what, String name, DataType type, long[] dims, boolean reversed) {
    long[] rows = dims.clone();
    if (reversed) {
      for (int i = 0; i < dims.length; i++) {
        rows[i] = dims[dims.length - 1 - i];
      }
    }
    return TensorSpec.of(name, type(what, type), Shape.of(rows));
  }

  static long addressOf(INDArray array) {
    if (array.isEmpty()) {
      return 0;
    }
    return array.data().pointer().address()
        + Math.multiplyExact(array.offset(), (long) array.data().getElementSize());
  }

  /** Whether the elements lie side by side, row by row or else column by column. */
  static boolean isDense(INDArray array, boolean columns) {
    if (array.isEmpty()) {
      return !columns;
    }
    long expected = 1;
    int rank = array.rank();
    for (int i = 0; i < rank; i++) {
      int dim = columns ? i : rank - 1 - i;
      if (array.size(dim) != 1) {
        if (array.stride(dim) != expected) {
          return false;
        }
        expected *= array.size(dim);
      }
    }
    return true;
  }

  /** How core calls a type of ND4J's. */
  static DType type(String what, DataType type) {
    return switch (type) {
      case FLOAT -> DType.FLOAT32;
      case DOUBLE -> DType.FLOAT64;
      case HALF -> DType.FLOAT16;
      case BFLOAT16 -> DType.BFLOAT16;
      case LONG -> DType.INT64;
      case INT -> DType.INT32;
      case SHORT -> DType.INT16;
      case BYTE -> DType.INT8;
      case UINT64 -> DType.UINT64;
      case UINT32 -> DType.UINT32;
      case UINT16 -> DType.UINT16;
      case UBYTE -> DType.UINT8;
      case BOOL -> DType.BOOL;
      default ->
          throw new UnsupportedOperationException(
              what + " is of type " + type + ", which has no fixed size: it cannot be saved");
    };
  }

  /** How ND4J calls a type of core's. */
  static DataType dataType(DType type) {
    return switch (type) {
      case FLOAT32 -> DataType.FLOAT;
      case FLOAT64 -> DataType.DOUBLE;
      case FLOAT16 -> DataType.HALF;
      case BFLOAT16 -> DataType.BFLOAT16;
      case INT64 -> DataType.LONG;
      case INT32 -> DataType.INT;
      case INT16 -> DataType.SHORT;
      case INT8 -> DataType.BYTE;
      case UINT64 -> DataType.UINT64;
      case UINT32 -> DataType.UINT32;
      case UINT16 -> DataType.UINT16;
      case UINT8 -> DataType.UBYTE;
      case BOOL -> DataType.BOOL;
    };
  }

  @Override
  public void copy(long offset, ByteBuffer into) {
    copy(offset, into, WINDOW);
  }

  /** With windows of another size, for tests. */
  void copy(long offset, ByteBuffer into, int most) {
    while (into.hasRemaining()) {
      int length = Math.min(into.remaining(), most);
      into.put(window(offset, length));
      offset += length;
    }
  }

  /** Fills the memory with the bytes of the tensor {@code name} of {@code view}. */
  void fill(StateView view, String name) {
    for (long offset = 0; offset < spec.bytes(); ) {
      int length = (int) Math.min(WINDOW, spec.bytes() - offset);
      view.read(name, offset, window(offset, length));
      offset += length;
    }
  }

  /** The memory itself. */
  ByteBuffer window(long offset, int length) {
    if (offset < 0 || offset + length > spec.bytes()) {
      throw new IndexOutOfBoundsException(offset + " + " + length + " in " + spec);
    }
    return new Span(address + offset, length).asByteBuffer();
  }

  /** Memory that somebody else owns. */
  private static final class Span extends BytePointer {
    Span(long from, long length) {
      super((@Nullable Pointer) null);
      address = from;
      capacity = length;
      limit = length;
    }
  }
}
