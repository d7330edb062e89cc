package dev.ckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Progress;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code ckpt mlflow}; what it does to a server is tested in ckpt-mlflow, and in samples. */
class MlflowCommandTest {
  private static final String ID = "000001-000000000001-0";

  @TempDir Path folder;

  @BeforeEach
  void train() {
    try (CheckpointManager manager = CheckpointManager.in(folder).run("toy").open()) {
      manager.resume();
      manager.save(Progress.step(1), Map.of("loss", 1.0)).join();
    }
  }

  @Test
  void whatDoesNotGoTogetherIsWrongUsage() {
    assertThat(Called.on(folder, "mlflow", "promote").code()).isEqualTo(Exit.USAGE);
    assertThat(Called.on(folder, "mlflow", "sync", ID).code()).isEqualTo(Exit.USAGE);
    assertThat(Called.on(folder, "mlflow", "publish").err()).contains("publish");
    Called wrong =
        Called.with(
            Map.of("CKPT_STORE", folder.toString(), "CKPT_MLFLOW_TIMEOUT", "soon"),
            "mlflow",
            "sync");
    assertThat(wrong.code()).isEqualTo(Exit.USAGE);
    assertThat(wrong.err()).contains("CKPT_MLFLOW_TIMEOUT");
  }

  @Test
  void theHelpSaysWhatGoesBesideATraining() {
    assertThat(Called.on(folder, "mlflow", "--help").out().replaceAll("\\s+", " "))
        .contains(
            "Beside a training that publishes, sync ends with 5; promote works as soon as the"
                + " run's page shows the checkpoint, and ends with 5 until then.")
        .doesNotContain("both end with 5");
  }

  @Test
  void withoutAServerItSaysHowToNameOne() {
    Called called = Called.on(folder, "mlflow", "sync");
    assertThat(called.code()).isEqualTo(Exit.STORE);
    assertThat(called.err()).contains("MLFLOW_TRACKING_URI").hasLineCount(1);
    assertThat(called.out()).isEmpty();
  }

  @Test
  void aCheckpointThatIsNotThereIsNotFound() {
    assertThat(Called.on(folder, "mlflow", "promote", "000009-000000000001-0").code())
        .isEqualTo(Exit.NOT_FOUND);
  }

  @Test
  void aServerThatIsNoMlflowIsSaidAndAFailedPromotionPinsNothing() throws Exception {
    HttpServer page =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    page.createContext(
        "/",
        exchange -> {
          exchange.sendResponseHeaders(404, -1);
          exchange.close();
        });
    page.start();
    try {
      String uri = "http://127.0.0.1:" + page.getAddress().getPort();
      Called called =
          Called.on(
              folder, "mlflow", "promote", "latest", "--tracking-uri", uri, "--alias", "best");
      assertThat(called.code()).isEqualTo(Exit.STORE);
      assertThat(called.err()).contains(ID + " is not promoted", "answered 404");
    } finally {
      page.stop(0);
    }
    try (CheckpointStore store = Stores.local(folder)) {
      assertThat(Checkpoints.read(store, "toy").all())
          .singleElement()
          .matches(each -> !each.pinned());
    }
  }
}
