package dev.ckpt.internal.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.spi.CheckpointStore.LockHeldException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderLockTest {

  @TempDir Path base;

  @Test
  void aSecondStoreOfThisProcessIsRefusedUntilTheFirstLetsGo() throws IOException {
    try (PosixStore first = PosixStore.in(base);
        PosixStore second = PosixStore.in(base)) {
      Closeable held = first.lock("runs/r", "the first");
      assertThatThrownBy(() -> second.lock("runs/r", "the second"))
          .isInstanceOf(LockHeldException.class)
          .hasMessageContaining("the first")
          .hasMessageContaining("this process");
      held.close();
      held.close();
      second.lock("runs/r", "the second").close();
    }
  }

  @Test
  void anotherProcessIsRefusedWithTheHoldersNameAlsoAfterARefusalHere() throws Exception {
    try (PosixStore store = PosixStore.in(base);
        Closeable held = store.lock("runs/r", "pid 7 on host h")) {
      assertThat(held).isNotNull();
      // had this closed a descriptor of the lock's file, the system would have dropped the lock
      assertThatThrownBy(() -> store.lock("runs/r", "again")).isInstanceOf(LockHeldException.class);
      try (OtherProcess other = new OtherProcess(Locker.class, base)) {
        assertThat(other.answer())
            .contains("refused", "runs/r", "another process", "pid 7 on host h");
      }
    }
  }

  @Test
  void aProcessThatDiesLetsGo() throws Exception {
    try (PosixStore store = PosixStore.in(base);
        OtherProcess other = new OtherProcess(Locker.class, base)) {
      assertThat(other.answer()).isEqualTo("held");
      assertThatThrownBy(() -> store.lock("runs/r", "me"))
          .isInstanceOf(LockHeldException.class)
          .hasMessageContaining("another process: the other one");
      other.kill();
      store.lock("runs/r", "me").close();
    }
  }

  /** What the second JVM runs. */
  static final class Locker {
    private Locker() {}

    public static void main(String[] args) throws Exception {
      try {
        PosixStore.in(Path.of(args[0])).lock("runs/r", "the other one");
        System.out.println("held");
      } catch (LockHeldException e) {
        System.out.println("refused: " + e.getMessage());
      }
      System.in.read();
    }
  }
}
