package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import com.microsoft.playwright.Browser;
import com.microsoft.playwright.BrowserType;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.Playwright;
import com.microsoft.playwright.options.AriaRole;
import com.sun.net.httpserver.HttpServer;
import dev.ckpt.CheckpointConfig;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.Checkpoints;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.Retention;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.Stores;
import dev.ckpt.TensorSpec;
import dev.ckpt.mlflow.MlflowRuns;
import dev.ckpt.mlflow.MlflowSettings;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real trainings, a real MLflow server, a real browser. Screenshots stay in the build's folder. */
@Tag("full")
class MlflowTest {
  private static final Pattern LINK = Pattern.compile("in MLflow: (http\\S+)");
  private static final Pattern SNIPPET = Pattern.compile("resume: (mlflow:m-[0-9a-z]+)");
  private static final Path CHROMIUM = Path.of("/usr/bin/chromium");

  private static final int KEPT = 10;

  @TempDir static Path data;
  @TempDir Path folder;
  private static MlflowServer server;
  private static double startSeconds;

  @BeforeAll
  static void start() throws Exception {
    long begin = System.nanoTime();
    server = MlflowServer.start(data);
    startSeconds = (System.nanoTime() - begin) / 1e9;
  }

  @AfterAll
  static void stop() throws Exception {
    if (server != null) {
      server.close();
    }
  }

  private static Path pictures() throws Exception {
    return Files.createDirectories(
        Path.of(System.getProperty("ckpt.build.dir", "target")).resolve("mlflow-screenshots"));
  }

  private SampleProcess digits(
      Path out, Path store, Map<String, String> environment, String... more) throws Exception {
    List<String> arguments = new ArrayList<>(List.of("--dir", store.toString()));
    arguments.addAll(List.of(more));
    SampleProcess process = SampleProcess.start(out, DigitsDjl.class, arguments, environment);
    assertThat(process.exitCode()).as(process.toString()).isZero();
    return process;
  }

  private static Map<String, String> to(String uri) {
    // on a busy machine a real server is slow
    return Map.of("MLFLOW_TRACKING_URI", uri, "CKPT_MLFLOW_DRAIN", "5m");
  }

