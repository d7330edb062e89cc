package dev.ckpt.djl;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.ParameterTracker;
import ai.djl.training.tracker.Tracker;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What an optimizer of any class holds besides DJL's own counters: <em>slots</em>, which are maps
 * from parameter id and device to an array, and <em>numbers</em>. A number that still has the value
 * with which the optimizer was built is a setting, and the program's; one that changed is state.
 * Anything else that can change is refused by name, for it would be lost in silence.
 */
final class OptimizerFields {
  private final Optimizer optimizer;
  private final Map<String, PrivateField<Map<String, Map<Device, NDArray>>>> slots =
      new LinkedHashMap<>();
  private final Map<String, PrivateField<Object>> numbers = new LinkedHashMap<>();
  private final Map<String, Object> built = new LinkedHashMap<>();

  /**
   * Looks at a freshly built optimizer.
   *
   * @throws UnsupportedOperationException naming a field that can change and cannot be saved
   */
  OptimizerFields(Optimizer optimizer) {
    this.optimizer = optimizer;
    List<String> uncovered = new ArrayList<>();
    for (Class<?> c = optimizer.getClass();
        c != null && c != Optimizer.class;
        c = c.getSuperclass()) {
      for (Field field : c.getDeclaredFields()) {
        if (!Modifier.isStatic(field.getModifiers())) {
          sort(field, uncovered);
        }
      }
    }
    if (!uncovered.isEmpty()) {
      throw new UnsupportedOperationException(
          "The optimizer "
              + optimizer.getClass().getName()
              + " holds what ckpt-djl cannot save: "
              + String.join(", ", uncovered)
              + ". Keep its slots in fields of type Map<String, Map<Device, NDArray>>, its counters"
              + " in primitive fields, and settings in final ones.");
    }
    numbers.forEach((name, field) -> built.put(name, field.get(optimizer)));
  }

  private void sort(Field field, List<String> uncovered) {
    String name = field.getName();
    if (isSlotMap(field.getGenericType())) {
      slots.put(name, PrivateField.of(field));
    } else if (field.getType().isPrimitive()) {
      if (!Modifier.isFinal(field.getModifiers())) {
        numbers.put(name, PrivateField.of(field));
      }
    } else if (!isSetting(field)) {
      uncovered.add(name + " (" + field.getGenericType().getTypeName() + ")");
    }
  }

  private static boolean isSlotMap(Type type) {
    return type instanceof ParameterizedType outer
        && isMapOf(outer, String.class)
        && outer.getActualTypeArguments()[1] instanceof ParameterizedType inner
        && isMapOf(inner, Device.class)
        && inner.getActualTypeArguments()[1] == NDArray.class;
  }

  private static boolean isMapOf(ParameterizedType type, Class<?> key) {
    return type.getRawType() instanceof Class<?> raw
        && Map.class.isAssignableFrom(raw)
        && type.getActualTypeArguments().length == 2
        && type.getActualTypeArguments()[0] == key;
  }

  /** Trackers are functions of the update count, which is restored; the rest is immutable. */
  private static boolean isSetting(Field field) {
    Class<?> type = field.getType();
    return ParameterTracker.class.isAssignableFrom(type)
        || Tracker.class.isAssignableFrom(type)
        || type == String.class
        || type.isEnum()
        || (Modifier.isFinal(field.getModifiers())
            && (Number.class.isAssignableFrom(type) && type.getName().startsWith("java.lang.")
                || type == Boolean.class
                || type.isRecord()));
  }

  Optimizer optimizer() {
    return optimizer;
  }

  /** Slot maps by field name, live. */
  Map<String, Map<String, Map<Device, NDArray>>> slots() {
    Map<String, Map<String, Map<Device, NDArray>>> live = new LinkedHashMap<>();
    slots.forEach((name, field) -> live.put(name, field.get(optimizer)));
    return live;
  }

  /** Numbers that are no longer what they were when the optimizer was built, as text. */
  Map<String, String> changedNumbers() {
    Map<String, String> changed = new LinkedHashMap<>();
    numbers.forEach(
        (name, field) -> {
          Object now = field.get(optimizer);
          if (!now.equals(built.get(name))) {
            changed.put(name, now.toString());
          }
        });
    return changed;
  }

  boolean hasNumber(String name) {
    return numbers.containsKey(name);
  }

  void number(String name, String text) {
    PrivateField<Object> field = numbers.get(name);
    Object old = built.get(name);
    if (field == null || old == null) {
      throw new IllegalArgumentException("no number " + name + " in " + optimizer.getClass());
    }
    field.set(optimizer, Texts.parse(text, old.getClass()));
  }
}
