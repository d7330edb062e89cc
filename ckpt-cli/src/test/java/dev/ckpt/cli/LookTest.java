package dev.ckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code runs}, {@code list}, {@code show}, {@code best}, {@code log} and pins print. */
class LookTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  private Path at;
  private List<String> ids;

  @BeforeEach
  void train() throws IOException {
    at = folder.resolve("a store");
    try (CheckpointStore store = Stores.local(at)) {
      ids = Trained.save(store, "digits", new Resume.Auto(), 10, 20, 30);
      Trained.save(store, "digits", Resume.parse(ids.get(1)), 25);
    }
  }

  private void second() throws IOException {
    try (CheckpointStore store = Stores.local(at)) {
      Trained.completed(store, "other");
    }
  }

  @Test
  void runsSaysHowFarEachRunIs() throws IOException {
    second();
    Called called = Called.on(at, "runs");
    assertThat(called.code()).isZero();
    assertThat(called.err()).isEmpty();
    assertThat(called.out().lines().map(LookTest::squeezed))
        .satisfiesExactly(
            head -> assertThat(head).isEqualTo("RUN CHECKPOINTS STEP EPOCH AGE SIZE ATTEMPTS LAST"),
            digits -> assertThat(digits).matches("digits 3 25 2 \\d+ s [0-9.]+ kB 2 closed"),
            other -> assertThat(other).matches("other 4 40 4 \\d+ s [0-9.]+ kB 2 completed"));

    JsonNode json = json(Called.on(at, "runs", "--json"));
    assertThat(json.at("/runs/1/latest/step").longValue()).isEqualTo(40);
    assertThat(json.at("/runs/1/lastAttempt/end").textValue()).isEqualTo("completed");
    assertThat(json.at("/store").textValue()).isEqualTo(at.toUri().toString().replaceAll("/$", ""));
  }

  @Test
  void listShowsTheLiveBranchAndWithAllWhatWasLeft() {
    Called live = Called.on(at, "list");
    assertThat(live.out().lines().map(LookTest::squeezed))
        .satisfiesExactly(
            head -> assertThat(head).isEqualTo("ID STEP EPOCH AGE SIZE accuracy loss"),
            line -> assertThat(line).matches(ids.get(0) + " 10 1 \\d+ s [0-9.]+ kB 0.9 0.1"),
            line -> assertThat(line).matches(ids.get(1) + " 20 2 \\d+ s [0-9.]+ kB 0.95 0.05"),
            line -> assertThat(line).startsWith("000002-000000000025-0 25 2 "));
    Called all = Called.on(at, "list", "--all", "--metric", "loss");
    assertThat(all.out())
        .contains("STANDING")
        .doesNotContain("accuracy")
        .containsPattern(ids.get(2) + ".*0\\.0333333  dead branch  .*went back to " + ids.get(1));
    assertThat(Called.on(at, "list", "-n", "1").out().lines()).hasSize(2);
    assertThat(Called.on(at, "list", "-n", "0").code()).isEqualTo(Exit.USAGE);
  }

  @Test
  void aMetricThatIsNotThereIsSaid() {
    Called typo = Called.on(at, "list", "--metric", "los");
    assertThat(typo.code()).isZero();
    assertThat(typo.err())
        .isEqualTo("ckpt: none of these has the metric 'los'; known: accuracy, loss\n");
  }

  @Test
  void aPathWithABlankIsSaidAsItWasTyped() throws IOException {
    second();
    assertThat(Called.on(at, "list").err()).contains(" runs in " + at + ": name one");
  }

  @Test
  void tablesFitTheTerminalAndLoseNothing() {
    // an attempt with its two ids, which nothing cuts
    for (int width : List.of(80, 66, 40)) {
      Map<String, String> narrow =
          Map.of("CKPT_STORE", at.toString(), "NO_COLOR", "1", "COLUMNS", "" + width);
      for (String line : List.of("runs", "list --all", "log", "gc --grace 0s --dry-run")) {
        Called called = Called.with(narrow, true, line.split(" "));
        assertThat(called.out().lines().limit(width < 66 ? 0 : 100))
            .as(line)
            .allSatisfy(each -> assertThat(each.length()).isLessThanOrEqualTo(width));
        String wide = Called.on(at, line.split(" ")).out();
        for (String word : wide.split("\\s+")) {
          // headers of what went below are small, ages go on
          if (!word.matches("[A-Z]+|\\d+")) {
            assertThat(called.out()).as(line + " at " + width).contains(word);
          }
        }
      }
      assertThat(Called.with(narrow, true, "list", "--help").out().lines())
          .allSatisfy(each -> assertThat(each.length()).isLessThanOrEqualTo(Math.max(55, width)));
    }
  }

  @Test
  void noTableIsFittedWhereNobodyLooks() {
    Map<String, String> narrow = Map.of("CKPT_STORE", at.toString(), "COLUMNS", "30");
    assertThat(Called.with(narrow, "list", "--all").out().lines()).hasSize(5);
  }

  @Test
  void aLongTextIsWrappedAtWords() {
    assertThat(Text.wrapped("to be or not to be", 8)).containsExactly("to be or", "not to", "be");
    assertThat(Text.wrapped("runs/a/data/b is cut", 8))
        .containsExactly("runs/a/", "data/b", "is cut");
    assertThat(Text.wrapped("0123456789", 4)).containsExactly("0123", "4567", "89");
    assertThat(Text.wrapped("", 4)).containsExactly("");
  }

  @Test
  void listInJsonIsOneDocumentWithEachField() throws IOException {
    JsonNode json = json(Called.on(at, "list", "--all", "--json"));
    assertThat(json.at("/run").textValue()).isEqualTo("digits");
    assertThat(json.at("/checkpoints")).hasSize(4);
    JsonNode third = json.at("/checkpoints/2");
    assertThat(third.fieldNames())
        .toIterable()
        .containsExactly(
            "id",
            "step",
            "epoch",
            "batch",
            "samples",
            "phase",
            "committedAt",
            "bytes",
            "finite",
            "parent",
            "metrics",
            "standing",
            "pinned",
            "reason");
    assertThat(third.get("id").textValue()).isEqualTo(ids.get(2));
    assertThat(third.get("standing").textValue()).isEqualTo("dead_branch");
    assertThat(third.get("phase").textValue()).isEqualTo("after_step");
    assertThat(third.get("parent").textValue()).isEqualTo(ids.get(1));
    assertThat(third.at("/metrics/loss").doubleValue()).isEqualTo(1.0 / 30);
    assertThat(json.at("/checkpoints/0/parent").isNull()).isTrue();
  }

  @Test
  void listSaysWhatItLeavesOut() throws IOException {
    Trained.damage(at.resolve("runs/digits/manifests/" + ids.get(0) + ".json"));
    Called called = Called.on(at, "list");
    assertThat(called.code()).isZero();
    assertThat(called.out()).doesNotContain(ids.get(0));
    assertThat(called.err().lines())
        .containsExactly("ckpt: left out: 1 damaged; see ckpt list --all");
    assertThat(Called.on(at, "list", "--all").out())
        .containsPattern(ids.get(0) + ".*damaged  .*" + ids.get(0));
  }

  @Test
  void showTellsTheContentsAndWhoSavedThem() {
    Called.on(at, "pin", ids.get(0));
    Called called = Called.on(at, "show", ids.get(0));
    assertThat(called.code()).isZero();
    assertThat(called.out().lines().map(LookTest::squeezed))
        .contains(
            "checkpoint " + ids.get(0) + " (live, pinned)",
            "run digits",
            "progress step 10, epoch 1, batch 0, 320 samples, after step",
            "parent none: saved by a fresh start",
            "metrics accuracy 0.9, loss 0.1",
            "attempt 1, asked to resume 'auto', started fresh, closed",
            "TENSOR TYPE SHAPE SIZE",
            "model/fc.weight float32 (4) 16 B",
            "model/rng opaque 2 B",
            "model/schedule \"cosine\"")
        .anyMatch(line -> line.matches("pid " + ProcessHandle.current().pid()));
  }

  @Test
  void showInJsonHoldsTheContents() throws IOException {
    JsonNode json = json(Called.on(at, "show", "latest", "--json"));
    assertThat(json.at("/id").textValue()).isEqualTo("000002-000000000025-0");
    assertThat(json.at("/run").textValue()).isEqualTo("digits");
    assertThat(json.at("/attempt/from").textValue()).isEqualTo(ids.get(1));
    assertThat(json.at("/parts/0/part").textValue()).isEqualTo("model");
    assertThat(json.at("/parts/0/tensors/0").toString())
        .isEqualTo(
            "{\"name\":\"fc.weight\",\"dtype\":\"float32\",\"shape\":[4],\"bytes\":16,\"placement\":\"\"}");
    assertThat(json.at("/parts/0/opaque/0").toString()).isEqualTo("{\"name\":\"rng\",\"bytes\":2}");
    assertThat(json.at("/parts/0/values/rate").doubleValue()).isEqualTo(0.1 / 26);
  }

  @Test
  void whatCannotBeShownIsNamedWithItsReason() throws IOException {
    Trained.damage(at.resolve("runs/digits/manifests/" + ids.get(0) + ".json"));
    Called damaged = Called.on(at, "show", ids.get(0));
    assertThat(damaged.code()).isEqualTo(Exit.STORE);
    assertThat(damaged.err().lines())
        .singleElement()
        .asString()
        .contains("damaged")
        .contains(ids.get(0));

    Called missing = Called.on(at, "show", "000001-000000000011-0");
    assertThat(missing.code()).isEqualTo(Exit.NOT_FOUND);
    assertThat(missing.err().lines())
        .singleElement()
        .asString()
        .contains("no committed checkpoint");

    Called nonsense = Called.on(at, "show", "newest");
    assertThat(nonsense.code()).isEqualTo(Exit.USAGE);
    assertThat(nonsense.err()).contains("'newest' is none of latest, best, an id like");
  }

  @Test
  void aReferenceMeansTheSameEverywhere() {
    assertThat(Called.on(at, "show", "best(loss,min)").out()).contains("000002-000000000025-0");
    assertThat(Called.on(at, "show", "best(loss)").out()).contains("checkpoint   " + ids.get(0));
    Called none = Called.on(at, "show", "best(f1)");
    assertThat(none.code()).isEqualTo(Exit.NOT_FOUND);
    assertThat(none.err()).contains("metric 'f1'; known: accuracy, loss");
  }

  @Test
  void bestComesFirstAndOverAllRunsIfAsked() throws IOException {
    second();
    Called one = Called.on(at, "--run", "digits", "best", "--metric", "loss", "--min", "-n", "2");
    assertThat(one.out().lines().map(LookTest::squeezed))
        .satisfiesExactly(
            head -> assertThat(head).isEqualTo("ID loss STEP EPOCH AGE SIZE"),
            first -> assertThat(first).startsWith("000002-000000000025-0 0.04 25"),
            next -> assertThat(next).startsWith(ids.get(1) + " 0.05 20"));
    JsonNode all = json(Called.on(at, "best", "--metric", "loss", "--min", "--all-runs", "--json"));
    assertThat(all.at("/best/0/run").textValue()).isEqualTo("other");
    assertThat(all.at("/best/0/metrics/loss").doubleValue()).isEqualTo(0.01);
    assertThat(Called.on(at, "best", "--metric", "x", "--all-runs").code())
        .isEqualTo(Exit.NOT_FOUND);
    Called both = Called.on(at, "--run", "digits", "best", "--metric", "loss", "--min", "--max");
    assertThat(both.code()).isEqualTo(Exit.USAGE);
  }

  @Test
  void logTellsEachAttempt() throws IOException {
    Called called = Called.on(at, "log");
    assertThat(called.out().lines().skip(1).map(LookTest::squeezed))
        .satisfiesExactly(
            first ->
                assertThat(first).contains(" fresh start " + ids.get(2) + " 3 closed 10 steps"),
            next ->
                assertThat(next).matches(".* " + ids.get(1) + " 000002-000000000025-0 1 closed"));
    JsonNode json = json(Called.on(at, "log", "-n", "1", "--json"));
    assertThat(json.at("/attempts")).hasSize(1);
    assertThat(json.at("/attempts/0/request").textValue()).isEqualTo(ids.get(1));
    assertThat(json.at("/attempts/0/cause").isNull()).isTrue();
    assertThat(json.at("/attempts/0/provenance/pid").textValue())
        .isEqualTo(Long.toString(ProcessHandle.current().pid()));
  }

  @Test
  void aPinIsThereUntilItIsRemoved() {
    assertThat(Called.on(at, "pin", "latest").out()).isEqualTo("pinned 000002-000000000025-0\n");
    assertThat(Called.on(at, "list").out()).containsPattern("000002-000000000025-0.*pinned");
    assertThat(Called.on(at, "unpin", "latest").code()).isZero();
    assertThat(Called.on(at, "unpin", "latest").out())
        .isEqualTo("000002-000000000025-0 is not pinned\n");
    assertThat(Called.on(at, "unpin", "000009-000000000001-0").code()).isEqualTo(Exit.NOT_FOUND);
    assertThat(Called.on(at, "list").out()).doesNotContain("pinned");
    assertThat(Called.on(at, "pin", "000009-000000000001-0").code()).isEqualTo(Exit.NOT_FOUND);
  }

  @Test
  void severalRunsMustBeChosenFrom() throws IOException {
    second();
    Called called = Called.on(at, "list");
    assertThat(called.code()).isEqualTo(Exit.USAGE);
    assertThat(called.err().lines())
        .singleElement()
        .asString()
        .endsWith("name one with --run: digits, other");
    String store = at.toString();
    assertThat(Called.with(Map.of("CKPT_STORE", store, "CKPT_RUN", "other"), "list").code())
        .isZero();
    assertThat(
            Called.with(Map.of("CKPT_RUN", "other"), "list", "--store", store, "--run", "digits")
                .out())
        .contains(ids.get(0));
    Called unknown = Called.on(at, "--run", "digit", "list");
    assertThat(unknown.code()).isEqualTo(Exit.NOT_FOUND);
    assertThat(unknown.err()).contains("no run 'digit'").contains("there is digits, other");
  }

  @Test
  void coloursAreForTerminalsOnly() {
    String store = at.toString();
    assertThat(Called.with(Map.of("CKPT_STORE", store), true, "list", "--all").out())
        .contains("\u001b[");
    assertThat(Called.with(Map.of("CKPT_STORE", store, "NO_COLOR", "1"), true, "list").out())
        .doesNotContain("\u001b");
    assertThat(Called.on(at, "list", "--all").out()).doesNotContain("\u001b");
  }

  @Test
  void lookingChangesNothing() throws IOException {
    List<String> before = files();
    for (String line :
        List.of(
            "runs",
            "list --all",
            "show latest",
            "verify --all",
            "diff latest latest",
            "best --metric loss",
            "log",
            "gc --dry-run --grace 0s --keep-latest 1",
            "repair")) {
      assertThat(Called.on(at, line.split(" ")).code()).as(line).isZero();
    }
    assertThat(files()).isEqualTo(before);
  }

  private List<String> files() throws IOException {
    try (Stream<Path> files = Files.walk(at)) {
      return files.map(Path::toString).sorted().toList();
    }
  }

  private static JsonNode json(Called called) throws IOException {
    assertThat(called.code()).as(called.err()).isZero();
    assertThat(called.err()).isEmpty();
    return JSON.readTree(called.out());
  }

  private static String squeezed(String line) {
    return line.strip().replaceAll(" +", " ");
  }

  /** Runs of a sweep, of which one is from before there were parameters. */
  private static void sweep(Path at) throws IOException {
    try (CheckpointStore store = Stores.local(at)) {
      Trained.save(store, "old", new Resume.Auto(), 10);
      for (double rate : new double[] {0.1, 0.01}) {
        try (CheckpointManager ckpt =
            Trained.in(store, "net-" + rate)
                .parameters(Map.of("lr", rate, "width", 32))
                .deadline(Duration.ofSeconds(rate == 0.1 ? 30 : 60))
                .part("model", Trained.after(20))
                .open()) {
          ckpt.resume();
          ckpt.save(Progress.step(20), Map.of("loss", rate)).join();
        }
      }
    }
  }

  @Test
  void runsAndTheBestOfThemShowWhereTheyDiffer() throws IOException {
    Path two = folder.resolve("a sweep");
    sweep(two);
    assertThat(Called.on(two, "runs").out().lines().map(LookTest::squeezed))
        .satisfiesExactly(
            head -> assertThat(head).endsWith(" ATTEMPTS LAST lr width"),
            slow -> assertThat(slow).startsWith("net-0.01 ").endsWith(" closed 0.01 32"),
            fast -> assertThat(fast).startsWith("net-0.1 ").endsWith(" closed 0.1 32"),
            old -> assertThat(old).startsWith("old ").endsWith(" closed"));
    assertThat(Called.on(two, "runs", "--config").out().lines().map(LookTest::squeezed))
        .satisfiesExactly(
            head -> assertThat(head).endsWith(" LAST lr width config.deadline"),
            slow -> assertThat(slow).endsWith(" closed 0.01 32 PT1M"),
            fast -> assertThat(fast).endsWith(" closed 0.1 32 PT30S"),
            old -> assertThat(old).endsWith(" closed 60s"));
    JsonNode runs = json(Called.on(two, "runs", "--json", "--config")).get("runs");
    assertThat(runs.get(0).get("differs").toString())
        .isEqualTo("{\"param.lr\":\"0.01\",\"param.width\":\"32\",\"config.deadline\":\"PT1M\"}");
    assertThat(runs.get(2).at("/differs/param.lr").isNull()).isTrue();

    String[] best = {"best", "--metric", "loss", "--min", "--all-runs", "-n", "3"};
    assertThat(Called.on(two, best).out().lines().map(LookTest::squeezed))
        .satisfiesExactly(
            head -> assertThat(head).isEqualTo("RUN ID loss STEP lr width EPOCH AGE SIZE"),
            slow -> assertThat(slow).matches("net-0.01 \\S+ 0.01 20 0.01 32 .*"),
            old -> assertThat(old).matches("(net-0.1 \\S+ 0.1 20 0.1 32|old \\S+ 0.1 10 1) .*"),
            one -> assertThat(one).matches("(net-0.1 \\S+ 0.1 20 0.1 32|old \\S+ 0.1 10 1) .*"));
    JsonNode found =
        json(
            Called.on(
                two, "best", "--metric", "loss", "--min", "--all-runs", "--config", "--json"));
    assertThat(found.at("/best/0/differs/param.lr").textValue()).isEqualTo("0.01");
    assertThat(found.at("/best/0/differs/config.deadline").textValue()).isEqualTo("PT1M");
    assertThat(Called.on(at, "best", "--metric", "loss", "--config").err())
        .contains("--config needs --all-runs");
    assertThat(json(Called.on(at, "runs", "--json", "--config")).at("/runs/0/differs")).isEmpty();
  }

  @Test
  void whereRunsDifferHasRoomOnATerminal() throws IOException {
    Path two = folder.resolve("a sweep");
    sweep(two);
    Map<String, String> narrow =
        Map.of("CKPT_STORE", two.toString(), "NO_COLOR", "1", "COLUMNS", "50");
    Called runs = Called.with(narrow, true, "runs");
    assertThat(runs.out().lines()).allSatisfy(line -> assertThat(line).hasSizeLessThan(51));
    assertThat(runs.out()).contains("lr 0.01, width 32");
  }
}