  @Test
  void aNewcomerSeesTheCheckpointsInABrowserAndResumesFromWhatThePageSays() throws Exception {
    long begin = System.nanoTime();
    Path store = folder.resolve("store");
    SampleProcess first =
        digits(
            folder.resolve("first"),
            store,
            to(server.uri()),
            "--mlflow",
            "--epochs",
            "3",
            "--every-steps",
            "40");
    Matcher link = LINK.matcher(first.out() + first.err());
    assertThat(link.find()).as("%s", first).isTrue();
    assertThat(link.group(1)).endsWith("?workflowType=machine_learning");

    String reference;
    try (Playwright playwright =
            Playwright.create(
                new Playwright.CreateOptions()
                    .setEnv(Map.of("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")));
        Browser browser =
            playwright
                .chromium()
                .launch(
                    new BrowserType.LaunchOptions()
                        .setExecutablePath(CHROMIUM)
                        .setArgs(List.of("--no-sandbox")))) {
      Page page = browser.newPage(new Browser.NewPageOptions().setViewportSize(1280, 1000));
      page.setDefaultTimeout(60_000);
      // MLflow opens its assistant on the first visit, over a third of the page
      page.addInitScript(
          "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')");

      page.navigate(link.group(1));
      Locator models = page.getByText("Logged models (");
      models.waitFor();
      models.scrollIntoViewIfNeeded();
      Locator row =
          page.getByRole(
                  AriaRole.LINK,
                  new Page.GetByRoleOptions().setName(Pattern.compile("^step-00000135-epoch-3$")))
              .last();
      row.waitFor();
      String run = page.innerText("body");
      assertThat(run)
          .contains("digits-djl", "Logged models (3)", "Step", "Ready")
          .contains("step-00000135-epoch-3", "step-00000120", "validate_accuracy")
          .contains("ckpt.stall_ms", "ckpt.write_ms")
          .containsPattern("(?s)Output\\s+135\\s")
          .containsPattern("(?s)Output\\s+120\\s")
          .contains("config.keep.latest", "ckpt.djl", "ckpt.structure");
      shoot(page, "run");

      page.navigate(
          server.uri() + "/" + row.getAttribute("href") + "?workflowType=machine_learning");
      page.getByText("Resume from it").first().waitFor();
      String model = page.innerText("body");
      assertThat(model)
          .contains("step-00000135-epoch-3", "Ready", "validate_loss")
          .contains(store.toUri() + "runs/digits-djl#000001-000000000135-1");
      Matcher snippet = SNIPPET.matcher(model);
      assertThat(snippet.find()).as(model).isTrue();
      reference = snippet.group(1);
      shoot(page, "model");

      String artifacts = page.url().replaceFirst("(/models/m-[0-9a-z]+)", "$1/artifacts");
      page.navigate(artifacts);
      page.getByText("report.html", new Page.GetByTextOptions().setExact(true)).first().click();
      Locator report = page.frameLocator("iframe").locator("body");
      report.getByText("What changed").first().waitFor();
      assertThat(report.innerText())
          .contains("digits-djl · step 135", "Loss", "What a save costs", "Size", "Tensors")
          .contains("000001-000000000120-0", "float32", "model/");
      shoot(page, "report-in-mlflow");
      page.navigate(store.resolve("mlflow/digits-djl/report.html").toUri().toString());
      page.setViewportSize(1120, 1000);
      assertThat(page.locator("svg").count()).isGreaterThanOrEqualTo(4);
      page.screenshot(
          new Page.ScreenshotOptions().setPath(pictures().resolve("report.png")).setFullPage(true));
    }

    assertThat(server.readByPython())
        .contains("run digits-djl FINISHED")
        .contains("params accumulate=1 batch=32 optimizer=adam rows=1797")
        .contains("validate_loss at 45, 90, 135")
        .contains("model step-00000135-epoch-3 READY of step 135, validate_loss")
        .contains("report.html");

    SampleProcess second =
        digits(
            folder.resolve("second"),
            store,
            Map.of(
                "MLFLOW_TRACKING_URI",
                server.uri(),
                "CKPT_MLFLOW_DRAIN",
                "5m",
                "CKPT_RESUME",
                reference),
            "--mlflow",
            "--epochs",
            "4",
            "--every-steps",
            "40");
    assertThat(second.out() + second.err())
        .contains("resumed from 000001-000000000135-1")
        .contains("'" + reference + "' was asked for");
    System.out.printf(
        "a newcomer's path: server up in %.0f s, then %.0f s until the second training ended%n",
        startSeconds, (System.nanoTime() - begin) / 1e9);
    assertThat(link(second)).isEqualTo(link.group(1));
  }

  private static String link(SampleProcess process) {
    Matcher link = LINK.matcher(process.out() + process.err());
    assertThat(link.find()).as("%s", process).isTrue();
    return link.group(1);
  }

  private static void shoot(Page page, String name) throws Exception {
    page.waitForTimeout(700); // fonts and transitions
    page.screenshot(new Page.ScreenshotOptions().setPath(pictures().resolve(name + ".png")));
  }

  /** A few bytes, so that the server is what is measured. */
  private static final class Small implements Checkpointable {
    @Override
    public void capture(StateSink sink) {
      sink.tensor(
          TensorSpec.of("w", DType.FLOAT32, Shape.of(2)),
          (offset, into) -> into.put(new byte[into.remaining()]),
          Stability.COPY_NOW);
    }

    @Override
    public void restore(StateView view) {}
  }

  private CheckpointManager small(Path store, String run, int keep) {
    return CheckpointManager.from(
            CheckpointConfig.defaults(Map.of())
                .with("store", store.toString())
                .with("mlflow.trackingUri", server.uri())
                .with("mlflow.experiment", run)
                .with("mlflow.drain", "10m")
                .with("deadline", "15m"))
        .run(run)
        .part("model", new Small())
        .keep(Retention.latest(keep))
        .open();
  }

  @Test
  void ofManyCheckpointsExactlyThoseStayThatRetentionKeeps() throws Exception {
    many(200);
  }

  @Tag("nightly")
  @Test
  void ofAThousandCheckpointsExactlyThoseStayThatRetentionKeeps() throws Exception {
    many(1_000);
  }

