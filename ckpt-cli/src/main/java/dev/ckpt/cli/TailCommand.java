package dev.ckpt.cli;

import dev.ckpt.Attempt;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.ListedCheckpoint;
import dev.ckpt.manifest.CheckpointId;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "tail",
    description = {
      "Follows a run: prints commits, attempts and their ends as they come.",
      "Waits for a store or a run that is not there yet. Ends when the run is completed, when its"
          + " reader leaves, or with 130 on Ctrl+C. Whether a run that nobody trains goes on, only"
          + " its owner knows: that is said, and waited for, unless --no-wait is given."
    },
    footer = {
      "",
      "Examples:",
      "  ckpt tail",
      "  ckpt tail -n 0 --interval 500ms",
      "  ckpt tail --no-wait",
      "  ckpt --run digits tail --json"
    })
final class TailCommand extends StoreCommand {
  private static final int PATIENCE = 5;

  @Option(
      names = "-n",
      paramLabel = "N",
      description = "Begin with the newest N that are there; 10.")
  private int first = 10;

  @Option(
      names = "--interval",
      paramLabel = "DURATION",
      converter = Units.Time.class,
      description = "How often to look; 2s unless given.")
  private Duration interval = Duration.ofSeconds(2);

  @Option(
      names = "--no-wait",
      description =
          "Wait for nothing but an attempt that runs: end when none does, and with 3 if there is no"
              + " such store or run.")
  private boolean noWait;

  @Option(names = "--json", description = "One JSON document on each line.")
  private boolean json;

  /** Something that happened, with the words that name it: each is printed once. */
  private record Event(Instant at, String key, String line, Json json) {}

  @Override
  Place open(Ckpt root) throws IOException {
    requireUsage();
    try (Reader reader = Reader.of(root.console)) {
      return awaited(root.console, reader, () -> super.open(root));
    }
  }

  private void requireUsage() {
    if (first < 0 || interval.isZero()) {
      throw wrong("-n needs at least 0, --interval more than 0");
    }
  }

  /** Something that may not be there yet. */
  @FunctionalInterface
  private interface Awaited<T> {
    T get() throws IOException;
  }

  private <T> T awaited(Console console, Reader reader, Awaited<T> what) throws IOException {
    boolean said = false;
    while (true) {
      try {
        return what.get();
      } catch (Problem | CheckpointException.NotFound missing) {
        if (noWait || Failures.code(missing) != Exit.NOT_FOUND) {
          throw missing;
        }
        if (!said) {
          console.say(Failures.message(missing) + "; waiting for it (Ctrl+C ends)");
          said = true;
        }
        if (reader.leftWithin(interval)) {
          throw missing;
        }
      }
    }
  }

  @Override
  int on(Place place, Console console) throws IOException {
    try (Reader reader = Reader.of(console)) {
      return follow(place.checkpoints(awaited(console, reader, place::run)), console, reader);
    }
  }

  private int follow(Checkpoints checkpoints, Console console, Reader reader) {
    Set<String> known = new HashSet<>();
    int failures = 0;
    int idle = 0;
    boolean begun = false;
    while (true) {
      try {
        List<Attempt> attempts = checkpoints.attempts();
        List<Event> events = new ArrayList<>();
        for (Event event : events(attempts, checkpoints.all())) {
          if (known.add(event.key())) {
            events.add(event);
          }
        }
        int from = begun ? 0 : Math.max(0, events.size() - first);
        events.subList(from, events.size()).forEach(event -> print(event, console));
        begun = true;
        failures = 0;
        if (console.ended() || completed(attempts)) {
          return Exit.FINE;
        }
        Optional<Attempt> last = last(attempts).filter(each -> !mayRun(each));
        if (noWait && (attempts.isEmpty() || last.isPresent())) {
          return Exit.FINE;
        }
        if (last.isPresent() && last.get().number() != idle) {
          idle = last.get().number();
          console.say(
              "attempt "
                  + idle
                  + " is "
                  + Facts.end(last.get())
                  + " and no other runs: waiting for the next one (Ctrl+C ends; --no-wait does not"
                  + " wait)");
        }
      } catch (UncheckedIOException e) {
        // a file share may be away for a moment
        if (++failures >= PATIENCE) {
          throw e;
        }
        console.say("trying again: " + Failures.message(e));
      }
      if (reader.leftWithin(interval)) {
        return Exit.FINE;
      }
    }
  }

