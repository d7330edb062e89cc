package dev.ckpt.dl4j;

import dev.ckpt.CheckpointManager;
import java.util.Iterator;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import org.deeplearning4j.earlystopping.EarlyStoppingConfiguration;
import org.deeplearning4j.earlystopping.EarlyStoppingResult;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs DL4J's own loops up to the goal of the run, which is a number of epochs. */
final class Loops {
  private static final Logger log = LoggerFactory.getLogger(Dl4jCheckpoints.class);
  private static final String EPOCHS = "epochs";

  private final CheckpointManager manager;
  private final Session session;
  private @Nullable Integer goal;
  private boolean completed;

  Loops(CheckpointManager manager, Session session) {
    this.manager = manager;
    this.session = session;
  }

  int remainingEpochs(int epochs) {
    if (epochs < 0) {
      throw new IllegalArgumentException("epochs: " + epochs);
    }
    session.requireTrainingThread();
    session.endOver();
    goal = epochs;
    if (session.position().stoppedEarly()) {
      return 0;
    }
    int done = session.position().epoch();
    long reached = manager.completed().map(end -> end.getOrDefault(EPOCHS, 0L)).orElse(0L);
    if (reached > 0 && reached < epochs) {
      log.info(
          "Run {} was complete with {} epochs and trains on to {}", manager.run(), reached, epochs);
    }
    return reached >= epochs ? 0 : Math.max(0, epochs - done);
  }

  boolean complete() {
    session.requireTrainingThread();
    session.boundary();
    int epochs = goal == null ? session.position().epoch() : goal;
    completed = session.complete(Map.of(EPOCHS, (long) epochs));
    int done = session.position().epoch();
    boolean meant = goal == null || session.position().stoppedEarly() || !session.hasTrained();
    if (done != epochs && !meant) {
      log.warn(
          "Run {} is recorded as complete with {} epochs, but {} were ended: if the loop did not"
              + " stop early on purpose, end each epoch with reset() of ckpt.iterator(...), or with"
              + " ckpt.endEpoch(), as often as ckpt.remainingEpochs({}) says",
          manager.run(),
          epochs,
          done,
          epochs);
    }
    return completed;
  }

  boolean isComplete() {
    return completed || session.completedBefore();
  }

  void fit(Trainee net, int epochs, Runnable epoch) {
    session.resume(net);
    int remaining = remaining(epochs);
    train(
        () -> {
          for (int i = 0; i < remaining; i++) {
            epoch.run();
            session.boundary();
          }
        });
    finish();
  }

  /** For a loop of its own over all epochs that are left, which a listener may end before. */
  void fitAll(Trainee graph, int epochs, IntConsumer all) {
    session.resume(graph);
    int remaining = remaining(epochs);
    if (remaining > 0) {
      train(
          () -> {
            all.accept(remaining);
            session.boundary();
          });
      if (session.position().epoch() < epochs) {
        session.position().stopsEarly();
        log.info("A listener stopped the training after {} epochs", session.position().epoch());
      }
    }
    finish();
  }

  private int remaining(int epochs) {
    int remaining = remainingEpochs(epochs);
    if (remaining > 0) {
      session.requireTrainable();
    }
    if (remaining == 0 && session.position().stoppedEarly()) {
      log.info("Run {} stopped early after {} epochs", manager.run(), session.position().epoch());
    } else if (remaining == 0) {
      log.info("Run {} has reached its goal of {} epochs", manager.run(), epochs);
    }
    return remaining;
  }

  private void train(Runnable loop) {
    session.endsByInterrupt(true);
    try {
      loop.run();
    } catch (Session.Interrupted e) {
      throw e;
    } catch (Throwable e) {
      session.failed(e);
      throw e;
    } finally {
      session.endsByInterrupt(false);
    }
  }

  private void finish() {
    complete();
    session.restoreBest();
  }

  /**
   * As {@code EarlyStoppingTrainer} does.
   *
   * @param data batches
   * @param reset before each epoch
   */
  <T extends Model, B> EarlyStoppingResult<T> fitEarly(
      T net,
      Iterator<B> data,
      Runnable reset,
      EarlyStoppingConfiguration<T> config,
      Consumer<B> batch) {
    EarlyStopping stopping = session.parts().earlyStopping();
    stopping.begin(config, net);
    Trainee trainee = Trainee.of(net);
    session.resume(trainee);
    train(
        () -> {
          while (!stopping.hasEnded()) {
            int epoch = session.position().epoch();
            trainee.counters(trainee.iteration(), epoch);
            tellEpochStart(trainee, net);
            reset.run();
            while (!stopping.hasEnded() && data.hasNext()) {
              batch.accept(data.next());
              stopping.endsAfterBatch(net.score());
            }
            session.boundary();
            if (!stopping.hasEnded()) {
              trainee.tellEpochEnd();
              stopping.epochDone(epoch);
              session.epochDone();
            }
          }
        });
    session.position().stopsEarly();
    finish();
    return stopping.result(session.position().epoch());
  }

  private static void tellEpochStart(Trainee trainee, Model net) {
    for (Object each : trainee.listeners()) {
      if (each instanceof TrainingListener told) {
        told.onEpochStart(net);
      }
    }
  }
}
