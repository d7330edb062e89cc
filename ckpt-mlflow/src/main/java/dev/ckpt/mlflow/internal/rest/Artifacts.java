package dev.ckpt.mlflow.internal.rest;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.InputStream;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * Files of runs and models, as far as they go through the server. A place is the {@code
 * artifact_uri} that the server gives.
 */
public final class Artifacts {
  private static final String ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts";
  private static final String PROXIED = "mlflow-artifacts:/";
  private static final int DEEPEST = 16;

  private final Http http;

  Artifacts(Http http) {
    this.http = http;
  }

  /** Whether artifacts below this URI go through the server. */
  public static boolean isProxied(String artifacts) {
    return artifacts.startsWith(PROXIED);
  }

  /** Writes a file, in place of one that may be there. */
  public void put(String artifacts, String file, byte[] contents) throws MlflowException {
    send(artifacts, file, BodyPublishers.ofByteArray(contents));
  }

  /**
   * The same with contents that are read as they are sent.
   *
   * @param length how many bytes there are, at least 1
   */
  public void put(String artifacts, String file, Supplier<InputStream> contents, long length)
      throws MlflowException {
    send(
        artifacts,
        file,
        BodyPublishers.fromPublisher(BodyPublishers.ofInputStream(contents), length));
  }

  private void send(String artifacts, String file, BodyPublisher contents) throws MlflowException {
    http.put(path(artifacts) + "/" + encodedPath(file), contents);
  }

  public byte[] get(String artifacts, String file) throws MlflowException {
    return http.get(path(artifacts) + "/" + encodedPath(file));
  }

  /** The files below an artifact URI, at any depth. */
  public List<String> list(String artifacts) throws MlflowException {
    List<String> files = new ArrayList<>();
    list(path(artifacts).substring(ARTIFACTS.length() + 1), "", files, 0);
    return files;
  }

  private void list(String root, String below, List<String> files, int depth)
      throws MlflowException {
    String at = below.isEmpty() ? root : root + "/" + below;
    JsonNode answer;
    try {
      answer = http.json("GET", ARTIFACTS + "?path=" + Http.encoded(at), null);
    } catch (MlflowException e) {
      if (e.kind() == MlflowException.Kind.NOT_FOUND) {
        return;
      }
      throw e;
    }
    for (JsonNode each : answer.path("files")) {
      String name = each.path("path").asText();
      String path = below.isEmpty() ? name : below + "/" + name;
      if (!each.path("is_dir").asBoolean()) {
        files.add(path);
      } else if (depth < DEEPEST) {
        list(root, path, files, depth + 1);
      }
    }
  }

  public void delete(String artifacts, String file) throws MlflowException {
    http.delete(path(artifacts) + "/" + encodedPath(file));
  }

  private static String path(String artifacts) {
    // mlflow-artifacts:/a/b, and mlflow-artifacts://host/a/b of the same server
    return ARTIFACTS + artifacts.replaceFirst("^mlflow-artifacts:(//[^/]*)?", "");
  }

  private static String encodedPath(String file) {
    List<String> parts = new ArrayList<>();
    for (String part : file.split("/", -1)) {
      parts.add(Http.encoded(part));
    }
    return String.join("/", parts);
  }
}
