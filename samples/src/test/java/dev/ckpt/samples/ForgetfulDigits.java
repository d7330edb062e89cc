package dev.ckpt.samples;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.djl.training.Trainer;
import ai.djl.training.optimizer.Adam;
import ai.djl.training.optimizer.Optimizer;
import dev.ckpt.djl.DjlCheckpoints;
import dev.ckpt.djl.Forgetting;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Predicate;

/**
 * The sample with one part of what was restored put back to what a new process has: as if that part
 * had been left out of the checkpoint. The first argument names it.
 */
final class ForgetfulDigits extends DigitsTraining {

  private final String part;

  private ForgetfulDigits(String part, DigitsOptions options, PrintStream out) {
    super(options, out);
    this.part = part;
  }

  public static void main(String[] args) throws Exception {
    DigitsDjl.prepare();
    String[] options = Arrays.copyOfRange(args, 1, args.length);
    new ForgetfulDigits(args[0], DigitsOptions.parse(options), System.out).run();
    System.exit(0);
  }

  @Override
  void initialized(DjlCheckpoints ckpt, Trainer trainer) {
    Map<Parameter, NDArray> fresh = new HashMap<>();
    trainer
        .getModel()
        .getBlock()
        .getParameters()
        .forEach(entry -> fresh.put(entry.getValue(), entry.getValue().getArray().duplicate()));
    if (ckpt.resume(trainer).isEmpty()) {
      throw new IllegalStateException("there is nothing to forget");
    }
    switch (part) {
      case "nothing" -> {}
      case "weights" -> putBack(fresh, parameter -> !isStatistic(parameter));
      case "statistics" -> putBack(fresh, ForgetfulDigits::isStatistic);
      case "slots" -> {
        clear(Adam.class, "means");
        clear(Adam.class, "variances");
      }
      case "counters" -> clear(Optimizer.class, "updateCounts");
      case "position" -> Forgetting.position(ckpt);
      case "rng" -> Forgetting.randomness(ckpt);
      default -> throw new IllegalArgumentException(part);
    }
  }

  private void clear(Class<?> owner, String map) {
    try {
      Field field = owner.getDeclaredField(map);
      field.setAccessible(true);
      Map<?, ?> entries = (Map<?, ?>) field.get(optimizer());
      if (entries.isEmpty()) {
        throw new IllegalStateException(map + " was not restored at all");
      }
      entries.clear();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  private static boolean isStatistic(Parameter parameter) {
    return parameter.getType() == Parameter.Type.RUNNING_MEAN
        || parameter.getType() == Parameter.Type.RUNNING_VAR;
  }

  private static void putBack(Map<Parameter, NDArray> fresh, Predicate<Parameter> which) {
    fresh.forEach(
        (parameter, array) -> {
          if (which.test(parameter)) {
            array.copyTo(parameter.getArray());
          }
        });
  }
}
