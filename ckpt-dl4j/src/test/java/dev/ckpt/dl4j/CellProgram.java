package dev.ckpt.dl4j;

import dev.ckpt.CheckpointManager;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.Forgetting.Part;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.CRC32;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.nd4j.autodiff.listeners.At;
import org.nd4j.autodiff.listeners.BaseListener;
import org.nd4j.autodiff.listeners.Loss;
import org.nd4j.autodiff.listeners.Operation;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.api.MultiDataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/**
 * What the matrix of kills starts: a program that trains a {@link Cell}, a line in a journal for
 * each update. A batch is named by its contents and not by a counter, so that the journal proves
 * what was trained on whatever the checkpoints believe; each line is one write to the kernel, which
 * outlives a {@code kill -9}.
 */
final class CellProgram {
  static final String RUN = "cell";
  static final int EPOCHS = 5;
  static final int BATCHES_PER_EPOCH = 10;
  static final int BATCHES = EPOCHS * BATCHES_PER_EPOCH;
  private static final int EVERY_STEPS = 3;

  /** So that a kill finds it in different places. */
  private static final int MILLIS = 4;

  private CellProgram() {}

  /** Arguments: those of the cell, the part to be forgotten, the store, the journal. */
  public static void main(String[] args) throws IOException {
    Cell cell = Cell.of(List.of(args));
    String sha = train(cell, Part.valueOf(args[4]), Path.of(args[5]), Path.of(args[6]), MILLIS);
    System.out.println(sha);
    System.exit(0);
  }

  /**
   * Trains to the end.
   *
   * @param millis that each batch takes besides
   * @return the digest of what was learned
   */
  static String train(Cell cell, Part forgotten, Path store, Path journal, int millis)
      throws IOException {
    try (OutputStream lines = Files.newOutputStream(journal);
        Dl4jCheckpoints ckpt =
            Dl4jCheckpoints.open(
                CheckpointManager.in(store)
                    .run(RUN)
                    .seed(7)
                    .format(cell.format())
                    .saveWhen(
                        SaveTrigger.anyOf(
                            SaveTrigger.everySteps(EVERY_STEPS),
                            SaveTrigger.everyEpoch(),
                            SaveTrigger.onCompletion())))) {
      DataSetIterator data =
          ckpt.iterator(
              ckpt.batches(SmallTraining.samples(), SmallTraining.BATCH, true, false),
              cell.prefetch() ? 2 : 0);
      Journal listener = new Journal(lines, millis);
      switch (cell.kind()) {
        case NETWORK -> {
          MultiLayerNetwork net = CellModels.network(cell.trait());
          net.setListeners(listener);
          resume(ckpt, Trainee.of(net), forgotten, () -> ckpt.resume(net));
          ckpt.fit(net, data, EPOCHS);
        }
        case GRAPH -> {
          ComputationGraph net = CellModels.graph(cell.trait());
          net.setListeners(listener);
          resume(ckpt, Trainee.of(net), forgotten, () -> ckpt.resume(net));
          ckpt.fit(net, data, EPOCHS);
        }
        default -> {
          SameDiff graph = CellModels.sameDiff(cell.trait());
          resume(ckpt, Trainee.of(graph), forgotten, () -> ckpt.resume(graph));
          ckpt.fit(graph, data, EPOCHS, listener.ofGraph());
        }
      }
      return ckpt.sha256();
    }
  }

  private static void resume(
      Dl4jCheckpoints ckpt, Trainee trainee, Part forgotten, Runnable resume) {
    if (forgotten != Part.NOTHING) {
      Forgetting forgetting = new Forgetting(forgotten, trainee);
      resume.run();
      forgetting.forget(ckpt, trainee);
    }
  }

  /** Writes a line for each update: which batch, and the bits of its loss. */
  private static final class Journal extends BaseTrainingListener {
    private final OutputStream out;
    private final int millis;

    Journal(OutputStream out, int millis) {
      this.out = out;
      this.millis = millis;
    }

    @Override
    public void iterationDone(Model model, int iteration, int epoch) {
      INDArray input = model instanceof ComputationGraph graph ? graph.getInput(0) : model.input();
      write(iteration, epoch, input, model.score());
    }

    BaseListener ofGraph() {
      return new BaseListener() {
        @Override
        public boolean isActive(Operation operation) {
          return operation == Operation.TRAINING;
        }

        @Override
        public void iterationDone(SameDiff graph, At at, MultiDataSet batch, Loss loss) {
          write(at.iteration(), at.epoch(), batch.getFeatures(0), loss.totalLoss());
        }
      };
    }

    private void write(int iteration, int epoch, INDArray input, double loss) {
      float[] values = input.dup('c').data().asFloat();
      ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES);
      bytes.asFloatBuffer().put(values);
      CRC32 contents = new CRC32();
      contents.update(bytes);
      String line =
          "%d/%d batch %08x loss %016x%n"
              .formatted(iteration, epoch, contents.getValue(), Double.doubleToRawLongBits(loss));
      try {
        out.write(line.getBytes(StandardCharsets.US_ASCII));
        Thread.sleep(millis);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
