package dev.ckpt.internal.config;

import dev.ckpt.FailurePolicy;
import dev.ckpt.InitFrom;
import dev.ckpt.NonFinitePolicy;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.SaveTrigger;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * All values of a config, read and checked.
 *
 * @param sections what optional modules parsed, by its type
 * @param values each key's text and origin, in the order of the reference
 */
public record Settings(
    String store,
    Optional<String> run,
    Resume resume,
    OptionalLong seed,
    String format,
    SaveTrigger saveWhen,
    Retention keep,
    Optional<BestBy> restoreBest,
    Optional<InitFrom> initFrom,
    OptionalLong maxBytes,
    OptionalLong stagingBudget,
    Duration deadline,
    Duration stopGrace,
    int retries,
    FailurePolicy onFailure,
    NonFinitePolicy nonFinite,
    int crashLoop,
    boolean takeOver,
    Map<Class<?>, Object> sections,
    Map<String, Value> values) {

  /**
   * A value as it was given.
   *
   * @param text empty if there is none
   * @param origin where it came from
   */
  public record Value(Optional<String> text, String origin) {}
}
