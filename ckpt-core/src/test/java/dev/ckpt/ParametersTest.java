package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.internal.memory.InMemoryStore;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A sweep's parameters: names of runs, and what is said of a run that goes on with others. */
class ParametersTest {
  @TempDir Path folder;

  private final InMemoryStore store = new InMemoryStore(Clock.systemUTC());
  private String run = "";

  private CheckpointManagerBuilder with(Object rate) {
    return CheckpointManager.in(store).parameters(Map.of("lr", rate, "width", 32));
  }

  /** What it warns of. */
  private String opened(CheckpointManagerBuilder builder) {
    PrintStream err = System.err;
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    System.setErr(new PrintStream(said, true, StandardCharsets.UTF_8));
    try (CheckpointManager ckpt = builder.open()) {
      ckpt.resume();
      run = ckpt.run();
    } finally {
      System.setErr(err);
    }
    return said.toString(StandardCharsets.UTF_8)
        .lines()
        .filter(line -> line.contains("WARN"))
        .reduce("", String::concat);
  }

  @Test
  void eachSetIsARunAndTheSameSetGoesOn() {
    assertThat(opened(with(0.1))).isEmpty();
    String first = run;
    assertThat(first).endsWith("-lr-0.1_width-32");
    assertThat(opened(with(0.2))).isEmpty();
    assertThat(run).endsWith("-lr-0.2_width-32");
    assertThat(opened(with(0.1))).isEmpty();
    assertThat(run).isEqualTo(first);
    assertThat(Checkpoints.runs(store)).hasSize(2);
    List<Attempt> attempts = Checkpoints.read(store, first).attempts();
    assertThat(attempts).hasSize(2);
    assertThat(attempts.get(1).provenance())
        .containsEntry("param.lr", "0.1")
        .containsEntry("param.width", "32");
  }

  @Test
  void aRunNameThatIsSetIsTaken() {
    assertThat(opened(with(0.1).run("mine"))).isEmpty();
    assertThat(run).isEqualTo("mine");
    CheckpointConfig config = CheckpointConfig.defaults(Map.of("CKPT_RUN", "theirs"));
    opened(
        CheckpointManager.from(config.with("store", folder.toString()))
            .parameters(Map.of("lr", 1)));
    assertThat(run).isEqualTo("theirs");
  }

  @Test
  void aRunThatGoesOnWithOthersIsWarnedAbout() {
    opened(with(0.1).run("mine"));
    assertThat(opened(with(0.2).run("mine")))
        .contains("run 'mine' goes on with other parameters than before: lr 0.1 -> 0.2.");
    assertThat(opened(with(0.2).run("mine"))).isEmpty();
    assertThat(opened(CheckpointManager.in(store).run("mine"))).isEmpty();
    assertThat(opened(with("x").run("mine"))).contains("lr 0.2 -> x.");
  }
}
