package dev.ckpt.dl4j;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.Iterator;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.dataset.AsyncDataSetIterator;
import org.nd4j.linalg.dataset.AsyncMultiDataSetIterator;

/** Refuses to be called by what is not {@code fit} itself, on the stack of this thread. */
final class Callers {
  private static final String PARALLEL = "org.deeplearning4j.parallelism.";
  private static final String ASYNC = "org.nd4j.linalg.dataset.Async";

  private static final String SCORES = "org.deeplearning4j.earlystopping.scorecalc.";
  private static final String NORMALIZERS = "org.nd4j.linalg.dataset.api.preprocessor.";

  /** Its early stopping is a loop as DL4J's. */
  private static final String OWN = Loops.class.getName();

  private static final String STOPPING = "org.deeplearning4j.earlystopping.trainer.";
  private static final String ITERATORS = "org.deeplearning4j.datasets.iterator.";

  private static final Set<String> TRAINED =
      Set.of(
          "org.deeplearning4j.nn.multilayer.MultiLayerNetwork",
          "org.deeplearning4j.nn.graph.ComputationGraph",
          "org.nd4j.autodiff.samediff.SameDiff");

  private static final Set<String> COUNTING =
      Set.of(
          ITERATORS + "EarlyTerminationDataSetIterator",
          ITERATORS + "EarlyTerminationMultiDataSetIterator",
          ITERATORS + "MultipleEpochsIterator",
          "org.nd4j.linalg.dataset.api.iterator.MultipleEpochsIterator");

  /** How many of DL4J's iterators may be within each other. */
  private static final int WRAPPERS = 4;

  private Callers() {}

  /** Workers train behind the training thread's back. */
  static void refuseWorkers() {
    if (stands(PARALLEL)) {
      throw workers();
    }
  }

  static UnsupportedOperationException workers() {
    return new UnsupportedOperationException(
        "ParallelWrapper trains copies of the network on threads of their own, with random streams"
            + " that nobody can set: no batch boundary is a cut. Train with ckpt.fit, one process a"
            + " worker; or give ParallelWrapper the bare iterator, leave ckpt.listener() out and"
            + " call ckpt.endEpoch() behind each wrapper.fit, which saves the averaged network"
            + " without the promise of equal bytes.");
  }

  /** DL4J's loader may wait for ever when its thread has failed: it must not come to that. */
  static void refuseLoaders() {
    if (stands(ASYNC)) {
      throw loaders();
    }
  }

  static UnsupportedOperationException loaders() {
    return new UnsupportedOperationException(
        "AsyncDataSetIterator would read ahead of the training, on another thread: no batch"
            + " boundary would be a cut. Give ckpt.iterator(...) to fit as it is: it loads ahead"
            + " by itself. A wrapper around it must say asyncSupported() == false.");
  }

  /** Whether this is a thread of DL4J's loader. */
  static boolean isLoader() {
    return Thread.currentThread().getClass().getName().startsWith(ASYNC);
  }

  /** It counts epochs and scores, which no resume tells it. */
  static void refuseStopping() {
    if (stands(STOPPING)) {
      throw new UnsupportedOperationException(
          "EarlyStoppingTrainer keeps its scores, its patience and its count of epochs where no"
              + " checkpoint holds them. Call ckpt.fit(net, data, earlyStoppingConfiguration): it"
              + " stops where EarlyStoppingTrainer would, also after a resume.");
    }
  }

  /** Around ours it counts batches, epochs or scores, which no resume tells it. */
  static void refuseCounting() {
    refuseStopping();
    Optional<StackWalker.StackFrame> counting =
        outermost(frame -> COUNTING.contains(frame.getClassName()));
    if (counting.isPresent()) {
      String name = simpleName(counting.get());
      throw new UnsupportedOperationException(
          name
              + " around ckpt.iterator(...) counts what no resume tells it. Put it inside:"
              + " ckpt.iterator(new "
              + name
              + "(data, ...)); or give epochs to ckpt.fit or ckpt.remainingEpochs.");
    }
  }

