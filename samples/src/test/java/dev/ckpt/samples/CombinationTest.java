package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class CombinationTest {

  private static final List<List<String>> FORMATS =
      List.of(List.of("one"), List.of("one", "another"), Combination.FORMATS);

  @Test
  void thePairwiseSubsetHoldsEveryPairThatCanBe() {
    for (List<String> formats : FORMATS) {
      List<Combination> pairwise = Combination.pairwise(formats);
      assertThat(pairs(pairwise)).isEqualTo(pairs(Combination.product(formats)));
      assertThat(pairwise).hasSize(10).doesNotHaveDuplicates();
    }
  }

  @Test
  void theProductHoldsEveryCombinationThatCanBe() {
    for (List<String> formats : FORMATS) {
      // 3 optimizers x 3 places x prefetch or not x (3 loops + the manual one accumulating)
      assertThat(Combination.product(formats))
          .hasSize(3 * 3 * 2 * 4 * formats.size())
          .doesNotHaveDuplicates();
    }
  }

  private static Set<Set<String>> pairs(List<Combination> combinations) {
    Set<Set<String>> pairs = new HashSet<>();
    for (Combination combination : combinations) {
      List<String> choices = combination.choices();
      for (int i = 0; i < choices.size(); i++) {
        for (int j = i + 1; j < choices.size(); j++) {
          pairs.add(Set.of(choices.get(i), choices.get(j)));
        }
      }
    }
    return pairs;
  }
}
