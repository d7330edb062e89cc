package dev.ckpt.samples;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A real MLflow server, as {@code tools/mlflow-server} starts it. */
final class MlflowServer implements AutoCloseable {
  private static final Duration DEADLINE = Duration.ofMinutes(15); // the first time it installs
  private static final HttpClient CLIENT = HttpClient.newHttpClient();

  private final Path folder;
  private final int port;
  private Process process;

  private MlflowServer(Path folder, int port) throws IOException {
    this.folder = folder;
    this.port = port;
    this.process = launch();
  }

  /**
   * @param folder for its database, artifacts and log
   */
  static MlflowServer start(Path folder) throws IOException, InterruptedException {
    Files.createDirectories(folder);
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    MlflowServer server = new MlflowServer(folder, port);
    server.awaitAnswer();
    return server;
  }

  private Process launch() throws IOException {
    return new ProcessBuilder(
            root().resolve("tools/mlflow-server").toString(),
            "--port",
            Integer.toString(port),
            "--dir",
            folder.toString(),
            "--until-eof")
        .redirectOutput(folder.resolve("out").toFile())
        .redirectError(folder.resolve("err").toFile())
        .start();
  }

  /** The folder of the whole project. */
  private static Path root() {
    Path here = Path.of("").toAbsolutePath();
    return Files.exists(here.resolve("tools/mlflow-server")) ? here : here.resolve("..");
  }

  private void awaitAnswer() throws IOException, InterruptedException {
    long end = System.nanoTime() + DEADLINE.toNanos();
    while (!Files.readString(folder.resolve("out")).contains(uri())) {
      if (!process.isAlive() || System.nanoTime() > end) {
        throw new AssertionError("no server: " + Files.readString(folder.resolve("err")));
      }
      Thread.sleep(100);
    }
  }

  String uri() {
    return "http://127.0.0.1:" + port;
  }

  /** {@code kill -9} of all of its processes. */
  void kill() throws InterruptedException {
    List<ProcessHandle> all = process.descendants().toList();
    all.forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly().waitFor();
  }

  /** The same data, the same port. */
  void restart() throws IOException, InterruptedException {
    process = launch();
    awaitAnswer();
  }

  /** What it answers to a call with a body. */
  String post(String path, String json) throws IOException, InterruptedException {
    return send(
        request(path)
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(json)));
  }

  /** What it answers to a question. */
  String get(String path) throws IOException, InterruptedException {
    return send(request(path).GET());
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(uri() + "/api/2.0/mlflow/" + path))
        .timeout(Duration.ofSeconds(60));
  }

  private static String send(HttpRequest.Builder request) throws IOException, InterruptedException {
    HttpResponse<String> answer =
        CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() != 200) {
      throw new IOException(answer.statusCode() + " " + answer.body());
    }
    return answer.body();
  }

  /** Its files of artifacts, as they lie on disk. */
  List<Path> artifacts() throws IOException {
    Path root = folder.resolve("artifacts");
    if (!Files.exists(root)) {
      return List.of();
    }
    try (var all = Files.walk(root)) {
      return all.filter(Files::isRegularFile).map(root::relativize).sorted().toList();
    }
  }

  /** What MLflow's own client finds, of the newest run. */
  String readByPython() throws IOException, InterruptedException {
    String venv = System.getenv().getOrDefault("CKPT_MLFLOW_VENV", "");
    Path python =
        (venv.isEmpty() ? root().resolve(".venv-mlflow") : Path.of(venv)).resolve("bin/python");
    Path out = folder.resolve("python");
    int code =
        new ProcessBuilder(
                python.toString(),
                root()
                    .resolve("samples/src/test/resources/dev/ckpt/samples/read_mlflow.py")
                    .toString(),
                uri())
            .redirectErrorStream(true)
            .redirectOutput(out.toFile())
            .start()
            .waitFor();
    String said = Files.readString(out);
    if (code != 0) {
      throw new AssertionError(said);
    }
    return said;
  }

  /** As Ctrl+C does; all of its processes are gone afterwards. */
  @Override
  public void close() throws InterruptedException {
    List<ProcessHandle> all = process.descendants().toList();
    process.destroy();
    if (!process.waitFor(60, TimeUnit.SECONDS)) {
      kill();
      throw new AssertionError("the server did not stop");
    }
    for (ProcessHandle each : all) {
      try {
        each.onExit().get(10, TimeUnit.SECONDS); // a signal is heard a little later
      } catch (ExecutionException | TimeoutException e) {
        all.forEach(ProcessHandle::destroyForcibly);
        throw new AssertionError("process " + each.info() + " of the server is still there", e);
      }
    }
  }
}
