package dev.ckpt.cli;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Maintenance;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.Retention;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "gc",
    description = {
      "Removes what nobody needs: files of saves that never committed, deletions that"
          + " were cut short, checkpoints of dead branches, and, if asked, checkpoints that"
          + " the --keep options let go.",
      "What is pinned, the newest that is whole, and the best by the run's own config stay,"
          + " whatever is asked. With --max-bytes the whole store is limited; each run keeps"
          + " these, and what --keep-best names."
    },
    footer = {
      "",
      "Examples:",
      "  ckpt gc --dry-run",
      "  ckpt --run digits gc --keep-latest 3 --keep-best accuracy:max:1",
      "  ckpt gc --all-runs --grace 1h",
      "  ckpt gc --max-bytes 500GB --keep-best loss:min --dry-run --json"
    })
final class GcCommand extends StoreCommand {
  private static final Pattern BEST = Pattern.compile("(.+):(max|min)(?::([0-9]{1,6}))?");

  @Option(names = "--dry-run", description = "Only say what would be done.")
  private boolean dryRun;

  @Option(names = "--all-runs", description = "All runs of the store, not one.")
  private boolean allRuns;

  @Option(
      names = "--keep-latest",
      paramLabel = "N",
      description = "Keep the newest N of the live branch; without any --keep option all stay.")
  private @Nullable Integer keepLatest;

  @Option(
      names = "--keep-best",
      paramLabel = "M:max:N",
      description =
          "Keep the N best by a metric, 'max' or 'min'; N is 1 if left out. May be repeated.")
  private List<String> keepBest = new ArrayList<>();

  @Option(
      names = "--max-bytes",
      paramLabel = "SIZE",
      converter = Units.Size.class,
      description =
          "Then delete the oldest until the store's checkpoints hold no more: 500GB, 2TiB. kB, MB,"
              + " GB, TB are powers of 1000, as printed; KiB, MiB, GiB, TiB of 1024.")
  private @Nullable Long maxBytes;

  @Option(
      names = "--grace",
      paramLabel = "DURATION",
      converter = Units.Time.class,
      description =
          "How old a left-over, or what lies on a dead branch, must be; 10m unless given.")
  private @Nullable Duration grace;

  @Option(
      names = "--take-over",
      description = "Take over runs that are in use: their processes can commit nothing any more.")
  private boolean takeOver;

  @Option(
      names = "--json",
      description = "One JSON document: {\"dryRun\", \"actions\": [...], \"freedBytes\"}.")
  private boolean json;

  @Override
  int on(Place place, Console console) {
    if ((allRuns || maxBytes != null) && runIsGiven()) {
      throw wrong((allRuns ? "--all-runs" : "--max-bytes") + " is about all runs; leave --run out");
    }
    Retention best = best();
    Retention keep = keep(best);
    Set<MaintenanceAction> actions = new LinkedHashSet<>();
    Maintenance maintenance =
        Maintenance.of(place.store()).takeOver(takeOver).telling(actions::add);
    if (grace != null) {
      maintenance = maintenance.grace(grace);
    }
    List<String> runs = place.chosen(allRuns || maxBytes != null);
    int code = Exit.FINE;
    for (String run : runs) {
      try {
        maintenance.collect(run, withOwn(maintenance, run, keep), dryRun);
      } catch (CheckpointException | UncheckedIOException e) {
        if (!allRuns && maxBytes == null) {
          Actions.printDone(List.copyOf(actions), dryRun, json, false, console);
          throw e;
        }
        // one run in use, or that cannot be read, keeps no other from being cleaned
        code = Math.max(code, Failures.report(console, e));
        actions.add(Actions.leftAlone(run, e));
      }
    }
    if (keepBest.isEmpty() && (maxBytes != null || keepLatest != null)) {
      for (String run : runs) {
        if (isUntold(maintenance, run)) {
          console.say(
              "the config of run '"
                  + run
                  + "' does not tell what its best checkpoints are, so none is kept for that;"
                  + " --keep-best names them");
        }
      }
    }
    if (maxBytes != null) {
      Map<String, Retention> bests = new HashMap<>();
      runs.forEach(run -> bests.put(run, best));
      List<MaintenanceAction> before = List.copyOf(actions);
      Maintenance limiting =
          maintenance.telling(
              action -> {
                if (before.stream().noneMatch(known -> same(known, action))) {
                  actions.add(action);
                }
              });
      try {
        if (dryRun) {
          limiting.limitAfter(before, maxBytes, bests);
        } else {
          limiting.limit(maxBytes, bests, false);
        }
      } catch (CheckpointException | UncheckedIOException e) {
        Actions.printDone(List.copyOf(actions), dryRun, json, runs.size() > 1, console);
        throw e;
      }
    }
    Actions.print(List.copyOf(actions), dryRun, json, runs.size() > 1, console);
    if (dryRun && !takeOver) {
      Actions.warnOfRunsInUse(place, runs, console);
    }
    if (!allRuns && maxBytes == null) {
      for (MaintenanceAction action : actions) {
        // a typo, where one run was meant; of many, some have other metrics
        if (action.kind() == MaintenanceAction.Kind.LEAVE
            && keep.metrics().contains(action.subject())) {
          code = Failures.report(console, new Problem(Exit.NOT_FOUND, action.reason()));
        }
      }
    }
    return code;
  }

  /** Whether a run that can be read does not tell what its best is. */
  private static boolean isUntold(Maintenance maintenance, String run) {
    try {
      return maintenance.ownBest(run).isEmpty();
    } catch (CheckpointException | UncheckedIOException e) {
      return false; // said already
    }
  }

  /** With --max-bytes the limit asks the run itself. */
  private Retention withOwn(Maintenance maintenance, String run, Retention keep) {
    boolean lets = keepLatest != null || (!keepBest.isEmpty() && maxBytes == null);
    Optional<Retention> own = lets ? maintenance.ownBest(run) : Optional.empty();
    return own.map(best -> Retention.anyOf(keep, best)).orElse(keep);
  }

  /** What is left stays for a reason that both may find. */
  private static boolean same(MaintenanceAction one, MaintenanceAction other) {
    return one.kind() == other.kind()
        && one.run().equals(other.run())
        && one.subject().equals(other.subject());
  }

  private Retention best() {
    List<Retention> policies = new ArrayList<>();
    for (String text : keepBest) {
      Matcher form = BEST.matcher(text);
      int n = form.matches() && form.group(3) != null ? Integer.parseInt(form.group(3)) : 1;
      if (!form.matches() || n < 1 || form.group(1).isBlank()) {
        throw wrong("--keep-best '" + text + "' is none of metric:max, metric:min, metric:max:3");
      }
      Retention.Mode mode = Retention.Mode.valueOf(form.group(2).toUpperCase(Locale.ROOT));
      policies.add(Retention.best(form.group(1), mode, n));
    }
    return Retention.anyOf(policies.toArray(Retention[]::new));
  }

  private Retention keep(Retention best) {
    if (keepLatest != null && keepLatest < 1) {
      throw wrong("--keep-latest needs at least 1, not " + keepLatest);
    }
    if (keepLatest != null) {
      return Retention.anyOf(Retention.latest(keepLatest), best);
    }
    // with --max-bytes what is best is for the limit to know, and no policy by itself
    return keepBest.isEmpty() || maxBytes != null ? GcCommand::all : best;
  }

  private static Set<Checkpoint> all(List<Checkpoint> committed) {
    return Set.copyOf(committed);
  }
}
