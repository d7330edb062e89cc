package dev.ckpt.mlflow.internal.rest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * Single calls to a server, never tried again here. The deadline is that of the whole call, the
 * body of the answer included: the client's own ends where the headers are there, and a server may
 * hang behind them.
 */
final class Http implements AutoCloseable {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final int MOST_ANSWER = 64 << 20;
  private static final Duration LONGEST_PAUSE = Duration.ofMinutes(5);

  private final Tracking tracking;
  private final Duration timeout;
  private final Traffic traffic;
  private final ExecutorService executor;
  private final HttpClient client;

  Http(Tracking tracking, Duration timeout, Traffic traffic) throws IOException {
    this.tracking = tracking;
    this.traffic = traffic;
    this.timeout = timeout;
    ThreadPoolExecutor threads =
        new ThreadPoolExecutor(
            2,
            2,
            1,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            task -> {
              Thread thread = new Thread(task, "ckpt-mlflow-http");
              thread.setDaemon(true);
              return thread;
            });
    threads.allowCoreThreadTimeOut(true);
    this.executor = threads;
    HttpClient.Builder builder =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(timeout)
            .executor(executor);
    if (tracking.certificates().isPresent()) {
      builder.sslContext(trusting(tracking.certificates().get()));
    }
    this.client = builder.build();
  }

