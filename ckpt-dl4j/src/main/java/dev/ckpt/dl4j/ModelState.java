package dev.ckpt.dl4j;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.ckpt.Checkpointable;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Weights and running statistics. All of them change in the update alone, the statistics of
 * BatchNorm too: they pass through the updater as if they were gradients.
 */
final class ModelState implements Checkpointable {
  private static final Logger log = LoggerFactory.getLogger(ModelState.class);
  static final String PART = "model";

  /** Names of tensors that the framework sees with the dimensions in the other order. */
  static final String REVERSED = "columnMajor";

  /** JSON of DL4J's own configuration, for the export; its counters are old. */
  static final String CONFIGURATION = "configuration";

  /** The same of a graph, which DL4J's own file does not hold. */
  private static final String GRAPH = "graph";

  private static final int SAID = 20;
  private static final String ADVICE = "Restore the old structure, or start a new run.";

  private final Supplier<Trainee> trainee;
  private int settingsOfText;
  private byte[] text = {};

  ModelState(Supplier<Trainee> trainee) {
    this.trainee = trainee;
  }

  @Override
  public void capture(StateSink sink) {
    Map<String, Region> parameters = trainee.get().parameters();
    List<String> reversed = new ArrayList<>();
    parameters.forEach(
        (name, region) -> {
          sink.tensor(region.spec(), region, Stability.STABLE_UNTIL_UPDATE);
          if (region.reversed()) {
            reversed.add(name);
          }
        });
    sink.value(REVERSED, reversed);
    sink.value("class", trainee.get().own().getClass().getName());
    sink.bytes(textName(), ByteBuffer.wrap(configuration()));
  }

  private String textName() {
    return trainee.get() instanceof TrainedGraph ? GRAPH : CONFIGURATION;
  }

  /** Made once for all saves: it takes its time. The counters in it are set by the export. */
  private byte[] configuration() {
    int settings = trainee.get().settingsHash();
    if (text.length == 0 || settings != settingsOfText) {
      settingsOfText = settings;
      text = trainee.get().configuration().getBytes(UTF_8);
    }
    return text;
  }

  @Override
  public void check(StateView view) {
    Structure.require(view, specs(trainee.get().parameters()), ADVICE);
  }

  @Override
  public void restore(StateView view) {
    tellChanges(view);
    fill(view);
  }

  /** Names and shapes are the same; what a layer does with them need not be. */
  private void tellChanges(StateView view) {
    if (!view.opaque().contains(textName())) {
      return;
    }
    List<String> changes =
        LayerSettings.changes(
            UTF_8.decode(view.bytes(textName())).toString(), trainee.get().configuration());
    if (!changes.isEmpty()) {
      log.warn(
          "The model is configured otherwise than in the checkpoint: {}{}. That counts from here"
              + " on; weights and updaters are carried over",
          String.join("; ", changes.subList(0, Math.min(SAID, changes.size()))),
          changes.size() > SAID ? "; and " + (changes.size() - SAID) + " more" : "");
    }
  }

  /** Takes over weights and running statistics. */
  void fill(StateView view) {
    trainee.get().parameters().forEach((name, region) -> region.fill(view, name));
  }

  static Map<String, TensorSpec> specs(Map<String, Region> regions) {
    Map<String, TensorSpec> specs = new LinkedHashMap<>();
    regions.forEach((name, region) -> specs.put(name, region.spec()));
    return specs;
  }
}
