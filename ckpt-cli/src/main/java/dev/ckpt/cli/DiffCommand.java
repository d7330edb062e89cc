package dev.ckpt.cli;

import dev.ckpt.Attempt;
import dev.ckpt.Checkpoints;
import dev.ckpt.manifest.CheckpointId;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "diff",
    description = {
      "How two checkpoints differ: for each tensor the share of changed elements, the"
          + " norms, and the largest difference; small values; where the trainings stood;"
          + " metrics and configuration.",
      "Ends with 0 if the state (all but metrics and configuration) is the same bit for"
          + " bit, with 1 if it differs."
    },
    footer = {
      "",
      "Examples:",
      "  ckpt diff 000001-000000000100-0 latest",
      "  ckpt diff --all 000001-000000000100-0 000002-000000000100-0",
      "  ckpt diff killed/latest unkilled/latest --json"
    })
final class DiffCommand extends StoreCommand {
  private static final int WIDEST_VALUE = 40;

  @Parameters(
      index = "0",
      paramLabel = "A",
      description = "An ID, or RUN/ID for one of another run of the store.")
  private String a = "";

  @Parameters(index = "1", paramLabel = "B", description = "Likewise.")
  private String b = "";

  @Option(names = "--all", description = "Also the tensors that are equal.")
  private boolean all;

  @Option(names = "--json", description = "One JSON document.")
  private boolean json;

  /** One of the two. */
  private record Side(String run, String id, Checkpoints checkpoints) {

    static Side of(Place place, String text) {
      int slash = text.indexOf('/');
      String run = slash < 0 ? place.run() : place.existing(text.substring(0, slash));
      Checkpoints checkpoints = place.checkpoints(run);
      return new Side(
          run, Reference.resolve(run, checkpoints, text.substring(slash + 1)), checkpoints);
    }

    Optional<Attempt> attempt() {
      int number = CheckpointId.parse(id).map(CheckpointId::attempt).orElse(0);
      return checkpoints.attempts().stream().filter(each -> each.number() == number).findFirst();
    }

    @Override
    public String toString() {
      return run + "/" + id;
    }
  }

  @Override
  int on(Place place, Console console) {
    Side left = Side.of(place, a);
    Side right = Side.of(place, b);
    Differences found;
    try (Checkpoints.Opened openA = left.checkpoints().open(left.id());
        Checkpoints.Opened openB = right.checkpoints().open(right.id());
        Bar bar = new Bar(console, Differences.bytes(openA, openB))) {
      found = Differences.between(openA, openB, left.attempt(), right.attempt(), bar::add);
    }
    if (json) {
      json(left, right, found).print(console);
    } else {
      print(left, right, found, console);
    }
    return found.same() ? Exit.FINE : Exit.FOUND;
  }

  private void print(Side left, Side right, Differences found, Console console) {
    console.out.println("A  " + left);
    console.out.println("B  " + right);
    console.out.println();
    List<Differences.Tensor> shown =
        found.tensors().stream().filter(each -> all || !each.same()).toList();
    long equal = found.tensors().stream().filter(Differences.Tensor::same).count();
    if (!shown.isEmpty()) {
      tensors(shown).print(console);
      console.out.println();
    }
    pairs("VALUE", found.values(), console);
    pairs("PROGRESS", found.progress(), console);
    pairs("METRIC", found.metrics(), console);
    pairs("CONFIG", found.config(), console);
    console.out.println(
        found.same()
            ? "the same state: " + Text.count(equal, "tensor") + ", all values, the progress"
            : String.format(
                Locale.ROOT,
                "the state differs: %d of %s, %s, %s",
                found.tensors().size() - equal,
                Text.count(found.tensors().size(), "tensor"),
                Text.count(found.values().size(), "value"),
                found.progress().isEmpty() ? "not the progress" : "the progress"));
  }

  private static Table tensors(List<Differences.Tensor> shown) {
    Table table =
        new Table()
            .left("TENSOR")
            .left("TYPE")
            .right("CHANGED")
            .right("NORM A")
            .movable()
            .right("NORM B")
            .movable()
            .right("LARGEST DIFFERENCE")
            .movable()
            .right("NAN A")
            .movable()
            .right("NAN B")
            .movable()
            .text("NOTE");
    for (Differences.Tensor each : shown) {
      if (each.diff().isEmpty()) {
        table.row(
            Table.Tone.BAD,
            List.of(each.name(), each.what(), "", "", "", "", "", "", each.problem()));
        continue;
      }
      TensorDiff diff = each.diff().get();
      boolean nans = diff.nansA() > 0 || diff.nansB() > 0;
      table.row(
          each.name(),
          each.what(),
          diff.equal() ? "equal" : Text.percent(diff.changed(), diff.elements()),
          Text.number(diff.normA()),
          Text.number(diff.normB()),
          diff.equal() ? "" : Text.of(diff.largest()),
          nans ? Long.toString(diff.nansA()) : "",
          nans ? Long.toString(diff.nansB()) : "",
          "");
    }
    return table;
  }

  private static void pairs(String header, List<Differences.Pair> pairs, Console console) {
    if (!pairs.isEmpty()) {
      Table table = new Table().left(header).left("A").movable().left("B").movable();
      pairs.forEach(each -> table.row(each.name(), cell(each.a()), cell(each.b())));
      table.print(console);
      console.out.println();
    }
  }

  private static String cell(Optional<Object> value) {
    return value
        .map(some -> some instanceof String text ? text : Json.of(some))
        .map(text -> Text.shortened(text, WIDEST_VALUE))
        .orElse("-");
  }

  private static Json json(Side left, Side right, Differences found) {
    return new Json()
        .put("a", new Json().put("run", left.run()).put("id", left.id()))
        .put("b", new Json().put("run", right.run()).put("id", right.id()))
        .put("same", found.same())
        .list("tensors", found.tensors(), DiffCommand::json)
        .list("values", found.values(), DiffCommand::json)
        .list("progress", found.progress(), DiffCommand::json)
        .list("metrics", found.metrics(), DiffCommand::json)
        .list("config", found.config(), DiffCommand::json);
  }

  private static Json json(Differences.Pair pair) {
    return new Json().put("name", pair.name()).put("a", pair.a()).put("b", pair.b());
  }

  private static Json json(Differences.Tensor tensor) {
    Json json =
        new Json()
            .put("name", tensor.name())
            .put("type", tensor.what())
            .put("equal", tensor.same())
            .put("problem", tensor.problem());
    tensor
        .diff()
        .ifPresent(
            diff ->
                json.put("elements", diff.elements())
                    .put("changed", diff.changed())
                    .put("normA", diff.normA())
                    .put("normB", diff.normB())
                    .put("nansA", diff.nansA())
                    .put("nansB", diff.nansB())
                    .put("largest", diff.largest()));
    return json;
  }
}
