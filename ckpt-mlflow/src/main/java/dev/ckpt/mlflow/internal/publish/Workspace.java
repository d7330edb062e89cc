package dev.ckpt.mlflow.internal.publish;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.mlflow.internal.outbox.DurableFiles;
import dev.ckpt.mlflow.internal.report.Row;
import java.io.Closeable;
import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folder in which a run's publishing keeps what it must remember: the outbox, the local
 * reports, the rows of the tables, and where it publishes to. All but the outbox can be found out
 * again from the store and the server.
 */
public final class Workspace {
  private static final Logger log = LoggerFactory.getLogger(Workspace.class);
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final int MOST_ROWS = 2_000;

  private static final String ELSEWHERE = "elsewhere";

  private final Path root;

  /** Where it is if nobody configures it. */
  private final Path usual;

  private Workspace(Path root, Path usual) {
    this.root = root;
    this.usual = usual;
  }

  /**
   * The folder of a run.
   *
   * @param configured empty: {@code mlflow/<run>} in a store that is a folder, else below the home
   */
  public static Workspace of(URI store, String run, Optional<Path> configured) {
    Path usual;
    if ("file".equalsIgnoreCase(store.getScheme())) {
      usual = Path.of(store).resolve("mlflow").resolve(run);
    } else {
      usual =
          Path.of(System.getProperty("user.home"), ".ckpt", "mlflow")
              .resolve(digest(store.toString()).substring(0, 16))
              .resolve(run);
    }
    return new Workspace(configured.map(folder -> folder.resolve(run)).orElse(usual), usual);
  }

  /**
   * The folder that the training uses, for who was not told where that is.
   *
   * @param configured empty: where {@link #remember} says
   */
  static Workspace ofTraining(URI store, String run, Optional<Path> configured) throws IOException {
    Workspace workspace = of(store, run, configured);
    if (configured.isEmpty()) {
      Optional<Path> elsewhere =
          DurableFiles.read(workspace.usual.resolve(ELSEWHERE))
              .map(bytes -> Path.of(new String(bytes, StandardCharsets.UTF_8)));
      if (elsewhere.isPresent() && Files.isDirectory(elsewhere.get())) {
        return new Workspace(elsewhere.get(), workspace.usual);
      }
    }
    return workspace;
  }

  /** Leaves word in the usual place of where this is. */
  void remember() throws IOException {
    if (!root.equals(usual)) {
      DurableFiles.createFolders(usual);
      DurableFiles.write(
          usual.resolve(ELSEWHERE), root.toString().getBytes(StandardCharsets.UTF_8));
    } else if (Files.exists(usual.resolve(ELSEWHERE))) {
      DurableFiles.delete(usual.resolve(ELSEWHERE));
    }
  }

  public Path root() {
    return root;
  }

  /** Whether anything was ever kept here. */
  public boolean isThere() {
    return Files.isDirectory(root);
  }

  /** The folder of a checkpoint's report. */
  public Path report(String id) {
    return root.resolve("reports").resolve(id);
  }

  /** The checkpoints that have, or had, a report here. */
  List<String> reported() throws IOException {
    return DurableFiles.names(root.resolve("reports"));
  }

  /** The page of the newest checkpoint. */
  public Path newestReport() {
    return root.resolve("report.html");
  }

