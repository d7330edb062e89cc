package dev.ckpt.dl4j;

import java.util.List;
import java.util.Map;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.nd4j.autodiff.listeners.At;
import org.nd4j.autodiff.listeners.BaseListener;
import org.nd4j.autodiff.listeners.ListenerResponse;
import org.nd4j.autodiff.listeners.Loss;
import org.nd4j.autodiff.listeners.Operation;
import org.nd4j.autodiff.listeners.records.LossCurve;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.api.MultiDataSet;

/** Tells of updates and epochs from inside the training, to networks and graphs alike. */
final class CutListener extends BaseListener implements TrainingListener {
  private final Session session;

  CutListener(Session session) {
    this.session = session;
  }

  @Override
  public void iterationDone(Model model, int iteration, int epoch) {
    session.requireOwn(model);
    session.heardUpdate(model.batchSize());
  }

  @Override
  public void onEpochEnd(Model model) {
    session.requireOwn(model);
    session.heardEpoch();
  }

  /** The one call of DL4J's early stopping that does not swallow what is thrown. */
  @Override
  public void onEpochStart(Model model) {
    Callers.refuseStopping();
  }

  @Override
  public void onForwardPass(Model model, List<INDArray> activations) {}

  @Override
  public void onForwardPass(Model model, Map<String, INDArray> activations) {}

  @Override
  public void onGradientCalculation(Model model) {}

  @Override
  public void onBackwardPass(Model model) {}

  @Override
  public boolean isActive(Operation operation) {
    return operation == Operation.TRAINING;
  }

  @Override
  public void iterationDone(SameDiff graph, At at, MultiDataSet batch, Loss loss) {
    session.heardUpdate(batch.numFeatureArrays() == 0 ? 0 : batch.getFeatures(0).size(0));
  }

  @Override
  public ListenerResponse epochEnd(SameDiff graph, At at, LossCurve losses, long millis) {
    session.heardEpoch();
    return ListenerResponse.CONTINUE;
  }
}
