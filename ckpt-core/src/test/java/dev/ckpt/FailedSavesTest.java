package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** When a trigger by time tries again what has failed. */
class FailedSavesTest {

  private final AtomicBoolean broken = new AtomicBoolean();
  private final AtomicBoolean wrecked = new AtomicBoolean();
  private final AtomicLong nanos = new AtomicLong();
  private long step;

  /** No shard can be written while it is broken, no vote be found while it is wrecked. */
  private CheckpointStore store() {
    CheckpointStore inner = Stores.inMemory();
    return (CheckpointStore)
        Proxy.newProxyInstance(
            CheckpointStore.class.getClassLoader(),
            new Class<?>[] {CheckpointStore.class},
            (proxy, method, args) -> {
              if (method.getName().equals("create") && broken.get()) {
                throw new IOException("an outage, injected by the test");
              }
              if (method.getName().equals("list")
                  && wrecked.get()
                  && String.valueOf(args[0]).contains("votes/")) {
                throw new InternalError("out of something, injected by the test");
              }
              try {
                return method.invoke(inner, args);
              } catch (InvocationTargetException e) {
                throw Objects.requireNonNull(e.getCause());
              }
            });
  }

  /** A step each ten seconds; says after how many seconds a save was begun. */
  private List<Long> saves(CheckpointManager ckpt, Duration during) {
    List<Long> saves = new ArrayList<>();
    long end = nanos.get() + during.toNanos();
    while (nanos.get() < end) {
      nanos.addAndGet(Duration.ofSeconds(10).toNanos());
      step++;
      Optional<SaveHandle> handle =
          ckpt.offer(Moment.Kind.STEP, Progress.step(step), () -> Map.of());
      if (handle.isPresent()) {
        saves.add(Duration.ofNanos(nanos.get()).toSeconds());
        try {
          handle.get().join();
        } catch (CheckpointException.SaveFailed e) {
          assertThat(broken).as("%s", e).isTrue();
        }
      }
    }
    return saves;
  }

  private CheckpointManager open(SaveTrigger trigger) {
    CheckpointManager ckpt =
        CheckpointManager.in(store())
            .run("toy")
            .part("model", GoldenState.after(1))
            .saveWhen(trigger)
            .retries(0)
            .clock(InstantSource.system(), nanos::get)
            .open();
    ckpt.resume();
    return ckpt;
  }

  @Test
  void aFailedSaveIsTriedAgainSoonAndAnOutageIsNotASavePerStep() {
    try (CheckpointManager ckpt = open(SaveTrigger.every(Duration.ofHours(1)))) {
      broken.set(true);
      assertThat(saves(ckpt, Duration.ofSeconds(7200 + 3840)))
          .as("after 1, 2, 4, ... minutes; a failure is seen a step later, and at most an hour")
          .containsExactly(3600L, 3670L, 3800L, 4050L, 4540L, 5510L, 7440L, 11040L);
      broken.set(false);
      assertThat(saves(ckpt, Duration.ofSeconds(7200)))
          .as("and once saved, an hour later")
          .containsExactly(14640L, 18240L);
      broken.set(true);
      assertThat(saves(ckpt, Duration.ofSeconds(3700)))
          .as("another outage begins anew")
          .containsExactly(21840L, 21910L);
    }
  }

  @Test
  void aShorterIntervalAndATriggerByStepsAreNotChanged() {
    try (CheckpointManager ckpt = open(SaveTrigger.every(Duration.ofSeconds(30)))) {
      broken.set(true);
      assertThat(saves(ckpt, Duration.ofSeconds(120))).containsExactly(30L, 60L, 90L, 120L);
      broken.set(false);
    }
    nanos.set(0);
    step = 0;
    try (CheckpointManager ckpt = open(SaveTrigger.everySteps(30))) {
      broken.set(true);
      assertThat(saves(ckpt, Duration.ofSeconds(900))).containsExactly(300L, 600L, 900L);
      broken.set(false);
    }
  }

  @Test
  void anErrorInTheCleanUpOfAFailedSaveKeepsNobodyFromHearingOfIt() {
    try (CheckpointManager ckpt = open(SaveTrigger.everySteps(1))) {
      broken.set(true);
      wrecked.set(true);
      SaveHandle failed = ckpt.save(Progress.step(1), Map.of());
      assertThatThrownBy(failed::join)
          .isInstanceOf(CheckpointException.SaveFailed.class)
          .hasMessageContaining("an outage");
      broken.set(false);
      wrecked.set(false);
      assertThat(ckpt.save(Progress.step(2), Map.of()).join().progress().step()).isEqualTo(2);
    }
  }
}
