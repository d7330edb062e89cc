package dev.ckpt.dl4j;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.Collection;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.deeplearning4j.nn.api.Layer;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * All that the layers of a network hold, by the fields that lead to it: also what is neither
 * parameter nor slot. Two networks that were trained alike hold the same, so what a resume does not
 * bring back shows here before it has cost a bit.
 */
final class Insides {
  private static final String DL4J = "org.deeplearning4j.";

  private final SortedMap<String, String> values = new TreeMap<>();
  private final Set<Object> seen = Collections.newSetFromMap(new IdentityHashMap<>());

  private Insides() {}

  static SortedMap<String, String> of(MultiLayerNetwork net) {
    Insides insides = new Insides();
    for (Layer layer : net.getLayers()) {
      insides.look(layer.getIndex() + " " + layer.getClass().getSimpleName(), layer);
    }
    return insides.values;
  }

  private void look(String path, @Nullable Object value) {
    if (value == null || value instanceof MultiLayerNetwork || value instanceof Class) {
      return;
    }
    if (value instanceof INDArray array) {
      // what lies in a workspace is of the batch alone
      values.put(path, array.isAttached() ? "of a batch" : array.toStringFull());
    } else if (value instanceof Number || value instanceof Boolean || value instanceof Character) {
      values.put(path, value.toString());
    } else if (value instanceof CharSequence || value instanceof Enum) {
      values.put(path, value.toString());
    } else if (seen.add(value)) {
      if (value instanceof Map<?, ?> map) {
        map.forEach((key, each) -> look(path + "." + key, each));
      } else if (value instanceof Collection<?> all) {
        int place = 0;
        for (Object each : all) {
          look(path + "[" + place++ + "]", each);
        }
      } else if (value.getClass().isArray()) {
        for (int i = 0; i < Array.getLength(value); i++) {
          look(path + "[" + i + "]", Array.get(value, i));
        }
      } else if (value.getClass().getName().startsWith(DL4J) || value instanceof Model) {
        fields(path, value);
      }
    }
  }

  private void fields(String path, Object owner) {
    for (Class<?> type = owner.getClass(); type != null; type = type.getSuperclass()) {
      if (!type.getName().startsWith(DL4J)) {
        return;
      }
      for (Field field : type.getDeclaredFields()) {
        if (!Modifier.isStatic(field.getModifiers())) {
          field.setAccessible(true);
          try {
            look(path + "." + field.getName(), field.get(owner));
          } catch (IllegalAccessException e) {
            throw new AssertionError("it was made accessible", e);
          }
        }
      }
    }
  }
}