  /** Of another machine nobody here can tell. */
  private static boolean mayRun(Attempt attempt) {
    return attempt.end() == Attempt.End.RUNNING || attempt.end() == Attempt.End.UNKNOWN;
  }

  /** An attempt behind it that began nothing, and is gone, has not taken that back. */
  private static Optional<Attempt> last(List<Attempt> attempts) {
    return attempts.stream()
        // one behind it that began nothing, and is gone, has not taken a completion back
        .filter(each -> each.started() || each.end() == Attempt.End.RUNNING)
        .reduce((older, newer) -> newer);
  }

  private static boolean completed(List<Attempt> attempts) {
    return last(attempts).filter(each -> each.end() == Attempt.End.COMPLETED).isPresent();
  }

  private static List<Event> events(List<Attempt> attempts, List<ListedCheckpoint> all) {
    List<Event> events = new ArrayList<>();
    for (Attempt each : attempts) {
      begin(each).ifPresent(events::add);
    }
    Map<Integer, Instant> newest = new HashMap<>();
    for (ListedCheckpoint each : all) {
      each.checkpoint().map(TailCommand::commit).ifPresent(events::add);
      each.checkpoint()
          .ifPresent(c -> newest.merge(attemptOf(c), c.committedAt(), TailCommand::later));
    }
    for (Attempt each : attempts) {
      Optional<Instant> killed = Optional.ofNullable(newest.get(each.number())).or(each::startedAt);
      end(each, each.endedAt().or(() -> killed).orElse(Instant.EPOCH)).ifPresent(events::add);
    }
    // stable: what bears the same time stays in this order
    events.sort(Comparator.comparing(Event::at));
    return events;
  }

  private static Optional<Event> begin(Attempt attempt) {
    if (!attempt.started()) {
      return Optional.empty();
    }
    String from = attempt.from().map(id -> "from " + id).orElse("fresh start");
    return Optional.of(
        new Event(
            attempt.startedAt().orElse(Instant.EPOCH),
            "attempt " + attempt.number(),
            "attempt " + attempt.number() + "  " + from,
            new Json()
                .put("event", "attempt")
                .put("at", attempt.startedAt())
                .put("attempt", attempt.number())
                .put("from", attempt.from())));
  }

  private static int attemptOf(Checkpoint committed) {
    return CheckpointId.parse(committed.id()).map(CheckpointId::attempt).orElse(0);
  }

  private static Instant later(Instant one, Instant other) {
    return one.isAfter(other) ? one : other;
  }

  /** A killed attempt wrote no time: it ended after its last sign of life. */
  private static Optional<Event> end(Attempt attempt, Instant at) {
    if (!attempt.started()
        || attempt.end() == Attempt.End.RUNNING
        || attempt.end() == Attempt.End.UNKNOWN) {
      return Optional.empty();
    }
    String lost = LogCommand.lost(attempt);
    return Optional.of(
        new Event(
            at,
            "end " + attempt.number() + " " + attempt.end(),
            "attempt "
                + attempt.number()
                + "  "
                + Facts.end(attempt)
                + attempt.cause().map(cause -> ": " + cause).orElse("")
                + (lost.isEmpty() ? "" : ", lost " + lost),
            new Json()
                .put("event", "end")
                .put("at", attempt.endedAt())
                .put("attempt", attempt.number())
                .put("end", Text.name(attempt.end()))
                .put("cause", attempt.cause())
                .put("lostSteps", attempt.lostSteps())));
  }

  private static Event commit(Checkpoint committed) {
    String metrics = Facts.metrics(committed);
    return new Event(
        committed.committedAt(),
        "commit " + committed.id(),
        committed.id()
            + "  step "
            + committed.progress().step()
            + ", epoch "
            + committed.progress().epoch()
            + ", "
            + Text.size(committed.bytes())
            + (metrics.isEmpty() ? "" : "  " + metrics)
            + (committed.finite() ? "" : "  not finite"),
        new Json()
            .put("event", "commit")
            .put("at", committed.committedAt())
            .put("checkpoint", Facts.of(committed)));
  }

  private void print(Event event, Console console) {
    if (json) {
      event.json().printLine(console);
    } else {
      console.out.println(Text.moment(event.at()) + "  " + Text.oneLine(event.line()));
    }
  }
}
