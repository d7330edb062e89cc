package dev.ckpt.mlflow.internal.rest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The calls of MLflow's REST API that are needed, as methods. One thread at a time. */
public final class MlflowApi implements AutoCloseable {
  static final String API = "/api/2.0/mlflow/";
  private static final ObjectMapper MAPPER = new ObjectMapper();

  /** The server's own limits for one call. */
  private static final int MOST_PARAMS = 100;

  private static final int MOST_METRICS = 1_000;
  private static final int PAGE = 50;
  private static final int EXPERIMENTS_PAGE = 1_000;
  static final int MOST_PAGES = 10_000;

  private final Http http;
  private final Tracking tracking;
  private final Artifacts artifacts;
  private final Registry registry;

  public MlflowApi(Tracking tracking, Duration timeout) throws IOException {
    this(tracking, timeout, Traffic.UNSEEN);
  }

  /**
   * @param timeout of each call
   * @param traffic told of each call
   */
  public MlflowApi(Tracking tracking, Duration timeout, Traffic traffic) throws IOException {
    this.tracking = tracking;
    this.http = new Http(tracking, timeout, traffic);
    this.artifacts = new Artifacts(http);
    this.registry = new Registry(http);
  }

  /** A run of MLflow's. */
  public record Run(
      String id,
      String experiment,
      String name,
      String artifacts,
      boolean isActive,
      Map<String, String> tags,
      Map<String, String> params) {}

  /** A LoggedModel. */
  public record Model(
      String id,
      String experiment,
      String run,
      String name,
      String status,
      String artifacts,
      Map<String, String> tags) {
    public boolean isReady() {
      return status.equals("LOGGED_MODEL_READY");
    }
  }

  /** A value of a metric. */
  public record Metric(String key, double value, Instant at, long step) {}

  public Tracking tracking() {
    return tracking;
  }

  /** Files of runs and models. */
  public Artifacts artifacts() {
    return artifacts;
  }

  /** Named versions of models. */
  public Registry registry() {
    return registry;
  }

  // ---- experiments and runs

  /** The id of the experiment of this name, which is made if it is not there. */
  public String experiment(String name) throws MlflowException {
    Optional<String> there = findExperiment(name);
    if (there.isPresent()) {
      return there.get();
    }
    try {
      return id(post("experiments/create", object().put("name", name)), "experiment_id");
    } catch (MlflowException e) {
      if (e.kind() != MlflowException.Kind.EXISTS) {
        throw e;
      }
      // another process was quicker
      return findExperiment(name)
          .orElseThrow(
              () ->
                  new MlflowException(
                      MlflowException.Kind.REFUSED,
                      "the experiment '" + name + "' is deleted: restore it, or name another one"));
    }
  }

  private Optional<String> findExperiment(String name) throws MlflowException {
    try {
      JsonNode found =
          get("experiments/get-by-name?experiment_name=" + Http.encoded(name)).path("experiment");
      return "deleted".equals(found.path("lifecycle_stage").asText())
          ? Optional.empty()
          : Optional.of(id(found, "experiment_id"));
    } catch (MlflowException e) {
      if (e.kind() == MlflowException.Kind.NOT_FOUND) {
        return Optional.empty();
      }
      throw e;
    }
  }

  /** A run by its id. */
  public Run run(String id) throws MlflowException {
    return run(get("runs/get?run_id=" + Http.encoded(id)).path("run"));
  }

  /** The ids of all experiments that are not deleted. */
  public List<String> experiments() throws MlflowException {
    List<String> all = new ArrayList<>();
    String token = "";
    for (int page = 0; page < MOST_PAGES; page++) {
      ObjectNode body = object().put("max_results", EXPERIMENTS_PAGE);
      if (!token.isEmpty()) {
        body.put("page_token", token);
      }
      JsonNode answer = post("experiments/search", body);
      for (JsonNode each : answer.path("experiments")) {
        all.add(id(each, "experiment_id"));
      }
      token = answer.path("next_page_token").asText("");
      if (token.isEmpty()) {
        break;
      }
    }
    return all;
  }

