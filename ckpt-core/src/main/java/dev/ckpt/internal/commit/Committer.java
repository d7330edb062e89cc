package dev.ckpt.internal.commit;

import dev.ckpt.CheckpointException;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Decides about checkpoints, each once.
 *
 * <p>The only commit point is the creation of the manifest's key. A checkpoint is committed when
 * that key holds a COMMIT, given up for ever when it holds an ABORT, and undecided while it is
 * free; whoever wants it decided must win the key. Nothing else counts: not the data, not the
 * votes, not what a process believes. So:
 *
 * <ul>
 *   <li>Before the manifest, data and vote are durable: both calls return only then.
 *   <li>The manifest is a pure function of the votes. Two that commit at once write equal bytes,
 *       and finding one's own bytes there is success.
 *   <li>Nobody deletes data of an undecided id. Winning ABORT first makes a writer that sleeps and
 *       wakes up later lose, instead of committing files that are gone.
 *   <li>After an error the key is read back before anything is concluded ({@link Records}). If that
 *       fails too the outcome is unknown, and nothing is cleaned up.
 * </ul>
 */
public final class Committer {
  /** What the reason of an ABORT begins with whose id a repair has moved aside. */
  public static final String WITHDRAWN = "moved to quarantine: ";

  private final CheckpointStore store;
  private final Keys keys;
  private final Records records;

  public Committer(CheckpointStore store, Keys keys) {
    this.store = store;
    this.keys = keys;
    this.records = new Records(store);
  }

  /** Writes a worker's vote; it is durable when this returns. */
  public void vote(Vote vote) throws IOException {
    String key = keys.vote(vote.id(), vote.rank());
    if (records.put(key, vote.encode()) == Records.Outcome.OTHER) {
      throw new CheckpointException.SaveFailed(
          key + " holds another vote: this id was tried before; the next step saves again", null);
    }
  }

  /**
   * Commits.
   *
   * @return what is now committed
   * @throws CheckpointException.SaveFailed if it had been aborted
   * @throws CheckpointException.Fenced if something else was committed under this id
   * @throws CheckpointException.CommitUnknown if nobody can tell
   */
  public Manifest.Commit commit(List<Vote> votes) throws IOException {
    Manifest.Commit commit = Manifest.Commit.of(votes);
    String key = keys.manifest(commit.id());
    if (records.put(key, commit.encode()) == Records.Outcome.OURS) {
      return commit;
    }
    Manifest winner = decision(commit.id());
    if (winner instanceof Manifest.Abort abort) {
      throw new CheckpointException.SaveFailed(
          commit.id() + " was given up before: " + abort.reason(), null);
    }
    throw new CheckpointException.Fenced(
        key + " holds another commit of the same id: another process works on this run; stop");
  }

  /** Whether an id was given up because a repair moved what it was aside. */
  public static boolean isWithdrawn(@Nullable Manifest manifest) {
    return manifest instanceof Manifest.Abort abort && abort.reason().startsWith(WITHDRAWN);
  }

  /**
   * Makes sure that an id is decided.
   *
   * @return ABORT, whoever won it, or the COMMIT that was there before
   */
  public Manifest abort(CheckpointId id, String reason) throws IOException {
    Manifest.Abort abort = new Manifest.Abort(id, reason);
    if (records.put(keys.manifest(id), abort.encode()) == Records.Outcome.OURS) {
      return abort;
    }
    return decision(id);
  }

  /**
   * Deletes data and votes of an aborted id.
   *
   * @throws IllegalStateException unless it is decided, and decided so
   */
  public void discard(CheckpointId id) throws IOException {
    if (!(decision(id) instanceof Manifest.Abort)) {
      throw new IllegalStateException(id + " is committed: its data are not an orphan");
    }
    delete(keys.data(id));
    delete(keys.votes(id));
  }

  /**
   * Deletes data and votes of an id that was never put to a decision, so that it can be tried
   * again. Only for the attempt that owns the id, when its only writer has ended: nobody else can
   * commit it. Does nothing if it is decided all the same.
   */
  public void forget(CheckpointId id) throws IOException {
    if (records.read(keys.manifest(id)).isPresent()) {
      return;
    }
    erase(id);
  }

  /** Deletes data and votes of an id that is marked deleted and has no manifest any more. */
  public void erase(CheckpointId id) throws IOException {
    delete(keys.votes(id));
    delete(keys.data(id));
  }

  private void delete(String folder) throws IOException {
    List<String> doomed;
    try (var entries = store.list(folder, "")) {
      doomed = entries.map(CheckpointStore.Entry::key).toList();
    }
    if (!doomed.isEmpty()) {
      store.delete(doomed);
    }
  }

  private Manifest decision(CheckpointId id) throws IOException {
    String key = keys.manifest(id);
    Optional<byte[]> bytes = records.read(key);
    if (bytes.isEmpty()) {
      throw new IOException(key + " was there and is gone: somebody deletes from this run");
    }
    return Manifest.decode(key, bytes.get());
  }
}
