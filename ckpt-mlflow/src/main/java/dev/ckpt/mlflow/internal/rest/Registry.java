package dev.ckpt.mlflow.internal.rest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Registered models: names, their versions, and aliases of those. */
public final class Registry {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final String MODELS = "models:/";

  private final Http http;

  Registry(Http http) {
    this.http = http;
  }

  /**
   * A version in the registry.
   *
   * @param source what it was made of: {@code models:/m-...}, or where the artifacts are
   */
  public record Version(String name, String version, String source) {

    /** Whether it was made of this model. */
    public boolean isOf(String model) {
      return source.equals(MODELS + model) || source.contains("/models/" + model + "/");
    }
  }

  /** Makes a name in the registry, if it is not there. */
  public void register(String name) throws MlflowException {
    try {
      post("registered-models/create", MAPPER.createObjectNode().put("name", name));
    } catch (MlflowException e) {
      if (e.kind() != MlflowException.Kind.EXISTS) {
        throw e;
      }
    }
  }

  /** All versions that were made of models of a run. */
  public List<Version> versionsOfRun(String run) throws MlflowException {
    return versions("run_id = '" + MlflowApi.quoted(run) + "'");
  }

  /** All versions whose source is a model, whoever made them. */
  public List<Version> versionsOfModel(String model) throws MlflowException {
    return versions("source_path = '" + MODELS + MlflowApi.quoted(model) + "'");
  }

  private List<Version> versions(String filter) throws MlflowException {
    List<Version> all = new ArrayList<>();
    String token = "";
    for (int page = 0; page < MlflowApi.MOST_PAGES; page++) {
      JsonNode answer =
          get(
              "model-versions/search?max_results=1000&filter="
                  + Http.encoded(filter)
                  + (token.isEmpty() ? "" : "&page_token=" + Http.encoded(token)));
      for (JsonNode each : answer.path("model_versions")) {
        all.add(version(each));
      }
      token = answer.path("next_page_token").asText("");
      if (token.isEmpty()) {
        break;
      }
    }
    return all;
  }

  public Version createVersion(String name, MlflowApi.Model model) throws MlflowException {
    return version(
        post(
                "model-versions/create",
                MAPPER
                    .createObjectNode()
                    .put("name", name)
                    .put("source", MODELS + model.id())
                    .put("run_id", model.run())
                    .put("model_id", model.id()))
            .path("model_version"));
  }

  public void alias(Version version, String alias) throws MlflowException {
    post(
        "registered-models/alias",
        MAPPER
            .createObjectNode()
            .put("name", version.name())
            .put("alias", alias)
            .put("version", version.version()));
  }

  /** The version that an alias of a name stands for. */
  public Optional<Version> aliased(String name, String alias) throws MlflowException {
    try {
      return Optional.of(
          version(
              get("registered-models/alias?name="
                      + Http.encoded(name)
                      + "&alias="
                      + Http.encoded(alias))
                  .path("model_version")));
    } catch (MlflowException e) {
      // an alias that is not there is an invalid parameter
      if (e.kind() == MlflowException.Kind.NOT_FOUND || e.kind() == MlflowException.Kind.REFUSED) {
        return Optional.empty();
      }
      throw e;
    }
  }

  private JsonNode post(String path, JsonNode body) throws MlflowException {
    return http.json("POST", MlflowApi.API + path, body);
  }

  private JsonNode get(String path) throws MlflowException {
    return http.json("GET", MlflowApi.API + path, null);
  }

  private static Version version(JsonNode node) {
    return new Version(
        node.path("name").asText(), node.path("version").asText(), node.path("source").asText());
  }
}
