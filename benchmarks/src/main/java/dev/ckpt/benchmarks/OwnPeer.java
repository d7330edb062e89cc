package dev.ckpt.benchmarks;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.SaveHandle;
import dev.ckpt.SaveTrigger;
import dev.ckpt.Stores;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.formats.Formats;
import dev.ckpt.internal.restore.OpenCheckpoint;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalDouble;

/** We among the peers: defaults but for the shard format, in a store of their folder. */
final class OwnPeer implements Peer {

  private static final String RUN = "peers";
  private static final String PART = "model";

  private final Path folder;
  private final String format;
  private final DirectState state;
  private final DirectState target;
  private final CheckpointStore store;
  private final CheckpointManager manager;
  private final Deletions deletions = new Deletions();
  private final Formats formats = new Formats();
  private String newest = "";
  private int saves;

  OwnPeer(Path folder, String format, DirectState state, DirectState target) throws IOException {
    this.folder = folder;
    this.format = format;
    this.state = state;
    this.target = target;
    this.store = Stores.local(folder.resolve("ckpt"));
    this.manager =
        CheckpointManager.in(store)
            .run(RUN)
            .format(format)
            .part(PART, state)
            .resume(new Resume.Never())
            .saveWhen(SaveTrigger.onCompletion())
            .keep(Retention.latest(1))
            .notify(deletions)
            .open();
    manager.resume();
  }

  @Override
  public String name() {
    return format.equals("arrow") ? "ckpt" : "ckpt, " + format;
  }

  @Override
  public String promises() {
    return "committed by a manifest, files and folders forced; CRC32C of each chunk, verified before"
        + " it restores";
  }

  @Override
  public Saved save() throws Exception {
    long start = System.nanoTime();
    SaveHandle handle = manager.save(Progress.step(++saves), Map.of());
    double staged = System.nanoTime() - start;
    handle.join();
    double committed = System.nanoTime() - start;
    if (saves > 1) {
      deletions.await();
    }
    PlainWrite.settle(folder);
    newest = handle.id();
    return new Saved(staged, committed, committed);
  }

  /** What a resume does: all is verified before anything is copied. */
  @Override
  public double restore() throws Exception {
    CheckpointId id = CheckpointId.parse(newest).orElseThrow();
    prepare();
    long start = System.nanoTime();
    if (!(new RunLog(store, new Keys(RUN)).manifest(id).orElseThrow()
        instanceof Manifest.Commit commit)) {
      throw new IOException(newest + " is not committed");
    }
    try (OpenCheckpoint open = OpenCheckpoint.open(store, commit, formats::named)) {
      open.verify(Math.min(4, Runtime.getRuntime().availableProcessors()));
      target.restore(open.view(PART));
    }
    return compared(System.nanoTime() - start);
  }

  /**
   * What a look does: each byte is verified when it is read. Without verification there is none.
   */
  @Override
  public OptionalDouble restoreOtherwise() throws Exception {
    prepare();
    long start = System.nanoTime();
    try (Checkpoints.Opened open = Checkpoints.read(store, RUN).open(newest)) {
      target.restore(open.view(PART));
    }
    return OptionalDouble.of(compared(System.nanoTime() - start));
  }

  @Override
  public String otherWay() {
    return "verified as it is read";
  }

  private void prepare() {
    // else the maps of all rounds would pile up until the collector runs
    System.gc();
    target.wipe();
  }

  private double compared(double nanos) throws IOException {
    if (!target.sameAs(state)) {
      throw new IOException("what was restored differs from what was saved");
    }
    return nanos;
  }

  @Override
  public void close() throws IOException {
    try (store) {
      manager.close();
    }
  }
}
