package dev.ckpt;

import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.formats.Formats;
import dev.ckpt.internal.restore.Candidates;
import dev.ckpt.internal.restore.OpenCheckpoint;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Looks at the checkpoints of a run, also while it trains: takes no attempt and no lock. Every
 * method reads the store anew, may block, and may be called from any thread.
 */
public final class Checkpoints implements AutoCloseable {
  private final CheckpointStore store;
  private final RunLog run;
  private final Formats formats = new Formats();

  private Checkpoints(CheckpointStore store, String name) {
    this.store = store;
    this.run = new RunLog(store, new Keys(name));
  }

  /** The checkpoints of one run; the store stays the caller's. */
  public static Checkpoints read(CheckpointStore store, String run) {
    return new Checkpoints(store, run);
  }

  /** Names of the runs in a store, sorted. */
  public static List<String> runs(CheckpointStore store) {
    try (Stream<CheckpointStore.Entry> entries = store.list("runs/", "")) {
      return entries.map(entry -> entry.key().split("/")[1]).distinct().sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot list " + store.uri(), e);
    }
  }

  /** The committed checkpoints of the live branch, oldest first. */
  public List<Checkpoint> list() {
    return reading(() -> Candidates.committed(run, live()));
  }

  /** The newest of {@link #list()} without NaN or infinities; if there is none, the newest. */
  public Optional<Checkpoint> latest() {
    List<Checkpoint> all = list();
    for (int i = all.size() - 1; i >= 0; i--) {
      if (all.get(i).finite()) {
        return Optional.of(all.get(i));
      }
    }
    return all.isEmpty() ? Optional.empty() : Optional.of(all.get(all.size() - 1));
  }

  /**
   * Compares every byte of a checkpoint with its checksum.
   *
   * @throws CheckpointException.NotFound if there is no such checkpoint
   */
  public Verification verify(String id) {
    return reading(
        () -> {
          try (OpenCheckpoint open = opened(id)) {
            return new Verification(id, open.verify(2), List.of());
          } catch (CheckpointException.Corrupt e) {
            return new Verification(id, 0, List.of(String.valueOf(e.getMessage())));
          }
        });
  }

  /**
   * Opens a checkpoint; what is read is verified as it is read.
   *
   * @throws CheckpointException.NotFound if there is no such checkpoint
   * @throws CheckpointException.Corrupt if it is damaged
   */
  public Opened open(String id) {
    return reading(() -> new Opened(opened(id)));
  }

  /** Keeps a checkpoint whatever the retention policy says, until {@link #unpin}. */
  public void pin(String id) {
    CheckpointId parsed = known(id);
    reading(
        () -> {
          byte[] why = "pinned".getBytes(StandardCharsets.UTF_8);
          store.putIfAbsent(run.keys().pin(parsed), ByteBuffer.wrap(why));
          if (run.deleted().contains(parsed)) {
            store.delete(List.of(run.keys().pin(parsed)));
            throw new CheckpointException.NotFound(id + " was being deleted when it was pinned");
          }
          return parsed;
        });
  }

  /** Lets the retention policy decide again. */
  public void unpin(String id) {
    CheckpointId parsed = known(id);
    reading(
        () -> {
          store.delete(List.of(run.keys().pin(parsed)));
          return parsed;
        });
  }

  /** One open checkpoint. */
  public static final class Opened implements AutoCloseable {
    private final OpenCheckpoint open;

    private Opened(OpenCheckpoint open) {
      this.open = open;
    }

    /** What is known of it. */
    public Checkpoint checkpoint() {
      return open.manifest().checkpoint();
    }

    /** Names of its parts. */
    public List<String> parts() {
      return open.parts();
    }

    /** The state of a part; one that captured nothing is empty. */
    public StateView view(String part) {
      return open.view(part);
    }

    @Override
    public void close() {
      try {
        open.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /** Does nothing: the store is the caller's. */
  @Override
  public void close() {}

  private NavigableSet<CheckpointId> live() throws IOException {
    return new TreeSet<>(run.lineage().live(run.decided()));
  }

  private CheckpointId known(String id) {
    return CheckpointId.parse(id)
        .orElseThrow(
            () ->
                new CheckpointException.NotFound(
                    "'" + id + "' is no checkpoint id; one looks like 000001-000000000100-0"));
  }

  private OpenCheckpoint opened(String id) throws IOException {
    CheckpointId parsed = known(id);
    if (run.deleted().contains(parsed)
        || !(run.manifest(parsed).orElse(null) instanceof Manifest.Commit commit)) {
      throw new CheckpointException.NotFound(
          "run '" + run.keys().run() + "' has no committed checkpoint " + id);
    }
    return OpenCheckpoint.open(store, commit, formats::named);
  }

  /** Something that reads the store. */
  @FunctionalInterface
  private interface Read<T> {
    T get() throws IOException;
  }

  private <T> T reading(Read<T> read) {
    try {
      return read.get();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + store.uri() + ": " + e.getMessage(), e);
    }
  }
}
