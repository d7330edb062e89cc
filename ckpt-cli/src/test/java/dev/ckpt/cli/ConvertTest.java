package dev.ckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ckpt.DType;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code ckpt convert}, with a format that only tests have beside Arrow. */
class ConvertTest {
  private static final String LAST = "000002-000000000040-1";

  @TempDir Path folder;

  /** A completed run of two attempts. */
  private Path trained() throws IOException {
    Path at = folder.resolve("store");
    try (CheckpointStore store = Stores.local(at)) {
      Trained.completed(store, "digits");
    }
    return at;
  }

  private static Map<String, String> files(Path below) throws IOException {
    Map<String, String> all = new TreeMap<>();
    try (Stream<Path> files = Files.walk(below)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        if (!file.getFileName().toString().startsWith(".lock-")) {
          all.put(
              below.relativize(file).toString(),
              Files.size(file) + " " + java.util.Arrays.hashCode(Files.readAllBytes(file)));
        }
      }
    }
    return all;
  }

  @Test
  void theCopyVerifiesAndDoesNotDiffer() throws IOException {
    Path at = trained();
    Map<String, String> before = files(at.resolve("runs/digits"));
    Called called = Called.on(at, "convert", "latest", "--to-format", "plain");
    assertThat(called.err()).isEmpty();
    assertThat(called.code()).isZero();
    assertThat(called.out())
        .startsWith("converted " + LAST + " of run 'digits', ")
        .contains(" to plain: checkpoint 000001-000000000040-1 of run 'digits-plain', ");
    assertThat(files(at.resolve("runs/digits"))).isEqualTo(before);

    Called diff = Called.on(at, "diff", "digits/latest", "digits-plain/latest");
    assertThat(diff.code()).as(diff.toString()).isZero();
    assertThat(diff.out()).contains("the same state: 3 tensors").doesNotContain("METRIC");
    assertThat(Called.on(at, "verify", "--all-runs").code()).isZero();
    assertThat(Called.on(at, "--run", "digits-plain", "log").out())
        .contains("converted", "completed");
    assertThat(Called.on(at, "--run", "digits-plain", "show", "latest").out())
        .contains("1, holds what was converted, completed", "from       digits/" + LAST);
  }

  @Test
  void anotherStoreIsMadeAndKeepsTheNameOfTheRun() throws IOException {
    Path at = trained();
    Path other = folder.resolve("other/store");
    String[] command = {
      "convert", "000001-000000000020-0", "--to-format", "plain", "--to-store", other.toString()
    };
    Called dry = Called.on(at, with(command, "--dry-run"));
    assertThat(dry.code()).as(dry.toString()).isZero();
    assertThat(dry.out()).startsWith("would convert ").contains("nothing was written (dry run)");
    assertThat(other).doesNotExist();

    Called called = Called.on(at, with(command, "--json"));
    assertThat(called.code()).as(called.toString()).isZero();
    JsonNode said = new ObjectMapper().readTree(called.out());
    assertThat(said.at("/dryRun").booleanValue()).isFalse();
    assertThat(said.at("/from/run").textValue()).isEqualTo("digits");
    assertThat(said.at("/from/checkpoint").textValue()).isEqualTo("000001-000000000020-0");
    assertThat(said.at("/from/bytes").longValue()).isPositive();
    assertThat(said.at("/to/run").textValue()).isEqualTo("digits");
    assertThat(said.at("/to/format").textValue()).isEqualTo("plain");
    assertThat(said.at("/to/checkpoint").textValue()).isEqualTo("000001-000000000020-0");
    assertThat(said.at("/to/bytes").longValue()).isPositive();
    assertThat(Called.on(other, "verify", "--all-runs").code()).isZero();
    assertThat(Called.on(other, "log").out()).contains("closed");

    // again: it is done
    Map<String, String> before = files(other);
    assertThat(Called.on(at, with(command, "--json")).out()).isEqualTo(called.out());
    assertThat(files(other)).isEqualTo(before);
  }

  private static String[] with(String[] command, String more) {
    String[] all = java.util.Arrays.copyOf(command, command.length + 1);
    all[command.length] = more;
    return all;
  }

  private void assertRefused(Path at, int code, String line, String... says) throws IOException {
    Map<String, String> before = files(at);
    Called called = Called.on(at, line.split(" "));
    assertThat(called.code()).as(called.toString()).isEqualTo(code);
    assertThat(called.out()).isEmpty();
    assertThat(called.err()).startsWith("ckpt: ").doesNotContain("\tat ").contains(says);
    assertThat(called.err().lines()).hasSize(1);
    assertThat(files(at)).isEqualTo(before);
  }

  @Test
  void whatCannotBeDoneIsSaidInOneLineAndChangesNothing() throws IOException {
    Path at = trained();
    Path file = Files.writeString(folder.resolve("file"), "");
    assertRefused(at, Exit.USAGE, "convert latest", "missing: --to-format FORMAT");
    assertRefused(at, Exit.USAGE, "convert --to-format plain", "missing: ID");
    assertRefused(
        at, Exit.USAGE, "convert latest --to-format parquet", "'parquet'", "arrow", "plain");
    assertRefused(at, Exit.USAGE, "convert latest --to-format arrow", "nothing to convert");
    assertRefused(at, Exit.USAGE, "convert latest --to-format ../x", "'../x'");
    assertRefused(at, Exit.USAGE, "convert latest --to-format plain --to-run a/b", "run name");
    assertRefused(at, Exit.USAGE, "convert latest --to-format plain --to-run .hidden", "run name");
    assertRefused(
        at, Exit.USAGE, "convert latest --to-format plain --to-run digits", "already", "--to-run");
    assertRefused(
        at, Exit.USAGE, "convert latest --to-format plain --to-store nope://x", "--to-store");
    assertRefused(
        at, Exit.STORE, "convert latest --to-format plain --to-store " + file, file.toString());
    assertRefused(at, Exit.NOT_FOUND, "convert 000009-000000000001-0 --to-format plain", "000009-");
    assertRefused(at, Exit.NOT_FOUND, "--run no convert latest --to-format plain", "'no'");
    assertRefused(at, Exit.USAGE, "convert newest --to-format plain", "newest");
  }

  @Test
  void aRunThatIsBegunByAnotherProcessIsRefused() throws IOException {
    Path at = trained();
    try (CheckpointStore other = Stores.local(at);
        Closeable held = other.lock("runs/digits-plain/lock", "a training")) {
      assertRefused(at, Exit.IN_USE, "convert latest --to-format plain", "is in use", "a training");
      assertThat(held).isNotNull();
    }
  }

  @Test
  void noStoreIsMadeWithinARunOfTheOther() throws IOException {
    Path at = trained();
    for (String within : new String[] {"runs/digits", "runs", "other/../runs/new/store"}) {
      String line = "convert latest --to-format plain --to-store " + at.resolve(within);
      assertRefused(at, Exit.USAGE, line, "among the runs of the other", "--to-store");
    }
    Path inner = folder.resolve("outer/runs/inner");
    Files.createDirectories(inner.getParent());
    Files.move(at, inner);
    String around = "convert latest --to-format plain --to-store " + folder.resolve("outer");
    assertRefused(inner, Exit.USAGE, around, "among the runs of the other");
    assertThat(folder.resolve("outer/runs")).isDirectoryNotContaining("glob:**digits");
  }

  @Test
  void aLinkWhereTheNewRunWouldBeIsNotFollowed() throws IOException {
    Path at = trained();
    Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
    Files.createSymbolicLink(at.resolve("runs/digits-plain"), elsewhere);
    assertRefused(at, Exit.STORE, "convert latest --to-format plain", "digits-plain");
    assertThat(elsewhere).isEmptyDirectory();
  }

  @Test
  void aDamagedCheckpointIsNotConverted() throws IOException {
    Path at = trained();
    Trained.damage(at.resolve("runs/digits/data/" + LAST));
    assertRefused(at, Exit.STORE, "convert " + LAST + " --to-format plain", "corrupt");
    assertRefused(at, Exit.STORE, "convert " + LAST + " --to-format plain --dry-run", "corrupt");
  }

  @Test
  void oneOfANewerFormatIsSaidToBeSo() throws IOException {
    Path at = trained();
    assertThat(Called.on(at, "convert", "latest", "--to-format", "plain").code()).isZero();
    Path manifest = at.resolve("runs/digits-plain/manifests/000001-000000000040-1.json");
    ExitCodesTest.newer(manifest);
    assertRefused(
        at,
        Exit.NEWER,
        "--run digits-plain convert 000001-000000000040-1 --to-format arrow",
        "upgrade ckpt");
    // nor is it taken for an earlier try
    assertRefused(at, Exit.USAGE, "--run digits convert latest --to-format plain", "already");
  }

  @Test
  void everyKindOfStateComesThrough() throws IOException {
    Path at = folder.resolve("kinds");
    Trained.State state = new Trained.State();
    for (DType type : DType.values()) {
      byte[] bytes = new byte[6 * type.bytes()];
      for (int i = 0; i < bytes.length; i++) {
        bytes[i] = (byte) (type == DType.BOOL ? i & 1 : i * 37 + 1);
      }
      state.tensor("t/" + type, type, bytes, 2, 3);
    }
    byte[] large = new byte[(3 << 20) + 5];
    new java.util.Random(3).nextBytes(large);
    state.tensor("large", DType.UINT8, large, large.length);
    state.tensor("empty", DType.FLOAT32, new byte[0], 0, 4);
    state.tensor("scalar", DType.FLOAT64, new byte[] {1, 2, 3, 4, 5, 6, 7, 8});
    state.tensor("odd %#/name \u00e9", DType.INT8, new byte[] {-1}, 1);
    state.value("nan", Double.NaN).value("list", java.util.List.of(1, 2.0, "x", true));
    state.value("deep", Map.of("a", Map.of("b", Long.MAX_VALUE)));
    state.opaque("none").opaque("rng", 1, 2, 3);
    try (CheckpointStore store = Stores.local(at)) {
      Trained.one(store, "kinds", 3, state);
    }
    Called there = Called.on(at, "convert", "latest", "--to-format", "plain");
    assertThat(there.code()).as(there.toString()).isZero();
    Called back =
        Called.on(
            at,
            "--run",
            "kinds-plain",
            "convert",
            "latest",
            "--to-format",
            "arrow",
            "--to-run",
            "back");
    assertThat(back.code()).as(back.toString()).isZero();
    assertThat(Called.on(at, "diff", "kinds/latest", "back/latest").code()).isZero();
    assertThat(Called.on(at, "diff", "kinds/latest", "kinds-plain/latest").code()).isZero();
  }
}
