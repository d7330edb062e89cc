package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.BitSet;
import org.junit.jupiter.api.Test;

class PermutationTest {

  @Test
  void everyElementComesExactlyOnce() {
    for (int size = 1; size <= 300; size++) {
      Permutation order = new Permutation(size, 7L * size);
      BitSet seen = new BitSet();
      for (int i = 0; i < size; i++) {
        long element = order.at(i);
        assertThat(element).isBetween(0L, size - 1L);
        seen.set((int) element);
      }
      assertThat(seen.cardinality()).as("size %d", size).isEqualTo(size);
    }
  }

  /** Chi-squared over 5040 permutations of 7 elements: each element at each place. */
  @Test
  void everyElementIsAsLikelyAtEveryPlace() {
    int size = 7;
    int draws = 20_000;
    int[][] counts = new int[size][size];
    for (int draw = 0; draw < draws; draw++) {
      Permutation order = new Permutation(size, draw);
      for (int place = 0; place < size; place++) {
        counts[place][(int) order.at(place)]++;
      }
    }
    double expected = (double) draws / size;
    double chiSquared = 0;
    for (int[] row : counts) {
      for (int count : row) {
        chiSquared += (count - expected) * (count - expected) / expected;
      }
    }
    // 36 degrees of freedom: 67.985 is exceeded once in a thousand times
    assertThat(chiSquared).isLessThan(67.985);
  }

  @Test
  void anotherKeyIsAnotherOrder() {
    Permutation one = new Permutation(1000, 1);
    Permutation two = new Permutation(1000, 2);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
      same += one.at(i) == two.at(i) ? 1 : 0;
    }
    assertThat(same).isLessThan(20);
  }

  @Test
  void hugeSizesNeedNoArray() {
    Permutation order = new Permutation(Long.MAX_VALUE / 2, 3);
    assertThat(order.at(Long.MAX_VALUE / 2 - 1)).isBetween(0L, Long.MAX_VALUE / 2 - 1);
    assertThatThrownBy(() -> order.at(Long.MAX_VALUE / 2))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> new Permutation(0, 3).at(0))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }
}
