package dev.ckpt.djl;

import ai.djl.training.dataset.Dataset;
import ai.djl.training.dataset.RandomAccessDataset;
import dev.ckpt.CheckpointException;
import dev.ckpt.djl.DataFacts.Part;
import java.util.BitSet;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How the data is divided into training and validation. A run must not validate what it has
 * trained, in this attempt or an earlier one. Checkpoints keep the parts by digests, from which
 * nobody sees what they share; so one part at a time may change, and it must share nothing with the
 * other. The validation part may change only as long as the training part never has: then today's
 * is all that was trained.
 */
final class Split {
  private static final Logger log = LoggerFactory.getLogger(Split.class);
  private static final String TRAINING = "training.subset";
  private static final String ORDER = "training.subset.order";
  private static final String CHANGED = "training.subset.changed";
  private static final String VALIDATION = "validation.subset";
  private static final String WAYS_OUT =
      " Open the checkpoints, which seeds DJL, before randomSplit. If the data grew, split by fixed"
          + " indices and leave the validation part as it was; a randomSplit of more samples draws"
          + " anew. Or begin a new run with these weights (initFrom), knowing that they have seen"
          + " samples that it validates.";

  private static final String WHOLE = "whole";

  /** A dataset, and what of a whole it is. */
  private record Data(Dataset dataset, Optional<Part> part) {
    static Data of(Dataset dataset) {
      return new Data(dataset, DataFacts.part(dataset));
    }

    String name() {
      return part.map(Part::digest).orElse(WHOLE);
    }

    Object whole() {
      return part.map(Part::whole).orElse(dataset);
    }

    /** How many samples it holds; 1 if that is not known. */
    long size() {
      return dataset instanceof RandomAccessDataset indexed ? indexed.size() : 1;
    }

    /** How many samples both hold, by their indices. */
    long common(Data other) {
      if (whole() != other.whole()) {
        return 0; // of two datasets
      }
      Optional<Part> cut = part.or(() -> other.part);
      if (cut.isEmpty()) {
        return size();
      }
      BitSet both = (BitSet) cut.get().members().clone();
      other.part.map(Part::members).ifPresent(both::and);
      return both.cardinality();
    }
  }

  private final Environment environment;
  private @Nullable Data training;
  private @Nullable Data validation;

  /** What was trained and validated last; null if that is not known. */
  private @Nullable String trained;

  private @Nullable String validated;

  /** Whether something else was trained before that. */
  private boolean changed;

  /** Whether the checkpoint's part had as many samples as the first one here. */
  private boolean asMany;

  /** Whether the training data was replaced, and none of the validation given since. */
  private boolean replaced;

  /** Whether that validation was evaluated before there was training data: maybe a test set. */
  private boolean evaluatedFirst;

  private boolean begun;
  private boolean decided;
  private boolean said;

  Split(Environment environment) {
    this.environment = environment;
  }

  /** What is trained from now on. */
  void training(Dataset dataset) {
    if (training == null || training.dataset() != dataset) {
      replaced = training != null;
      training = Data.of(dataset);
      decided = false;
    }
  }

  /**
   * What is validated from now on: the first one that goes with the training data. What a program
   * evaluates besides, a part of the training data or a test set, is its own affair, also before
   * there is training data.
   */
  void validation(Dataset dataset) {
    boolean other = validation == null || validation.dataset() != dataset;
    if (other && (validation == null || replaced || evaluatedFirst && training != null)) {
      validates(dataset);
    }
    replaced = false;
  }

  /** What is validated from now on, whatever was evaluated before. */
  void validates(Dataset dataset) {
    if (validation == null || validation.dataset() != dataset) {
      validation = Data.of(dataset);
      decided = false;
    }
    replaced = false;
    evaluatedFirst = false;
  }

  /** It is evaluated now. */
  void evaluated(Dataset dataset) {
    validation(dataset);
    if (validation != null && validation.dataset() == dataset) {
      evaluatedFirst = training == null;
    }
  }

  /**
   * Compares the parts with those before, once the checkpoint is known and before the first sample
   * of a part is read, and records them.
   *
   * @throws CheckpointException.Incompatible if what was trained could be validated
   */
  void check() {
    Data now = training;
    if (decided || now == null) {
      return;
    }
    if (!begun) {
      begun = true;
      asMany = Long.toString(now.size()).equals(environment.before("training.size"));
      trained = before(TRAINING, "training.size");
      validated = before(VALIDATION, "validation.size");
      changed = environment.before(CHANGED) != null;
    }
    boolean other = trained != null && !trained.equals(now.name());
    if (validation != null) {
      check(now, other, validation);
    } else if (other && (validated != null || asMany)) { // as many others: drawn anew
      throw refused(
          "The training data is another part of the whole than before, and nothing shows that"
              + " validation data would not leak into the training: none is given. Wrap it by"
              + " ckpt.validation(...) before the training begins.");
    }
    record(now, other);
  }

  private void check(Data now, boolean otherTraining, Data validating) {
    boolean known = validating.name().equals(validated);
    boolean otherValidation = !known && validated != null;
    if (otherTraining && otherValidation) {
      throw refused(
          "The training data and the validation data are both another part of the whole than"
              + " before: validation data would leak into the training, as samples that were"
              + " trained may be among it now.");
    }
    boolean ofTheWhole = otherValidation || validating.whole() == now.whole();
    if (!known && ofTheWhole && (otherTraining || changed)) {
      throw refused(
          "The validation data is another part of the whole than before, and in this run the"
              + " training data has been another part as well: validation data would leak into the"
              + " training, as samples that were trained may be among it now.");
    }
    if (otherTraining || otherValidation) {
      String which = otherTraining ? "training" : "validation";
      long common = now.common(validating);
      if (common > 0) {
        throw refused(
            "The "
                + which
                + " data is another part of the whole than before, and "
                + common
                + " samples of the validation data are in the training data: validation data would"
                + " leak into the training.");
      }
      tell(
          which,
          now.whole() == validating.whole()
              ? "; it goes on, as no sample of the validation data is in the training data, by the"
                  + " indices of both"
              : "; it goes on, as the validation data is of another dataset. If that is the same"
                  + " data, loaded twice, nothing shows that they share no sample");
    }
  }

  private void record(Data now, boolean other) {
    if (other) {
      changed = true;
      if (validation == null) {
        tell("training", "; it goes on, as nothing is validated");
      }
    }
    now.part()
        .ifPresent(
            part -> {
              if (other) {
                environment.note(ORDER, part.order());
              } else {
                environment.fact(ORDER, part.order());
              }
            });
    trained = now.name();
    asMany = false;
    note(TRAINING, now);
    if (changed) {
      environment.note(CHANGED, "true");
    }
    if (validation != null) {
      validated = validation.name();
      note(VALIDATION, validation);
      decided = true;
    }
  }

  private void note(String name, Data data) {
    environment.note(name, data.part().map(Part::digest).orElse(null));
  }

  /** What of a whole it was, or that it was one: then its size alone is known. */
  private @Nullable String before(String name, String size) {
    String part = environment.before(name);
    return part == null && environment.before(size) != null ? WHOLE : part;
  }

  private void tell(String which, String why) {
    if (!said) {
      said = true; // a loop may take another part in each epoch
      log.warn("The {} data is another part of the whole than before{}", which, why);
    }
  }

  private static CheckpointException.Incompatible refused(String what) {
    return new CheckpointException.Incompatible(what + WAYS_OUT);
  }
}
