package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.translate.TranslateException;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.InitFrom;
import dev.ckpt.Retention;
import dev.ckpt.Stores;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.FaultyStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import jdk.jshell.EvalException;
import jdk.jshell.JShell;
import jdk.jshell.Snippet;
import jdk.jshell.SnippetEvent;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Cells that are run again, and Stop, which interrupts the thread of the running cell. */
class NotebookTest {
  private static final String THREAD = "notebook.thread";
  private static final int EPOCHS = 60;
  private static final String SAID = "notebook.said";
  private static final Duration LONG = Duration.ofMinutes(10);

  private static final List<String> IMPORTS =
      List.of(
          "import ai.djl.*;",
          "import ai.djl.ndarray.types.Shape;",
          "import ai.djl.nn.*;",
          "import ai.djl.nn.core.Linear;",
          "import ai.djl.nn.norm.Dropout;",
          "import ai.djl.training.*;",
          "import ai.djl.training.dataset.ArrayDataset;",
          "import ai.djl.training.loss.Loss;",
          "import ai.djl.training.optimizer.Optimizer;",
          "import dev.ckpt.djl.DjlCheckpoints;",
          "import java.nio.file.Path;");

  private static final List<String> MODEL =
      List.of(
          """
          Model model = Model.newInstance("m", Device.cpu());""",
          """
          model.setBlock(new SequentialBlock().add(Linear.builder().setUnits(16).build())
              .add(Activation::relu).add(Dropout.builder().optRate(0.2f).build())
              .add(Linear.builder().setUnits(2).build()));""",
          """
          ArrayDataset data = new ArrayDataset.Builder()
              .setData(model.getNDManager().arange(8f * 4 * 20).reshape(-1, 4).div(100))
              .optLabels(model.getNDManager().arange(8f * 20).mod(2)).setSampling(8, true).build();""",
          """
          Trainer trainer = model.newTrainer(new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
              .optOptimizer(Optimizer.adam().build()).addTrainingListeners(ckpt.listener()));""",
          "trainer.initialize(new Shape(8, 4));");

  @TempDir Path folder;

  private JShell notebook() {
    JShell shell = JShell.builder().executionEngine("local").build();
    for (String each :
        System.getProperty("java.class.path", "").split(java.io.File.pathSeparator)) {
      shell.addToClasspath(each);
    }
    IMPORTS.forEach(cell -> run(shell, cell));
    return shell;
  }

  private static List<SnippetEvent> eval(JShell shell, String cell) {
    List<SnippetEvent> events = shell.eval(cell);
    for (SnippetEvent each : events) {
      assertThat(each.status())
          .as("%s: %s", cell, shell.diagnostics(each.snippet()).toList())
          .isIn(Snippet.Status.VALID, Snippet.Status.OVERWRITTEN);
    }
    return events;
  }

  private static void run(JShell shell, String cell) {
    eval(shell, cell).forEach(each -> assertThat(each.exception()).as("%s", cell).isNull());
  }

  private void open(JShell shell, String run) {
    run(
        shell,
        "DjlCheckpoints ckpt = DjlCheckpoints.open(dev.ckpt.CheckpointManager.in(Path.of(\""
            + folder
            + "\")).run(\""
            + run
            + "\").seed(3));");
    MODEL.forEach(cell -> run(shell, cell));
  }

  private static String said(JShell shell, String expression) {
    run(shell, "System.setProperty(\"" + SAID + "\", \"\" + " + expression + ");");
    return System.getProperty(SAID, "");
  }

  private static String fit(int epochs) {
    return "System.getProperties().put(\""
        + THREAD
        + "\", Thread.currentThread()); ckpt.fit(trainer, "
        + epochs
        + ", data, null);";
  }