  /** Who reads ours without training on it would be taken for the training. */
  static void refuseReaders() {
    Optional<StackWalker.StackFrame> reader = outermost(Callers::onlyReads);
    if (reader.isPresent()) {
      throw new UnsupportedOperationException(
          simpleName(reader.get())
              + "."
              + reader.get().getMethodName()
              + " reads ckpt.iterator(...) and trains nothing: each batch would count as trained."
              + " Give it the bare data, or another iterator over them.");
    }
  }

  private static boolean onlyReads(StackWalker.StackFrame frame) {
    String name = frame.getClassName();
    String method = frame.getMethodName();
    return (TRAINED.contains(name)
            && (method.startsWith("evaluate")
                || method.startsWith("doEvaluation")
                || method.startsWith("output")))
        || name.startsWith(SCORES)
        || (name.startsWith(NORMALIZERS) && method.startsWith("fit"));
  }

  /** Below ours its thread would draw what nobody can draw again; also within DL4J's wrappers. */
  static void refuseLoader(Object source) {
    refuseLoader(source, WRAPPERS);
  }

  private static void refuseLoader(Object source, int deep) {
    if (source instanceof TrainingData || source instanceof MultiTrainingData) {
      throw new UnsupportedOperationException(
          "What is given to ckpt.iterator(...) or ckpt.fit(...) has a ckpt.iterator(...) inside, so"
              + " that each batch would count twice, or is one of another Dl4jCheckpoints. Give it"
              + " the bare data.");
    }
    if (source instanceof AsyncDataSetIterator || source instanceof AsyncMultiDataSetIterator) {
      throw new UnsupportedOperationException(
          source.getClass().getSimpleName()
              + " loads on a thread of its own, whose random draws belong to no batch: they cannot"
              + " be repeated. Give ckpt.iterator(...) the iterator that is in it: it loads ahead"
              + " by itself.");
    }
    for (Class<?> c = source.getClass(); deep > 0 && isDl4js(c); c = c.getSuperclass()) {
      for (Field field : c.getDeclaredFields()) {
        if (!Modifier.isStatic(field.getModifiers())
            && Iterator.class.isAssignableFrom(field.getType())) {
          Object inner = inner(field, source);
          if (inner != null) {
            refuseLoader(inner, deep - 1);
          }
        }
      }
    }
  }

  private static boolean isDl4js(Class<?> type) {
    return type.getName().startsWith("org.deeplearning4j.")
        || type.getName().startsWith("org.nd4j.");
  }

  /** Null if it cannot be seen: then it is taken as it is. */
  private static @Nullable Object inner(Field field, Object source) {
    try {
      field.setAccessible(true);
      return field.get(source);
    } catch (ReflectiveOperationException | RuntimeException e) {
      return null;
    }
  }

  /** Whether a loop over an epoch asks that tells the listeners of its end; not one by hand. */
  static boolean isFit() {
    return outermost(Callers::fits).isPresent();
  }

  private static boolean fits(StackWalker.StackFrame frame) {
    String name = frame.getClassName();
    String method = frame.getMethodName();
    return (TRAINED.contains(name) && method.startsWith("fit"))
        || (name.equals(OWN) && method.equals("fitEarly"))
        || method.equals("onEpochEnd"); // a loop by hand may tell them, too
  }

  private static boolean stands(String prefix) {
    return outermost(frame -> frame.getClassName().startsWith(prefix)).isPresent();
  }

  /** Of those that are meant, the one that the program calls. */
  private static Optional<StackWalker.StackFrame> outermost(
      Predicate<StackWalker.StackFrame> meant) {
    return StackWalker.getInstance()
        .walk(frames -> frames.filter(meant).reduce((inner, outer) -> outer));
  }

  private static String simpleName(StackWalker.StackFrame frame) {
    return frame.getClassName().substring(frame.getClassName().lastIndexOf('.') + 1);
  }
}
