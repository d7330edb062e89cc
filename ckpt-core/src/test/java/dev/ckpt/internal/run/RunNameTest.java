package dev.ckpt.internal.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunNameTest {
  @TempDir Path folder;

  private String printed(String... launch) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(launch));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(out).isZero();
    return out.strip();
  }

  @Test
  void twoProgramsThatAreLaunchedAsSourcesHaveTwoNames() throws Exception {
    for (String name : List.of("Train", "Tune")) {
      Path source =
          Files.writeString(
              Files.createDirectories(folder.resolve("a b")).resolve(name + ".java"),
              """
              public class %s {
                public static void main(String[] args) {
                  System.out.println(dev.ckpt.internal.run.RunName.derived());
                }
              }
              """
                  .formatted(name));
      assertThat(printed(source.toString(), "x.java", "y")).isEqualTo(name);
    }
  }
}
