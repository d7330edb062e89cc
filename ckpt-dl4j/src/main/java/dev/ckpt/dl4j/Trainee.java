package dev.ckpt.dl4j;

import java.util.List;
import java.util.Map;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.autodiff.listeners.Listener;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.learning.config.IUpdater;

/** What is trained, whatever kind it is of. All on the training thread. */
sealed interface Trainee permits LayeredNetwork, TrainedGraph {

  /**
   * What there is to know of a network.
   *
   * @throws UnsupportedOperationException if it is no whole network, or trains in a way that cannot
   *     be resumed
   */
  static Trainee of(Model model) {
    if (model instanceof MultiLayerNetwork || model instanceof ComputationGraph) {
      return new LayeredNetwork(model);
    }
    throw new UnsupportedOperationException(
        model.getClass().getName()
            + " is no network: give a MultiLayerNetwork, a ComputationGraph or a SameDiff");
  }

  /** What there is to know of a graph. */
  static Trainee of(SameDiff graph, Listener... given) {
    return new TrainedGraph(graph, List.of(given));
  }

  /** The user's own object. */
  Object own();

  /** Weights and running statistics by name, as they lie in memory. */
  Map<String, Region> parameters();

  /** State of the updaters: {@code <slot>/<parameter>}, as it lies in memory. */
  Map<String, Region> slots();

  /** The updater of each parameter: the name of its class. */
  Map<String, String> updaters();

  /** The settings of each parameter's updater, which count when they are changed. */
  Map<String, IUpdater> updaterSettings();

  /**
   * Does what DL4J does when settings have changed: parameters with the same ones belong together.
   * The slots are empty then.
   */
  void rebuildUpdaters();

  /** The program's own settings as JSON: what each layer, or operation, does. */
  String configuration();

  /** Another one if the program has changed a setting of an updater or a layer; quickly made. */
  int settingsHash();

  /** The settings of the updaters, for people. */
  String settings();

  /** Updates done. */
  int iteration();

  /** Epochs that were ended. */
  int epoch();

  void counters(int iteration, int epoch);

  /** The loss of the last batch; NaN if it is not known. */
  double score();

  void score(double score);

  /** Does what DL4J does behind each update: weights are kept within their bounds. */
  void applyConstraints();

  /** Whether one batch makes several updates, so that a listener cannot tell where it ends. */
  boolean updatesWithinBatches();

  /** Whether an epoch whose batches are all done can be entered again, only to end it. */
  boolean canEndEpochAfterResume();

  List<?> listeners();

  /** Tells the listeners that an epoch has ended, if they can be told without its losses. */
  void tellEpochEnd();

  /**
   * Refuses what keeps state that nobody can read.
   *
   * @throws UnsupportedOperationException saying what it is
   */
  void requireResumable();
}
