package dev.ckpt;

import java.util.regex.Pattern;

/** How to start. */
public sealed interface Resume {

  /** From the newest checkpoint that verifies, else fresh. An all-corrupt run is an error. */
  record Auto() implements Resume {}

  /** Fresh: a new root in the same run; what was there stays, on a branch of its own. */
  record Never() implements Resume {}

  /** From the newest checkpoint that verifies; none is an error. */
  record Required() implements Resume {}

  /**
   * From one checkpoint.
   *
   * @param reference an id, of any branch; {@code best(metric)} or {@code best(metric, min)} among
   *     the finite ones of the live branch; or what a resolver knows ({@code mlflow:...}). Asked
   *     again by a restarter, it means the newest commit on the branch that first applied it, so
   *     that the training gets on.
   */
  record From(String reference) implements Resume {
    private static final Pattern FORM =
        Pattern.compile("\\d{6}-\\d{12}-[01]|best\\(.+\\)|[A-Za-z][A-Za-z0-9+.-]*:.+");
  }

  /**
   * Reads the form used in config files: {@code auto}, {@code never}, {@code required}, or a
   * reference.
   *
   * @throws IllegalArgumentException if it is blank, or a {@code best(} that is not of a form above
   */
  static Resume parse(String text) {
    if (text.isBlank()) {
      throw new IllegalArgumentException("a resume reference is blank");
    }
    if (text.startsWith("best(") && !text.matches("best\\([^,]*[^,\\s][^,]*(, ?(max|min))?\\)")) {
      throw new IllegalArgumentException(
          "must be best(metric), best(metric, max) or best(metric, min), not '" + text + "'");
    }
    return switch (text) {
      case "auto" -> new Auto();
      case "never" -> new Never();
      case "required" -> new Required();
      default -> {
        if (!From.FORM.matcher(text).matches()) {
          throw new IllegalArgumentException(
              "'"
                  + text
                  + "' is none of auto, never, required, an id like 000001-000000000100-0,"
                  + " best(metric), best(metric, min), <scheme>:...");
        }
        yield new From(text);
      }
    };
  }

  /** The form used in config files and records. */
  default String text() {
    if (this instanceof From from) {
      return from.reference();
    }
    return this instanceof Auto ? "auto" : this instanceof Never ? "never" : "required";
  }
}
