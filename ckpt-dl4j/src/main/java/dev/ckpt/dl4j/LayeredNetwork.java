package dev.ckpt.dl4j;

import dev.ckpt.Shape;
import dev.ckpt.TensorSpec;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.api.OptimizationAlgorithm;
import org.deeplearning4j.nn.api.TrainingConfig;
import org.deeplearning4j.nn.conf.BackpropType;
import org.deeplearning4j.nn.conf.ocnn.OCNNOutputLayer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.updater.BaseMultiLayerUpdater;
import org.deeplearning4j.nn.updater.UpdaterBlock;
import org.deeplearning4j.optimize.Solver;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.deeplearning4j.optimize.listeners.ComposableIterationListener;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.learning.config.IUpdater;

/**
 * A {@code MultiLayerNetwork} or a {@code ComputationGraph}: both keep all weights in one flat
 * array, in the order of their layers, and all slots in another, block by block. A block is a run
 * of parameters with the same settings; within it lie all first slots, then all second ones.
 */
record LayeredNetwork(Model own) implements Trainee {

  /** In the order of the flat array. */
  @Override
  public Map<String, Region> parameters() {
    INDArray flat = isInitialized() ? own.params() : null;
    if (flat == null) {
      throw new IllegalStateException("the network has no parameters yet: call net.init() first");
    }
    List<Region> all = new ArrayList<>();
    own.paramTable().forEach((name, array) -> all.add(Region.of("Parameter " + name, name, array)));
    long from = Region.addressOf(flat);
    long end = from + flat.length() * flat.data().getElementSize();
    Comparator<Region> byPlace =
        Comparator.comparingLong(
            region ->
                region.address() >= from && region.address() < end
                    ? region.address() - from
                    : Long.MAX_VALUE);
    all.sort(byPlace); // stable: what lies elsewhere stays behind, in its order
    Map<String, Region> byName = new LinkedHashMap<>();
    all.forEach(region -> byName.put(region.spec().name(), region));
    return byName;
  }

  private boolean isInitialized() {
    return own instanceof MultiLayerNetwork network
        ? network.isInitCalled()
        : ((ComputationGraph) own).getVertices() != null;
  }

  @Override
  public Map<String, Region> slots() {
    Map<String, Region> slots = new LinkedHashMap<>();
    Map<String, Region> parameters = parameters();
    for (UpdaterBlock block : updater().getUpdaterBlocks()) {
      List<Map.Entry<String, INDArray>> states = new ArrayList<>();
      if (block.getUpdaterView() != null) {
        states.addAll(block.getGradientUpdater().getState().entrySet());
      }
      states.sort(Comparator.comparingLong(state -> Region.addressOf(state.getValue())));
      List<Run> runs = runs(block, parameters.values());
      for (Map.Entry<String, INDArray> state : states) {
        for (Run run : runs) {
          Region slot = run.in(state.getKey(), state.getValue());
          slots.put(slot.spec().name(), slot);
        }
      }
    }
    return slots;
  }

  @Override
  public Map<String, String> updaters() {
    Map<String, String> classes = new TreeMap<>();
    Map<String, Region> parameters = parameters();
    for (UpdaterBlock block : updater().getUpdaterBlocks()) {
      String name = block.getGradientUpdater().getConfig().getClass().getName();
      runs(block, parameters.values()).forEach(run -> classes.put(run.name(), name));
    }
    return classes;
  }

  @Override
  public Map<String, IUpdater> updaterSettings() {
    Map<String, IUpdater> settings = new LinkedHashMap<>();
    for (UpdaterBlock block : updater().getUpdaterBlocks()) {
      for (UpdaterBlock.ParamState each : block.getLayersAndVariablesInBlock()) {
        TrainingConfig config = each.getLayer().getConfig();
        String layer =
            own instanceof MultiLayerNetwork && each.getLayer() instanceof Layer numbered
                ? Integer.toString(numbered.getIndex())
                : config.getLayerName();
        settings.put(
            layer + "_" + each.getParamName(), config.getUpdaterByParam(each.getParamName()));
      }
    }
    return settings;
  }

