package dev.ckpt.cli;

import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import java.util.List;

/** Prints what {@code gc} and {@code repair} did, or would do. */
final class Actions {

  private Actions() {}

  static void print(
      List<MaintenanceAction> actions,
      boolean dryRun,
      boolean json,
      boolean manyRuns,
      Console console) {
    long freed =
        actions.stream()
            .filter(each -> each.kind() == Kind.DELETE || each.kind() == Kind.REMOVE)
            .mapToLong(MaintenanceAction::bytes)
            .sum();
    if (json) {
      new Json()
          .put("dryRun", dryRun)
          .list("actions", actions, Facts::of)
          .put("freedBytes", freed)
          .print(console);
      return;
    }
    if (!actions.isEmpty()) {
      Table table =
          new Table().left("ACTION").left("RUN").left("SUBJECT").right("SIZE").left("REASON");
      for (MaintenanceAction each : actions) {
        table.row(
            each.kind() == Kind.LEAVE ? Table.Tone.FAINT : Table.Tone.PLAIN,
            List.of(
                Text.word(each.kind()),
                manyRuns ? each.run() : "",
                each.subject(),
                each.bytes() == 0 ? "" : Text.size(each.bytes()),
                each.reason()));
      }
      table.print(console);
    }
    long done = actions.stream().filter(each -> each.kind() != Kind.LEAVE).count();
    String sum =
        done == 0
            ? "nothing to do"
            : Text.count(done, "action")
                + (freed == 0 ? "" : dryRun ? ", would free " : ", freed ")
                + (freed == 0 ? "" : Text.size(freed));
    console.out.println(sum + (dryRun && done > 0 ? "; nothing was changed (dry run)" : ""));
  }
}
