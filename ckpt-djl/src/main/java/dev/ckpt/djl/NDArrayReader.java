package dev.ckpt.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Set;

/**
 * Gives the tensors of a checkpoint as {@link NDArray}s, whoever wrote it.
 *
 * <pre>{@code
 * try (CheckpointStore store = Stores.local(Path.of("checkpoints"));
 *     NDArrayReader reader = NDArrayReader.open(Checkpoints.read(store, "digits"), "latest");
 *     NDManager manager = NDManager.newBaseManager()) {
 *   NDArray weight = reader.read(manager, "model/01Linear_weight");
 * }
 * }</pre>
 *
 * <p>A tensor has the shape and the values that its own framework shows: DL4J's matrices, which lie
 * in memory column by column, come out as they are seen there, as a transposed view.
 *
 * <p>Every byte is verified as it is read. Usable from any thread, if the manager is; an array
 * outlives the reader.
 */
public final class NDArrayReader implements AutoCloseable {

  /** Tensors whose dimensions the framework that saved them has in the other order. */
  private static final String COLUMN_MAJOR = "columnMajor";

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
   */
  public static NDArrayReader open(Checkpoints run, String reference) {
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
   * @param manager owns the array; on its device
   * @param name its full name
   * @throws NoSuchElementException if there is none of that name
   * @throws UnsupportedOperationException if PyTorch has no such type: bfloat16, 16-bit integers
   * @throws dev.ckpt.CheckpointException.Corrupt if it is damaged
   */
  public NDArray read(NDManager manager, String name) {
    int slash = name.indexOf('/');
    if (slash < 0 || !open.parts().contains(name.substring(0, slash))) {
      throw new NoSuchElementException(
          checkpoint().id() + " has no tensor '" + name + "'; names() lists them: " + names());
    }
    StateView view = open.view(name.substring(0, slash));
    String own = name.substring(slash + 1);
    TensorSpec spec = view.spec(own);
    NDArray array =
        manager.create(
            new Shape(spec.shape().dims()), ArrayBytes.dataType("Tensor " + name, spec.type()));
    try {
      new ArrayBytes(array, manager, spec).fill(view, own);
      return isColumnMajor(view, own) ? reversed(array) : array;
    } catch (RuntimeException e) {
      array.close();
      throw e;
    }
  }

  private static boolean isColumnMajor(StateView view, String name) {
    return view.values().contains(COLUMN_MAJOR)
        && view.value(COLUMN_MAJOR, List.class).contains(name);
  }

  private static NDArray reversed(NDArray rows) {
    try (rows) {
      return rows.transpose();
    }
  }

  @Override
  public void close() {
    open.close();
  }
}
