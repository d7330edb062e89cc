package dev.ckpt.internal.local;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** A second JVM on the same folder, which answers by lines and dies with its test. */
final class OtherProcess implements Closeable {

  private final Process process;
  private final BufferedReader out;

  OtherProcess(Class<?> main, Path folder) throws IOException {
    process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                main.getName(),
                folder.toString())
            .redirectErrorStream(true)
            .start();
    out = process.inputReader(StandardCharsets.UTF_8);
  }

  String answer() throws IOException {
    return String.valueOf(out.readLine());
  }

  void goOn() throws IOException {
    Writer in = process.outputWriter(StandardCharsets.UTF_8);
    in.write("go on\n");
    in.flush();
  }

  void kill() throws InterruptedException {
    process.destroyForcibly();
    assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
  }

  @Override
  public void close() throws IOException {
    process.destroyForcibly();
    out.close();
  }
}
