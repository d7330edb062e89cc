package dev.ckpt;

import java.nio.file.Path;

/** What a config file says. */
public final class CheckpointConfig {
  private CheckpointConfig() {}

  /** Reads a YAML file; the environment overrides it. */
  public static CheckpointConfig load(Path file) {
    throw new UnsupportedOperationException();
  }
}
