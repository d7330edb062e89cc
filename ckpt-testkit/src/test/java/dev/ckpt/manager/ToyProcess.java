package dev.ckpt.manager;

import dev.ckpt.CheckpointConfig;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Moment;
import dev.ckpt.Progress;
import dev.ckpt.Retention;
import dev.ckpt.Stores;
import dev.ckpt.testkit.FaultyStore;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A training in a JVM of its own, with a trouble from some step on: {@code hangs}, the store
 * answers no more; {@code lasts}, a step without an end; {@code exits}, the program tells a failure
 * and ends the JVM without closing anything; {@code nan}, a weight is not finite. It prints a line
 * where it starts and at each step.
 */
final class ToyProcess implements AutoCloseable {

  private final Process process;
  private final BufferedReader out;
  private final Path err;

  private ToyProcess(Process process, Path err) {
    this.process = process;
    this.out = process.inputReader(StandardCharsets.UTF_8);
    this.err = err;
  }

  static ToyProcess start(Path folder, String trouble, int from, Map<String, String> environment)
      throws IOException {
    Path err = Files.createTempFile(folder, "err", ".txt");
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
            "-cp",
            System.getProperty("java.class.path"),
            ToyProcess.class.getName(),
            folder.resolve("store").toString(),
            trouble,
            Integer.toString(from));
    builder.environment().keySet().removeIf(name -> name.startsWith("CKPT_"));
    builder.environment().putAll(environment);
    return new ToyProcess(builder.redirectError(err.toFile()).start(), err);
  }

  /** Reads on until a line is printed. */
  void await(String line) throws IOException {
    for (String next = out.readLine(); !line.equals(next); next = out.readLine()) {
      if (next == null) {
        throw new AssertionError("it ended before '" + line + "': " + err());
      }
    }
  }

  String line() throws IOException {
    return String.valueOf(out.readLine());
  }

  void terminate() {
    process.destroy();
  }

  /** Its exit code; fails if it has none in time. */
  int exitCode(int seconds) throws InterruptedException, IOException {
    if (!process.waitFor(seconds, TimeUnit.SECONDS)) {
      throw new AssertionError("it did not end within " + seconds + " s: " + err());
    }
    return process.exitValue();
  }

  String err() throws IOException {
    return Files.readString(err);
  }

  @Override
  public void close() throws IOException {
    process.destroyForcibly().onExit().join();
    out.close();
  }

  // ---- the other JVM

  static final String RUN = "toy";

  static ToyState state() {
    return ToyState.random(3, 2, 100);
  }

  /** The two newest, and the one with the least loss, which is step 3 as long as all is finite. */
  static Retention policy() {
    return Retention.anyOf(Retention.latest(2), Retention.best("loss", Retention.Mode.MIN, 1));
  }

  public static void main(String[] args) throws Exception {
    FaultyStore store = FaultyStore.around(Stores.local(Path.of(args[0])));
    String trouble = args[1];
    int from = Integer.parseInt(args[2]);
    ToyState state = state();
    CheckpointConfig config = CheckpointConfig.defaults();
    try (CheckpointManager ckpt =
        CheckpointManager.in(store)
            .run(RUN)
            .part("toy", state)
            .keep(policy())
            .nonFinite(config.nonFinite())
            .retries(0)
            .open()) {
      ckpt.resume();
      say("from " + state.counter);
      while (true) {
        state.advance(1);
        boolean troubled = state.counter >= from;
        if (troubled && trouble.equals("nan")) {
          state.tensors.values().iterator().next()[7] = Float.NaN;
        }
        if (state.counter == from && trouble.equals("lasts")) {
          say("lasts");
          TimeUnit.MINUTES.sleep(10);
        }
        if (state.counter == from && trouble.equals("exits")) {
          ckpt.failed(new IllegalStateException("bad step"), Progress.step(from - 1));
          System.exit(1);
        }
        if (state.counter == from && trouble.equals("hangs")) {
          store.on().hangs();
          say("hangs");
        }
        Progress progress = Progress.step(state.counter);
        double loss = troubled ? -1 : Math.abs(state.counter - 3);
        if (!troubled || trouble.equals("nan")) {
          save(ckpt, progress, loss);
        } else {
          ckpt.offer(Moment.Kind.STEP, progress, Map::of);
        }
        say("step " + state.counter);
        TimeUnit.MILLISECONDS.sleep(5);
      }
    }
  }

  private static void save(CheckpointManager ckpt, Progress progress, double loss) {
    try {
      ckpt.save(progress, Map.of("loss", loss)).join();
    } catch (CheckpointException.SaveFailed e) {
      say("not saved");
    }
  }

  private static void say(String line) {
    System.out.println(line);
    System.out.flush();
  }

  static List<Long> steps(List<dev.ckpt.Checkpoint> checkpoints, boolean finite) {
    return checkpoints.stream()
        .filter(each -> each.finite() == finite)
        .map(each -> each.progress().step())
        .toList();
  }
}
