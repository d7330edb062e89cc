package dev.ckpt.djl;

import ai.djl.Model;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpointable;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries the layout of the model's {@code .params} file through the checkpoint. Nothing of it is
 * restored: the program's own blocks say it anew.
 */
final class ParamsState implements Checkpointable {
  static final String PART = "params";

  private static final Logger log = LoggerFactory.getLogger(ParamsState.class);
  private static final String LAYOUT = "layout";
  private static final String NAME = "name";
  private static final String REFUSED = "refused";

  private @Nullable ParamsLayout layout;
  private @Nullable Model model;
  private @Nullable Parameters changing;

  /** As it was before anything was trained, until a change was said. */
  private @Nullable ParamsLayout first;

  private byte[] encoded = {};
  private String refused = "the training had not begun";
  private String name = "";

  /** Learns it; the model is initialized, and nothing is trained yet. */
  void begin(Parameters parameters, Model trained) {
    name = trained.getName();
    model = trained;
    List<String> engines = EngineBlocks.in(trained.getBlock());
    if (!engines.isEmpty()) {
      log.warn(
          "{}: a module of the engine's own (TorchScript). Its parameters are saved, not what else it"
              + " holds: a resume is exact only if nothing of that changes in training, and running"
              + " statistics (BatchNorm) do. Build such layers from DJL's blocks",
          String.join(", ", engines));
      refuse("the engine itself writes " + String.join(", ", engines) + ", weights included");
      return;
    }
    try {
      layout = ParamsLayout.of(trained, parameters.byName());
      encoded = layout.encode();
      changing = ParamsLayout.mayChange(trained.getBlock()) ? parameters : null;
      first = layout;
    } catch (RuntimeException e) {
      // the training matters more than a file that somebody may want of it
      refuse(String.valueOf(e.getMessage()));
      log.debug("no layout", e);
    }
  }

  private void refuse(String why) {
    layout = null;
    refused = why;
    log.info("Checkpoints of this model cannot be exported without its program: {}", why);
  }

  @Override
  public void capture(StateSink sink) {
    sink.value(NAME, name);
    if (layout == null) {
      sink.value(REFUSED, refused);
    } else {
      sink.bytes(LAYOUT, ByteBuffer.wrap(encoded(layout)));
    }
  }

  /** As it is now: a program may give its model properties while it trains. */
  private byte[] encoded(ParamsLayout known) {
    try {
      ParamsLayout now = now(known);
      if (now != known) {
        encoded = now.encode();
        layout = now;
      }
    } catch (RuntimeException e) {
      log.debug("what the model says of itself now fits into no file", e); // no save fails for it
    }
    return encoded;
  }

  private ParamsLayout now(ParamsLayout known) {
    if (model == null) {
      return known;
    }
    if (changing == null) {
      return known.headedBy(model);
    }
    ParamsLayout now = ParamsLayout.of(model, changing.byName());
    if (first != null && !now.isWrittenAs(first)) {
      first = null;
      log.warn(
          "A block writes more than its parameters, and that changes in training: exports hold it, a"
              + " resume restores it only if the program has registered it as a part"
              + " (ckpt.manager().register), and is not exact otherwise");
    }
    return now;
  }

  @Override
  public void restore(StateView view) {}

  /**
   * The layout that a checkpoint carries.
   *
   * @throws CheckpointException.NotFound if it carries none
   */
  static ParamsLayout layout(Map<String, StateView> parts) {
    StateView own = parts.get(PART);
    if (own != null && own.opaque().contains(LAYOUT)) {
      return ParamsLayout.decode(own.bytes(LAYOUT));
    }
    throw new CheckpointException.NotFound(
        own != null && own.values().contains(REFUSED)
            ? "DJL's file cannot be made of this checkpoint alone: "
                + own.value(REFUSED, String.class)
                + ". Build and initialize the model, load the weights with"
                + " DjlCheckpoints.loadWeights, and call Model.save"
            : "this checkpoint does not say how DJL's file is laid out: ckpt-djl did not write it");
  }

  /** The name of the model that a checkpoint was saved of; empty if it does not say. */
  static String name(Map<String, StateView> parts) {
    StateView own = parts.get(PART);
    return own != null && own.values().contains(NAME) ? own.value(NAME, String.class) : "";
  }
}
