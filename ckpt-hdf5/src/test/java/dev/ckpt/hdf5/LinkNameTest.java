package dev.ckpt.hdf5;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LinkNameTest {

  @Test
  void onlyWhatHdf5CannotHoldIsEscaped() {
    assertThat(LinkName.escape("h.0.attn \u00e9\u4e2d")).isEqualTo("h.0.attn \u00e9\u4e2d");
    assertThat(LinkName.escape("fc/weight#1")).isEqualTo("fc%2Fweight%231");
    assertThat(LinkName.escape(".")).isEqualTo("%2E");
    assertThat(LinkName.escape("..x.")).isEqualTo("%2E.x.");
    assertThat(LinkName.escape("")).isEqualTo("%");
  }

  @Test
  void everyNameComesBackAsAnother() {
    Set<String> links = new HashSet<>();
    for (String start : List.of("", ".", "a", "%", "%2E", "/", "#")) {
      for (int c = 0; c <= Character.MAX_VALUE; c++) {
        String name = start + (char) c;
        String link = LinkName.escape(name);
        assertThat(LinkName.unescape(link)).isEqualTo(name);
        assertThat(link).doesNotContain("/", "#", "\0").isNotEmpty().doesNotStartWith(".");
        links.add(link);
      }
    }
    // "" + "." and so on begin two of them
    assertThat(links).hasSize(7 * (Character.MAX_VALUE + 1));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ".", ".x", "a/b", "a#", "%%", "%2", "%2e", "%61", "x%2E", "%E4%BD"})
  void aNameThatWasNotEscapedSoIsRefused(String link) {
    assertThatThrownBy(() -> LinkName.unescape(link)).isInstanceOf(IllegalArgumentException.class);
  }
}
