package dev.ckpt.internal.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.internal.commit.Keys;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class ParametersTest {

  /** Few enough to meet, and all that separates, is replaced, or is cut. */
  private static final String[] LETTERS = {"a", "b", "1", "-", "_", ".", " ", "/", "é", "A"};

  private static String name(Map<String, ?> values) {
    return Parameters.of(values).runName("train");
  }

  @Test
  void whatFitsIsReadInTheNameByItsOrder() {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("width", 32);
    values.put("batch_size", 64L);
    values.put("lr", 1e-5);
    values.put("frozen", true);
    values.put("mode", Thread.State.NEW);
    assertThat(name(values))
        .isEqualTo("train-batch_size-64_frozen-true_lr-1.0E-5_mode-NEW_width-32");
    assertThat(name(Map.of())).isEqualTo("train");
    assertThat(Parameters.of(values).facts())
        .containsEntry("param.lr", "1.0E-5")
        .containsEntry("param.frozen", "true")
        .hasSize(5);
  }

  @Test
  void whatDoesNotFitEndsInAHash() {
    assertThat(name(Map.of("layers", List.of(64, 32)))).matches("train-layers--64-32_[0-9a-f]{16}");
    assertThat(name(Map.of("act", "leaky_relu"))).matches("train-act-leaky_relu_[0-9a-f]{16}");
    assertThat(name(Map.of("lr", ""))).matches("train-lr_[0-9a-f]{16}");
    assertThat(name(Map.of("note", "x".repeat(300)))).hasSize(100).matches(".*x_[0-9a-f]{16}");
    assertThat(Parameters.of(Map.of("lr", 1)).runName("p".repeat(120))).hasSize(100);
  }

  @Test
  void differentSetsNeverHaveOneName() {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    Map<String, Map<String, String>> byName = new HashMap<>();
    Map<Map<String, String>, String> bySet = new HashMap<>();
    while (bySet.size() < 1_000) {
      Map<String, String> set = set(random);
      String name = name(set);
      assertThat(name.length()).isLessThanOrEqualTo(100);
      assertThat(new Keys(name).run()).isEqualTo(name);
      assertThat(byName.putIfAbsent(name, set)).as("%s, seed %s", name, seed).isIn(null, set);
      assertThat(bySet.putIfAbsent(set, name)).as("%s, seed %s", set, seed).isIn(null, name);
      assertThat(name(shuffled(set, random))).isEqualTo(name);
    }
  }

  private static Map<String, String> set(Random random) {
    Map<String, String> set = new TreeMap<>();
    for (int left = 1 + random.nextInt(3); left > 0; left--) {
      set.put("a" + word(random), word(random));
    }
    return set;
  }

  private static String word(Random random) {
    StringBuilder word = new StringBuilder();
    int length = random.nextInt(20) == 0 ? 60 : random.nextInt(4);
    for (int i = 0; i < length; i++) {
      word.append(LETTERS[random.nextInt(LETTERS.length)]);
    }
    return word.toString();
  }

  private static Map<String, String> shuffled(Map<String, String> set, Random random) {
    List<String> names = new ArrayList<>(set.keySet());
    Collections.shuffle(names, random);
    Map<String, String> other = new LinkedHashMap<>();
    names.forEach(name -> other.put(name, set.getOrDefault(name, "")));
    return other;
  }

  @Test
  void aValueThatIsAnotherTextEachTimeIsRefused() {
    assertThatThrownBy(() -> name(Map.of("sizes", new int[] {1})))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'sizes' is of int[]")
        .hasMessageContaining("a list");
    assertThatThrownBy(() -> name(Map.of("act", new Object())))
        .hasMessageContaining("'act' is of java.lang.Object");
    assertThatThrownBy(() -> name(Map.of(" ", 1))).hasMessageContaining("needs a name");
    Map<String, Object> nothing = new HashMap<>();
    nothing.put("lr", null);
    assertThatThrownBy(() -> name(nothing)).hasMessageContaining("'lr' is null");
  }

  @Test
  void whatAUriHidesIsNeverText() {
    assertThat(Parameters.of(Map.of("data", "s3://me:pw@host/x?key=1")).facts())
        .containsEntry("param.data", "s3://host/x");
  }

  @Test
  void theDifferenceIsToldToTheNewestBeforeThatHadAny() {
    Map<String, String> now = Map.of("param.lr", "0.2", "param.b", "1", "host", "x");
    assertThat(
            Parameters.changed(
                now,
                List.of(
                    Map.of("host", "y"),
                    Map.of("param.lr", "0.1", "param.c", "2", "param.b", "1"),
                    Map.of("param.lr", "0.3"))))
        .contains("c 2 -> (none), lr 0.1 -> 0.2");
    assertThat(Parameters.changed(now, List.of(now, Map.of("param.lr", "0.3")))).isEmpty();
    assertThat(Parameters.changed(now, List.of(Map.of("host", "y")))).isEmpty();
    assertThat(Parameters.changed(Map.of("host", "x"), List.of(now))).isEmpty();
  }
}
