package dev.ckpt.internal.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EscapedNameTest {

  private static final EscapedName NAMES = new EscapedName("#");

  @Test
  void onlyWhatMustBeEscapedIs() {
    assertThat(NAMES.escape("model/h.0.attn\"'\\ ŷ\u4e2d\ud83d\ude00"))
        .isEqualTo("model/h.0.attn\"'\\ ŷ\u4e2d\ud83d\ude00");
    assertThat(NAMES.escape("a%b#c\n\u0085")).isEqualTo("a%25b%23c%0A%C2%85");
    assertThat(NAMES.escape("x\ud800")).isEqualTo("x%ED%A0%80");
  }

  @Test
  void everyCharacterComesBackAsUtf8WithoutControls() {
    Set<String> seen = new HashSet<>();
    for (int c = 0; c <= Character.MAX_VALUE; c++) {
      String name = "a" + (char) c + "0A";
      String column = NAMES.escape(name);
      assertThat(NAMES.unescape(column)).isEqualTo(name);
      byte[] utf8 = column.getBytes(StandardCharsets.UTF_8);
      assertThat(new String(utf8, StandardCharsets.UTF_8)).isEqualTo(column);
      assertThat(column).doesNotContain("#");
      assertThat(column.chars().noneMatch(Character::isISOControl)).isTrue();
      assertThat(seen.add(column)).isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "%",
        "%2",
        "%2g",
        "%41",
        "%0a",
        "%E4%BD%A0",
        "%C0%80",
        "%ED%A0",
        "%FF",
        "a#",
        "\n",
        "\ud800"
      })
  void aNameThatWasNotEscapedSoIsRefused(String column) {
    assertThatThrownBy(() -> NAMES.unescape(column)).isInstanceOf(IllegalArgumentException.class);
  }
}
