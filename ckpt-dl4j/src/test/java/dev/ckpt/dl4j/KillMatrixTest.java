package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.dl4j.Cell.Trait;
import dev.ckpt.dl4j.Forgetting.Part;
import dev.ckpt.dl4j.SmallTraining.Kind;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Real processes, {@code kill -9} at random moments, for each kind of model, what makes its resume
 * hard, iterator and format. Each start must train exactly the batches that follow the newest
 * commit on disk, with the same losses, and the last one must end in the bytes of a run that nobody
 * killed. For each, the negative control: without the one part that its trait needs it does not.
 * {@code -Dckpt.kill.seed=N} repeats the moments as far as a machine's timing lets it.
 */
class KillMatrixTest {

  /** Runs that nobody killed. */
  private static final Map<Cell, Whole> REFERENCES = new HashMap<>();

  private record Whole(String sha, List<String> journal) {}

  @TempDir Path folder;

  private final long seed = Long.getLong("ckpt.kill.seed", System.nanoTime());
  private final Random random = new Random(seed);
  private int started;

  static List<Cell> some() {
    return Cell.some(Cell.FORMATS);
  }

  static List<Cell> product() {
    return Cell.product();
  }

  @ParameterizedTest
  @MethodSource("some")
  void aKillLeavesNoTraceWhateverMakesItHard(Cell cell) throws IOException, InterruptedException {
    killedItLeavesNoTrace(cell, 1, List.of(cell.needs()));
  }

  @Tag("nightly")
  @ParameterizedTest
  @MethodSource("product")
  void threeKillsLeaveNoTraceInAnyCombination(Cell cell) throws IOException, InterruptedException {
    killedItLeavesNoTrace(cell, 3, List.of(cell.needs(), Part.POSITION));
  }

  @Test
  void theFewHoldEachPairOfKindIteratorAndFormat() {
    for (List<String> formats : List.of(List.of("one"), List.of("one", "another"), Cell.FORMATS)) {
      Set<List<Object>> pairs = new HashSet<>();
      for (Cell cell : Cell.some(formats)) {
        pairs.add(List.of(cell.kind(), cell.prefetch()));
        pairs.add(List.of(cell.kind(), cell.format()));
        pairs.add(List.of(cell.prefetch(), cell.format()));
      }
      int kinds = Cell.KINDS.size();
      assertThat(pairs).hasSize(kinds * 2 + (kinds + 2) * formats.size());
    }
  }

  @Test
  void eachTraitIsThere() throws IOException {
    for (Kind kind : Cell.KINDS) {
      Map<String, Trait> bySha = new HashMap<>();
      for (Trait trait : Trait.values()) {
        String sha = whole(new Cell(kind, trait, false, Cell.FORMATS.get(0))).sha;
        assertThat(bySha.put(sha, trait)).as("trains as %s %s does", kind, trait).isNull();
      }
    }
  }

  private void killedItLeavesNoTrace(Cell cell, int kills, List<Part> controls)
      throws IOException, InterruptedException {
    Whole whole = whole(cell.decisive());
    Path store = folder.resolve("store");
    int lost = 0;
    int executed = 0;
    for (int kill = 0; kill < kills || isAtTheEndOfAnEpoch(committed(store)); kill++) {
      int before = committed(store);
      int left = CellProgram.BATCHES - 8 - before;
      int after = before + 1 + random.nextInt(Math.max(1, left / Math.max(1, kills - kill)));
      boolean early = kill == 0 && kills > 1; // before anything is committed, perhaps
      try (CellProcess process = start(cell, Part.NOTHING, store)) {
        process.killAt(
            () ->
                early
                    ? trained(process) > 0
                    : trained(process) + before >= after
                        && committed(store) > before
                        && !isAtTheEndOfAnEpoch(committed(store)),
            random.nextInt(6_000_000));
        int trained = trained(process);
        assertThat(process.journal())
            .as("what follows batch %d of %s (ckpt.kill.seed=%d)", before, cell, seed)
            .isEqualTo(whole.journal.subList(before, before + trained));
        executed += trained;
        lost += before + trained - committed(store);
      }
    }

    int before = committed(store);
    try (CellProcess last = start(cell, Part.NOTHING, copyOf(store))) {
      for (Part part : controls) {
        try (CellProcess forgetful = start(cell, part, copyOf(store))) {
          assertThat(forgetful.sha())
              .as("%s without %s (ckpt.kill.seed=%d)", cell, part, seed)
              .isNotEqualTo(whole.sha);
        }
      }
      assertThat(last.sha()).as("%s (ckpt.kill.seed=%d)", cell, seed).isEqualTo(whole.sha);
      List<String> journal = last.journal();
      assertThat(journal).isEqualTo(whole.journal.subList(before, CellProgram.BATCHES));
      executed += journal.size();
    }
    assertThat(executed - CellProgram.BATCHES).as("trained again: what was lost").isEqualTo(lost);
    System.out.printf(
        "%s: %d kills, went on after batch %d, %d batches lost (ckpt.kill.seed=%d)%n",
        cell, kills, before, lost, seed);
  }

  private static boolean isAtTheEndOfAnEpoch(int step) {
    return step % CellProgram.BATCHES_PER_EPOCH == 0;
  }

  private CellProcess start(Cell cell, Part forgotten, Path store) throws IOException {
    return CellProcess.start(folder.resolve("process-" + started++), cell, forgotten, store);
  }

  private static int trained(CellProcess process) {
    try {
      return process.journal().size();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The step of the newest manifest on disk, by its name alone; 0 without any. */
  private static int committed(Path store) {
    Path manifests = store.resolve("runs").resolve(CellProgram.RUN).resolve("manifests");
    if (!Files.isDirectory(manifests)) {
      return 0;
    }
    try (Stream<Path> files = Files.list(manifests)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.matches("\\d{6}-\\d{12}-\\d\\.json"))
          .mapToInt(name -> Integer.parseInt(name.split("-", -1)[1]))
          .max()
          .orElse(0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Path copyOf(Path store) throws IOException {
    Path copy = folder.resolve("copy-" + started);
    try (Stream<Path> files = Files.walk(store)) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(store.relativize(file).toString()));
      }
    }
    return copy;
  }

  private static synchronized Whole whole(Cell cell) throws IOException {
    Whole known = REFERENCES.get(cell);
    if (known == null) {
      Path folder = Files.createTempDirectory("ckpt-reference");
      Path journal = folder.resolve("journal");
      String sha = CellProgram.train(cell, Part.NOTHING, folder.resolve("store"), journal, 0);
      known = new Whole(sha, CellProcess.journal(journal));
      assertThat(known.journal).hasSize(CellProgram.BATCHES).doesNotHaveDuplicates();
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
      REFERENCES.put(cell, known);
    }
    return known;
  }
}
