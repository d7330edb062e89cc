package dev.ckpt.internal.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.jimfs.Configuration;
import com.google.common.jimfs.Jimfs;
import dev.ckpt.spi.CheckpointStore.LockHeldException;
import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystem;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
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
  void aLockThatCouldNotBeTakenIsNotHeld() throws IOException {
    AtomicBoolean full = new AtomicBoolean(true);
    Disk disk =
        new Disk() {
          @Override
          FileChannel openLockFile(Path file) throws IOException {
            if (full.getAndSet(false)) {
              throw new IOException("No space left on device");
            }
            return super.openLockFile(file);
          }
        };
    try (PosixStore store = new PosixStore(base, disk)) {
      assertThatThrownBy(() -> store.lock("runs/r", "me")).hasMessageContaining("No space left");
      store.lock("runs/r", "me again").close();
    }
  }

  @Test
  void equalPathsOfTwoFileSystemsAreTwoLocks() throws IOException {
    try (FileSystem one = Jimfs.newFileSystem(Configuration.unix());
        FileSystem other = Jimfs.newFileSystem(Configuration.unix());
        PosixStore first = PosixStore.in(one.getPath("/store"));
        PosixStore second = PosixStore.in(other.getPath("/store"));
        Closeable held = first.lock("runs/r", "the first")) {
      assertThat(held).isNotNull();
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
  void aSecondClassLoaderOfThisProcessIsRefusedAndTheLockStays() throws Exception {
    try (PosixStore store = PosixStore.in(base);
        Closeable held = store.lock("runs/r", "pid 7 on host h");
        URLClassLoader other =
            new URLClassLoader(classPath(), ClassLoader.getPlatformClassLoader())) {
      assertThat(held).isNotNull();
      @SuppressWarnings("unchecked")
      Function<Path, String> copy =
          (Function<Path, String>)
              other.loadClass(Again.class.getName()).getConstructor().newInstance();
      assertThat(copy.getClass()).isNotEqualTo(Again.class);
      assertThat(copy.apply(base)).contains("refused", "this process", "pid 7 on host h");
      try (OtherProcess process = new OtherProcess(Locker.class, base)) {
        assertThat(process.answer()).contains("refused", "another process", "pid 7 on host h");
      }
    }
  }

  private static URL[] classPath() throws IOException {
    List<URL> urls = new ArrayList<>();
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      urls.add(Path.of(entry).toUri().toURL());
    }
    return urls.toArray(URL[]::new);
  }

  /** What the second class loader runs. */
  public static final class Again implements Function<Path, String> {
    @Override
    public String apply(Path folder) {
      try {
        PosixStore.in(folder).lock("runs/r", "the other loader").close();
        return "taken";
      } catch (IOException e) {
        return "refused: " + e.getMessage();
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
