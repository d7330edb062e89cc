package dev.ckpt.mlflow.internal.report;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.DType;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Reads a committed checkpoint, and with it the one before to see what changed. Every byte that is
 * read is verified. Reads the whole of both, one after the other, with two windows of memory: only
 * for threads that nobody waits for.
 */
public final class Surveyor {

  /** A multiple of the chunks that are verified, so that none is read twice. */
  private static final int WINDOW = 4 << 20;

  private final Checkpoints checkpoints;
  private final boolean norms;
  private final ByteBuffer now;
  private final ByteBuffer then;

  /**
   * @param norms whether to read the tensors at all; without it only their specs are read
   */
  public Surveyor(Checkpoints checkpoints, boolean norms) {
    this.checkpoints = checkpoints;
    this.norms = norms;
    this.now = ByteBuffer.allocate(norms ? WINDOW : 0).order(ByteOrder.LITTLE_ENDIAN);
    this.then = ByteBuffer.allocate(norms ? WINDOW : 0).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Reads it.
   *
   * @throws CheckpointException.NotFound if it is gone
   * @throws CheckpointException.Corrupt if it is damaged
   */
  public Survey survey(Checkpoint checkpoint, Optional<String> before) {
    try (Checkpoints.Opened open = checkpoints.open(checkpoint.id());
        Earlier earlier = earlier(before)) {
      if (earlier.opened() != null) {
        try {
          return survey(checkpoint, open, earlier);
        } catch (CheckpointException e) {
          // of which of the two is found out without the other
          return survey(checkpoint, open, new Earlier(null, unread(before.orElse(""), e)));
        }
      }
      return survey(checkpoint, open, earlier);
    }
  }

  /**
   * The checkpoint before.
   *
   * @param why it is not compared with, unless it is
   */
  private record Earlier(Checkpoints.@Nullable Opened opened, String why) implements AutoCloseable {
    @Override
    public void close() {
      if (opened != null) {
        opened.close();
      }
    }
  }

  private Earlier earlier(Optional<String> before) {
    if (before.isEmpty()) {
      return new Earlier(null, "There is no earlier checkpoint to compare with.");
    }
    if (!norms) {
      return new Earlier(null, "Tensors are not read (mlflow.norms), so that none is compared.");
    }
    try {
      return new Earlier(checkpoints.open(before.get()), "");
    } catch (CheckpointException e) {
      return new Earlier(null, unread(before.get(), e));
    }
  }

  private static String unread(String before, CheckpointException why) {
    return "The one before, "
        + before
        + (why instanceof CheckpointException.NotFound
            ? ", was deleted before this report was written, so that nothing is compared."
            : ", does not read back, so that nothing is compared.");
  }

  private Survey survey(Checkpoint checkpoint, Checkpoints.Opened open, Earlier earlier) {
    Checkpoints.Opened before = earlier.opened();
    List<Survey.Tensor> tensors = new ArrayList<>();
    Map<String, List<Double>> curves = new TreeMap<>();
    MessageDigest structure = sha256();
    long otherBytes = 0;
    boolean compared = false;
    for (String part : open.parts()) {
      StateView view = open.view(part);
      StateView old = before != null && before.parts().contains(part) ? before.view(part) : null;
      for (String name : view.names()) {
        TensorSpec spec = view.spec(name);
        structure.update(
            (part + "/" + name + " " + spec.type().id() + " " + spec.shape() + "\n")
                .getBytes(StandardCharsets.UTF_8));
        StateView comparable = old != null && isAlike(old, spec) ? old : null;
        compared |= comparable != null;
        tensors.add(tensor(part, spec, view, comparable));
      }
      for (String name : view.opaque()) {
        otherBytes += view.spec(name).bytes();
      }
      addCurves(view, curves);
    }
    String why =
        compared || before == null
            ? earlier.why()
            : "Nothing is compared: nothing in "
                + before.checkpoint().id()
                + " has name, type and shape of what is here.";
    return new Survey(
        checkpoint,
        compared && before != null ? Optional.of(before.checkpoint().id()) : Optional.empty(),
        why,
        tensors,
        otherBytes,
        HexFormat.of().formatHex(structure.digest()),
        curves);
  }

  private static boolean isAlike(StateView old, TensorSpec spec) {
    if (!old.names().contains(spec.name())) {
      return false;
    }
    TensorSpec was = old.spec(spec.name());
    return was.type() == spec.type() && was.shape().equals(spec.shape());
  }

  private Survey.Tensor tensor(
      String part, TensorSpec spec, StateView view, @Nullable StateView old) {
    List<Long> shape = new ArrayList<>();
    for (int i = 0; i < spec.shape().rank(); i++) {
      shape.add(spec.shape().dim(i));
    }
    Norm norm = new Norm();
    Norm oldNorm = new Norm();
    Norm difference = new Norm();
    long nonFinite = 0;
    boolean read = norms && spec.type().isFloating();
    for (long at = 0; read && at < spec.bytes(); at += WINDOW) {
      int length = (int) Math.min(WINDOW, spec.bytes() - at);
      view.read(spec.name(), at, now.clear().limit(length));
      if (old != null) {
        old.read(spec.name(), at, then.clear().limit(length));
      }
      for (int i = 0; i < length; i += spec.type().bytes()) {
        double value = number(spec.type(), now, i);
        norm.add(value);
        nonFinite += Double.isFinite(value) ? 0 : 1;
        if (old != null) {
          double was = number(spec.type(), then, i);
          oldNorm.add(was);
          difference.add(value - was);
        }
      }
    }
    return new Survey.Tensor(
        part,
        spec.name(),
        spec.type().id(),
        shape,
        spec.bytes(),
        read ? OptionalDouble.of(norm.value()) : OptionalDouble.empty(),
        nonFinite,
        read && old != null
            ? OptionalDouble.of(share(difference.value(), oldNorm.value()))
            : OptionalDouble.empty());
  }

  private static double share(double difference, double before) {
    // what is 0 / 0 has not changed
    return difference == 0 && before == 0 ? 0 : difference / before;
  }

  private static double number(DType type, ByteBuffer from, int at) {
    return switch (type) {
      case FLOAT64 -> from.getDouble(at);
      case FLOAT32 -> from.getFloat(at);
      case BFLOAT16 -> Float.intBitsToFloat(from.getShort(at) << 16);
      case FLOAT16 -> half(from.getShort(at));
      default -> throw new IllegalArgumentException(type + " holds no floats");
    };
  }

  /** IEEE 754 binary16; the JDK converts it from 20 on. */
  private static double half(short bits) {
    int exponent = bits >> 10 & 0x1f;
    int fraction = bits & 0x3ff;
    double size =
        exponent == 0
            ? fraction * 0x1p-24
            : exponent < 0x1f
                ? Math.scalb(1024.0 + fraction, exponent - 25)
                : fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
    return bits < 0 ? -size : size;
  }

  /** The history that an adapter keeps: in the part {@code metrics}, lists of numbers by name. */
  private static void addCurves(StateView view, Map<String, List<Double>> curves) {
    for (String name : view.values()) {
      Map<?, ?> values;
      try {
        values = view.value(name, Map.class);
      } catch (CheckpointException.Incompatible e) {
        continue; // no map, so no history
      }
      values.forEach(
          (key, value) -> {
            if (value instanceof List<?> list && list.size() > 1) {
              numbers(list).ifPresent(all -> curves.put(String.valueOf(key), all));
            }
          });
    }
  }

  private static Optional<List<Double>> numbers(List<?> list) {
    List<Double> all = new ArrayList<>(list.size());
    for (Object each : list) {
      try {
        all.add(Double.valueOf(String.valueOf(each)));
      } catch (NumberFormatException e) {
        return Optional.empty();
      }
    }
    return Optional.of(all);
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }
}
