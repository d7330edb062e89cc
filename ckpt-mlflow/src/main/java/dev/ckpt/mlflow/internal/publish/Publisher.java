package dev.ckpt.mlflow.internal.publish;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Progress;
import dev.ckpt.mlflow.internal.outbox.Event;
import dev.ckpt.mlflow.internal.outbox.Outbox;
import dev.ckpt.mlflow.internal.rest.MlflowException;
import dev.ckpt.spi.CheckpointListener;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.SaveCost;
import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Publishes a run while it trains.
 *
 * <p>The listener's methods run on the manager's housekeeping thread and do one thing: append to
 * the outbox. One daemon thread takes from it: it reads checkpoints, writes the local reports, and
 * asks the server, with a deadline for every call and pauses that grow. Whatever the server does,
 * the training and its retention do not notice.
 *
 * <p>An event that the server will not have (a 4xx, three times) is set aside so that those behind
 * it get on, and tried again later. While a server cannot be reached, nothing is set aside.
 */
public final class Publisher implements CheckpointListener {
  private static final Logger log = LoggerFactory.getLogger(Publisher.class);
  private static final int MOST_REFUSALS = 3;
  private static final long IDLE_MILLIS = 30_000;

  private final CheckpointStore store;
  private final String run;
  private final Options options;
  private final Patience patience;
  private final InstantSource clock;
  private final Workspace workspace;
  private final CountDownLatch stop = new CountDownLatch(1);

  private @Nullable Outbox outbox;
  private @Nullable Thread thread;
  private boolean diskTold;

  /** What the thread is at, for who waits at the end. */
  private volatile boolean idle;

  private volatile boolean failing;
  private volatile long lastProgress;

  /**
   * How long things last.
   *
   * @param firstPause after a first failure
   * @param longestPause at most
   * @param retryRefused after which what the server refused is tried again
   * @param standstill how long closing waits for a server that does not get on
   */
  public record Patience(
      Duration firstPause, Duration longestPause, Duration retryRefused, Duration standstill) {

    /** For people's trainings. */
    public static Patience standard() {
      return new Patience(
          Duration.ofMillis(500),
          Duration.ofMinutes(1),
          Duration.ofMinutes(1),
          Duration.ofSeconds(3));
    }
  }

  public Publisher(
      CheckpointStore store, String run, Options options, Patience patience, InstantSource clock) {
    this.store = store;
    this.run = run;
    this.options = options;
    this.patience = patience;
    this.clock = clock;
    this.workspace = Workspace.of(store.uri(), run, options.outbox());
  }

  // ---- housekeeping thread of the manager: append, and nothing else

  @Override
  public void reconcile(List<Checkpoint> committed) {
    try {
      outbox = Outbox.open(workspace.root(), options.outboxEntries(), clock);
    } catch (IOException e) {
      tellDisk(e);
      return;
    }
    append(new Event.Opened(clock.instant()));
    lastProgress = System.nanoTime();
    Thread made = new Thread(this::work, "ckpt-mlflow-" + run);
    made.setDaemon(true);
    thread = made;
    made.start();
  }

  @Override
  public void committed(Checkpoint checkpoint, SaveCost cost) {
    append(new Event.Committed(checkpoint, Optional.of(cost)));
  }

  @Override
  public void failed(String id, Progress progress, CheckpointException failure) {
    if (!(failure instanceof CheckpointException.Fenced)) {
      append(new Event.Failed(clock.instant(), id, progress, String.valueOf(failure.getMessage())));
    }
  }

  @Override
  public void deleted(Checkpoint checkpoint) {
    append(new Event.Deleted(clock.instant(), checkpoint.id()));
  }

