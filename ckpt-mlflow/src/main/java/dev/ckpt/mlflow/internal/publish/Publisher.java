package dev.ckpt.mlflow.internal.publish;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Progress;
import dev.ckpt.mlflow.internal.outbox.Event;
import dev.ckpt.mlflow.internal.outbox.Outbox;
import dev.ckpt.mlflow.internal.rest.MlflowException;
import dev.ckpt.mlflow.internal.rest.Traffic;
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
import org.slf4j.event.Level;

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
  private static final int MOST_BUSY = 8;
  private static final int STANDSTILL_SHARE = 20;
  private static final Duration OTHERS_TURN = Duration.ofSeconds(1);

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
  private String toldKind = "";

  /** What the thread is at, for who waits at the end. */
  private volatile boolean finished;

  private volatile boolean failing;
  private volatile boolean alone;
  private volatile boolean away;
  private volatile String prepared = "";
  private final Waiting traffic = new Waiting();

  /**
   * How long things last.
   *
   * @param firstPause after a first failure
   * @param longestPause at most
   * @param retryRefused after which what the server refused is tried again
   * @param standstill how long closing waits for one answer of the server, at least
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
      workspace.remember();
    } catch (IOException e) {
      tellDisk(e);
      return;
    }
    append(new Event.Opened(clock.instant()));
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
  public void committed(Checkpoint checkpoint) {
    append(new Event.Committed(checkpoint, Optional.empty()));
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
      letGo(used);
      if (used.size() > 0) {
        log.info(
            "run '{}': {} event(s) wait for MLflow in {}; the next start publishes them, or: ckpt"
                + " mlflow sync",
            run,
            used.size(),
            workspace.root());
      } else if (!finished) {
        log.info(
            "run '{}': MLflow does not show all of it yet; the next start, or ckpt mlflow sync,"
                + " completes it",
            run);
      }
    }
  }

  /** A thread that waits for no answer is gone at once, and with it the right to publish. */
  private void letGo(Outbox used) {
    Thread working = thread;
    try {
      for (int i = 0;
          i < 100 && working != null && working.isAlive() && traffic.nanos() == 0;
          i++) {
        used.wake();
        working.join(10);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void append(Event event) {
    Outbox used = outbox;
    if (used == null) {
      return;
    }
    try {
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

  /**
   * Waits for the local reports, and for the server while it gets on; one that fails or hangs is
   * not waited for.
   */
  private void drain() throws InterruptedException {
    Thread working = thread;
    Outbox used = outbox;
    long start = System.nanoTime();
    // who gives it minutes means a slow server, too
    long standstill =
        Math.max(patience.standstill().toNanos(), options.drain().toNanos() / STANDSTILL_SHARE);
    while (working != null
        && used != null
        && working.isAlive()
        && System.nanoTime() - start < options.drain().toNanos()) {
      boolean local = !used.hasAfter(prepared);
      boolean through = used.size() == 0 && finished;
      boolean hangs = traffic.nanos() > standstill;
      if (hangs || away || (local && (through || failing || alone))) {
        return;
      }
      working.join(10);
    }
  }

  // ---- the daemon thread

  private void work() {
    Outbox used = outbox;
    if (used == null) {
      return;
    }
    BackOff backOff = new BackOff(patience.firstPause(), patience.longestPause());
    try {
      while (stop.getCount() > 0) {
        pause(hold(used, backOff));
      }
    } catch (InterruptedException e) {
      log.debug("interrupted", e);
    } catch (Error e) {
      // out of memory, perhaps: it is the training's, and what waits is on disk
      log.error(
          "run '{}' is not published any more; the next start, or ckpt mlflow sync, goes on",
          run,
          e);
      throw e;
    }
  }

  /** Publishes while nothing but the server fails; how long to wait before the next try. */
  private Duration hold(Outbox used, BackOff backOff) throws InterruptedException {
    try (Closeable lock = workspace.lock().orElse(null)) {
      away = lock == null;
      if (lock == null) {
        return OTHERS_TURN; // another process publishes: a sync, or one before us
      }
      used.retryRefused();
      try (Session session =
          new Session(
              workspace,
              used,
              store,
              run,
              options,
              options.server(),
              Target.Asker.TRAINING,
              traffic)) {
        tellWhere(session);
        publish(session, used, backOff);
        return Duration.ZERO;
      }
    } catch (IOException | RuntimeException e) {
      away = true;
      return failed(e, used, backOff);
    }
  }

  private void tellWhere(Session session) {
    alone = !session.isLinked();
    if (alone) {
      // who names a server that cannot be used has made a mistake; who names none has not
      log.atLevel(options.server().isPresent() ? Level.WARN : Level.INFO)
          .log(
              "run '{}': {}. Reports are in {}, and ckpt mlflow sync publishes them later",
              run,
              session.unlinked(),
              workspace.root());
    }
  }

  private void publish(Session session, Outbox used, BackOff backOff)
      throws IOException, InterruptedException {
    Refusals refusals = new Refusals();
    long now = System.nanoTime();
    long tryAt = now;
    long retryRefusedAt = now + patience.retryRefused().toNanos();
    while (stop.getCount() > 0) {
      session.prepare();
      prepared = session.prepared();
      now = System.nanoTime();
      if (alone || now - tryAt < 0) {
        // a new event is prepared at once, whatever the server does
        used.awaitAfter(prepared, alone ? IDLE_MILLIS : (tryAt - now) / 1_000_000 + 1);
        continue;
      }
      Optional<Outbox.Entry> head = Optional.empty();
      try {
        session.connect();
        head = used.head();
        if (head.isPresent()) {
          finished = false;
          session.publish(head.get().event());
          used.done(head.get());
        } else {
          session.finish();
          finished = true;
        }
        succeeded(used, backOff);
      } catch (MlflowException e) {
        if (head.isPresent() && refusals.areEnough(head.get(), e, session)) {
          log.warn("not published, and set aside: {}: {}", head.get().name(), e.getMessage());
          used.refuse(head.get());
        }
        tryAt = System.nanoTime() + failed(e, used, backOff).toNanos();
        continue;
      }
      if (head.isEmpty()) {
        if (now - retryRefusedAt > 0 && used.retryRefused() > 0) {
          retryRefusedAt = now + 10 * patience.retryRefused().toNanos();
        } else {
          used.awaitAfter("", Math.min(IDLE_MILLIS, patience.retryRefused().toMillis()));
        }
      }
    }
  }

  /** How often the server would not have the same event. */
  private static final class Refusals {
    private String name = "";
    private int refused;
    private int busy;

    boolean areEnough(Outbox.Entry entry, MlflowException answer, Session session) {
      if (!entry.name().equals(name)) {
        name = entry.name();
        refused = 0;
        busy = 0;
      }
      if (!answer.isPassing()) {
        return ++refused >= MOST_REFUSALS;
      }
      // a server that fails at this event alone must not hold up the others for ever
      return answer.kind() == MlflowException.Kind.BUSY
          && ++busy % MOST_BUSY == 0
          && session.answers();
    }
  }

  private void succeeded(Outbox used, BackOff backOff) {
    if (backOff.failures() > 0) {
      log.info("MLflow answers again; {} event(s) of run '{}' wait", used.size(), run);
    }
    backOff.succeeded();
    failing = false;
  }

  /** Says it once for a row of failures of one kind; how long to wait. */
  private Duration failed(Exception failure, Outbox used, BackOff backOff) {
    failing = true;
    String kind =
        failure instanceof MlflowException known
            ? known.kind().name()
            : failure.getClass().getName();
    boolean another = backOff.failures() == 0 || !kind.equals(toldKind);
    toldKind = kind;
    // what fails behind the end fails because the store is closed
    if (another && stop.getCount() > 0) {
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
    return backOff.next(asked);
  }

  /** How long an answer has been waited for. */
  private static final class Waiting implements Traffic {
    private volatile long since;
    private volatile boolean waits;

    @Override
    public void asked() {
      since = System.nanoTime();
      waits = true;
    }

    @Override
    public void answered() {
      waits = false;
    }

    long nanos() {
      return waits ? System.nanoTime() - since : 0;
    }
  }

  private void pause(Duration length) throws InterruptedException {
    if (stop.await(length.toNanos(), TimeUnit.NANOSECONDS)) {
      log.debug("stopped in a pause");
    }
  }
}
