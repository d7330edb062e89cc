package dev.ckpt.samples;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Looks at the manifests on disk by their names alone: attempt, step, phase. */
final class Commits {

  private Commits() {}

  /** The step of the newest; 0 without any. */
  static long newestStep(Path store) {
    List<Path> manifests = manifests(store);
    if (manifests.isEmpty()) {
      return 0;
    }
    return Long.parseLong(
        manifests.get(manifests.size() - 1).getFileName().toString().split("-", 3)[1]);
  }

  /** Oldest first. */
  static List<Path> manifests(Path store) {
    Path folder = store.resolve("runs/digits-djl/manifests");
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (var files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(".json")).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
