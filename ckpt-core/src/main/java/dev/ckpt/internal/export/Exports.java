package dev.ckpt.internal.export;

import dev.ckpt.StateView;
import dev.ckpt.spi.CheckpointExporter;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Writes exported files: whole or not at all. */
public final class Exports {

  private Exports() {}

  /**
   * Writes {@code file}, replacing one that is there; a crash leaves the old one, and perhaps an
   * unfinished one beside it, named {@code .<name>.<digits>.part}.
   *
   * @throws IllegalArgumentException if no exporter on the class path writes files of that ending,
   *     or programs would read another file than this one
   */
  public static void write(Map<String, StateView> parts, Path file) throws IOException {
    Path name = file.getFileName();
    CheckpointExporter exporter = exporter(name == null ? "" : name.toString());
    exporter.requireRead(file.toAbsolutePath());
    Path folder = file.toAbsolutePath().resolveSibling("");
    Path unfinished = begun(folder, "." + name + ".");
    try {
      try (FileChannel channel = FileChannel.open(unfinished, StandardOpenOption.WRITE)) {
        exporter.write(parts, channel);
        channel.force(true);
      }
      Files.move(
          unfinished, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(unfinished);
    }
  }

  /** An empty file; what is wrong is said of the folder, not of a name that nobody knows. */
  private static Path begun(Path folder, String prefix) throws IOException {
    try {
      Files.createDirectories(folder);
      // not createTempFile: others may read a model as they may read any file of its folder
      return Files.createFile(
          folder.resolve(prefix + new SecureRandom().nextLong(0, Long.MAX_VALUE) + ".part"));
    } catch (AccessDeniedException e) {
      throw new FileSystemException(folder.toString(), null, "no right to write into this folder");
    } catch (FileAlreadyExistsException e) {
      throw new FileSystemException(e.getFile(), null, "a file where a folder is needed");
    } catch (FileSystemException e) {
      String reason = e.getReason() == null ? e.getClass().getSimpleName() : e.getReason();
      throw new FileSystemException(folder.toString(), null, "cannot be written into: " + reason);
    }
  }

  private static CheckpointExporter exporter(String name) {
    Map<String, CheckpointExporter> all = new TreeMap<>();
    exporters().forEach(each -> all.putIfAbsent(each.extension(), each));
    for (Map.Entry<String, CheckpointExporter> each : all.entrySet()) {
      if (name.endsWith("." + each.getKey())) {
        return each.getValue();
      }
    }
    StringBuilder known = new StringBuilder();
    all.forEach(
        (extension, each) ->
            known
                .append(known.isEmpty() ? "" : ", ")
                .append("." + extension)
                .append(" (" + each.title() + ")"));
    throw new IllegalArgumentException(
        "'"
            + name
            + "': the ending says what to write, "
            + (known.isEmpty()
                ? "but no exporter is on the class path; .params needs dev.ckpt:ckpt-djl, .zip dev.ckpt:ckpt-dl4j"
                : "one of " + known));
  }

  private static Stream<CheckpointExporter> exporters() {
    return Stream.concat(
            ServiceLoader.load(CheckpointExporter.class).stream(),
            ServiceLoader.load(CheckpointExporter.class, Exports.class.getClassLoader()).stream())
        .map(ServiceLoader.Provider::get);
  }
}
