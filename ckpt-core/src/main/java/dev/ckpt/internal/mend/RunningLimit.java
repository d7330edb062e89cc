package dev.ckpt.internal.mend;

import dev.ckpt.CheckpointException;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.Retention;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.keep.Keeper;
import dev.ckpt.manifest.CheckpointId;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A limit of bytes as a running manager keeps it: in its own run through its keeper, in others with
 * their lock. Runs on the housekeeping thread only.
 */
public final class RunningLimit {
  private static final Logger log = LoggerFactory.getLogger(RunningLimit.class);

  private final StoreLimit limit;
  private final StoreLimit.Taking taking;
  private final Set<String> told = new HashSet<>();
  private final Set<String> inUse = new HashSet<>();

  /**
   * @param own name of the manager's run
   * @param attempt the manager's
   */
  public RunningLimit(StoreLimit limit, String own, int attempt, Keeper keeper) {
    this.limit = limit;
    StoreLimit.Taking outside = limit.outside(false);
    this.taking =
        new StoreLimit.Taking() {
          @Override
          public StoreLimit.Access take(RunLog run) throws IOException {
            String name = run.keys().run();
            if (name.equals(own)) {
              return new StoreLimit.Access(keeper::does, () -> {});
            }
            try {
              return outside.take(run);
            } catch (CheckpointException.Fenced e) {
              inUse.add(name);
              throw e;
            }
          }

          @Override
          public boolean gone(String run, CheckpointId id) {
            return !run.equals(own) || id.attempt() < attempt;
          }
        };
  }

  /** What is best in the manager's own run, and in those of others. */
  public static Best.Of best(String own, Retention best) {
    return run -> run.keys().run().equals(own) ? Best.own(best) : Best.recorded(run, best);
  }

  /**
   * Deletes what is too much.
   *
   * @param runs names of all runs of the store
   */
  public void apply(List<String> runs) throws IOException {
    for (MaintenanceAction action : limit.apply(runs, taking, action -> {})) {
      if (action.kind() != MaintenanceAction.Kind.LEAVE) {
        log.info(
            "run '{}': removed {} ({} bytes): {}",
            action.run(),
            action.subject(),
            action.bytes(),
            action.reason());
      } else if (action.subject().equals(action.run()) && inUse.remove(action.run())) {
        // in a sweep all others are
        log.debug("the limit of bytes leaves run '{}' alone: it is in use", action.run());
      } else if (told.add(action.run() + "/" + action.subject())) {
        log.warn("the limit of bytes: {}", action.reason());
      }
    }
  }
}
