package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.fresh;
import static dev.ckpt.manager.MaintainedStore.id;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Maintenance;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.AttemptRecord;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class StoreLimitTest {

  private static final Retention BEST = Retention.best("loss", Retention.Mode.MIN, 1);

  private MaintainedStore at = new MaintainedStore();
  private long one;

  /** Two runs of four checkpoints each, in turns, one as large as the other. */
  @BeforeEach
  void twoRuns() throws IOException {
    at = new MaintainedStore();
    for (int step = 1; step <= 4; step++) {
      train("a", Map.of(), step);
      train("b", Map.of(), step);
    }
    at.clock.pass(Duration.ofHours(1));
    one = bytes() / 8;
    assertThat(bytes()).isEqualTo(8 * one);
  }

  private long bytes() throws IOException {
    return at.objects().entrySet().stream()
        .filter(object -> object.getKey().matches("runs/[^/]+/data/.*"))
        .mapToLong(object -> object.getValue().length)
        .sum();
  }

  private List<MaintenanceAction> limit(long bytes, Map<String, Retention> best) {
    Maintenance maintenance = Maintenance.of(at.store).clock(at.clock);
    List<MaintenanceAction> dry = maintenance.limit(bytes, best, true);
    assertThat(maintenance.limit(bytes, best, false)).isEqualTo(dry);
    return dry;
  }

  @Test
  void belowTheLimitNothingIsDone() throws IOException {
    assertThat(limit(8 * one, Map.of())).isEmpty();
    assertThat(bytes()).isEqualTo(8 * one);
  }

  @Test
  void theOldestOfAllRunsGoFirstAndNoMoreThanMust() throws IOException {
    assertThat(limit(6 * one + 1, Map.of()))
        .extracting(action -> action.run() + " " + action.subject())
        .containsExactly("a " + id(1, 1), "b " + id(1, 1));
    assertThat(bytes()).isEqualTo(6 * one);
    assertThat(limit(6 * one - 1, Map.of()))
        .extracting(MaintenanceAction::run)
        .containsExactly("a");
    assertThat(at.listed("a")).containsExactly(id(3, 3), id(4, 4));
    assertThat(at.listed("b")).containsExactly(id(2, 2), id(3, 3), id(4, 4));
  }

  @Test
  void theNewestTheBestAndPinnedOnesStayAlsoIfThatIsTooMuch() throws IOException {
    Checkpoints.read(at.store, "b").pin(id(2, 2));
    List<MaintenanceAction> actions = limit(1, Map.of("a", BEST));
    assertThat(at.listed("a")).containsExactly(id(1, 1), id(4, 4));
    assertThat(at.listed("b")).containsExactly(id(2, 2), id(4, 4));
    MaintenanceAction last = actions.get(actions.size() - 1);
    assertThat(last.kind()).isEqualTo(Kind.LEAVE);
    assertThat(last.bytes()).isEqualTo(4 * one - 1);
    assertThat(last.reason()).contains("pinned", Long.toString(4 * one));
  }

  @Test
  void whatNobodyNeedsGoesBeforeAnythingThatIsLive() throws IOException {
    MaintainedStore branched = MaintainedStore.of(MaintainedStore.template());
    long junk = 300 + 400 + 500 + 600;
    at = branched;
    long dead = at.bytes(at.shard(id(1, 3))).length;
    limit(bytes() - junk - 1, Map.of());
    assertThat(at.whole()).hasSize(6).doesNotContain(id(1, 3));
    assertThat(bytes()).isGreaterThan(dead);
    assertThat(at.objects().keySet()).noneMatch(key -> key.contains("/data/" + id(3, 9)));
    limit(bytes() - 1, Map.of());
    assertThat(at.whole()).hasSize(5).doesNotContain(id(1, 2)).contains(id(1, 1));
  }

  @Test
  void aRunInUseIsLeftAloneAndSaid() throws IOException {
    try (CheckpointManager used = at.builder("a", fresh()).open()) {
      assertThat(used.resume()).isPresent();
      assertThat(Maintenance.of(at.store).clock(at.clock).limit(one, Map.of(), false))
          .filteredOn(action -> action.kind() == Kind.LEAVE)
          .extracting(MaintenanceAction::run)
          .containsExactly("a", "");
      assertThat(at.listed("a")).hasSize(4);
      assertThat(at.listed("b")).containsExactly(id(4, 4));
    }
  }

  @Test
  void aRunWhoseNewestIsDamagedLosesNothing() throws IOException {
    at.flip(new Keys("a").shard(MaintainedStore.parsed(id(4, 4)), 0, 1, 0, "arrow"), 700);
    assertThat(limit(one, Map.of()))
        .anyMatch(action -> action.kind() == Kind.LEAVE && action.reason().contains("read back"));
    assertThat(at.listed("a")).hasSize(4);
    assertThat(at.listed("b")).hasSize(1);
  }

  @Test
  void aRunningManagerKeepsTheLimitInItsOwnRunAndInIdleOnes() throws IOException {
    ToyState state = fresh();
    PrintStream err = System.err;
    var said = new ByteArrayOutputStream();
    try (CheckpointManager other = at.builder("b", fresh()).open()) {
      assertThat(other.resume()).isPresent();
      tell("b", Map.of());
      System.setErr(new PrintStream(said, true, StandardCharsets.UTF_8));
      try (CheckpointManager ckpt =
          at.builder("c", state)
              .keep(Retention.anyOf(Retention.latest(50), BEST))
              .maxBytes(8 * one)
              .open()) {
        ckpt.resume();
        for (int step = 1; step <= 6; step++) {
          state.advance(1);
          double loss = step == 2 ? 0.1 : step;
          ckpt.save(Progress.step(step), Map.of("loss", loss)).join();
        }
      }
      assertThat(at.listed("b")).as("in use").hasSize(4);
    } finally {
      System.setErr(err);
    }
    assertThat(said.toString(StandardCharsets.UTF_8))
        .as("others that train are no cause for alarm, and not to be taken over")
        .doesNotContain("run 'b'", "is in use");
    assertThat(at.listed("a")).containsExactly(id(1, 1), id(4, 4));
    assertThat(at.listed("c")).as("the best and the newest").containsExactly(id(1, 2), id(1, 6));
    assertThat(bytes()).isEqualTo(8 * one);
  }

  /** A process that goes on to these steps, and says in its attempt what it keeps. */
  private void train(String run, Map<String, String> keep, int... steps) throws IOException {
    at.run(run, new Resume.Auto(), steps);
    tell(run, keep);
  }

  /** Has the newest attempt of a run say what it keeps. */
  private void tell(String run, Map<String, String> keep) throws IOException {
    RunLog log = new RunLog(at.store, new Keys(run));
    AttemptRecord made = log.lineage().attempts().lastEntry().getValue();
    Map<String, String> said = new TreeMap<>(keep);
    said.put("config.keep.latest", "50 (ckpt.yaml:2)");
    AttemptRecord told =
        new AttemptRecord(
            made.attempt(),
            made.world(),
            made.nonces(),
            made.request(),
            made.seed(),
            made.startedAt(),
            said);
    at.put(new Keys(run).attempt(made.attempt()), told.encode());
  }

  private static Map<String, String> best(String metric, String mode) {
    return Map.of(
        "config.keep.best.metric",
        metric + " (ckpt.yaml:3)",
        "config.keep.best.mode",
        mode + " (ckpt.yaml:4)",
        "config.keep.best.n",
        "1 (default)");
  }

  @Test
  void aRunningManagerKeepsTheBestThatOtherRunsSay() throws IOException {
    at = new MaintainedStore();
    train("least", best("loss", "min"), 1, 2, 3, 4);
    train("most", best("loss", "max"), 1, 2, 3, 4);
    train("newest", Map.of(), 1, 2, 3);
    train("typo", best("acuracy", "max"), 1, 2);
    at.run("code", new Resume.Auto(), 1, 2);
    at.clock.pass(Duration.ofHours(1));
    ToyState state = fresh();
    try (CheckpointManager ckpt =
        at.builder("own", state)
            .keep(Retention.best("accuracy", Retention.Mode.MAX, 1))
            .maxBytes(1)
            .open()) {
      ckpt.resume();
      state.advance(1);
      ckpt.save(Progress.step(1), Map.of("accuracy", 0.5)).join();
    }
    assertThat(at.listed("least")).containsExactly(id(1, 1), id(1, 4));
    assertThat(at.listed("most")).containsExactly(id(1, 4));
    assertThat(at.listed("newest")).containsExactly(id(1, 3));
    assertThat(at.listed("typo")).as("nobody can tell").hasSize(2);
    assertThat(at.listed("code")).as("nobody told").hasSize(2);
  }

  @Test
  void aPersonsLimitKeepsTheBestThatARunsConfigSaysToo() throws IOException {
    at = new MaintainedStore();
    train("least", best("loss", "min"), 1, 2, 3, 4);
    train("typo", best("acuracy", "max"), 1, 2);
    train("newest", Map.of(), 1, 2, 3);
    at.clock.pass(Duration.ofHours(1));
    List<MaintenanceAction> actions = limit(1, Map.of("newest", BEST));
    assertThat(at.listed("least")).containsExactly(id(1, 1), id(1, 4));
    assertThat(at.listed("newest")).as("as the person says").containsExactly(id(1, 1), id(1, 3));
    assertThat(at.listed("typo")).as("nobody can tell").hasSize(2);
    assertThat(actions)
        .filteredOn(action -> action.kind() == Kind.LEAVE && action.run().equals("typo"))
        .singleElement()
        .satisfies(action -> assertThat(action.reason()).contains("'acuracy'"));
  }

  @Test
  void aRunThatDoesNotHaveTheMetricLosesNothing() throws IOException {
    Retention typo = Retention.best("acuracy", Retention.Mode.MAX, 1);
    assertThat(limit(one, Map.of("a", typo, "b", BEST)))
        .filteredOn(action -> action.kind() == Kind.LEAVE && action.run().equals("a"))
        .singleElement()
        .satisfies(action -> assertThat(action.reason()).contains("'acuracy'", "[loss]"));
    assertThat(at.listed("a")).hasSize(4);
    assertThat(at.listed("b")).containsExactly(id(1, 1), id(4, 4));
  }

  @Test
  void aManagerWithoutALimitKeepsWhatItsPolicyKeeps() {
    at.run("c", new Resume.Auto(), 1, 2, 3);
    assertThat(at.listed("c")).hasSize(3);
    assertThat(at.listed("a")).hasSize(4);
    assertThatThrownBy(() -> at.builder("c", fresh()).maxBytes(0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void onlyWhatAPolicyKeepsForAMetricIsItsBest() {
    assertThat(Retention.latest(3).best().keep(Checkpoints.read(at.store, "a").list())).isEmpty();
    assertThat(
            Retention.anyOf(Retention.latest(3), BEST)
                .best()
                .keep(Checkpoints.read(at.store, "a").list()))
        .extracting(each -> each.id())
        .containsExactly(id(1, 1));
  }

  /** Of one other run the newest is damaged, one is in use, one has nothing that may go. */
  @Test
  void aLimitThatCannotBeMetReadsNoOtherRunTwice() throws IOException {
    at.run("c", new Resume.Auto(), 1, 2);
    at.flip(new Keys("a").shard(MaintainedStore.parsed(id(4, 4)), 0, 1, 0, "arrow"), 700);
    at.clock.pass(Duration.ofHours(1));
    TreeMap<String, Long> read = new TreeMap<>();
    Locking counting =
        new Locking(at.store) {
          @Override
          public int read(String key, long offset, ByteBuffer into) throws IOException {
            int got = super.read(key, offset, into);
            if (key.contains("/data/")) {
              synchronized (read) {
                read.merge(key, (long) Math.max(0, got), Long::sum);
              }
            }
            return got;
          }
        };
    ToyState state = fresh();
    try (CheckpointManager used = at.builder("b", fresh()).open();
        CheckpointManager ckpt =
            CheckpointManager.in(counting)
                .run("own")
                .part("toy", state)
                .keep(Retention.latest(1))
                .maxBytes(1)
                .open()) {
      used.resume();
      ckpt.resume();
      for (int step = 1; step <= 20; step++) {
        state.advance(1);
        ckpt.save(Progress.step(step), Map.of()).join();
      }
    }
    assertThat(at.listed("b")).hasSize(4);
    read.keySet().removeIf(key -> key.startsWith("runs/own/"));
    assertThat(read.keySet())
        .noneMatch(key -> key.startsWith("runs/b/"))
        .anyMatch(key -> key.startsWith("runs/a/"));
    assertThat(read.values()).as("with the tail, which is read first").allMatch(n -> n < 2 * one);
  }

  @Test
  void whatLiesOnALeftBranchGoesBeforeAnythingLiveHoweverYoungItIs() throws IOException {
    at.run("d", new Resume.Auto(), 1, 2, 3);
    at.run("d", Resume.parse(id(1, 1)), 2, 3);
    List<String> live = at.listed("d");
    long most = bytes() - 2 * one;
    limit(most, Map.of());
    assertThat(at.listed("a")).hasSize(4);
    assertThat(at.listed("b")).hasSize(4);
    assertThat(at.listed("d")).isEqualTo(live).hasSize(3);
    assertThat(bytes()).isLessThanOrEqualTo(most);
  }

  @Test
  void whatWasWholeOnceIsReadAgainBeforeMoreIsDeleted() throws IOException {
    List<String> left = List.of();
    ToyState state = fresh();
    try (CheckpointManager ckpt =
        at.builder("own", state).keep(Set::copyOf).maxBytes(8 * one).open()) {
      ckpt.resume();
      for (int step = 1; step <= 7; step++) {
        state.advance(1);
        ckpt.save(Progress.step(step), Map.of()).join();
        if (step == 1) {
          long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
          while (at.listed("a").size() + at.listed("b").size() == 8 && System.nanoTime() < end) {
            Thread.onSpinWait();
          }
          left = at.listed("a");
          at.flip(new Keys("a").shard(MaintainedStore.parsed(id(4, 4)), 0, 1, 0, "arrow"), 700);
        }
      }
    }
    assertThat(left).hasSizeBetween(3, 4);
    assertThat(at.listed("b")).as("the limit was at work").hasSizeLessThan(3);
    assertThat(at.listed("a")).isEqualTo(left);
  }

  @Test
  void whatARepairMovedAsideCountsAndIsSaidIfItIsWhatIsTooMuch() throws IOException {
    long before = bytes();
    at.flip(new Keys("a").shard(MaintainedStore.parsed(id(4, 4)), 0, 1, 0, "arrow"), 700);
    Maintenance.of(at.store).clock(at.clock).repair("a", false);
    assertThat(bytes()).isLessThan(before);
    List<MaintenanceAction> actions = limit(2 * one + 1, Map.of());
    assertThat(at.listed("a")).containsExactly(id(3, 3));
    assertThat(at.listed("b")).containsExactly(id(4, 4));
    assertThat(actions.get(actions.size() - 1).reason()).contains("quarantine/ in a", "a person");
    assertThat(limit(4 * one, Map.of())).isEmpty();
  }

  @Test
  void aDryRunOfACollectionAndThenALimitNamesWhatTheRealOneDeletes() throws IOException {
    TreeMap<String, byte[]> objects = MaintainedStore.template();
    at.objects().forEach(objects::put);
    long all = bytes();
    for (long most = 0; most < all; most += one / 2) {
      MaintainedStore each = MaintainedStore.of(objects);
      Maintenance maintenance = Maintenance.of(each.store).clock(each.clock);
      List<MaintenanceAction> planned = new ArrayList<>();
      List<MaintenanceAction> done = new ArrayList<>();
      for (String run : List.of("a", "b", "toy")) {
        planned.addAll(maintenance.collect(run, Retention.latest(2), true));
      }
      planned.addAll(maintenance.limitAfter(List.copyOf(planned), most, Map.of()));
      for (String run : List.of("a", "b", "toy")) {
        done.addAll(maintenance.collect(run, Retention.latest(2), false));
      }
      done.addAll(maintenance.limit(most, Map.of(), false));
      assertThat(planned).as("at most %s bytes", most).isEqualTo(done);
    }
  }
}
