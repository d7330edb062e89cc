package dev.ckpt.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import dev.ckpt.DType;
import dev.ckpt.Shape;
import dev.ckpt.StateView;
import dev.ckpt.TensorSource;
import dev.ckpt.TensorSpec;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of one NDArray, read and written in place.
 *
 * <p>{@code toByteBuffer(true)} gives a buffer over the tensor's own memory, but of an array that
 * is not contiguous it gives a copy, which stays attached to the array's manager for good; and it
 * takes no tensor of 2 GiB or more. So every access goes through a flat view on a short-lived
 * manager of its own, slice by slice. The view holds the storage: memory that is being copied
 * cannot go away, even if the array is closed meanwhile.
 */
final class ArrayBytes implements TensorSource, AutoCloseable {

  /** Bytes of the largest slice that is looked at through one buffer. */
  static final int MAX_SLICE = 1 << 30;

  private final NDArray array;
  private final NDManager parent;
  private final int itemBytes;
  private final long bytes;
  private final long sliceElements;

  private @Nullable NDManager scope;
  private @Nullable NDArray flat;
  private @Nullable ByteBuffer window;
  private long windowStart;

  ArrayBytes(NDArray array, NDManager parent, TensorSpec spec) {
    this(array, parent, spec, MAX_SLICE);
  }

  ArrayBytes(NDArray array, NDManager parent, TensorSpec spec, int maxSlice) {
    this.array = array;
    this.parent = parent;
    this.itemBytes = spec.type().bytes();
    this.bytes = spec.bytes();
    this.sliceElements = Math.max(1, maxSlice / itemBytes);
  }

  /**
   * What there is to know of an array.
   *
   * @param what names it in messages
   * @throws UnsupportedOperationException if its type cannot be saved
   */
  static TensorSpec spec(String what, String name, NDArray array) {
    return TensorSpec.of(
        name, type(what, array.getDataType()), Shape.of(array.getShape().getShape()));
  }

  private static DType type(String what, DataType type) {
    // the others abort the whole JVM inside PyTorch when an array of them is created
    return switch (type) {
      case FLOAT32 -> DType.FLOAT32;
      case FLOAT64 -> DType.FLOAT64;
      case FLOAT16 -> DType.FLOAT16;
      case UINT8 -> DType.UINT8;
      case INT8 -> DType.INT8;
      case INT32 -> DType.INT32;
      case INT64 -> DType.INT64;
      case BOOLEAN -> DType.BOOL;
      default ->
          throw new UnsupportedOperationException(
              what
                  + " is of type "
                  + type
                  + ", which DJL's PyTorch engine cannot create again. Use float32, float64,"
                  + " float16, uint8, int8, int32, int64 or boolean.");
    };
  }

  /** The type of DJL's that {@link #spec} made {@code type} of. */
  static DataType dataType(String what, DType type) {
    return switch (type) {
      case FLOAT32 -> DataType.FLOAT32;
      case FLOAT64 -> DataType.FLOAT64;
      case FLOAT16 -> DataType.FLOAT16;
      case UINT8 -> DataType.UINT8;
      case INT8 -> DataType.INT8;
      case INT32 -> DataType.INT32;
      case INT64 -> DataType.INT64;
      case BOOL -> DataType.BOOLEAN;
      default ->
          throw new UnsupportedOperationException(
              what + " is of type " + type.id() + ", which DJL's PyTorch engine cannot create");
    };
  }

  @Override
  public void copy(long offset, ByteBuffer into) {
    while (into.hasRemaining()) {
      ByteBuffer source = windowAt(offset);
      int start = (int) (offset - windowStart);
      int length = Math.min(into.remaining(), source.capacity() - start);
      into.put(into.position(), source, start, length);
      into.position(into.position() + length);
      offset += length;
    }
    if (offset == bytes) {
      close();
    }
  }

  /** The bytes of a tensor, as {@link StateView#read} gives them. */
  @FunctionalInterface
  interface Contents {
    void read(long offset, ByteBuffer into);
  }

  /** Fills the array with the bytes of the tensor {@code name} of {@code view}. */
  void fill(StateView view, String name) {
    fill((offset, into) -> view.read(name, offset, into));
  }

  /** Fills the array. */
  void fill(Contents contents) {
    if (bytes == 0) {
      return;
    }
    try (this) {
      if (isAliased()) {
        for (long offset = 0; offset < bytes; ) {
          ByteBuffer slice = windowAt(offset).duplicate().clear();
          contents.read(offset, slice);
          offset += slice.capacity();
        }
        return;
      }
    }
    try (NDManager own = parent.newSubManager()) {
      NDArray contiguous = own.create(array.getShape(), array.getDataType(), array.getDevice());
      TensorSpec spec = spec("array", "array", array);
      new ArrayBytes(contiguous, own, spec, (int) (sliceElements * itemBytes)).fill(contents);
      contiguous.copyTo(array);
    }
  }

  /** Whether the buffer is the array's own memory: a change through one view is seen in another. */
  private boolean isAliased() {
    if (array.getDevice().isGpu()) {
      return false;
    }
    ByteBuffer first = windowAt(0);
    byte before = first.get(0);
    first.put(0, (byte) ~before);
    try (NDManager other = parent.newSubManager()) {
      NDArray view = flat(other);
      return slice(view, 0).toByteBuffer(true).get(0) == (byte) ~before;
    } finally {
      first.put(0, before);
    }
  }

  private ByteBuffer windowAt(long offset) {
    ByteBuffer current = window;
    if (current != null && offset >= windowStart && offset - windowStart < current.capacity()) {
      return current;
    }
    NDManager own = scope;
    if (own == null) {
      own = parent.newSubManager();
      scope = own;
      flat = flat(own);
    }
    NDArray whole = flat;
    if (whole == null) {
      throw new IllegalStateException("the view of this array is closed");
    }
    long sliceBytes = sliceElements * itemBytes;
    long index = offset / sliceBytes;
    ByteBuffer next = slice(whole, index * sliceElements).toByteBuffer(true).slice();
    window = next;
    windowStart = index * sliceBytes;
    return next;
  }

  private NDArray flat(NDManager owner) {
    NDArray view = array.reshape(-1);
    view.attach(owner);
    return view;
  }

  private NDArray slice(NDArray whole, long start) {
    long elements = whole.size();
    if (elements <= sliceElements) {
      return whole;
    }
    long end = Math.min(elements, start + sliceElements);
    return whole.get(new NDIndex().addSliceDim(start, end));
  }

  /** Lets go of the view. */
  @Override
  public void close() {
    NDManager own = scope;
    scope = null;
    flat = null;
    window = null;
    if (own != null) {
      own.close();
    }
  }
}