  /**
   * The right to publish: one process, and one thread of it.
   *
   * @return empty if another one has it
   */
  public Optional<Closeable> lock() throws IOException {
    DurableFiles.createFolders(root);
    FileChannel channel =
        FileChannel.open(
            root.resolve("publisher.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    FileLock lock = null;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException e) {
      // a thread of this process has it
    } finally {
      if (lock == null) {
        channel.close();
      }
    }
    return lock == null ? Optional.empty() : Optional.of(channel);
  }

  // ---- where to

  /** The file in which it is remembered. */
  Path targetFile() {
    return root.resolve("target.json");
  }

  /** What was last remembered; empty if nothing was, or it is not readable. */
  public Optional<Target> target() {
    JsonNode node;
    try {
      Optional<byte[]> bytes = DurableFiles.read(targetFile());
      if (bytes.isEmpty()) {
        return Optional.empty();
      }
      node = MAPPER.readTree(bytes.get());
    } catch (IOException e) {
      log.warn("{} is not readable: {}", targetFile(), e.toString());
      return Optional.empty();
    }
    List<String> experiments = new ArrayList<>();
    node.path("experiments").forEach(each -> experiments.add(each.asText()));
    return Optional.of(
        new Target(
            node.path("key").asText(),
            text(node, "trackingUri"),
            text(node, "runId"),
            text(node, "experiment"),
            text(node, "experimentId"),
            node.path("runName").asText(),
            text(node, "parentRun"),
            text(node, "shown"),
            text(node, "page"),
            experiments));
  }

  /** Remembers it, if the disk lets us: it is found again without. */
  void target(Target target) {
    if (target().filter(target::equals).isPresent()) {
      return;
    }
    ObjectNode node =
        MAPPER
            .createObjectNode()
            .put("version", 1)
            .put("key", target.key())
            .put("runName", target.runName());
    target.experiment().ifPresent(name -> node.put("experiment", name));
    target.experiments().forEach(node.putArray("experiments")::add);
    target.trackingUri().ifPresent(uri -> node.put("trackingUri", uri));
    target.runId().ifPresent(id -> node.put("runId", id));
    target.experimentId().ifPresent(id -> node.put("experimentId", id));
    target.parentRun().ifPresent(id -> node.put("parentRun", id));
    target.shown().ifPresent(id -> node.put("shown", id));
    target.page().ifPresent(page -> node.put("page", page));
    try {
      write("target.json", node);
    } catch (IOException e) {
      log.warn("{} is not written: {}", targetFile(), e.toString());
    }
  }

  private static Optional<String> text(JsonNode node, String field) {
    return Optional.ofNullable(node.path(field).textValue());
  }

  // ---- rows

  /** By checkpoint, in the order of ids; empty if the file is not there or not readable. */
  public TreeMap<String, Row> rows() {
    TreeMap<String, Row> rows = new TreeMap<>();
    try {
      Optional<byte[]> bytes = DurableFiles.read(root.resolve("rows.json"));
      if (bytes.isEmpty()) {
        return rows;
      }
      for (JsonNode each : MAPPER.readTree(bytes.get()).path("rows")) {
        Row row = row(each);
        rows.put(row.id(), row);
      }
    } catch (IOException | RuntimeException e) {
      log.warn("{} is not readable and begun anew: {}", root.resolve("rows.json"), e.toString());
    }
    return rows;
  }

  void rows(TreeMap<String, Row> rows) throws IOException {
    List<String> gone = new ArrayList<>();
    int tooMany = rows.size() - MOST_ROWS;
    for (Row row : rows.values()) {
      if (row.deleted() && gone.size() < tooMany) {
        gone.add(row.id());
      }
    }
    gone.forEach(rows::remove);
    ObjectNode whole = MAPPER.createObjectNode().put("version", 1);
    ArrayNode list = whole.putArray("rows");
    rows.values().forEach(row -> list.add(json(row)));
    write("rows.json", whole);
  }

  private static ObjectNode json(Row row) {
    ObjectNode node =
        MAPPER
            .createObjectNode()
            .put("id", row.id())
            .put("step", row.step())
            .put("epoch", row.epoch())
            .put("at", row.at().toString())
            .put("bytes", row.bytes())
            .put("finite", row.finite())
            .put("stallMillis", Double.toString(row.stallMillis()))
            .put("writeMillis", Double.toString(row.writeMillis()))
            .put("norm", Double.toString(row.norm()))
            .put("model", row.model())
            .put("deleted", row.deleted());
    ObjectNode metrics = node.putObject("metrics");
    row.metrics().forEach((name, value) -> metrics.put(name, Double.toString(value)));
    return node;
  }

  private static Row row(JsonNode node) {
    TreeMap<String, Double> metrics = new TreeMap<>();
    node.path("metrics")
        .fields()
        .forEachRemaining(
            each -> metrics.put(each.getKey(), Double.valueOf(each.getValue().asText())));
    return new Row(
        node.path("id").asText(),
        node.path("step").asLong(),
        node.path("epoch").asInt(),
        Instant.parse(node.path("at").asText()),
        node.path("bytes").asLong(),
        node.path("finite").asBoolean(),
        Double.parseDouble(node.path("stallMillis").asText()),
        Double.parseDouble(node.path("writeMillis").asText()),
        Double.parseDouble(node.path("norm").asText()),
        metrics,
        node.path("model").asText(),
        node.path("deleted").asBoolean());
  }

  private void write(String name, ObjectNode node) throws IOException {
    DurableFiles.createFolders(root);
    try {
      DurableFiles.write(root.resolve(name), MAPPER.writeValueAsBytes(node));
    } catch (JsonProcessingException e) {
      throw new AssertionError("a tree is always JSON", e);
    }
  }

  static String digest(String text) {
    try {
      return HexFormat.of()
          .formatHex(
              MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }
}
