package dev.ckpt.dl4j;

import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpointable;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.api.preprocessor.AbstractDataSetNormalizer;
import org.nd4j.linalg.dataset.api.preprocessor.AbstractMultiDataSetNormalizer;
import org.nd4j.linalg.dataset.api.preprocessor.MultiNormalizerMinMaxScaler;
import org.nd4j.linalg.dataset.api.preprocessor.MultiNormalizerStandardize;
import org.nd4j.linalg.dataset.api.preprocessor.Normalizer;
import org.nd4j.linalg.dataset.api.preprocessor.NormalizerMinMaxScaler;
import org.nd4j.linalg.dataset.api.preprocessor.NormalizerStandardize;
import org.nd4j.linalg.dataset.api.preprocessor.stats.DistributionStats;
import org.nd4j.linalg.dataset.api.preprocessor.stats.MinMaxStats;
import org.nd4j.linalg.dataset.api.preprocessor.stats.NormalizerStats;

/** The statistics of normalizers, as tensors: nothing of theirs is serialized. */
final class NormalizerState implements Checkpointable {
  static final String PART = "normalizers";
  static final String CLASSES = "classes";
  static final String FITS_LABELS = "fitsLabels";
  static final String FEATURES = "features";
  static final String LABELS = "labels";

  /** Where each scales to: least and greatest; nothing of one that does not. For the export. */
  static final String TARGETS = "targets";

  private final List<Normalizer> normalizers = new ArrayList<>();

  /**
   * One more, whose place is its name.
   *
   * @throws UnsupportedOperationException if what it keeps is not known
   */
  void add(Normalizer normalizer) {
    Kind.of(normalizer);
    if (normalizers.stream().noneMatch(each -> each == normalizer)) {
      normalizers.add(normalizer);
    }
  }

  /** What kind of statistics there are, and what they are made of. */
  private enum Kind {
    STANDARDIZE("mean", "std", DistributionStats::new),
    MIN_MAX("min", "max", MinMaxStats::new);

    final String first;
    final String second;
    final BiFunction<INDArray, INDArray, NormalizerStats> make;

    Kind(String first, String second, BiFunction<INDArray, INDArray, NormalizerStats> make) {
      this.first = first;
      this.second = second;
      this.make = make;
    }

    static Kind of(Normalizer normalizer) {
      if (normalizer instanceof NormalizerStandardize
          || normalizer instanceof MultiNormalizerStandardize) {
        return STANDARDIZE;
      }
      if (normalizer instanceof NormalizerMinMaxScaler
          || normalizer instanceof MultiNormalizerMinMaxScaler) {
        return MIN_MAX;
      }
      throw new UnsupportedOperationException(
          normalizer.getClass().getName()
              + " keeps what ckpt-dl4j does not know. Use NormalizerStandardize,"
              + " NormalizerMinMaxScaler or their Multi variants, or register a part of your own."
              + " One that keeps no statistics, such as ImagePreProcessingScaler, needs neither.");
    }

    INDArray first(NormalizerStats stats) {
      return stats instanceof DistributionStats of
          ? of.getMean()
          : ((MinMaxStats) stats).getLower();
    }

    INDArray second(NormalizerStats stats) {
      return stats instanceof DistributionStats of ? of.getStd() : ((MinMaxStats) stats).getUpper();
    }
  }

  @Override
  public void capture(StateSink sink) {
    List<String> classes = new ArrayList<>();
    List<Boolean> fitsLabels = new ArrayList<>();
    for (int i = 0; i < normalizers.size(); i++) {
      Normalizer normalizer = normalizers.get(i);
      Kind kind = Kind.of(normalizer);
      classes.add(normalizer.getClass().getName());
      fitsLabels.add(fitsLabels(normalizer));
      capture(sink, i + "/" + FEATURES, kind, stats(normalizer, false));
      capture(sink, i + "/" + LABELS, kind, stats(normalizer, true));
    }
    sink.value(CLASSES, classes);
    sink.value(FITS_LABELS, fitsLabels);
    if (!normalizers.isEmpty()) {
      sink.value(TARGETS, normalizers.stream().map(NormalizerState::target).toList());
    }
  }

