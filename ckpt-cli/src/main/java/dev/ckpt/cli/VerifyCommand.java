package dev.ckpt.cli;

import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.ListedCheckpoint;
import dev.ckpt.ListedCheckpoint.Standing;
import dev.ckpt.Verification;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "verify",
    description = {
      "Compares every byte of a checkpoint with its checksum.",
      "With --all of every committed one, also on dead branches, and of the run's"
          + " records. Ends with 1 if anything is damaged."
    },
    footer = {
      "",
      "Examples:",
      "  ckpt verify",
      "  ckpt verify 000001-000000000100-0",
      "  ckpt --run digits verify --all --json"
    })
final class VerifyCommand extends StoreCommand {
  private static final String RECORDS = "the run's records";

  @Parameters(
      paramLabel = "ID",
      arity = "0..1",
      description = "Which checkpoint; the latest unless given.")
  private @Nullable String id;

  @Option(names = "--all", description = "All committed checkpoints, and the run's records.")
  private boolean all;

  @Option(names = "--json", description = "One JSON document.")
  private boolean json;

  /** What is known after the look. */
  private static final class Findings {
    final List<Verification> checkpoints = new ArrayList<>();
    final List<ListedCheckpoint> newer = new ArrayList<>();
    Optional<Verification> records = Optional.empty();
    Optional<String> newerRecords = Optional.empty();

    boolean damaged() {
      return !checkpoints.stream().allMatch(Verification::ok)
          || !records.map(Verification::ok).orElse(true);
    }

    int code() {
      if (damaged()) {
        return Exit.FOUND;
      }
      return newer.isEmpty() && newerRecords.isEmpty() ? Exit.FINE : Exit.NEWER;
    }
  }

  @Override
  int on(Place place, Console console) {
    if (all && id != null) {
      throw wrong("an ID and --all exclude each other");
    }
    String run = place.run();
    Checkpoints checkpoints = place.checkpoints(run);
    Findings findings = new Findings();
    double seconds;
    String speed;
    if (all) {
      List<ListedCheckpoint> chosen =
          checkpoints.all().stream().filter(VerifyCommand::canBeVerified).toList();
      long bytes = chosen.stream().mapToLong(ListedCheckpoint::bytes).sum();
      try (Bar bar = new Bar(console, bytes)) {
        verifyRecords(checkpoints, findings);
        for (ListedCheckpoint each : chosen) {
          verify(checkpoints, each, bar, findings);
        }
        seconds = bar.seconds();
        speed = bar.speed(bar.bytes());
      }
    } else {
      String meant = Reference.resolve(run, checkpoints, id == null ? "latest" : id);
      try (Bar bar = new Bar(console, size(checkpoints, meant))) {
        findings.checkpoints.add(checkpoints.verify(meant, bar::add));
        seconds = bar.seconds();
        speed = bar.speed(bar.bytes());
      }
    }
    if (json) {
      json(run, findings, seconds).print(console);
    } else {
      print(findings, seconds, speed, console);
    }
    return findings.code();
  }

  private static void verifyRecords(Checkpoints checkpoints, Findings findings) {
    try {
      findings.records = Optional.of(checkpoints.verifyRecords());
    } catch (CheckpointException.Incompatible e) {
      // says nothing of the checkpoints that this version can read
      findings.newerRecords = Optional.of(String.valueOf(e.getMessage()));
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
    }
  }

  private static long size(Checkpoints checkpoints, String id) {
    try (Checkpoints.Opened open = checkpoints.open(id)) {
      return open.checkpoint().bytes();
    } catch (CheckpointException.Corrupt e) {
      return 0;
    }
  }

  private static Json json(String run, Findings findings, double seconds) {
    return new Json()
        .put("run", run)
        .put("ok", findings.code() == Exit.FINE)
        .list("checkpoints", findings.checkpoints, Facts::of)
        .put("records", findings.records.map(Facts::of))
        .list("newer", findings.newer, ListedCheckpoint::id)
        .put("bytes", findings.checkpoints.stream().mapToLong(Verification::bytes).sum())
        .put("seconds", seconds);
  }

  private static void print(Findings findings, double seconds, String speed, Console console) {
    Table table = new Table().left("ID").left("IS").right("SIZE").left("PROBLEM");
    for (Verification each : findings.checkpoints) {
      row(table, each.id(), each);
    }
    for (ListedCheckpoint each : findings.newer) {
      table.row(Table.Tone.BAD, List.of(each.id(), "newer", "", each.reason()));
    }
    findings.records.ifPresent(each -> row(table, RECORDS, each));
    findings.newerRecords.ifPresent(
        reason -> table.row(Table.Tone.BAD, List.of(RECORDS, "newer", "", reason)));
    table.print(console);
    long bytes = findings.checkpoints.stream().mapToLong(Verification::bytes).sum();
    long damaged = findings.checkpoints.stream().filter(each -> !each.ok()).count();
    console.out.printf(
        java.util.Locale.ROOT,
        "%s verified, %s in %.1f s, %s; %d damaged%s%n",
        Text.count(findings.checkpoints.size(), "checkpoint"),
        Text.size(bytes),
        seconds,
        speed,
        damaged,
        findings.records.map(Verification::ok).orElse(true)
            ? ""
            : ", and so are the run's records");
  }

  private static void row(Table table, String what, Verification each) {
    if (each.ok()) {
      table.row(what, "whole", Text.size(each.bytes()), "");
    }
    String name = what;
    String word = "damaged";
    for (String problem : each.problems()) {
      table.row(Table.Tone.BAD, List.of(name, word, "", problem));
      name = "";
      word = "";
    }
  }
}
