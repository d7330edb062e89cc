package dev.ckpt.mlflow;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Behaves as the real server was measured to, where that matters: creation is not idempotent, an
 * output may be said once, a parameter written once, values of equal time and step are one. Fails
 * in the ways in which servers fail. What it keeps outlives a stop, as a database does.
 */
final class StandIn implements AutoCloseable {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final Pattern TAG = Pattern.compile("tags\\.`([^`]+)` = '([^']*)'");
  private static final Pattern NAMED = Pattern.compile("(tags.*) AND name = '([^']*)'");
  private static final int MOST_METRICS = 1_000;

  /** How it fails. */
  enum Trouble {
    NONE,
    /** Takes the call and never answers. */
    HANG,
    /** Ends the connection without an answer, nothing done. */
    RESET,
    /** Does what is asked and ends the connection without an answer. */
    RESET_AFTERWARDS,
    ANSWER_503,
    ANSWER_429,
    ANSWER_400,
    /** Does nothing and says that all is well, as no MLflow does. */
    ANSWER_EMPTY
  }

  /** What decides how a call fails. */
  interface Plan {
    Trouble at(int call, String what);
  }

  static final class ModelState {
    String id = "";
    String name = "";
    String run = "";
    String experiment = "0";
    String status = "LOGGED_MODEL_PENDING";
    final Map<String, String> params = new LinkedHashMap<>();
    final Map<String, String> tags = new TreeMap<>();

    /** By key, the value said last. Its table has no place for NaN: that is zero. */
    final Map<String, Double> metrics = new TreeMap<>();

    boolean deleted;
  }

  static final class RunState {
    String id = "";
    String name = "";
    String experiment = "0";
    String status = "RUNNING";
    long start;
    boolean deleted;
    final Map<String, String> params = new TreeMap<>();
    final Map<String, String> tags = new TreeMap<>();
    final Map<String, Long> outputs = new TreeMap<>();

    /** {@code key step timestamp model} to value. */
    final Map<String, Double> metrics = new TreeMap<>();
  }

  final Map<String, RunState> runs = new LinkedHashMap<>();
  final Map<String, ModelState> models = new LinkedHashMap<>();
  final Map<String, byte[]> artifacts = new TreeMap<>();
  final Map<String, String> experiments = new LinkedHashMap<>();
  final List<ObjectNode> versions = new ArrayList<>();
  final Map<String, String> aliases = new TreeMap<>();
  final List<String> calls = Collections.synchronizedList(new ArrayList<>());
  final List<String> authorizations = Collections.synchronizedList(new ArrayList<>());

  /** A name of a model that its database does not take, whatever its own checks say. */
  volatile String poison = "";

  volatile Plan plan = (call, what) -> Trouble.NONE;

  private final int port;
  private HttpServer server;
  private ExecutorService executor = Executors.newCachedThreadPool();
  private CountDownLatch released = new CountDownLatch(1);
  private int ids;

  static {
    // else each answer waits for the acknowledgement of its own head
    System.setProperty("sun.net.httpserver.nodelay", "true");
  }

  StandIn() throws IOException {
    experiments.put("Default", "0");
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    port = server.getAddress().getPort();
    start(server);
  }

  private void start(HttpServer made) {
    made.setExecutor(executor);
    made.createContext("/", this::handle);
    made.start();
  }

  String uri() {
    return "http://127.0.0.1:" + port;
  }

  void stop() {
    released.countDown();
    server.stop(0);
    executor.shutdownNow();
  }

  void restart() throws IOException {
    executor = Executors.newCachedThreadPool();
    released = new CountDownLatch(1);
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
    start(server);
  }

  @Override
  public void close() {
    stop();
  }

  /** A run that somebody else has made. */
  RunState theirs(String id) {
    RunState run = new RunState();
    run.id = id;
    runs.put(id, run);
    return run;
  }

  /** The models that the UI shows. */
  synchronized List<ModelState> shown() {
    return models.values().stream().filter(model -> !model.deleted).toList();
  }

