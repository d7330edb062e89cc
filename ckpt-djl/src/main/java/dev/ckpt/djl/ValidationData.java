package dev.ckpt.djl;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.translate.TranslateException;
import ai.djl.util.Progress;
import java.io.IOException;
import java.util.Iterator;
import java.util.concurrent.ExecutorService;
import org.jspecify.annotations.Nullable;

/** The user's validation data: seeded at its start, and interruptible between its batches. */
final class ValidationData implements WrappedData {
  private final Dataset source;
  private final Session session;

  ValidationData(Dataset source, Session session) {
    this.source = source;
    this.session = session;
    session.split().validation(source);
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
    session.beginValidation();
    session.split().evaluated(source);
    session.split().check();
    Iterator<Batch> batches =
        (executor == null ? source.getData(manager) : source.getData(manager, executor)).iterator();
    if (source instanceof RandomAccessDataset indexed) {
      session.environment().fact("validation.size", Long.toString(indexed.size()));
    }
    return () ->
        new Iterator<>() {
          @Override
          public boolean hasNext() {
            session.validationBoundary();
            try {
              boolean more = batches.hasNext();
              if (!more) {
                session.endValidation();
              }
              return more;
            } catch (Throwable e) {
              session.threw(e);
              throw e;
            }
          }

          @Override
          public Batch next() {
            try {
              return batches.next();
            } catch (Throwable e) {
              session.threw(e);
              throw e;
            }
          }
        };
  }

  @Override
  public void prepare(@Nullable Progress progress) throws IOException, TranslateException {
    source.prepare(progress);
  }
}
