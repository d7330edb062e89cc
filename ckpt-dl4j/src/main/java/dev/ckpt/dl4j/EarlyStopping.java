package dev.ckpt.dl4j;

import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpointable;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.deeplearning4j.earlystopping.EarlyStoppingConfiguration;
import org.deeplearning4j.earlystopping.EarlyStoppingModelSaver;
import org.deeplearning4j.earlystopping.EarlyStoppingResult;
import org.deeplearning4j.earlystopping.EarlyStoppingResult.TerminationReason;
import org.deeplearning4j.earlystopping.saver.InMemoryModelSaver;
import org.deeplearning4j.earlystopping.scorecalc.ScoreCalculator;
import org.deeplearning4j.earlystopping.termination.EpochTerminationCondition;
import org.deeplearning4j.earlystopping.termination.IterationTerminationCondition;
import org.deeplearning4j.earlystopping.termination.MaxTimeIterationTerminationCondition;
import org.deeplearning4j.earlystopping.termination.ScoreImprovementEpochTerminationCondition;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.jspecify.annotations.Nullable;

/**
 * What an early stopping remembers: scores, the best epoch, its conditions' own state, and the best
 * model if that is kept in memory. {@code EarlyStoppingTrainer} keeps them in local variables.
 */
final class EarlyStopping implements Checkpointable {
  private static final String CONDITIONS = "conditions";
  private static final String BEST = "best/";

  private @Nullable EarlyStoppingConfiguration<?> config;
  private @Nullable Model model;
  private boolean missed;

  private final Map<Integer, Double> scores = new TreeMap<>();
  private double bestScore;
  private int bestEpoch = -1;
  private @Nullable TerminationReason reason;
  private String details = "";

  /**
   * Begins anew; what a resume restores comes behind that.
   *
   * @throws UnsupportedOperationException if a condition keeps what is not known
   */
  <T extends Model> void begin(EarlyStoppingConfiguration<T> users, T trained) {
    if (missed) {
      throw new IllegalStateException(
          "The run stops early, and its scores belong to that: call ckpt.fit(net, iterator,"
              + " earlyStopping) without ckpt.resume(net) before it");
    }
    users.validate();
    for (Object condition : conditions(users)) {
      requireKnown(condition);
    }
    config = users;
    model = trained;
    users.getIterationTerminationConditions().forEach(IterationTerminationCondition::initialize);
    users.getEpochTerminationConditions().forEach(EpochTerminationCondition::initialize);
    bestScore = users.getScoreCalculator().minimizeScore() ? Double.MAX_VALUE : -Double.MAX_VALUE;
  }

  boolean hasEnded() {
    return reason != null;
  }

  /** Looks at the loss of a batch. */
  boolean endsAfterBatch(double score) {
    for (IterationTerminationCondition each : config().getIterationTerminationConditions()) {
      if (each.terminate(score)) {
        reason = TerminationReason.IterationTerminationCondition;
        details = each.toString();
        saveLast(0);
        return true;
      }
    }
    return false;
  }

  /** With the score that {@code EarlyStoppingTrainer} gives. */
  @SuppressWarnings("unchecked") // the configuration and the model were given together
  private void saveLast(double score) {
    EarlyStoppingConfiguration<Model> users = (EarlyStoppingConfiguration<Model>) config();
    if (users.isSaveLastModel()) {
      try {
        users.getModelSaver().saveLatestModel(model(), score);
      } catch (IOException e) {
        throw failed(e);
      }
    }
  }

  private static UncheckedIOException failed(IOException e) {
    return new UncheckedIOException("the model saver failed: " + e.getMessage(), e);
  }

  /** Scores the model behind an epoch, and decides. */
  @SuppressWarnings("unchecked") // the configuration and the model were given together
  void epochDone(int epoch) {
    EarlyStoppingConfiguration<Model> users = (EarlyStoppingConfiguration<Model>) config();
    Model trained = model();
    if (epoch % Math.max(1, users.getEvaluateEveryNEpochs()) != 0) {
      return;
    }
    ScoreCalculator<Model> calculator = users.getScoreCalculator();
    boolean lower = calculator.minimizeScore();
    double score = calculator.calculateScore(trained);
    scores.put(epoch, score);
    try {
      boolean better = lower ? score < bestScore : score > bestScore;
      if (better || (bestEpoch == -1 && !Double.isFinite(score))) {
        bestScore = score;
        bestEpoch = epoch;
        users.getModelSaver().saveBestModel(trained, score);
      }
    } catch (IOException e) {
      throw failed(e);
    }
    saveLast(score);
    for (EpochTerminationCondition each : users.getEpochTerminationConditions()) {
      if (each.terminate(epoch, score, lower)) {
        reason = TerminationReason.EpochTerminationCondition;
        details = each.toString();
        return;
      }
    }
  }

