package dev.ckpt.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.DType;
import dev.ckpt.Placement;
import dev.ckpt.Shape;
import dev.ckpt.TensorSpec;
import dev.ckpt.spi.ShardFormat;
import dev.ckpt.testkit.MemoryShard.State;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.Test;

/** What every {@link ShardFormat} promises. Extend it in a test and return the format. */
public abstract class ShardFormatContract {

  private static final IntUnaryOperator ALL = IntUnaryOperator.identity();
  private static final Map<String, String> HEADER = Map.of("run", "digits", "step", "42");

  /** A new instance, as users get it. */
  protected abstract ShardFormat format();

  /** A new instance that cuts tensors into pieces of about 64 bytes, if the format cuts at all. */
  protected ShardFormat cutting() {
    return format();
  }

  @Test
  void everyTypeComesBack() throws IOException {
    List<TensorSpec> specs = new ArrayList<>();
    for (DType type : DType.values()) {
      specs.add(TensorSpec.of("model/" + type.id(), type, Shape.of(3, 5)));
      specs.add(TensorSpec.of("model/scalar/" + type.id(), type, Shape.of()));
      specs.add(TensorSpec.of("model/empty/" + type.id(), type, Shape.of(2, 0, 7)));
      specs.add(TensorSpec.of("model/ones/" + type.id(), type, Shape.of(1, 1, 1)));
    }
    roundTrip(format(), state(specs, "{\"model\":{\"lr\":0.1}}"), ALL);
    roundTrip(cutting(), state(specs, "{}"), ALL);
  }

  @Test
  void aShardWithoutTensorsComesBack() throws IOException {
    roundTrip(format(), state(List.of(), "{}"), ALL);
    roundTrip(format(), state(List.of(TensorSpec.of("a/b", DType.INT8, Shape.of(0))), "{}"), ALL);
  }

  @Test
  void everyNameComesBack() throws IOException {
    List<TensorSpec> specs = new ArrayList<>();
    for (String name :
        List.of(
            "m/a",
            "m/a/b/c",
            "/no part",
            "m/",
            "m//",
            "m/a#0",
            "m/a#1",
            "m/#",
            "m/100%",
            "m/%23",
            "m/%",
            "m/ŷ\u4e2d\ud83d\ude00",
            "m/\u0000\n\t\u007f\u0085",
            "m/\ud83d",
            "m/\ude00\ud83d",
            "m/a b\"'\\{}",
            "m/ckpt.values",
            "m/" + "x".repeat(3000))) {
      specs.add(TensorSpec.of(name, DType.INT16, Shape.of(3)));
      specs.add(TensorSpec.of(name + "-large", DType.INT16, Shape.of(100)));
      specs.add(TensorSpec.of(name + "-empty", DType.INT16, Shape.of(0)));
    }
    roundTrip(format(), state(specs, "{}"), ALL);
    roundTrip(cutting(), state(specs, "{}"), ALL);
  }

  @Test
  void everyPlacementComesBack() throws IOException {
    List<TensorSpec> specs = new ArrayList<>();
    for (long size : new long[] {0, 4, 100}) {
      Shape shape = Shape.of(size, 2);
      Placement slice = new Placement.Slice(Shape.of(2 * size, 2), Shape.of(size, 0));
      specs.add(new TensorSpec("m/own" + size, DType.FLOAT32, shape, Placement.PER_WORKER));
      specs.add(new TensorSpec("m/all" + size, DType.FLOAT32, shape, Placement.REPLICATED));
      specs.add(new TensorSpec("m/part" + size, DType.FLOAT32, shape, slice));
    }
    roundTrip(format(), state(specs, "{}"), ALL);
    roundTrip(cutting(), state(specs, "{}"), ALL);
  }

