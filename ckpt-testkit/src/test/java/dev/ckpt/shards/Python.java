package dev.ckpt.shards;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/**
 * A Python with the pinned readers of {@code tools/python/requirements.txt}: a venv in {@code
 * .venv} at the project's root, made when it is missing or the pins have changed.
 */
public final class Python {

  private Python() {}

  /** Runs a script of {@code tools/python} and returns what it printed. */
  public static String run(String script, Object... arguments) throws Exception {
    Path root = root();
    List<String> command = new ArrayList<>();
    command.add(interpreter(root).toString());
    command.add(root.resolve("tools/python").resolve(script).toString());
    Stream.of(arguments).map(Object::toString).forEach(command::add);
    return run(command);
  }

  private static Path root() {
    for (Path folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
      if (Files.exists(folder.resolve("tools/python/requirements.txt"))) {
        return folder;
      }
    }
    throw new AssertionError("run the tests inside the project: tools/python is not there");
  }

  private static Path interpreter(Path root) throws Exception {
    boolean windows = System.getProperty("os.name").startsWith("Windows");
    Path venv = root.resolve(".venv");
    Path python = venv.resolve(windows ? "Scripts/python.exe" : "bin/python");
    Path pins = root.resolve("tools/python/requirements.txt");
    Path stamp = venv.resolve("requirements.sha256");
    String wanted =
        HexFormat.of()
            .formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(pins)));
    Files.createDirectories(venv);
    try (FileChannel lock =
            FileChannel.open(
                venv.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock held = lock.lock()) {
      if (!held.isValid()
          || !Files.exists(python)
          || !Files.exists(stamp)
          || !Files.readString(stamp).equals(wanted)) {
        make(venv, windows);
        run(List.of(python.toString(), "-m", "pip", "install", "-q", "-r", pins.toString()));
        Files.writeString(stamp, wanted);
      }
    }
    return python;
  }

  private static void make(Path venv, boolean windows) throws Exception {
    try {
      run(List.of(windows ? "python" : "python3", "-m", "venv", venv.toString()));
    } catch (IOException | AssertionError e) {
      throw new AssertionError(
          "the tests read our files with Python: install Python 3.9 or newer with its venv module"
              + " (Debian and Ubuntu: apt install python3-venv)",
          e);
    }
  }

  private static String run(List<String> command) throws Exception {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String printed =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    if (process.waitFor() != 0) {
      throw new AssertionError(String.join(" ", command) + "\n" + printed);
    }
    return printed;
  }
}
