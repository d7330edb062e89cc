package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.evaluator.TopKAccuracy;
import ai.djl.training.listener.EarlyStoppingListener;
import ai.djl.training.loss.SoftmaxCrossEntropyLoss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import dev.ckpt.CheckpointException;
import dev.ckpt.djl.SmallTraining.Order;
import dev.ckpt.djl.SmallTraining.Setup;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a program changes on purpose between two attempts. The page of it is docs/changes.md. */
class ChangesTest {
  private static final Path PAGE = Path.of("..", "docs", "changes.md");

  /** 150 samples in batches of 16. */
  private static final int BATCHES = 10;

  /** In the second of three epochs, behind the save at step 15. */
  private static final int KILLED = 16;

  private static final int STEP = 15;

  private static final List<Class<?>> SPEAKERS =
      List.of(Environment.class, EvaluatorState.class, DjlCheckpoints.class);

  private final StringBuilder page = new StringBuilder();

  /** What the second attempt came to. */
  private record Outcome(SmallTraining training, int trained, String said) {}

  private static final class OtherLoss extends SoftmaxCrossEntropyLoss {
    OtherLoss() {
      super("loss");
    }
  }

  private static SmallTraining training() {
    return new SmallTraining(SmallTraining.Setup.plain());
  }

  /** Kills a training inside its second epoch, and goes on with the change. */
  private static Outcome changed(Consumer<SmallTraining> change) {
    SmallTraining training = training();
    assertThat(training.run(KILLED)).isFalse();
    return again(training, change);
  }

  private static Outcome again(SmallTraining training, Consumer<SmallTraining> change) {
    change.accept(training);
    int before = training.log.executed;
    @Nullable Throwable[] thrown = new Throwable[1];
    String told = Told.alsoInformation(SPEAKERS, () -> thrown[0] = catchThrowable(training::run));
    Pattern line =
        Pattern.compile(
            "\\[main\\] ((?:INFO|WARN)) dev\\.ckpt\\.(?:djl|internal\\.commit)\\.\\w+ - (.*)");
    String said =
        told.lines()
            .map(line::matcher)
            .filter(found -> found.matches())
            .map(found -> found.group(1) + " " + found.group(2))
            .distinct()
            .collect(Collectors.joining("\n"));
    Throwable refusal = thrown[0];
    if (refusal != null) {
      assertThat(refusal).isInstanceOf(CheckpointException.Incompatible.class);
      said = "refused: " + refusal.getMessage();
    }
    return new Outcome(training, training.log.executed - before, said);
  }

  private void row(String title, String meaning, Outcome outcome, String said) {
    assertThat(outcome.said()).as(title).contains(said);
    page.append("\n## ").append(title).append("\n\n").append(meaning).append("\n\n```\n");
    page.append(outcome.said().replace(OtherLoss.class.getName(), "my.OtherLoss"))
        .append("\n```\n");
  }

  private static Optimizer adam(Tracker rate) {
    return Optimizer.adam().optLearningRateTracker(rate).build();
  }

  private static Tracker cosine(int updates) {
    return Tracker.cosine()
        .setBaseValue(0.05f)
        .optFinalValue(0.001f)
        .setMaxUpdates(updates)
        .build();
  }

  /** A rate that is changed at an update, in a training that nobody stops. */
  private static String changingAt(int update, Tracker first, Tracker then) {
    SmallTraining whole = training();
    whole.optimizer =
        () -> adam(done -> done <= update ? first.getNewValue(done) : then.getNewValue(done));
    return whole.run().sha256;
  }

  @Test
  void eachIsCarriedOnAsItWasMeantOrRefusedAndThePageSaysIt() throws Exception {
    String unchanged = training().run().sha256;
    assertThat(changed(each -> {}))
        .satisfies(each -> assertThat(each.training().log.sha256).isEqualTo(unchanged))
        .satisfies(each -> assertThat(each.said()).isEmpty());
    epochs();
    patience();
    rate();
    batchSize();
    size(unchanged);
    split();
    seed(unchanged);
    optimizer();
    loss();
    evaluators(unchanged);
    model();

    String text =
        "# Changed on purpose\n\n"
            + "A run is killed inside its second epoch and started again with something changed."
            + " What is carried over, what is refused,\n"
            + "and what is said: all of it is seen by a test (`ChangesTest`). What is not changed"
            + " goes on to the bit.\n"
            + "This is DJL; with DL4J the same is carried over, and a begun epoch goes on behind"
            + " its samples, too. An iterator that is not `ckpt.batches` keeps its own\n"
            + "order then, which is a warning, as other settings of layers are"
            + " ([DL4J](dl4j.md#where-a-checkpoint-is-made)).\n"
            + "With DJL nobody compares what is set inside blocks and losses (a dropout rate, an"
            + " activation, a weight of the loss): the new one counts, without a word.\n"
            + page;
    Files.createDirectories(Path.of("target"));
    Files.writeString(Path.of("target", "changes.md"), text);
    assertThat(PAGE)
        .as("cp ckpt-djl/target/changes.md docs/")
        .content(StandardCharsets.UTF_8)
        .isEqualTo(text);
  }

