package dev.ckpt.internal.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Retention.Mode;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class BestByTest {

  @Test
  void theGoodEndIsSaidOrKnown() {
    List<BestBy> kept = List.of(new BestBy("f1", Mode.MAX, 3), new BestBy("a_loss", Mode.MAX, 1));
    assertThat(BestBy.parse("validate_loss", kept))
        .isEqualTo(new BestBy("validate_loss", Mode.MIN, 1));
    assertThat(BestBy.parse("f1", kept)).isEqualTo(new BestBy("f1", Mode.MAX, 1));
    assertThat(BestBy.parse("a_loss", kept))
        .as("as keep.best says")
        .isEqualTo(new BestBy("a_loss", Mode.MAX, 1));
    assertThat(BestBy.parse(" f1 , min", kept)).isEqualTo(new BestBy("f1", Mode.MIN, 1));
    assertThat(BestBy.parse(new BestBy("x", Mode.MIN, 1).text(), kept))
        .isEqualTo(new BestBy("x", Mode.MIN, 1));
  }

  @Test
  void anotherProcessLearnsItFromTheProvenance() {
    assertThat(
            BestBy.of(
                Map.of(
                    "config.keep.latest", "3 (default)",
                    "config.keep.best.metric", "f1 (ckpt.yaml:3:5)",
                    "config.keep.best.mode", "max (ckpt.yaml:3:5)",
                    "config.restoreBest", "validate_loss (ckpt.yaml:4:1)")))
        .contains(List.of(new BestBy("f1", Mode.MAX, 1), new BestBy("validate_loss", Mode.MIN, 1)));
    assertThat(BestBy.of(Map.of("config.keep", "a policy (code)"))).isEmpty();
    assertThat(BestBy.of(Map.of("host", "a"))).isEmpty();
    assertThat(BestBy.of(Map.of("config.keep.latest", "3", "config.restoreBest", "f1 (x)")))
        .isEmpty();
  }
}