  @Override
  public void closed() {
    append(new Event.Closed(clock.instant()));
    try {
      drain();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    stop.countDown();
    Outbox used = outbox;
    if (used != null) {
      used.wake();
      if (used.size() > 0) {
        log.info(
            "run '{}': {} event(s) wait for MLflow in {}; the next start publishes them, or: ckpt"
                + " mlflow sync",
            run,
            used.size(),
            workspace.root());
      }
    }
  }

  private void append(Event event) {
    Outbox used = outbox;
    if (used == null) {
      return;
    }
    try {
      idle = false;
      used.append(event);
    } catch (IOException e) {
      tellDisk(e);
    }
  }

  private void tellDisk(IOException e) {
    if (!diskTold) {
      diskTold = true;
      log.warn(
          "an event of run '{}' cannot be kept for MLflow in {}: {}. The next start publishes what"
              + " is in the store then",
          run,
          workspace.root(),
          e.toString());
    }
  }

  /** Waits while the thread gets on; a server that fails or hangs is not waited for. */
  private void drain() throws InterruptedException {
    Thread working = thread;
    long start = System.nanoTime();
    while (working != null
        && working.isAlive()
        && !idle
        && !failing
        && System.nanoTime() - start < options.drain().toNanos()
        && System.nanoTime() - lastProgress < patience.standstill().toNanos()) {
      working.join(20);
    }
  }

  // ---- the daemon thread

  private void work() {
    Outbox used = outbox;
    if (used == null) {
      return;
    }
    BackOff backOff = new BackOff(patience.firstPause(), patience.longestPause());
    while (stop.getCount() > 0) {
      try (Closeable lock = workspace.lock().orElse(null)) {
        if (lock == null) {
          pause(Duration.ofSeconds(1)); // another process publishes: a sync, or one before us
          continue;
        }
        used.retryRefused();
        try (Session session =
            new Session(
                workspace, used, store, run, options, options.server(), this::progress)) {
          tellWhere(session);
          publish(session, used, backOff);
        }
      } catch (IOException | RuntimeException e) {
        failed(e, used, backOff);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private void tellWhere(Session session) {
    if (!session.isLinked()) {
      log.info(
          "run '{}': no MLflow server is named (MLFLOW_TRACKING_URI); reports are in {}, and ckpt"
              + " mlflow sync publishes them later",
          run,
          workspace.root());
    }
  }

  private void publish(Session session, Outbox used, BackOff backOff)
      throws IOException, InterruptedException {
    String refusedName = "";
    int refusals = 0;
    long retryAt = System.nanoTime() + patience.retryRefused().toNanos();
    while (stop.getCount() > 0) {
      progress();
      session.prepare();
      progress();
      if (!session.isLinked()) {
        idle = used.after(session.prepared()).isEmpty();
        used.awaitAfter(session.prepared(), IDLE_MILLIS);
        continue;
      }
      Optional<Outbox.Entry> head = Optional.empty();
      try {
        session.connect();
        head = used.head();
        if (head.isPresent()) {
          session.publish(head.get().event());
          used.done(head.get());
        } else {
          session.finish();
          if (System.nanoTime() - retryAt > 0 && used.retryRefused() > 0) {
            retryAt = System.nanoTime() + 10 * patience.retryRefused().toNanos();
            continue;
          }
          idle = used.size() == 0;
        }
        succeeded(used, backOff);
      } catch (MlflowException e) {
        boolean entrys = head.isPresent() && !e.isPassing();
        refusals = entrys && head.get().name().equals(refusedName) ? refusals + 1 : 1;
        refusedName = entrys ? head.get().name() : "";
        if (entrys && refusals >= MOST_REFUSALS) {
          log.warn("not published, and set aside: {}: {}", head.get().name(), e.getMessage());
          used.refuse(head.get());
        }
        failed(e, used, backOff);
        continue;
      }
      if (head.isEmpty()) {
        used.awaitAfter("", Math.min(IDLE_MILLIS, patience.retryRefused().toMillis()));
      }
    }
  }

  private void progress() {
    lastProgress = System.nanoTime();
  }

  private void succeeded(Outbox used, BackOff backOff) {
    progress();
    if (backOff.failures() > 0) {
      log.info("MLflow answers again; {} event(s) of run '{}' wait", used.size(), run);
    }
    backOff.succeeded();
    failing = false;
  }

  private void failed(Exception failure, Outbox used, BackOff backOff) {
    failing = true;
    if (backOff.failures() == 0) {
      log.warn(
          "run '{}' is not published now; training goes on, {} event(s) wait in {}: {}",
          run,
          used.size(),
          workspace.root(),
          failure instanceof MlflowException ? failure.getMessage() : failure.toString());
    }
    log.debug("publishing failed", failure);
    Optional<Duration> asked =
        failure instanceof MlflowException known ? known.retryAfter() : Optional.empty();
    try {
      pause(backOff.next(asked));
    } catch (InterruptedException e) {
      stop.countDown();
    }
  }

  private void pause(Duration length) throws InterruptedException {
    if (stop.await(length.toNanos(), TimeUnit.NANOSECONDS)) {
      log.debug("stopped in a pause");
    }
  }
}