  private void epochs() {
    SmallTraining five = training();
    five.epochs = 5;
    String wanted = five.run().sha256;
    SmallTraining training = training();
    training.run();
    Outcome more = again(training, each -> each.epochs = 5);
    assertThat(more.training().log.sha256).isEqualTo(wanted);
    assertThat(more.trained()).isEqualTo(2 * BATCHES);
    row(
        "More epochs",
        "Trains on, and ends with the bytes of a run that had the larger goal from the start.",
        more,
        "trains on to 5");

    Outcome fewer = again(training, each -> each.epochs = 2);
    assertThat(fewer.trained()).isZero();
    assertThat(fewer.training().log.sha256).isEqualTo(wanted);
    row(
        "Fewer epochs",
        "Nothing is trained, and nothing is undone: the last state is restored.",
        fewer,
        "has reached its goal of 2 epochs");
  }

  private static EarlyStoppingListener patient(int epochs) {
    return EarlyStoppingListener.builder()
        .optEpochPatience(epochs)
        .optEarlyStopPctImprovement(99)
        .build();
  }

  private void patience() {
    SmallTraining from = training();
    from.epochs = 8;
    from.listener = patient(4);
    String wanted = from.run().sha256;
    SmallTraining training = training();
    training.epochs = 8;
    training.listener = patient(2);
    training.run();
    Outcome more = again(training, each -> each.listener = patient(4));
    assertThat(more.trained()).isEqualTo(2 * BATCHES);
    assertThat(more.training().log.sha256).isEqualTo(wanted);
    row(
        "More patience",
        "A run that `EarlyStoppingListener` has stopped trains on, and ends where that patience"
            + " ends a run that had it from the start. A longer duration, a higher least number of"
            + " epochs, less improvement asked for, or another metric is a reason to train on, too:"
            + " it counts from there on, and what was counted before, was by the old one. Less"
            + " patience, or more epochs alone, is no reason.",
        more,
        "epochPatience was 2 and is 4");
    Outcome less = again(more.training(), each -> each.listener = patient(3));
    assertThat(less.trained()).isZero();
    assertThat(less.said()).contains("stopped early after 5 epochs").contains("more patience");
  }

  private void rate() {
    Tracker old = cosine(40);
    Outcome rate = changed(each -> each.optimizer = () -> adam(Tracker.fixed(0.003f)));
    assertThat(rate.training().log.startedAt).containsExactly(0L, (long) STEP);
    assertThat(rate.training().log.sha256).isEqualTo(changingAt(STEP, old, Tracker.fixed(0.003f)));
    row(
        "Another learning rate",
        "Ends with the bytes of a run whose rate is changed at that update.",
        rate,
        "INFO optimizer differs: Adam{learningRateTracker=CosineTracker{baseValue=0.05,");

    Outcome schedule = changed(each -> each.optimizer = () -> adam(cosine(25)));
    assertThat(schedule.training().log.sha256).isEqualTo(changingAt(STEP, old, cosine(25)));
    row(
        "Another schedule",
        "The new schedule goes on at the update that the run has reached, not at its start.",
        schedule,
        "CosineTracker{maxUpdates=25}} now: the new settings count from here on");
  }

  private void batchSize() {
    Outcome smaller = changed(each -> each.batch = 10);
    // five batches of 16 are done in this epoch
    assertThat(smaller.trained()).isEqualTo((150 - 80) / 10 + 15);
    row(
        "Another batch size",
        "The epoch goes on behind the samples that are done: none comes twice. If they are no"
            + " multiple of the new size, up to a batch of them waits for the next epoch.",
        smaller,
        "INFO training.batchSize was 16");
  }

  @ParameterizedTest
  @CsvSource({"10, 3", "10, 5", "64, 1", "7, 8"})
  void killedAgainBehindAnotherBatchSizeItEndsAlike(int size, int killedAfter) {
    for (Order order : List.of(Order.STOCK, Order.OWN)) {
      SmallTraining once = new SmallTraining(everyStep(order));
      assertThat(once.run(13)).isFalse();
      once.batch = size;
      once.run();
      SmallTraining twice = new SmallTraining(everyStep(order));
      assertThat(twice.run(13)).isFalse();
      twice.batch = size;
      assertThat(twice.run(killedAfter)).isFalse();
      twice.run();
      assertThat(twice.log.startedAt).containsExactly(0L, 13L, 13L + killedAfter);
      assertThat(twice.log.sha256).isEqualTo(once.log.sha256);
      assertThat(twice.log.batches.values()).containsAll(once.log.batches.values());
    }
  }

