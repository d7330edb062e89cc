package dev.ckpt.cli;

import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.ListedCheckpoint;
import dev.ckpt.ListedCheckpoint.Standing;
import dev.ckpt.Verification;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "verify",
    description = {
      "Compares every byte of a checkpoint with its checksum.",
      "With --all of every committed one, also on dead branches, and of the run's"
          + " records; with --all-runs of all that the store holds. Ends with 1 if anything is"
          + " damaged."
    },
    footer = {
      "",
      "Examples:",
      "  ckpt verify",
      "  ckpt verify 000001-000000000100-0",
      "  ckpt --run digits verify --all --json",
      "  ckpt verify --all-runs"
    })
final class VerifyCommand extends StoreCommand {
  private static final String RECORDS = "the run's records";

  @Parameters(
      paramLabel = "ID",
      arity = "0..1",
      description = "Which checkpoint; unless given the latest, and what is damaged above it.")
  private @Nullable String id;

  @Option(names = "--all", description = "All committed checkpoints, and the run's records.")
  private boolean all;

  @Option(names = "--all-runs", description = "As --all, of all runs of the store.")
  private boolean allRuns;

  @Option(names = "--json", description = "One JSON document.")
  private boolean json;

  /** What is known after the look. */
  private static final class Findings {
    final String run;
    final List<Verification> checkpoints = new ArrayList<>();
    final List<ListedCheckpoint> newer = new ArrayList<>();
    final Map<String, String> unread = new LinkedHashMap<>();
    Optional<Verification> records = Optional.empty();
    Optional<String> newerRecords = Optional.empty();

    Findings(String run) {
      this.run = run;
    }

    long bytes() {
      return checkpoints.stream().mapToLong(Verification::bytes).sum();
    }

    /** A manifest is a record, too, but damage is said once. */
    void records(Verification all) {
      Set<String> said = new HashSet<>();
      checkpoints.forEach(each -> said.addAll(each.problems()));
      records =
          Optional.of(
              new Verification(
                  all.id(),
                  all.bytes(),
                  all.problems().stream().filter(each -> !said.contains(each)).toList()));
    }

    boolean damaged() {
      return !checkpoints.stream().allMatch(Verification::ok)
          || !records.map(Verification::ok).orElse(true);
    }

    int code() {
      if (damaged()) {
        return Exit.FOUND;
      }
      if (!unread.isEmpty()) {
        return Exit.STORE;
      }
      return newer.isEmpty() && newerRecords.isEmpty() ? Exit.FINE : Exit.NEWER;
    }
  }

  @Override
  int on(Place place, Console console) {
    if ((all || allRuns) && id != null) {
      throw wrong("an ID and " + (all ? "--all" : "--all-runs") + " exclude each other");
    }
    if (allRuns && runIsGiven()) {
      throw wrong("--all-runs is about all runs; leave --run out");
    }
    List<String> runs = place.chosen(allRuns);
    if (runs.isEmpty()) {
      // a look at nothing proves nothing
      throw new CheckpointException.NotFound("there is no run in " + place.store().uri());
    }
    List<Findings> findings = new ArrayList<>();
    double seconds;
    String speed;
    if (all || allRuns) {
      Map<String, List<ListedCheckpoint>> chosen = new LinkedHashMap<>();
      for (String run : runs) {
        chosen.put(run, chosen(run, place.checkpoints(run), findings));
      }
      long bytes =
          chosen.values().stream().flatMap(List::stream).mapToLong(ListedCheckpoint::bytes).sum();
      try (Bar bar = new Bar(console, bytes)) {
        for (Findings each : findings) {
          verify(place.checkpoints(each.run), chosen.getOrDefault(each.run, List.of()), bar, each);
        }
        seconds = bar.seconds();
        speed = bar.speed(bar.bytes());
      }
    } else {
      String run = runs.get(0);
      Checkpoints checkpoints = place.checkpoints(run);
      Findings one = new Findings(run);
      findings.add(one);
      Optional<String> meant = meant(run, checkpoints, one);
      try (Bar bar = new Bar(console, meant.map(each -> size(checkpoints, each)).orElse(0L))) {
        meant.ifPresent(each -> one.checkpoints.add(checkpoints.verify(each, bar::add)));
        seconds = bar.seconds();
        speed = bar.speed(bar.bytes());
      }
    }
    int code = code(findings);
    if (allRuns && code == Exit.FINE && !place.links().isEmpty()) {
      code = Exit.STORE; // what was not looked at may be damaged
    }
    if (!json) {
      print(findings, seconds, speed, console);
    } else if (allRuns) {
      new Json()
          .put("ok", code == Exit.FINE)
          .list("runs", findings, VerifyCommand::json)
          .put("bytes", findings.stream().mapToLong(Findings::bytes).sum())
          .put("seconds", seconds)
          .print(console);
    } else {
      json(findings.get(0)).put("seconds", seconds).print(console);
    }
    return code;
  }

  /**
   * What is to be verified. What is damaged and newer than the latest that can be used is damage:
   * it would be the latest. So is a record without which nobody can tell which that is.
   */
  private Optional<String> meant(String run, Checkpoints checkpoints, Findings findings) {
    String asked = id == null ? "latest" : id;
    String meant;
    try {
      meant = Reference.resolve(run, checkpoints, asked);
    } catch (CheckpointException.Corrupt e) {
      String why = String.valueOf(e.getMessage());
      findings.checkpoints.add(new Verification(asked, 0, List.of(why)));
      return Optional.empty();
    }
    if (asked.equals("latest")) {
      checkpoints.all().stream()
          .filter(each -> each.standing() == Standing.DAMAGED && each.id().compareTo(meant) > 0)
          .forEach(
              each ->
                  findings.checkpoints.add(new Verification(each.id(), 0, List.of(each.reason()))));
    }
    return Optional.of(meant);
  }

