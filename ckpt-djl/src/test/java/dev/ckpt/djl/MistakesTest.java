package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import dev.ckpt.CheckpointConfig;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.Checkpoints;
import dev.ckpt.InitFrom;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.StoreProvider;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What goes wrong for a new user: each message says what is wrong and what to do, and doing just
 * that mends it. The page of all of them is docs/mistakes.md.
 */
class MistakesTest {
  private static final Path PAGE = Path.of("..", "docs", "mistakes.md");

  @TempDir Path folder;

  private final Map<String, String> page = new LinkedHashMap<>();

  private interface Call {
    void run() throws Exception;
  }

  @BeforeEach
  void trainOneThatIsRight() throws Exception {
    train(builder -> builder);
  }

  private Path store() {
    return folder.resolve("checkpoints");
  }

  private SmallTraining train(UnaryOperator<CheckpointManagerBuilder> settings) throws IOException {
    try (CheckpointStore store = Stores.local(store())) {
      SmallTraining training = new SmallTraining(SmallTraining.Setup.plain(), store);
      training.epochs = 1;
      training.checkpointing = settings;
      training.run();
      return training;
    }
  }

  /** The message of what it throws; what is wrong is said before what to do. */
  private String mistake(String title, Call call, String wrong, String advice) {
    Throwable thrown = catchThrowable(call::run);
    assertThat(thrown).as(title).isNotNull();
    return said(title, String.valueOf(thrown.getMessage()), wrong, advice);
  }

  private String said(String title, String message, String wrong, String advice) {
    assertThat(message).as(title).contains(wrong).contains(advice);
    assertThat(message.lastIndexOf(advice))
        .as("%s: %s", title, message)
        .isGreaterThan(message.indexOf(wrong));
    assertThat(message).as(title).doesNotContain("\tat ").doesNotContain("null");
    page.put(title, message.replace(", plain]", "]")); // PlainFormat is of the tests alone
    return message;
  }

  private static String find(String pattern, String message) {
    Matcher found = Pattern.compile(pattern).matcher(message);
    assertThat(found.find()).as("%s in %s", pattern, message).isTrue();
    return found.group(1);
  }

  private static Model model(Block block) {
    Model model = Model.newInstance("small", Device.cpu());
    model.setBlock(block);
    return model;
  }

  @Test
  void eachIsMendedFromItsMessageAloneAndThePageShowsThem() throws Exception {
    wrongFolder();
    severalRuns();
    typo();
    otherModel();
    missingFormat();
    missingStore();
    oldDjl();
    fullDisk();
    unknownReference();
    unknownMetric();
    resumeFromWhatIsNotThere();
    secondProcess();
    newerVersion();
    otherWeights();
    noListener();
    notInitialized();
    assertThat(page).hasSizeGreaterThanOrEqualTo(12);
    String text = text();
    Files.createDirectories(Path.of("target"));
    Files.writeString(Path.of("target", "mistakes.md"), text);
    assertThat(PAGE)
        .as("cp ckpt-djl/target/mistakes.md docs/")
        .content(StandardCharsets.UTF_8)
        .isEqualTo(text);
  }

  private String text() throws IOException {
    StringBuilder text =
        new StringBuilder(
            "# Mistakes, and what they say\n\n"
                + "Each of these is made by a test (`MistakesTest`), which then does what the message"
                + " says and sees it mended.\nPaths, processes and times are replaced.\n");
    String real = folder.toRealPath().toString();
    page.forEach(
        (title, message) ->
            text.append("\n## ")
                .append(title)
                .append("\n\n```\n")
                .append(
                    message
                        .replace(real, "/home/me")
                        .replace(folder.toString(), "/home/me")
                        .replaceAll(
                            "process \\d+ on \\S+ since \\S+Z",
                            "process 4711 on host since 2026-11-23T08:00:00Z")
                        .strip())
                .append("\n```\n"));
    return text.toString();
  }

