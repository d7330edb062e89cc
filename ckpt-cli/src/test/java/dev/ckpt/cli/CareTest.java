package dev.ckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ckpt.CheckpointConfig;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code verify}, {@code repair} and {@code gc} on stores that need it. */
class CareTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private static final String OTHER = "000001-000000000005-0";

  @TempDir Path folder;

  private Path at;
  private List<String> ids;

  @BeforeEach
  void train() throws IOException {
    at = folder.resolve("store");
    try (CheckpointStore store = Stores.local(at)) {
      ids = Trained.save(store, "digits", new Resume.Auto(), 10, 20, 30);
      Trained.save(store, "digits", Resume.parse(ids.get(1)), 25);
    }
  }

  @Test
  void whatIsWholeVerifies() throws IOException {
    Called latest = Called.on(at, "verify");
    assertThat(latest.code()).isZero();
    assertThat(latest.out())
        .contains("000002-000000000025-0  whole")
        .contains("1 checkpoint verified");
    JsonNode json = JSON.readTree(Called.on(at, "verify", "--all", "--json").out());
    assertThat(json.get("ok").booleanValue()).isTrue();
    assertThat(json.get("checkpoints")).as("dead branches, too").hasSize(4);
    assertThat(json.at("/records/ok").booleanValue()).isTrue();
    assertThat(json.get("bytes").longValue())
        .isEqualTo(Files.size(shard(ids.get(0))) * 4)
        .isPositive();
  }

  /** A cron job that verifies what a restart would take must hear that it takes an older one. */
  @Test
  void whatWouldBeTheLatestAndIsDamagedIsDamage() throws IOException {
    Path manifest = at.resolve("runs/digits/manifests/000002-000000000025-0.json");
    byte[] whole = Files.readAllBytes(manifest);
    Trained.damage(manifest);
    Called called = Called.on(at, "verify");
    assertThat(called.code()).as(called.toString()).isEqualTo(Exit.FOUND);
    assertThat(called.out())
        .contains(ids.get(1) + "  whole", "000002-000000000025-0  damaged", "1 damaged");
    assertThat(Called.on(at, "verify", ids.get(1)).code()).as("by its id").isZero();
    for (String command : List.of("show latest", "show best(accuracy)")) {
      assertThat(Called.on(at, command.split(" ")).err())
          .as(command)
          .containsOnlyOnce("warning: left out of the list: " + "runs/digits/manifests/000002-");
    }
    Files.write(manifest, whole);
    assertThat(Called.on(at, "verify").code()).isZero();
    assertThat(Called.on(at, "show", "latest").err()).isEmpty();
  }

  @Test
  void aRunOfWhichNothingIsLeftIsDamageWhereAStartRefuses() throws IOException {
    for (String id : List.of(ids.get(0), ids.get(1), ids.get(2), "000002-000000000025-0")) {
      Trained.damage(shard(id));
    }
    assertThat(Called.on(at, "repair", "--apply").code()).isZero();
    Called called = Called.on(at, "verify", "--all");
    assertThat(called.code()).as(called.toString()).isEqualTo(Exit.FOUND);
    assertThat(called.out()).contains("none can be restored", "the run's records are damaged");
  }

  @Test
  void aDamagedRecordOfTheHeadIsDamage() throws IOException {
    Trained.damage(at.resolve("runs/digits/resume/000002.json"));
    Called called = Called.on(at, "verify");
    assertThat(called.code()).as(called.toString()).isEqualTo(Exit.FOUND);
    assertThat(called.out()).contains("resume/000002.json");
  }

  @Test
  void aRunThatCannotBeLookedAtKeepsNoOtherFromBeingTheBest() throws IOException {
    try (CheckpointStore store = Stores.local(at)) {
      Trained.save(store, "other", new Resume.Auto(), 10, 20);
    }
    Trained.damage(at.resolve("runs/digits/resume/000002.json"));
    Called best = Called.on(at, "best", "--metric", "loss", "--min", "--all-runs", "--json");
    assertThat(best.code()).isEqualTo(Exit.STORE);
    assertThat(best.err()).contains("run 'digits' is left out: runs/digits/resume/000002.json");
    assertThat(JSON.readTree(best.out()).at("/best/0/run").textValue()).isEqualTo("other");
    Called runs = Called.on(at, "runs");
    assertThat(runs.err())
        .contains("run 'digits': 4 checkpoints of which nobody can tell whether they are live");
  }

  @Test
  void bytesOfWhatIsGivenUpAreFreed() throws IOException {
    Path data = at.resolve("runs/digits/data/000001-000000000040-0");
    Files.createDirectories(data);
    Files.write(data.resolve("rank-00000-of-00001.arrow"), new byte[3651]);
    try (var files = Files.walk(at)) {
      for (Path file : files.toList()) {
        Files.setLastModifiedTime(file, FileTime.from(Instant.now().minusSeconds(3600)));
      }
    }
    JsonNode json = JSON.readTree(Called.on(at, "gc", "--json").out());
    assertThat(json.get("actions").findValuesAsText("action")).contains("give_up");
    long bytes = 0;
    for (JsonNode action : json.get("actions")) {
      bytes += action.get("bytes").longValue();
    }
    assertThat(json.get("freedBytes").longValue()).isEqualTo(bytes).isGreaterThan(3651);
  }

  @Test
  void aPlainFileBesideTheRunsIsNoRunAndIsLeftAlone() throws IOException {
    for (String name : List.of("a notes.txt", "notes.txt", "digits.bak", "README")) {
      Files.writeString(at.resolve("runs").resolve(name.replace(' ', '-')), "mine");
    }
    JsonNode json = JSON.readTree(Called.on(at, "runs", "--json").out());
    assertThat(json.get("runs")).singleElement().asString().contains("digits");
    assertThat(Called.on(at, "list").code()).as("it is the only run").isZero();
    for (String command :
        List.of("verify --all-runs", "repair --all-runs --apply", "gc --all-runs")) {
      Called called = Called.on(at, command.split(" "));
      assertThat(called.code()).as(called.toString()).isZero();
      assertThat(called.out() + called.err()).doesNotContain("notes", "README", "digits.bak");
    }
    assertThat(at.resolve("runs/notes.txt")).hasContent("mine");
  }

  @Test
  void damageIsNamedAndEndsWith1() throws IOException {
    Trained.damage(shard(ids.get(2)));
    Called one = Called.on(at, "verify", ids.get(2));
    assertThat(one.code()).isEqualTo(Exit.FOUND);
    assertThat(one.out())
        .containsPattern(ids.get(2) + "  damaged  .*rank-00000")
        .contains("1 damaged");
    assertThat(Called.on(at, "verify", ids.get(1)).code()).isZero();
    Called all = Called.on(at, "verify", "--all", "--json");
    assertThat(all.code()).isEqualTo(Exit.FOUND);
    JsonNode json = JSON.readTree(all.out());
    assertThat(json.get("ok").booleanValue()).isFalse();
    assertThat(json.at("/checkpoints/2/ok").booleanValue()).isFalse();
    assertThat(json.at("/checkpoints/2/problems/0").textValue()).contains("rank-00000");
  }

  @Test
  void damageOfAManifestOrARecordIsFoundByAll() throws IOException {
    Trained.damage(manifest(ids.get(0)));
    Called all = Called.on(at, "verify", "--all");
    assertThat(all.code()).isEqualTo(Exit.FOUND);
    assertThat(all.out()).contains(ids.get(0) + "  damaged");
    Path record = at.resolve("runs/digits/ends/000001.json");
    Trained.damage(record);
    assertThat(Called.on(at, "verify", "--all").out())
        .containsPattern("records +damaged .*ends/000001");
  }

  @Test
  void aMissingManifestIsDamageAndARepairMakesItAgain() throws IOException {
    byte[] was = Files.readAllBytes(manifest(ids.get(1)));
    Files.delete(manifest(ids.get(1)));
    Called all = Called.on(at, "verify", "--all");
    assertThat(all.code()).isEqualTo(Exit.FOUND);
    assertThat(all.out()).containsPattern(ids.get(1) + "  damaged .*manifest is missing");
    assertThat(Called.on(at, "verify", ids.get(1)).code()).isEqualTo(Exit.FOUND);
    assertThat(Called.on(at, "list", "--all").out())
        .containsPattern(ids.get(1) + " .*damaged.*manifest is missing");
    assertThat(Called.on(at, "gc", "--grace", "0s").code()).isZero();
    Called repaired = Called.on(at, "repair", "--apply");
    assertThat(repaired.code()).as(repaired.err()).isZero();
    assertThat(repaired.out()).containsPattern("restore .*manifests/" + ids.get(1));
    assertThat(manifest(ids.get(1))).hasBinaryContent(was);
    assertThat(Called.on(at, "verify", "--all").code()).isZero();
  }

  @Test
  void aRunThatIsASymbolicLinkIsSaid() throws IOException {
    Path far = Files.createSymbolicLink(at.resolve("runs/far"), at.resolve("runs/digits"));
    String why = "a symbolic link inside a store is not followed";
    for (String[] command :
        new String[][] {{"runs"}, {"verify", "--all-runs"}, {"gc", "--max-bytes", "1GB"}}) {
      Called called = Called.on(at, command);
      assertThat(called.err()).contains(far.toString(), why);
      assertThat(called.code()).isEqualTo(command[0].equals("verify") ? Exit.STORE : Exit.FINE);
    }
    Called named = Called.on(at, "--run", "far", "list");
    assertThat(named.code()).isEqualTo(Exit.STORE);
    assertThat(named.err()).contains(far.toString(), why);
    assertThat(Called.on(at, "list").code()).as("the other run").isZero();
  }

  @Test
  void whatCannotBeReadKeepsNothingElseFromBeingLookedAt() throws IOException {
    Path shard = shard(ids.get(0));
    Path moved = Files.move(shard, folder.resolve("moved.arrow"));
    Files.createSymbolicLink(shard, moved);
    Called all = Called.on(at, "verify", "--all");
    assertThat(all.code()).isEqualTo(Exit.STORE);
    assertThat(all.out())
        .containsPattern(ids.get(0) + "  unread .*symbolic link")
        .containsPattern(ids.get(1) + "  whole")
        .containsPattern(ids.get(2) + "  whole")
        .contains("3 checkpoints verified", "1 unread");
    JsonNode json = JSON.readTree(Called.on(at, "verify", "--all", "--json").out());
    assertThat(json.get("ok").booleanValue()).as("nobody can say so").isFalse();
    assertThat(json.get("checkpoints")).hasSize(3);
    assertThat(json.get("unread").get(ids.get(0)).textValue()).contains("symbolic link");
    Trained.damage(shard(ids.get(2)));
    Called damaged = Called.on(at, "verify", "--all-runs");
    assertThat(damaged.code()).isEqualTo(Exit.FOUND);
    assertThat(damaged.out()).containsPattern(ids.get(0) + "  unread").contains("1 damaged");
  }

  @Test
  void whatTheRunsOwnConfigCallsItsBestStays() throws IOException {
    Path config = folder.resolve("ckpt.yaml");
    Path own = folder.resolve("own");
    Files.writeString(
        config,
        "store: "
            + own.toUri()
            + "\nrun: digits\nkeep: { latest: 9, best: { metric: loss, mode: min, n: 1 } }\n");
    String best;
    try (CheckpointManager ckpt =
        CheckpointManager.from(CheckpointConfig.load(config))
            .part("model", Trained.after(1))
            .open()) {
      ckpt.resume();
      ckpt.save(Progress.step(1), Map.of("loss", 0.9)).join();
      best = ckpt.save(Progress.step(2), Map.of("loss", 0.1)).join().id();
      for (int step = 3; step < 7; step++) {
        ckpt.save(Progress.step(step), Map.of("loss", 0.5)).join();
      }
    }
    Called dry = Called.on(own, "gc", "--max-bytes", "1B", "--dry-run");
    assertThat(dry.err()).doesNotContain("best");
    for (String[] command :
        new String[][] {{"gc", "--keep-latest", "2"}, {"gc", "--max-bytes", "1B"}}) {
      Called done = Called.on(own, command);
      assertThat(done.code()).as(done.err()).isZero();
      assertThat(done.out()).contains("delete").doesNotContainPattern("delete +" + best);
      assertThat(Called.on(own, "show", "best").out()).contains(best);
    }
    assertThat(Called.on(at, "gc", "--max-bytes", "1GB").err())
        .contains("the config of run 'digits' does not tell");
  }

  @Test
  void anIdOfWhichOnlyAMarkIsLeftIsNoCheckpointToUnpin() throws IOException {
    Path mark = Files.createDirectories(at.resolve("runs/digits/deleted")).resolve(OTHER);
    Files.writeString(mark, "retention");
    assertThat(Called.on(at, "unpin", OTHER).code()).isEqualTo(Exit.NOT_FOUND);
    assertThat(Called.on(at, "unpin", ids.get(0)).code()).isZero();
  }

  @Test
  void theHintToRepairCanBePastedThoughTheStoreWasGivenAsAUri() throws IOException {
    Path blank = folder.resolve("a b");
    Files.move(at, blank);
    Trained.damage(blank.resolve("runs/digits/data").resolve(ids.get(0)));
    Called dry = Called.with(Map.of(), "--store", blank.toUri().toString(), "repair");
    assertThat(dry.err()).contains("ckpt --store '" + blank + "/' repair --apply");
  }

  @Test
  void aDamagedManifestIsNamedOnce() throws IOException {
    Trained.damage(manifest(ids.get(0)));
    Called all = Called.on(at, "verify", "--all");
    assertThat(all.code()).isEqualTo(Exit.FOUND);
    assertThat(all.out().split("manifests/" + ids.get(0), -1)).hasSize(2);
    assertThat(all.out()).contains("1 damaged\n");
    JsonNode json = JSON.readTree(Called.on(at, "verify", "--all", "--json").out());
    assertThat(json.get("ok").booleanValue()).isFalse();
    assertThat(json.at("/records/ok").booleanValue()).isTrue();
  }

  @Test
  void allRunsAreVerifiedAndRepairedAtOnce() throws IOException {
    try (CheckpointStore store = Stores.local(at)) {
      Trained.completed(store, "other");
    }
    Called whole = Called.on(at, "verify", "--all-runs");
    assertThat(whole.code()).isZero();
    assertThat(whole.out()).contains("digits  " + ids.get(0), "other   ", "8 checkpoints verified");
    Trained.damage(at.resolve("runs/other/data/000001-000000000020-0"));
    Called damaged = Called.on(at, "verify", "--all-runs", "--json");
    assertThat(damaged.code()).isEqualTo(Exit.FOUND);
    JsonNode json = JSON.readTree(damaged.out());
    assertThat(json.at("/runs/0/ok").booleanValue()).isTrue();
    assertThat(json.at("/runs/1/run").textValue()).isEqualTo("other");
    assertThat(json.at("/runs/1/ok").booleanValue()).isFalse();
    Called dry = Called.on(at, "repair", "--all-runs");
    assertThat(dry.out()).containsPattern("quarantine +other +000001-000000000020-0");
    assertThat(dry.err()).isEqualTo("ckpt: to do it: ckpt repair --apply --all-runs\n");
    assertThat(Called.on(at, "repair", "--all-runs", "--apply").code()).isZero();
    assertThat(Called.on(at, "verify", "--all-runs").code()).isZero();
  }

  @Test
  void aRunThatCannotBeReadKeepsNoOtherFromBeingLookedAtOrMended() throws IOException {
    try (CheckpointStore store = Stores.local(at)) {
      Trained.completed(store, "aaa");
      Trained.completed(store, "zzz");
    }
    ExitCodesTest.newer(at.resolve("runs/digits/attempts/000001.json"));
    Trained.damage(at.resolve("runs/aaa/data/000001-000000000020-0"));
    Trained.damage(at.resolve("runs/zzz/data/000001-000000000020-0"));
    Called runs = Called.on(at, "runs");
    assertThat(runs.code()).isEqualTo(Exit.NEWER);
    assertThat(runs.out()).contains("aaa", "zzz").doesNotContain("digits");
    assertThat(runs.err()).contains("runs/digits/attempts/000001.json");
    Called verified = Called.on(at, "verify", "--all-runs");
    assertThat(verified.code()).isEqualTo(Exit.FOUND);
    assertThat(verified.out()).contains("2 damaged");
    Files.move(at.resolve("runs/digits"), at.resolve("runs/mmm")); // which a repair refuses
    Called mended = Called.on(at, "repair", "--all-runs", "--apply");
    assertThat(mended.code()).isEqualTo(Exit.STORE);
    assertThat(mended.err()).contains("are the records of run 'digits'");
    assertThat(mended.out())
        .containsPattern("quarantine +aaa +000001-000000000020-0")
        .containsPattern("leave +mmm +mmm ")
        .containsPattern("quarantine +zzz +000001-000000000020-0");
    Called cleaned = Called.on(at, "gc", "--all-runs", "--grace", "0s", "--keep-latest", "1");
    assertThat(cleaned.code()).isEqualTo(Exit.NEWER);
    assertThat(cleaned.out()).containsPattern("delete +aaa ").containsPattern("delete +zzz ");
  }

  @Test
  void gcSaysWhatItLeavesAndWhy() throws IOException {
    Trained.damage(shard("000002-000000000025-0"));
    Called done = Called.on(at, "gc", "--grace", "0s", "--keep-latest", "1");
    assertThat(done.code()).as(done.err()).isZero();
    assertThat(done.out())
        .containsPattern("leave +" + ids.get(2) + " and 1 more +the newest checkpoint cannot")
        .contains("nothing was changed; 2 left as they are, for the reason above")
        .doesNotContain("nothing to do");
    assertThat(Called.on(at, "gc", "--grace", "0s", "--keep-latest", "1", "--verbose").out())
        .contains("leave   " + ids.get(2), "leave   " + ids.get(0));
  }

  @Test
  void marksOfDeletedCheckpointsAreOneLine() throws IOException {
    assertThat(Called.on(at, "gc", "--grace", "0s", "--keep-latest", "1").code()).isZero();
    Called list = Called.on(at, "list", "--all");
    assertThat(list.out().lines()).hasSize(2);
    assertThat(list.err())
        .isEqualTo(
            "ckpt: left out: 3 deleted, of which only the mark is left; ckpt list --all --verbose"
                + " shows them\n");
    assertThat(Called.on(at, "list", "--all", "--verbose").out())
        .containsPattern(ids.get(0) + " +deleted +only its mark is left");
    JsonNode json = JSON.readTree(Called.on(at, "list", "--all", "--json").out());
    assertThat(json.get("checkpoints")).hasSize(4);
    Called gc = Called.on(at, "gc", "--grace", "0s", "--dry-run");
    assertThat(gc.out()).contains("remove  3 marks of deleted checkpoints  ", "3 actions");
    assertThat(Called.on(at, "gc", "--grace", "0s", "--dry-run", "--verbose").out())
        .contains("runs/digits/deleted/" + ids.get(0));
  }

  @Test
  void theBarIsDrawnOnATerminalOnly() {
    StringBuilder drawn = new StringBuilder();
    for (boolean terminal : List.of(true, false)) {
      java.io.ByteArrayOutputStream err = new java.io.ByteArrayOutputStream();
      Console console =
          new Console(
              new Output(java.io.OutputStream.nullOutputStream(), false),
              new java.io.PrintStream(err, true, java.nio.charset.StandardCharsets.UTF_8),
              false,
              terminal,
              java.util.Map.of("TERM", "xterm"),
              java.time.InstantSource.system());
      try (Bar bar = new Bar(console, 4_000_000)) {
        long until = System.nanoTime() + 200_000_000;
        while (System.nanoTime() < until) {
          Thread.onSpinWait();
        }
        bar.add(1_000_000);
        assertThat(bar.bytes()).isEqualTo(1_000_000);
      }
      drawn.append(err.toString(java.nio.charset.StandardCharsets.UTF_8)).append('|');
    }
    assertThat(drawn.toString())
        .matches(
            "\r"
                + "\\[====== {18}]  25 %  1\\.00 MB of 4\\.00 MB  [0-9.]+ MB/s\u001b\\[K\r"
                + "\u001b\\[K\\|\\|");
  }

  @Test
  void repairSaysWhatItWouldDoAndDoesItWhenTold() throws IOException {
    Trained.damage(shard(ids.get(2)));
    Called dry = Called.on(at, "repair");
    assertThat(dry.code()).isZero();
    assertThat(dry.out())
        .contains("quarantine")
        .contains(ids.get(2))
        .contains("nothing was changed");
    assertThat(dry.err()).isEqualTo("ckpt: to do it: ckpt repair --apply\n");
    Path odd = Files.move(at, folder.resolve("it's here"));
    assertThat(
            Called.with(
                    java.util.Map.of(),
                    "--store",
                    odd.toString(),
                    "--run",
                    "digits",
                    "repair",
                    "--dry-run")
                .err())
        .isEqualTo(
            "ckpt: to do it: ckpt --store '"
                + folder
                + "/it'\\''s here' --run digits repair --apply\n");
    Files.move(odd, at);
    assertThat(Called.on(at, "verify", "--all").code()).isEqualTo(Exit.FOUND);

    Called applied = Called.on(at, "repair", "--apply", "--json");
    assertThat(applied.code()).as(applied.err()).isZero();
    JsonNode json = JSON.readTree(applied.out());
    assertThat(json.get("dryRun").booleanValue()).isFalse();
    assertThat(json.at("/actions/0/run").textValue()).isEqualTo("digits");
    assertThat(Called.on(at, "verify", "--all").code()).isZero();
    assertThat(Called.on(at, "list", "--all").out()).containsPattern(ids.get(2) + ".*quarantined");
    Called again = Called.on(at, "repair");
    assertThat(again.out()).isEqualTo("nothing to do\n");
    assertThat(again.err()).isEmpty();
  }

  @Test
  void gcRemovesDeadBranchesAndWhatThePolicyLetsGo() throws IOException {
    Called dry = Called.on(at, "gc", "--dry-run", "--grace", "0s", "--keep-latest", "1", "--json");
    JsonNode planned = JSON.readTree(dry.out());
    assertThat(planned.findValuesAsText("subject")).contains(ids.get(0), ids.get(1), ids.get(2));
    assertThat(planned.get("freedBytes").longValue()).isPositive();
    assertThat(Called.on(at, "list", "--all").out().lines()).hasSize(5);

    Called.on(at, "pin", ids.get(0));
    Called done = Called.on(at, "gc", "--grace", "0s", "--keep-latest", "1");
    assertThat(done.code()).as(done.err()).isZero();
    assertThat(done.out()).contains("delete").contains(ids.get(2)).contains("freed");
    assertThat(Called.on(at, "list").out())
        .contains(ids.get(0), "000002-000000000025-0")
        .doesNotContain(ids.get(1));
  }

  @Test
  void gcKeepsTheBest() {
    Called done = Called.on(at, "gc", "--grace", "0s", "--keep-best", "loss:max:1");
    assertThat(done.code()).as(done.err()).isZero();
    assertThat(Called.on(at, "list").out())
        .contains(ids.get(0), "000002-000000000025-0")
        .doesNotContain(ids.get(1));
  }

  @Test
  void aMetricThatARunDoesNotHaveKeepsAllOfIt() throws IOException {
    for (String option : List.of("--dry-run", "--take-over")) {
      Called typo = Called.on(at, "gc", "--keep-best", "acuracy:max", option);
      assertThat(typo.code()).isEqualTo(Exit.NOT_FOUND);
      assertThat(typo.err()).contains("'acuracy'", "[accuracy, loss]");
    }
    Called all = Called.on(at, "gc", "--all-runs", "--keep-best", "acuracy:max");
    assertThat(all.code()).as(all.err()).isZero();
    assertThat(all.out()).contains("leave", "'acuracy'");
    assertThat(Called.on(at, "list").out()).contains(ids.get(0), ids.get(1));
  }

  @Test
  void aRunInUseDoesNotKeepTheOthersFromBeingCleaned() throws IOException {
    try (CheckpointStore store = Stores.local(at);
        dev.ckpt.CheckpointManager training =
            Trained.in(store, "other").part("model", Trained.after(1)).open()) {
      training.resume();
      Called all = Called.on(at, "gc", "--all-runs", "--grace", "0s");
      assertThat(all.code()).isEqualTo(Exit.IN_USE);
      assertThat(all.err()).contains("run 'other'").contains("in use");
      assertThat(all.out()).contains(ids.get(2)).contains("digits");
    }
  }

  private Path shard(String id) {
    return at.resolve("runs/digits/data/" + id + "/rank-00000-of-00001.arrow");
  }

  private Path manifest(String id) {
    return at.resolve("runs/digits/manifests/" + id + ".json");
  }
}
