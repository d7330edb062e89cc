package dev.ckpt.samples;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

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

  /** The newest attempt that was taken; 0 without any. */
  static int newestAttempt(Path store) {
    return names(store, "attempts")
        .filter(name -> name.matches("\\d{6}\\.json"))
        .mapToInt(name -> Integer.parseInt(name.substring(0, 6)))
        .max()
        .orElse(0);
  }

  /** The newest attempt that has committed something; 0 without any. */
  static int newestCommitter(Path store) {
    List<Path> manifests = manifests(store);
    return manifests.isEmpty()
        ? 0
        : Integer.parseInt(
            manifests.get(manifests.size() - 1).getFileName().toString().substring(0, 6));
  }

  /** Names in a folder of the run; none if there is no such folder. */
  static Stream<String> names(Path store, String folder) {
    Path path = run(store).resolve(folder);
    try (Stream<Path> files = Files.list(path)) {
      return files.map(file -> file.getFileName().toString()).toList().stream();
    } catch (NoSuchFileException e) {
      return Stream.empty();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Oldest first. */
  static List<Path> manifests(Path store) {
    Path folder = run(store).resolve("manifests");
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (var files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(".json")).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The folder of the only run; one that does not exist if there is none yet. */
  private static Path run(Path store) {
    Path runs = store.resolve("runs");
    try (var folders = Files.list(runs)) {
      return folders.filter(Files::isDirectory).findAny().orElse(runs.resolve("none"));
    } catch (NoSuchFileException e) {
      return runs.resolve("none");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