  /** The runs of these experiments that have this tag and are not deleted, the newest first. */
  public List<Run> runs(List<String> experiments, String tag, String value) throws MlflowException {
    ObjectNode body = object().put("filter", tagged(tag, value)).put("max_results", PAGE);
    experiments.forEach(body.putArray("experiment_ids")::add);
    body.putArray("order_by").add("attributes.start_time DESC");
    List<Run> all = new ArrayList<>();
    for (JsonNode each : post("runs/search", body).path("runs")) {
      all.add(run(each));
    }
    return all;
  }

  public Run createRun(String experiment, String name, Instant start, Map<String, String> tags)
      throws MlflowException {
    ObjectNode body =
        object()
            .put("experiment_id", experiment)
            .put("run_name", name)
            .put("start_time", start.toEpochMilli());
    body.set("tags", pairs(tags));
    return run(post("runs/create", body).path("run"));
  }

  /**
   * @param status {@code RUNNING}, {@code FINISHED}, {@code FAILED}, {@code KILLED}
   */
  public void runStatus(String id, String status, Optional<Instant> end) throws MlflowException {
    ObjectNode body = object().put("run_id", id).put("status", status);
    end.ifPresent(at -> body.put("end_time", at.toEpochMilli()));
    post("runs/update", body);
  }

  public void runTag(String id, String key, String value) throws MlflowException {
    post("runs/set-tag", object().put("run_id", id).put("key", key).put("value", value));
  }

  /** Parameters are written once: those that differ from what is there are refused. */
  public void params(String run, Map<String, String> params) throws MlflowException {
    List<Map.Entry<String, String>> all = new ArrayList<>(params.entrySet());
    for (int from = 0; from < all.size(); from += MOST_PARAMS) {
      Map<String, String> some = new LinkedHashMap<>();
      all.subList(from, Math.min(all.size(), from + MOST_PARAMS))
          .forEach(each -> some.put(each.getKey(), each.getValue()));
      ObjectNode body = object().put("run_id", run);
      body.set("params", pairs(some));
      post("runs/log-batch", body);
    }
  }

  /**
   * Writes values of metrics; one that is there with the same time and step is written once.
   *
   * @param model whose metrics they are, too: those that are finite
   */
  public void metrics(String run, Collection<Metric> metrics, Optional<String> model)
      throws MlflowException {
    List<Metric> all = List.copyOf(metrics);
    for (int from = 0; from < all.size(); from += MOST_METRICS) {
      some(run, all.subList(from, Math.min(all.size(), from + MOST_METRICS)), model);
    }
  }

  private void some(String run, List<Metric> metrics, Optional<String> model)
      throws MlflowException {
    ObjectNode body = object().put("run_id", run);
    ArrayNode list = body.putArray("metrics");
    for (Metric metric : metrics) {
      ObjectNode node =
          list.addObject()
              .put("key", metric.key())
              .put("timestamp", metric.at().toEpochMilli())
              .put("step", metric.step());
      if (Double.isFinite(metric.value())) {
        node.put("value", metric.value());
        model.ifPresent(id -> node.put("model_id", id));
      } else {
        // as protobuf's JSON has it; the server's table of models would make a zero of NaN
        node.put("value", Double.toString(metric.value()));
      }
    }
    post("runs/log-batch", body);
  }

  /** Says that a run has given a model at a step; once or often. */
  public void output(String run, String model, long step) throws MlflowException {
    ObjectNode body = object().put("run_id", run);
    body.putArray("models").addObject().put("model_id", model).put("step", step);
    try {
      post("runs/outputs", body);
    } catch (MlflowException e) {
      if (e.kind() != MlflowException.Kind.EXISTS) {
        throw e;
      }
    }
  }

  // ---- models

  /** All models of these experiments that have this tag; those that were deleted are none. */
  public List<Model> models(Collection<String> experiments, String tag, String value)
      throws MlflowException {
    return search(experiments, tagged(tag, value));
  }

  /** The models of an experiment that have this tag and this name. */
  public List<Model> named(String experiment, String tag, String value, String name)
      throws MlflowException {
    return search(List.of(experiment), tagged(tag, value) + " AND name = '" + quoted(name) + "'");
  }