  @Override
  public void rebuildUpdaters() {
    if (own instanceof MultiLayerNetwork network) {
      network.setUpdater(null);
    } else {
      ((ComputationGraph) own).setUpdater(null);
    }
  }

  /**
   * Elements of a parameter that one block updates: all of them, but for layers whose parameters
   * lie in another order than DL4J cuts its blocks in.
   *
   * @param offset of the first one in the block
   * @param from index of the first one in the parameter
   */
  private record Run(Region parameter, long offset, long from, long length) {
    boolean isWhole() {
      return length == parameter.spec().shape().elements();
    }

    String name() {
      return isWhole() ? parameter.spec().name() : parameter.spec().name() + "@" + from;
    }

    Region in(String slot, INDArray state) {
      TensorSpec like = parameter.spec();
      return Region.within(
          state,
          offset,
          TensorSpec.of(
              slot + "/" + name(), like.type(), isWhole() ? like.shape() : Shape.of(length)),
          isWhole() && parameter.reversed());
    }
  }

  /**
   * What a block updates, in the order of the memory. Not by the names that the block has for it:
   * in some layers those stand in another order.
   */
  private List<Run> runs(UpdaterBlock block, Collection<Region> parameters) {
    INDArray flat = own.params();
    int size = flat.data().getElementSize();
    long begin = block.getParamOffsetStart();
    long end = block.getParamOffsetEnd();
    List<Run> runs = new ArrayList<>();
    for (Region region : parameters) {
      long first = (region.address() - Region.addressOf(flat)) / size;
      long from = Math.max(first, begin);
      long to = Math.min(first + region.spec().shape().elements(), end);
      if (from < to) {
        runs.add(new Run(region, from - begin, from - first, to - from));
      }
    }
    return runs;
  }

  private BaseMultiLayerUpdater<?> updater() {
    Object updater =
        own instanceof MultiLayerNetwork network
            ? network.getUpdater()
            : ((ComputationGraph) own).getUpdater();
    if (updater instanceof BaseMultiLayerUpdater<?> known) {
      return known;
    }
    throw new UnsupportedOperationException(
        "The updater "
            + updater.getClass().getName()
            + " is none of DL4J's own: what it keeps is not known");
  }

  @Override
  public String configuration() {
    return own instanceof MultiLayerNetwork network
        ? network.getLayerWiseConfigurations().toJson()
        : ((ComputationGraph) own).getConfiguration().toJson();
  }

  @Override
  public int settingsHash() {
    int hash = settings().hashCode();
    for (Layer layer : layers()) {
      hash = 31 * hash + layer.conf().getLayer().hashCode();
    }
    return hash;
  }

  @Override
  public String settings() {
    TreeSet<String> settings = new TreeSet<>();
    for (UpdaterBlock block : updater().getUpdaterBlocks()) {
      settings.add(block.getGradientUpdater().getConfig().toString());
    }
    return String.join(", ", settings);
  }

  @Override
  public int iteration() {
    return own instanceof MultiLayerNetwork network
        ? network.getIterationCount()
        : ((ComputationGraph) own).getIterationCount();
  }

  @Override
  public int epoch() {
    return own instanceof MultiLayerNetwork network
        ? network.getEpochCount()
        : ((ComputationGraph) own).getEpochCount();
  }

  @Override
  public void counters(int iteration, int epoch) {
    if (own instanceof MultiLayerNetwork network) {
      network.setIterationCount(iteration);
      network.setEpochCount(epoch);
    } else {
      ((ComputationGraph) own).getConfiguration().setIterationCount(iteration);
      ((ComputationGraph) own).getConfiguration().setEpochCount(epoch);
    }
    for (Layer layer : layers()) { // schedules of dropout and noise look at the layer's own
      layer.setIterationCount(iteration);
      layer.setEpochCount(epoch);
    }
  }

