package dev.ckpt.cli;

import dev.ckpt.Attempt;
import dev.ckpt.CheckpointException;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Prints what {@code gc} and {@code repair} did, or would do. */
final class Actions {

  private Actions() {}

  /** Those that a person reads as one: marks that go, and what is left for the same reason. */
  private record Same(Kind kind, String run, String reason) {}

  static void print(
      List<MaintenanceAction> actions,
      boolean dryRun,
      boolean json,
      boolean manyRuns,
      Console console) {
    long freed = actions.stream().filter(Actions::frees).mapToLong(MaintenanceAction::bytes).sum();
    if (json) {
      new Json()
          .put("dryRun", dryRun)
          .list("actions", actions, Facts::of)
          .put("freedBytes", freed)
          .print(console);
      return;
    }
    if (!actions.isEmpty()) {
      table(actions, manyRuns, console).print(console);
    }
    long done = actions.stream().filter(each -> each.kind() != Kind.LEAVE).count();
    long left = actions.size() - done;
    StringBuilder sum = new StringBuilder();
    if (done == 0 && left == 0) {
      sum.append("nothing to do");
    } else if (done == 0) {
      sum.append("nothing was changed");
    } else {
      sum.append(Text.count(done, "action"));
      if (freed > 0) {
        sum.append(dryRun ? ", would free " : ", freed ").append(Text.size(freed));
      }
    }
    if (left > 0) {
      sum.append("; ").append(left).append(" left as ");
      sum.append(left == 1 ? "it is" : "they are").append(", for the reason above");
    }
    sum.append(dryRun && done > 0 ? "; nothing was changed (dry run)" : "");
    console.out.println(sum);
  }

  private static boolean frees(MaintenanceAction action) {
    return switch (action.kind()) {
      case DELETE, GIVE_UP, REMOVE -> true;
      case QUARANTINE, RESTORE, CUT_SHORT, LEAVE -> false;
    };
  }

  /** What was done before something failed, if anything was. */
  static void printDone(
      List<MaintenanceAction> actions,
      boolean dryRun,
      boolean json,
      boolean manyRuns,
      Console console) {
    if (!actions.isEmpty()) {
      print(actions, dryRun, json, manyRuns, console);
    }
  }

  /** That a run was left as it was, from some action on. */
  static MaintenanceAction leftAlone(String run, RuntimeException why) {
    String reason =
        why instanceof CheckpointException.Fenced ? "it is in use" : Failures.message(why);
    return new MaintenanceAction(Kind.LEAVE, run, run, 0, reason);
  }

  /** A dry run takes no run, and so is refused none. */
  static void warnOfRunsInUse(Place place, List<String> runs, Console console) {
    for (String run : runs) {
      List<Attempt> attempts = place.checkpoints(run).attempts();
      if (!attempts.isEmpty() && attempts.get(attempts.size() - 1).end() == Attempt.End.RUNNING) {
        console.say("run '" + run + "' is in use: for real it would be left as it is");
      }
    }
  }

  private static Table table(List<MaintenanceAction> actions, boolean manyRuns, Console console) {
    Table table =
        new Table().left("ACTION").left("RUN").left("SUBJECT").right("SIZE").text("REASON");
    for (List<MaintenanceAction> same : grouped(actions, console.verbose())) {
      MaintenanceAction each = same.get(0);
      long bytes = same.stream().mapToLong(MaintenanceAction::bytes).sum();
      table.row(
          each.kind() == Kind.LEAVE ? Table.Tone.FAINT : Table.Tone.PLAIN,
          List.of(
              Text.word(each.kind()),
              manyRuns ? each.run() : "",
              subject(same),
              bytes == 0 ? "" : Text.size(bytes),
              each.reason()));
    }
    return table;
  }

  private static List<List<MaintenanceAction>> grouped(
      List<MaintenanceAction> actions, boolean each) {
    Map<Object, List<MaintenanceAction>> groups = new LinkedHashMap<>();
    for (MaintenanceAction action : actions) {
      boolean likeOthers = !each && (isMark(action) || action.kind() == Kind.LEAVE);
      Object group =
          likeOthers ? new Same(action.kind(), action.run(), action.reason()) : new Object();
      groups.computeIfAbsent(group, first -> new ArrayList<>()).add(action);
    }
    return List.copyOf(groups.values());
  }

  private static boolean isMark(MaintenanceAction action) {
    return action.kind() == Kind.REMOVE
        && action.subject().startsWith("runs/" + action.run() + "/deleted/");
  }

  private static String subject(List<MaintenanceAction> same) {
    MaintenanceAction first = same.get(0);
    if (same.size() == 1) {
      return first.subject();
    }
    return isMark(first)
        ? same.size() + " marks of deleted checkpoints"
        : first.subject() + " and " + (same.size() - 1) + " more";
  }
}
