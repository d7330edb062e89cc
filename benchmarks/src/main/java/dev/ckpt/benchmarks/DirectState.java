package dev.ckpt.benchmarks;

import dev.ckpt.Checkpointable;
import dev.ckpt.DType;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.TensorSource;
import dev.ckpt.TensorSpec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Tensors in direct buffers, as an engine holds them. Capturing makes no garbage of its own, so
 * that all that is measured is the manager's.
 */
final class DirectState implements Checkpointable {

  /** One tensor. */
  static final class Tensor implements TensorSource {
    final TensorSpec spec;
    final ByteBuffer contents;
    private final ByteBuffer window;

    Tensor(TensorSpec spec) {
      this.spec = spec;
      this.contents =
          ByteBuffer.allocateDirect(Math.toIntExact(spec.bytes())).order(ByteOrder.LITTLE_ENDIAN);
      this.window = contents.duplicate();
    }

    @Override
    public void copy(long offset, ByteBuffer into) {
      int start = (int) offset;
      window.limit(start + into.remaining()).position(start);
      into.put(window);
    }
  }

  private final List<Tensor> tensors;

  private DirectState(List<Tensor> tensors) {
    this.tensors = tensors;
  }

  /** The 150 tensors of a GPT-2 with a value head, as wide as fits {@code bytes}. */
  static DirectState gpt2(long bytes) {
    long floats = bytes / Float.BYTES;
    // twelve blocks of 12 x width x width are 85 % of 400 MB at width 768
    int width = Math.max(16, (int) Math.sqrt(floats * 0.85 / 144) / 16 * 16);
    List<Tensor> tensors = new ArrayList<>();
    for (int layer = 0; layer < 12; layer++) {
      String block = "h." + layer + ".";
      add(tensors, block + "ln_1.weight", width);
      add(tensors, block + "ln_1.bias", width);
      add(tensors, block + "attn.c_attn.weight", width, 3L * width);
      add(tensors, block + "attn.c_attn.bias", 3L * width);
      add(tensors, block + "attn.c_proj.weight", width, width);
      add(tensors, block + "attn.c_proj.bias", width);
      add(tensors, block + "ln_2.weight", width);
      add(tensors, block + "ln_2.bias", width);
      add(tensors, block + "mlp.c_fc.weight", width, 4L * width);
      add(tensors, block + "mlp.c_fc.bias", 4L * width);
      add(tensors, block + "mlp.c_proj.weight", 4L * width, width);
      add(tensors, block + "mlp.c_proj.bias", width);
    }
    add(tensors, "ln_f.weight", width);
    add(tensors, "ln_f.bias", width);
    add(tensors, "v_head.weight", 1, width);
    add(tensors, "v_head.bias", 1);
    add(tensors, "wpe.weight", Math.min(1024, width), width);
    long used = tensors.stream().mapToLong(tensor -> tensor.spec.shape().elements()).sum();
    add(tensors, "wte.weight", Math.max(1, (floats - used) / width), width);
    return new DirectState(tensors);
  }

  /** Many small tensors of 1 KiB. */
  static DirectState small(int count) {
    List<Tensor> tensors = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      add(tensors, "block" + i + ".bias", 256);
    }
    return new DirectState(tensors);
  }

  private static void add(List<Tensor> tensors, String name, long... dims) {
    Tensor tensor = new Tensor(TensorSpec.of(name, DType.FLOAT32, Shape.of(dims)));
    for (int at = 0; at < tensor.contents.capacity(); at += Float.BYTES) {
      tensor.contents.putFloat(at, ((at * 0x9E3779B1) >>> 8) * 0x1p-24f - 0.5f);
    }
    tensors.add(tensor);
  }

  /** Zeros of the same shapes, every page touched. */
  DirectState like() {
    List<Tensor> copies = new ArrayList<>();
    for (Tensor tensor : tensors) {
      copies.add(new Tensor(tensor.spec));
    }
    DirectState like = new DirectState(copies);
    like.wipe();
    return like;
  }

  /** So that an old copy is not taken for a restored one. */
  void wipe() {
    for (Tensor tensor : tensors) {
      for (int at = 0; at < tensor.contents.capacity(); at += 4096) {
        tensor.contents.put(at, (byte) 1);
      }
    }
  }

  List<Tensor> tensors() {
    return tensors;
  }

  long bytes() {
    return tensors.stream().mapToLong(tensor -> tensor.spec.bytes()).sum();
  }

  /** Whether both hold the same bytes. */
  boolean sameAs(DirectState other) {
    for (int i = 0; i < tensors.size(); i++) {
      if (!tensors.get(i).contents.equals(other.tensors.get(i).contents)) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void capture(StateSink sink) {
    for (int i = 0; i < tensors.size(); i++) {
      Tensor tensor = tensors.get(i);
      sink.tensor(tensor.spec, tensor, Stability.STABLE_UNTIL_UPDATE);
    }
  }

  @Override
  public void restore(StateView view) {
    for (Tensor tensor : tensors) {
      view.read(tensor.spec.name(), 0, tensor.contents.duplicate());
    }
  }
}