  @Test
  void stopSavesTheBoundaryAndTheCellsRunAgainGoOnFromIt() throws Exception {
    String wanted;
    try (JShell whole = notebook()) {
      open(whole, "whole");
      run(whole, "ckpt.fit(trainer, " + EPOCHS + ", data, null);");
      wanted = said(whole, "ckpt.sha256()");
      run(whole, "trainer.close(); ckpt.close();");
    }
    try (JShell shell = notebook();
        CheckpointStore store = Stores.local(folder)) {
      open(shell, "stopped");
      CompletableFuture<List<SnippetEvent>> cell =
          CompletableFuture.supplyAsync(() -> shell.eval("{ " + fit(EPOCHS) + " }"));
      Checkpoints run = Checkpoints.read(store, "stopped");
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
      while (run.list().isEmpty()) {
        assertThat(System.nanoTime()).isLessThan(deadline);
        Thread.sleep(1);
      }
      Thread training = (Thread) System.getProperties().get(THREAD);
      Objects.requireNonNull(training).interrupt(); // Stop
      SnippetEvent stopped = cell.get(60, TimeUnit.SECONDS).get(0);
      assertThat(stopped.exception()).isInstanceOf(EvalException.class);
      assertThat(stopped.exception()).hasMessageContaining("is saved at step");
      assertThat(stopped.exception()).hasMessageContaining("Start it again");
      long step = Long.parseLong(said(shell, "ckpt.progress().step()"));
      assertThat(step).isBetween(1L, EPOCHS * 20L - 1);

      open(shell, "stopped"); // the same cells: the manager before is closed by itself
      Checkpoint latest = run.latest().orElseThrow();
      assertThat(latest.progress().step()).isEqualTo(step);
      assertThat(said(shell, "ckpt.resume(trainer).isPresent()")).isEqualTo("true");
      assertThat(said(shell, "ckpt.progress().step()")).isEqualTo(Long.toString(step));
      run(shell, fit(EPOCHS));
      assertThat(said(shell, "ckpt.sha256()")).isEqualTo(wanted);
      run(shell, "trainer.close(); ckpt.close();");
    } finally {
      System.getProperties().remove(THREAD);
      System.clearProperty(SAID);
    }
    Process other = HoldingProcess.start(folder, "stopped"); // no lock is left
    other.destroyForcibly().waitFor();
  }

  @Test
  void stoppedThreeTimesItIsNoCrashLoop() {
    SmallTraining training = new SmallTraining(SmallTraining.Setup.plain());
    training.afterResume = (ckpt, trainer) -> Thread.currentThread().interrupt();
    for (int i = 0; i < 5; i++) {
      Throwable thrown = org.assertj.core.api.Assertions.catchThrowable(training::run);
      assertThat(thrown).isInstanceOf(CancellationException.class);
      assertThat(Thread.currentThread().isInterrupted()).as("said by the exception").isFalse();
    }
    training.afterResume = (ckpt, trainer) -> {};
    String sha256 = training.run().sha256;
    assertThat(sha256).isEqualTo(new SmallTraining(SmallTraining.Setup.plain()).run().sha256);
    assertThat(training.log.startedAt).containsExactly(0L, 1L, 2L, 3L, 4L, 5L);
  }

  /** Interrupts this thread in the given callback, once. */
  private static TrainingListenerAdapter stopIn(String where, int time) {
    return new TrainingListenerAdapter() {
      private int times;

      private void at(String here) {
        if (here.equals(where) && ++times == time) {
          Thread.currentThread().interrupt();
        }
      }

      @Override
      public void onTrainingBatch(Trainer trainer, BatchData data) {
        at("batch");
      }

      @Override
      public void onValidationBatch(Trainer trainer, BatchData data) {
        at("validation");
      }

      @Override
      public void onEpoch(Trainer trainer) {
        at("epoch");
      }
    };
  }

