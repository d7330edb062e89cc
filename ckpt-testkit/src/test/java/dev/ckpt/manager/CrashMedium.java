package dev.ckpt.manager;

import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.CrashingFileSystem;
import dev.ckpt.testkit.CrashingStore;
import dev.ckpt.testkit.PowerLoss;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Something to save on that can die, and what is left of it then. */
interface CrashMedium {

  /** The shard format that is saved in. */
  String format();

  /** The store as a new process sees it. */
  CheckpointStore open() throws IOException;

  /** The process dies before this change of the medium, or in its middle. */
  void stopsAt(int change, boolean midway);

  /** Whether a call can be done by half. */
  boolean hasMiddles();

  boolean isStopped();

  /** What is done at each change so far. */
  List<String> calls();

  /** As it is, for another process. */
  CrashMedium copy() throws IOException;

  /** All that may be left; those of one kind stand together. */
  List<Left> left(List<PowerLoss> losses) throws IOException;

  void later(Duration by);

  void assertNothingIsOpen();

  /**
   * One thing that may be left.
   *
   * @param kind column of the table
   * @param how all that there is to know, to see it again
   * @param fingerprint of equal ones one is enough
   */
  record Left(String kind, String how, long fingerprint, CrashMedium medium) {}

  /** How a process opens a folder. */
  interface Opener {
    CheckpointStore open(Path folder) throws IOException;
  }

  /** A folder on a crashing file system. */
  record Disk(CrashingFileSystem disk, Opener opener, String format) implements CrashMedium {

    static Disk empty(String format) {
      return new Disk(CrashingFileSystem.create(), Stores::local, format);
    }

    @Override
    public CheckpointStore open() throws IOException {
      return new AnotherProcess(opener.open(disk.getPath("/store")));
    }

    @Override
    public void stopsAt(int change, boolean midway) {
      CrashingFileSystem.Rule rule = disk.on().nth(change);
      if (midway) {
        rule.stopsMidway();
      } else {
        rule.stops();
      }
    }

    @Override
    public boolean hasMiddles() {
      return true;
    }

    @Override
    public boolean isStopped() {
      return disk.isStopped();
    }

    @Override
    public List<String> calls() {
      return disk.calls().stream()
          .filter(call -> call.change() > 0)
          .map(call -> call.change() + " " + call.operation() + " " + call.path())
          .toList();
    }

    @Override
    public CrashMedium copy() {
      return new Disk(disk.afterKill(), opener, format);
    }

    @Override
    public List<Left> left(List<PowerLoss> losses) {
      List<Left> left = new ArrayList<>();
      left.add(new Left("killed", "killed", 0, copy()));
      for (PowerLoss loss : losses) {
        CrashingFileSystem after = disk.after(loss);
        left.add(
            new Left(
                loss.damage().name().toLowerCase(java.util.Locale.ROOT),
                loss.toString(),
                after.fingerprint(),
                new Disk(after, opener, format)));
      }
      return left;
    }

    @Override
    public void later(Duration by) {
      disk.advanceClock(by);
    }

    @Override
    public void assertNothingIsOpen() {
      disk.assertNothingIsOpen();
    }
  }

  /** A store without files. */
  record Objects(CrashingStore store, String format) implements CrashMedium {

    static Objects empty(String format) {
      return new Objects(CrashingStore.inMemory(), format);
    }

    @Override
    public CheckpointStore open() {
      return new AnotherProcess(store);
    }

    @Override
    public void stopsAt(int change, boolean midway) {
      store.stopsAt(change);
    }

    @Override
    public boolean hasMiddles() {
      return false;
    }

    @Override
    public boolean isStopped() {
      return store.isStopped();
    }

    @Override
    public List<String> calls() {
      return store.calls();
    }

    @Override
    public CrashMedium copy() throws IOException {
      return new Objects(store.restarted(new CrashingStore.Restart(0, false, true)), format);
    }

    @Override
    public List<Left> left(List<PowerLoss> losses) {
      return store.restarts().stream()
          .map(
              how -> {
                try {
                  String kind =
                      how.done() == 0 ? "not done" : how.backwards() ? "done backwards" : "done";
                  return new Left(
                      kind,
                      how.toString(),
                      how.hashCode(),
                      new Objects(store.restarted(how), format));
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              })
          .toList();
    }

    @Override
    public void later(Duration by) {
      store.advanceClock(by);
    }

    @Override
    public void assertNothingIsOpen() {
      store.assertNothingIsOpen();
    }
  }
}