  /** All that a person would see, in one text: to compare two servers. */
  synchronized String state() {
    StringBuilder text = new StringBuilder();
    for (RunState run : runs.values()) {
      text.append("run ").append(run.name).append(' ').append(run.status).append('\n');
      run.params.forEach(
          (k, v) -> text.append("  param ").append(k).append('=').append(v).append('\n'));
      Map<String, String> metrics = new TreeMap<>();
      run.metrics.forEach((k, v) -> metrics.put(anonymous(k), k + "=" + v));
      metrics.values().forEach(v -> text.append("  metric ").append(anonymous(v)).append('\n'));
      List<String> outputs = new ArrayList<>();
      run.outputs.forEach(
          (model, step) -> {
            ModelState state = models.get(model);
            if (state != null && !state.deleted) {
              outputs.add("  output " + state.name + " at " + step + "\n");
            }
          });
      Collections.sort(outputs);
      outputs.forEach(text::append);
      text.append("  latest ")
          .append(anonymous(run.tags.getOrDefault("ckpt.latest", "-")))
          .append('\n');
    }
    List<String> lines = new ArrayList<>();
    for (ModelState model : shown()) {
      List<String> files = new ArrayList<>();
      String root = "0/models/" + model.id + "/artifacts/";
      artifacts.keySet().stream()
          .filter(path -> path.startsWith(root))
          .forEach(path -> files.add(path.substring(root.length())));
      lines.add(
          "model " + model.name + " " + model.status + " " + model.params.get("id") + " " + files);
    }
    Collections.sort(lines);
    lines.forEach(line -> text.append(line).append('\n'));
    List<String> orphans =
        artifacts.keySet().stream()
            .filter(path -> path.contains("/models/"))
            .filter(path -> shown().stream().noneMatch(m -> path.contains(m.id)))
            .toList();
    return text.append("orphans ").append(orphans.size()).append('\n').toString();
  }

  private static String anonymous(String text) {
    return text.replaceAll("m-\\d+", "m");
  }