  /** Damage of one run says more than that another one cannot be read by this version. */
  private static int code(List<Findings> findings) {
    if (findings.stream().anyMatch(Findings::damaged)) {
      return Exit.FOUND;
    }
    return findings.stream().mapToInt(Findings::code).max().orElse(Exit.FINE);
  }

  /** A run that cannot be listed keeps no other from being looked at. */
  private static List<ListedCheckpoint> chosen(
      String run, Checkpoints checkpoints, List<Findings> findings) {
    Findings its = new Findings(run);
    findings.add(its);
    try {
      return checkpoints.all().stream().filter(VerifyCommand::canBeVerified).toList();
    } catch (UncheckedIOException e) {
      its.unread.put("its list", Failures.message(e));
      return List.of();
    } catch (CheckpointException.Incompatible e) {
      its.newerRecords = Optional.of(String.valueOf(e.getMessage()));
      return List.of();
    }
  }

  private static void verify(
      Checkpoints checkpoints, List<ListedCheckpoint> chosen, Bar bar, Findings findings) {
    for (ListedCheckpoint each : chosen) {
      verify(checkpoints, each, bar, findings);
    }
    try {
      findings.records(checkpoints.verifyRecords());
    } catch (CheckpointException.Incompatible e) {
      // says nothing of the checkpoints that this version can read
      findings.newerRecords = Optional.of(String.valueOf(e.getMessage()));
    } catch (UncheckedIOException e) {
      findings.unread.put(RECORDS, String.valueOf(e.getMessage()));
    }
  }

  private static boolean canBeVerified(ListedCheckpoint each) {
    return switch (each.standing()) {
      case LIVE, DEAD_BRANCH, UNKNOWN, DAMAGED, NEWER -> true;
      case ABORTED, UNDECIDED, DELETED, QUARANTINED -> false;
    };
  }

  private static void verify(
      Checkpoints checkpoints, ListedCheckpoint listed, Bar bar, Findings findings) {
    if (listed.standing() == Standing.NEWER) {
      findings.newer.add(listed);
      return;
    }
    try {
      findings.checkpoints.add(checkpoints.verify(listed.id(), bar::add));
    } catch (CheckpointException.NotFound e) {
      if (listed.standing() == Standing.DAMAGED) {
        findings.checkpoints.add(new Verification(listed.id(), 0, List.of(listed.reason())));
      }
      // else its training deleted it meanwhile
    } catch (UncheckedIOException e) {
      // of the others there is still something to say
      findings.unread.put(listed.id(), String.valueOf(e.getMessage()));
    }
  }

  private static long size(Checkpoints checkpoints, String id) {
    try (Checkpoints.Opened open = checkpoints.open(id)) {
      return open.checkpoint().bytes();
    } catch (CheckpointException.Corrupt | CheckpointException.NotFound e) {
      return 0; // verify says which
    }
  }

  private static Json json(Findings findings) {
    return new Json()
        .put("run", findings.run)
        .put("ok", findings.code() == Exit.FINE)
        .list("checkpoints", findings.checkpoints, Facts::of)
        .put("records", findings.records.map(Facts::of))
        .list("newer", findings.newer, ListedCheckpoint::id)
        .put("unread", findings.unread)
        .put("bytes", findings.bytes());
  }

  private void print(List<Findings> findings, double seconds, String speed, Console console) {
    Table table = new Table().left("RUN").left("ID").left("IS").right("SIZE").text("PROBLEM");
    for (Findings each : findings) {
      rows(table, allRuns ? each.run : "", each);
    }
    table.print(console);
    List<Verification> all = findings.stream().flatMap(each -> each.checkpoints.stream()).toList();
    long damaged = all.stream().filter(each -> !each.ok()).count();
    long records =
        findings.stream().filter(each -> !each.records.map(Verification::ok).orElse(true)).count();
    long unread = findings.stream().mapToLong(each -> each.unread.size()).sum();
    console.out.printf(
        Locale.ROOT,
        "%s verified, %s in %.1f s, %s; %d damaged%s%s%n",
        Text.count(all.size(), "checkpoint"),
        Text.size(findings.stream().mapToLong(Findings::bytes).sum()),
        seconds,
        speed,
        damaged,
        records == 0
            ? ""
            : allRuns
                ? "; the records of " + Text.count(records, "run") + " are damaged"
                : "; the run's records are damaged",
        unread == 0 ? "" : "; " + unread + " unread");
  }

  private static void rows(Table table, String run, Findings findings) {
    for (Verification each : findings.checkpoints) {
      row(table, run, each.id(), each);
    }
    for (ListedCheckpoint each : findings.newer) {
      table.row(Table.Tone.BAD, List.of(run, each.id(), "newer", "", each.reason()));
    }
    findings.unread.forEach(
        (what, why) -> table.row(Table.Tone.BAD, List.of(run, what, "unread", "", why)));
    findings.records.ifPresent(each -> row(table, run, RECORDS, each));
    findings.newerRecords.ifPresent(
        reason -> table.row(Table.Tone.BAD, List.of(run, RECORDS, "newer", "", reason)));
  }

  private static void row(Table table, String run, String what, Verification each) {
    if (each.ok()) {
      table.row(run, what, "whole", Text.size(each.bytes()), "");
    }
    String of = run;
    String name = what;
    String word = "damaged";
    for (String problem : each.problems()) {
      table.row(Table.Tone.BAD, List.of(of, name, word, "", problem));
      of = "";
      name = "";
      word = "";
    }
  }
}
