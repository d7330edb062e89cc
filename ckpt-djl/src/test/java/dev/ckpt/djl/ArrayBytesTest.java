package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.ckpt.Progress;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ArrayBytesTest {
  private final NDManager manager = NDManager.newBaseManager();

  @AfterEach
  void close() {
    manager.close();
  }

  @ParameterizedTest
  @EnumSource(
      value = DataType.class,
      names = {"FLOAT32", "FLOAT64", "FLOAT16", "UINT8", "INT8", "INT32", "INT64", "BOOLEAN"})
  void everyTypeIsReadAndWrittenBitByBit(DataType type) {
    NDArray array = manager.arange(37).toType(type, true);
    TensorSpec spec = ArrayBytes.spec("x", "x", array);
    assertThat(ArrayBytes.dataType("x", spec.type())).isEqualTo(type);

    byte[] read = read(array, spec, ArrayBytes.MAX_SLICE, 10);
    assertThat(read).isEqualTo(bytes(array));

    NDArray other = manager.zeros(array.getShape(), type);
    new ArrayBytes(other, manager, spec).fill(view(read), "x");
    assertThat(bytes(other)).isEqualTo(read);
  }

  @Test
  void tensorsLargerThanABufferGoInSlices() {
    NDArray array = manager.arange(1000f).reshape(10, 100);
    TensorSpec spec = ArrayBytes.spec("x", "x", array);
    for (int slice : new int[] {4, 52, 400, 3996, 4000}) {
      byte[] read = read(array, spec, slice, 33);
      assertThat(read).isEqualTo(bytes(array));
      NDArray other = manager.zeros(array.getShape());
      new ArrayBytes(other, manager, spec, slice).fill(view(read), "x");
      assertThat(bytes(other)).isEqualTo(read);
    }
  }

  @Test
  void anArrayThatIsNotContiguousIsReadAndWrittenInItsLogicalOrder() {
    NDArray base = manager.arange(12f).reshape(3, 4);
    NDArray transposed = base.transpose();
    TensorSpec spec = ArrayBytes.spec("x", "x", transposed);
    byte[] read = read(transposed, spec, ArrayBytes.MAX_SLICE, 5);
    assertThat(read).isEqualTo(bytes(transposed.duplicate()));

    NDArray other = manager.zeros(new Shape(3, 4)).transpose();
    new ArrayBytes(other, manager, spec).fill(view(read), "x");
    assertThat(other.toFloatArray()).isEqualTo(transposed.toFloatArray());
  }

  @Test
  void accessLeavesNothingOnTheManager() {
    NDArray transposed = manager.arange(12f).reshape(3, 4).transpose();
    TensorSpec spec = ArrayBytes.spec("x", "x", transposed);
    byte[] read = read(transposed, spec, 16, 7);
    int before = manager.getManagedArrays().size();
    for (int i = 0; i < 20; i++) {
      read(transposed, spec, 16, 7);
      new ArrayBytes(transposed, manager, spec, 16).fill(view(read), "x");
    }
    assertThat(manager.getManagedArrays()).hasSize(before);
  }

  @Test
  void scalarsAndEmptyArraysWork() {
    NDArray scalar = manager.create(4.5f);
    TensorSpec spec = ArrayBytes.spec("x", "x", scalar);
    byte[] read = read(scalar, spec, ArrayBytes.MAX_SLICE, 4);
    NDArray other = manager.create(0f);
    new ArrayBytes(other, manager, spec).fill(view(read), "x");
    assertThat(other.getFloat()).isEqualTo(4.5f);

    NDArray empty = manager.zeros(new Shape(0, 3));
    TensorSpec none = ArrayBytes.spec("x", "x", empty);
    assertThat(none.bytes()).isZero();
    new ArrayBytes(empty, manager, none).copy(0, ByteBuffer.allocate(0));
    new ArrayBytes(empty, manager, none).fill(view(new byte[0]), "x");
  }

  @Test
  void aViewOutlivesTheArrayThatIsClosedUnderIt() {
    NDArray array = manager.arange(1000f);
    TensorSpec spec = ArrayBytes.spec("x", "x", array);
    ArrayBytes bytes = new ArrayBytes(array, manager, spec);
    byte[] expected = bytes(array);
    ByteBuffer into = ByteBuffer.allocate(4000);
    bytes.copy(0, into.limit(100));
    array.close();
    bytes.copy(100, into.limit(4000));
    assertThat(into.array()).isEqualTo(expected);
  }

  @Test
  void aTypeThatWouldAbortTheProcessIsRefusedByName() {
    for (DataType type : List.of(DataType.BFLOAT16, DataType.INT16, DataType.UNKNOWN)) {
      NDArray array =
          (NDArray)
              Proxy.newProxyInstance(
                  getClass().getClassLoader(),
                  new Class<?>[] {NDArray.class},
                  (proxy, method, arguments) -> {
                    if (method.getName().equals("getDataType")) {
                      return type;
                    }
                    throw new AssertionError("touched by " + method);
                  });
      assertThatThrownBy(() -> ArrayBytes.spec("Parameter 01Linear_weight", "x", array))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("Parameter 01Linear_weight")
          .hasMessageContaining(type.toString())
          .hasMessageContaining("float32");
    }
  }

  private byte[] read(NDArray array, TensorSpec spec, int slice, int window) {
    ArrayBytes bytes = new ArrayBytes(array, manager, spec, slice);
    ByteBuffer all = ByteBuffer.allocate((int) spec.bytes());
    for (int offset = 0; offset < all.capacity(); offset = all.position()) {
      bytes.copy(offset, all.limit(Math.min(all.capacity(), offset + window)));
    }
    return all.array();
  }

  private static byte[] bytes(NDArray array) {
    ByteBuffer buffer = array.toByteBuffer();
    byte[] copy = new byte[buffer.remaining()];
    buffer.get(copy);
    return copy;
  }

  private static StateView view(byte[] contents) {
    return new StateView() {
      @Override
      public Progress progress() {
        return Progress.START;
      }

      @Override
      public Set<String> names() {
        return Set.of("x");
      }

      @Override
      public Set<String> values() {
        return Set.of();
      }

      @Override
      public Set<String> opaque() {
        return Set.of();
      }

      @Override
      public TensorSpec spec(String name) {
        throw new NoSuchElementException(name);
      }

      @Override
      public void read(String name, long offset, ByteBuffer into) {
        into.put(contents, (int) offset, into.remaining());
      }

      @Override
      public <T> T value(String name, Class<T> type) {
        throw new NoSuchElementException(name);
      }

      @Override
      public ByteBuffer bytes(String name) {
        throw new NoSuchElementException(name);
      }
    };
  }
}
