package dev.ckpt.manager;

import dev.ckpt.manager.CrashMedium.Left;
import dev.ckpt.testkit.PowerLoss;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/** Stops a scenario at each change of the medium, and looks at each thing that may be left. */
final class CrashMatrix {
  private final Supplier<CrashMedium> media;
  private final List<PowerLoss> losses;
  private final MatrixTable table;

  CrashMatrix(String title, Supplier<CrashMedium> media, List<PowerLoss> losses) {
    this.table = new MatrixTable(title);
    this.media = media;
    this.losses = losses;
  }

  MatrixTable table() {
    return table;
  }

  /** Runs a scenario, once for each call. */
  void run(CrashScenario scenario) throws IOException {
    CrashRun found = new CrashRun(media.get());
    scenario.before(found);
    MatrixTable.Row row = table.row(scenario.title());
    List<Integer> divisible = new ArrayList<>();
    // threads race, so not every run makes as many calls as this one
    CrashRun clean = found.copy();
    act(scenario, clean, scenario.title() + ", without a stop", row);
    int calls = clean.medium().calls().size();
    boolean stopped = true;
    for (int k = 1; stopped || k <= calls; k++) {
      CrashRun run = stop(scenario, found, k, false, row);
      stopped = run.medium().isStopped();
      row.calls += stopped ? 1 : 0;
      if (isDivisible(run.medium(), k)) {
        divisible.add(k);
      }
    }
    // elsewhere the middle of a call is its beginning or its end
    for (int k : divisible) {
      stop(scenario, found, k, true, row);
    }
  }

  private CrashRun stop(
      CrashScenario scenario, CrashRun found, int k, boolean midway, MatrixTable.Row row)
      throws IOException {
    CrashRun run = found.copy();
    run.medium().stopsAt(k, midway);
    String where = scenario.title() + ", stop at " + k + (midway ? ".5" : "");
    act(scenario, run, where, row);
    look(scenario, run, where, row);
    return run;
  }

  private static boolean isDivisible(CrashMedium medium, int change) {
    List<String> calls = medium.calls();
    return medium.hasMiddles()
        && medium.isStopped()
        && calls.get(change - 1).matches("\\d+ (WRITE|FORCE) .*");
  }

  private void act(CrashScenario scenario, CrashRun run, String where, MatrixTable.Row row) {
    try {
      scenario.act(run);
    } catch (IOException | RuntimeException | AssertionError e) {
      // a dead process may throw what it likes
      if (!run.medium().isStopped() || e instanceof AssertionError) {
        table.violated(row, where, e, run.medium().calls());
      }
    }
    try {
      run.medium().assertNothingIsOpen();
    } catch (AssertionError e) {
      table.violated(row, where, e, run.medium().calls());
    }
  }

  private void look(CrashScenario scenario, CrashRun run, String where, MatrixTable.Row row)
      throws IOException {
    Set<Long> seen = new HashSet<>();
    for (Left left : run.medium().left(losses)) {
      row.count(left.kind());
      if (seen.add(left.fingerprint())) {
        row.distinct++;
        try {
          scenario.mend(new CrashRun(left.medium()));
          Aftermath.check(left.medium(), run.ledger());
        } catch (IOException | RuntimeException | AssertionError e) {
          table.violated(row, where + ", " + left.how(), e, run.medium().calls());
        }
      }
    }
  }
}
