package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.CyclicalTracker;
import ai.djl.training.tracker.FixedPerVarTracker;
import ai.djl.training.tracker.Tracker;
import ai.djl.training.tracker.WarmUpTracker;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The settings of an optimizer, as text in checkpoints and in what a resume says. */
class SettingsTest {
  private static final String FIXED =
      "Adam{beginNumUpdate=0, beta1=0.9, beta2=0.999, clipGrad=-1.0, epsilon=1.0E-8,"
          + " learningRateTracker=FixedTracker{value=0.01}, rescaleGrad=1.0, weightDecays=0.0}";

  @Test
  void theTextHoldsEverySettingAndIsReadBack() {
    Settings adam = adam(Tracker.fixed(0.01f));
    assertThat(adam).hasToString(FIXED);
    assertThat(Settings.parse(FIXED)).isEqualTo(adam);
  }

  @Test
  void whatIsNotAlikeIsLeft() {
    Settings old = adam(cosine(40));
    assertThat(old.without(adam(cosine(25))))
        .hasToString("Adam{learningRateTracker=CosineTracker{maxUpdates=40}}");
    assertThat(old.without(adam(Tracker.fixed(0.01f))))
        .as("of another class: all of it")
        .hasToString(
            "Adam{learningRateTracker=CosineTracker{baseValue=0.05, finalValue=0.001,"
                + " maxUpdates=40}}");
    assertThat(old.without(old)).hasToString("Adam{}");
    Settings more = Settings.parse("Adam{a=1, b=Of{c=2}}");
    assertThat(more.without(Settings.parse("Adam{b=Of{c=2}}"))).hasToString("Adam{a=1}");
    assertThat(Settings.parse("Adam{b=Of{c=2}}").without(more)).hasToString("Adam{}");
    assertThat(more.without(Settings.parse("AdamW{a=1}"))).isEqualTo(more);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a", "a{", "a{b}", "a{b=1", "a{b=1,c=2}", "a{b=1}}", "{}", "a=b, c"})
  void aTextOfAnyKindKeepsItself(String text) {
    assertThat(Settings.parse(text)).hasToString(text);
  }

  /** Its class has another name in each process, and nothing was changed. */
  @Test
  void theTrackerOfALambdaIsNamedWithoutItsNumber() {
    assertThat(adam(updates -> 0.01f).toString())
        .contains("learningRateTracker=SettingsTest$$Lambda{}");
  }

  @Test
  void stepsModesAndRatesByParameterAreSettings() {
    Tracker factors =
        Tracker.multiFactor()
            .setBaseValue(0.1f)
            .optFactor(0.5f)
            .setSteps(new int[] {10, 20})
            .build();
    Tracker warm =
        Tracker.warmUp()
            .setMainTracker(factors)
            .optWarmUpSteps(3)
            .optWarmUpBeginValue(0.01f)
            .optWarmUpMode(WarmUpTracker.Mode.CONSTANT)
            .build();
    String text = adam(warm).toString();
    assertThat(text).contains("steps=[10 20]").contains("warmUpMode=CONSTANT");
    assertThat(Settings.parse(text)).isEqualTo(adam(warm));
    Settings rates =
        Settings.of(
            Optimizer.adam()
                .optLearningRateTracker(
                    FixedPerVarTracker.builder()
                        .setDefaultValue(0.1f)
                        .put("b", 0.2f)
                        .put("a", 0.3f)
                        .build())
                .build(),
            id -> id);
    assertThat(rates.toString()).contains("{a=0.3, b=0.2}");
    assertThat(Settings.parse(rates.toString())).isEqualTo(rates);
  }

  @Test
  void theShapeOfACycleIsASetting() {
    List<String> texts = new ArrayList<>();
    for (CyclicalTracker.CyclicalMode mode : CyclicalTracker.CyclicalMode.values()) {
      for (float gamma : new float[] {0.9f, 0.99f}) {
        texts.add(
            adam(Tracker.cyclical()
                    .optBaseValue(0.001f)
                    .optMaxValue(0.01f)
                    .optStepSizeUp(4)
                    .optStepSizeDown(4)
                    .optScaleFunction(null)
                    .optMode(mode)
                    .optGamma(gamma)
                    .build())
                .toString());
      }
    }
    assertThat(texts).hasSize(6);
    assertThat(Set.copyOf(texts)).as("%s", texts).hasSize(4);
    assertThat(texts).allMatch(text -> Settings.parse(text).toString().equals(text));
  }

  /** Knows its trackers in an array, and computes by an object of its own, which knows it. */
  private final class Staged implements Tracker {
    @SuppressWarnings("unused") // read as a setting
    private final Tracker[] stages = {Tracker.fixed(0.1f), Tracker.fixed(0.2f)};

    @SuppressWarnings("unused")
    private final IntUnaryOperator inner =
        new IntUnaryOperator() {
          @Override
          public int applyAsInt(int updates) {
            return updates / Staged.this.stages.length;
          }
        };

    @SuppressWarnings("unused")
    private final Shape shape = new Shape(this);

    private record Shape(Staged of) {}

    @Override
    public float getNewValue(int updates) {
      return 0.1f;
    }
  }

  @Test
  void aTrackerThatKnowsItselfHasSettingsTheSameInEachProcess() {
    assertThat(adam(new Staged()))
        .isEqualTo(adam(new Staged()))
        .asString()
        .contains("stages=Tracker[]")
        .doesNotContain("@");
  }

  private static Settings adam(Tracker rate) {
    return Settings.of(Optimizer.adam().optLearningRateTracker(rate).build(), id -> id);
  }

  private static Tracker cosine(int updates) {
    return Tracker.cosine()
        .setBaseValue(0.05f)
        .optFinalValue(0.001f)
        .setMaxUpdates(updates)
        .build();
  }
}