  private List<Model> search(Collection<String> experiments, String filter) throws MlflowException {
    List<Model> all = new ArrayList<>();
    String token = "";
    for (int page = 0; page < MOST_PAGES; page++) {
      ObjectNode body = object().put("filter", filter).put("max_results", PAGE);
      experiments.forEach(body.putArray("experiment_ids")::add);
      if (!token.isEmpty()) {
        body.put("page_token", token);
      }
      JsonNode answer = post("logged-models/search", body);
      for (JsonNode each : answer.path("models")) {
        all.add(model(each));
      }
      token = answer.path("next_page_token").asText("");
      if (token.isEmpty()) {
        break;
      }
    }
    return all;
  }

  public Model model(String id) throws MlflowException {
    return model(get("logged-models/" + Http.encoded(id)).path("model"));
  }

  public Model createModel(
      Run run, String name, Map<String, String> params, Map<String, String> tags)
      throws MlflowException {
    ObjectNode body =
        object()
            .put("experiment_id", run.experiment())
            .put("name", name)
            .put("model_type", "checkpoint")
            .put("source_run_id", run.id());
    body.set("params", pairs(params));
    body.set("tags", pairs(tags));
    return model(post("logged-models", body).path("model"));
  }

  public void modelTags(String id, Map<String, String> tags) throws MlflowException {
    ObjectNode body = object().put("model_id", id);
    body.set("tags", pairs(tags));
    http.json("PATCH", API + "logged-models/" + Http.encoded(id) + "/tags", body);
  }

  /** Finishes a model: whole, or failed. */
  public void modelStatus(String id, boolean ready) throws MlflowException {
    ObjectNode body =
        object()
            .put("model_id", id)
            .put("status", ready ? "LOGGED_MODEL_READY" : "LOGGED_MODEL_UPLOAD_FAILED");
    http.json("PATCH", API + "logged-models/" + Http.encoded(id), body);
  }

  public void deleteModel(String id) throws MlflowException {
    http.delete(API + "logged-models/" + Http.encoded(id));
  }

  // ---- JSON

  private JsonNode post(String path, JsonNode body) throws MlflowException {
    return http.json("POST", API + path, body);
  }

  private JsonNode get(String path) throws MlflowException {
    return http.json("GET", API + path, null);
  }

  private static ObjectNode object() {
    return MAPPER.createObjectNode();
  }

  private static ArrayNode pairs(Map<String, String> values) {
    ArrayNode list = MAPPER.createArrayNode();
    values.forEach((key, value) -> list.addObject().put("key", key).put("value", value));
    return list;
  }

  private static Map<String, String> map(JsonNode pairs) {
    Map<String, String> values = new LinkedHashMap<>();
    pairs.forEach(each -> values.put(each.path("key").asText(), each.path("value").asText()));
    return values;
  }

  private static String tagged(String tag, String value) {
    return "tags.`" + tag + "` = '" + quoted(value) + "'";
  }

  /** Ids, digests and names of ours need no quotes: a text with one is not searched for. */
  static String quoted(String text) {
    if (text.indexOf('\'') >= 0 || text.indexOf('\\') >= 0) {
      throw new IllegalArgumentException("not to be searched for: " + text);
    }
    return text;
  }

  /** What has no id was not answered by MLflow, whatever its status says: later, perhaps. */
  private String id(JsonNode node, String field) throws MlflowException {
    String id = node.path(field).asText("");
    if (id.isEmpty()) {
      throw new MlflowException(
          MlflowException.Kind.BUSY,
          "MLflow at " + tracking + " answered without " + field + ": is it MLflow?");
    }
    return id;
  }

  private Run run(JsonNode node) throws MlflowException {
    JsonNode info = node.path("info");
    return new Run(
        id(info, "run_id"),
        id(info, "experiment_id"),
        info.path("run_name").asText(),
        info.path("artifact_uri").asText(),
        !info.path("lifecycle_stage").asText().equals("deleted"),
        map(node.path("data").path("tags")),
        map(node.path("data").path("params")));
  }

  private Model model(JsonNode node) throws MlflowException {
    JsonNode info = node.path("info");
    return new Model(
        id(info, "model_id"),
        info.path("experiment_id").asText(),
        info.path("source_run_id").asText(),
        info.path("name").asText(),
        info.path("status").asText(),
        info.path("artifact_uri").asText(),
        map(info.path("tags")));
  }

  @Override
  public void close() {
    http.close();
  }
}
