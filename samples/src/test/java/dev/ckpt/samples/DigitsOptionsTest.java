package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.samples.DigitsOptions.UsageException;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DigitsOptionsTest {

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--epoch 3        | unknown option --epoch",
        "digits           | unknown option digits",
        "--epochs         | --epochs needs a value",
        "--epochs 0       | --epochs needs a whole number from 1 on, not '0'",
        "--epochs many    | --epochs needs a whole number from 1 on, not 'many'",
        "--optimizer nag  | --optimizer is one of adam, adamw, sgd, not 'nag'",
        "--accumulate 2   | --accumulate needs --loop manual: DJL's own loop updates each time",
      })
  void whatCannotBeFollowedIsNamed(String line, String message) {
    assertThatThrownBy(() -> DigitsOptions.parse(line.split(" ")))
        .isInstanceOf(UsageException.class)
        .hasMessage(message);
  }

  @Test
  void theUsageTellsTheDefaultsThatHold() throws UsageException {
    DigitsOptions defaults = DigitsOptions.parse();
    assertThat(DigitsOptions.USAGE)
        .contains("(default " + defaults.epochs() + ")")
        .contains("(default " + defaults.rows() + ")")
        .contains("(default " + DigitsOptions.DEFAULT_SEED + ")")
        .contains("images in a batch (default " + defaults.batch() + ")");
  }

  @Test
  void everyOptionOfTheUsageIsKnown() {
    var options = Pattern.compile("^ +(--[a-z-]+)", Pattern.MULTILINE).matcher(DigitsOptions.USAGE);
    int known = 0;
    while (options.find()) {
      try {
        DigitsOptions.parse(options.group(1));
      } catch (UsageException e) {
        assertThat(e).hasMessageContaining("needs a value");
      }
      known++;
    }
    assertThat(known).isEqualTo(16);
  }
}
