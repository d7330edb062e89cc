package dev.ckpt.mlflow.internal.rest;

import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Where a server is, and how it is asked. Credentials come from the variables that MLflow's own
 * clients read, or from the URI; they are in no text that this gives.
 */
public final class Tracking {
  private final URI uri;
  private final Optional<String> authorization;
  private final Optional<Path> certificates;

  private Tracking(URI uri, Optional<String> authorization, Optional<Path> certificates) {
    this.uri = uri;
    this.authorization = authorization;
    this.certificates = certificates;
  }

  /**
   * @param given a URI of {@code http} or {@code https}; may hold user and password
   * @param environment for {@code MLFLOW_TRACKING_USERNAME}, {@code _PASSWORD}, {@code _TOKEN} and
   *     {@code _SERVER_CERT_PATH}
   * @throws IllegalArgumentException if it is none, or the token cannot be sent; no text of it
   *     holds a secret
   */
  public static Tracking of(String given, Map<String, String> environment) {
    URI uri;
    try {
      uri = parse(given);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("the tracking URI " + e.getMessage(), e);
    }
    String user = environment.getOrDefault("MLFLOW_TRACKING_USERNAME", "");
    // a secret that was read from a file ends with a line
    String token = environment.getOrDefault("MLFLOW_TRACKING_TOKEN", "").strip();
    Optional<String> authorization = Optional.empty();
    if (uri.getUserInfo() != null) {
      authorization = Optional.of(basic(uri.getUserInfo()));
    } else if (!user.isEmpty()) {
      authorization =
          Optional.of(basic(user + ":" + environment.getOrDefault("MLFLOW_TRACKING_PASSWORD", "")));
    } else if (!token.isEmpty()) {
      // the JDK would refuse it with a message that holds it
      if (!token.chars().allMatch(c -> c > 0x20 && c < 0x7f)) {
        throw new IllegalArgumentException(
            "MLFLOW_TRACKING_TOKEN holds a blank, a line end or another character that no token has");
      }
      authorization = Optional.of("Bearer " + token);
    }
    String certificates = environment.getOrDefault("MLFLOW_TRACKING_SERVER_CERT_PATH", "");
    return new Tracking(
        bare(uri),
        authorization,
        certificates.isEmpty() ? Optional.empty() : Optional.of(Path.of(certificates)));
  }

  /** The URI without what may be secret, for people. */
  public static String open(String given) {
    return bare(parse(given)).toString();
  }

  private static URI parse(String given) {
    String text = given.strip();
    String why =
        "must be the http or https URI of an MLflow server, such as http://127.0.0.1:5000: folders,"
            + " databases and databricks are not written to from Java";
    if (text.toLowerCase(Locale.ROOT).matches("https?://.+")) {
      try {
        URI uri = new URI(text);
        if (uri.getHost() != null) {
          return uri;
        }
        why =
            "must name a host as Java takes it, without an underscore or another odd character: use"
                + " an alias or the address";
      } catch (URISyntaxException e) {
        // without the text: it may hold a password
        why =
            "is not a URI from its character "
                + (e.getIndex() + 1)
                + " on: write what is special in a user or a password as % and two hex digits";
      }
    }
    throw new IllegalArgumentException(why);
  }

  private static URI bare(URI uri) {
    String path = uri.getRawPath() == null ? "" : uri.getRawPath().replaceAll("/+$", "");
    String port = uri.getPort() < 0 ? "" : ":" + uri.getPort();
    return URI.create(uri.getScheme() + "://" + uri.getHost() + port + path);
  }

  private static String basic(String userAndPassword) {
    return "Basic "
        + Base64.getEncoder().encodeToString(userAndPassword.getBytes(StandardCharsets.UTF_8));
  }

  /** Without credentials, and without a slash at its end. */
  public URI uri() {
    return uri;
  }

  Optional<String> authorization() {
    return authorization;
  }

  Optional<Path> certificates() {
    return certificates;
  }

  @Override
  public String toString() {
    return uri.toString();
  }
}
