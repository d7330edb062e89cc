package dev.ckpt.mlflow.internal.publish;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.Verification;
import dev.ckpt.mlflow.internal.outbox.Event;
import dev.ckpt.mlflow.internal.outbox.Outbox;
import dev.ckpt.mlflow.internal.report.Subject;
import dev.ckpt.mlflow.internal.rest.MlflowApi;
import dev.ckpt.mlflow.internal.rest.MlflowException;
import dev.ckpt.mlflow.internal.rest.Registry;
import dev.ckpt.mlflow.internal.rest.Tracking;
import dev.ckpt.mlflow.internal.rest.Traffic;
import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Publishes from outside of a training, all at once, and says what became of it. */
public final class Sync {
  private static final String UNTIL_IT_DOES = "wait until it does, or ends";
  private static final int MOST_TRIES = 4;
  private static final Duration FIRST_PAUSE = Duration.ofMillis(500);
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(5);

  private final CheckpointStore store;
  private final String run;
  private final Options options;
  private final InstantSource clock;

  public Sync(CheckpointStore store, String run, Options options, InstantSource clock) {
    this.store = store;
    this.run = run;
    this.options = options;
    this.clock = clock;
  }

  /**
   * What was done.
   *
   * @param published events of the outbox
   * @param refused what the server would not have, each with its answer
   * @param removed models of checkpoints that are gone
   * @param dropped events that the bounded outbox ever lost
   * @param page of the run
   */
  public record Result(
      int published, List<String> refused, int removed, long dropped, String page) {
    public Result {
      refused = List.copyOf(refused);
    }
  }

  /** What is done with the server while nobody else publishes. */
  @FunctionalInterface
  private interface Work<T> {
    T with(Session session, Outbox outbox) throws IOException;
  }

  /**
   * Publishes what waits, then compares the store with the server.
   *
   * @throws CheckpointException.Fenced if a training publishes the run now
   * @throws MlflowException if the server does not answer, several times
   */
  public Result all() throws IOException {
    return exclusively(
        (session, outbox) -> {
          outbox.retryRefused();
          int published = 0;
          List<String> refused = new ArrayList<>();
          session.prepare();
          trying(session::connect);
          for (Optional<Outbox.Entry> next = outbox.head();
              next.isPresent();
              next = outbox.head()) {
            Outbox.Entry entry = next.get();
            try {
              trying(() -> session.publish(entry.event()));
              outbox.done(entry);
              published++;
            } catch (MlflowException e) {
              boolean alone = e.kind() == MlflowException.Kind.BUSY && session.answers();
              if (e.isPassing() && !alone) {
                throw e;
              }
              outbox.refuse(entry);
              refused.add(entry.name() + ": " + e.getMessage());
            }
          }
          trying(() -> session.publish(new Event.Opened(clock.instant())));
          trying(session::finish);
          return new Result(
              published, refused, session.removed(), outbox.dropped(), session.page().orElse(""));
        });
  }

  /**
   * What was promoted.
   *
   * @param name in the registry
   * @param model the logged model
   */
  public record Promoted(String name, String version, String model, String page) {}

  /**
   * Makes a version of a checkpoint in the registry, and lets an alias stand for it. The checkpoint
   * is pinned, so that retention never deletes it: the version would lead nowhere.
   *
   * @param name in the registry
   * @throws CheckpointException.Corrupt if it does not read back; it is not pinned then
   */
  public Promoted promote(Checkpoint checkpoint, String name, String alias) throws IOException {
    Checkpoints checkpoints = Checkpoints.read(store, run);
    Verification look = checkpoints.verify(checkpoint.id());
    if (!look.ok()) {
      throw new CheckpointException.Corrupt(
          checkpoint.id() + " is damaged and not promoted: " + look.problems().get(0));
    }
    Workspace workspace = Workspace.ofTraining(store.uri(), run, options.outbox());
    try (Closeable lock = workspace.lock().orElse(null)) {
      return lock == null
          ? besideTraining(workspace, checkpoints, checkpoint, name, alias)
          : with(
              workspace,
              (session, outbox) -> {
                trying(session::connect);
                MlflowApi.Model[] model = new MlflowApi.Model[1];
                trying(() -> model[0] = session.model(checkpoint));
                checkpoints.pin(checkpoint.id());
                Promoted done = register(session.api(), model[0], name, alias, session.page());
                trying(session::describe);
                return done;
              });
    }
  }

