package dev.ckpt.dl4j;

import it.unimi.dsi.fastutil.doubles.DoubleArrayList;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.Solver;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.deeplearning4j.optimize.listeners.CollectScoresListener;
import org.deeplearning4j.optimize.listeners.ComposableIterationListener;
import org.deeplearning4j.optimize.listeners.EvaluativeListener;
import org.deeplearning4j.optimize.listeners.TimeIterationListener;
import org.jspecify.annotations.Nullable;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.dataset.api.preprocessor.AbstractDataSetNormalizer;
import org.nd4j.linalg.dataset.api.preprocessor.AbstractMultiDataSetNormalizer;
import org.nd4j.linalg.dataset.api.preprocessor.stats.NormalizerStats;
import org.nd4j.rng.NativeRandom;

/** Every private field and method of DL4J's and ND4J's that this adapter touches. */
final class Dl4jInternals {
  /** The second half of a pair that {@code nextGaussian()} drew, not yet given. */
  static final PrivateField<Boolean> GAUSSIAN_LEFT =
      PrivateField.of(NativeRandom.class, "generated", boolean.class);

  static final PrivateField<Double> LEFT_GAUSSIAN =
      PrivateField.of(NativeRandom.class, "z1", double.class);

  static final PrivateField<@Nullable Solver> NETWORK_SOLVER =
      PrivateField.of(MultiLayerNetwork.class, "solver", Solver.class);
  static final PrivateField<@Nullable Solver> GRAPH_SOLVER =
      PrivateField.of(ComputationGraph.class, "solver", Solver.class);

  static final PrivateField<@Nullable NormalizerStats> FEATURE_STATS =
      PrivateField.of(AbstractDataSetNormalizer.class, "featureStats", NormalizerStats.class);
  static final PrivateField<@Nullable NormalizerStats> LABEL_STATS =
      PrivateField.of(AbstractDataSetNormalizer.class, "labelStats", NormalizerStats.class);
  static final PrivateField<@Nullable List<NormalizerStats>> ALL_FEATURE_STATS =
      PrivateField.of(AbstractMultiDataSetNormalizer.class, "featureStats", List.class);
  static final PrivateField<@Nullable List<NormalizerStats>> ALL_LABEL_STATS =
      PrivateField.of(AbstractMultiDataSetNormalizer.class, "labelStats", List.class);

  static final PrivateField<IntArrayList> COLLECTED_ITERATIONS =
      PrivateField.of(CollectScoresListener.class, "listIteration", IntArrayList.class);
  static final PrivateField<DoubleArrayList> COLLECTED_SCORES =
      PrivateField.of(CollectScoresListener.class, "listScore", DoubleArrayList.class);
  static final PrivateField<Collection<TrainingListener>> COMPOSED_LISTENERS =
      PrivateField.of(ComposableIterationListener.class, "listeners", Collection.class);
  static final PrivateField<AtomicLong> EVALUATIONS =
      PrivateField.of(EvaluativeListener.class, "invocationCount", AtomicLong.class);
  static final PrivateField<ThreadLocal<@Nullable AtomicLong>> EVALUATED_ITERATIONS =
      PrivateField.of(EvaluativeListener.class, "iterationCount", ThreadLocal.class);
  static final PrivateField<AtomicLong> TIMED_ITERATIONS =
      PrivateField.of(TimeIterationListener.class, "iterationCounter", AtomicLong.class);

  private static final Method INITIALIZE_TRAINING = initializeTraining();

  private Dl4jInternals() {}

  private static Method initializeTraining() {
    try {
      Method method = SameDiff.class.getDeclaredMethod("initializeTraining");
      method.setAccessible(true);
      return method;
    } catch (NoSuchMethodException e) {
      throw PrivateField.unknownShape(SameDiff.class, "initializeTraining", "does not exist");
    }
  }

  /** Creates the updaters of a graph, as its first batch would. */
  static void initializeTraining(SameDiff graph) {
    try {
      INITIALIZE_TRAINING.invoke(graph);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    } catch (IllegalAccessException e) {
      throw new AssertionError("it was made accessible", e);
    }
  }
}
