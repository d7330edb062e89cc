package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A user's program begins with another run's weights. The page of it is docs/fine-tune.md. */
class FineTunePageTest {
  private static final Path PAGE = Path.of("..", "docs", "fine-tune.md");
  private static final Path PROGRAM = PlainDjl.EXAMPLES.resolve("finetune/FineTune.java");

  @TempDir Path folder;

  private final StringBuilder page = new StringBuilder();

  @Test
  void thePageShowsWhatTheProgramSays() throws IOException, InterruptedException {
    page.append("# Fine-tune from a checkpoint\n\n")
        .append("A new run can begin with the weights of another run's checkpoint: `initFrom` in")
        .append(" its config ([all keys](config.md)), or\n`InitFrom.of(run, checkpoint)` given to")
        .append(" `CheckpointManagerBuilder.initFrom`.\nIt is a run of its own: from step 0, with")
        .append(" fresh optimizer slots, the schedule at its start.\n")
        .append("What follows is run by a test (`FineTunePageTest`); paths and process ids are")
        .append(" replaced.\n\n## The program\n\n")
        .append("[FineTune.java](examples/finetune/FineTune.java) knows nothing of it: what is")
        .append(" loaded is said in the config.\nIt takes the config, how many arms to tell apart,")
        .append(" how many layers, how many epochs; ckpt-djl, DJL and slf4j are on the class path.")
        .append("\n\n```java\n")
        .append(main())
        .append("```\n");

    String base = shown("A run to begin with", "Five arms of a spiral.", "base", "", 5, 2, 3);
    assertThat(base).contains("trained to step 75");

    String tuned =
        shown(
            "Its body, a new head, the first layer frozen",
            "Three arms. Names are those of the model's parameters, `*` stands for any characters;"
                + " the log says what became of each. *Excluded* are this model's, *unused* the"
                + " checkpoint's."
                + " A pattern that matches nothing is an error that names what is"
                + " near it. What is frozen was loaded; running statistics that"
                + " `freeze` names stay to the bit, too, while a training batch is"
                + " normalized by its own, as ever in DJL: to let them follow the"
                + " new data, freeze `*_gamma` and `*_beta` of that layer alone. They move again"
                + " when the program thaws what else is frozen of their layer, behind"
                + " `ckpt.resume`; where nothing else is, when `freeze` no longer names them.",
            "tuned",
            "initFrom:\n  run: base\n  checkpoint: latest\n"
                + "  exclude: [\"07Linear_*\"]\n  freeze: [\"01Linear_*\"]\n",
            3,
            2,
            3);
    assertThat(tuned)
        .contains("12 matched, 0 missing, 0 reshaped, 2 excluded, 2 unused, 2 frozen")
        .contains("excluded (fresh values): 07Linear_weight, 07Linear_bias")
        .contains("frozen: 01Linear_weight, 01Linear_bias")
        .contains("trained to step 75");

    page.append("\n## Started again\n\n")
        .append("With a goal of four epochs. A resume goes on from the run's own checkpoint and")
        .append(" never loads from the other again.")
        .append(" If `initFrom` says something else by then, it is warned of; a")
        .append(" run that began with fresh weights refuses it.\n");
    String again = output("tuned", 3, 2, 4, 0);
    assertThat(again)
        .contains("resumed from")
        .contains("trained to step 100")
        .doesNotContain("matched");

    String deeper = "initFrom:\n  run: base\n  checkpoint: latest\n";
    page.append("\n## What does not fit\n\n")
        .append("A model with one more layer: nothing is trained, and the message lists what is")
        .append(" missing and reshaped.\n");
    config("deeper", deeper);
    String refused = output("deeper", 3, 3, 3, 1);
    assertThat(refused)
        .contains("12 matched, 6 missing, 2 reshaped, 0 excluded, 2 unused, 0 frozen")
        .contains("strict: false")
        .doesNotContain("trained");

    String lenient =
        shown(
            "What fits of it",
            "With `strict: false` the rest keeps its fresh values. (`rename` maps names where the"
                + " same layer has another one.)",
            "deeper",
            deeper + "  strict: false\n",
            3,
            3,
            3);
    assertThat(lenient)
        .contains("12 matched, 6 missing, 2 reshaped, 0 excluded, 2 unused, 0 frozen")
        .contains("missing (fresh values): 08BatchNorm_")
        .contains("07Linear_weight (saved float32 (5, 32), here float32 (32, 32))")
        .contains("trained to step 75");

    Files.createDirectories(Path.of("target"));
    Files.writeString(Path.of("target", "fine-tune.md"), page);
    assertThat(PAGE)
        .as("cp samples/target/fine-tune.md docs/")
        .content(StandardCharsets.UTF_8)
        .isEqualTo(page.toString());
  }

  /** Its method main. */
  private static String main() throws IOException {
    Matcher main =
        Pattern.compile("(?s)  public static void main.*?\n  }\n")
            .matcher(Files.readString(PROGRAM));
    assertThat(main.find()).isTrue();
    return main.group().stripTrailing().stripIndent() + "\n";
  }

  private String shown(
      String title, String meaning, String run, String more, int arms, int layers, int epochs)
      throws IOException, InterruptedException {
    page.append("\n## ").append(title).append("\n\n").append(meaning).append('\n');
    config(run, more);
    return output(run, arms, layers, epochs, 0);
  }

  private void config(String run, String more) throws IOException {
    String config = "store: checkpoints\nrun: " + run + "\nseed: 7\n" + more;
    Files.writeString(folder.resolve(run + ".yaml"), config);
    page.append("\n```yaml\n").append(config).append("```\n");
  }

  /** Runs the program and shows what it prints, errors without their stack. */
  private String output(String run, int arms, int layers, int epochs, int code)
      throws IOException, InterruptedException {
    String[] arguments = {run + ".yaml", "" + arms, "" + layers, "" + epochs};
    Files.deleteIfExists(folder.resolve("out"));
    Files.deleteIfExists(folder.resolve("err"));
    Process process =
        PlainDjl.start(folder, System.getProperty("java.class.path"), Map.of(), PROGRAM, arguments);
    int exit = PlainDjl.exitCode(process);
    String said = Files.readString(folder.resolve("err"));
    assertThat(exit).as(said).isEqualTo(code);
    String output =
        (said + Files.readString(folder.resolve("out")))
            .replace(folder.toRealPath().toString(), "/home/me")
            .replace(folder.toString(), "/home/me")
            .replaceAll("(?m)^\tat .*\n", "")
            .replaceAll("pid \\d+", "pid 4711");
    page.append("\n```\n$ java FineTune.java ")
        .append(String.join(" ", arguments))
        .append('\n')
        .append(output)
        .append("```\n");
    return output;
  }
}