  private void wrongFolder() throws IOException {
    Path wrong = store().resolve("runs/small");
    try (Model model = model(SmallTraining.network())) {
      mistake(
          "The wrong folder",
          () -> DjlCheckpoints.loadWeights(model, wrong, "latest"),
          "there is no run in",
          "give the folder that the training saves into, the one in which runs/ is");
      Path right = wrong;
      while (!Files.isDirectory(right.resolve("runs"))) {
        right = java.util.Objects.requireNonNull(right.getParent());
      }
      DjlCheckpoints.loadWeights(model, right, "latest");
    }
  }

  private void severalRuns() throws IOException {
    train(builder -> builder.run("second"));
    try (CheckpointStore store = Stores.local(store());
        Model model = model(SmallTraining.network())) {
      String message =
          mistake(
              "Several runs, and none named",
              () -> DjlCheckpoints.loadWeights(model, store, "latest"),
              "say which run",
              "give the name of one, in code to Checkpoints.read(store, name)");
      String name = find("which holds \\w+, (\\w+)", message);
      DjlCheckpoints.loadWeights(model, Checkpoints.read(store, name), "latest");
    }
  }

  private void typo() throws IOException {
    Path file = folder.resolve("ckpt.yaml");
    Files.writeString(file, "store: checkpoints\nsave: { evrySteps: 5 }\n");
    String message =
        mistake(
            "A typo in the config",
            () -> CheckpointConfig.load(file, Map.of()),
            "unknown key 'evrySteps'",
            "did you mean 'everySteps'?");
    Files.writeString(
        file,
        Files.readString(file)
            .replace(
                find("unknown key '(\\w+)'", message), find("did you mean '(\\w+)'", message)));
    CheckpointConfig.load(file, Map.of());
  }

  private void otherModel() throws IOException {
    try (CheckpointStore store = Stores.local(store());
        Model other = model(new SequentialBlock().add(Linear.builder().setUnits(3).build()));
        Model model = model(SmallTraining.network())) {
      Checkpoints run = Checkpoints.read(store, "small");
      mistake(
          "Another model",
          () -> DjlCheckpoints.loadWeights(other, run, "latest"),
          "The model has another structure than the one in the checkpoint",
          "Build the model as it was when the checkpoint was saved");
      DjlCheckpoints.loadWeights(model, run, "latest");
    }
  }

  private void missingFormat() {
    CheckpointManagerBuilder builder = CheckpointManager.in(store()).run("other").format("parquet");
    String message =
        mistake(
            "A shard format that is not there",
            builder::open,
            "shard format 'parquet' is not on the class path",
            "use one of [");
    builder.format(find("use one of \\[(\\w+)[,\\]]", message)).open().close();
  }