  private void many(int count) throws Exception {
    String run = "many-" + count;
    Path store = folder.resolve("store");
    long begin = System.nanoTime();
    // all are published first, then nearly all are deleted there
    try (CheckpointManager manager = small(store, run, count)) {
      manager.resume();
      for (int step = 1; step <= count; step++) {
        manager.save(Progress.step(step), Map.of("loss", 1.0 / step)).join();
      }
    }
    sync(store, run);
    String experiment = experiment(run);
    assertThat(models(experiment)).hasSize(count);
    double published = (System.nanoTime() - begin) / 1e9;
    String promoted;
    try (CheckpointStore opened = Stores.local(store)) {
      promoted =
          MlflowRuns.promote(
                  opened,
                  run,
                  String.format("000001-%012d-0", 3),
                  run,
                  "best",
                  MlflowSettings.defaults(),
                  Map.of())
              .model();
    }
    try (CheckpointManager manager = small(store, run, KEPT)) {
      manager.resume();
      manager.save(Progress.step(count + 1), Map.of("loss", 0.0)).join();
    }
    sync(store, run);
    System.out.printf(
        "%d checkpoints published in %.0f s, %d deleted in %.0f s%n",
        count, published, count - KEPT, (System.nanoTime() - begin) / 1e9 - published);
    List<String> left = models(experiment);
    assertThat(left).hasSize(KEPT + 1).contains(promoted);
    assertThat(server.artifacts())
        .filteredOn(path -> path.startsWith(experiment + "/models"))
        .hasSize(2 * (KEPT + 1))
        .allMatch(path -> left.contains(path.getName(2).toString()));
    // the version of the registry leads somewhere
    assertThat(server.get("registered-models/alias?name=" + run + "&alias=best"))
        .contains("models:/" + promoted);
  }

  /** What a slow server has not taken before the manager was closed. */
  private void sync(Path store, String run) throws Exception {
    try (CheckpointStore opened = Stores.local(store)) {
      MlflowSettings settings = MlflowSettings.defaults().withTrackingUri(server.uri());
      // as soon as the manager's own thread has had its last answer
      for (int tries = 0; ; tries++) {
        try {
          assertThat(MlflowRuns.sync(opened, run, settings, Map.of()).refused()).isEmpty();
          return;
        } catch (CheckpointException.Fenced e) {
          assertThat(tries).as(e.getMessage()).isLessThan(60);
          Thread.sleep(1_000);
        }
      }
    }
  }

  private String experiment(String name) throws Exception {
    Matcher id =
        Pattern.compile("\"experiment_id\": *\"(\\d+)\"[^}]*\"name\": *\"" + name + "\"")
            .matcher(server.post("experiments/search", "{\"max_results\":100}"));
    assertThat(id.find()).isTrue();
    return id.group(1);
  }

  private List<String> models(String experiment) throws Exception {
    List<String> ids = new ArrayList<>();
    String token = "";
    do {
      String answer =
          server.post(
              "logged-models/search",
              "{\"experiment_ids\":[\""
                  + experiment
                  + "\"],\"max_results\":50"
                  + (token.isEmpty() ? "" : ",\"page_token\":\"" + token + "\"")
                  + "}");
      Matcher id = Pattern.compile("\"artifact_uri\": *\"[^\"]*/(m-[0-9a-z]+)/").matcher(answer);
      while (id.find()) {
        ids.add(id.group(1));
      }
      Matcher next = Pattern.compile("\"next_page_token\": *\"([^\"]+)\"").matcher(answer);
      token = next.find() ? next.group(1) : "";
    } while (!token.isEmpty());
    return ids;
  }

  @Test
  void aServerThatIsKilledInMidRunLosesNothingAndShowsNothingTwice() throws Exception {
    Path killed = folder.resolve("killed");
    try (MlflowServer other = MlflowServer.start(folder.resolve("server"))) {
      Thread killer =
          new Thread(
              () -> {
                try {
                  // as soon as it shows the first checkpoint: the others come to nobody
                  while (!other
                      .post("logged-models/search", "{\"experiment_ids\":[\"0\"]}")
                      .contains("step-")) {
                    Thread.sleep(20);
                  }
                  other.kill();
                } catch (IOException | InterruptedException e) {
                  throw new AssertionError(e);
                }
              });
      killer.start();
      digits(
          folder.resolve("a"),
          killed,
          to(other.uri()),
          "--mlflow",
          "--epochs",
          "3",
          "--every-steps",
          "20");
      killer.join();
      other.restart();
      try (CheckpointStore opened = Stores.local(killed)) {
        for (int again = 0; again < 2; again++) {
          var synced =
              MlflowRuns.sync(opened, "digits-djl", MlflowSettings.defaults(), to(other.uri()));
          assertThat(synced.refused()).isEmpty();
          assertThat(synced.dropped()).isZero();
          String shown = other.post("logged-models/search", "{\"experiment_ids\":[\"0\"]}");
          for (var each : Checkpoints.read(opened, "digits-djl").list()) {
            assertThat(shown.split(Pattern.quote("\"" + each.id() + "\""), -1).length)
                .as("%s stands once in %s", each.id(), shown)
                .isGreaterThanOrEqualTo(2);
          }
          assertThat(shown.split("\"LOGGED_MODEL_READY\"", -1)).hasSize(4);
          String runs = other.post("runs/search", "{\"experiment_ids\":[\"0\"]}");
          assertThat(runs.split("\"run_uuid\"", -1)).hasSize(2);
          assertThat(runs).contains("FINISHED");
        }
      }
    }
  }

