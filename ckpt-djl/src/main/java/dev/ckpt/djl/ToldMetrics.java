package dev.ckpt.djl;

import ai.djl.training.Trainer;
import ai.djl.training.listener.TrainingListener;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The metrics of the epoch that the listeners were told of last. What they are told of behind it,
 * without training in between, is a test set's: DJL gives the result of one in no other way.
 */
final class ToldMetrics {
  private final Supplier<Trainer> trainer;
  private @Nullable Map<String, Double> known;

  /** Whether its end was told, whether or not DJL's listener had its turn by then. */
  private boolean told;

  ToldMetrics(Supplier<Trainer> trainer) {
    this.trainer = trainer;
  }

  /** The training goes on, or another epoch is over. */
  void forget() {
    known = null;
    told = false;
  }

  /**
   * The end of an epoch is told. Those of the first time count, which DJL's listener holds once its
   * own turn was: at the second time at the latest.
   */
  void told(TrainingListener ours) {
    if (known == null && (told || EpochMetrics.isClosedBefore(trainer.get(), ours))) {
      known = EpochMetrics.ofLastEpoch(trainer.get());
    }
    told = true;
  }

  /** The same, in a training that saves at once what an epoch has by then. */
  void toldAndSaved(TrainingListener ours) {
    known =
        EpochMetrics.isClosedBefore(trainer.get(), ours)
            ? EpochMetrics.ofLastEpoch(trainer.get())
            : EpochMetrics.ofOpenEpoch(trainer.get());
    told = true;
  }

  /** A listener that stopped the training in the midst of that had the others closed. */
  void closed() {
    if (known == null) {
      known = EpochMetrics.ofLastEpoch(trainer.get());
    } else {
      addWhatWasTold();
    }
  }

  /** The next epoch begins: what was told again was the same one, and maybe says more. */
  void nextBegins() {
    if (known != null) {
      addWhatWasTold();
    }
  }

  private void addWhatWasTold() {
    Map<String, Double> all = new TreeMap<>(EpochMetrics.ofLastEpoch(trainer.get()));
    all.putAll(Objects.requireNonNull(known));
    known = all;
  }

  Map<String, Double> metrics() {
    return known != null ? known : EpochMetrics.ofLastEpoch(trainer.get());
  }
}
