package dev.ckpt.cli;

import dev.ckpt.Attempt;
import dev.ckpt.Checkpoint;
import dev.ckpt.ListedCheckpoint;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.Progress;
import dev.ckpt.Verification;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/** The JSON of what core tells; docs/cli.md describes the fields. */
final class Facts {

  private Facts() {}

  static Json of(Checkpoint checkpoint) {
    Progress at = checkpoint.progress();
    return new Json()
        .put("id", checkpoint.id())
        .put("step", at.step())
        .put("epoch", at.epoch())
        .put("batch", at.batch())
        .put("samples", at.samples())
        .put("phase", Text.name(at.phase()))
        .put("committedAt", checkpoint.committedAt())
        .put("bytes", checkpoint.bytes())
        .put("finite", checkpoint.finite())
        .put("parent", checkpoint.parent())
        .put("metrics", new TreeMap<>(checkpoint.metrics()));
  }

  static Json of(ListedCheckpoint listed) {
    Json json =
        listed
            .checkpoint()
            .map(Facts::of)
            .orElseGet(() -> new Json().put("id", listed.id()).put("bytes", listed.bytes()));
    return json.put("standing", Text.name(listed.standing()))
        .put("pinned", listed.pinned())
        .put("reason", listed.reason());
  }

  static Json of(Attempt attempt) {
    return new Json()
        .put("attempt", attempt.number())
        .put("request", attempt.request())
        .put("started", attempt.started())
        .put("from", attempt.from())
        .put("to", attempt.to())
        .put("committed", attempt.committed())
        .put("end", Text.name(attempt.end()))
        .put("cause", attempt.cause())
        .put("step", attempt.step())
        .put("startedAt", attempt.startedAt())
        .put("endedAt", attempt.endedAt())
        .put("lostSteps", attempt.lostSteps())
        .put("lostAtMostSeconds", attempt.lostAtMost().map(d -> d.toMillis() / 1000.0))
        .put("live", attempt.live())
        .put("skipped", attempt.skipped())
        .put("provenance", new TreeMap<>(attempt.provenance()));
  }

  static Json of(Verification verification) {
    return new Json()
        .put("id", verification.id())
        .put("ok", verification.ok())
        .put("bytes", verification.bytes())
        .put("problems", verification.problems());
  }

  static Json of(MaintenanceAction action) {
    return new Json()
        .put("action", Text.name(action.kind()))
        .put("run", action.run())
        .put("subject", action.subject())
        .put("bytes", action.bytes())
        .put("reason", action.reason());
  }

  /** Metrics in one cell: {@code accuracy 0.9, loss 0.25}. */
  static String metrics(Checkpoint checkpoint) {
    List<String> all = new ArrayList<>();
    new TreeMap<>(checkpoint.metrics())
        .forEach((name, value) -> all.add(name + " " + Text.number(value)));
    return String.join(", ", all);
  }

  /** {@code step 100, epoch 2, batch 17}. */
  static String progress(Progress at) {
    return "step "
        + at.step()
        + ", epoch "
        + at.epoch()
        + ", batch "
        + at.batch()
        + ", "
        + Text.count(at.samples(), "sample")
        + ", "
        + Text.word(at.phase());
  }

  /** How an attempt ended, in a cell. */
  static String end(Attempt attempt) {
    return Text.word(attempt.end());
  }

  /** Whether it only holds what {@code ckpt convert} made. */
  static boolean isConversion(Attempt attempt) {
    return attempt.request().equals("convert");
  }
}
