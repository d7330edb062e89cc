package dev.ckpt.dl4j;

import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.linalg.schedule.ISchedule;
import org.nd4j.serde.json.JsonMappers;
import org.nd4j.shade.jackson.core.JsonProcessingException;
import org.nd4j.shade.jackson.databind.JsonNode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Learning rates, or schedules of them, that the program sets while it trains. They are saved with
 * what was configured in their place, and set again in a program that configures the same: one that
 * configures something else means that. What is as configured is not saved.
 */
final class LearningRates {
  private static final Logger log = LoggerFactory.getLogger(LearningRates.class);
  private static final String NAME = "set";
  private static final String CONFIGURED = "configured";
  private static final String CHANGED = "changed";
  private static final String PARAMETERS = "parameters";

  /** Only these are built from what a checkpoint says. */
  private static final String SCHEDULES = ISchedule.class.getPackageName() + ".";

  private record Change(String configured, String changed) {}

  private final Supplier<Trainee> trainee;
  private Map<String, IUpdater> configured = Map.of();
  private Map<String, IUpdater> written = Map.of();
  private List<Map<String, Object>> value = List.of();

  LearningRates(Supplier<Trainee> trainee) {
    this.trainee = trainee;
  }

  /** Looks at what the program has configured, before anything is restored. */
  void observe() {
    configured = copy(trainee.get().updaterSettings());
    written = configured;
  }

  private static Map<String, IUpdater> copy(Map<String, IUpdater> settings) {
    Map<String, IUpdater> copy = new LinkedHashMap<>();
    settings.forEach((parameter, updater) -> copy.put(parameter, updater.clone()));
    return copy;
  }

  void capture(StateSink sink) {
    Map<String, IUpdater> now = trainee.get().updaterSettings();
    if (!now.equals(written)) {
      written = copy(now);
      value = changes(written);
    }
    if (!value.isEmpty()) {
      sink.value(NAME, value);
    }
  }

  private List<Map<String, Object>> changes(Map<String, IUpdater> now) {
    Map<Change, List<String>> changes = new LinkedHashMap<>();
    now.forEach(
        (parameter, updater) -> {
          IUpdater before = configured.get(parameter);
          if (before != null && !before.equals(updater)) {
            changes
                .computeIfAbsent(new Change(text(before), text(updater)), any -> new ArrayList<>())
                .add(parameter);
          }
        });
    List<Map<String, Object>> list = new ArrayList<>();
    changes.forEach(
        (change, parameters) ->
            list.add(
                Map.of(
                    CONFIGURED, change.configured,
                    CHANGED, change.changed,
                    PARAMETERS, parameters)));
    return list;
  }

  /** DL4J's own JSON, which has all digits. */
  private static String text(IUpdater updater) {
    try {
      return JsonMappers.getMapper().writeValueAsString(updater);
    } catch (JsonProcessingException e) {
      return updater.toString();
    }
  }

  /** Before the slots are restored: DL4J keeps those together that have the same settings. */
  void restore(StateView view) {
    if (!view.values().contains(NAME)) {
      return;
    }
    TreeSet<String> set = new TreeSet<>();
    TreeSet<String> others = new TreeSet<>();
    TreeSet<String> lost = new TreeSet<>();
    Map<String, IUpdater> settings = trainee.get().updaterSettings();
    for (Object each : view.value(NAME, List.class)) {
      Map<?, ?> entry = (Map<?, ?>) each;
      String changed = String.valueOf(entry.get(CHANGED));
      List<?> parameters = entry.get(PARAMETERS) instanceof List<?> some ? some : List.of();
      for (Object parameter : parameters) {
        IUpdater updater = settings.get(String.valueOf(parameter));
        String here = updater == null ? changed : text(updater);
        if (updater == null || here.equals(changed)) {
          continue; // the same object serves several parameters
        }
        if (!here.equals(entry.get(CONFIGURED))) {
          others.add(updater.toString());
        } else if (set(updater, changed)) {
          set.add(updater.toString());
        } else {
          lost.add(changed);
        }
      }
    }
    if (!set.isEmpty()) {
      trainee.get().rebuildUpdaters();
      log.info("The program had set this while it trained, and it counts again: {}", set);
    }
    if (!others.isEmpty()) {
      log.info(
          "The program had set other learning rates while it trained. It is configured otherwise"
              + " than it was, so what it is configured with counts: {}",
          others);
    }
    if (!lost.isEmpty()) {
      log.warn(
          "The program had changed more of its updaters while it trained than their learning rate,"
              + " or has set a schedule of its own, which cannot be restored: set it again behind"
              + " ckpt.resume(...), else the bits will differ. It was {}",
          lost);
    }
  }

  /** Whether the updater is then as it was. */
  private static boolean set(IUpdater updater, String changed) {
    try {
      JsonNode all = JsonMappers.getMapper().readTree(changed);
      JsonNode rate = all.get("learningRate");
      JsonNode schedule = all.get("learningRateSchedule");
      if (!updater.hasLearningRate() || rate == null || !isKnown(schedule)) {
        return false;
      }
      updater.setLrAndSchedule(
          Double.parseDouble(rate.asText()),
          schedule == null || schedule.isNull()
              ? null
              : JsonMappers.getMapper().treeToValue(schedule, ISchedule.class));
      return text(updater).equals(changed);
    } catch (IOException | NumberFormatException e) {
      log.debug("not restored: {}", changed, e);
      return false;
    }
  }

  private static boolean isKnown(@Nullable JsonNode schedule) {
    return schedule == null
        || schedule.findValuesAsText("@class").stream()
            .allMatch(name -> name.startsWith(SCHEDULES));
  }
}
