package dev.ckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Resume;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.FaultyStore;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each exit code, with one line on stderr that says why. */
class ExitCodesTest {

  @TempDir Path folder;

  private Path trained() throws IOException {
    Path at = folder.resolve("store");
    try (CheckpointStore store = Stores.local(at)) {
      Trained.save(store, "digits", new Resume.Auto(), 10, 20, 30);
    }
    return at;
  }

  private static void assertFails(Called called, int code, String... words) {
    assertThat(called.err().lines())
        .singleElement()
        .asString()
        .startsWith("ckpt: ")
        .contains(words);
    assertThat(called.code()).isEqualTo(code);
    assertThat(called.out()).isEmpty();
  }

  @Test
  void wrongUsageIs2() throws IOException {
    Path at = trained();
    assertFails(Called.on(at), 2, "a command is missing; see ckpt --help");
    assertFails(Called.on(at, "verfy"), 2, "there is no command 'verfy'", "did you mean", "verify");
    assertFails(
        Called.on(at, "list", "--jsn"), 2, "no option '--jsn'", "--json", "ckpt list --help");
    assertFails(Called.on(at, "show"), 2, "ckpt: missing: ID; see ckpt show --help");
    assertFails(Called.on(at, "show", "latest", "more"), 2, "argument 'more'");
    assertFails(Called.on(at, "best"), 2, "--metric");
    assertFails(Called.on(at, "gc", "--max-bytes", "many"), 2, "'many' is no size");
    assertFails(Called.on(at, "tail", "--interval", "2"), 2, "'2' is no duration");
    assertFails(Called.on(at, "gc", "--keep-best", "loss"), 2, "metric:max");
    assertFails(Called.on(at, "--run", "digits", "gc", "--all-runs"), 2, "leave --run out");
    assertFails(
        Called.on(at, "--store", "nosuch://x", "runs"), 2, "--store 'nosuch://x'", "no store for");
    assertFails(Called.on(at, "--store", "", "gc"), 2, "--store is empty");
    assertFails(Called.on(at, "gc", "--store="), 2, "--store is empty");
    assertFails(Called.on(at, "--run", "", "list"), 2, "--run is empty");
    assertFails(Called.on(at, "verify", "--all", "latest"), 2, "exclude each other");
    assertFails(Called.on(at, "verify", "--all-runs", "latest"), 2, "exclude each other");
    assertFails(Called.on(at, "repair", "--apply", "--dry-run"), 2, "exclude each other");
    assertFails(Called.on(at, "--run", "digits", "repair", "--all-runs"), 2, "leave --run out");
  }

  @Test
  void wrongUsageIsSaidInOurWords() throws IOException {
    Path at = trained();
    assertFails(Called.on(at, "lst"), 2, "no command 'lst' (did you mean list?)");
    assertFails(Called.on(at, "help", "lst"), 2, "no command 'lst' (did you mean list?)");
    assertFails(Called.on(at, "frobnicate"), 2, "no command 'frobnicate'; see ckpt --help");
    assertFails(Called.on(at, "list", "-n"), 2, "ckpt: -n needs a value; see");
    assertFails(Called.on(at, "list", "-n", "x"), 2, "-n: 'x' is no whole number that fits; see");
    assertFails(Called.on(at, "list", "-n", "99999999999"), 2, "is no whole number that fits");
    assertFails(Called.on(at, "list", "-n", "1", "-n", "2"), 2, "-n is given twice");
    assertFails(Called.on(at, "best"), 2, "ckpt: missing: --metric M; see");
    assertFails(Called.on(at, "best", "--metric", " "), 2, "--metric needs the name of a metric");
    assertFails(Called.on(at, "gc", "--keep-best", " :max"), 2, "is none of metric:max");
    assertFails(Called.on(at, "diff", "latest"), 2, "ckpt: missing: B; see");
    assertFails(
        Called.on(at, "best", "--metric", "loss", "--min", "--max"),
        2,
        "ckpt: --max and --min exclude each other; see ckpt best --help");
  }

  @Test
  void aSizeIsReadAsItIsPrinted() throws IOException {
    Units.Size size = new Units.Size();
    assertThat(size.convert("1kB")).isEqualTo(1000);
    assertThat(size.convert("1KiB")).isEqualTo(1024);
    assertThat(size.convert("2.09 MB")).isEqualTo(2_090_000);
    assertThat(size.convert("1.5GiB")).isEqualTo(3L << 29);
    assertThat(size.convert("7")).isEqualTo(7);
    for (long bytes : List.of(0L, 999L, 1000L, 123_456L, 1L << 33, 5_000_000_000_000L)) {
      String printed = Text.size(bytes);
      assertThat(Text.size(size.convert(printed))).isEqualTo(printed);
    }
    assertFails(
        Called.on(trained(), "gc", "--max-bytes", "9999999EB"), 2, "more than there can be");
  }