  @Test
  void valuesAndHeaderComeBack() throws IOException {
    for (String values :
        List.of(
            "{}",
            "{\"p\":{\"k\":\"ŷ\u4e2d\ud83d\ude00\"}}",
            "{\"p\":{\"k\":\"" + "y".repeat(3 << 20) + "\"}}")) {
      roundTrip(format(), state(someTensors(), values), ALL);
    }
    Map<String, String> header = new LinkedHashMap<>();
    header.put("z", "");
    header.put("a.b", "ŷ\n\u0000");
    header.put("long", "x".repeat(100_000));
    roundTrip(format(), new State(header, List.of(), List.of(), "{}"), ALL);
    roundTrip(format(), new State(Map.of(), List.of(), List.of(), "{}"), ALL);
  }

  @Test
  void windowsOfAnySizeGiveTheSameBytes() throws IOException {
    State state =
        state(
            List.of(
                TensorSpec.of("m/large", DType.FLOAT32, Shape.of(600_001)),
                TensorSpec.of("m/small", DType.UINT8, Shape.of(7)),
                TensorSpec.of("m/middle", DType.BFLOAT16, Shape.of(40_000)),
                TensorSpec.of("m/exact", DType.INT64, Shape.of(1 << 17))),
            "{}");
    MemoryShard whole = MemoryShard.write(format(), state, ALL);
    for (int size : new int[] {4097, 32767, 32768, 65_537, (1 << 20) - 1}) {
      assertThat(roundTrip(format(), state, max -> size)).isEqualTo(whole.bytes());
    }
    Random random = new Random(7);
    assertThat(roundTrip(format(), state, max -> 1 + random.nextInt(100_000)))
        .isEqualTo(whole.bytes());
  }

  @Test
  void twoWritesGiveEqualBytes() throws IOException {
    ShardFormat format = format();
    State state = state(someTensors(), "{\"a\":{}}");
    State longer = state(someTensors(), "{\"a\":{\"b\":[1,2,3]}}");
    byte[] first = roundTrip(format, state, ALL);
    byte[] other = roundTrip(format, longer, ALL);
    assertThat(roundTrip(format, state, ALL)).isEqualTo(first);
    assertThat(roundTrip(format(), longer, ALL)).isEqualTo(other);
    Map<String, String> reversed = new LinkedHashMap<>();
    HEADER.keySet().stream().sorted().forEach(key -> reversed.put(key, HEADER.get(key)));
    assertThat(
            roundTrip(
                format(),
                new State(reversed, state.tensors(), state.contents(), "{\"a\":{}}"),
                ALL))
        .isEqualTo(first);
  }

