package dev.ckpt.mlflow;

import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A folder, and a server that stands in for MLflow's, anew for each test. */
abstract class AgainstAStandIn {
  @TempDir(factory = QuickFolders.class)
  Path folder;

  StandIn server;

  @BeforeEach
  void start() throws Exception {
    server = new StandIn();
  }

  @AfterEach
  void stop() {
    server.close();
  }
}
