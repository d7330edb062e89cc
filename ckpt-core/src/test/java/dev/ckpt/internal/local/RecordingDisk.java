package dev.ckpt.internal.local;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Writes down each step, relative to a folder; temporary files are called T. Faults by override.
 */
class RecordingDisk extends Disk {

  private final Path base;
  private final List<String> steps = Collections.synchronizedList(new ArrayList<>());

  RecordingDisk(Path base) {
    this.base = base;
  }

  /** The steps since the last call. */
  List<String> steps() {
    synchronized (steps) {
      List<String> copy = List.copyOf(steps);
      steps.clear();
      return copy;
    }
  }

  private void step(String what, Path path) {
    steps.add(what + " " + name(path));
  }

  private String name(Path path) {
    return base.relativize(path).toString().replaceAll("\\.tmp-[0-9a-f-]+", "T");
  }

  @Override
  void createFolder(Path folder) throws IOException {
    step("mkdir", folder);
    super.createFolder(folder);
  }

  @Override
  FileChannel createFile(Path file) throws IOException {
    step("new", file);
    return super.createFile(file);
  }

  @Override
  long write(Path file, FileChannel channel, ByteBuffer[] sources) throws IOException {
    step("write", file);
    return super.write(file, channel, sources);
  }

  @Override
  void force(Path file, FileChannel channel, boolean metadata) throws IOException {
    step("force", file);
    super.force(file, channel, metadata);
  }

  @Override
  void forceFile(Path file) throws IOException {
    step("force", file);
    super.forceFile(file);
  }

  @Override
  void forceFolder(Path folder) throws IOException {
    step("force", folder);
    super.forceFolder(folder);
  }

  @Override
  void link(Path existing, Path name) throws IOException {
    steps.add("link " + name(existing) + " " + name(name));
    super.link(existing, name);
  }

  @Override
  void rename(Path from, Path to) throws IOException {
    steps.add("rename " + name(from) + " " + name(to));
    super.rename(from, to);
  }

  @Override
  void delete(Path path) throws IOException {
    step("delete", path);
    super.delete(path);
  }
}