  /** 10 batches an epoch, 3 of validation, 3 epochs; in a real folder, whose reads can break. */
  @ParameterizedTest
  @CsvSource({
    "batch, 7, 7",
    "batch, 20, 20",
    "batch, 30, 30",
    "validation, 2, 10",
    "validation, 8, 30",
    "epoch, 1, 10",
    "epoch, 3, 30"
  })
  void stoppedAnywhereTheFitCellAloneGoesOnToTheSameBits(String where, int time, long step)
      throws Exception {
    SmallTraining whole = new SmallTraining(SmallTraining.Setup.plain());
    whole.checkpointing = builder -> builder.restoreBest("validate_loss", Retention.Mode.MIN);
    whole.run();
    try (CheckpointStore store = Stores.local(folder)) {
      for (boolean again : List.of(true, false)) {
        SmallTraining training = new SmallTraining(SmallTraining.Setup.plain(), store);
        training.checkpointing =
            builder ->
                builder
                    .run(again ? "again" : "anew")
                    .restoreBest("validate_loss", Retention.Mode.MIN);
        training.listener = stopIn(where, time);
        training.fitsAgain = again;
        Throwable thrown = org.assertj.core.api.Assertions.catchThrowable(training::run);
        if (!again) {
          assertThat(thrown)
              .isInstanceOf(CancellationException.class)
              .hasMessageContaining("is saved at step " + step);
          training.listener = new TrainingListenerAdapter() {};
          training.run();
        } else {
          assertThat(thrown).isNull();
        }
        assertThat(Thread.currentThread().isInterrupted()).isFalse();
        assertThat(training.log.sha256).as("again: %s", again).isEqualTo(whole.log.sha256);
        assertThat(training.log.batches).isEqualTo(whole.log.batches);
        assertThat(training.log.executed).isEqualTo(whole.log.executed);
        assertThat(training.log.epochs.get(3)).isEqualTo(whole.log.epochs.get(3));
      }
    }
  }

  /** Behind a Stop, as in a cell of its own: how good is it by now? */
  @ParameterizedTest
  @CsvSource({"batch, 7", "batch, 20", "validation, 2", "validation, 5", "epoch, 1", "epoch, 2"})
  void aLookAtTheModelBehindAStopLeavesNoTrace(String where, int time) {
    SmallTraining whole = new SmallTraining(SmallTraining.Setup.plain());
    whole.run();
    SmallTraining training = new SmallTraining(SmallTraining.Setup.plain());
    training.listener = stopIn(where, time);
    training.fitsAgain = true;
    List<ArrayDataset> made = new ArrayList<>();
    training.dataset =
        (builder, which) -> {
          made.add(builder.build());
          return made.get(made.size() - 1);
        };
    List<Runnable> looks = new ArrayList<>();
    training.afterResume =
        (ckpt, trainer) -> {
          looks.add(() -> evaluate(trainer, made.get(1)));
          looks.add(() -> evaluate(trainer, ckpt.validation(made.get(1))));
          looks.add(() -> ckpt.random("noise").nextGaussian());
          looks.add(() -> ckpt.random("of the look alone").nextGaussian());
        };
    AtomicInteger looked = new AtomicInteger();
    training.whenStopped =
        () ->
            looks.forEach(
                look -> {
                  look.run();
                  looked.incrementAndGet();
                });
    training.run();
    assertThat(looked).hasValue(4);
    assertThat(training.log.epochs).isEqualTo(whole.log.epochs);
    assertThat(training.log.batches).isEqualTo(whole.log.batches);
    assertThat(training.log.sha256).isEqualTo(whole.log.sha256);
  }

  private static void evaluate(Trainer trainer, Dataset data) {
    try {
      EasyTrain.evaluateDataset(trainer, data);
    } catch (IOException | TranslateException e) {
      throw new AssertionError(e);
    }
  }

  /** In the second of three epochs; the cell is run again with a goal that is reached. */
  @ParameterizedTest
  @CsvSource({"batch, 17", "validation, 5"})
  void aSmallerGoalBehindAStopEndsNoEpoch(String where, int time) {
    SmallTraining whole = new SmallTraining(SmallTraining.Setup.plain());
    whole.run();
    SmallTraining training = new SmallTraining(SmallTraining.Setup.plain());
    training.listener = stopIn(where, time);
    training.fitsAgain = true;
    training.whenStopped = () -> training.epochs = 1;
    training.run();
    training.listener = new TrainingListenerAdapter() {};
    training.epochs = SmallTraining.EPOCHS;
    training.run();
    assertThat(training.log.startedAt).containsExactly(0L, where.equals("batch") ? 17L : 20L);
    assertThat(training.log.epochs).isEqualTo(whole.log.epochs);
    assertThat(training.log.batches).isEqualTo(whole.log.batches);
    assertThat(training.log.sha256).isEqualTo(whole.log.sha256);
  }

