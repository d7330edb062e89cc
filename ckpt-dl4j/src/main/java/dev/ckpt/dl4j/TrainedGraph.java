package dev.ckpt.dl4j;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.nd4j.autodiff.functions.DifferentialFunction;
import org.nd4j.autodiff.listeners.Listener;
import org.nd4j.autodiff.samediff.SDVariable;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.autodiff.samediff.TrainingConfig;
import org.nd4j.autodiff.samediff.VariableType;
import org.nd4j.autodiff.samediff.internal.SameDiffOp;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.learning.GradientUpdater;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.serde.json.JsonMappers;
import org.nd4j.shade.jackson.databind.node.ObjectNode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A SameDiff graph: an array for each variable, and an updater for each that is trained.
 *
 * @param given listeners of one {@code fit}, which the graph does not know
 */
record TrainedGraph(SameDiff own, List<Listener> given) implements Trainee {
  private static final Logger log = LoggerFactory.getLogger(TrainedGraph.class);
  private static final Set<String> INEXACT = Set.of("xw_plus_b", "relu_layer");

  /** Elements of a constant by which it is known again. */
  private static final int LOOKED_AT = 1024;

  @Override
  public Map<String, Region> parameters() {
    Map<String, Region> byName = new LinkedHashMap<>();
    own.getVariables()
        .forEach(
            (name, variable) -> {
              if (variable.getVariable().getVariableType() == VariableType.VARIABLE) {
                INDArray array = variable.getVariable().getArr();
                if (array == null) {
                  throw new IllegalStateException("variable " + name + " has no value yet");
                }
                byName.put(name, Region.of("Variable " + name, name, array));
              }
            });
    return byName;
  }

  @Override
  public Map<String, Region> slots() {
    Map<String, GradientUpdater> byVariable = gradientUpdaters();
    Map<String, Region> slots = new LinkedHashMap<>();
    for (String parameter : parameters().keySet()) {
      GradientUpdater<?> updater = byVariable.get(parameter);
      if (updater != null) {
        new TreeMap<>(updater.getState())
            .forEach(
                (slot, array) -> {
                  String name = slot + "/" + parameter;
                  slots.put(name, Region.of("Updater state " + name, name, array));
                });
      }
    }
    return slots;
  }

  @SuppressWarnings("rawtypes") // as SameDiff declares it
  private Map<String, GradientUpdater> gradientUpdaters() {
    training();
    if (!own.isInitializedTraining()) {
      Dl4jInternals.initializeTraining(own);
    }
    return own.getUpdaterMap();
  }

  @Override
  public Map<String, String> updaters() {
    Map<String, String> classes = new TreeMap<>();
    gradientUpdaters()
        .forEach((name, updater) -> classes.put(name, updater.getConfig().getClass().getName()));
    return classes;
  }

  /** Each has its own copy: the one in the training config counts only before the first batch. */
  @Override
  public Map<String, IUpdater> updaterSettings() {
    Map<String, IUpdater> settings = new LinkedHashMap<>();
    gradientUpdaters().forEach((name, updater) -> settings.put(name, updater.getConfig()));
    return settings;
  }

  @Override
  public void rebuildUpdaters() {}

  @Override
  public String configuration() {
    ObjectNode json = JsonMappers.getMapper().createObjectNode();
    try {
      json.set("training", JsonMappers.getMapper().readTree(training().toJson()));
    } catch (IOException | RuntimeException e) {
      log.debug("The training config cannot be told", e);
    }
    ObjectNode constants = json.putObject("constants");
    own.getVariables().forEach((name, each) -> constant(constants, name, each.getVariable()));
    ObjectNode ops = json.putObject("ops");
    own.getOps().forEach((name, op) -> ops.put(nameOf(name, op), text(op)));
    return json.toString();
  }

  /** They are the program's, as settings are; it may draw them without a seed, though. */
  private static void constant(ObjectNode constants, String name, SDVariable variable) {
    if (variable.getVariableType() == VariableType.CONSTANT) {
      INDArray array = variable.getArr();
      if (array != null) {
        constants.put(
            name,
            array.dataType()
                + " "
                + Arrays.toString(array.shape())
                + " "
                + Fingerprint.of(List.of(array), LOOKED_AT));
      }
    }
  }

  /** People know what comes out; DL4J's own name is of its kind. */
  private static String nameOf(String own, SameDiffOp op) {
    List<String> outputs = op.getOutputsOfOp();
    return outputs == null ? own : String.join(", ", outputs);
  }

  private static String text(SameDiffOp op) {
    return op.getOp().opName() + op.getInputsToOp() + properties(op.getOp());
  }

  /** Those alone that have a text of their own; arrays and objects do not. */
  private static Map<String, Object> properties(DifferentialFunction op) {
    Map<String, Object> properties = new TreeMap<>();
    try {
      op.propertiesForFunction()
          .forEach(
              (name, value) -> {
                if (value instanceof Number
                    || value instanceof Boolean
                    || value instanceof String
                    || value instanceof Enum<?>) {
                  properties.put(name, value);
                }
              });
    } catch (RuntimeException e) {
      log.debug("{} does not tell its properties", op.opName(), e);
    }
    return properties;
  }

  @Override
  public int settingsHash() {
    return settings().hashCode();
  }

  @Override
  public String settings() {
    return training().getUpdater().toString();
  }

  private TrainingConfig training() {
    TrainingConfig config = own.getTrainingConfig();
    if (config == null) {
      throw new IllegalStateException("the graph has no TrainingConfig: call setTrainingConfig");
    }
    return config;
  }

  @Override
  public int iteration() {
    return training().getIterationCount();
  }

  @Override
  public int epoch() {
    return training().getEpochCount();
  }

  @Override
  public void counters(int iteration, int epoch) {
    training().setIterationCount(iteration);
    training().setEpochCount(epoch);
  }

  @Override
  public double score() {
    return Double.NaN;
  }

  @Override
  public void score(double score) {}

  @Override
  public void applyConstraints() {}

  @Override
  public boolean updatesWithinBatches() {
    return false;
  }

  /** {@code SameDiff.fit} fails in an epoch without a batch. */
  @Override
  public boolean canEndEpochAfterResume() {
    return false;
  }

  @Override
  public List<?> listeners() {
    List<Listener> all = new ArrayList<>(own.getListeners());
    all.addAll(given);
    return all;
  }

  @Override
  public void tellEpochEnd() {}

  /**
   * DL4J's gradient of these depends on what the arrays held that it uses again: three ways to go
   * through the same batches give three results, without ckpt too.
   */
  @Override
  public void requireResumable() {
    List<String> inexact =
        own.getOps().entrySet().stream()
            .filter(each -> INEXACT.contains(each.getValue().getOp().opName()))
            .map(each -> nameOf(each.getKey(), each.getValue()))
            .sorted()
            .toList();
    if (!inexact.isEmpty()) {
      log.warn(
          "sd.nn().linear and reluLayer are not trained exactly by DL4J itself: what comes out"
              + " depends on what memory held before, which no checkpoint has, so a resume does not"
              + " end with the bits of an uninterrupted run. Write {} as mmul and add",
          inexact);
    }
  }
}
