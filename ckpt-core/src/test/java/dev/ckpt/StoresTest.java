package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.StoreProvider;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StoresTest {

  @TempDir Path base;

  @Test
  void aPathAndItsUriOpenTheSameFolder() throws IOException {
    Path folder = base.resolve("my checkpoints");
    try (CheckpointStore byPath = Stores.open(folder.toString());
        CheckpointStore byUri = Stores.open(folder.toUri());
        CheckpointStore byText = Stores.open(folder.toUri().toString());
        CheckpointStore local = Stores.local(folder)) {
      byPath.putIfAbsent("a", ByteBuffer.allocate(1));
      for (CheckpointStore store : new CheckpointStore[] {byUri, byText, local}) {
        assertThat(store.uri()).isEqualTo(byPath.uri());
        assertThat(store.read("a", 0, ByteBuffer.allocate(9))).isEqualTo(1);
      }
    }
  }

  @Test
  void anAbsentStoreThatIsKnownIsNamedWithItsArtifact() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Stores.open("s3://bucket/prefix"))
        .withMessageContaining("s3")
        .withMessageContaining("add dev.ckpt:ckpt-s3");
  }

  @Test
  void anUnknownSchemeListsTheKnownOnes() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Stores.open("gopher://host/x"))
        .withMessageContaining("gopher")
        .withMessageContaining("[file, heap]");
    assertThatIllegalArgumentException().isThrownBy(() -> Stores.open(" "));
    assertThatIllegalArgumentException().isThrownBy(() -> Stores.open("file:relative"));
  }

  @Test
  void aProviderOnTheClassPathServesItsScheme() throws IOException {
    try (CheckpointStore store = Stores.open("HEAP:anything")) {
      assertThat(store.uri().getScheme()).isEqualTo("memory");
    }
  }

  /** Registered in META-INF/services of the tests. */
  public static final class HeapProvider implements StoreProvider {
    @Override
    public String scheme() {
      return "heap";
    }

    @Override
    public CheckpointStore open(URI uri) {
      return Stores.inMemory();
    }
  }
}
