package dev.ckpt.djl;

import ai.djl.training.dataset.Dataset;
import dev.ckpt.CheckpointException;
import dev.ckpt.djl.DataFacts.Part;
import java.util.BitSet;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How the data is divided into training and validation. A resume must not validate what was trained
 * before: if a part is another one than in the checkpoint, it has to be seen that it cannot. One
 * that is as it was, and shares no sample with the other as that is now, shows it.
 */
final class Split {
  private static final Logger log = LoggerFactory.getLogger(Split.class);
  private static final String TRAINING = "training.subset";
  private static final String VALIDATION = "validation.subset";
  private static final String WAYS_OUT =
      " Open the checkpoints, which seeds DJL, before randomSplit. If the data grew, split by fixed"
          + " indices and leave the validation part as it was; a randomSplit of more samples draws"
          + " anew. Or begin a new run with these weights (initFrom), knowing that they have seen"
          + " samples that it validates.";

  private final Environment environment;
  private @Nullable Dataset training;
  private @Nullable Dataset validation;
  private Optional<Part> trained = Optional.empty();
  private Optional<Part> validated = Optional.empty();
  private boolean decided;

  Split(Environment environment) {
    this.environment = environment;
  }

  /** What is trained from now on. */
  void training(Dataset dataset) {
    if (dataset != training) {
      training = dataset;
      trained = DataFacts.part(dataset);
    }
  }

  /** What is validated from now on. */
  void validation(Dataset dataset) {
    if (dataset != validation) {
      validation = dataset;
      validated = DataFacts.part(dataset);
    }
  }

  /**
   * Records the parts, and compares them with the checkpoint's, once that is known: before the
   * first sample is read.
   *
   * @throws CheckpointException.Incompatible if what was trained could be validated
   */
  void check() {
    trained.ifPresent(part -> environment.note(TRAINING, part.digest()));
    validated.ifPresent(part -> environment.note(VALIDATION, part.digest()));
    if (decided || training == null) {
      return;
    }
    boolean otherTraining = differs(TRAINING, trained);
    boolean otherValidation = validation != null && differs(VALIDATION, validated);
    if (otherTraining && otherValidation) {
      throw new CheckpointException.Incompatible(
          "The training data and the validation data are both another part of the whole than in the"
              + " checkpoint: validation data would leak into the training, as samples that were"
              + " trained may be among it now."
              + WAYS_OUT);
    }
    if (otherTraining) {
      requireSameValidation();
    }
    if (otherTraining || otherValidation) {
      requireApart(otherTraining ? "training" : "validation");
    }
    decided = validation != null;
  }

  private boolean differs(String name, Optional<Part> now) {
    String then = environment.before(name);
    return then != null && !then.equals(now.map(Part::digest).orElse(""));
  }

  /** The validation data is there, and what it was: a part with that digest, or a whole. */
  private void requireSameValidation() {
    boolean wasPart = environment.before(VALIDATION) != null;
    boolean wasWhole = !wasPart && environment.before("validation.size") != null;
    if (validation == null || (validated.isPresent() ? !wasPart : !wasWhole)) {
      throw new CheckpointException.Incompatible(
          "The training data is another part of the whole than in the checkpoint, and nothing shows"
              + " that validation data would not leak into the training: "
              + (validation == null
                  ? "none is given. Wrap it by ckpt.validation(...) before the training begins."
                  : "the checkpoint knows of no such validation data.")
              + WAYS_OUT);
    }
  }

  private void requireApart(String changed) {
    int common = common();
    if (common > 0) {
      throw new CheckpointException.Incompatible(
          "The "
              + changed
              + " data is another part of the whole than in the checkpoint, and "
              + common
              + " samples of the validation data are in the training data: validation data would"
              + " leak into the training."
              + WAYS_OUT);
    }
    log.warn(
        "The {} data is another part of the whole than in the checkpoint; it goes on, as no sample"
            + " of the validation data is in the training data, by the indices of both",
        changed);
  }

  /** Samples that both hold. */
  private int common() {
    Object whole = trained.map(Part::whole).orElse(training);
    if (validated.isEmpty()) {
      return whole == validation ? trained.map(part -> part.members().cardinality()).orElse(1) : 0;
    }
    Part part = validated.get();
    if (part.whole() != whole) {
      return 0; // parts of two datasets
    }
    BitSet both = (BitSet) part.members().clone();
    trained.ifPresent(other -> both.and(other.members()));
    return both.cardinality();
  }
}
