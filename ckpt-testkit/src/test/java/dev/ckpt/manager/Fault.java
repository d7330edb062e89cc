package dev.ckpt.manager;

import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.CrashingFileSystem;
import dev.ckpt.testkit.CrashingFileSystem.Operation;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.Gate;
import dev.ckpt.testkit.PowerLoss;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** One thing that goes wrong at one call, while the process lives. */
interface Fault {

  /** Column of the table. */
  String kind();

  /** Lets it happen at the k-th call that can have it. */
  Armed at(int k, CrashMedium medium) throws IOException;

  /**
   * A fault that waits for its call.
   *
   * @param medium where the process runs
   * @param struck whether its call has come
   * @param gate what the call hangs at, if it hangs
   */
  record Armed(CrashMedium medium, BooleanSupplier struck, @Nullable Gate gate) {}

  /** Of files: at the k-th of these calls; of all that change the medium, if none is given. */
  static Fault ofFiles(
      String kind,
      Function<CrashingFileSystem.Rule, @Nullable Gate> what,
      Operation... operations) {
    Set<Operation> meant = Set.of(operations);
    return new Fault() {
      @Override
      public String kind() {
        return kind;
      }

      @Override
      public Armed at(int k, CrashMedium medium) {
        CrashingFileSystem disk = ((CrashMedium.Disk) medium).disk();
        Gate gate = what.apply(disk.on(operations).nth(k));
        return new Armed(
            medium,
            () ->
                disk.calls().stream()
                        .filter(
                            call ->
                                meant.isEmpty()
                                    ? call.change() > 0
                                    : meant.contains(call.operation()))
                        .count()
                    >= k,
            gate);
      }
    };
  }

  /** Of a store: at its k-th call, whatever that wants. */
  static Fault ofCalls(String kind, Function<FaultyStore.Rule, @Nullable Gate> what) {
    return new Fault() {
      @Override
      public String kind() {
        return kind;
      }

      @Override
      public Armed at(int k, CrashMedium medium) throws IOException {
        FaultyStore store = FaultyStore.around(medium.open());
        Gate gate = what.apply(store.on().nth(k));
        return new Armed(new Faulty(medium, store), () -> store.calls().size() >= k, gate);
      }
    };
  }

  /** A medium whose store goes through rules. */
  record Faulty(CrashMedium inside, FaultyStore store) implements CrashMedium {

    @Override
    public String format() {
      return inside.format();
    }

    @Override
    public CheckpointStore open() {
      return new AnotherProcess(store);
    }

    @Override
    public void stopsAt(int change, boolean midway) {
      inside.stopsAt(change, midway);
    }

    @Override
    public boolean hasMiddles() {
      return inside.hasMiddles();
    }

    @Override
    public boolean isStopped() {
      return inside.isStopped();
    }

    @Override
    public List<String> calls() {
      return store.calls().stream().map(Object::toString).toList();
    }

    @Override
    public CrashMedium copy() throws IOException {
      return inside.copy();
    }

    @Override
    public List<Left> left(List<PowerLoss> losses) throws IOException {
      return inside.left(losses);
    }

    @Override
    public void later(Duration by) {
      inside.later(by);
    }

    /** A sink or lock whose answer was lost is open, and nobody could know. */
    @Override
    public void assertNothingIsOpen() {}
  }
}
