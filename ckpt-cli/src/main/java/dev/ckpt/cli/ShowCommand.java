package dev.ckpt.cli;

import dev.ckpt.Attempt;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.ListedCheckpoint;
import dev.ckpt.Placement;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import dev.ckpt.manifest.CheckpointId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "show",
    description = {
      "One checkpoint: where the training stood, its tensors and small values, and the"
          + " process that saved it.",
      "Reads no tensor's contents; see verify for that."
    },
    footer = {
      "",
      "Examples:",
      "  ckpt show latest",
      "  ckpt show 000001-000000000100-0 --config",
      "  ckpt show 'best(loss,min)' --json"
    })
final class ShowCommand extends StoreCommand {
  private static final int WIDEST_VALUE = 80;

  @Parameters(paramLabel = "ID", description = "Which checkpoint.")
  private String id = "";

  @Option(
      names = "--config",
      description =
          "The configuration of the process that saved it, with the origin of each value.")
  private boolean config;

  @Option(names = "--json", description = "One JSON document.")
  private boolean json;

  @Override
  int on(Place place, Console console) {
    String run = place.run();
    Checkpoints checkpoints = place.checkpoints(run);
    String meant = Reference.resolve(run, checkpoints, id);
    Optional<ListedCheckpoint> listed =
        checkpoints.all().stream().filter(each -> each.id().equals(meant)).findFirst();
    listed.ifPresent(each -> requireUsable(run, each));
    int number = CheckpointId.parse(meant).map(CheckpointId::attempt).orElse(0);
    Optional<Attempt> attempt =
        checkpoints.attempts().stream().filter(each -> each.number() == number).findFirst();
    try (Checkpoints.Opened open = checkpoints.open(meant)) {
      if (json) {
        json(run, listed, attempt, open).print(console);
      } else {
        if (!config) {
          printFacts(run, listed, attempt, open.checkpoint(), console);
          printContents(open, console);
        } else {
          printConfig(number, attempt, console);
        }
      }
    }
    return Exit.FINE;
  }

  private static void requireUsable(String run, ListedCheckpoint listed) {
    String what =
        listed.id()
            + " of run '"
            + run
            + "': "
            + Text.word(listed.standing())
            + ": "
            + listed.reason();
    switch (listed.standing()) {
      case LIVE, DEAD_BRANCH, UNKNOWN -> {}
      case DAMAGED -> throw new CheckpointException.Corrupt(what);
      case NEWER -> throw new CheckpointException.Incompatible(what);
      case ABORTED, UNDECIDED, DELETED, QUARANTINED -> throw new CheckpointException.NotFound(what);
    }
  }

  private static void printFacts(
      String run,
      Optional<ListedCheckpoint> listed,
      Optional<Attempt> attempt,
      Checkpoint checkpoint,
      Console console) {
    List<String> marks = new ArrayList<>();
    listed.ifPresent(
        each -> {
          marks.add(Text.word(each.standing()));
          if (each.pinned()) {
            marks.add("pinned");
          }
        });
    if (!checkpoint.finite()) {
      marks.add("holds NaN or infinities");
    }
    fact(
        console,
        "checkpoint",
        checkpoint.id() + (marks.isEmpty() ? "" : "  (" + String.join(", ", marks) + ")"));
    fact(console, "run", run);
    fact(console, "progress", Facts.progress(checkpoint.progress()));
    fact(
        console,
        "saved",
        Text.moment(checkpoint.committedAt())
            + "  ("
            + Text.age(checkpoint.committedAt(), console.clock.instant())
            + " ago)");
    fact(console, "parent", checkpoint.parent().orElse("none: saved by a fresh start"));
    fact(console, "size", Text.size(checkpoint.bytes()) + "  (" + checkpoint.bytes() + " bytes)");
    fact(console, "metrics", checkpoint.metrics().isEmpty() ? "none" : Facts.metrics(checkpoint));
    attempt.ifPresent(each -> printAttempt(each, console));
  }

