package dev.ckpt.dl4j;

import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Set;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Gives the tensors of a checkpoint as {@link INDArray}s, whoever wrote it.
 *
 * <pre>{@code
 * try (CheckpointStore store = Stores.local(Path.of("checkpoints"));
 *     NDArrayReader reader = NDArrayReader.open(Checkpoints.read(store, "digits"), "latest")) {
 *   INDArray weight = reader.read("model/0_W");
 * }
 * }</pre>
 *
 * <p>A matrix that DL4J keeps column by column is stored as it lies in memory, which is the
 * transposed matrix row by row; it comes out with the shape and the order that DL4J gave it. Every
 * byte is verified as it is read. Usable from any thread; an array outlives the reader.
 */
public final class NDArrayReader implements AutoCloseable {
  private final Checkpoints.Opened open;

  private NDArrayReader(Checkpoints.Opened open) {
    this.open = open;
  }

  /**
   * Opens a checkpoint.
   *
   * @param reference as {@link Checkpoints#find} understands it
   * @throws dev.ckpt.CheckpointException.NotFound if it means none
   * @throws dev.ckpt.CheckpointException.Corrupt if it is damaged
   * @throws UnsupportedOperationException if ND4J's backend is another than {@code nd4j-native}
   */
  public static NDArrayReader open(Checkpoints run, String reference) {
    Region.requireHostMemory();
    return new NDArrayReader(run.open(run.find(reference).id()));
  }

  /** What is known of the checkpoint. */
  public Checkpoint checkpoint() {
    return open.checkpoint();
  }

  /** Full names of all tensors: {@code <part>/<name>}. */
  public Set<String> names() {
    Set<String> names = new LinkedHashSet<>();
    for (String part : open.parts()) {
      open.view(part).names().forEach(name -> names.add(part + "/" + name));
    }
    return names;
  }

  /**
   * Reads one tensor.
   *
   * @param name its full name
   * @throws NoSuchElementException if there is none of that name
   * @throws dev.ckpt.CheckpointException.Corrupt if it is damaged
   */
  public INDArray read(String name) {
    int slash = name.indexOf('/');
    if (slash < 0 || !open.parts().contains(name.substring(0, slash))) {
      throw new NoSuchElementException(
          checkpoint().id() + " has no tensor '" + name + "'; names() lists them: " + names());
    }
    StateView view = open.view(name.substring(0, slash));
    String own = name.substring(slash + 1);
    return read(view, own, isReversed(view, own));
  }

  /** Whether DL4J sees the tensor with the dimensions in the other order. */
  static boolean isReversed(StateView view, String name) {
    return view.values().contains(ModelState.REVERSED)
        && view.value(ModelState.REVERSED, List.class).contains(name);
  }

  static INDArray read(StateView view, String name, boolean reversed) {
    TensorSpec spec = view.spec(name);
    long[] dims = spec.shape().dims();
    if (reversed) {
      for (int i = 0; i < dims.length / 2; i++) {
        long other = dims[dims.length - 1 - i];
        dims[dims.length - 1 - i] = dims[i];
        dims[i] = other;
      }
    }
    if (spec.shape().elements() == 0) {
      return Nd4j.create(Region.dataType(spec.type()), dims);
    }
    INDArray array =
        Nd4j.createUninitialized(Region.dataType(spec.type()), dims, reversed ? 'f' : 'c');
    Region.of("Tensor " + name, name, array).fill(view, name);
    return array;
  }

  @Override
  public void close() {
    open.close();
  }
}