  private static void capture(
      StateSink sink, String name, Kind kind, List<NormalizerStats> inputs) {
    for (int i = 0; i < inputs.size(); i++) {
      tensor(sink, name + "/" + i + "/" + kind.first, kind.first(inputs.get(i)));
      tensor(sink, name + "/" + i + "/" + kind.second, kind.second(inputs.get(i)));
    }
  }

  private static void tensor(StateSink sink, String name, INDArray array) {
    Region region =
        Region.of("Statistic " + name, name, Region.isDense(array, false) ? array : array.dup('c'));
    sink.tensor(region.spec(), region, Stability.COPY_NOW);
  }

  @Override
  public void check(StateView view) {
    List<String> now = normalizers.stream().map(each -> each.getClass().getName()).toList();
    List<?> before = view.values().contains(CLASSES) ? view.value(CLASSES, List.class) : List.of();
    if (!before.equals(now)) {
      throw new CheckpointException.Incompatible(
          "The checkpoint's normalizers are "
              + before
              + ", the program's are "
              + now
              + ": name the same ones, in the same order, by ckpt.normalizer(...) before the"
              + " resume");
    }
  }

  @Override
  public void restore(StateView view) {
    for (int i = 0; i < normalizers.size(); i++) {
      Normalizer normalizer = normalizers.get(i);
      Kind kind = Kind.of(normalizer);
      boolean labels = Boolean.TRUE.equals(view.value(FITS_LABELS, List.class).get(i));
      List<NormalizerStats> features = read(view, i + "/" + FEATURES, kind);
      List<NormalizerStats> answers = read(view, i + "/" + LABELS, kind);
      if (normalizer instanceof AbstractDataSetNormalizer<?> one) {
        one.fitLabel(labels);
        Dl4jInternals.FEATURE_STATS.set(one, features.isEmpty() ? null : features.get(0));
        Dl4jInternals.LABEL_STATS.set(one, answers.isEmpty() ? null : answers.get(0));
      } else if (normalizer instanceof AbstractMultiDataSetNormalizer<?> many) {
        many.fitLabel(labels);
        Dl4jInternals.ALL_FEATURE_STATS.set(many, features.isEmpty() ? null : features);
        Dl4jInternals.ALL_LABEL_STATS.set(many, answers.isEmpty() ? null : answers);
      }
    }
  }

  private static List<NormalizerStats> read(StateView view, String name, Kind kind) {
    Map<String, NormalizerStats> inputs = new LinkedHashMap<>();
    for (int i = 0; view.names().contains(name + "/" + i + "/" + kind.first); i++) {
      String input = name + "/" + i + "/";
      inputs.put(
          input,
          kind.make.apply(
              NDArrayReader.read(view, input + kind.first, false),
              NDArrayReader.read(view, input + kind.second, false)));
    }
    return new ArrayList<>(inputs.values());
  }

  private static boolean fitsLabels(Normalizer normalizer) {
    return normalizer instanceof AbstractDataSetNormalizer<?> one
        ? one.isFitLabel()
        : ((AbstractMultiDataSetNormalizer<?>) normalizer).isFitLabel();
  }

  private static List<Double> target(Normalizer normalizer) {
    if (normalizer instanceof NormalizerMinMaxScaler one) {
      return List.of(one.getTargetMin(), one.getTargetMax());
    }
    return normalizer instanceof MultiNormalizerMinMaxScaler many
        ? List.of(many.getTargetMin(), many.getTargetMax())
        : List.of();
  }

  /** None of a normalizer that was not fitted yet. */
  private static List<NormalizerStats> stats(Normalizer normalizer, boolean labels) {
    if (normalizer instanceof AbstractDataSetNormalizer<?>) {
      @Nullable NormalizerStats one =
          (labels ? Dl4jInternals.LABEL_STATS : Dl4jInternals.FEATURE_STATS).get(normalizer);
      return one == null ? List.of() : List.of(one);
    }
    @Nullable List<NormalizerStats> many =
        (labels ? Dl4jInternals.ALL_LABEL_STATS : Dl4jInternals.ALL_FEATURE_STATS).get(normalizer);
    return many == null ? List.of() : many;
  }
}