  /** Data whose batch of some number comes only when who waits for it has been interrupted. */
  private static final class Late extends ArrayDataset {
    private final Thread training;
    private final int late;
    private final AtomicInteger fetched = new AtomicInteger();

    Late(ArrayDataset.Builder builder, int late) {
      super(builder.optPrefetchNumber(1));
      this.training = Thread.currentThread();
      this.late = late;
    }

    @Override
    public Batch getByIndices(NDManager manager, long... indices) {
      stop();
      return super.getByIndices(manager, indices);
    }

    @Override
    public Batch getByRange(NDManager manager, long from, long to) {
      stop();
      return super.getByRange(manager, from, to);
    }

    /** This batch is there only when a wait has been broken: what is awaited last is this one. */
    private void stop() {
      if (fetched.incrementAndGet() == late) {
        long[] waitsSince = {Long.MAX_VALUE};
        until(
            "it waits for this one: for another it would not wait long",
            () -> {
              waitsSince[0] = isWaiting() ? Math.min(waitsSince[0], now()) : Long.MAX_VALUE;
              return waitsSince[0] < now() - 100;
            });
        training.interrupt(); // Stop
        until("a wait was broken", () -> !training.isInterrupted());
      }
    }

    private boolean isWaiting() {
      return training.getState() == Thread.State.WAITING
          && Arrays.stream(training.getStackTrace())
              .anyMatch(frame -> frame.getClassName().equals(FutureTask.class.getName()));
    }

    private static long now() {
      return TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
    }

    private static void until(String what, BooleanSupplier condition) {
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
      while (!condition.getAsBoolean()) {
        assertThat(System.nanoTime()).as(what).isLessThan(deadline);
        Thread.onSpinWait();
      }
    }
  }

