package dev.ckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.Retention;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A sweep: many processes train many runs into one store, at once. */
class SweepTest {
  private static final int PROCESSES = 8;
  private static final int RUNS = 6;
  private static final int STEPS = 8;

  @TempDir Path folder;

  private Path config(String name, String more) throws IOException {
    return Files.writeString(
        folder.resolve(name + ".yaml"), "store: " + folder.resolve(name) + "\n" + more);
  }

  /** So many processes at once, and what they printed, by run. */
  private Map<String, List<Sweep.Saved>> train(Path config, int processes, int runs, int steps)
      throws IOException, InterruptedException {
    List<Process> all = new ArrayList<>();
    try {
      for (int i = 1; i <= processes; i++) {
        all.add(start(config, i, runs, steps));
      }
      // with two more runs they are 50
      all.add(start(config, processes + 1, 2, steps));
      for (int i = 0; i < all.size(); i++) {
        assertThat(all.get(i).waitFor(600, TimeUnit.SECONDS)).isTrue();
        assertThat(all.get(i).exitValue()).as(Files.readString(log(config, i + 1, "err"))).isZero();
      }
    } finally {
      all.forEach(Process::destroyForcibly);
    }
    Map<String, List<Sweep.Saved>> logs = new TreeMap<>();
    for (int i = 1; i <= all.size(); i++) {
      Files.readAllLines(log(config, i, "out")).stream()
          .map(Sweep.Saved::parse)
          .forEach(saved -> logs.computeIfAbsent(saved.run(), run -> new ArrayList<>()).add(saved));
    }
    assertThat(logs).hasSize(processes * runs + 2);
    assertThat(logs.values()).allSatisfy(log -> assertThat(log).hasSize(steps));
    return logs;
  }

  private static Path log(Path config, int process, String kind) {
    return Path.of(config + "." + process + "." + kind);
  }

