package dev.ckpt.mlflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Retention;
import dev.ckpt.Stores;
import dev.ckpt.mlflow.internal.publish.Publisher;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a server may do to a run: nothing. */
class TroubleTest extends AgainstAStandIn {
  private static final int STEPS = 4;
  private static final int KEPT = 2;

  /** Calls fail soon, and nobody waits at the end. */
  private static MlflowSettings hasty(String uri) {
    MlflowSettings usual = Runs.settings(uri);
    return new MlflowSettings(
        true,
        usual.trackingUri(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        10_000,
        Duration.ofMillis(150),
        Duration.ofSeconds(20),
        true,
        false);
  }

  /** The same without what differs from run to run: folders, keys, and how long a save takes. */
  private static String seen(StandIn server) {
    return server
        .state()
        .replaceAll(" *param .*\\n", "")
        // only of those that retention has not deleted before they were read
        .replaceAll(" *metric ckpt.norm .*\\n", "")
        .replaceAll("metric (\\S+ \\S+) .*", "metric $1");
  }

  private static String undisturbed(Path folder) throws Exception {
    try (StandIn quiet = new StandIn()) {
      Runs.train(folder, Runs.settings(quiet.uri()), STEPS, KEPT);
      Runs.sync(folder, Runs.settings(quiet.uri()));
      return seen(quiet);
    }
  }

  @ParameterizedTest
  @EnumSource(names = "NONE", mode = EnumSource.Mode.EXCLUDE)
  void nothingIsLostWhateverTheServerDoesFromTheStart(StandIn.Trouble trouble) throws Exception {
    String wanted = undisturbed(folder.resolve("quiet"));
    server.plan = (call, what) -> trouble;
    Path store = folder.resolve("troubled");
    Runs.train(store, hasty(server.uri()), STEPS, KEPT);
    assertThat(store.resolve("mlflow/toy/report.html")).content().contains("toy · step 4");
    server.plan = (call, what) -> StandIn.Trouble.NONE;
    MlflowRuns.Synced synced = Runs.sync(store, Runs.settings(server.uri()));
    assertThat(synced.refused()).isEmpty();
    assertThat(synced.dropped()).isZero();
    assertThat(seen(server)).isEqualTo(wanted);
  }

  @Test
  void anEventAtWhichOnlyTheServerFailsHoldsUpNoOther() throws Exception {
    server.poison = "step-00000002";
    Toy toy = Toy.usual();
    try (CheckpointStore opened = Stores.local(folder);
        CheckpointManager manager =
            Runs.toy(folder, toy, Runs.publisher(opened, Runs.settings(server.uri())))
                .keep(Retention.latest(9))
                .open()) {
      manager.resume();
      for (int i = 0; i < 3; i++) {
        toy.advance();
        Runs.save(manager, toy);
      }
      org.awaitility.Awaitility.await()
          .atMost(Duration.ofSeconds(30))
          .until(
              () -> server.shown().stream().anyMatch(model -> model.name.equals("step-00000003")));
    }
    MlflowRuns.Synced synced = Runs.sync(folder, Runs.settings(server.uri()));
    assertThat(synced.refused()).singleElement().asString().contains("value too long");
    server.poison = "";
    assertThat(Runs.sync(folder, Runs.settings(server.uri())).refused()).isEmpty();
    assertThat(server.shown()).hasSize(3).allMatch(model -> model.status.endsWith("READY"));
  }

  @Test
  void anOutboxThatOverflowedLeavesNothingOfTheStoreUnpublished() throws Exception {
    server.plan = (call, what) -> StandIn.Trouble.ANSWER_503;
    MlflowSettings usual = Runs.settings(server.uri());
    MlflowSettings small =
        new MlflowSettings(
            true,
            usual.trackingUri(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            3,
            usual.timeout(),
            usual.drain(),
            true,
            false);
    Toy toy = Toy.usual();
    try (CheckpointStore opened = Stores.local(folder);
        CheckpointManager manager =
            Runs.toy(folder, toy, Runs.publisher(opened, small)).keep(Retention.latest(9)).open()) {
      manager.resume();
      for (int i = 0; i < 8; i++) {
        toy.advance();
        Runs.save(manager, toy);
      }
      server.plan = (call, what) -> StandIn.Trouble.NONE;
      org.awaitility.Awaitility.await()
          .atMost(Duration.ofSeconds(30))
          .until(() -> server.shown().size() == 8);
    }
    assertThat(server.runs.values())
        .singleElement()
        .satisfies(run -> assertThat(run.tags).containsKey("ckpt.dropped"));
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aRunThatIsLostInMidTrainingIsMadeAgainWithAllCheckpoints(boolean theWholeDatabase)
      throws Exception {
    Toy toy = Toy.usual();
    try (CheckpointStore opened = Stores.local(folder);
        CheckpointManager manager =
            Runs.toy(folder, toy, Runs.publisher(opened, Runs.settings(server.uri())))
                .keep(Retention.latest(KEPT))
                .open()) {
      manager.resume();
      for (int i = 0; i < 3; i++) {
        toy.advance();
        Runs.save(manager, toy);
      }
      org.awaitility.Awaitility.await()
          .atMost(Duration.ofSeconds(30))
          .until(() -> waiting(folder) == 0 && server.shown().size() == KEPT);
      if (theWholeDatabase) {
        server.forgetAll();
      } else {
        server.runs.values().forEach(run -> run.deleted = true);
      }
      toy.advance();
      Runs.save(manager, toy);
      org.awaitility.Awaitility.await()
          .atMost(Duration.ofSeconds(30))
          .until(() -> waiting(folder) == 0);
    }
    StandIn.RunState run =
        server.runs.values().stream().filter(each -> !each.deleted).findFirst().orElseThrow();
    assertThat(server.shown())
        .extracting(model -> model.name + " " + model.status)
        .containsExactlyInAnyOrder(
            "step-00000003 LOGGED_MODEL_READY", "step-00000004 LOGGED_MODEL_READY");
    assertThat(run.outputs.keySet())
        .containsAll(server.shown().stream().map(model -> model.id).toList());
    assertThat(run.params).containsKey("ckpt.program");
  }

  @ParameterizedTest
  @EnumSource(names = "NONE", mode = EnumSource.Mode.EXCLUDE)
  void aServerThatIsWellAgainGetsAllWithoutASync(StandIn.Trouble trouble) throws Exception {
    String wanted = undisturbed(folder.resolve("quiet"));
    server.plan = (call, what) -> call <= 12 ? trouble : StandIn.Trouble.NONE;
    Path store = folder.resolve("troubled");
    Toy toy = Toy.usual();
    try (CheckpointStore opened = Stores.local(store);
        CheckpointManager manager =
            Runs.toy(store, toy, Runs.publisher(opened, hasty(server.uri())))
                .keep(Retention.latest(KEPT))
                .open()) {
      manager.resume();
      for (int i = 0; i < STEPS; i++) {
        toy.advance();
        Runs.save(manager, toy);
      }
      org.awaitility.Awaitility.await()
          .atMost(Duration.ofSeconds(30))
          .until(() -> waiting(store) == 0 && server.calls.size() > 12);
      manager.complete(Map.of("steps", toy.step));
    }
    Runs.sync(store, Runs.settings(server.uri()));
    assertThat(seen(server)).isEqualTo(wanted);
  }

  private static int waiting(Path store) {
    String[] names = store.resolve("mlflow/toy/outbox").toFile().list();
    String[] refused = store.resolve("mlflow/toy/refused").toFile().list();
    return (names == null ? 0 : names.length) + (refused == null ? 0 : refused.length);
  }

  /** The connection breaks once, at each call in turn, after it was heard; or the answer is no. */
  @Tag("full")
  @ParameterizedTest
  @EnumSource(names = {"RESET_AFTERWARDS", "ANSWER_400"})
  void oneFailureAtAnyCallEndsInTheSameState(StandIn.Trouble trouble) throws Exception {
    atEachCall(trouble);
  }

  /** The same before it was heard, or with an answer that asks to come back. */
  @Tag("nightly")
  @ParameterizedTest
  @EnumSource(names = {"RESET", "ANSWER_503"})
  void oneOtherFailureAtAnyCallEndsInTheSameState(StandIn.Trouble trouble) throws Exception {
    atEachCall(trouble);
  }

  private void atEachCall(StandIn.Trouble trouble) throws Exception {
    String wanted = undisturbed(folder.resolve("quiet"));
    int tried = 0;
    for (int k = 1; ; k++) {
      int at = k;
      try (StandIn broken = new StandIn()) {
        broken.plan = (call, what) -> call == at ? trouble : StandIn.Trouble.NONE;
        Path store = folder.resolve("at-" + k);
        Runs.train(store, Runs.settings(broken.uri()), STEPS, KEPT);
        try {
          Runs.sync(store, Runs.settings(broken.uri()));
        } catch (UncheckedIOException e) {
          // what a server will not have is not tried again by a sync, but said: it is called again
          assertThat(trouble).isEqualTo(StandIn.Trouble.ANSWER_400);
          assertThat(e).hasMessageContaining("answered 400");
          Runs.sync(store, Runs.settings(broken.uri()));
        }
        assertThat(seen(broken)).as("a failure at call %d, %s", k, trouble).isEqualTo(wanted);
        tried++;
        if (broken.calls.size() < k) {
          break;
        }
      }
    }
    System.out.println(trouble + " at each of " + (tried - 1) + " calls");
    assertThat(tried).isGreaterThan(30);
  }

  /** The process is gone at each call in turn; another one syncs what it left. */
  @Tag("full")
  @Test
  void aProcessThatIsKilledAtAnyCallLeavesWhatASyncMakesWhole() throws Exception {
    String wanted = undisturbed(folder.resolve("quiet"));
    for (int k = 1; ; k++) {
      int at = k;
      try (StandIn gone = new StandIn()) {
        // from then on no answer reaches the process, although the server does what it heard last
        gone.plan =
            (call, what) ->
                call < at
                    ? StandIn.Trouble.NONE
                    : call == at ? StandIn.Trouble.RESET_AFTERWARDS : StandIn.Trouble.RESET;
        Path store = folder.resolve("gone-" + k);
        Runs.train(store, Runs.settings(gone.uri()), STEPS, KEPT);
        boolean last = gone.calls.size() < k;
        gone.plan = (call, what) -> StandIn.Trouble.NONE;
        Runs.sync(store, Runs.settings(gone.uri()));
        assertThat(seen(gone)).as("gone at call %d", k).isEqualTo(wanted);
        if (last) {
          break;
        }
      }
    }
  }

  @Test
  void whatIsReplayedTwiceIsThereOnce() throws Exception {
    MlflowSettings nobody = hasty("http://127.0.0.1:1");
    Runs.train(folder, nobody, STEPS, KEPT);
    Path outbox = folder.resolve("mlflow/toy/outbox");
    Path copy = Files.createDirectory(folder.resolve("copy"));
    List<Path> events = new ArrayList<>();
    try (var files = Files.list(outbox)) {
      files.forEach(events::add);
    }
    assertThat(events).hasSizeGreaterThan(STEPS);
    for (Path event : events) {
      Files.copy(event, copy.resolve(event.getFileName()));
    }
    Runs.sync(folder, Runs.settings(server.uri()));
    String once = server.state();
    for (int again = 0; again < 2; again++) {
      for (Path event : events) {
        Files.copy(copy.resolve(event.getFileName()), event, StandardCopyOption.REPLACE_EXISTING);
      }
      MlflowRuns.Synced synced = Runs.sync(folder, Runs.settings(server.uri()));
      assertThat(synced.events()).isEqualTo(events.size());
      assertThat(server.state()).isEqualTo(once);
    }
    assertThat(server.models.values().stream().filter(m -> !m.deleted)).hasSize(KEPT);
  }

  @Test
  void aLostWorkspaceIsFoundAgainOnTheServer() throws Exception {
    Runs.train(folder, Runs.settings(server.uri()), STEPS, KEPT);
    String before = seen(server);
    int models = server.models.size();
    try (var files = Files.walk(folder.resolve("mlflow"))) {
      for (Path each : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
    Runs.sync(folder, Runs.settings(server.uri()));
    assertThat(seen(server)).isEqualTo(before);
    assertThat(server.models).hasSize(models);
    assertThat(server.runs).hasSize(1);
  }

  @Test
  void whatWasDeletedUnseenIsDeletedThereAtTheNextOpen() throws Exception {
    Runs.train(folder, Runs.settings(server.uri()), 3, 3);
    assertThat(server.shown()).hasSize(3);
    // another process without this module applies a policy
    Toy toy = Toy.usual();
    try (CheckpointManager manager =
        CheckpointManager.in(folder)
            .run("toy")
            .part("model", toy)
            .keep(Retention.latest(1))
            .open()) {
      manager.resume();
      toy.advance();
      Runs.save(manager, toy);
    }
    Runs.train(folder, Runs.settings(server.uri()), 0, 1);
    assertThat(server.shown()).extracting(model -> model.name).containsExactly("step-00000004");
    assertThat(server.state()).contains("orphans 0");
  }

  @Test
  void theOutboxIsBoundedAndItsDropsAreCountedAndReported() throws Exception {
    MlflowSettings small =
        new MlflowSettings(
            true,
            Optional.of("http://127.0.0.1:1"),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            10,
            Duration.ofMillis(200),
            Duration.ZERO,
            true,
            false);
    Runs.train(folder, small, 20, 2);
    assertThat(folder.resolve("mlflow/toy/outbox").toFile().list()).hasSize(10);
    // 1 opened, 20 committed, 18 deleted, 1 closed
    MlflowRuns.Synced synced = Runs.sync(folder, Runs.settings(server.uri()));
    assertThat(synced.dropped()).isEqualTo(30);
    assertThat(server.runs.values().iterator().next().tags).containsEntry("ckpt.dropped", "30");
    assertThat(server.shown())
        .extracting(model -> model.name)
        .containsExactly("step-00000019", "step-00000020");
  }

  @Test
  void trainingAndSavesDoNotWaitForAServerThatHangs() throws Exception {
    server.plan = (call, what) -> StandIn.Trouble.HANG;
    Toy toy = Toy.usual();
    MlflowSettings patient =
        new MlflowSettings(
            true,
            Optional.of(server.uri()),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            1000,
            Duration.ofMinutes(10),
            Duration.ofMinutes(10),
            true,
            false);
    Publisher.Patience short_ =
        new Publisher.Patience(
            Duration.ofMillis(5),
            Duration.ofMillis(50),
            Duration.ofMillis(200),
            Duration.ofMillis(100));
    try (CheckpointStore store = Stores.local(folder)) {
      Publisher publisher =
          new Publisher(
              store, "toy", MlflowRuns.options(patient, Map.of()), short_, InstantSource.system());
      try (CheckpointManager manager =
          Runs.toy(folder, toy, publisher).keep(Retention.latest(2)).open()) {
        manager.resume();
        for (int i = 0; i < 30; i++) {
          toy.advance();
          Runs.save(manager, toy);
        }
        // a call hangs for ten minutes: whatever waited for it would not get here
        org.awaitility.Awaitility.await()
            .atMost(Duration.ofSeconds(30))
            .until(() -> manager.checkpoints().list().size() == 2);
      }
    }
    assertThat(server.calls).hasSize(1);
    assertThat(waiting(folder)).isGreaterThanOrEqualTo(60);
  }

  @Test
  void aServerThatIsDownSaysSoAndKeepsAll() {
    Runs.train(folder, hasty("http://127.0.0.1:1"), 1, 1);
    assertThatThrownBy(() -> Runs.sync(folder, hasty("http://127.0.0.1:1")))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("http://127.0.0.1:1 cannot be reached")
        .hasMessageContaining("nothing listens there");
    assertThat(waiting(folder)).isEqualTo(3);
  }

  @Test
  void aServerThatStopsInMidRunAndComesBackGetsAll() throws Exception {
    Toy toy = Toy.usual();
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager manager =
            Runs.toy(folder, toy, Runs.publisher(store, hasty(server.uri())))
                .keep(Retention.latest(20))
                .open()) {
      manager.resume();
      for (int i = 0; i < 12; i++) {
        toy.advance();
        Runs.save(manager, toy);
        if (i == 3) {
          server.stop();
        }
        if (i == 8) {
          server.restart();
        }
      }
      org.awaitility.Awaitility.await()
          .atMost(Duration.ofSeconds(30))
          .until(() -> server.shown().size() == 12 && waiting(folder) == 0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    assertThat(server.shown()).allMatch(model -> model.status.equals("LOGGED_MODEL_READY"));
  }
}
