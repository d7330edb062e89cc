package dev.ckpt.djl;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Sampler;
import ai.djl.translate.TranslateException;
import ai.djl.util.Progress;
import dev.ckpt.Progress.Phase;
import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.ExecutorService;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The user's training data, entered where the run stands. The loop's {@code hasNext()} after a
 * batch is the boundary: on the training thread, behind the update, before the next batch.
 */
final class TrainingData implements WrappedData {
  private static final Logger log = LoggerFactory.getLogger(TrainingData.class);

  private final Dataset source;
  private final Session session;
  private boolean slowSkipSaid;

  TrainingData(Dataset source, Session session) {
    this.source = source;
    this.session = session;
    session.split().training(source);
  }

  @Override
  public Dataset source() {
    return source;
  }

  @Override
  public Session session() {
    return session;
  }

  @Override
  public Iterable<Batch> getData(NDManager manager) throws IOException, TranslateException {
    return getData(manager, null);
  }

  @Override
  public Iterable<Batch> getData(NDManager manager, @Nullable ExecutorService executor)
      throws IOException, TranslateException {
    session.beginEpoch();
    Batches batches;
    try {
      session.split().training(source);
      session.split().check();
      session.seeding().order(session.position().epoch());
      batches =
          source instanceof RandomAccessDataset indexed && samplesItself(indexed)
              ? seek(indexed, manager, executor)
              : readPast(manager, executor);
    } catch (Throwable e) {
      session.threw(e);
      throw e;
    }
    session.seedHere();
    return () -> batches;
  }

  /** Whether the class leaves it to DJL to draw index lists and fetch their samples. */
  private static boolean samplesItself(RandomAccessDataset dataset) {
    try {
      return dataset
              .getClass()
              .getMethod("getData", NDManager.class, ExecutorService.class)
              .getDeclaringClass()
          == RandomAccessDataset.class;
    } catch (NoSuchMethodException e) {
      throw new AssertionError("Dataset declares it", e);
    }
  }

  /** Skips index lists; no sample is fetched. */
  private Batches seek(
      RandomAccessDataset dataset, NDManager manager, @Nullable ExecutorService executor)
      throws IOException, TranslateException {
    Sampler users = DjlInternals.sampler(dataset);
    long skip = session.position().batchesToSkip(users.getBatchSize());
    SkippingSampler sampler = new SkippingSampler(users, skip);
    Iterator<Batch> batches = dataset.getData(manager, sampler, executor).iterator();
    session.position().enter(users.getBatchSize(), skip, sampler.skippedSamples);
    Environment environment = session.environment();
    environment.fact("training.size", Long.toString(dataset.size()));
    environment.fact("training.batchSize", Integer.toString(users.getBatchSize()));
    environment.fact("training.class", source.getClass().getName());
    environment.fact("training.sampler", users.getClass().getName());
    return new Batches(batches, sampler.skippedSamples);
  }

  /** Reads what the run has consumed and throws it away, seeding as the loop did. */
  private Batches readPast(NDManager manager, @Nullable ExecutorService executor)
      throws IOException, TranslateException {
    Iterator<Batch> batches =
        (executor == null ? source.getData(manager) : source.getData(manager, executor)).iterator();
    session.environment().fact("training.class", source.getClass().getName());
    Position position = session.position();
    long skip = position.batch();
    if (skip > 0 && !slowSkipSaid) {
      slowSkipSaid = true;
      log.warn(
          "{} is no RandomAccessDataset: {} batches are read and dropped to resume inside the"
              + " epoch",
          source.getClass().getName(),
          skip);
    }
    long first = position.batches() - skip;
    for (long i = 0; i < skip; i++) {
      session
          .seeding()
          .after(first + i, i == 0 && position.epoch() > 0 ? Phase.AFTER_EPOCH : Phase.AFTER_STEP);
      if (!batches.hasNext()) {
        break;
      }
      batches.next().close();
    }
    return new Batches(batches, 0);
  }

  @Override
  public void prepare(@Nullable Progress progress) throws IOException, TranslateException {
    source.prepare(progress);
  }

  private final class Batches implements Iterator<Batch> {
    private final Iterator<Batch> source;
    private final long samplesBefore;

    Batches(Iterator<Batch> source, long samplesBefore) {
      this.source = source;
      this.samplesBefore = samplesBefore;
    }

    @Override
    public boolean hasNext() {
      session.nextBatch();
      boolean more = asked(source::hasNext);
      if (!more) {
        session.exhausted();
      }
      return more;
    }

    private <T> T asked(Supplier<T> source) {
      session.streams().mark();
      try {
        return source.get();
      } catch (Throwable e) {
        session.streams().backToMark();
        session.threw(e);
        throw e;
      }
    }

    @Override
    public Batch next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      Batch batch = asked(source::next);
      if (samplesBefore > 0) {
        DjlInternals.BATCH_PROGRESS.set(batch, batch.getProgress() + samplesBefore);
      }
      session.delivered(batch);
      return batch;
    }
  }

  /** The user's sampler without its first lists. */
  private static final class SkippingSampler implements Sampler {
    private final Sampler users;
    private final long skip;
    private long skippedSamples;

    SkippingSampler(Sampler users, long skip) {
      this.users = users;
      this.skip = skip;
    }

    @Override
    public int getBatchSize() {
      return users.getBatchSize();
    }

    @Override
    public Iterator<List<Long>> sample(RandomAccessDataset dataset) {
      if (users instanceof EpochSampler seekable) {
        skippedSamples = Math.min(dataset.size(), skip * users.getBatchSize());
        return seekable.sample(dataset, skip);
      }
      Iterator<List<Long>> lists = users.sample(dataset);
      for (long i = 0; i < skip && lists.hasNext(); i++) {
        skippedSamples += lists.next().size();
      }
      return lists;
    }
  }
}
