package dev.ckpt.samples;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.util.Pair;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * SHA-256 over what a training has learned: every weight and every optimizer slot, in the order of
 * their names, as little-endian bytes.
 *
 * <p>It reads the live objects by itself and uses nothing of the checkpoints, so that it can bear
 * witness for them.
 */
final class StateDigest {

  private StateDigest() {}

  static String of(Block block, Optimizer optimizer) {
    SortedMap<String, NDArray> arrays = new TreeMap<>();
    Map<String, String> names = new HashMap<>();
    for (Pair<String, Parameter> parameter : block.getParameters()) {
      arrays.put("weights/" + parameter.getKey(), parameter.getValue().getArray());
      names.put(parameter.getValue().getId(), parameter.getKey());
    }
    for (Class<?> type = optimizer.getClass();
        type != null && type != Optimizer.class;
        type = type.getSuperclass()) {
      for (Field field : type.getDeclaredFields()) {
        if (!Modifier.isStatic(field.getModifiers())
            && Map.class.isAssignableFrom(field.getType())) {
          slots(field, optimizer)
              .forEach(
                  (id, slot) -> {
                    if (slot instanceof Map<?, ?> perDevice
                        && perDevice.get(Device.cpu()) instanceof NDArray array) {
                      arrays.put("slots/" + field.getName() + "/" + names.get(id), array);
                    }
                  });
        }
      }
    }
    MessageDigest sha = sha256();
    arrays.forEach(
        (name, array) -> {
          sha.update(name.getBytes(StandardCharsets.UTF_8));
          sha.update((byte) 0);
          // The CPUs that DJL's natives exist for are little-endian.
          sha.update(array.toByteBuffer());
        });
    return HexFormat.of().formatHex(sha.digest());
  }

  private static Map<?, ?> slots(Field field, Optimizer optimizer) {
    try {
      field.setAccessible(true);
      return field.get(optimizer) instanceof Map<?, ?> map ? map : Map.of();
    } catch (IllegalAccessException e) {
      throw new IllegalStateException("cannot read " + field, e);
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
