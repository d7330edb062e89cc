package dev.ckpt.djl;

import ai.djl.training.tracker.ParameterTracker;
import ai.djl.training.tracker.Tracker;
import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.Map;
import java.util.SortedMap;
import java.util.StringJoiner;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * How an optimizer is set: its fields that are plain values, and its trackers, each of which has
 * settings of its own, also by parameter. As text, which is what checkpoints hold: {@code
 * Adam{beta1=0.9, learningRateTracker=FixedTracker{value=0.01}}}.
 *
 * @param name of the class, or a plain value
 * @param inside null for a plain value
 */
record Settings(String name, @Nullable SortedMap<String, Settings> inside) {
  private static final String LAMBDA = "$$Lambda";

  /**
   * Those of a live object.
   *
   * @param nameOf names what a map of a tracker is keyed by: DJL's ids of parameters, which are
   *     others in each process
   */
  static Settings of(Object object, UnaryOperator<String> nameOf) {
    return of(object, true, nameOf);
  }

  private static Settings of(Object object, boolean followsTrackers, UnaryOperator<String> nameOf) {
    TreeMap<String, Settings> inside = new TreeMap<>();
    for (Class<?> c = object.getClass(); c != null && c != Object.class; c = c.getSuperclass()) {
      for (Field field : c.getDeclaredFields()) {
        if (Modifier.isStatic(field.getModifiers())
            || field.getName().startsWith("this$")
            || field.getName().equals("numUpdate")) {
          continue;
        }
        Class<?> type = field.getType();
        // a map of an optimizer is its state
        if (isPlain(type)
            || isTracker(type) && followsTrackers
            || Map.class.isAssignableFrom(type) && isTracker(object.getClass())) {
          inside.put(field.getName(), ofValue(PrivateField.of(field).get(object), nameOf));
        } else if (isTracker(object.getClass())) {
          Object formula = PrivateField.of(field).get(object);
          boolean own = formula != null && isPartOf(object.getClass(), formula.getClass());
          inside.put(field.getName(), own ? of(formula, false, nameOf) : ofValue(formula, nameOf));
        }
      }
    }
    return new Settings(name(object.getClass()), inside);
  }

  private static boolean isPlain(Class<?> type) {
    return type.isPrimitive()
        || type.isEnum()
        || type == String.class
        || type == Boolean.class
        || Number.class.isAssignableFrom(type)
        || type.isArray() && type.getComponentType().isPrimitive();
  }

  private static boolean isTracker(Class<?> type) {
    return ParameterTracker.class.isAssignableFrom(type) || Tracker.class.isAssignableFrom(type);
  }

  /** By which a tracker computes, such as the shape of a cycle. */
  private static boolean isPartOf(Class<?> tracker, Class<?> formula) {
    return formula.getName().startsWith(tracker.getName() + "$")
        && !formula.getName().contains(LAMBDA);
  }

  private static Settings ofValue(@Nullable Object value, UnaryOperator<String> nameOf) {
    if (value == null) {
      return new Settings("none", null);
    }
    if (value instanceof Map<?, ?> map) {
      TreeMap<String, Settings> inside = new TreeMap<>();
      map.forEach(
          (key, each) -> inside.put(nameOf.apply(String.valueOf(key)), ofValue(each, nameOf)));
      return new Settings("", inside);
    }
    if (isTracker(value.getClass())) {
      return of(value, nameOf);
    }
    if (value.getClass().isArray() && value.getClass().getComponentType().isPrimitive()) {
      StringJoiner all = new StringJoiner(" ", "[", "]");
      for (int i = 0; i < Array.getLength(value); i++) {
        all.add(String.valueOf(Array.get(value, i)));
      }
      return new Settings(all.toString(), null);
    }
    return new Settings(
        isPlain(value.getClass()) ? value.toString() : name(value.getClass()), null);
  }

  /** That of a lambda has a number behind it, another one in each process. */
  private static String name(Class<?> type) {
    String name = type.getSimpleName();
    int lambda = name.indexOf(LAMBDA);
    return lambda < 0 ? name : name.substring(0, lambda + LAMBDA.length());
  }

  /** Reads {@link #toString}; what it cannot read it takes for a plain value. */
  static Settings parse(String text) {
    int[] at = {0};
    Settings read = parse(text, at);
    return read == null || at[0] < text.length() ? new Settings(text, null) : read;
  }

  private static @Nullable Settings parse(String text, int[] at) {
    String name = until(",{}", text, at);
    if (!taken('{', text, at)) {
      return new Settings(name, null);
    }
    TreeMap<String, Settings> inside = new TreeMap<>();
    while (!taken('}', text, at)) {
      if (!inside.isEmpty() && !(taken(',', text, at) && taken(' ', text, at))) {
        return null;
      }
      String key = until("=,{}", text, at);
      Settings value = taken('=', text, at) ? parse(text, at) : null;
      if (value == null) {
        return null;
      }
      inside.put(key, value);
    }
    return new Settings(name, inside);
  }

  private static String until(String ends, String text, int[] at) {
    int from = at[0];
    while (at[0] < text.length() && ends.indexOf(text.charAt(at[0])) < 0) {
      at[0]++;
    }
    return text.substring(from, at[0]);
  }

  private static boolean taken(char expected, String text, int[] at) {
    boolean there = at[0] < text.length() && text.charAt(at[0]) == expected;
    at[0] += there ? 1 : 0;
    return there;
  }

  /** What of these another does not have alike; all of them if it is of another class. */
  Settings without(Settings other) {
    Map<String, Settings> theirs = other.inside;
    if (inside == null || theirs == null || !name.equals(other.name)) {
      return this;
    }
    TreeMap<String, Settings> left = new TreeMap<>();
    inside.forEach(
        (key, value) -> {
          Settings their = theirs.get(key);
          if (their == null) {
            left.put(key, value);
          } else if (!value.equals(their)) {
            left.put(key, value.without(their));
          }
        });
    return new Settings(name, left);
  }

  @Override
  public String toString() {
    return inside == null ? name : name + inside;
  }
}