  /** Beside a run without MLflow, in turn; a ratio is printed, and nothing is asserted of it. */
  @Test
  void aTrainingTakesAsLongAsWithoutWhateverTheServerDoes() throws Exception {
    compareWithout(2);
  }

  @Tag("nightly")
  @Test
  void aTrainingTakesAsLongAsWithoutInManyPairs() throws Exception {
    compareWithout(7);
  }

  private void compareWithout(int pairs) throws Exception {
    try (ServerSocket hangs = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      List<Socket> taken = Collections.synchronizedList(new ArrayList<>());
      Thread accepting =
          new Thread(
              () -> {
                try {
                  while (true) {
                    taken.add(hangs.accept());
                  }
                } catch (IOException e) {
                  // closed
                }
              });
      accepting.setDaemon(true);
      accepting.start();
      Map<String, String> cases = new LinkedHashMap<>();
      cases.put("nothing listens", "http://127.0.0.1:1");
      cases.put("it hangs", "http://127.0.0.1:" + hangs.getLocalPort());
      List<HttpServer> answering = new ArrayList<>();
      for (int status : new int[] {503, 429, 400}) {
        HttpServer one =
            HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        one.createContext(
            "/",
            exchange -> {
              exchange.sendResponseHeaders(status, -1);
              exchange.close();
            });
        one.start();
        answering.add(one);
        cases.put("it answers " + status, "http://127.0.0.1:" + one.getAddress().getPort());
      }
      cases.put("it is well", server.uri());
      Map<String, double[]> ratios = new LinkedHashMap<>();
      Map<String, Double> closing = new LinkedHashMap<>();
      int number = 0;
      for (int pair = 0; pair < pairs; pair++) {
        Time without = time(number++, Map.of());
        for (Map.Entry<String, String> each : cases.entrySet()) {
          Time with = time(number, Map.of("MLFLOW_TRACKING_URI", each.getValue()), "--mlflow");
          ratios.computeIfAbsent(each.getKey(), name -> new double[pairs])[pair] =
              with.training() / without.training();
          closing.merge(each.getKey(), with.closing() - without.closing(), Math::max);
          assertThat(folder.resolve("s" + number++).resolve("mlflow/digits-djl/outbox"))
              .satisfies(
                  outbox -> {
                    if (!each.getKey().equals("it is well")) {
                      assertThat(outbox).isNotEmptyDirectory(); // all waits for a sync
                    }
                  });
        }
      }
      ratios.forEach(
          (name, all) -> {
            Arrays.sort(all);
            System.out.printf(
                "%s: time of a training against one without MLflow %.2f (%.2f to %.2f); closing"
                    + " took at most %.1f s more%n",
                name, all[all.length / 2], all[0], all[all.length - 1], closing.get(name));
          });
      for (Socket each : taken) {
        each.close();
      }
      answering.forEach(each -> each.stop(0));
    }
  }

  /**
   * How long a training took.
   *
   * @param training from its first batch to its last line
   * @param closing from there to the end of the process: what is not published yet is waited for
   */
  private record Time(double training, double closing) {}

  private Time time(int number, Map<String, String> environment, String... more) throws Exception {
    List<String> arguments = new ArrayList<>(List.of(more));
    arguments.addAll(List.of("--epochs", "4", "--every-steps", "10"));
    arguments.addAll(List.of("--dir", folder.resolve("s" + number).toString()));
    try (SampleProcess process =
        SampleProcess.start(
            folder.resolve("t" + number), DigitsDjl.class, arguments, environment)) {
      assertThat(process.await(() -> !process.journal().isEmpty())).as("%s", process).isTrue();
      long begin = System.nanoTime();
      assertThat(process.await(() -> process.out().contains("final sha256")))
          .as("%s", process)
          .isTrue();
      long end = System.nanoTime();
      assertThat(process.exitCode()).as("%s", process).isZero();
      return new Time((end - begin) / 1e9, (System.nanoTime() - end) / 1e9);
    }
  }
}
