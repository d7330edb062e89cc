package dev.ckpt.djl;

import ai.djl.metric.Metric;
import ai.djl.metric.Metrics;
import ai.djl.training.Trainer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Supplier;

/**
 * The metrics of the trainer, thinned out: the newest value of each is exact, and older ones lie
 * evenly over the whole history, so that plots and log lines go on after a resume.
 */
final class MetricHistory extends SmallState {
  /** Values of all metrics together; keeps the part far below the bound of small values. */
  private static final int MAX_VALUES = 16_384;

  private static final int MAX_PER_METRIC = 512;

  private final Supplier<Trainer> trainer;

  MetricHistory(Supplier<Trainer> trainer) {
    this.trainer = trainer;
  }

  @Override
  Map<String, ?> read() {
    Metrics metrics = trainer.get().getMetrics();
    Map<String, Object> history = new TreeMap<>();
    if (metrics == null) {
      return history;
    }
    TreeSet<String> names = new TreeSet<>(metrics.getMetricNames());
    int limit = Math.max(2, Math.min(MAX_PER_METRIC, MAX_VALUES / Math.max(1, names.size())));
    for (String name : names) {
      List<Metric> all = metrics.getMetric(name);
      int size = all.size();
      int kept = Math.min(size, limit);
      List<String> values = new ArrayList<>(kept);
      for (int i = 0; i < kept; i++) {
        // from first to last, both included
        int place = kept == 1 ? size - 1 : (int) ((long) i * (size - 1) / (kept - 1));
        values.add(all.get(place).getValue().toString());
      }
      history.put(name, values);
    }
    return history;
  }

  @Override
  void write(Map<String, ?> history) {
    Metrics metrics = trainer.get().getMetrics();
    if (metrics == null) {
      return;
    }
    history.forEach(
        (name, values) -> {
          if (!metrics.hasMetric(name)) {
            for (Object value : (List<?>) values) {
              metrics.addMetric(name, Double.valueOf((String) value));
            }
          }
        });
  }
}
