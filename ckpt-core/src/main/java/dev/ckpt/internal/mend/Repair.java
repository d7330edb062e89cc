package dev.ckpt.internal.mend;

import dev.ckpt.CheckpointException;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.Evidence;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.Records;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.keep.Cleaner;
import dev.ckpt.internal.keep.Decisions;
import dev.ckpt.internal.keep.Inventory;
import dev.ckpt.internal.keep.Step;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * Repairs a run. What it removes from its place it has copied before, durably and compared; what it
 * writes is proven by the digest of what was there. A repair that is cut short at any call leaves a
 * run that the next repair finishes, and in which no start goes another way than before.
 */
final class Repair {

  private final CheckpointStore store;
  private final RunLog run;
  private final Committer committer;
  private final Records records;
  private final Quarantine quarantine;
  private final Cleaner cleaner;
  private boolean begun;

  Repair(CheckpointStore store, RunLog run, Cleaner.Fence fence) {
    this.store = store;
    this.run = run;
    this.committer = new Committer(store, run.keys());
    this.records = new Records(store);
    this.quarantine = new Quarantine(store, run.keys());
    this.cleaner = new Cleaner(store, run, committer, fence);
  }

  /** Finds out what is to be done, and changes nothing. */
  static List<Mending> plan(
      CheckpointStore store, RunLog run, Function<String, ShardFormat> formats, Instant before)
      throws IOException {
    Inventory held = Inventory.of(store, run.keys());
    requireOwnName(held, run);
    Examination examination = new Examination(store, run, formats);
    List<Examination.Examined> checkpoints = new ArrayList<>();
    List<Mending> plan = new ArrayList<>();
    for (CheckpointId id : RepairPlan.ids(held)) {
      Optional<String> other = run.namedBy(id).filter(name -> !name.equals(run.keys().run()));
      if (other.isPresent()) {
        plan.add(new Mending.Clean(new Step.Leave(foreign(run.keys(), id, other.get()))));
      } else {
        checkpoints.add(examination.examine(held, id));
      }
    }
    NavigableMap<Integer, Examination.Found<ResumeRecord>> resumes = examination.resumes();
    NavigableMap<Integer, Examination.Found<EndRecord>> ends = examination.ends();
    Evidence lost =
        Evidence.of(held.undecided(), run, RepairPlan.mended(held, checkpoints, resumes, ends));
    NavigableSet<CheckpointId> again = new TreeSet<>(lost.all().keySet());
    again.addAll(lost.voted().keySet());
    for (CheckpointId id : again) {
      checkpoints.removeIf(each -> each.id().equals(id));
      checkpoints.add(examination.examineLost(held, id));
    }
    // what a training deleted meanwhile looked damaged; the mark comes first
    NavigableSet<CheckpointId> deleted = run.deleted();
    deleted.removeAll(held.deleted().keySet());
    checkpoints.removeIf(each -> deleted.contains(each.id()));
    plan.addAll(
        RepairPlan.of(
            held,
            Decisions.read(run, held.manifests().keySet()),
            checkpoints,
            examination.attempts(),
            resumes,
            ends,
            lost,
            before));
    return List.copyOf(plan);
  }

  private static MaintenanceAction foreign(Keys keys, CheckpointId id, String of) {
    return new MaintenanceAction(
        MaintenanceAction.Kind.LEAVE,
        keys.run(),
        keys.manifest(id),
        0,
        "it is a checkpoint of run '"
            + of
            + "', whole as far as this one can tell: was this run's folder renamed or copied?");
  }

