package dev.ckpt.dl4j;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.DoubleSupplier;

/** What a checkpoint says of the quality of its model: the loss, and what the program told. */
final class Metrics extends SmallState {
  static final String SCORE = "score";

  private final DoubleSupplier score;
  private final Map<String, Double> told = new TreeMap<>();

  Metrics(DoubleSupplier score) {
    this.score = score;
  }

  void tell(String name, double value) {
    if (Double.isFinite(value)) {
      told.put(name, value);
    } else {
      told.remove(name);
    }
  }

  Map<String, Double> all() {
    Map<String, Double> all = new HashMap<>(told);
    double last = score.getAsDouble();
    if (Double.isFinite(last)) {
      all.putIfAbsent(SCORE, last);
    }
    return all;
  }

  @Override
  Map<String, ?> read() {
    return new TreeMap<>(told);
  }

  @Override
  void write(Map<String, ?> state) {
    told.clear();
    state.forEach((name, value) -> told.put(name, ((Number) value).doubleValue()));
  }
}
