package dev.ckpt.manager;

import dev.ckpt.manager.CrashMedium.Left;
import dev.ckpt.testkit.PowerLoss;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Stops a scenario at each change of the medium, and looks at each thing that may be left. Counts
 * the cases: equal leftovers of one stop are looked at once.
 */
final class CrashMatrix {

  /** One row. */
  private static final class Row {
    int calls;
    int looked;
    int violations;
    final Map<String, Integer> cases = new LinkedHashMap<>();
  }

  private final String title;
  private final Supplier<CrashMedium> media;
  private final List<PowerLoss> losses;
  private final Map<String, Row> rows = new LinkedHashMap<>();
  private final List<String> violations = new ArrayList<>();

  CrashMatrix(String title, Supplier<CrashMedium> media, List<PowerLoss> losses) {
    this.title = title;
    this.media = media;
    this.losses = losses;
  }

  /** Runs a scenario, at each call. */
  void run(CrashScenario scenario) throws IOException {
    CrashMedium found = media.get();
    CrashLedger promised = new CrashLedger();
    scenario.before(found, promised);
    Row row = rows.computeIfAbsent(scenario.title(), name -> new Row());
    for (boolean midway : found.hasMiddles() ? new boolean[] {false, true} : new boolean[1]) {
      boolean stopped = true;
      for (int k = 1; stopped; k++) {
        CrashMedium medium = found.copy();
        medium.stopsAt(k, midway);
        CrashLedger ledger = promised.copy();
        ledger.diesWith(medium::isStopped);
        String where = title + ", " + scenario.title() + ", stop at " + k + (midway ? ".5" : "");
        act(scenario, medium, ledger, where, row);
        stopped = medium.isStopped();
        row.calls = midway ? row.calls : k - 1;
        // elsewhere the middle of a call is its beginning or its end
        if (!midway || isDivisible(medium)) {
          look(medium, ledger, where, row);
        }
      }
    }
  }

  private static boolean isDivisible(CrashMedium medium) {
    List<String> calls = medium.calls();
    return medium.isStopped() && calls.get(calls.size() - 1).matches("\\d+ (WRITE|FORCE) .*");
  }

  private void act(
      CrashScenario scenario, CrashMedium medium, CrashLedger ledger, String where, Row row) {
    try {
      scenario.act(medium, ledger);
    } catch (IOException | RuntimeException | AssertionError e) {
      if (!medium.isStopped() || e instanceof AssertionError) {
        violated(where, e, medium, row);
      }
    }
    try {
      medium.assertNothingIsOpen();
    } catch (AssertionError e) {
      violated(where, e, medium, row);
    }
  }

  private void look(CrashMedium medium, CrashLedger ledger, String where, Row row)
      throws IOException {
    Set<Long> seen = new HashSet<>();
    for (Left left : medium.left(losses)) {
      row.cases.merge(left.kind(), 1, Integer::sum);
      if (seen.add(left.fingerprint())) {
        row.looked++;
        try {
          Aftermath.check(left.medium(), ledger.copy());
        } catch (IOException | RuntimeException | AssertionError e) {
          violated(where + ", " + left.how(), e, medium, row);
        }
      }
    }
  }

  private void violated(String where, Throwable what, CrashMedium medium, Row row) {
    row.violations++;
    StringBuilder text = new StringBuilder(where + ": " + what);
    List<String> calls = medium.calls();
    for (String call : calls.subList(Math.max(0, calls.size() - 8), calls.size())) {
      text.append("\n    ").append(call);
    }
    for (StackTraceElement frame : what.getStackTrace()) {
      if (frame.getClassName().startsWith("dev.ckpt")) {
        text.append("\n      at ").append(frame);
      }
    }
    violations.add(text.toString());
  }

  /** The first few, to be read by a person; empty if there is none. */
  List<String> violations() {
    return violations.stream().limit(5).toList();
  }

  /** How many there are. */
  int violationCount() {
    return violations.size();
  }

  /** How many leftovers there were. */
  int cases() {
    return rows.values().stream()
        .flatMap(row -> row.cases.values().stream())
        .mapToInt(Integer::intValue)
        .sum();
  }

  /** Scenario x damage. */
  String table() {
    Set<String> kinds = new LinkedHashSet<>();
    rows.values().forEach(row -> kinds.addAll(row.cases.keySet()));
    StringBuilder table = new StringBuilder(title).append('\n');
    line(table, "scenario", "calls", kinds, "cases", "distinct", "violations");
    int calls = 0;
    int looked = 0;
    Map<String, Integer> sums = new LinkedHashMap<>();
    for (Map.Entry<String, Row> each : rows.entrySet()) {
      Row row = each.getValue();
      row.cases.forEach((kind, count) -> sums.merge(kind, count, Integer::sum));
      line(
          table,
          each.getKey(),
          row.calls,
          counts(kinds, row.cases),
          sum(row.cases),
          row.looked,
          row.violations);
      calls += row.calls;
      looked += row.looked;
    }
    line(table, "total", calls, counts(kinds, sums), sum(sums), looked, violations.size());
    return table
        .append(
            String.format(
                Locale.ROOT,
                "%d calls x %d leftovers, %d cases run, %d violations%n",
                calls,
                Math.max(1, losses.size() + (losses.isEmpty() ? 0 : 1)),
                sum(sums),
                violations.size()))
        .toString();
  }

  private static List<String> counts(Set<String> kinds, Map<String, Integer> cases) {
    return kinds.stream().map(kind -> String.valueOf(cases.getOrDefault(kind, 0))).toList();
  }

  private static int sum(Map<String, Integer> cases) {
    return cases.values().stream().mapToInt(Integer::intValue).sum();
  }

  private static void line(
      StringBuilder table, String first, Object calls, Iterable<String> kinds, Object... last) {
    table.append(String.format(Locale.ROOT, "%-30s %6s", first, calls));
    kinds.forEach(kind -> table.append(String.format(Locale.ROOT, " %14s", kind)));
    for (Object each : last) {
      table.append(String.format(Locale.ROOT, " %10s", each));
    }
    table.append('\n');
  }

  /** Prints the table in one piece, and keeps it under the module's build folder. */
  void print(String file) {
    String table = table();
    System.out.println(table);
    try {
      Path classes =
          Path.of(CrashMatrix.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      Path folder = Files.createDirectories(classes.resolveSibling("crash-matrix"));
      Files.writeString(folder.resolve(file), table);
    } catch (IOException | java.net.URISyntaxException e) {
      throw new UncheckedIOException(new IOException(e));
    }
  }
}
