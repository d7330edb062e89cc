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
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.nd4j.autodiff.samediff.SDVariable;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.autodiff.samediff.TrainingConfig;
import org.nd4j.linalg.api.blas.Blas;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
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

  @Test
  void aScheduleWithoutATextIsNoChange() throws Exception {
    level(Environment.class, 20);
    for (int attempt = 0; attempt < 2; attempt++) {
      String said =
          said(
              () -> {
                try (Dl4jCheckpoints ckpt = Dl4jCheckpoints.open(checkpoints())) {
                  MultiLayerNetwork net =
                      new MultiLayerNetwork(
                          new NeuralNetConfiguration.Builder()
                              .updater(new Adam(new LearningRateTest.Halving()))
                              .list()
                              .layer(new OutputLayer.Builder().nIn(6).nOut(3).build())
                              .build());
                  net.init();
                  ckpt.resume(net);
                  ckpt.manager().save(ckpt.progress(), Map.of()).join();
                }
              });
      assertThat(said).doesNotContain("updaters was");
    }
  }

  @Test
  void aDenseLayerOfSameDiffThatDl4jTrainsInexactlyIsAWarning() throws Exception {
    level(TrainedGraph.class, 30);
    try (Dl4jCheckpoints ckpt = Dl4jCheckpoints.open(checkpoints())) {
      SameDiff graph = SameDiff.create();
      SDVariable in = graph.placeHolder("in", DataType.FLOAT, -1, 6);
      SDVariable label = graph.placeHolder("label", DataType.FLOAT, -1, 3);
      SDVariable weight = graph.var("w", DataType.FLOAT, 6, 3);
      SDVariable bias = graph.var("b", DataType.FLOAT, 3);
      SDVariable out = graph.nn().linear("dense", in, weight, bias);
      graph.loss().meanSquaredError("loss", label, out, null);
      graph.setTrainingConfig(
          TrainingConfig.builder()
              .updater(new Adam(0.01))
              .dataSetFeatureMapping("in")
              .dataSetLabelMapping("label")
              .build());
      assertThat(said(() -> ckpt.resume(graph)))
          .contains("WARN")
          .contains("not trained exactly by DL4J itself")
          .contains("dense");
    } finally {
      level(TrainedGraph.class, 40);
    }
  }
}
