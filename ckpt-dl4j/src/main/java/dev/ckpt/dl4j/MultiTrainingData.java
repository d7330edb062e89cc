package dev.ckpt.dl4j;

import org.nd4j.linalg.dataset.api.MultiDataSet;
import org.nd4j.linalg.dataset.api.MultiDataSetPreProcessor;
import org.nd4j.linalg.dataset.api.iterator.MultiDataSetIterator;

/** What {@code fit} iterates over in place of the user's iterator of several inputs. */
final class MultiTrainingData implements MultiDataSetIterator {
  private static final long serialVersionUID = 1L;

  private final transient MultiDataSetIterator users;
  private final transient TrainingLoop<MultiDataSet> loop;

  MultiTrainingData(MultiDataSetIterator users, Session session, int ahead) {
    this.users = users;
    this.loop = new TrainingLoop<>(Source.of(users), session, ahead);
  }

  boolean isOf(Session session) {
    return loop.isOf(session);
  }

  @Override
  public boolean hasNext() {
    return loop.hasNext();
  }

  @Override
  public MultiDataSet next() {
    return loop.next();
  }

  @Override
  public void reset() {
    loop.reset();
  }

  @Override
  public boolean resetSupported() {
    return true;
  }

  /** It has a prefetch of its own: one of DL4J's would move the boundary to another thread. */
  @Override
  public boolean asyncSupported() {
    return false;
  }

  @Override
  public MultiDataSet next(int num) {
    throw new UnsupportedOperationException("batches come as the iterator below gives them");
  }

  @Override
  public void setPreProcessor(MultiDataSetPreProcessor preProcessor) {
    users.setPreProcessor(preProcessor);
  }

  @Override
  public MultiDataSetPreProcessor getPreProcessor() {
    return users.getPreProcessor();
  }
}
