package dev.ckpt.manifest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Optional;
import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What is parsed by hand means what the JDK's own parsers say. */
class FieldsTest {

  private static Optional<Instant> read(String text) {
    try {
      return Optional.of(new Fields("x", Fields.object().put("at", text)).instant("at"));
    } catch (CheckpointException.Corrupt e) {
      return Optional.empty();
    }
  }

  private static Optional<Instant> parsed(String text) {
    try {
      return Optional.of(Instant.parse(text));
    } catch (DateTimeException e) {
      return Optional.empty();
    }
  }

  @Test
  void aTimeIsWhatTheJdkSaysWhateverIsWrongWithIt() {
    long seed = System.nanoTime();
    System.out.println("FieldsTest times: seed " + seed);
    Random random = new Random(seed);
    String[] special = {
      "2016-12-31T23:59:60Z",
      "2024-02-29T00:00:00Z",
      "2023-02-29T00:00:00Z",
      "2026-01-01T24:00:00Z",
      "2026-01-01T24:00:01Z",
      "2026-13-01T00:00:00Z",
      "0000-01-01T00:00:00Z",
      "-999-01-01T00:00:00Z",
      "2026-01-01T00:00:00z",
      "2026-01-01T00:00:00.1Z",
      "2026-01-01T00:00:00.",
      "2026-01-01T00:00:00+",
      "2026-01-01T00:00:00.12345Z",
      "2026-01-01 00:00:00Z",
      "",
      "Z"
    };
    for (String text : special) {
      assertThat(read(text)).as(text).isEqualTo(parsed(text));
    }
    int times = 0;
    for (int i = 0; i < 20_000; i++) {
      int[] units = {1_000_000_000, 1_000_000, 1_000, 1};
      int unit = units[random.nextInt(4)];
      Instant at =
          Instant.ofEpochSecond(
              random.nextLong(-70_000_000_000L, 260_000_000_000L),
              unit == 1_000_000_000 ? 0 : (long) unit * random.nextInt(1_000_000_000 / unit));
      String text = at.toString();
      assertThat(read(text)).contains(at);
      char[] wrong = text.toCharArray();
      wrong[random.nextInt(wrong.length)] = "0123456789-:.TZz+ ".charAt(random.nextInt(18));
      String changed = new String(wrong);
      assertThat(read(changed)).as(changed).isEqualTo(parsed(changed));
      times += parsed(changed).isPresent() ? 1 : 0;
    }
    assertThat(times).as("both kinds occur").isBetween(100, 19_900);
  }

  @Test
  void anIdIsWhatItsFormSays() {
    long seed = System.nanoTime();
    System.out.println("FieldsTest ids: seed " + seed);
    Random random = new Random(seed);
    Pattern form = Pattern.compile("(?!000000)[0-9]{6}-[0-9]{12}-[01]");
    int ids = 0;
    for (int i = 0; i < 20_000; i++) {
      CheckpointId id =
          new CheckpointId(
              random.nextInt(1, 1_000_000), random.nextLong(1_000_000_000_000L), random.nextInt(2));
      assertThat(CheckpointId.parse(id.toString())).contains(id);
      StringBuilder text = new StringBuilder(id.toString());
      switch (random.nextInt(4)) {
        case 0 -> text.setCharAt(random.nextInt(text.length()), (char) random.nextInt(0x700));
        case 1 -> text.setCharAt(random.nextInt(text.length()), "0123-".charAt(random.nextInt(5)));
        case 2 -> text.deleteCharAt(random.nextInt(text.length()));
        default -> text.replace(0, 6, "00000" + random.nextInt(2));
      }
      boolean right = form.matcher(text).matches();
      assertThat(CheckpointId.parse(text.toString()).isPresent()).as("%s", text).isEqualTo(right);
      ids += right ? 1 : 0;
    }
    assertThat(ids).isBetween(100, 19_900);
  }
}
