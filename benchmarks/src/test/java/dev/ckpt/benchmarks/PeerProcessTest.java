package dev.ckpt.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The peer of the standard library stands in for those that need packages. */
class PeerProcessTest {

  private static final Path PYTHON = Path.of("python3");
  private static final Duration DEADLINE = Duration.ofMinutes(2);

  private final DirectState state = DirectState.gpt2(1_000_000);

  @Test
  void aPeerSavesTheVerySameBytesAndLeavesOnlyItsNewest(@TempDir Path dir) throws Exception {
    try (PeerProcess peer = pickle(dir)) {
      peer.save();
      Peer.Saved saved = peer.save();
      assertThat(saved.blocked()).isPositive().isLessThanOrEqualTo(saved.finished());
      assertThat(saved.finished()).isLessThanOrEqualTo(saved.durable());
      assertThat(dir.resolve("pickle-1")).doesNotExist();
      // a protocol 5 pickle of arrays holds their bytes as they are
      byte[] file = Files.readAllBytes(dir.resolve("pickle-2"));
      DirectState.Tensor last = state.tensors().get(state.tensors().size() - 1);
      byte[] bytes = new byte[last.contents.capacity()];
      last.contents.duplicate().get(0, bytes);
      assertThat(new String(file, java.nio.charset.StandardCharsets.ISO_8859_1))
          .contains(new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1));
      assertThat(peer.restore()).isPositive();
      assertThat(peer.restoreOtherwise()).isEmpty();
    }
  }

  @Test
  void aPeerThatRestoresOtherBytesIsFoundOut(@TempDir Path dir) throws Exception {
    try (PeerProcess peer = pickle(dir)) {
      peer.save();
      Path file = dir.resolve("pickle-1");
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        // in the middle of a large tensor
        channel.write(ByteBuffer.wrap(new byte[] {1, 2, 3, 4}), Files.size(file) - 10_000);
      }
      assertThatIOException()
          .isThrownBy(peer::restore)
          .withMessageContaining("pickle: error ValueError: what was restored differs");
      // and it can be asked again
      peer.save();
      assertThat(peer.restore()).isPositive();
    }
  }

  @Test
  void aPeerThatDiesIsNamedWithWhatItSaidLast(@TempDir Path dir) throws Exception {
    PeerProcess.writeState(dir, state);
    Files.writeString(
        dir.resolve("peer.py"),
        """
        import sys
        print("ready to die", flush=True)
        sys.stdin.readline()
        sys.exit("out of memory")
        """);
    try (PeerProcess peer = new PeerProcess(PYTHON, "mortal", dir, DEADLINE)) {
      assertThat(peer.versions()).isEqualTo("to die");
      assertThatIOException().isThrownBy(peer::save).withMessage("mortal has ended: out of memory");
    }
  }

  @Test
  void aPeerThatDoesNotAnswerIsGivenUpAtTheDeadlineAndEnded(@TempDir Path dir) throws Exception {
    PeerProcess.writeState(dir, state);
    Files.writeString(
        dir.resolve("peer.py"),
        """
        import os, sys, time
        with open(os.path.join(sys.argv[2], "id"), "w") as file:
            file.write(str(os.getpid()))
        time.sleep(600)
        """);
    assertThatIOException()
        .isThrownBy(() -> new PeerProcess(PYTHON, "mute", dir, Duration.ofSeconds(5)))
        .withMessageContaining("mute has not answered for 5 s");
    long id = Long.parseLong(Files.readString(dir.resolve("id")));
    assertThat(ProcessHandle.of(id).filter(ProcessHandle::isAlive)).isEmpty();
  }

  private PeerProcess pickle(Path dir) throws Exception {
    PeerProcess.writeState(dir, state);
    PeerProcess peer = new PeerProcess(PYTHON, "pickle", dir, DEADLINE);
    PeerProcess.removeState(dir);
    return peer;
  }
}