  @Test
  void whatIsMissingIs3AndIsNotCreated() throws IOException {
    Path missing = folder.resolve("no such");
    for (String line :
        List.of("runs", "list", "pin latest", "gc", "repair --apply", "tail --no-wait")) {
      assertFails(Called.on(missing, line.split(" ")), 3, "no store at " + missing, "CKPT_STORE");
    }
    assertThat(missing).doesNotExist();
    Path empty = Files.createDirectory(folder.resolve("empty"));
    assertFails(Called.on(empty, "list"), 3, "there is no run in");
    Path inside = Files.createDirectories(folder.resolve("some store/runs/digits"));
    assertFails(
        Called.on(inside, "list"), 3, "no run in", "; is the store " + folder + "/some store?");
    assertFails(Called.on(empty, "verify", "--all-runs"), 3, "there is no run in");
    assertThat(Called.on(empty, "runs").code()).isZero();
    assertThat(Called.on(empty, "runs", "--json").out().replaceAll("\\s", ""))
        .contains("\"runs\":[]");
    assertThat(empty).isEmptyDirectory();
  }

  @Test
  void aStoreThatIsNoFolderOrDoesNotAnswerIs4() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    assertFails(Called.on(file, "runs"), 4, "a store is a folder");

    Path at = trained();
    assertThat(Called.with(faulty(at, store -> {}), "list").out())
        .contains("000001-000000000020-0");
    Map<String, String> unreadable =
        faulty(at, store -> store.on(FaultyStore.Operation.READ).key("**/manifests/*").fails());
    assertFails(Called.with(unreadable, "list"), 4, "cannot read", "injected");
    Map<String, String> readOnly =
        faulty(at, store -> store.on(FaultyStore.Operation.PUT_IF_ABSENT).fails());
    assertThat(Called.with(readOnly, "list").code()).isZero();
    assertFails(Called.with(readOnly, "pin", "latest"), 4, "cannot change", "injected");
  }

  private static Map<String, String> faulty(Path at, Consumer<FaultyStore> rules) {
    TestStores.put(
        "faulty",
        () -> {
          try {
            FaultyStore store = FaultyStore.around(Stores.local(at));
            rules.accept(store);
            return store;
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
    return Map.of("CKPT_STORE", "test://faulty");
  }

  @Test
  void aMissingRightIs4AndNamed() {
    Called called =
        new Called(
            Failures.code(new AccessDeniedException("/data/runs")),
            "",
            "ckpt: " + Failures.message(new AccessDeniedException("/data/runs")));
    assertFails(called, 4, "permission denied: /data/runs");
  }

  @Test
  void aRunInUseIs5() throws IOException {
    Path at = trained();
    try (CheckpointStore store = Stores.local(at);
        CheckpointManager training =
            Trained.in(store, "digits").part("model", Trained.after(40)).open()) {
      training.resume();
      // another store object in this JVM stands for another process: the lock is held by the file
      assertFails(Called.on(at, "gc"), 5, "in use", Long.toString(ProcessHandle.current().pid()));
      assertFails(Called.on(at, "repair", "--apply"), 5, "in use", "--take-over");
      assertThat(Called.on(at, "list").code()).isZero();
      assertThat(Called.on(at, "gc", "--dry-run").code()).isZero();
    }
    assertThat(Called.on(at, "gc").code()).isZero();
  }

  @Test
  void aNewerVersionIs6() throws IOException {
    Path at = trained();
    String id = "000001-000000000030-0";
    newer(at.resolve("runs/digits/manifests/" + id + ".json"));
    assertFails(Called.on(at, "show", id), 6, id, "newer");
    assertFails(Called.on(at, "verify", id), 6, id);
    assertFails(Called.on(at, "diff", id, id), 6, id);
    Called list = Called.on(at, "list");
    assertThat(list.code()).isZero();
    assertThat(list.err().lines())
        .singleElement()
        .asString()
        .contains("1 written by a newer version");
    Called all = Called.on(at, "verify", "--all");
    assertThat(all.code()).isEqualTo(6);
    assertThat(all.out()).containsPattern(id + " +newer").contains("2 checkpoints verified");
  }

  @Test
  void aBugIs70AndSaysHowToReportIt() {
    TestStores.put(
        "bug",
        () -> {
          throw new IllegalStateException("boom");
        });
    Map<String, String> there = Map.of("CKPT_STORE", "test://bug");
    Called called = Called.with(there, "runs");
    assertFails(called, 70, "this is a bug", "boom", "report", "--verbose");
    Called verbose = Called.with(there, "runs", "--verbose");
    assertThat(verbose.err()).contains("at dev.ckpt.cli.");
  }

  @Test
  void resultsThatCannotBeWrittenAreAnErrorUnlessTheReaderLeft() throws IOException {
    Path at = trained();
    assertThat(printingTo(at, false)).startsWith("4 ckpt: cannot write the results: No space left");
    assertThat(printingTo(at, true)).isEqualTo("0 ");
  }

  private static String printingTo(Path at, boolean pipe) {
    OutputStream full =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            throw new IOException("No space left on device");
          }
        };
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Console console =
        new Console(
            new Output(full, pipe),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            false,
            false,
            Map.of("CKPT_STORE", at.toString()),
            InstantSource.system());
    return Ckpt.run(console, "list") + " " + err.toString(StandardCharsets.UTF_8);
  }

  /** Seals a record again, of version 2.0. */
  static void newer(Path record) throws IOException {
    String text = Files.readString(record).replace("\"version\":\"1.0\"", "\"version\":\"2.0\"");
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] sum = digest.digest(Arrays.copyOfRange(bytes, 77, bytes.length));
      byte[] digits = HexFormat.of().formatHex(sum).getBytes(StandardCharsets.US_ASCII);
      System.arraycopy(digits, 0, bytes, 11, 64);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
    Files.write(record, bytes);
  }
}