  /**
   * Nothing of a run is damaged that was given another name, or copied to one, and all would look
   * so: its manifests name their shards by full keys.
   *
   * @throws CheckpointException.Corrupt if all that can be read is of another run
   */
  private static void requireOwnName(Inventory held, RunLog run) throws IOException {
    Optional<String> other = Optional.empty();
    for (CheckpointId id : held.manifests().keySet()) {
      Optional<String> named = run.namedBy(id);
      if (named.isPresent()) {
        if (named.get().equals(run.keys().run()) || !named.equals(other.or(() -> named))) {
          return;
        }
        other = named;
      }
    }
    if (other.isPresent()) {
      throw new CheckpointException.Corrupt(
          "what is under the name of run '"
              + run.keys().run()
              + "' are the records of run '"
              + other.get()
              + "', whose folder was renamed or copied. Nothing was changed. Call it '"
              + other.get()
              + "' again; a copy goes into another store");
    }
  }

  /** Does one thing, and says what was done. */
  MaintenanceAction does(Mending mending) throws IOException {
    begun = false;
    if (mending instanceof Mending.Restore restore) {
      return restore(restore);
    } else if (mending instanceof Mending.CommitAgain again) {
      return commitAgain(again);
    } else if (mending instanceof Mending.SetAside aside) {
      quarantine.keep(aside.id(), aside.key());
      store.delete(List.of(aside.key()));
    } else if (mending instanceof Mending.Withdraw withdraw) {
      return withdraw(withdraw);
    } else if (mending instanceof Mending.Forget forget) {
      store.delete(forget.copies());
    } else if (mending instanceof Mending.Clean clean) {
      try {
        return cleaner.does(clean.step());
      } finally {
        begun = cleaner.begun();
      }
    }
    return mending.action();
  }

  /** Whether the last one came so far that it cannot be taken back. */
  boolean begun() {
    return begun;
  }

  private MaintenanceAction restore(Mending.Restore restore) throws IOException {
    String key = restore.key();
    quarantine.keep(restore.id(), key);
    store.delete(List.of(key));
    begun = true;
    if (records.put(key, restore.bytes()) == Records.Outcome.OTHER) {
      return Cleaner.left(restore.action(), "somebody else wrote it just now");
    }
    String copy = run.keys().quarantined(restore.id(), key);
    String folder = copy.substring(0, copy.lastIndexOf('/') + 1);
    List<String> copies =
        run.keysUnder(folder, "").stream().filter(each -> Quarantine.isCopy(each, copy)).toList();
    store.delete(copies);
    return restore.action();
  }

  private MaintenanceAction commitAgain(Mending.CommitAgain again) throws IOException {
    if (run.deleted().contains(again.id())) {
      return Cleaner.left(again.action(), "somebody deletes it");
    }
    for (Map.Entry<CheckpointId, List<String>> each : again.aside().entrySet()) {
      for (String file : each.getValue()) {
        quarantine.keep(Optional.of(each.getKey()), file);
      }
    }
    return records.put(run.keys().manifest(again.id()), again.bytes()) == Records.Outcome.OURS
        ? again.action()
        : Cleaner.left(again.action(), "somebody else decided about it just now");
  }

  /**
   * Of a crash before the manifest's deletion remain copies; after it, an id that looks undecided
   * and whose decision lies in quarantine, which nobody but the next repair touches; after ABORT,
   * files of an id that is given up.
   */
  private MaintenanceAction withdraw(Mending.Withdraw withdraw) throws IOException {
    CheckpointId id = withdraw.id();
    String manifest = run.keys().manifest(id);
    for (String file : withdraw.files()) {
      quarantine.keep(Optional.of(id), file);
    }
    quarantine.keep(Optional.of(id), manifest);
    store.delete(List.of(manifest));
    begun = true;
    if (!(committer.abort(id, Committer.WITHDRAWN + withdraw.action().reason())
        instanceof Manifest.Abort)) {
      return Cleaner.left(withdraw.action(), "it was committed again just now");
    }
    List<String> gone = new ArrayList<>(withdraw.files());
    gone.removeAll(withdraw.shared());
    gone.add(run.keys().deleted(id));
    store.delete(gone);
    return withdraw.action();
  }
}
