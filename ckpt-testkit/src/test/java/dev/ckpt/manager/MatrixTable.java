package dev.ckpt.manager;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** What a matrix has run: scenario x kind of damage or fault. A row belongs to one thread. */
final class MatrixTable {

  /** One row. */
  static final class Row {
    /** Calls at which something happened. */
    int calls;

    /** Leftovers that were looked at; of equal ones of the same stop one. */
    int distinct;

    private int violations;
    private final Map<String, Integer> cases = new LinkedHashMap<>();

    void count(String kind) {
      cases.merge(kind, 1, Integer::sum);
    }

    private int sum() {
      return cases.values().stream().mapToInt(Integer::intValue).sum();
    }
  }

  private final String title;
  private final Map<String, Row> rows = new LinkedHashMap<>();
  private final List<String> violations = new ArrayList<>();

  MatrixTable(String title) {
    this.title = title;
  }

  synchronized Row row(String scenario) {
    return rows.computeIfAbsent(scenario, name -> new Row());
  }

  /** Runs scenarios at once, as far as there are processors: they share nothing. */
  void each(List<CrashScenario> scenarios, Body body) {
    scenarios.forEach(scenario -> row(scenario.title()));
    scenarios.parallelStream()
        .forEach(
            scenario -> {
              try {
                body.run(scenario);
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
  }

  /** What is done with a scenario. */
  interface Body {
    void run(CrashScenario scenario) throws IOException;
  }

  /**
   * Something that must not be.
   *
   * @param calls what was done before it
   */
  synchronized void violated(Row row, String where, Throwable what, List<String> calls) {
    row.violations++;
    StringBuilder text = new StringBuilder(title + ", " + where + ": " + what);
    for (String call : calls.subList(Math.max(0, calls.size() - 8), calls.size())) {
      text.append("\n    ").append(call);
    }
    for (Throwable cause = what; cause != null; cause = cause.getCause()) {
      text.append("\n      ").append(cause);
      for (StackTraceElement frame : cause.getStackTrace()) {
        if (frame.getClassName().startsWith("dev.ckpt")) {
          text.append("\n        at ").append(frame);
        }
      }
    }
    violations.add(text.toString());
  }

  /** The first few, to be read by a person. */
  List<String> violations() {
    return violations.stream().limit(5).toList();
  }

  /** How many. */
  int violationCount() {
    return violations.size();
  }

  /** How many leftovers there were. */
  int cases() {
    return rows.values().stream().mapToInt(Row::sum).sum();
  }

  @Override
  public String toString() {
    Set<String> kinds = new LinkedHashSet<>();
    rows.values().forEach(row -> kinds.addAll(row.cases.keySet()));
    StringBuilder text = new StringBuilder(title).append('\n');
    line(text, "scenario", "calls", kinds, "cases", "distinct", "violations");
    Row total = new Row();
    rows.forEach(
        (scenario, row) -> {
          row(text, scenario, row, kinds);
          row.cases.forEach((kind, count) -> total.cases.merge(kind, count, Integer::sum));
          total.calls += row.calls;
          total.distinct += row.distinct;
          total.violations += row.violations;
        });
    row(text, "total", total, kinds);
    return text.append(
            String.format(
                Locale.ROOT,
                "%d calls x damages = %d cases run, %d of them distinct: %d violations%n",
                total.calls,
                total.sum(),
                total.distinct,
                total.violations))
        .toString();
  }

  private static void row(StringBuilder text, String first, Row row, Set<String> kinds) {
    List<String> counts =
        kinds.stream().map(kind -> String.valueOf(row.cases.getOrDefault(kind, 0))).toList();
    line(text, first, row.calls, counts, row.sum(), row.distinct, row.violations);
  }

  private static void line(
      StringBuilder text, String first, Object calls, Iterable<String> kinds, Object... last) {
    text.append(String.format(Locale.ROOT, "%-30s %6s", first, calls));
    kinds.forEach(kind -> text.append(String.format(Locale.ROOT, " %14s", kind)));
    for (Object each : last) {
      text.append(String.format(Locale.ROOT, " %10s", each));
    }
    text.append('\n');
  }

  /** Prints it in one piece, and keeps it in a file under the module's build folder. */
  void print(String file) {
    System.out.println(this);
    try {
      Path classes =
          Path.of(MatrixTable.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      Path folder = Files.createDirectories(classes.resolveSibling("crash-matrix"));
      Files.writeString(folder.resolve(file), toString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
