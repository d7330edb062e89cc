package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.Checkpoints;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.Stores;
import dev.ckpt.TensorSpec;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Clock;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32C;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;

/** The memory of arrays, in place, of every type and shape. */
class RegionTest {

  @Test
  void aPartOfAnArrayIsReadAndWrittenWhereItLies() {
    INDArray flat = Nd4j.arange(60).castTo(DataType.FLOAT);
    INDArray rows = flat.get(NDArrayIndex.interval(12, 24)).reshape('c', 3, 4);
    INDArray columns = flat.get(NDArrayIndex.interval(24, 36)).reshape('f', 3, 4);

    Region byRow = Region.of("r", "r", rows);
    assertThat(byRow.reversed()).isFalse();
    assertThat(byRow.spec().shape()).isEqualTo(Shape.of(3, 4));
    assertThat(floats(byRow)).startsWith(12, 13).hasSize(12);

    Region byColumn = Region.of("c", "c", columns);
    assertThat(byColumn.reversed()).isTrue();
    assertThat(byColumn.spec().shape()).isEqualTo(Shape.of(4, 3));
    assertThat(floats(byColumn)).startsWith(24, 25, 26);

    byColumn.window(0, 4).order(ByteOrder.LITTLE_ENDIAN).putFloat(-1);
    assertThat(flat.getFloat(24)).isEqualTo(-1);
    assertThat(columns.getFloat(0, 0)).isEqualTo(-1);
  }

  @Test
  void aViewWithGapsIsRefused() {
    INDArray gaps =
        Nd4j.arange(60).reshape('c', 6, 10).get(NDArrayIndex.all(), NDArrayIndex.point(3));
    assertThatThrownBy(() -> Region.of("Variable w", "w", gaps))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("Variable w")
        .hasMessageContaining("array.dup()");
  }

  @Test
  void windowsOfAnySizeGiveTheSameBytes() {
    long seed = System.nanoTime();
    System.out.println("RegionTest seed=" + seed);
    Random random = new Random(seed);
    Region region = Region.of("a", "a", Nd4j.rand(DataType.DOUBLE, 37, 5));
    ByteBuffer whole = ByteBuffer.allocate((int) region.spec().bytes());
    region.copy(0, whole);
    for (int i = 0; i < 50; i++) {
      int from = random.nextInt(whole.capacity());
      ByteBuffer part = ByteBuffer.allocateDirect(random.nextInt(whole.capacity() - from + 1));
      region.copy(from, part, 1 + random.nextInt(100));
      assertThat(part.flip()).isEqualTo(whole.duplicate().slice(from, part.capacity()));
    }
    assertThatThrownBy(() -> region.window(whole.capacity() - 1, 2))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void moreThanTwoGibibytesAreReachedToTheLastByte() {
    long size = (1L << 31) + 100; // only what is touched becomes memory
    Pointer memory = Pointer.malloc(size);
    try {
      TensorSpec spec = TensorSpec.of("large", DType.INT8, Shape.of(size));
      Region region = new Region(memory, memory.address(), spec, false);
      byte[] end = {1, 2, 3, 4, 5, 6, 7, 8};
      region.window(size - 8, 8).put(end);
      ByteBuffer read = ByteBuffer.allocate(8);
      region.copy(size - 8, read);
      assertThat(read.array()).isEqualTo(end);
    } finally {
      Pointer.free(memory);
    }
  }

  /** Anything, as any framework might have written it. */
  private record Anything(Map<String, INDArray> arrays) implements Checkpointable {
    @Override
    public void capture(StateSink sink) {
      arrays.forEach(
          (name, array) -> {
            Region region = Region.of(name, name, array);
            sink.tensor(region.spec(), region, Stability.COPY_NOW);
          });
    }

    @Override
    public void restore(StateView view) {}
  }

  @Test
  void everyTypeAndShapeComesBackAsAnArray() {
    Map<String, INDArray> arrays = new LinkedHashMap<>();
    for (DType type : DType.values()) {
      INDArray values = Nd4j.createFromArray(0.0, 1, 0, 1, 1, 0).castTo(Region.dataType(type));
      arrays.put(type.id(), values.reshape('c', 2, 3));
    }
    arrays.put("scalar", Nd4j.scalar(3.5f));
    arrays.put("empty", Nd4j.create(DataType.FLOAT, 0, 3));
    arrays.put("four/dimensions", Nd4j.rand(DataType.FLOAT, 2, 3, 4, 5));
    InMemoryStore store = new InMemoryStore(Clock.systemUTC());
    try (CheckpointManager manager =
        CheckpointManager.in(store).run("any").part("any", new Anything(arrays)).open()) {
      manager.resume();
      manager.save(Progress.step(1), Map.of()).join();
    }
    try (NDArrayReader reader = NDArrayReader.open(Checkpoints.read(store, "any"), "latest")) {
      assertThat(reader.names()).hasSize(arrays.size());
      arrays.forEach(
          (name, array) -> {
            INDArray read = reader.read("any/" + name);
            assertThat(read.dataType()).as(name).isEqualTo(array.dataType());
            assertThat(read.shape()).as(name).isEqualTo(array.shape());
            if (!array.isEmpty()) {
              assertThat(read.castTo(DataType.DOUBLE).toString())
                  .as(name)
                  .isEqualTo(array.castTo(DataType.DOUBLE).toString());
            }
          });
      assertThatThrownBy(() -> reader.read("other/x")).hasMessageContaining("any/scalar");
    }
  }

  @Tag("nightly")
  @Test
  void anArrayOfMoreThanTwoGibibytesIsSavedAndReadBackToTheLastByte(@TempDir Path folder)
      throws IOException {
    long size = (1L << 29) + 25;
    try (INDArray large = Nd4j.create(DataType.FLOAT, size);
        CheckpointStore store = Stores.local(folder)) {
      for (long at : new long[] {0, 1, size / 3, (1L << 29) - 1, 1L << 29, size - 1}) {
        large.putScalar(at, (float) (at % 1000) + 0.5f);
      }
      try (CheckpointManager manager =
          CheckpointManager.in(store)
              .run("large")
              .part("any", new Anything(Map.of("large", large)))
              .open()) {
        manager.resume();
        manager.save(Progress.step(1), Map.of()).join();
      }
      try (NDArrayReader reader = NDArrayReader.open(Checkpoints.read(store, "large"), "latest");
          INDArray read = reader.read("any/large")) {
        assertThat(read.shape()).containsExactly(size);
        assertThat(crc(read)).isEqualTo(crc(large));
        read.putScalar(size - 1, 0);
        assertThat(crc(read)).as("it sees the last one").isNotEqualTo(crc(large));
      }
    }
  }

  private static long crc(INDArray array) {
    Region region = Region.of("a", "a", array);
    CRC32C crc = new CRC32C();
    for (long offset = 0; offset < region.spec().bytes(); ) {
      int length = (int) Math.min(1 << 26, region.spec().bytes() - offset);
      crc.update(region.window(offset, length));
      offset += length;
    }
    return crc.getValue();
  }

  private static float[] floats(Region region) {
    ByteBuffer bytes =
        ByteBuffer.allocate((int) region.spec().bytes()).order(ByteOrder.LITTLE_ENDIAN);
    region.copy(0, bytes);
    float[] values = new float[bytes.capacity() / Float.BYTES];
    bytes.flip().asFloatBuffer().get(values);
    return values;
  }
}