  @Test
  void writesAtOnceDoNotDisturbEachOther() throws Exception {
    ShardFormat format = format();
    List<State> states = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      states.add(state(someTensors(), "{\"n\":\"" + "n".repeat(i * 50) + "\"}"));
    }
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Future<byte[]>> written = new ArrayList<>();
      for (int round = 0; round < 10; round++) {
        for (State state : states) {
          written.add(threads.submit(() -> roundTrip(format, state, max -> 13)));
        }
      }
      for (int i = 0; i < written.size(); i++) {
        assertThat(written.get(i).get())
            .isEqualTo(MemoryShard.write(format(), states.get(i % states.size()), ALL).bytes());
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void aReadMayBeginAndEndAnywhere() throws IOException {
    State state =
        state(
            List.of(
                TensorSpec.of("m/a", DType.UINT8, Shape.of(200)),
                TensorSpec.of("m/b", DType.FLOAT64, Shape.of(25))),
            "{}");
    for (ShardFormat format : List.of(format(), cutting())) {
      MemoryShard shard = MemoryShard.write(format, state, ALL);
      ShardFormat.Reader reader = shard.open(format, shard.bytes());
      for (int tensor = 0; tensor < 2; tensor++) {
        byte[] contents = state.contents().get(tensor);
        for (int from = 0; from <= contents.length; from++) {
          for (int to = from; to <= contents.length; to++) {
            ByteBuffer into = ByteBuffer.allocate(to - from);
            reader.read(tensor, from, into);
            assertThat(into.hasRemaining()).isFalse();
            assertThat(into.array()).isEqualTo(Arrays.copyOfRange(contents, from, to));
          }
        }
      }
    }
  }

  @Test
  void aReadBeyondTheTensorIsRefused() throws IOException {
    ShardFormat format = format();
    MemoryShard shard = MemoryShard.write(format, state(someTensors(), "{}"), ALL);
    ShardFormat.Reader reader = shard.open(format, shard.bytes());
    long bytes = reader.tensors().get(0).bytes();
    for (long offset : new long[] {-1, bytes, bytes + 1, Long.MAX_VALUE, Long.MIN_VALUE}) {
      assertThatThrownBy(() -> reader.read(0, offset, ByteBuffer.allocate(1)))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void rangesAreWhereTheBytesLie() throws IOException {
    for (ShardFormat format : List.of(format(), cutting())) {
      State state = state(someTensors(), "{}");
      MemoryShard shard = MemoryShard.write(format, state, ALL);
      ShardFormat.Reader reader = shard.open(format, shard.bytes());
      for (int i = 0; i < state.tensors().size(); i++) {
        ByteBuffer joined = ByteBuffer.allocate(state.contents().get(i).length);
        long[] ranges = reader.ranges(i);
        for (int k = 0; k < ranges.length; k += 2) {
          joined.put(shard.bytes(), (int) ranges[k], (int) (ranges[k + 1] - ranges[k]));
        }
        assertThat(joined.array()).isEqualTo(state.contents().get(i));
      }
    }
  }

  @Test
  void everyBitFlipIsFound() throws IOException {
    for (ShardFormat format : List.of(format(), cutting())) {
      MemoryShard shard = MemoryShard.write(format, state(fewTensors(), "{\"p\":{}}"), ALL);
      byte[] found = shard.bytes().clone();
      shard.verified(format, found).verifyAll(1);
      for (int bit = 0; bit < found.length * 8; bit++) {
        found[bit / 8] ^= (byte) (1 << (bit % 8));
        int flipped = bit;
        assertThatThrownBy(() -> shard.verified(format, found).verifyAll(1), "bit %s", flipped)
            .isInstanceOf(CheckpointException.Corrupt.class)
            .hasMessageContaining("memory");
        found[bit / 8] ^= (byte) (1 << (bit % 8));
      }
      shard.verified(format, found).verifyAll(1);
    }
  }

  @Test
  void everyOtherLengthIsFound() throws IOException {
    ShardFormat format = format();
    MemoryShard shard = MemoryShard.write(format, state(fewTensors(), "{\"p\":{}}"), ALL);
    for (int length = 0; length < shard.bytes().length + 100; length++) {
      if (length != shard.bytes().length) {
        byte[] found = Arrays.copyOf(shard.bytes(), length);
        assertThatThrownBy(() -> shard.verified(format, found), "%s bytes", length)
            .isInstanceOf(CheckpointException.Corrupt.class)
            .hasMessageContaining("memory");
        assertThatThrownBy(() -> format.reader(MemoryShard.input(found)), "%s bytes", length)
            .isInstanceOf(CheckpointException.Corrupt.class);
      }
    }
  }

  /** Whatever stands in a file, a reader gives tensors within it or says that it is no shard. */
  @Test
  void aForgedShardDoesNoHarm() throws IOException {
    long seed = System.nanoTime();
    System.out.println("seed of aForgedShardDoesNoHarm: " + seed);
    Random random = new Random(seed);
    ShardFormat format = cutting();
    MemoryShard shard = MemoryShard.write(format, state(fewTensors(), "{\"p\":{}}"), ALL);
    for (int round = 0; round < 20_000; round++) {
      byte[] forged = shard.bytes().clone();
      int changes = 1 + random.nextInt(4);
      for (int i = 0; i < changes; i++) {
        int at = random.nextInt(forged.length);
        switch (random.nextInt(4)) {
          case 0 -> forged[at] = (byte) random.nextInt(256);
          case 1 -> forged[at] = -1;
          case 2 -> forged[at] ^= (byte) (1 << random.nextInt(8));
          default -> forged[at] += (byte) (random.nextBoolean() ? 8 : -8);
        }
      }
      try {
        ShardFormat.Reader reader = format.reader(MemoryShard.input(forged));
        reader.values();
        for (int i = 0; i < reader.tensors().size(); i++) {
          long bytes = reader.tensors().get(i).bytes();
          assertThat(bytes).as("round %s of seed %s", round, seed).isLessThan(forged.length);
          reader.read(i, 0, ByteBuffer.allocate((int) bytes));
        }
      } catch (CheckpointException.Corrupt | CheckpointException.Incompatible expected) {
        assertThat(expected).hasMessageContaining("memory");
      } catch (RuntimeException e) {
        throw new AssertionError("round " + round + " of seed " + seed, e);
      }
    }
  }

  @Test
  void aForeignFileIsRefused() {
    for (String foreign :
        List.of("", "x", "PK\u0003\u0004 a zip archive", "ARROW1\0\0ARROW1", "{}".repeat(5000))) {
      byte[] bytes = foreign.getBytes(StandardCharsets.UTF_8);
      assertThatThrownBy(() -> format().reader(MemoryShard.input(bytes)))
          .isInstanceOf(CheckpointException.Corrupt.class)
          .hasMessageContaining("memory");
    }
  }

  @Test
  void twoTensorsOfOneNameAreRefused() {
    TensorSpec spec = TensorSpec.of("m/a", DType.INT8, Shape.of(1));
    assertThatThrownBy(() -> MemoryShard.write(format(), state(List.of(spec, spec), "{}"), ALL))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("m/a");
  }

  private static byte[] roundTrip(ShardFormat format, State state, IntUnaryOperator window)
      throws IOException {
    MemoryShard shard = MemoryShard.write(format, state, window);
    assertThat(shard.digest().length()).isEqualTo(shard.bytes().length);
    try (ShardFormat.Reader reader = shard.open(format, shard.bytes())) {
      assertThat(reader.header()).isEqualTo(state.header());
      assertThat(reader.tensors()).isEqualTo(state.tensors());
      assertThat(StandardCharsets.UTF_8.decode(reader.values()).toString())
          .isEqualTo(state.values());
      for (int i = 0; i < state.tensors().size(); i++) {
        ByteBuffer into = ByteBuffer.allocateDirect(state.contents().get(i).length);
        reader.read(i, 0, into);
        assertThat(into.flip())
            .as(state.tensors().get(i).name())
            .isEqualTo(ByteBuffer.wrap(state.contents().get(i)));
      }
    }
    return shard.bytes();
  }

  private static State state(List<TensorSpec> specs, String values) {
    Random random = new Random(specs.size());
    List<byte[]> contents = new ArrayList<>();
    for (TensorSpec spec : specs) {
      byte[] bytes = new byte[(int) spec.bytes()];
      random.nextBytes(bytes);
      contents.add(bytes);
    }
    return new State(HEADER, List.copyOf(specs), contents, values);
  }

  private static List<TensorSpec> someTensors() {
    return List.of(
        TensorSpec.of("m/a", DType.FLOAT32, Shape.of(3, 100)),
        TensorSpec.of("m/empty", DType.FLOAT32, Shape.of(0)),
        TensorSpec.of("m/b", DType.BOOL, Shape.of(65)),
        TensorSpec.of("o/c", DType.BFLOAT16, Shape.of()),
        TensorSpec.of("o/d", DType.INT64, Shape.of(64)));
  }

  private static List<TensorSpec> fewTensors() {
    return List.of(
        TensorSpec.of("m/a", DType.FLOAT32, Shape.of(5, 5)),
        TensorSpec.of("m/e", DType.FLOAT32, Shape.of(0)),
        TensorSpec.of("m/b", DType.BOOL, Shape.of(3)));
  }
}