  @ParameterizedTest
  @CsvSource({"10, 7", "64, 10", "10, 64", "10, 16"})
  void changedTwiceInOneEpochNoSampleComesTwice(int first, int second) {
    SmallTraining training = new SmallTraining(everyStep(Order.STOCK));
    assertThat(training.run(13)).isFalse();
    training.batch = first;
    assertThat(training.run(1)).isFalse();
    training.batch = second;
    training.run();
    assertThat(training.log.trained.get(1))
        .doesNotHaveDuplicates()
        .hasSizeGreaterThan(3 * 16)
        .hasSizeGreaterThan(SmallTraining.SAMPLES - first - second);
  }

  private static Setup everyStep(Order order) {
    return Setup.plain().with(order).savingEvery(1);
  }

  private void size(String unchanged) {
    Outcome grown = changed(each -> each.samples = 200);
    assertThat(grown.trained()).isEqualTo(13 - 5 + 13);
    row(
        "Data that grew",
        "Each epoch has the new size; only the one that was begun has a mixed order.",
        grown,
        "WARN training.size was 150 in the checkpoint and is 200");

    Outcome shrunk = changed(each -> each.samples = 60);
    assertThat(shrunk.trained()).as("the begun epoch is over").isEqualTo(4);
    row(
        "Data that shrank",
        "If more batches are done than the epoch now has, it is over.",
        shrunk,
        "WARN training.size was 150 in the checkpoint and is 60");

    Outcome validation = changed(each -> each.validates = 64);
    assertThat(validation.training().log.sha256).isEqualTo(unchanged);
    row(
        "Other validation data",
        "The weights are those of the unchanged run; the metrics are of the new data.",
        validation,
        "WARN validation.size was 40");
  }

  private static Outcome splitChanged(Consumer<SmallTraining> change) {
    SmallTraining training = training();
    training.heldOut = 40;
    assertThat(training.run(KILLED - 6)).isFalse(); // 7 batches an epoch
    return again(training, change);
  }

  private void split() {
    Outcome grown = splitChanged(each -> each.samples = 200);
    assertThat(grown.training().log.startedAt).containsExactly(0L, 9L);
    assertThat(grown.trained()).isEqualTo(10 - 2 + 10);
    row(
        "Data that grew, split by fixed indices",
        "The validation part is as it was, and nothing of it is in the training part.",
        grown,
        "WARN The training data is another part of the whole");

    Outcome leaking = splitChanged(each -> each.heldOut = 50);
    assertThat(leaking.trained()).isZero();
    row(
        "Another split",
        "Refused before a batch is trained: samples that were trained would be validated.",
        leaking,
        "refused: The training data and the validation data are both another part");
  }

  private void seed(String unchanged) {
    Outcome other = changed(each -> each.checkpointing = builder -> builder.seed(1234));
    assertThat(other.training().log.sha256).isEqualTo(unchanged);
    row(
        "Another seed",
        "A run keeps the seed that it was started with: the bytes are those of the unchanged run.",
        other,
        "WARN seed 1234 is ignored");
  }

  private void optimizer() {
    Outcome other = changed(each -> each.optimizer = SmallTraining::adamW);
    assertThat(other.trained()).isZero();
    row(
        "Another class of optimizer",
        "Refused, also where the slots have the same names: nothing is changed.",
        other,
        "refused: The checkpoint's optimizer is ai.djl.training.optimizer.Adam,");
    assertThat(other.said()).contains("AdamW").contains("initFrom");
    Outcome back = again(other.training(), each -> each.optimizer = SmallTraining::adam);
    assertThat(back.training().log.sha256).isEqualTo(training().run().sha256);
  }

  private void loss() {
    Outcome other = changed(each -> each.loss = OtherLoss::new);
    assertThat(other.trained()).isEqualTo(2 * BATCHES - 5);
    row(
        "Another loss",
        "Weights and optimizer go on under the new loss.",
        other,
        "WARN loss was ai.djl.training.loss.SoftmaxCrossEntropyLoss");
  }

  private void evaluators(String unchanged) {
    Outcome more = changed(each -> each.evaluators = List.of(new TopKAccuracy("top2", 2)));
    assertThat(more.training().log.sha256).isEqualTo(unchanged);
    row(
        "Other evaluators",
        "The bytes are those of the unchanged run; a new one counts from here on, which makes its"
            + " first epoch a part of one.",
        more,
        "Evaluator top2 is not in the checkpoint: it starts at zero");
    assertThat(more.said()).as("those that stayed go on").doesNotContain("Evaluator loss");
  }

  private void model() {
    Outcome other =
        changed(
            each ->
                each.block =
                    small -> new SequentialBlock().add(Linear.builder().setUnits(3).build()));
    assertThat(other.trained()).isZero();
    row(
        "Another model",
        "Refused, with what differs: nothing is changed.",
        other,
        "refused: The model has another structure");
  }
}
