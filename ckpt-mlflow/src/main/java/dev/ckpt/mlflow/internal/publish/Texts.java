package dev.ckpt.mlflow.internal.publish;

import dev.ckpt.Attempt;
import dev.ckpt.Checkpoint;
import dev.ckpt.Progress;
import dev.ckpt.mlflow.internal.report.Subject;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** What MLflow is told in words, within what it takes: names without its special characters. */
final class Texts {
  private static final Pattern ODD = Pattern.compile("[^\\p{L}\\p{N}_\\-. /]");
  private static final Pattern ORIGIN = Pattern.compile("^(.*) \\(([^()]*|[^()]*\\([^()]*\\))\\)$");
  private static final String VARIED = "param.";
  private static final int LONGEST_KEY = 250;
  private static final int LONGEST_PARAM = 500;
  private static final int MOST_NOT_FINITE = 20;

  /** As long as MLflow takes a value of a parameter, and a person reads it. */
  private static final int LONGEST_TEXT = 4_000;

  private Texts() {}

  /** The name of a model: no {@code / : . % " '}. */
  static String modelName(Progress at) {
    return String.format(
        Locale.ROOT,
        "step-%08d%s",
        at.step(),
        at.phase() == Progress.Phase.AFTER_EPOCH ? "-epoch-" + at.epoch() : "");
  }

  /**
   * A name of a metric or a parameter, as MLflow takes it. One that loses characters gets a digest
   * of what it was: two that would be equal then are not.
   */
  static String key(String name) {
    String plain = ODD.matcher(name).replaceAll("_");
    // a path that leads out of its folder is refused
    plain = plain.replaceAll("\\.{2,}", "_").replaceAll("^[/.]+|/+$", "_").replaceAll("//+", "/");
    plain = plain.replaceAll("/\\.(?=/|$)", "/_");
    if (plain.equals(name) && !plain.isBlank() && plain.length() <= LONGEST_KEY) {
      return plain;
    }
    String digest = Workspace.digest(name).substring(0, 6);
    return plain.substring(0, Math.min(plain.length(), LONGEST_KEY - 7)).strip() + "_" + digest;
  }

  static String bounded(String text) {
    return text.length() <= LONGEST_TEXT ? text : text.substring(0, LONGEST_TEXT) + "...";
  }

  /** Parameters of a run: its settings, versions, and what a sweep varies. */
  static Map<String, String> params(Subject subject, Attempt first) {
    Map<String, String> params = new TreeMap<>();
    params.put("ckpt.store", subject.store());
    params.put("ckpt.run", subject.run());
    first
        .provenance()
        .forEach(
            (name, value) -> {
              if (name.equals("pid")) {
                return;
              }
              boolean config = name.startsWith("config.");
              var origin = ORIGIN.matcher(value);
              String text = config && origin.matches() ? origin.group(1) : value;
              // what a sweep varies stands under its own name, where MLflow compares runs
              String bare = name.startsWith(VARIED) ? name.substring(VARIED.length()) : name;
              params.put(key(config || !bare.equals(name) ? bare : "ckpt." + name), param(text));
            });
    return params;
  }

  static String param(String value) {
    String text = value.strip();
    return text.isEmpty() ? "(empty)" : text.substring(0, Math.min(text.length(), LONGEST_PARAM));
  }

  /** Parameters of a model: what its page shows without a click. */
  static Map<String, String> modelParams(Subject subject, Checkpoint checkpoint) {
    Progress at = checkpoint.progress();
    Map<String, String> params = new LinkedHashMap<>();
    params.put("uri", subject.uri(checkpoint.id()));
    params.put("id", checkpoint.id());
    params.put("run", subject.run());
    params.put("step", Long.toString(at.step()));
    params.put("epoch", Integer.toString(at.epoch()));
    params.put("batch", Long.toString(at.batch()));
    params.put("samples", Long.toString(at.samples()));
    params.put("phase", at.phase() == Progress.Phase.AFTER_EPOCH ? "after epoch" : "after step");
    params.put("bytes", Long.toString(checkpoint.bytes()));
    params.put("finite", Boolean.toString(checkpoint.finite()));
    checkpoint.parent().ifPresent(parent -> params.put("parent", parent));
    return params;
  }

  /** The description of a model; the first lines are what is copied. */
  static String description(Subject subject, Checkpoint checkpoint, String model, String remark) {
    return "**Resume from it**: in `ckpt.yaml`\n\n"
        + "```yaml\nresume: mlflow:"
        + model
        + "\n```\n\n"
        + "or in the environment: `CKPT_RESUME=mlflow:"
        + model
        + "`\n\n"
        + (remark.isEmpty() ? "" : "**" + inline(remark) + "**\n\n")
        + notFinite(checkpoint.metrics())
        + "Checkpoint `"
        + checkpoint.id()
        + "` of run `"
        + inline(subject.run())
        + "` in `"
        + inline(subject.store())
        + "`. What it holds: `report.html` and `manifest.json` under *Artifacts*.";
  }

  /** What MLflow's table of models cannot show: it would be a zero there. */
  private static String notFinite(Map<String, Double> metrics) {
    List<String> said = new ArrayList<>();
    new TreeMap<>(metrics)
        .forEach(
            (name, value) -> {
              if (!Double.isFinite(value)) {
                said.add("`" + inline(name) + "` = " + value);
              }
            });
    if (said.isEmpty()) {
      return "";
    }
    int more = said.size() - MOST_NOT_FINITE;
    return "**Not finite, and so among the metrics of the run only: "
        + String.join(", ", said.subList(0, Math.min(said.size(), MOST_NOT_FINITE)))
        + (more > 0 ? " and " + more + " more" : "")
        + "**\n\n";
  }

  static String failure(String id, String reason) {
    return "**The save of `"
        + id
        + "` failed; there is nothing to resume from.**\n\n```\n"
        + bounded(reason).replace("```", "'''")
        + "\n```";
  }

  /** The description of a run of our own. */
  static String runDescription(Subject subject) {
    return "Checkpoints of run `"
        + inline(subject.run())
        + "` in `"
        + inline(subject.store())
        + "`. Each is a *logged model* at its step; its page says how to resume from it."
        + " `checkpoints.json` under *Artifacts* lists those that are there.";
  }

  /** A text inside of back-ticks. */
  private static String inline(String text) {
    return text.replace('`', '\'').replaceAll("\\s+", " ");
  }
}
