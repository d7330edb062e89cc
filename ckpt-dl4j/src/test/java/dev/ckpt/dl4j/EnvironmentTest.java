package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.SmallTraining.Updater;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.Map;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.blas.Blas;
import org.nd4j.linalg.factory.Nd4j;
import org.slf4j.LoggerFactory;

/** What changes the last bits without being state is told on a resume. */
class EnvironmentTest {
  private final CheckpointStore store = new InMemoryStore(Clock.systemUTC());
  private final Blas blas = Nd4j.factory().blas();
  private final int blasThreads = blas.getMaxThreads();

  @BeforeEach
  void listen() throws Exception {
    level(Environment.class, 30);
  }

  @AfterEach
  void putBack() throws Exception {
    level(Environment.class, 40);
    blas.setMaxThreads(blasThreads);
  }

  /** slf4j-simple reads its levels once; the build sets it to errors. */
  static void level(Class<?> of, int level) throws Exception {
    Object logger = LoggerFactory.getLogger(of);
    Field field = logger.getClass().getDeclaredField("currentLogLevel");
    field.setAccessible(true);
    field.setInt(logger, level);
  }

  private CheckpointManagerBuilder checkpoints() {
    return CheckpointManager.in(store).run("e").seed(5).saveWhen(SaveTrigger.everySteps(1));
  }

  /** What an attempt says that resumes, and saves. */
  private String resumed() {
    return said(
        () -> {
          try (Dl4jCheckpoints ckpt = Dl4jCheckpoints.open(checkpoints())) {
            MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
            ckpt.resume(net);
            net.fit(SmallTraining.samples());
            ckpt.step(SmallTraining.SAMPLES);
            ckpt.manager().save(ckpt.progress(), Map.of()).join();
          }
        });
  }

  static String said(Runnable attempt) {
    PrintStream err = System.err;
    ByteArrayOutputStream caught = new ByteArrayOutputStream();
    System.setErr(new PrintStream(caught, true, StandardCharsets.UTF_8));
    try {
      attempt.run();
    } finally {
      System.setErr(err);
    }
    return caught.toString(StandardCharsets.UTF_8);
  }

  @Test
  void anotherNumberOfBlasThreadsIsAWarning() {
    assertThat(resumed()).isEmpty();
    assertThat(resumed()).as("the same").isEmpty();
    blas.setMaxThreads(blasThreads + 1);
    assertThat(resumed())
        .contains("WARN")
        .contains(
            "blasThreads was " + blasThreads + " in the checkpoint and is " + (blasThreads + 1))
        .contains("its bits may differ from those of an uninterrupted run")
        .doesNotContain(" threads was");
    assertThat(resumed()).as("said once").isEmpty();
  }
}
