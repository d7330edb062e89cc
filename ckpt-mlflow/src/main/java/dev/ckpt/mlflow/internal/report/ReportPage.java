package dev.ckpt.mlflow.internal.report;

import dev.ckpt.Checkpoint;
import dev.ckpt.Progress;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.DoubleFunction;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * {@code report.html}: one page that needs nothing from outside, runs no script, and shows a
 * checkpoint beside those before it. All text from a checkpoint is escaped: names of tensors and
 * metrics are anybody's.
 */
public final class ReportPage {
  // of each chart, so that their letters are of one size wherever the page is shown
  private static final int WIDTH = 470;
  private static final int MOST_CHANGES = 12;
  private static final int MOST_TENSORS = 500;
  private static final int MOST_LINES = Html.COLOURS;
  private static final int MOST_CHARTS = 6;

  /** Of the sizes on one axis. */
  private static final double MOST_SPREAD = 20;

  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss 'UTC'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);
  private static final String STYLE = style();

  private final StringBuilder html = new StringBuilder(1 << 15);
  private final Subject subject;
  private final Survey survey;
  private final List<Row> history;

  private ReportPage(Subject subject, Survey survey, List<Row> history) {
    this.subject = subject;
    this.survey = survey;
    this.history = history;
  }

  /**
   * The page.
   *
   * @param history of the run up to this checkpoint, oldest first, this one included
   */
  public static byte[] of(Subject subject, Survey survey, List<Row> history) {
    ReportPage page = new ReportPage(subject, survey, history);
    page.write();
    return page.html.toString().getBytes(StandardCharsets.UTF_8);
  }

  private void write() {
    Checkpoint checkpoint = survey.checkpoint();
    String title = subject.run() + " · step " + checkpoint.progress().step();
    html.append("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")
        .append(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src"
                + " 'unsafe-inline'\">")
        .append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>")
        .append(Html.text(title))
        .append("</title><style>")
        .append(STYLE)
        .append("</style></head><body><main>\n");
    head(checkpoint, title);
    charts();
    changes();
    metrics(checkpoint);
    tensors();
    html.append("<footer>Written by ckpt from verified bytes. ")
        .append(Html.text(subject.uri(checkpoint.id())))
        .append("</footer>\n</main></body></html>\n");
  }

  private void head(Checkpoint checkpoint, String title) {
    Progress at = checkpoint.progress();
    html.append("<h1>")
        .append(Html.text(title))
        .append(
            checkpoint.finite()
                ? "<span class=\"badge good\">finite</span>"
                : "<span class=\"badge bad\">NaN or infinity</span>")
        .append("</h1><p class=\"soft\">checkpoint <span class=\"mono\">")
        .append(Html.text(checkpoint.id()))
        .append("</span>, committed ")
        .append(TIME.format(checkpoint.committedAt()))
        .append(
            "</p>\n<section><h2>Resume from it</h2><p class=\"soft\">in the configuration of the"
                + " training, or as the variable CKPT_RESUME:</p><pre>resume: ")
        .append(Html.text(checkpoint.id()))
        .append("</pre>")
        .append(
            checkpoint.finite()
                ? ""
                : "<p class=\"bad\">It holds NaN or infinite values: what is trained from it holds"
                    + " them, too.</p>")
        .append("<div class=\"facts\">");
    fact("step", Html.number(at.step()));
    fact("epochs done", Html.number(at.epoch()));
    fact("batch", Html.number(at.batch()));
    fact("size", Html.bytes(checkpoint.bytes()));
    fact("tensors", Html.number(survey.tensors().size()));
    fact("numbers", Html.number(survey.elements()));
    Row row = history.isEmpty() ? null : history.get(history.size() - 1);
    if (row != null) {
      fact("training stood still", Html.millis(row.stallMillis()));
      fact("written in", Html.millis(row.writeMillis()));
    }
    html.append("</div></section>\n");
  }

  private void fact(String name, String value) {
    html.append("<div><div class=\"k\">")
        .append(Html.text(name))
        .append("</div><div class=\"v\">")
        .append(Html.text(value))
        .append("</div></div>");
  }

  private void charts() {
    html.append("<div class=\"pair\">");
    TreeSet<String> names = new TreeSet<>();
    history.forEach(each -> names.addAll(each.metrics().keySet()));
    List<LineChart.Line> own = ownCurves();
    List<LineChart.Line> losses = metrics(names, ReportPage::isLoss);
    if (own.isEmpty()) {
      chart("Loss", losses, "step", Html::number);
    } else {
      chart("Loss, by the checkpoint's own history", own, "entry", Html::number);
      chart("Loss at the checkpoints", losses, "step", Html::number);
    }
    List<List<LineChart.Line>> scales = scales(names);
    for (List<LineChart.Line> scale : scales) {
      chart(scale.size() == 1 ? scale.get(0).name() : "Metrics", scale, "step", Html::number);
    }
    chart(
        "What a save costs",
        List.of(
            line("training stood still", Row::stallMillis),
            line("written, behind the training", Row::writeMillis)),
        "step",
        Html::millis);
    chart("Size", List.of(line("bytes of a checkpoint", Row::bytes)), "step", Html::bytes);
    html.append("</div>\n");
    long drawn = scales.stream().mapToLong(List::size).sum() + losses.size();
    if (drawn < names.size()) {
      html.append("<p class=\"soft\">")
          .append(drawn)
          .append(" of ")
          .append(names.size())
          .append(" metrics are drawn; their values at this checkpoint are below.</p>\n");
    }
  }

  /**
   * What is no loss, with others of about its size on one axis: an accuracy beside a count would be
   * a line at zero.
   */
  private List<List<LineChart.Line>> scales(Set<String> names) {
    List<LineChart.Line> all =
        names.stream()
            .filter(name -> !isLoss(name))
            .map(this::metric)
            .filter(line -> Arrays.stream(line.y()).anyMatch(Double::isFinite))
            .sorted(Comparator.comparingDouble(ReportPage::size))
            .toList();
    List<List<LineChart.Line>> scales = new ArrayList<>();
    double least = 0;
    for (LineChart.Line line : all) {
      List<LineChart.Line> last = scales.isEmpty() ? List.of() : scales.get(scales.size() - 1);
      if (scales.isEmpty() || last.size() == MOST_LINES || size(line) > MOST_SPREAD * least) {
        if (scales.size() == MOST_CHARTS) {
          break;
        }
        scales.add(new ArrayList<>());
        least = size(line);
      }
      scales.get(scales.size() - 1).add(line);
    }
    return scales;
  }

  private static double size(LineChart.Line line) {
    return Arrays.stream(line.y()).filter(Double::isFinite).map(Math::abs).max().orElse(0);
  }

  /** DL4J calls its loss {@code score}; what others call a score (f1, r2) is none. */
  private static boolean isLoss(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    return lower.contains("loss") || lower.equals("score");
  }

  /** Losses that the state of the checkpoint holds itself. */
  private List<LineChart.Line> ownCurves() {
    List<LineChart.Line> lines = new ArrayList<>();
    new TreeMap<>(survey.curves())
        .forEach(
            (name, values) -> {
              if (isLoss(name) && lines.size() < MOST_LINES) {
                lines.add(
                    new LineChart.Line(
                        name,
                        IntStream.range(0, values.size()).mapToDouble(i -> i + 1).toArray(),
                        values.stream().mapToDouble(Double::doubleValue).toArray()));
              }
            });
    return lines;
  }

  private List<LineChart.Line> metrics(Set<String> names, Predicate<String> wanted) {
    return names.stream().filter(wanted).limit(MOST_LINES).map(this::metric).toList();
  }

  private LineChart.Line metric(String name) {
    return line(name, row -> row.metrics().getOrDefault(name, Double.NaN));
  }

  private LineChart.Line line(String name, ToDoubleFunction<Row> value) {
    return new LineChart.Line(
        name,
        history.stream().mapToDouble(Row::step).toArray(),
        history.stream().mapToDouble(value).toArray());
  }

  private void chart(
      String title, List<LineChart.Line> lines, String axis, DoubleFunction<String> unit) {
    String svg = LineChart.of(title, lines, axis, unit, WIDTH);
    if (svg.isEmpty()) {
      return;
    }
    html.append("<section><h2>").append(Html.text(title)).append("</h2>").append(svg);
    html.append("<ul class=\"legend\">");
    int colour = 0;
    for (LineChart.Line line : lines) {
      if (Arrays.stream(line.y()).anyMatch(Double::isFinite)) {
        html.append("<li><i class=\"b")
            .append(colour++ % Html.COLOURS)
            .append("\"></i>")
            .append(Html.text(line.name()))
            .append("</li>");
      }
    }
    html.append("</ul></section>\n");
  }

  private void changes() {
    html.append("<section><h2>What changed</h2>");
    if (survey.before().isEmpty()) {
      html.append("<p class=\"soft\">")
          .append(Html.text(survey.uncompared()))
          .append("</p></section>\n");
      return;
    }
    List<Survey.Tensor> changed =
        survey.tensors().stream()
            .filter(each -> each.change().isPresent())
            .sorted(
                Comparator.comparing((Survey.Tensor each) -> !each.part().equals("model"))
                    .thenComparing(
                        Comparator.comparingDouble(
                                (Survey.Tensor each) -> each.change().getAsDouble())
                            .reversed()))
            .toList();
    long same = changed.stream().filter(each -> each.change().getAsDouble() == 0).count();
    html.append("<p class=\"soft\">Against <span class=\"mono\">")
        .append(Html.text(survey.before().get()))
        .append("</span>: the norm of the difference, as a share of the norm before. ")
        .append(changed.size() - same)
        .append(changed.size() - same == 1 ? " tensor changed, " : " tensors changed, ")
        .append(same)
        .append(
            " did not.</p><div class=\"scroll\"><table><thead><tr><th>tensor</th>"
                + "<th class=\"n\">change</th><th></th></tr></thead><tbody>");
    List<Survey.Tensor> shown = changed.subList(0, Math.min(MOST_CHANGES, changed.size()));
    double most =
        shown.stream()
            .mapToDouble(each -> each.change().getAsDouble())
            .filter(Double::isFinite)
            .max()
            .orElse(0);
    for (Survey.Tensor each : shown) {
      double change = each.change().getAsDouble();
      double share = most > 0 && Double.isFinite(change) ? change / most * 100 : 0;
      html.append("<tr><td class=\"mono\">")
          .append(Html.text(each.part() + "/" + each.name()))
          .append("</td><td class=\"n\">")
          .append(Html.percent(change))
          .append("</td><td class=\"w\"><span class=\"bar\" style=\"width:")
          .append(String.format(Locale.ROOT, "%.1f", share))
          .append("%\"></span></td></tr>");
    }
    html.append("</tbody></table></div></section>\n");
  }

  private void metrics(Checkpoint checkpoint) {
    if (checkpoint.metrics().isEmpty()) {
      return;
    }
    html.append("<section><h2>Metrics of this checkpoint</h2><div class=\"facts\">");
    Map<String, Double> sorted = new TreeMap<>(checkpoint.metrics());
    sorted.forEach((name, value) -> fact(name, Html.number(value)));
    html.append("</div></section>\n");
  }

  private void tensors() {
    html.append("<section><h2>Tensors</h2>");
    int shown = Math.min(MOST_TENSORS, survey.tensors().size());
    if (shown < survey.tensors().size()) {
      html.append("<p class=\"soft\">The first ")
          .append(shown)
          .append(" of ")
          .append(survey.tensors().size())
          .append("; manifest.json has all.</p>");
    }
    html.append(
        "<div class=\"scroll\"><table><thead><tr><th>tensor</th><th>type</th><th>shape</th>"
            + "<th class=\"n\">size</th><th class=\"n\">norm</th><th class=\"n\">change</th></tr>"
            + "</thead><tbody>");
    for (Survey.Tensor each : survey.tensors().subList(0, shown)) {
      html.append("<tr><td class=\"mono\">")
          .append(Html.text(each.part() + "/" + each.name()))
          .append("</td><td>")
          .append(Html.text(each.type()))
          .append("</td><td class=\"mono\">")
          .append(Html.text(shape(each.shape())))
          .append("</td><td class=\"n\">")
          .append(Html.bytes(each.bytes()))
          .append("</td><td class=\"n\">")
          .append(each.norm().isPresent() ? Html.number(each.norm().getAsDouble()) : "–")
          .append(
              each.nonFinite() > 0
                  ? " <span class=\"bad\">" + each.nonFinite() + " not finite</span>"
                  : "")
          .append("</td><td class=\"n\">")
          .append(each.change().isPresent() ? Html.percent(each.change().getAsDouble()) : "–")
          .append("</td></tr>");
    }
    html.append("</tbody></table></div></section>\n");
  }

  private static String shape(List<Long> shape) {
    return shape.isEmpty()
        ? "scalar"
        : String.join(" × ", shape.stream().map(String::valueOf).toList());
  }

  private static String style() {
    try (InputStream in = ReportPage.class.getResourceAsStream("report.css")) {
      if (in == null) {
        throw new IllegalStateException("report.css is not in the jar");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