  private static void printAttempt(Attempt attempt, Console console) {
    fact(
        console,
        "attempt",
        attempt.number()
            + ", "
            + (Facts.isConversion(attempt)
                ? "holds what was converted"
                : "asked to resume '"
                    + attempt.request()
                    + "', "
                    + attempt.from().map(from -> "went on from " + from).orElse("started fresh"))
            + ", "
            + Facts.end(attempt));
    new TreeMap<>(attempt.provenance())
        .forEach(
            (name, value) -> {
              if (!Origin.isConfig(name)) {
                fact(console, "  " + name, value);
              }
            });
  }

  private static void fact(Console console, String name, String value) {
    console.out.println(Text.oneLine(name + " ".repeat(Math.max(1, 13 - name.length())) + value));
  }

  private static void printContents(Checkpoints.Opened open, Console console) {
    Table tensors =
        new Table()
            .left("TENSOR")
            .left("TYPE")
            .left("SHAPE")
            .right("SIZE")
            .left("PLACEMENT")
            .movable();
    Table values = new Table().left("VALUE").left("IS").movable();
    int tensorCount = 0;
    int valueCount = 0;
    for (String part : open.parts()) {
      StateView view = open.view(part);
      for (String name : view.names()) {
        TensorSpec spec = view.spec(name);
        tensors.row(
            part + "/" + name,
            spec.type().id(),
            spec.shape().toString(),
            Text.size(spec.bytes()),
            placement(spec));
        tensorCount++;
      }
      for (String name : view.opaque()) {
        tensors.row(part + "/" + name, "opaque", "", Text.size(view.spec(name).bytes()), "");
        tensorCount++;
      }
      for (String name : view.values()) {
        String value = Json.of(view.value(name, Object.class));
        values.row(part + "/" + name, Text.shortened(value, WIDEST_VALUE));
        valueCount++;
      }
    }
    if (tensorCount > 0) {
      console.out.println();
      tensors.print(console);
    }
    if (valueCount > 0) {
      console.out.println();
      values.print(console);
    }
  }

  static String placement(TensorSpec spec) {
    if (spec.placement() instanceof Placement.Slice slice) {
      return "part of " + slice.global() + " from " + slice.start();
    }
    return spec.placement() instanceof Placement.Replicated ? "replicated" : "";
  }

  private static void printConfig(int number, Optional<Attempt> attempt, Console console) {
    TreeMap<String, Origin> found = Origin.config(attempt);
    if (found.isEmpty()) {
      console.say("attempt " + number + " has recorded no configuration");
      return;
    }
    Table table = new Table().left("KEY").left("VALUE").movable().left("FROM").movable();
    found.forEach((key, origin) -> table.row(key, origin.value(), origin.from()));
    table.print(console);
  }

  private static Json json(
      String run,
      Optional<ListedCheckpoint> listed,
      Optional<Attempt> attempt,
      Checkpoints.Opened open) {
    Json facts = listed.map(Facts::of).orElseGet(() -> Facts.of(open.checkpoint()));
    return facts
        .put("run", run)
        .put("attempt", attempt.map(Facts::of))
        .put("config", config(attempt))
        .list("parts", open.parts(), part -> part(part, open.view(part)));
  }

  private static Json config(Optional<Attempt> attempt) {
    Json all = new Json();
    Origin.config(attempt)
        .forEach(
            (key, origin) ->
                all.put(key, new Json().put("value", origin.value()).put("from", origin.from())));
    return all;
  }

  private static Json part(String part, StateView view) {
    Json values = new Json();
    for (String name : new TreeSet<>(view.values())) {
      values.put(name, view.value(name, Object.class));
    }
    return new Json()
        .put("part", part)
        .list("tensors", view.names(), name -> tensor(view.spec(name)))
        .list(
            "opaque",
            view.opaque(),
            name -> new Json().put("name", name).put("bytes", view.spec(name).bytes()))
        .put("values", values);
  }

  private static Json tensor(TensorSpec spec) {
    return new Json()
        .put("name", spec.name())
        .put("dtype", spec.type().id())
        .put("shape", Arrays.stream(spec.shape().dims()).boxed().toList())
        .put("bytes", spec.bytes())
        .put("placement", placement(spec));
  }
}
