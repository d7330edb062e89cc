package dev.ckpt.djl;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.training.optimizer.Optimizer;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** An optimizer of a user's own: one slot, one counter, one setting. */
class CountingOptimizer extends Optimizer {
  private final Map<String, Map<Device, NDArray>> velocity = new ConcurrentHashMap<>();
  private int calls;
  private float rate = 0.05f;

  CountingOptimizer() {
    super(new Settings());
  }

  @Override
  public void update(String parameterId, NDArray weight, NDArray grad) {
    calls = updateCount(parameterId); // not ++: the order of the parameters is no one's choice
    NDArray v =
        withDefaultState(velocity, parameterId, weight.getDevice(), k -> weight.zerosLike());
    float step = rate / (1 + calls / 20f);
    try (NDArray scaled = grad.mul(step)) {
      v.muli(0.9f).addi(scaled);
    }
    weight.subi(v);
    try (NDArray gradient = weight.getGradient()) {
      gradient.subi(gradient);
    }
  }

  private static final class Settings extends OptimizerBuilder<Settings> {
    @Override
    protected Settings self() {
      return this;
    }
  }
}
