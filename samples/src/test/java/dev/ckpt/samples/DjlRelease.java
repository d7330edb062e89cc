package dev.ckpt.samples;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * A release of DJL to start a process with, its jars in place of those that all is compiled
 * against. Maven copies them in the nightly profile.
 *
 * @param version empty: the one that is on the class path
 */
record DjlRelease(String version) {
  static final DjlRelease BUILT = new DjlRelease("");

  /** The folders in which a local repository keeps what belongs to one release. */
  private static final Map<String, String> OWN =
      Map.of(
          "api", "/ai/djl/api/",
          "pytorch-engine", "/ai/djl/pytorch/pytorch-engine/",
          "pytorch-jni", "/ai/djl/pytorch/pytorch-jni/");

  String classPath() {
    String built = System.getProperty("java.class.path");
    if (version.isEmpty()) {
      return built;
    }
    List<String> path = new ArrayList<>(jars());
    int replaced = 0;
    for (String entry : built.split(File.pathSeparator)) {
      String unix = entry.replace(File.separatorChar, '/');
      if (OWN.values().stream().anyMatch(unix::contains)) {
        replaced++;
      } else {
        path.add(entry);
      }
    }
    if (replaced != OWN.size()) {
      throw new IllegalStateException(replaced + " jars of DJL on " + Arrays.asList(built));
    }
    return String.join(File.pathSeparator, path);
  }

  /** The jars that were copied. */
  List<String> jars() {
    Path folder = Path.of(System.getProperty("ckpt.djl.releases"), version);
    try (var files = Files.list(folder)) {
      return files.map(Path::toString).sorted().toList();
    } catch (IOException e) {
      throw new IllegalStateException("no jars of DJL " + version + " in " + folder, e);
    }
  }
}