  private static SSLContext trusting(java.nio.file.Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null, null);
      int number = 0;
      for (Certificate each : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
        store.setCertificateEntry("ca" + number++, each);
      }
      TrustManagerFactory trust =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(store);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, trust.getTrustManagers(), null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IOException("MLFLOW_TRACKING_SERVER_CERT_PATH: " + file + ": " + e.getMessage(), e);
    }
  }

  /**
   * Sends JSON and reads JSON.
   *
   * @param path below the server, with its query
   * @param body null for none
   */
  JsonNode json(String method, String path, @org.jspecify.annotations.Nullable JsonNode body)
      throws MlflowException {
    HttpRequest.Builder request = request(path).header("Content-Type", "application/json");
    BodyPublisher contents =
        body == null
            ? HttpRequest.BodyPublishers.noBody()
            : HttpRequest.BodyPublishers.ofString(body.toString());
    byte[] answer = send(request.method(method, contents), method + " " + path, timeout);
    if (answer.length == 0) {
      return MissingNode.getInstance();
    }
    try {
      return MAPPER.readTree(answer);
    } catch (IOException e) {
      throw new MlflowException(
          MlflowException.Kind.BUSY,
          tracking + " answered " + method + " " + bare(path) + " with no JSON: is it MLflow?",
          Optional.empty(),
          e);
    }
  }

  /** Sends bytes; the deadline grows with their number. */
  void put(String path, BodyPublisher contents) throws MlflowException {
    long megabytes = Math.max(0, contents.contentLength()) >> 20;
    send(
        request(path).header("Content-Type", "application/octet-stream").PUT(contents),
        "PUT " + path,
        timeout.plusSeconds(megabytes));
  }

  /** Deletes; what is not there needs no deletion. */
  void delete(String path) throws MlflowException {
    try {
      json("DELETE", path, null);
    } catch (MlflowException e) {
      if (e.kind() != MlflowException.Kind.NOT_FOUND) {
        throw e;
      }
    }
  }

  /** Reads bytes. */
  byte[] get(String path) throws MlflowException {
    return send(request(path).GET(), "GET " + path, timeout);
  }

  private HttpRequest.Builder request(String path) {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(tracking.uri() + path));
    tracking.authorization().ifPresent(secret -> request.header("Authorization", secret));
    return request.header("User-Agent", "ckpt-mlflow").timeout(timeout);
  }

  private byte[] send(HttpRequest.Builder request, String what, Duration deadline)
      throws MlflowException {
    HttpRequest built = request.timeout(deadline).build();
    traffic.asked();
    CompletableFuture<HttpResponse<byte[]>> call =
        client.sendAsync(built, info -> new Bounded().subscriber());
    try {
      return accepted(call.get(deadline.toNanos(), TimeUnit.NANOSECONDS), what);
    } catch (ExecutionException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw unreachable(what, reason(cause, deadline), cause);
    } catch (TimeoutException e) {
      call.cancel(true);
      throw unreachable(what, "no answer within " + deadline.toMillis() + " ms", e);
    } catch (InterruptedException e) {
      call.cancel(true);
      Thread.currentThread().interrupt();
      throw unreachable(what, "interrupted", new InterruptedIOException());
    } finally {
      traffic.answered();
    }
  }

  private static String reason(Throwable cause, Duration deadline) {
    if (cause instanceof java.net.http.HttpTimeoutException) {
      return "no answer within " + deadline.toMillis() + " ms";
    }
    for (Throwable each = cause; each != null; each = each.getCause()) {
      if (each instanceof java.nio.channels.UnresolvedAddressException) {
        return "no host has that name";
      }
    }
    if (cause instanceof java.net.ConnectException) {
      return "nothing listens there";
    }
    return cause.getClass().getSimpleName()
        + (cause.getMessage() == null ? "" : ": " + cause.getMessage());
  }

  private MlflowException unreachable(String what, String why, Throwable cause) {
    return new MlflowException(
        MlflowException.Kind.UNREACHABLE,
        "MLflow at " + tracking + " cannot be reached (" + bare(what) + "): " + why,
        Optional.empty(),
        cause);
  }

  private byte[] accepted(HttpResponse<byte[]> answer, String what) throws MlflowException {
    int status = answer.statusCode();
    if (status >= 200 && status < 300) {
      return answer.body();
    }
    String code = "";
    String message = "";
    try {
      JsonNode said = MAPPER.readTree(answer.body());
      code = said.path("error_code").asText("");
      message = said.path("message").asText("");
    } catch (IOException e) {
      // a proxy's page says nothing that its status does not
    }
    throw new MlflowException(
        kind(status, code, message),
        "MLflow at "
            + tracking
            + " answered "
            + status
            + (code.isEmpty() ? "" : " " + code)
            + " to "
            + bare(what)
            + elsewhere(answer)
            + (message.isEmpty() ? "" : ": " + line(message)),
        retryAfter(answer),
        null);
  }

  /** Where a redirect leads, which says why there is one: to https, or to a login. */
  private static String elsewhere(HttpResponse<byte[]> answer) {
    return answer
        .headers()
        .firstValue("Location")
        .filter(to -> answer.statusCode() < 400)
        .map(to -> to.split("[?#]", 2)[0])
        .map(to -> " with a redirect to " + line(to) + ", which is not followed: name that server")
        .orElse("");
  }

  private static MlflowException.Kind kind(int status, String code, String message) {
    if (status == 401 || status == 403) {
      return MlflowException.Kind.FORBIDDEN;
    }
    // MLflow says so of a row that is there already, with 400 or 500
    if (code.equals("RESOURCE_ALREADY_EXISTS") || message.contains("UNIQUE constraint failed")) {
      return MlflowException.Kind.EXISTS;
    }
    if (status == 404 || code.equals("RESOURCE_DOES_NOT_EXIST")) {
      return MlflowException.Kind.NOT_FOUND;
    }
    return status == 408 || status == 429 || status >= 500 || status < 400
        ? MlflowException.Kind.BUSY
        : MlflowException.Kind.REFUSED;
  }

  private static Optional<Duration> retryAfter(HttpResponse<byte[]> answer) {
    return answer
        .headers()
        .firstValue("Retry-After")
        .filter(text -> text.matches("\\d{1,9}"))
        .map(text -> Duration.ofSeconds(Long.parseLong(text)))
        .map(asked -> asked.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : asked);
  }

  private static String bare(String path) {
    return path.split("\\?", 2)[0];
  }

  private static String line(String message) {
    String one = message.replaceAll("\\s+", " ").strip();
    return one.length() > 300 ? one.substring(0, 300) + "..." : one;
  }

  static String encoded(String text) {
    return java.net.URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  @Override
  public void close() {
    executor.shutdown();
  }

  /** An answer that cannot exhaust the memory. */
  private static final class Bounded {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    HttpResponse.BodySubscriber<byte[]> subscriber() {
      return HttpResponse.BodySubscribers.mapping(
          HttpResponse.BodySubscribers.ofByteArrayConsumer(part -> part.ifPresent(this::add)),
          nothing -> bytes.toByteArray());
    }

    private void add(byte[] part) {
      if (bytes.size() + part.length > MOST_ANSWER) {
        throw new IllegalStateException(
            String.format(Locale.ROOT, "an answer of more than %d MiB", MOST_ANSWER >> 20));
      }
      bytes.writeBytes(part);
    }
  }
}
