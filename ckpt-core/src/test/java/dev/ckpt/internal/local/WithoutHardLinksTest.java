package dev.ckpt.internal.local;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.spi.CheckpointStore.Decision;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where a rename that could overwrite takes the place of the link that cannot. */
class WithoutHardLinksTest {

  @TempDir Path base;

  @Test
  void lookAndRenameAreOneStepForOtherProcessesToo() throws Exception {
    CountDownLatch publishing = new CountDownLatch(2);
    Disk disk =
        new Disk() {
          @Override
          void link(Path existing, Path name) {
            throw new UnsupportedOperationException();
          }

          @Override
          FileChannel openLockFile(Path file) throws IOException {
            FileChannel channel = super.openLockFile(file);
            publishing.countDown();
            return channel;
          }
        };
    try (PosixStore store = new PosixStore(base, disk)) {
      store.putIfAbsent("a/first", ByteBuffer.allocate(1));
      try (OtherProcess other = new OtherProcess(Publishing.class, base)) {
        assertThat(other.answer()).isEqualTo("publishing");
        CompletableFuture<Decision> decision =
            CompletableFuture.supplyAsync(
                () -> {
                  try {
                    return store.putIfAbsent("a/b", ByteBuffer.allocate(1));
                  } catch (IOException e) {
                    throw new AssertionError(e);
                  }
                });
        publishing.await();
        other.goOn();
        assertThat(other.answer()).isEqualTo("published");
        assertThat(decision.get()).isEqualTo(Decision.EXISTS);
      }
      assertThat(base.resolve("a/b")).hasContent("by the other process");
    }
  }

  /** What the second JVM runs: it is in the midst of publishing until it is told to go on. */
  static final class Publishing {
    private Publishing() {}

    public static void main(String[] args) throws Exception {
      Path folder = Path.of(args[0]);
      try (FileChannel channel =
          FileChannel.open(folder.resolve(".publishing"), StandardOpenOption.WRITE)) {
        channel.lock();
        System.out.println("publishing");
        System.in.read();
        Files.writeString(
            folder.resolve("a/b"), "by the other process", StandardOpenOption.CREATE_NEW);
        System.out.println("published");
      }
    }
  }
}