  private void missingStore() throws Exception {
    CheckpointConfig config = CheckpointConfig.defaults(Map.of()).with("store", "s3://bucket/ckpt");
    String message =
        mistake(
            "An artifact that is missing",
            () -> CheckpointManager.from(config).run("r").open(),
            "no store for 's3:' on the class path",
            "add dev.ckpt:ckpt-s3");
    assertThat(message).endsWith("dev.ckpt:ckpt-s3");
    // what the artifact would bring: a provider that the class path names
    Path services = Files.createDirectories(folder.resolve("artifact/META-INF/services"));
    Files.writeString(
        services.resolve(StoreProvider.class.getName()), MissingArtifact.class.getName());
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    URL[] added = {folder.resolve("artifact").toUri().toURL()};
    try (URLClassLoader with = new URLClassLoader(added, MissingArtifact.class.getClassLoader())) {
      thread.setContextClassLoader(with);
      CheckpointManager.from(config).run("r").open().close();
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  private void oldDjl() throws Exception {
    ClassLoader old =
        new OtherDjl(
            "ai.djl.training.listener.EarlyStoppingListener", "numberOfEpochsWithoutImprovements");
    mistake(
        "Another DJL than the tested ones",
        () -> opened(old),
        "EarlyStoppingListener.numberOfEpochsWithoutImprovements does not exist",
        "use that version");
    DjlCheckpoints.in(store(), "third").close(); // with the DJL that it names
  }

  private void opened(ClassLoader loader) throws Exception {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(loader); // DJL looks for its engines through it
    try {
      Class<?> door = Class.forName(DjlCheckpoints.class.getName(), true, loader);
      door.getMethod("in", Path.class, String.class).invoke(null, store(), "third");
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof Exception cause) {
        throw cause;
      }
      throw e;
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  /** A disk that has so many bytes left. */
  private static CheckpointStore almostFull(CheckpointStore store, long[] left) {
    return (CheckpointStore)
        Proxy.newProxyInstance(
            CheckpointStore.class.getClassLoader(),
            new Class<?>[] {CheckpointStore.class},
            (proxy, method, args) -> {
              if (method.getName().equals("usableBytes")) {
                return Optional.of(left[0]);
              }
              try {
                return method.invoke(store, args);
              } catch (InvocationTargetException e) {
                throw e.getTargetException();
              }
            });
  }

  private void fullDisk() throws IOException {
    long[] left = {100};
    try (CheckpointStore store = Stores.local(store())) {
      SmallTraining training =
          new SmallTraining(SmallTraining.Setup.plain(), almostFull(store, left));
      training.checkpointing = builder -> builder.run("full").retries(0);
      String[] first = {""};
      training.atEnd =
          (ckpt, trainer) -> {
            first[0] = ckpt.manager().failures().get(0).getMessage();
            left[0] = 1 << 30; // freed
            ckpt.manager().save(ckpt.progress(), Map.of()).join();
          };
      training.run();
      said("A full disk", first[0], "no space left", "free some");
      assertThat(Checkpoints.read(store, "full").list()).isNotEmpty();
    }
  }

  private void unknownMetric() throws Exception {
    String warned =
        Told.by(() -> train(builder -> builder.restoreBest("accurcy", Retention.Mode.MAX)));
    String line =
        warned.lines().filter(each -> each.contains("restoreBest")).findFirst().orElse(warned);
    said(
        "A metric that no checkpoint has",
        line.substring(line.indexOf("WARN")),
        "no finite checkpoint has the metric of restoreBest (accurcy",
        "Set restoreBest to one of [");
    String known = find("one of \\[.*\\b(validate_accuracy)\\b.*\\]", line);
    try (CheckpointStore store = Stores.local(store())) {
      SmallTraining again = new SmallTraining(SmallTraining.Setup.plain(), store);
      again.epochs = 1;
      again.checkpointing = builder -> builder.restoreBest(known, Retention.Mode.MAX);
      again.atEnd = (ckpt, trainer) -> assertThat(ckpt.restoreBest()).isPresent();
      again.run();
    }
  }

  private void unknownReference() throws IOException {
    try (CheckpointStore store = Stores.local(store())) {
      Checkpoints run = Checkpoints.read(store, "small");
      String message =
          mistake(
              "A best without a metric",
              () -> run.find("best"),
              "has no keep.best that says what is best",
              "ask for best(metric)");
      run.find("best(" + find("known: \\[.*\\b(validate_loss)\\b", message) + ", min)");
    }
  }

  private void resumeFromWhatIsNotThere() {
    CheckpointManagerBuilder builder = CheckpointManager.in(store()).run("small");
    String message =
        mistake(
            "A resume from an id that is not there",
            () -> builder.resume(Resume.parse("000001-000000009999-0")).open(),
            "has no checkpoint 000001-000000009999-0",
            "the newest is");
    builder.resume(Resume.parse(find("the newest is (\\S+)", message))).open().close();
  }

  private void secondProcess() throws Exception {
    Process other = HoldingProcess.start(folder.toRealPath().resolve("checkpoints"), "small");
    try {
      mistake(
          "A second process on the run",
          () -> DjlCheckpoints.in(store(), "small"),
          "is in use: runs/small/",
          "give this program a run name of its own");
      DjlCheckpoints.in(store(), "small-2").close();
    } finally {
      other.destroyForcibly().waitFor();
    }
    DjlCheckpoints.in(store(), "small").close(); // it waited for it
  }

  private void newerVersion() throws Exception {
    train(builder -> builder.run("newer"));
    Path manifests = store().resolve("runs/newer/manifests");
    Map<Path, byte[]> before = new LinkedHashMap<>();
    try (var files = Files.list(manifests)) {
      for (Path file : files.sorted().toList()) {
        before.put(file, Files.readAllBytes(file));
        Files.write(file, ofVersionTwo(Files.readString(file)));
      }
    }
    mistake(
        "A checkpoint of a newer version",
        () -> train(builder -> builder.run("newer")),
        "written in format version 2.0",
        "upgrade ckpt");
    for (Map.Entry<Path, byte[]> each : before.entrySet()) {
      assertThat(each.getKey())
          .as("nothing was changed")
          .hasBinaryContent(ofVersionTwo(new String(each.getValue(), StandardCharsets.UTF_8)));
      Files.write(each.getKey(), each.getValue()); // to this ckpt, what a newer one can read
    }
    train(builder -> builder.run("newer"));
  }

  /** The same record as a ckpt to come would seal it. */
  private static byte[] ofVersionTwo(String record) throws Exception {
    String changed = record.replace("\"version\":\"1.0\"}", "\"version\":\"2.0\"}");
    assertThat(changed).isNotEqualTo(record);
    byte[] rest = changed.substring(77).getBytes(StandardCharsets.UTF_8);
    String digest = HexFormat.of().formatHex(DataFacts.sha256().digest(rest));
    return (changed.substring(0, 11) + digest + changed.substring(75))
        .getBytes(StandardCharsets.UTF_8);
  }

  private void otherWeights() throws IOException {
    try (CheckpointStore store = Stores.local(store())) {
      SmallTraining tuned = new SmallTraining(SmallTraining.Setup.plain(), store);
      tuned.epochs = 1;
      tuned.block =
          small -> new SequentialBlock().add(small).add(Linear.builder().setUnits(3).build());
      InitFrom from = InitFrom.of("small", "latest").rename(Map.of("^", "01SequentialBlock_"));
      tuned.checkpointing = builder -> builder.run("tuned").initFrom(from);
      mistake(
          "Weights to start from that do not fit",
          tuned::run,
          "not every parameter can be loaded",
          "set strict: false");
      tuned.checkpointing = builder -> builder.run("tuned").initFrom(from.lenient());
      tuned.run();
    }
  }

  private void noListener() throws Exception {
    try (DjlCheckpoints ckpt = DjlCheckpoints.in(store(), "listener");
        Model model = model(SmallTraining.network())) {
      DefaultTrainingConfig config =
          new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
              .optOptimizer(SmallTraining.adam());
      try (Trainer trainer = model.newTrainer(config)) {
        trainer.initialize(new Shape(1, 6));
        mistake(
            "A listener that is not attached",
            () -> ckpt.resume(trainer),
            "No trainer is attached",
            "add ckpt.listener() to the training config");
      }
      config.addTrainingListeners(ckpt.listener());
      try (Trainer trainer = model.newTrainer(config)) {
        trainer.initialize(new Shape(1, 6));
        ckpt.resume(trainer);
      }
    }
  }

  private void notInitialized() throws Exception {
    try (DjlCheckpoints ckpt = DjlCheckpoints.in(store(), "bare");
        Model model = model(SmallTraining.network());
        Trainer trainer =
            model.newTrainer(
                new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
                    .optOptimizer(SmallTraining.adam())
                    .addTrainingListeners(ckpt.listener()))) {
      mistake(
          "A trainer that is not initialized",
          () -> ckpt.resume(trainer),
          "is not initialized",
          "trainer.initialize(shape)");
      trainer.initialize(new Shape(1, 6));
      assertThat(ckpt.resume(trainer)).isEmpty();
    }
  }
}
