package dev.ckpt.samples;

import java.nio.ByteBuffer;
import java.util.List;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.nd4j.linalg.api.ndarray.INDArray;

/** For the kill test: tells a {@link BatchJournal} of each batch that DL4J takes up. */
final class Dl4jBatchJournal extends BaseTrainingListener {

  private final BatchJournal journal;

  Dl4jBatchJournal(BatchJournal journal) {
    this.journal = journal;
  }

  @Override
  public void onForwardPass(Model model, List<INDArray> activations) {
    journal.training(bytes(model.input()));
  }

  /** A batch of a validation, which DL4J has no event for. */
  void validation(INDArray features) {
    journal.validation(bytes(features));
  }

  @Override
  public void onEpochEnd(Model model) {
    journal.epoch();
  }

  private static ByteBuffer bytes(INDArray features) {
    float[] values = features.dup('c').data().asFloat();
    ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES);
    bytes.asFloatBuffer().put(values);
    return bytes;
  }
}
