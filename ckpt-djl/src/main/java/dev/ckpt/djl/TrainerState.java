package dev.ckpt.djl;

import ai.djl.training.Trainer;
import dev.ckpt.CheckpointManager;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is saved of a training, part by part, and the trainer that it is read from. When that may be
 * done is the {@link Session}'s affair. All on the training thread.
 */
final class TrainerState {
  private final CheckpointManager manager;
  private final UpdateWatch watch;
  private final RandomStreams streams;
  private final Environment environment = new Environment();
  private final ModelState model;
  private final OptimizerState optimizerState;
  private final ParamsState params = new ParamsState();
  private final FirstWeights firstWeights;
  private final List<SmallState> frozenWithEpoch;

  private @Nullable Trainer trainer;
  private @Nullable Parameters parameters;
  private @Nullable OptimizerFields optimizer;
  private @Nullable HeldStatistics statistics;
  private boolean frozen;

  TrainerState(CheckpointManager manager, UpdateWatch watch, Position position) {
    this.manager = manager;
    this.watch = watch;
    this.streams = new RandomStreams(manager::seed);
    this.model = new ModelState(this::parameters);
    this.optimizerState = new OptimizerState(this::parameters, this::optimizer);
    this.firstWeights = new FirstWeights(this::parameters, model::frozenByProgram);
    EvaluatorState evaluators = new EvaluatorState(this::trainer);
    ListenerState listeners = new ListenerState(this::trainer, System::currentTimeMillis);
    MetricHistory metrics = new MetricHistory(this::trainer);
    this.frozenWithEpoch = List.of(streams, evaluators, listeners, metrics);
    manager.register("model", model);
    manager.register("optimizer", optimizerState);
    manager.register("position", position);
    manager.register("random", streams);
    manager.register("evaluators", evaluators);
    manager.register("listeners", listeners);
    manager.register("metrics", metrics);
    manager.register("environment", environment);
    manager.register(ParamsState.PART, params);
    manager.register("initialized", firstWeights);
  }

  RandomStreams streams() {
    return streams;
  }

  Environment environment() {
    return environment;
  }

  ModelState model() {
    return model;
  }

  FirstWeights firstWeights() {
    return firstWeights;
  }

  Trainer trainer() {
    if (trainer == null) {
      throw new IllegalStateException(
          "No trainer is attached: add ckpt.listener() to the training config before"
              + " model.newTrainer(config)");
    }
    return trainer;
  }

  Parameters parameters() {
    if (parameters == null) {
      parameters = Parameters.of(trainer());
    }
    return parameters;
  }

  private OptimizerFields optimizer() {
    if (optimizer == null) {
      throw new IllegalStateException("no trainer is attached");
    }
    return optimizer;
  }

  /** The trainer exists; its model need not be initialized. */
  void attach(Trainer begun) {
    if (trainer == begun) {
      throw new IllegalStateException(
          "ckpt.listener() is in the training config twice: add it once");
    }
    if (trainer != null) {
      throw new IllegalStateException(
          "These checkpoints belong to one trainer and have one. Open others for the next, with a"
              + " run name of their own.");
    }
    if (begun.getDevices().length != 1) {
      throw new UnsupportedOperationException(
          "ckpt-djl saves trainings on one device, this one has "
              + begun.getDevices().length
              + ". Use optDevices(new Device[] {one}).");
    }
    if (DjlInternals.optimizer(begun) instanceof WatchedOptimizer) {
      throw new IllegalStateException(
          "Another DjlCheckpoints is attached to this trainer: add one listener only");
    }
    OptimizerFields users = new OptimizerFields(DjlInternals.optimizer(begun));
    environment.observe(begun, users.optimizer());
    DjlInternals.optimizer(begun, new WatchedOptimizer(users.optimizer(), watch));
    optimizer = users;
    trainer = begun;
  }

  /** The arrays are about to be closed: the optimizer is the user's again. */
  void detach() {
    if (trainer != null
        && optimizer != null
        && DjlInternals.optimizer(trainer) instanceof WatchedOptimizer) {
      manager.beforeUpdate();
      DjlInternals.optimizer(trainer, optimizer.optimizer());
    }
  }

  /** The program has built and initialized its model; nothing is restored or trained yet. */
  void begin() {
    Parameters all = parameters();
    model.begin();
    params.begin(all, trainer().getModel());
  }

  /** The state is the checkpoint's, or a fresh start's. */
  void resumed() {
    statistics = new HeldStatistics(parameters(), firstWeights);
    watch.start(parameters().byName().values());
  }

  /** Before anybody looks at the model behind a batch. */
  void putStatisticsBack() {
    if (statistics != null) {
      statistics.putBack();
    }
  }

  /** Before a save: what the program changed since the last batch is seen. */
  void observe() {
    if (statistics != null) {
      statistics.release();
    }
  }

  /** A save made from now on holds the small values as they are now. */
  void freeze() {
    if (!frozen) {
      frozen = true;
      frozenWithEpoch.forEach(SmallState::freeze);
    }
  }

  void thaw() {
    frozen = false;
    frozenWithEpoch.forEach(SmallState::thaw);
  }

  /** Takes the small values back to where they were frozen, so that all is of one moment. */
  void rollBack() {
    frozen = false;
    frozenWithEpoch.forEach(SmallState::rollBack);
  }

  boolean isFrozen() {
    return frozen;
  }

  StateDigest digest() {
    StateDigest digest = new StateDigest();
    model.capture(digest);
    optimizerState.capture(digest);
    return digest;
  }
}
