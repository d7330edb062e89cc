package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What becomes of each parameter of a run that begins with another's weights. */
class InitFromTest {
  private static final Map<String, TensorSpec> MODEL =
      specs("01Linear_weight", "01Linear_bias", "05Linear_weight", "05Linear_bias", "09Head_bias");

  private static Map<String, TensorSpec> specs(String... names) {
    Map<String, TensorSpec> all = new LinkedHashMap<>();
    for (String name : names) {
      all.put(name, TensorSpec.of(name, DType.FLOAT32, Shape.of(2)));
    }
    return all;
  }

  private static InitFrom from(List<String> include, List<String> exclude, List<String> freeze) {
    return new InitFrom("", "base", "latest", include, exclude, Map.of(), freeze, true);
  }

  private static void assertTypo(InitFrom from, String said) {
    assertThatThrownBy(() -> from.match(MODEL, MODEL))
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("initFrom: these match nothing: " + said)
        .hasMessageContaining("Nothing was changed")
        .hasMessageContaining("strict: false");
    InitFrom.Match lenient = from.lenient().match(MODEL, MODEL);
    assertThat(lenient.matchless()).hasSize(1);
    assertThat(lenient.report()).contains("match nothing: " + said);
  }

  @Test
  void aPatternThatMatchesNothingIsNamedWithWhatItMayMean() {
    assertTypo(
        from(List.of("*"), List.of("09Haed_*"), List.of()),
        "exclude '09Haed_*' (near it: 09Head_bias)");
    assertTypo(
        from(List.of("*"), List.of(), List.of("01Linaer_*")),
        "freeze '01Linaer_*' (near it: 01Linear_weight, 01Linear_bias");
    assertTypo(
        from(List.of("01Linear_*", "05Liner_*"), List.of(), List.of()),
        "include '05Liner_*' (near it: 05Linear_weight, 05Linear_bias");
    assertTypo(
        from(List.of("*"), List.of("decoder*"), List.of()),
        "exclude 'decoder*' (names are such as 01Linear_weight, 01Linear_bias, 05Linear_weight)");
    assertTypo(
        InitFrom.of("base", "latest").rename(Map.of("^01Linaer", "01Linear")),
        "rename '^01Linaer' (near it: 01Linear_weight, 01Linear_bias");
  }

  @Test
  void aRenameMayMatchWhatTheOneBeforeItMade() {
    Map<String, String> renames = new LinkedHashMap<>();
    renames.put("^10Old", "09Middle");
    renames.put("Middle", "Head");
    Map<String, TensorSpec> saved = new LinkedHashMap<>(MODEL);
    saved.remove("09Head_bias");
    saved.putAll(specs("10Old_bias"));
    InitFrom.Match match = InitFrom.of("base", "latest").rename(renames).match(saved, MODEL);
    assertThat(match.matched()).hasSize(5).containsEntry("09Head_bias", "10Old_bias");
  }

  @Test
  void aReplacementThatCannotBeIsFoundAtOnce() {
    assertThatThrownBy(() -> InitFrom.of("base", "latest").rename(Map.of("^77Linear", "$1x")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("rename: '$1x' cannot replace '^77Linear': No group 1");
    assertThatThrownBy(() -> InitFrom.of("base", "latest").rename(Map.of("a", "b\\")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("cannot replace 'a'");
    InitFrom grouped = InitFrom.of("base", "latest").rename(Map.of("^(\\d+)Linear", "$1Linear"));
    assertThat(grouped.match(MODEL, MODEL).matched()).hasSize(5);
  }

  @Test
  void whatIsNotLoadedIsNotFrozen() {
    InitFrom.Match match =
        from(List.of("*"), List.of("09Head_*"), List.of("*")).match(MODEL, MODEL);
    assertThat(match.frozen()).hasSize(4).doesNotContain("09Head_bias");
    assertThat(match.notFrozen()).containsExactly("09Head_bias");
    assertThat(match.report()).contains("not frozen, as they are not loaded: 09Head_bias");
  }
}
