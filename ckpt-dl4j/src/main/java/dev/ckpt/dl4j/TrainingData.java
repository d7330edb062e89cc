package dev.ckpt.dl4j;

import java.util.List;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.DataSetPreProcessor;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/** What {@code fit} iterates over in place of the user's iterator. */
final class TrainingData implements DataSetIterator {
  private static final long serialVersionUID = 1L;

  private final transient DataSetIterator users;
  private final transient TrainingLoop<DataSet> loop;

  TrainingData(DataSetIterator users, Session session, int ahead) {
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
  public DataSet next() {
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
  public DataSet next(int num) {
    throw new UnsupportedOperationException("batches come as the iterator below gives them");
  }

  @Override
  public int inputColumns() {
    return users.inputColumns();
  }

  @Override
  public int totalOutcomes() {
    return users.totalOutcomes();
  }

  @Override
  public int batch() {
    return users.batch();
  }

  @Override
  public void setPreProcessor(DataSetPreProcessor preProcessor) {
    users.setPreProcessor(preProcessor);
  }

  @Override
  public DataSetPreProcessor getPreProcessor() {
    return users.getPreProcessor();
  }

  @Override
  public List<String> getLabels() {
    return users.getLabels();
  }
}
