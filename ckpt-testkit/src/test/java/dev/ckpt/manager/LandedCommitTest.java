package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.parsed;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Progress;
import dev.ckpt.internal.commit.Admission;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.spi.CheckpointListener;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is told of a commit that landed, though something broke behind it. */
class LandedCommitTest {
  private static final String MANIFEST = KEYS.manifest(parsed(id(1, 2)));

  private final MaintainedStore at = new MaintainedStore();
  private final List<String> told = Collections.synchronizedList(new ArrayList<>());

  /** Thrown behind the commit of step 2; what happens when that is read then. */
  private final AtomicReference<Throwable> behind = new AtomicReference<>();

  private final AtomicReference<Breaks> reading = new AtomicReference<>();

  /** What happens in the place of an answer. */
  private interface Breaks {
    void happens() throws IOException;
  }

  private CheckpointStore breaking() {
    return (CheckpointStore)
        Proxy.newProxyInstance(
            CheckpointStore.class.getClassLoader(),
            new Class<?>[] {CheckpointStore.class},
            (proxy, method, args) -> {
              Object answer;
              try {
                answer = method.invoke(at.store, args);
              } catch (InvocationTargetException e) {
                throw Objects.requireNonNull(e.getCause());
              }
              if (args != null && MANIFEST.equals(args[0])) {
                if (method.getName().equals("putIfAbsent") && behind.get() != null) {
                  throw behind.getAndSet(null);
                }
                Breaks breaks = behind.get() == null ? reading.get() : null;
                if (method.getName().equals("read") && breaks != null) {
                  reading.set(null);
                  breaks.happens();
                }
              }
              return answer;
            });
  }

  private CheckpointManager open(ToyState state) {
    CheckpointManager ckpt =
        CheckpointManager.in(breaking())
            .run("toy")
            .part("toy", state)
            .seed(11)
            .retries(2)
            .notify(
                new CheckpointListener() {
                  @Override
                  public void committed(Checkpoint checkpoint) {
                    told.add("committed " + checkpoint.id());
                  }

                  @Override
                  public void failed(String id, Progress at, CheckpointException failure) {
                    told.add("failed " + id);
                  }
                })
            .open();
    ckpt.resume();
    return ckpt;
  }

  private static Checkpoint save(CheckpointManager ckpt, ToyState state) {
    state.advance(1);
    return ckpt.save(Progress.step(state.counter), Map.of()).join();
  }

  @ParameterizedTest
  @ValueSource(
      classes = {IllegalStateException.class, OutOfMemoryError.class, UncheckedIOException.class})
  void whateverBreaksBehindACommitItIsToldAsCommitted(Class<? extends Throwable> type)
      throws Exception {
    behind.set(
        type == UncheckedIOException.class
            ? new UncheckedIOException(new IOException("injected by the test"))
            : type.getConstructor(String.class).newInstance("injected by the test"));
    ToyState state = MaintainedStore.fresh();
    try (CheckpointManager ckpt = open(state)) {
      assertThat(save(ckpt, state).id()).isEqualTo(id(1, 1));
      assertThat(save(ckpt, state).id()).isEqualTo(id(1, 2));
      assertThat(ckpt.complete(Map.of("steps", 2L))).isTrue();
    }
    assertThat(told).containsExactly("committed " + id(1, 1), "committed " + id(1, 2));
    assertThat(at.whole()).contains(id(1, 2));
  }

  @Test
  void whoIsTakenOverWhileHisCommitHasNoAnswerIsNotToldThatItFailed() throws IOException {
    ToyState state = MaintainedStore.fresh();
    try (CheckpointManager ckpt = open(state)) {
      save(ckpt, state);
      behind.set(new IOException("the answer is lost, injected by the test"));
      reading.set(
          () -> {
            RunLog run = new RunLog(at.store, KEYS);
            Admission.maintain(run, run.lineage(), at.store.now());
            throw new IOException("no answer, injected by the test");
          });
      assertThatThrownBy(() -> save(ckpt, state))
          .isInstanceOf(CheckpointException.CommitUnknown.class);
    } catch (CheckpointException.Fenced e) {
      assertThat(e).hasMessageContaining("newer attempt");
    }
    assertThat(at.whole()).contains(id(1, 2));
  }
}
