package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A training that is small enough to be killed often.
 *
 * @param epochs of 50 training batches and 13 validation batches
 * @param release the DJL that it trains on
 * @param program its main class
 */
record Training(Combination combination, int epochs, DjlRelease release, Class<?> program) {

  private static final int ROWS = 500;
  private static final int BATCH = 8;
  private static final int EVERY_STEPS = 5;

  /** 400 of the 500 images train. */
  static final int BATCHES_PER_EPOCH = 50;

  /** The same bits belong to the same decisive choices: each such run is made once. */
  private static final Map<Training, Uninterrupted> REFERENCES = new HashMap<>();

  Training(Combination combination, int epochs) {
    this(combination, epochs, DjlRelease.BUILT);
  }

  Training(Combination combination, int epochs, DjlRelease release) {
    this(combination, epochs, release, DigitsDjl.class);
  }

  /**
   * What a run that nobody killed did.
   *
   * @param batches the training batches in their order, each named by its contents
   */
  record Uninterrupted(String sha, List<String> epochLines, List<String> batches) {}

  List<String> arguments(Path store) {
    List<String> arguments = new ArrayList<>(combination.arguments());
    arguments.addAll(List.of("--dir", store.toString(), "--epochs", Integer.toString(epochs)));
    arguments.addAll(List.of("--rows", Integer.toString(ROWS)));
    arguments.addAll(List.of("--batch", Integer.toString(BATCH)));
    arguments.addAll(List.of("--every-steps", Integer.toString(EVERY_STEPS)));
    return arguments;
  }

  int batches() {
    return epochs * BATCHES_PER_EPOCH;
  }

  /** Batches consumed after so many updates; an epoch's odd last batch has an update of its own. */
  int batchesAfter(long updates) {
    int perUpdate = combination.batchesPerUpdate();
    int updatesPerEpoch = (BATCHES_PER_EPOCH + perUpdate - 1) / perUpdate;
    int whole = (int) (updates / updatesPerEpoch) * BATCHES_PER_EPOCH;
    return whole + (int) (updates % updatesPerEpoch) * perUpdate;
  }

  /** The same, stored otherwise. */
  Training in(String format) {
    return new Training(combination.in(format), epochs, release, program);
  }

  /** The run to compare with. */
  Uninterrupted uninterrupted() throws IOException, InterruptedException {
    return reference(new Training(combination.decisive(), epochs, release, program));
  }

  private static synchronized Uninterrupted reference(Training decisive)
      throws IOException, InterruptedException {
    Uninterrupted known = REFERENCES.get(decisive);
    if (known == null) {
      Path folder = Files.createTempDirectory("ckpt-reference");
      SampleProcess process =
          SampleProcess.start(
              folder.resolve("run"),
              decisive.program,
              decisive.arguments(folder.resolve("store")),
              Map.of(),
              decisive.release);
      assertThat(process.exitCode()).as(process.toString()).isZero();
      known = new Uninterrupted(process.sha(), process.epochLines(), process.trained());
      assertThat(known.batches()).hasSize(decisive.batches()).doesNotHaveDuplicates();
      assertThat(known.epochLines()).hasSize(decisive.epochs);
      deleteTree(folder);
      REFERENCES.put(decisive, known);
    }
    return known;
  }

  private static void deleteTree(Path folder) throws IOException {
    try (var paths = Files.walk(folder)) {
      for (Path path : paths.sorted(java.util.Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }
}
