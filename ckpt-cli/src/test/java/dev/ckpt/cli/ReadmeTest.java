package dev.ckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Resume;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The block of commands in the README, from its first line to its last. */
class ReadmeTest {
  private static final String BEGIN = "export CKPT_STORE=checkpoints\n";

  @TempDir Path folder;

  @Test
  void itsCommandsWorkOneAfterTheOther() throws Exception {
    Path store = folder.resolve("checkpoints");
    try (CheckpointStore local = Stores.local(store)) {
      Trained.save(local, "digits", new Resume.Auto(), 50, 100);
    }
    String readme = Files.readString(Path.of("..", "README.md"));
    int begin = readme.indexOf(BEGIN) + BEGIN.length();
    List<String> lines = readme.substring(begin, readme.indexOf("```", begin)).lines().toList();
    assertThat(lines).hasSizeGreaterThan(6).anyMatch(line -> line.contains(" convert "));
    for (String line : lines) {
      List<String> words = List.of(line.replaceFirst("#.*", "").trim().split(" +"));
      assertThat(words.get(0)).isEqualTo("bin/ckpt");
      String[] arguments =
          words.subList(1, words.size()).stream().map(this::inFolder).toArray(String[]::new);
      Called called = Called.with(Map.of("CKPT_STORE", store.toString()), arguments);
      assertThat(called.code())
          .as("%s: %s", line, called)
          .isEqualTo(line.contains(" diff ") ? 1 : 0);
    }
  }

  /** What the command would find in the folder that it is called in. */
  private String inFolder(String word) {
    return word.startsWith("./") ? folder.resolve(word).normalize().toString() : word;
  }
}