  @SuppressWarnings("unchecked") // as above
  <T extends Model> EarlyStoppingResult<T> result(int epochs) {
    try {
      return new EarlyStoppingResult<>(
          reason,
          details,
          new LinkedHashMap<>(scores),
          bestEpoch,
          bestScore,
          epochs,
          ((EarlyStoppingModelSaver<T>) config().getModelSaver()).getBestModel());
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private EarlyStoppingConfiguration<?> config() {
    if (config == null) {
      throw new IllegalStateException("this training does not stop early");
    }
    return config;
  }

  private Model model() {
    if (model == null) {
      throw new IllegalStateException("this training does not stop early");
    }
    return model;
  }

  private static List<Object> conditions(EarlyStoppingConfiguration<?> config) {
    List<Object> all = new ArrayList<>();
    all.addAll(config.getIterationTerminationConditions());
    all.addAll(config.getEpochTerminationConditions());
    return all;
  }

  private static void requireKnown(Object condition) {
    if (condition instanceof MaxTimeIterationTerminationCondition
        || condition instanceof ScoreImprovementEpochTerminationCondition
        || condition.getClass().getName().startsWith("org.deeplearning4j.")) {
      return; // DL4J's others keep settings only
    }
    for (Class<?> c = condition.getClass(); c != null && c != Object.class; c = c.getSuperclass()) {
      for (Field field : c.getDeclaredFields()) {
        if (!Modifier.isStatic(field.getModifiers()) && !Modifier.isFinal(field.getModifiers())) {
          throw new UnsupportedOperationException(
              "The termination condition "
                  + condition.getClass().getName()
                  + " may keep state in "
                  + field.getName()
                  + ", which no checkpoint holds: make its fields final, or use DL4J's conditions");
        }
      }
    }
  }

  @Override
  public void capture(StateSink sink) {
    EarlyStoppingConfiguration<?> users = config;
    if (users == null) {
      return;
    }
    List<Map<String, String>> conditions = new ArrayList<>();
    conditions(users).forEach(each -> conditions.add(read(each)));
    Map<String, String> byEpoch = new LinkedHashMap<>();
    scores.forEach((epoch, score) -> byEpoch.put(epoch.toString(), score.toString()));
    sink.value(CONDITIONS, conditions);
    sink.value("scores", byEpoch);
    sink.value("bestScore", Double.toString(bestScore));
    sink.value("bestEpoch", bestEpoch);
    TerminationReason ended = reason;
    sink.value("reason", ended == null ? "" : ended.name());
    sink.value("details", details);
    bestInMemory(users)
        .forEach(
            (name, region) -> {
              TensorSpec spec = region.spec();
              sink.tensor(
                  TensorSpec.of(BEST + name, spec.type(), spec.shape()),
                  region,
                  Stability.STABLE_UNTIL_UPDATE);
            });
  }

  /** What lies in files is there after a crash by itself. */
  private static Map<String, Region> bestInMemory(EarlyStoppingConfiguration<?> config) {
    try {
      if (config.getModelSaver() instanceof InMemoryModelSaver<?> saver
          && saver.getBestModel() != null) {
        return Trainee.of(saver.getBestModel()).parameters();
      }
      return Map.of();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Map<String, String> read(Object condition) {
    if (condition instanceof ScoreImprovementEpochTerminationCondition improvement) {
      return Map.of(
          "bestEpoch", Integer.toString(improvement.getBestEpoch()),
          "bestScore", Double.toString(improvement.getBestScore()));
    }
    if (condition instanceof MaxTimeIterationTerminationCondition time) {
      return Map.of("left", Long.toString(time.getEndTime() - System.currentTimeMillis()));
    }
    return Map.of();
  }

  private static void write(Object condition, Map<?, ?> state) {
    if (condition instanceof ScoreImprovementEpochTerminationCondition improvement) {
      improvement.setBestEpoch(Integer.parseInt(String.valueOf(state.get("bestEpoch"))));
      improvement.setBestScore(Double.parseDouble(String.valueOf(state.get("bestScore"))));
    } else if (condition instanceof MaxTimeIterationTerminationCondition time) {
      long left = Long.parseLong(String.valueOf(state.get("left")));
      time.setEndTime(System.currentTimeMillis() + left);
    }
  }

  @Override
  public void check(StateView view) {
    EarlyStoppingConfiguration<?> users = config;
    if (users == null || !view.values().contains(CONDITIONS)) {
      return;
    }
    int saved = view.value(CONDITIONS, List.class).size();
    if (saved != conditions(users).size()) {
      throw new CheckpointException.Incompatible(
          "The checkpoint's early stopping has "
              + saved
              + " termination conditions, the program's "
              + conditions(users).size()
              + ": give the same ones, in the same order");
    }
  }

  @Override
  public void restore(StateView view) {
    if (!view.values().contains(CONDITIONS)) {
      return;
    }
    EarlyStoppingConfiguration<?> users = config;
    if (users == null) {
      missed = true;
      return;
    }
    List<?> conditions = view.value(CONDITIONS, List.class);
    List<Object> own = conditions(users);
    for (int i = 0; i < own.size(); i++) {
      write(own.get(i), (Map<?, ?>) conditions.get(i));
    }
    scores.clear();
    Map<?, ?> byEpoch = view.value("scores", Map.class);
    byEpoch.forEach(
        (epoch, score) ->
            scores.put(
                Integer.valueOf(String.valueOf(epoch)), Double.valueOf(String.valueOf(score))));
    bestScore = Double.parseDouble(view.value("bestScore", String.class));
    bestEpoch = view.value("bestEpoch", Integer.class);
    details = view.value("details", String.class);
    String ended = view.value("reason", String.class);
    reason = ended.isEmpty() ? null : TerminationReason.valueOf(ended);
    restoreBest(users, view);
  }

  @SuppressWarnings("unchecked") // the configuration and the model were given together
  private void restoreBest(EarlyStoppingConfiguration<?> users, StateView view) {
    if (view.names().isEmpty()) {
      return;
    }
    Model copy =
        model() instanceof MultiLayerNetwork network
            ? network.clone()
            : ((ComputationGraph) model()).clone();
    Trainee.of(copy).parameters().forEach((name, region) -> region.fill(view, BEST + name));
    try {
      ((EarlyStoppingModelSaver<Model>) users.getModelSaver()).saveBestModel(copy, bestScore);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