  /** What a training has published needs neither its outbox nor its right to publish. */
  private Promoted besideTraining(
      Workspace workspace,
      Checkpoints checkpoints,
      Checkpoint checkpoint,
      String name,
      String alias)
      throws IOException {
    Optional<Target> target = workspace.target().filter(known -> known.page().isPresent());
    Optional<String> server = options.server().or(() -> target.flatMap(Target::trackingUri));
    if (target.isEmpty() || server.isEmpty()) {
      throw published("has shown nothing yet", UNTIL_IT_DOES);
    }
    Tracking tracking = Tracking.of(server.get(), options.environment());
    try (MlflowApi api = new MlflowApi(tracking, options.timeout())) {
      RemoteRun remote =
          new RemoteRun(
              api,
              target.get(),
              new Subject(store.uri().toString(), run),
              checkpoints::attempts,
              options);
      boolean[] same = {target.get().isOn(Optional.of(tracking.toString()))};
      if (!same[0]) {
        // one server may have several names
        trying(() -> same[0] = remote.isThere());
      }
      if (!same[0]) {
        throw published(
            "publishes to " + target.get().trackingUri().orElse("nowhere"),
            "promote there, or wait until it ends");
      }
      List<MlflowApi.Model> model = new ArrayList<>();
      trying(
          () ->
              new RemoteModels(api, remote)
                  .find(checkpoint.id(), Optional.of(checkpoint.committedAt()))
                  .filter(MlflowApi.Model::isReady)
                  .ifPresent(model::add));
      if (model.isEmpty()) {
        throw published("has not shown " + checkpoint.id() + " yet", UNTIL_IT_DOES);
      }
      checkpoints.pin(checkpoint.id());
      return register(api, model.get(0), name, alias, target.get().page());
    }
  }

  private CheckpointException.Fenced published(String why, String wayOut) {
    return new CheckpointException.Fenced(
        "run '"
            + run
            + "' is published by another process now, probably its training, which "
            + why
            + ": "
            + wayOut);
  }

  private static Promoted register(
      MlflowApi api, MlflowApi.Model model, String name, String alias, Optional<String> page)
      throws IOException {
    Registry.Version[] version = new Registry.Version[1];
    trying(
        () -> {
          api.registry().register(name);
          Optional<Registry.Version> there =
              api.registry().versionsOfModel(model.id()).stream()
                  .filter(each -> each.name().equals(name))
                  .findFirst();
          version[0] = there.isPresent() ? there.get() : api.registry().createVersion(name, model);
          api.registry().alias(version[0], alias);
        });
    return new Promoted(name, version[0].version(), model.id(), page.orElse(""));
  }

  private <T> T exclusively(Work<T> work) throws IOException {
    Workspace workspace = Workspace.ofTraining(store.uri(), run, options.outbox());
    try (Closeable lock = workspace.lock().orElse(null)) {
      if (lock == null) {
        throw published("does what a sync would do", UNTIL_IT_DOES);
      }
      return with(workspace, work);
    }
  }

  private <T> T with(Workspace workspace, Work<T> work) throws IOException {
    Optional<String> server =
        options.server().or(() -> workspace.target().flatMap(Target::trackingUri));
    Outbox outbox = Outbox.open(workspace.root(), options.outboxEntries(), clock);
    try (Session session =
        new Session(
            workspace, outbox, store, run, options, server, Target.Asker.OUTSIDE, Traffic.UNSEEN)) {
      return work.with(session, outbox);
    }
  }

  /** A step that may be done twice. */
  @FunctionalInterface
  private interface Step {
    void run() throws IOException;
  }

  private static void trying(Step step) throws IOException {
    BackOff backOff = new BackOff(FIRST_PAUSE, LONGEST_PAUSE);
    while (true) {
      try {
        step.run();
        return;
      } catch (MlflowException e) {
        boolean later = e.isPassing() && e.kind() != MlflowException.Kind.FORBIDDEN;
        Duration pause = backOff.next(e.retryAfter());
        if (!later || backOff.failures() >= MOST_TRIES) {
          throw e;
        }
        try {
          Thread.sleep(pause.toMillis());
        } catch (InterruptedException interrupted) {
          Thread.currentThread().interrupt();
          throw e;
        }
      }
    }
  }
}
