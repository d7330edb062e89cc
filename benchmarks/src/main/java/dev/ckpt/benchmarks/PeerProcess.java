package dev.ckpt.benchmarks;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.OptionalDouble;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A peer in a Python process of its own, which {@code peer.py} drives: a command a line, an answer
 * a line. It measures itself, so that the way there and back is not counted.
 */
final class PeerProcess implements Peer {

  private static final String SCRIPT = "peer.py";
  private static final String DIED = "";

  private final String kind;
  private final Path folder;
  private final Duration deadline;
  private final Process process;
  private final Writer commands;
  private final BlockingQueue<String> answers = new LinkedBlockingQueue<>();
  private final String versions;
  private final String promises;
  private String newest = "";
  private int saves;

  /**
   * Starts it, and waits until it holds the state.
   *
   * @param python the interpreter
   * @param kind which, as {@code peer.py} knows it
   * @param folder where {@link #writeState} wrote
   * @param deadline for each answer
   * @throws IOException that says why this peer cannot be had
   */
  PeerProcess(Path python, String kind, Path folder, Duration deadline)
      throws IOException, InterruptedException {
    this.kind = kind;
    this.folder = folder;
    this.deadline = deadline;
    Path script = folder.resolve(SCRIPT);
    this.process =
        new ProcessBuilder(
                python.toString(),
                "-u",
                script.toString(),
                kind,
                folder.toAbsolutePath().toString())
            .redirectError(errors().toFile())
            .start();
    this.commands = process.outputWriter(StandardCharsets.UTF_8);
    Thread reader = new Thread(this::read, "peer-" + kind);
    reader.setDaemon(true);
    reader.start();
    try {
      String[] ready = answer("ready").split("; ", 2);
      this.versions = ready[0];
      this.promises = ready[ready.length - 1];
    } catch (IOException | InterruptedException e) {
      kill();
      commands.close();
      throw e;
    }
  }

  /** Writes what each peer reads when it starts: the script, and the state. */
  static void writeState(Path folder, DirectState state) throws IOException {
    try (InputStream script = PeerProcess.class.getResourceAsStream(SCRIPT)) {
      if (script == null) {
        throw new IOException(SCRIPT + " is missing from the class path");
      }
      Files.copy(script, folder.resolve(SCRIPT), StandardCopyOption.REPLACE_EXISTING);
    }
    StringBuilder layout = new StringBuilder();
    for (DirectState.Tensor tensor : state.tensors()) {
      layout.append(tensor.spec.name());
      for (long dim : tensor.spec.shape().dims()) {
        layout.append(' ').append(dim);
      }
      layout.append('\n');
    }
    Files.writeString(folder.resolve("layout"), layout);
    try (FileChannel channel =
        FileChannel.open(
            folder.resolve("state"), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      for (DirectState.Tensor tensor : state.tensors()) {
        ByteBuffer contents = tensor.contents.duplicate().clear();
        while (contents.hasRemaining()) {
          channel.write(contents);
        }
      }
    }
  }

  /** Removes the state, once all peers hold it. */
  static void removeState(Path folder) throws IOException {
    Files.delete(folder.resolve("state"));
  }

  private Path errors() {
    return folder.resolve(kind + ".err");
  }

  private void read() {
    try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        answers.add(line);
      }
    } catch (IOException e) {
      // as if it had ended, which is said below
    }
    answers.add(DIED);
  }

  private String ask(String command, String expected) throws IOException, InterruptedException {
    try {
      commands.write(command + "\n");
      commands.flush();
    } catch (IOException e) {
      throw died();
    }
    return answer(expected);
  }

  /** What follows the word that is expected. */
  private String answer(String expected) throws IOException, InterruptedException {
    String line = answers.poll(deadline.toMillis(), TimeUnit.MILLISECONDS);
    if (line == null) {
      throw new IOException(kind + " has not answered for " + deadline.toSeconds() + " s");
    }
    if (line.equals(DIED)) {
      throw died();
    }
    if (line.startsWith("error") || !line.startsWith(expected)) {
      throw new IOException(kind + ": " + line);
    }
    return line.substring(expected.length()).strip();
  }

  private IOException died() throws IOException {
    List<String> said = Files.readAllLines(errors(), StandardCharsets.ISO_8859_1);
    return new IOException(
        kind
            + " has ended: "
            + String.join(" / ", said.subList(Math.max(0, said.size() - 3), said.size())));
  }

  String versions() {
    return versions;
  }

  @Override
  public String name() {
    return kind;
  }

  @Override
  public String promises() {
    return promises;
  }

  @Override
  public Saved save() throws IOException, InterruptedException {
    String name = kind + "-" + ++saves;
    String[] nanos = ask("save " + name, "saved").split(" ");
    if (!newest.isEmpty()) {
      Figures.remove(folder.resolve(newest));
    }
    newest = name;
    PlainWrite.settle(folder);
    return new Saved(
        Double.parseDouble(nanos[0]), Double.parseDouble(nanos[1]), Double.parseDouble(nanos[2]));
  }

  @Override
  public double restore() throws IOException, InterruptedException {
    return Double.parseDouble(ask("restore " + newest, "restored"));
  }

  @Override
  public OptionalDouble restoreOtherwise() throws IOException, InterruptedException {
    String nanos = ask("check " + newest, "");
    return nanos.equals("none")
        ? OptionalDouble.empty()
        : OptionalDouble.of(Double.parseDouble(nanos.substring("restored".length())));
  }

  @Override
  public String otherWay() {
    return "its checksums verified before";
  }

  /** Ends it; by force if it does not. It writes nothing afterwards. */
  @Override
  public void close() {
    try (commands) {
      commands.write("end\n");
    } catch (IOException e) {
      // it has ended already
    }
    try {
      if (process.waitFor(20, TimeUnit.SECONDS)) {
        return;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    kill();
  }

  /** What is killed may go on writing for a moment, in a folder that is about to be removed. */
  private void kill() {
    try {
      process.destroyForcibly().waitFor(20, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