  private static Process start(Path config, int process, int runs, int steps) throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin/java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-cp",
            System.getProperty("java.class.path"),
            Sweep.class.getName(),
            config.toString(),
            Integer.toString(process),
            Integer.toString(runs),
            Integer.toString(steps));
    builder.environment().keySet().removeIf(name -> name.startsWith("CKPT_"));
    return builder
        .redirectOutput(log(config, process, "out").toFile())
        .redirectError(log(config, process, "err").toFile())
        .start();
  }

  /** What the policy keeps of a log: the newest, and the one with the least loss. */
  private static TreeSet<String> kept(List<Sweep.Saved> log, int newest) {
    return Stream.concat(
            log.subList(log.size() - newest, log.size()).stream(),
            log.stream().min(Comparator.comparingDouble(Sweep.Saved::loss)).stream())
        .map(Sweep.Saved::id)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** Each whole, and of its own run's bits. */
  private static void assertUntouched(Checkpoints run, List<Sweep.Saved> log) {
    assertThat(run.verifyRecords().problems()).isEmpty();
    for (Checkpoint each : run.list()) {
      assertThat(run.verify(each.id()).problems()).isEmpty();
      Sweep.Saved saved =
          log.stream().filter(line -> line.id().equals(each.id())).findFirst().orElseThrow();
      assertThat(each.metrics()).containsEntry("loss", saved.loss());
      try (Checkpoints.Opened open = run.open(each.id())) {
        ByteBuffer bytes = ByteBuffer.allocate(4_000 * 4).order(ByteOrder.LITTLE_ENDIAN);
        open.view("model").read("w", 0, bytes);
        bytes.flip();
        while (bytes.hasRemaining()) {
          assertThat(bytes.getFloat())
              .isEqualTo(Sweep.weight(saved.process(), saved.number(), saved.step()));
        }
      }
    }
  }

  private static Sweep.Saved best(Map<String, List<Sweep.Saved>> logs) {
    return logs.values().stream()
        .flatMap(List::stream)
        .min(Comparator.comparingDouble(Sweep.Saved::loss))
        .orElseThrow();
  }

  private void nothingIsLost(int processes, int runs, int steps) throws Exception {
    Path config = config("sweep", "keep: { latest: 2, best: { metric: loss, mode: min, n: 1 } }\n");
    Map<String, List<Sweep.Saved>> logs = train(config, processes, runs, steps);
    Path at = folder.resolve("sweep");
    try (CheckpointStore store = Stores.local(at)) {
      assertThat(Checkpoints.runs(store)).containsExactlyElementsOf(logs.keySet());
      logs.forEach(
          (name, log) -> {
            Checkpoints run = Checkpoints.read(store, name);
            assertThat(run.list().stream().map(Checkpoint::id).toList())
                .as(name)
                .containsExactlyElementsOf(kept(log, 2));
            assertUntouched(run, log);
            assertThat(run.find("best").metrics())
                .containsEntry("loss", best(Map.of(name, log)).loss());
          });
    }
    theCommandFindsThem(at, logs);
  }

  private static void theCommandFindsThem(Path at, Map<String, List<Sweep.Saved>> logs)
      throws IOException {
    Called listed = Called.on(at, "runs");
    assertThat(listed.code()).isZero();
    assertThat(listed.err()).isEmpty();
    assertThat(listed.out().lines()).hasSize(logs.size() + 1);
    assertThat(listed.out().lines().findFirst().orElseThrow()).matches(".*LAST +lr +width");
    JsonNode runs = new ObjectMapper().readTree(Called.on(at, "runs", "--json").out()).get("runs");
    for (JsonNode run : runs) {
      Sweep.Saved one = logs.getOrDefault(run.get("run").textValue(), List.of()).get(0);
      assertThat(run.at("/lastAttempt/end").textValue()).isEqualTo("completed");
      assertThat(run.at("/differs/param.lr").textValue()).isEqualTo("" + one.process() / 10.0);
      assertThat(run.at("/differs/param.width").textValue()).isEqualTo("" + (8 << one.number()));
      assertThat(run.get("differs")).hasSize(2);
    }
    Called found =
        Called.on(at, "best", "--metric", "loss", "--min", "--all-runs", "-n", "3", "--json");
    JsonNode first = new ObjectMapper().readTree(found.out()).at("/best/0");
    Sweep.Saved best = best(logs);
    assertThat(first.get("run").textValue()).isEqualTo(best.run());
    assertThat(first.get("id").textValue()).isEqualTo(best.id());
    assertThat(first.at("/metrics/loss").doubleValue()).isEqualTo(best.loss());
    assertThat(first.at("/differs/param.lr").textValue()).isEqualTo("" + best.process() / 10.0);
  }

  @Test
  void ofManyProcessesAtOnceNothingIsLostAndNoRunTouchesAnother() throws Exception {
    nothingIsLost(PROCESSES, RUNS, STEPS);
  }

  @Tag("nightly")
  @Test
  void ofManyMoreNothingIsLostEither() throws Exception {
    nothingIsLost(16, 12, 30);
  }

  @Test
  void underASharedLimitEachRunKeepsItsNewestAndItsBest() throws Exception {
    underALimit(PROCESSES, RUNS, STEPS);
  }

  @Tag("nightly")
  @Test
  void underASharedLimitEachOfManyMoreDoes() throws Exception {
    underALimit(16, 12, 20);
  }

  private void underALimit(int processes, int runs, int steps) throws Exception {
    String keep = "keep: { latest: 5, best: { metric: loss, mode: min, n: 1 } }\n";
    long bytes = Sweep.train(config("one", keep), 1, 1, 1, quiet()).bytes();
    int all = processes * runs + 2;
    // two of each run stay in any case, and each would keep five or six
    long most = all * 3L * bytes;
    Path config = config("limited", keep + "maxBytes: " + most + "\n");
    Map<String, List<Sweep.Saved>> logs = train(config, processes, runs, steps);
    // whoever comes last finds no run in use
    Sweep.train(config, 99, 0, 1, quiet());
    try (CheckpointStore store = Stores.local(folder.resolve("limited"))) {
      long total = 0;
      int least = 0;
      for (Map.Entry<String, List<Sweep.Saved>> each : logs.entrySet()) {
        Checkpoints run = Checkpoints.read(store, each.getKey());
        List<String> ids = run.list().stream().map(Checkpoint::id).toList();
        total += run.list().stream().mapToLong(Checkpoint::bytes).sum();
        assertThat(kept(each.getValue(), 5)).containsAll(ids);
        assertThat(ids).containsAll(kept(each.getValue(), 1));
        least += kept(each.getValue(), 1).size();
        assertUntouched(run, each.getValue());
        assertThat(run.best("loss", Retention.Mode.MIN).orElseThrow().metrics())
            .containsEntry("loss", best(Map.of(each.getKey(), each.getValue())).loss());
      }
      assertThat(total + bytes).isLessThanOrEqualTo(most).isGreaterThan(least * bytes);
      assertThat(Checkpoints.runs(store)).hasSize(all + 1);
    }
  }

  private static PrintStream quiet() {
    return new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8);
  }
}
