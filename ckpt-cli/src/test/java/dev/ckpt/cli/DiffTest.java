package dev.ckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointManager;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code diff} against what was worked out by hand. */
class DiffTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  private Checkpoint save(String run, Trained.State state) throws IOException {
    try (CheckpointStore store = Stores.local(folder)) {
      return Trained.one(store, run, 1, state);
    }
  }

  private Called diff(Trained.State a, Trained.State b, String... options) throws IOException {
    String[] words = new String[options.length + 3];
    words[0] = "diff";
    words[1] = "a/" + save("a", a).id();
    words[2] = "b/" + save("b", b).id();
    System.arraycopy(options, 0, words, 3, options.length);
    return Called.on(folder, words);
  }

  private JsonNode json(Trained.State a, Trained.State b) throws IOException {
    return JSON.readTree(diff(a, b, "--json").out());
  }

  /**
   * Two elements, little-endian, of each side. Norms and the largest difference worked out by hand;
   * the second element is alike on both sides where only one has changed.
   */
  @ParameterizedTest
  @CsvSource({
    // 3, -4 against 3, 12
    "FLOAT64, 000000000000084000000000000010c0, 00000000000008400000000000002840, 1, 5, 12.36931687685298, 16",
    "FLOAT32, 00004040000080c0, 0000404000004041, 1, 5, 12.36931687685298, 16",
    // 1.5, -2 against 1.5, 65504: the largest half
    "FLOAT16, 003e00c0, 003eff7b, 1, 2.5, 65504.00001717453, 65506",
    // 2^-24, the smallest half, and 0 against 0 and 0
    "FLOAT16, 01000000, 00000000, 1, 5.960464477539063e-8, 0, 5.960464477539063e-8",
    // 1, 3 against 1, -1
    "BFLOAT16, 803f4040, 803f80bf, 1, 3.1622776601683795, 1.4142135623730951, 4",
    // the two ends: 2^64 - 1 apart, which no long holds
    "INT64, 00000000000000800000000000000000, ffffffffffffff7f0000000000000000, 1, 9223372036854775808, 9223372036854775808, 18446744073709551615",
    "INT32, 00000080ffffffff, ffffff7fffffffff, 1, 2147483648, 2147483647, 4294967295",
    "INT16, 0080feff, ff7ffeff, 1, 32768.00006103510, 32767.00006103702, 65535",
    "INT8, 8003, 7f03, 1, 128.0351515, 127.0354281, 255",
    "UINT64, 00000000000000000000000000000000, ffffffffffffffff0000000000000000, 1, 0, 18446744073709551616, 18446744073709551615",
    "UINT32, 0000000003000000, ffffffff04000000, 2, 3, 4294967295, 4294967295",
    "UINT16, 00000300, ffff0300, 1, 3, 65535.00006866, 65535",
    "UINT8, 0003, ff04, 2, 3, 255.0313706, 255",
    "BOOL, 0001, 0101, 1, 1, 1.4142135623730951, 1"
  })
  void eachTypeIsComparedAsTheNumbersThatItHolds(
      DType type, String a, String b, long changed, double normA, double normB, BigDecimal largest)
      throws IOException {
    HexFormat hex = HexFormat.of();
    JsonNode tensor =
        json(
                new Trained.State().tensor("x", type, hex.parseHex(a), 2),
                new Trained.State().tensor("x", type, hex.parseHex(b), 2))
            .at("/tensors/0");
    assertThat(tensor.get("equal").booleanValue()).isFalse();
    assertThat(tensor.get("elements").longValue()).isEqualTo(2);
    assertThat(tensor.get("changed").longValue()).isEqualTo(changed);
    assertThat(tensor.get("normA").doubleValue()).isCloseTo(normA, within(normA * 1e-9));
    assertThat(tensor.get("normB").doubleValue()).isCloseTo(normB, within(normB * 1e-9));
    if (type.isFloating()) {
      assertThat(tensor.get("largest").doubleValue()).isEqualTo(largest.doubleValue());
    } else {
      assertThat(tensor.get("largest").bigIntegerValue()).isEqualTo(largest.toBigIntegerExact());
    }
  }

  @Test
  void eachTypeEqualsItself() throws IOException {
    long seed = new Random().nextLong();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    Trained.State state = new Trained.State();
    for (DType type : DType.values()) {
      byte[] bytes = new byte[15 * type.bytes()];
      random.nextBytes(bytes);
      for (int i = 0; type == DType.BOOL && i < bytes.length; i++) {
        bytes[i] &= 1;
      }
      state.tensor("x/" + type.id(), type, bytes, 3, 5);
    }
    state
        .tensor("scalar", DType.INT8, new byte[1])
        .tensor("empty", DType.FLOAT64, new byte[0], 0, 4);
    Called called = diff(state, state, "--all");
    assertThat(called.code()).isZero();
    assertThat(called.out()).contains("the same state: 15 tensors");
    assertThat(called.out().lines().filter(line -> line.contains("  equal  "))).hasSize(15);
  }

  @Test
  void nanEqualsItselfAndIsLeftOutOfTheNumbers() throws IOException {
    float nan = Float.NaN;
    float inf = Float.POSITIVE_INFINITY;
    JsonNode json =
        json(
            new Trained.State().floats("x", nan, nan, 3, 4).floats("y", inf, 1).floats("z", 0f),
            new Trained.State().floats("x", nan, 2, 3, 5).floats("y", 1, 1).floats("z", -0f));
    JsonNode x = json.at("/tensors/0");
    assertThat(x.get("changed").longValue()).isEqualTo(2);
    assertThat(x.get("nansA").longValue()).isEqualTo(2);
    assertThat(x.get("nansB").longValue()).isEqualTo(1);
    assertThat(x.get("normA").doubleValue()).isEqualTo(5);
    assertThat(x.get("largest").doubleValue()).isEqualTo(1);
    JsonNode y = json.at("/tensors/1");
    assertThat(y.get("normA").textValue()).isEqualTo("Infinity");
    assertThat(y.get("largest").textValue()).isEqualTo("Infinity");
    JsonNode z = json.at("/tensors/2");
    assertThat(z.get("changed").longValue()).isEqualTo(1);
    assertThat(z.get("largest").doubleValue()).isZero();
  }

  @Test
  void halfAndBrainFloatsReadAsTheNumbersThatTheyAre() {
    // an independent way: binary16 by its definition, sign * 2^(e-15) * 1.f
    for (int bits = 0; bits < 1 << 16; bits++) {
      double sign = bits >= 1 << 15 ? -1 : 1;
      int exponent = bits / 1024 % 32;
      double fraction = bits % 1024 / 1024.0;
      double expected =
          exponent == 0
              ? sign * Math.pow(2, -14) * fraction
              : exponent < 31
                  ? sign * Math.pow(2, exponent - 15) * (1 + fraction)
                  : fraction == 0 ? sign / 0.0 : Double.NaN;
      assertThat(Elements.number(DType.FLOAT16, (short) bits))
          .as("bits %x", bits)
          .isEqualTo(Double.valueOf(expected));
    }
    assertThat(Elements.number(DType.BFLOAT16, (short) 0xc0a0)).isEqualTo(-5.0);
    BigInteger most = BigInteger.TWO.pow(64).subtract(BigInteger.ONE);
    assertThat(Elements.number(DType.UINT64, -1)).isEqualTo(most.doubleValue());
    for (long bits :
        new long[] {Long.MIN_VALUE + 1024, Long.MIN_VALUE + 1025, Long.MIN_VALUE + 3072}) {
      assertThat(Elements.unsigned(bits))
          .isEqualTo(new BigInteger(Long.toUnsignedString(bits)).doubleValue());
    }
  }

  @Test
  void theNormDoesNotOverflowOnTheWay() {
    assertThat(norm(3e300, 4e300)).isCloseTo(5e300, within(1e286));
    assertThat(norm(3e-300, 4e-300)).isCloseTo(5e-300, within(1e-314));
    assertThat(norm(1e300, 1e-300, 1)).isEqualTo(1e300);
    assertThat(norm(1, 1e-200)).isEqualTo(1);
    assertThat(norm()).isZero();
    assertThat(norm(Double.MAX_VALUE)).isEqualTo(Double.MAX_VALUE);
  }

  private static double norm(double... values) {
    Norm norm = new Norm();
    for (double value : values) {
      norm.add(value);
    }
    return norm.value();
  }

  @Test
  void aTensorLargerThanAWindowIsComparedToItsLastByte() throws IOException {
    int size = (9 << 20) + 3;
    byte[] one = new byte[size];
    byte[] other = new byte[size];
    other[0] = 1;
    other[4 << 20] = 2;
    other[size - 1] = 3;
    JsonNode tensor =
        json(
                new Trained.State().tensor("x", DType.UINT8, one, size),
                new Trained.State().tensor("x", DType.UINT8, other, size))
            .at("/tensors/0");
    assertThat(tensor.get("changed").longValue()).isEqualTo(3);
    assertThat(tensor.get("largest").longValue()).isEqualTo(3);
    assertThat(tensor.get("normB").doubleValue()).isCloseTo(Math.sqrt(14), within(1e-12));
  }

  @Test
  void whatIsMissingReshapedOrOfAnotherTypeIsNamed() throws IOException {
    Called called =
        diff(
            new Trained.State()
                .floats("same", 1)
                .floats("gone", 1)
                .floats("wider", 1, 2)
                .opaque("rng", 1, 2)
                .value("rate", 0.1)
                .value("old", true),
            new Trained.State()
                .floats("same", 1)
                .floats("wider", 1, 2, 3)
                .tensor("new", DType.INT8, new byte[2], 2)
                .opaque("rng", 1, 3)
                .value("rate", 0.2));
    assertThat(called.code()).isEqualTo(Exit.FOUND);
    assertThat(called.out().lines().map(line -> line.strip().replaceAll(" +", " ")))
        .contains(
            "model/gone float32 (1) only in A",
            "model/wider float32 (2) float32 (2) in A, float32 (3) in B",
            "model/new int8 (2) only in B",
            "model/rng opaque, 2 bytes 50.0 % 2.23607 3.16228 1",
            "VALUE A B",
            "model/rate 0.1 0.2",
            "model/old true -",
            "the state differs: 4 of 5 tensors, 2 values, not the progress")
        .noneMatch(line -> line.startsWith("model/same"));
  }

  @Test
  void progressIsPartOfTheStateAndMetricsAreNot() throws IOException {
    Trained.State state = Trained.after(1);
    String second;
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager ckpt =
            Trained.in(store, "run").resume(new Resume.Never()).part("model", state).open()) {
      ckpt.resume();
      ckpt.save(new Progress(1, 0, 1, 32, Progress.Phase.AFTER_STEP), Map.of("loss", 0.5)).join();
      second =
          ckpt.save(new Progress(1, 1, 0, 32, Progress.Phase.AFTER_EPOCH), Map.of("loss", 0.25))
              .join()
              .id();
    }
    Called called = Called.on(folder, "diff", "000001-000000000001-0", second);
    assertThat(called.code()).isEqualTo(Exit.FOUND);
    assertThat(called.out().lines().map(line -> line.strip().replaceAll(" +", " ")))
        .containsSubsequence(
            "PROGRESS A B",
            "batch 1 0",
            "epoch 0 1",
            "phase after_step after_epoch",
            "METRIC A B",
            "loss 0.5 0.25",
            "the state differs: 0 of 3 tensors, 0 values, the progress");
    Called same = Called.on(folder, "diff", second, "latest");
    assertThat(same.code()).isZero();
  }

  @Test
  void bytesThatNoLongerMatchAreNoDifferenceButAFailure() throws IOException {
    String id = save("a", Trained.after(1)).id();
    save("b", Trained.after(1));
    Trained.damage(folder.resolve("runs/a/data/" + id));
    Called called = Called.on(folder, "diff", "a/latest", "b/latest");
    assertThat(called.code()).isEqualTo(Exit.STORE);
    assertThat(called.err().lines()).singleElement().asString().startsWith("ckpt: ");
  }

  @Test
  void theOriginOfAValueIsNoDifference() {
    assertThat(Origin.parse("5m (ckpt.yaml:3)")).isEqualTo(new Origin("5m", "ckpt.yaml:3"));
    assertThat(Origin.parse("best(loss) (default)")).isEqualTo(new Origin("best(loss)", "default"));
    assertThat(Origin.parse("none")).isEqualTo(new Origin("none", ""));
  }
}