  private Layer[] layers() {
    return own instanceof MultiLayerNetwork network
        ? network.getLayers()
        : ((ComputationGraph) own).getLayers();
  }

  /** As the program calls it, else by its place. */
  private static String nameOf(Layer layer) {
    String name = layer.conf().getLayer().getLayerName();
    return name == null ? Integer.toString(layer.getIndex()) : "'" + name + "'";
  }

  @Override
  public double score() {
    return own.score();
  }

  @Override
  public void score(double score) {
    if (own instanceof MultiLayerNetwork network) {
      network.setScore(score);
    } else {
      ((ComputationGraph) own).setScore(score);
    }
  }

  @Override
  public void applyConstraints() {
    own.applyConstraints(iteration(), epoch());
  }

  @Override
  public boolean updatesWithinBatches() {
    BackpropType type =
        own instanceof MultiLayerNetwork network
            ? network.getLayerWiseConfigurations().getBackpropType()
            : ((ComputationGraph) own).getConfiguration().getBackpropType();
    return type == BackpropType.TruncatedBPTT;
  }

  @Override
  public boolean canEndEpochAfterResume() {
    return true;
  }

  @Override
  public List<?> listeners() {
    return flat(own instanceof MultiLayerNetwork network
            ? network.getListeners()
            : ((ComputationGraph) own).getListeners())
        .toList();
  }

  @Override
  public void tellEpochEnd() {
    for (Object listener : listeners()) {
      ((TrainingListener) listener).onEpochEnd(own);
    }
  }

  /** Also those that one listener only hands on to. */
  private static Stream<TrainingListener> flat(Collection<TrainingListener> listeners) {
    return listeners.stream()
        .flatMap(
            listener ->
                listener instanceof ComposableIterationListener
                    ? flat(Dl4jInternals.COMPOSED_LISTENERS.get(listener))
                    : Stream.of(listener));
  }

  @Override
  public void requireResumable() {
    for (Layer layer : layers()) {
      if (layer.conf().getLayer() instanceof OCNNOutputLayer) {
        throw new UnsupportedOperationException(
            "Layer "
                + nameOf(layer)
                + ", an OCNNOutputLayer, draws its parameter r from a window of earlier outputs,"
                + " which DL4J keeps beside the parameters and nobody can read: a resume would not"
                + " be exact. Train this network without checkpoints, or with another output"
                + " layer.");
      }
      OptimizationAlgorithm algorithm = layer.conf().getOptimizationAlgo();
      if (algorithm != OptimizationAlgorithm.STOCHASTIC_GRADIENT_DESCENT) {
        throw new UnsupportedOperationException(
            "The optimization algorithm "
                + algorithm
                + " keeps a history that cannot be read. Use STOCHASTIC_GRADIENT_DESCENT, which all"
                + " updaters (Adam, Nesterovs, ...) work with.");
      }
    }
    Solver solver =
        own instanceof MultiLayerNetwork
            ? Dl4jInternals.NETWORK_SOLVER.get(own)
            : Dl4jInternals.GRAPH_SOLVER.get(own);
    if (solver != null && solver.getOptimizer().getGradientsAccumulator() != null) {
      throw new UnsupportedOperationException(
          "The network shares its gradients with others through a GradientsAccumulator, whose"
              + " contents cannot be read: train it alone, one process a worker.");
    }
    INDArray all = updater().getStateViewArray();
    long found = slots().values().stream().mapToLong(slot -> slot.spec().shape().elements()).sum();
    if (all != null && all.length() != found) {
      throw new UnsupportedOperationException(
          "Of the updaters' state of "
              + all.length()
              + " elements only "
              + found
              + " belong to known parameters: the rest would not be saved. Tested with "
              + PrivateField.TESTED
              + ".");
    }
  }
}