  /** Training data under 1, 10 batches an epoch; that of the validation under 2, 3 batches. */
  @ParameterizedTest
  @CsvSource({"1, 1, 0", "1, 7, 6", "1, 23, 22", "2, 1, 10", "2, 5, 20"})
  void stoppedWhileItWaitsForDataTheFitCellAloneGoesOnToTheSameBits(
      int which, int late, long step) {
    SmallTraining whole = new SmallTraining(SmallTraining.Setup.plain().prefetching());
    whole.run();
    for (boolean again : List.of(true, false)) {
      SmallTraining training = new SmallTraining(SmallTraining.Setup.plain().prefetching());
      training.loaderThreads = 1;
      training.dataset =
          (builder, made) -> made == which ? new Late(builder, late) : builder.build();
      training.fitsAgain = again;
      Throwable thrown = org.assertj.core.api.Assertions.catchThrowable(training::run);
      if (!again) {
        assertThat(thrown)
            .isInstanceOf(CancellationException.class)
            .hasMessageContaining(step == 0 ? "nothing was trained" : "is saved at step " + step)
            .hasRootCauseInstanceOf(InterruptedException.class);
        training.dataset = (builder, made) -> builder.build();
        training.run();
      } else {
        assertThat(thrown).isNull();
      }
      assertThat(Thread.currentThread().isInterrupted()).isFalse();
      assertThat(training.log.sha256).as("again: %s", again).isEqualTo(whole.log.sha256);
      assertThat(training.log.batches).isEqualTo(whole.log.batches);
      assertThat(training.log.executed).isEqualTo(whole.log.executed);
      assertThat(training.log.epochs).isEqualTo(whole.log.epochs);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = SmallTraining.Loop.class,
      names = {"FIT", "EASY_TRAIN"})
  void waitsThatAreStoppedAtOneStepAreNoCrashLoop(SmallTraining.Loop loop) {
    SmallTraining training =
        new SmallTraining(SmallTraining.Setup.plain().with(loop).prefetching());
    training.loaderThreads = 1;
    training.dataset = (builder, made) -> made == 1 ? new Late(builder, 1) : builder.build();
    for (int i = 0; i < 5; i++) {
      assertThatThrownBy(training::run).isInstanceOf(CancellationException.class);
    }
    training.dataset = (builder, made) -> builder.build();
    training.run();
    assertThat(training.log.startedAt).containsOnly(0L);
  }

  /** A listener that sends something, and has no other way to say that it was interrupted. */
  @ParameterizedTest
  @CsvSource({"validation, 2, 10", "epoch, 1, 10", "epoch, 2, 20"})
  void aStopWhileAListenerWaitsIsAStop(String where, int time, long step) {
    SmallTraining whole = new SmallTraining(SmallTraining.Setup.plain());
    whole.run();
    for (boolean again : List.of(true, false)) {
      SmallTraining training = new SmallTraining(SmallTraining.Setup.plain());
      training.first = List.of(stopIn(where, time));
      training.listener = new Sends(where);
      training.fitsAgain = again;
      Throwable thrown = org.assertj.core.api.Assertions.catchThrowable(training::run);
      if (!again) {
        assertThat(thrown)
            .isInstanceOf(CancellationException.class)
            .hasMessageContaining("is saved at step " + step);
        training.first = List.of();
        training.run();
      } else {
        assertThat(thrown).isNull();
      }
      assertThat(training.log.sha256).as("again: %s", again).isEqualTo(whole.log.sha256);
      assertThat(training.log.executed).isEqualTo(whole.log.executed);
      assertThat(training.log.epochs).isEqualTo(whole.log.epochs);
    }
  }

  @Test
  void stopsWhileAListenerWaitsAreNoCrashLoop() {
    for (String where : List.of("epoch", "batch")) {
      SmallTraining training = new SmallTraining(SmallTraining.Setup.plain());
      training.listener = new Sends(where);
      for (int i = 0; i < 5; i++) {
        training.first = List.of(stopIn(where, 1));
        assertThatThrownBy(training::run).isInstanceOf(CancellationException.class);
      }
      training.first = List.of();
      training.run();
    }
  }

  private static final class Sends extends TrainingListenerAdapter {
    private final String where;

    Sends(String where) {
      this.where = where;
    }

    private void at(String here) {
      if (here.equals(where)) {
        try {
          Thread.sleep(1);
        } catch (InterruptedException e) {
          throw new IllegalStateException(e);
        }
      }
    }

    @Override
    public void onTrainingBatch(Trainer trainer, BatchData data) {
      at("batch");
    }

    @Override
    public void onValidationBatch(Trainer trainer, BatchData data) {
      at("validation");
    }

    @Override
    public void onEpoch(Trainer trainer) {
      at("epoch");
    }
  }

  /** As the JDK's own pipes tell of it: no cause, no message, and the interrupt cleared. */
  @Test
  void aReadThatSaysThatItWasInterruptedIsAStop() {
    SmallTraining training = new SmallTraining(SmallTraining.Setup.plain());
    training.dataset =
        (builder, made) ->
            made == 1
                ? new TimesOut(builder, new java.io.InterruptedIOException(), true)
                : builder.build();
    for (int i = 0; i < 5; i++) {
      assertThatThrownBy(training::run).isInstanceOf(CancellationException.class);
    }
  }

  /** A socket's time-out is an {@link java.io.InterruptedIOException}, too. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aReadThatTimesOutIsNoStop(boolean unchecked) {
    SmallTraining training = new SmallTraining(SmallTraining.Setup.plain());
    training.dataset =
        (builder, made) ->
            made == 1
                ? new TimesOut(builder, new SocketTimeoutException("Read timed out"), unchecked)
                : builder.build();
    for (int i = 0; i < 3; i++) {
      Throwable thrown = org.assertj.core.api.Assertions.catchThrowable(training::run);
      assertThat(thrown).isNotInstanceOf(CancellationException.class);
      assertThat(thrown).hasRootCauseInstanceOf(SocketTimeoutException.class);
    }
    assertThatThrownBy(training::run).isInstanceOf(CheckpointException.CrashLoop.class);
  }

  private static final class TimesOut extends ArrayDataset {
    private final IOException thrown;
    private final boolean unchecked;

    TimesOut(ArrayDataset.Builder builder, IOException thrown, boolean unchecked) {
      super(builder);
      this.thrown = thrown;
      this.unchecked = unchecked;
    }

    @Override
    public Batch getByIndices(NDManager manager, long... indices) {
      if (unchecked) {
        throw new UncheckedIOException(thrown);
      }
      throw TimesOut.<RuntimeException>undeclared(thrown);
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> T undeclared(Throwable thrown) throws T {
      throw (T) thrown;
    }
  }

  @Test
  void aStopWaitsForItsSaveAndSaysIfThereIsNone() {
    InMemoryStore medium = new InMemoryStore(Clock.systemUTC());
    FaultyStore store = FaultyStore.around(medium);
    store
        .on(FaultyStore.Operation.PUT_IF_ABSENT)
        .key("**/manifests/**")
        .takes(Duration.ofMillis(300));
    SmallTraining training = new SmallTraining(SmallTraining.Setup.plain().savingEvery(0), store);
    training.listener = stopIn("batch", 7);
    training.fitsAgain = true;
    training.whenStopped =
        () ->
            assertThat(Checkpoints.read(medium, "small").latest().orElseThrow().progress().step())
                .isEqualTo(7);
    training.run();

    FaultyStore full = FaultyStore.around(new InMemoryStore(Clock.systemUTC()));
    full.on(FaultyStore.Operation.CREATE).isFull();
    SmallTraining lost = new SmallTraining(SmallTraining.Setup.plain(), full);
    lost.listener = stopIn("batch", 7);
    assertThatThrownBy(lost::run)
        .isInstanceOf(CancellationException.class)
        .hasMessageContaining("stands at step 7, and is not saved there");
  }

  @Test
  void aStopWhileFirstWeightsAreLoadedCanBeRepeated() {
    InMemoryStore medium = new InMemoryStore(Clock.systemUTC());
    SmallTraining base = new SmallTraining(SmallTraining.Setup.plain(), medium);
    base.checkpointing = builder -> builder.run("base");
    base.run();
    FaultyStore store = FaultyStore.around(medium);
    store.on(FaultyStore.Operation.values()).key("runs/base/data/**").nth(1).takes(LONG);
    Thread training = Thread.currentThread();
    Thread stop =
        new Thread(
            () -> {
              while (store.calls().stream()
                      .noneMatch(call -> call.key().startsWith("runs/base/data"))
                  || training.getState() != Thread.State.TIMED_WAITING) {
                Thread.onSpinWait();
              }
              training.interrupt();
            });
    stop.setDaemon(true);
    SmallTraining tuned = new SmallTraining(SmallTraining.Setup.plain(), store);
    tuned.checkpointing = builder -> builder.run("tuned").initFrom(InitFrom.of("base", "latest"));
    tuned.beforeResume = trainer -> stop.start();
    tuned.resumesAgain = true;
    long started = System.nanoTime();
    tuned.run();
    assertThat(Duration.ofNanos(System.nanoTime() - started)).as("stopped").isLessThan(LONG);
    assertThat(tuned.log.executed).isEqualTo(30);
  }

  @Test
  void aStopDuringTheStartSaysSoAndLeavesNothingBehind() throws Exception {
    SmallTraining whole = new SmallTraining(SmallTraining.Setup.plain());
    whole.run();
    try (CheckpointStore store = Stores.local(folder)) {
      SmallTraining training = new SmallTraining(SmallTraining.Setup.plain(), store);
      assertThat(training.run(14)).isFalse();
      training.beforeResume = trainer -> Thread.currentThread().interrupt();
      assertThatThrownBy(training::run)
          .isInstanceOf(CancellationException.class)
          .hasMessageContaining("Interrupted while run 'small' was resumed");
      assertThat(Thread.currentThread().isInterrupted()).isFalse();
      Thread.currentThread().interrupt();
      assertThatThrownBy(training::run)
          .isInstanceOf(CancellationException.class)
          .hasMessageContaining("Interrupted while the run was opened");
      assertThat(Thread.currentThread().isInterrupted()).isFalse();
      training.beforeResume = trainer -> {};
      training.run();
      assertThat(training.log.startedAt).containsExactly(0L, 12L);
      assertThat(training.log.sha256).isEqualTo(whole.log.sha256);
    }
  }

  /**
   * Of the whole, the first samples are validated: as many in the first cell, others in a second.
   */
  @ParameterizedTest
  @ValueSource(ints = {10, 16, 30})
  void behindARefusedSplitTheFitCellGoesOnWithTheRightData(int killedAfter) {
    SmallTraining whole = new SmallTraining(SmallTraining.Setup.plain());
    whole.heldOut = 40;
    whole.run();
    SmallTraining training = new SmallTraining(SmallTraining.Setup.plain());
    training.heldOut = 40;
    boolean completed = killedAfter >= whole.log.executed;
    assertThat(training.run(killedAfter)).isEqualTo(completed);
    int trained = training.log.executed;
    int goal = SmallTraining.EPOCHS + 1;
    whole.epochs = goal;
    whole.run();
    training.epochs = goal;
    training.afterResume =
        (ckpt, trainer) -> {
          ArrayDataset all =
              new ArrayDataset.Builder()
                  .setData(trainer.getManager().ones(new Shape(SmallTraining.SAMPLES, 6)))
                  .optLabels(trainer.getManager().zeros(new Shape(SmallTraining.SAMPLES, 1)))
                  .setSampling(SmallTraining.BATCH, true)
                  .build();
          for (int i = 0; i < 2; i++) { // asked again it is refused again
            assertThatThrownBy(
                    () ->
                        ckpt.fit(
                            trainer,
                            goal,
                            all.subDataset(0, SmallTraining.SAMPLES - 40),
                            all.subDataset(SmallTraining.SAMPLES - 40, SmallTraining.SAMPLES)))
                .isInstanceOf(CheckpointException.Incompatible.class)
                .hasMessageContaining("both another part");
          }
          assertThat(training.log.executed).as("nothing was trained").isEqualTo(trained);
        };
    training.run();
    assertThat(training.log.sha256).isEqualTo(whole.log.sha256);
    assertThat(training.log.epochs).isEqualTo(whole.log.epochs);
    training.afterResume = (ckpt, trainer) -> assertThat(ckpt.isComplete()).isTrue();
    training.run();
  }

  @Test
  void theBestWeightsAndAnyOthersAreReadOnAnInterruptedThread() throws Exception {
    try (CheckpointStore store = Stores.local(folder)) {
      SmallTraining training =
          new SmallTraining(SmallTraining.Setup.plain().with(SmallTraining.Loop.EASY_TRAIN), store);
      training.checkpointing = builder -> builder.restoreBest("validate_loss", Retention.Mode.MIN);
      training.listener = stopIn("epoch", SmallTraining.EPOCHS);
      training.atEnd =
          (ckpt, trainer) -> {
            assertThat(Thread.currentThread().isInterrupted()).isTrue();
            assertThat(DjlCheckpoints.loadWeights(trainer.getModel(), store, "latest").id())
                .startsWith("000001-");
          };
      training.run();
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void whatIsCompleteIsNotTrainedOnByTheSameObject() {
    SmallTraining training = new SmallTraining(SmallTraining.Setup.plain());
    training.epochs = 1;
    training.fitsTo = 2;
    assertThatThrownBy(training::run)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("is recorded as complete at step 10")
        .hasMessageContaining("open the run again");
    training.fitsTo = 1;
    training.run(); // a second fit with the same goal trains nothing, and is no error
    assertThat(training.log.executed).isEqualTo(10);
    training.epochs = SmallTraining.EPOCHS;
    training.fitsTo = 0;
    assertThat(training.run().sha256)
        .isEqualTo(new SmallTraining(SmallTraining.Setup.plain()).run().sha256);
  }

  @Test
  void whatThrewOrIsClosedIsNotTrainedOnByTheSameObject() {
    SmallTraining broken = new SmallTraining(SmallTraining.Setup.plain());
    broken.fitsAgain = true;
    broken.listener =
        new TrainingListenerAdapter() {
          @Override
          public void onTrainingBatch(Trainer trainer, BatchData data) {
            throw new IllegalStateException("boom");
          }
        };
    assertThatThrownBy(broken::run)
        .hasMessageContaining("The training threw (java.lang.IllegalStateException: boom)")
        .hasMessageContaining("open the run again");

    SmallTraining closed = new SmallTraining(SmallTraining.Setup.plain());
    closed.afterResume = (ckpt, trainer) -> ckpt.close();
    assertThatThrownBy(closed::run)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("are closed");
    assertThat(closed.log.executed).isZero();
  }
}
