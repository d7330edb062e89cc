package dev.ckpt.dl4j;

import dev.ckpt.CheckpointManager;
import java.util.function.Supplier;

/** What a checkpoint of a training holds, each part under a name of its own. */
record Parts(
    ModelState model,
    UpdaterState updater,
    Counters counters,
    Position position,
    Randomness randomness,
    RandomStreams streams,
    NormalizerState normalizers,
    EarlyStopping earlyStopping,
    Metrics metrics,
    Environment environment,
    FirstWeights firstWeights) {

  /** Registers all of them; what is trained is asked for when it is needed. */
  static Parts register(CheckpointManager manager, Supplier<Trainee> trainee) {
    Counters counters = new Counters(trainee);
    RandomStreams streams = new RandomStreams(manager::seed);
    Parts parts =
        new Parts(
            new ModelState(trainee),
            new UpdaterState(trainee),
            counters,
            new Position(counters),
            new Randomness(manager::seed, streams),
            streams,
            new NormalizerState(),
            new EarlyStopping(),
            new Metrics(() -> trainee.get().score()),
            new Environment(),
            new FirstWeights(trainee));
    manager.register(ModelState.PART, parts.model);
    manager.register(UpdaterState.PART, parts.updater);
    manager.register("counters", parts.counters);
    manager.register("position", parts.position);
    manager.register("nd4j-random", parts.randomness);
    manager.register("random", parts.streams);
    manager.register(NormalizerState.PART, parts.normalizers);
    manager.register("early-stopping", parts.earlyStopping);
    manager.register("listeners", new ListenerState(trainee));
    manager.register("metrics", parts.metrics);
    manager.register("environment", parts.environment);
    manager.register("initialized", parts.firstWeights);
    return parts;
  }
}
