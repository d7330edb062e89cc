package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.CrashingFileSystem;
import dev.ckpt.testkit.CrashingFileSystem.Operation;
import dev.ckpt.testkit.PowerLoss;
import dev.ckpt.testkit.PowerLoss.Damage;
import dev.ckpt.testkit.PowerLoss.Survival;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The test of the test: the same matrix, with one part of the commit swapped for the mistake that
 * people make there. What it does not catch here it proves nothing about.
 */
@Tag("anyjdk")
class BrokenCommitsTest {

  private static final List<PowerLoss> LOSSES =
      List.of(
          new PowerLoss(Damage.EMPTIED, Survival.ALL, 1),
          new PowerLoss(Damage.KEPT, Survival.NONE, 1));

  private static CrashMedium disk(CrashMedium.Opener opener) {
    return new CrashMedium.Disk(CrashingFileSystem.create(), opener, "arrow");
  }

  private static int caughtByCrashes(String mistake, CrashMedium.Opener opener) throws IOException {
    CrashMatrix matrix = new CrashMatrix("broken: " + mistake, () -> disk(opener), LOSSES);
    matrix.run(CrashScenario.FIRST_SAVE);
    matrix.table().print("broken-" + mistake.replace(' ', '-') + ".txt");
    return matrix.table().violationCount();
  }

  private static int caughtByLostAnswers(String mistake, CrashMedium.Opener opener)
      throws IOException {
    FaultMatrix matrix = new FaultMatrix("broken: " + mistake, () -> disk(opener), List.of());
    matrix.run(
        CrashScenario.SAVE_AFTER_SAVES,
        Fault.ofFiles(
            "EIO, fsync",
            rule -> {
              rule.fails();
              return null;
            },
            Operation.FORCE_FOLDER));
    matrix.table().print("broken-" + mistake.replace(' ', '-') + ".txt");
    return matrix.table().violationCount();
  }

  @Test
  void aLinkBeforeTheForceIsCaught() throws IOException {
    assertThat(caughtByCrashes("link before fsync", LinkBeforeForce::new)).isPositive();
  }

  @Test
  void aManifestBeforeItsDataIsCaught() throws IOException {
    assertThat(
            caughtByCrashes(
                "manifest before data", folder -> new ManifestBeforeData(Stores.local(folder))))
        .isPositive();
  }

  @Test
  void aCleanUpWhileTheOutcomeIsUnknownIsCaught() throws IOException {
    assertThat(
            caughtByLostAnswers(
                "clean-up while unknown", folder -> new CleanUpWhileUnknown(Stores.local(folder))))
        .isPositive();
  }

  @Test
  void theSamePartsWithoutTheirMistakeAreNot() throws IOException {
    assertThat(caughtByCrashes("nothing", Stores::local)).isZero();
    assertThat(caughtByLostAnswers("nothing", Stores::local)).isZero();
  }

  /** Publishes a file, and forces it then. */
  private static final class LinkBeforeForce extends AnotherProcess {
    private final Path root;

    LinkBeforeForce(Path root) throws IOException {
      super(Stores.local(root));
      this.root = root;
    }

    @Override
    public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
      byte[] bytes = new byte[small.remaining()];
      small.duplicate().get(bytes);
      return publish(key, bytes) ? Decision.CREATED : Decision.EXISTS;
    }

    @Override
    public Sink create(String key) {
      return new Buffered(
          bytes -> {
            if (!publish(key, bytes)) {
              throw new FileAlreadyExistsException(key);
            }
          });
    }

    private boolean publish(String key, byte[] bytes) throws IOException {
      Path target = root.resolve(key);
      Path folder = target.getParent();
      if (folder == null) {
        throw new IOException(key);
      }
      Files.createDirectories(folder);
      Path temporary = folder.resolve(".tmp-" + UUID.randomUUID());
      try (FileChannel channel =
          FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        channel.write(ByteBuffer.wrap(bytes));
        Files.createLink(target, temporary);
        Files.delete(temporary);
        for (Path p = folder; p != null; p = p.getParent()) {
          try (FileChannel entries = FileChannel.open(p, StandardOpenOption.READ)) {
            entries.force(true);
          }
        }
        channel.force(true);
        return true;
      } catch (FileAlreadyExistsException e) {
        Files.deleteIfExists(temporary);
        return false;
      }
    }
  }

  /** Completes the data when the manifest that names them stands. */
  private static final class ManifestBeforeData extends AnotherProcess {
    private final CheckpointStore store;
    private final List<Runnable> late = new ArrayList<>();

    ManifestBeforeData(CheckpointStore store) {
      super(store);
      this.store = store;
    }

    @Override
    public synchronized Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
      Decision decision = store.putIfAbsent(key, small);
      if (key.contains("/manifests/")) {
        late.forEach(Runnable::run);
        late.clear();
      }
      return decision;
    }

    @Override
    public Sink create(String key) {
      return new Buffered(bytes -> later(key, bytes));
    }

    private synchronized void later(String key, byte[] bytes) {
      late.add(
          () -> {
            try (Sink sink = store.create(key)) {
              sink.write(ByteBuffer.wrap(bytes));
              sink.complete();
            } catch (IOException e) {
              // it was only the data
            }
          });
    }
  }

  /** Takes an error for a no, and tidies up. */
  private static final class CleanUpWhileUnknown extends AnotherProcess {
    private final CheckpointStore store;

    CleanUpWhileUnknown(CheckpointStore store) {
      super(store);
      this.store = store;
    }

    @Override
    public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
      try {
        return store.putIfAbsent(key, small);
      } catch (IOException e) {
        if (key.contains("/manifests/")) {
          String data = key.replace("/manifests/", "/data/").replace(".json", "/");
          try (Stream<Entry> orphans = store.list(data, "")) {
            store.delete(orphans.map(Entry::key).toList());
          }
        }
        throw e;
      }
    }
  }

  /** Does something with all bytes at once when it is complete. */
  private static final class Buffered implements CheckpointStore.Sink {
    private interface Completion {
      void of(byte[] bytes) throws IOException;
    }

    private final ByteArrayOutputStream written = new ByteArrayOutputStream();
    private final WritableByteChannel channel = Channels.newChannel(written);
    private final Completion completion;

    Buffered(Completion completion) {
      this.completion = completion;
    }

    @Override
    public void write(ByteBuffer... sources) throws IOException {
      for (ByteBuffer source : sources) {
        channel.write(source);
      }
    }

    @Override
    public void complete() throws IOException {
      completion.of(written.toByteArray());
    }

    @Override
    public void abort() {}

    @Override
    public void close() {}
  }
}
