package dev.ckpt.djl;

import ai.djl.training.Trainer;
import ai.djl.training.evaluator.Evaluator;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The accumulators of losses and metrics. DJL's evaluators, and those written like them, keep them
 * in fields of type {@code Map<String, Number>}; some hold other evaluators.
 */
final class EvaluatorState extends SmallState {
  private static final Logger log = LoggerFactory.getLogger(EvaluatorState.class);

  private final Supplier<Trainer> trainer;
  private final Set<Class<?>> warned = new HashSet<>();

  EvaluatorState(Supplier<Trainer> trainer) {
    this.trainer = trainer;
  }

  @Override
  Map<String, ?> read() {
    List<Object> all = new ArrayList<>();
    for (Evaluator evaluator : trainer.get().getEvaluators()) {
      all.add(read(evaluator));
    }
    return Map.of("evaluators", all);
  }

  private Map<String, Object> read(Evaluator evaluator) {
    Map<String, Object> state = new LinkedHashMap<>();
    state.put("class", evaluator.getClass().getName());
    state.put("name", evaluator.getName());
    Map<String, Object> accumulators = new LinkedHashMap<>();
    List<Object> inner = new ArrayList<>();
    for (Field field : fields(evaluator)) {
      PrivateField<Object> access = PrivateField.of(field);
      if (isAccumulator(field)) {
        Map<String, String> texts = new TreeMap<>();
        ((Map<?, ?>) access.get(evaluator)).forEach((k, v) -> texts.put((String) k, v.toString()));
        accumulators.put(field.getName(), texts);
      } else {
        for (Evaluator child : children(access.get(evaluator))) {
          inner.add(read(child));
        }
      }
    }
    state.put("accumulators", accumulators);
    state.put("inner", inner);
    return state;
  }

  @Override
  void write(Map<String, ?> state) {
    write(trainer.get().getEvaluators(), (List<?>) state.get("evaluators"));
  }

  private void write(List<Evaluator> evaluators, @Nullable List<?> saved) {
    List<Object> left = new ArrayList<>(saved == null ? List.of() : saved);
    for (Evaluator evaluator : evaluators) {
      Map<?, ?> own = null;
      for (Object each : left) {
        if (own == null
            && each instanceof Map<?, ?> state
            && evaluator.getClass().getName().equals(state.get("class"))
            && evaluator.getName().equals(state.get("name"))) {
          own = state;
        }
      }
      if (own == null) {
        log.info("Evaluator {} is not in the checkpoint: it starts at zero", evaluator.getName());
      } else {
        left.remove(own); // a second one of that name has a state of its own
        write(evaluator, own);
      }
    }
  }

  private void write(Evaluator evaluator, Map<?, ?> state) {
    Map<?, ?> accumulators = (Map<?, ?>) state.get("accumulators");
    List<Evaluator> inner = new ArrayList<>();
    for (Field field : fields(evaluator)) {
      PrivateField<Object> access = PrivateField.of(field);
      if (!isAccumulator(field)) {
        inner.addAll(children(access.get(evaluator)));
      } else if (accumulators != null && accumulators.get(field.getName()) instanceof Map<?, ?> m) {
        @SuppressWarnings("unchecked") // as isAccumulator found
        Map<String, Object> live = (Map<String, Object>) access.get(evaluator);
        live.clear();
        m.forEach((k, v) -> live.put((String) k, Texts.parse((String) v, numberType(field))));
      }
    }
    write(inner, (List<?>) state.get("inner"));
  }

  /** The fields that hold state or other evaluators, base class last. */
  private List<Field> fields(Evaluator evaluator) {
    List<Field> found = new ArrayList<>();
    List<String> uncovered = new ArrayList<>();
    for (Class<?> c = evaluator.getClass(); c != null && c != Object.class; c = c.getSuperclass()) {
      for (Field field : c.getDeclaredFields()) {
        if (Modifier.isStatic(field.getModifiers())) {
          continue;
        }
        if (isAccumulator(field)
            || Evaluator.class.isAssignableFrom(field.getType())
            || isEvaluatorList(field)) {
          found.add(field);
        } else if (!Modifier.isFinal(field.getModifiers()) && !c.getName().startsWith("ai.djl.")) {
          uncovered.add(field.getName());
        }
      }
    }
    if (!uncovered.isEmpty() && warned.add(evaluator.getClass())) {
      log.warn(
          "Evaluator {} has fields that are not saved: {}. Accumulate in fields of type Map<String,"
              + " Long|Integer|Float|Double>, or make them final.",
          evaluator.getClass().getName(),
          uncovered);
    }
    return found;
  }

  private static boolean isAccumulator(Field field) {
    return Map.class.isAssignableFrom(field.getType())
        && field.getGenericType() instanceof ParameterizedType map
        && map.getActualTypeArguments().length == 2
        && map.getActualTypeArguments()[0] == String.class
        && map.getActualTypeArguments()[1] instanceof Class<?> value
        && Number.class.isAssignableFrom(value)
        && value.getName().startsWith("java.lang.")
        && value != Number.class;
  }

  private static Class<?> numberType(Field field) {
    return (Class<?>) ((ParameterizedType) field.getGenericType()).getActualTypeArguments()[1];
  }

  private static boolean isEvaluatorList(Field field) {
    return List.class.isAssignableFrom(field.getType())
        && field.getGenericType() instanceof ParameterizedType list
        && list.getActualTypeArguments()[0] instanceof Class<?> element
        && Evaluator.class.isAssignableFrom(element);
  }

  private static List<Evaluator> children(@Nullable Object value) {
    List<Evaluator> found = new ArrayList<>();
    if (value instanceof Evaluator one) {
      found.add(one);
    } else if (value instanceof List<?> list) {
      list.forEach(element -> found.add((Evaluator) element));
    }
    return found;
  }
}