  private void handle(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    String what = exchange.getRequestMethod() + " " + path;
    byte[] body = exchange.getRequestBody().readAllBytes();
    authorizations.add(String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")));
    int call;
    synchronized (calls) {
      calls.add(what);
      call = calls.size();
    }
    Trouble trouble = plan.at(call, what);
    switch (trouble) {
      case HANG -> {
        try {
          released.await();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
        throw new IOException("hung");
      }
      case RESET -> throw new IOException("reset");
      case ANSWER_503 ->
          answer(exchange, 503, "<html>unavailable</html>".getBytes(StandardCharsets.UTF_8));
      case ANSWER_429 -> {
        exchange.getResponseHeaders().set("Retry-After", "0");
        answer(exchange, 429, new byte[0]);
      }
      case ANSWER_EMPTY -> answer(exchange, 200, "{}".getBytes(StandardCharsets.UTF_8));
      case ANSWER_400 -> answer(exchange, 400, error("BAD_REQUEST", "no"));
      case NONE, RESET_AFTERWARDS -> {
        Answer answer;
        try {
          answer = serve(exchange, path, body);
        } catch (NoSuchElementException e) {
          answer = missing();
        }
        if (trouble == Trouble.RESET_AFTERWARDS) {
          throw new IOException("reset after it was done");
        }
        answer(exchange, answer.status, answer.body);
      }
    }
  }

  private record Answer(int status, byte[] body) {}

  private static void answer(HttpExchange exchange, int status, byte[] body) throws IOException {
    exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
    if (body.length > 0) {
      exchange.getResponseBody().write(body);
    }
    exchange.close();
  }

  private static byte[] error(String code, String message) {
    return MAPPER
        .createObjectNode()
        .put("error_code", code)
        .put("message", message)
        .toString()
        .getBytes(StandardCharsets.UTF_8);
  }

  private static Answer ok(JsonNode body) {
    return new Answer(200, body.toString().getBytes(StandardCharsets.UTF_8));
  }

  private static Answer missing() {
    return new Answer(404, error("RESOURCE_DOES_NOT_EXIST", "no such thing"));
  }

  private synchronized Answer serve(HttpExchange exchange, String path, byte[] bytes)
      throws IOException {
    Map<String, String> query = query(exchange.getRequestURI().getRawQuery());
    String artifact = "/api/2.0/mlflow-artifacts/artifacts";
    if (path.startsWith(artifact)) {
      return artifact(exchange.getRequestMethod(), path.substring(artifact.length()), query, bytes);
    }
    JsonNode body = bytes.length == 0 ? MAPPER.createObjectNode() : MAPPER.readTree(bytes);
    String what = path.replaceFirst("^/api/2\\.0/mlflow/", "");
    if (what.startsWith("logged-models")) {
      return model(exchange.getRequestMethod(), what, body);
    }
    return switch (what) {
      case "experiments/get-by-name" -> {
        String id = experiments.get(query.get("experiment_name"));
        ObjectNode root = MAPPER.createObjectNode();
        root.putObject("experiment").put("experiment_id", id).put("lifecycle_stage", "active");
        yield id == null ? missing() : ok(root);
      }
      case "experiments/search" -> {
        ObjectNode root = MAPPER.createObjectNode();
        ArrayNode list = root.putArray("experiments");
        experiments.values().forEach(id -> list.addObject().put("experiment_id", id));
        yield ok(root);
      }
      case "experiments/create" -> {
        String id = Integer.toString(experiments.size());
        experiments.put(body.path("name").asText(), id);
        yield ok(MAPPER.createObjectNode().put("experiment_id", id));
      }
      case "runs/create" -> {
        RunState run = new RunState();
        run.id = "run" + ++ids;
        run.name = body.path("run_name").asText();
        run.experiment = body.path("experiment_id").asText();
        run.start = body.path("start_time").asLong();
        put(run.tags, body.path("tags"));
        runs.put(run.id, run);
        ObjectNode root = MAPPER.createObjectNode();
        root.set("run", json(run));
        yield ok(root);
      }
      case "runs/get" -> {
        RunState run = runs.get(query.get("run_id"));
        ObjectNode root = MAPPER.createObjectNode();
        if (run != null) {
          root.set("run", json(run));
        }
        yield run == null ? missing() : ok(root);
      }
      case "runs/search" -> {
        ObjectNode root = MAPPER.createObjectNode();
        ArrayNode list = root.putArray("runs");
        List<RunState> newestFirst = new ArrayList<>(runs.values());
        newestFirst.sort(Comparator.comparingLong((RunState run) -> run.start).reversed());
        for (RunState run : newestFirst) {
          if (!run.deleted
              && isIn(run.experiment, body)
              && matches(run.tags, body.path("filter").asText())) {
            list.add(json(run));
          }
        }
        yield ok(root);
      }
      case "runs/update" -> {
        RunState run = known(body);
        run.status = body.path("status").asText(run.status);
        yield ok(MAPPER.createObjectNode());
      }
      case "runs/set-tag" -> {
        known(body).tags.put(body.path("key").asText(), body.path("value").asText());
        yield ok(MAPPER.createObjectNode());
      }
      case "runs/log-batch" -> batch(body);
      case "runs/outputs" -> {
        RunState run = known(body);
        for (JsonNode model : body.path("models")) {
          if (run.outputs.put(model.path("model_id").asText(), model.path("step").asLong())
              != null) {
            yield new Answer(
                400, error("BAD_REQUEST", "UNIQUE constraint failed: inputs.source_type"));
          }
        }
        yield ok(MAPPER.createObjectNode());
      }
      default -> registry(what, query, body);
    };
  }

  private RunState known(JsonNode body) {
    RunState run = runs.get(body.path("run_id").asText());
    if (run == null) {
      throw new NoSuchElementException();
    }
    return run;
  }

  private static boolean isIn(String experiment, JsonNode body) {
    for (JsonNode each : body.path("experiment_ids")) {
      if (each.asText().equals(experiment)) {
        return true;
      }
    }
    return false;
  }

  /** All is lost, as with a database that was not kept. */
  synchronized void forgetAll() {
    runs.clear();
    models.clear();
    artifacts.clear();
    versions.clear();
    aliases.clear();
  }

  private Answer batch(JsonNode body) {
    RunState run = runs.get(body.path("run_id").asText());
    if (run == null) {
      return missing();
    }
    if (run.deleted) {
      return new Answer(
          400, error("INVALID_PARAMETER_VALUE", "The run must be in the 'active' state"));
    }
    if (body.path("metrics").size() > MOST_METRICS) {
      return new Answer(400, error("INVALID_PARAMETER_VALUE", "at most 1000 metrics"));
    }
    for (JsonNode param : body.path("params")) {
      String before = run.params.get(param.path("key").asText());
      if (before != null && !before.equals(param.path("value").asText())) {
        return new Answer(400, error("INVALID_PARAMETER_VALUE", "Changing param values"));
      }
      run.params.put(param.path("key").asText(), param.path("value").asText());
    }
    for (JsonNode metric : body.path("metrics")) {
      run.metrics.put(
          metric.path("key").asText()
              + " "
              + metric.path("step").asLong()
              + " "
              + metric.path("timestamp").asLong(),
          Double.valueOf(metric.path("value").asText()));
      ModelState model = models.get(metric.path("model_id").asText());
      if (model != null) {
        double value = Double.parseDouble(metric.path("value").asText());
        model.metrics.put(metric.path("key").asText(), Double.isNaN(value) ? 0 : value);
      }
    }
    return ok(MAPPER.createObjectNode());
  }

  private Answer registry(String what, Map<String, String> query, JsonNode body) {
    switch (what) {
      case "registered-models/create" -> {
        return ok(MAPPER.createObjectNode());
      }
      case "model-versions/create" -> {
        ObjectNode version = MAPPER.createObjectNode();
        version.put("name", body.path("name").asText());
        version.put("version", Integer.toString(versions.size() + 1));
        version.put("source", body.path("source").asText());
        version.put("run_id", body.path("run_id").asText());
        versions.add(version);
        ObjectNode root = MAPPER.createObjectNode();
        root.set("model_version", version);
        return ok(root);
      }
      case "model-versions/search" -> {
        String filter = query.getOrDefault("filter", "");
        ObjectNode root = MAPPER.createObjectNode();
        ArrayNode list = root.putArray("model_versions");
        for (ObjectNode version : versions) {
          if (filter.equals("run_id = '" + version.path("run_id").asText() + "'")
              || filter.equals("source_path = '" + version.path("source").asText() + "'")) {
            list.add(version);
          }
        }
        return ok(root);
      }
      case "registered-models/alias" -> {
        if (body.has("alias")) {
          aliases.put(
              body.path("name").asText() + "@" + body.path("alias").asText(),
              body.path("version").asText());
          return ok(MAPPER.createObjectNode());
        }
        String version = aliases.get(query.get("name") + "@" + query.get("alias"));
        for (ObjectNode each : versions) {
          if (each.path("version").asText().equals(version)) {
            ObjectNode root = MAPPER.createObjectNode();
            root.set("model_version", each);
            return ok(root);
          }
        }
        return new Answer(400, error("INVALID_PARAMETER_VALUE", "alias not found"));
      }
      default -> {
        return missing();
      }
    }
  }

  private Answer model(String method, String what, JsonNode body) {
    if (what.equals("logged-models") && method.equals("POST")) {
      ModelState model = new ModelState();
      model.id = "m-" + ++ids;
      model.name = body.path("name").asText();
      if (model.name.equals(poison)) {
        return new Answer(500, error("INTERNAL_ERROR", "value too long"));
      }
      if (model.name.matches(".*[/:.%\"'].*")) {
        return new Answer(400, error("INVALID_PARAMETER_VALUE", "bad name"));
      }
      model.run = body.path("source_run_id").asText();
      model.experiment = body.path("experiment_id").asText();
      put(model.params, body.path("params"));
      put(model.tags, body.path("tags"));
      models.put(model.id, model);
      return ok(wrapped(model));
    }
    if (what.equals("logged-models/search")) {
      ObjectNode root = MAPPER.createObjectNode();
      ArrayNode list = root.putArray("models");
      String filter = body.path("filter").asText();
      List<ModelState> found =
          shown().stream()
              .filter(model -> isIn(model.experiment, body))
              .filter(model -> isMeant(model, filter))
              .toList();
      int from = body.path("page_token").asInt(0);
      int to = Math.min(found.size(), from + body.path("max_results").asInt());
      found.subList(from, to).forEach(model -> list.add(json(model)));
      if (to < found.size()) {
        root.put("next_page_token", Integer.toString(to));
      }
      return ok(root);
    }
    String id = what.split("/", -1)[1];
    ModelState model = models.get(id);
    if (model == null || model.deleted) {
      return missing();
    }
    if (method.equals("DELETE")) {
      model.deleted = true;
    } else if (what.endsWith("/tags")) {
      put(model.tags, body.path("tags"));
    } else if (method.equals("PATCH")) {
      model.status = body.path("status").asText();
    }
    return ok(wrapped(model));
  }

  private static boolean isMeant(ModelState model, String filter) {
    Matcher named = NAMED.matcher(filter);
    return named.matches()
        ? matches(model.tags, named.group(1)) && model.name.equals(named.group(2))
        : matches(model.tags, filter);
  }

  private static boolean matches(Map<String, String> tags, String filter) {
    Matcher tag = TAG.matcher(filter);
    return tag.matches() && tag.group(2).equals(tags.get(tag.group(1)));
  }

  private Answer artifact(String method, String path, Map<String, String> query, byte[] bytes) {
    String key = path.isEmpty() ? "" : path.substring(1);
    switch (method) {
      case "PUT" -> artifacts.put(key, bytes);
      case "DELETE" -> artifacts.remove(key);
      default -> {
        if (!key.isEmpty()) {
          return artifacts.containsKey(key) ? new Answer(200, artifacts.get(key)) : missing();
        }
        ObjectNode root = MAPPER.createObjectNode();
        ArrayNode files = root.putArray("files");
        String folder = query.get("path") + "/";
        Map<String, Boolean> names = new TreeMap<>();
        for (String each : artifacts.keySet()) {
          if (each.startsWith(folder)) {
            String rest = each.substring(folder.length());
            names.put(rest.split("/", 2)[0], rest.contains("/"));
          }
        }
        names.forEach(
            (name, isFolder) -> files.addObject().put("path", name).put("is_dir", isFolder));
        return ok(root);
      }
    }
    return ok(MAPPER.createObjectNode());
  }

  private static ObjectNode wrapped(ModelState model) {
    ObjectNode root = MAPPER.createObjectNode();
    root.set("model", json(model));
    return root;
  }

  private static ObjectNode json(ModelState model) {
    ObjectNode root = MAPPER.createObjectNode();
    ObjectNode info =
        root.putObject("info")
            .put("model_id", model.id)
            .put("experiment_id", model.experiment)
            .put("name", model.name)
            .put("source_run_id", model.run)
            .put("status", model.status)
            .put(
                "artifact_uri",
                "mlflow-artifacts:/" + model.experiment + "/models/" + model.id + "/artifacts");
    pairs(info.putArray("tags"), model.tags);
    return root;
  }

  private static ObjectNode json(RunState run) {
    ObjectNode root = MAPPER.createObjectNode();
    root.putObject("info")
        .put("run_id", run.id)
        .put("experiment_id", run.experiment)
        .put("run_name", run.name)
        .put("lifecycle_stage", run.deleted ? "deleted" : "active")
        .put("artifact_uri", "mlflow-artifacts:/" + run.experiment + "/" + run.id + "/artifacts");
    ObjectNode data = root.putObject("data");
    pairs(data.putArray("tags"), run.tags);
    pairs(data.putArray("params"), run.params);
    return root;
  }

  private static void pairs(ArrayNode list, Map<String, String> values) {
    values.forEach((key, value) -> list.addObject().put("key", key).put("value", value));
  }

  private static void put(Map<String, String> into, JsonNode pairs) {
    pairs.forEach(pair -> into.put(pair.path("key").asText(), pair.path("value").asText()));
  }

  private static Map<String, String> query(String raw) {
    Map<String, String> all = new TreeMap<>();
    for (String each : Optional.ofNullable(raw).orElse("").split("&", -1)) {
      String[] pair = each.split("=", 2);
      if (pair.length == 2) {
        all.put(pair[0], URLDecoder.decode(pair[1], StandardCharsets.UTF_8));
      }
    }
    return all;
  }
}
