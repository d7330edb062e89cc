package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A state larger than the heap, in a JVM of its own with no flag but the heap's size. */
class SmallHeapTest {

  @Test
  void fourHundredMegabytesOfStateNeedNoFlag(@TempDir Path folder) throws Exception {
    assertThat(run(folder, "save")).isEqualTo("saved, 0 failures");
    assertThat(run(folder, "restore")).isEqualTo("restored step 1");
  }

  private static String run(Path folder, String what) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp",
                System.getProperty("java.class.path"),
                Program.class.getName(),
                folder.toString(),
                what)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String output = new String(process.getInputStream().readAllBytes()).strip();
    assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
    assertThat(process.exitValue()).as(output).isZero();
    return output;
  }

  /** 400 MB that are computed, so that the state itself takes no memory. */
  static final class Computed implements Checkpointable {
    private static final int TENSORS = 25;
    private static final long BYTES = 16_000_000;

    private static long word(int tensor, long offset) {
      return (tensor * 0x9E3779B97F4A7C15L ^ offset) & 0x3FFF_FFFF_3FFF_FFFFL;
    }

    @Override
    public void capture(StateSink sink) {
      for (int i = 0; i < TENSORS; i++) {
        int tensor = i;
        sink.tensor(
            TensorSpec.of("t" + i, DType.FLOAT32, Shape.of(BYTES / 4)),
            (offset, into) -> {
              for (long at = offset; into.hasRemaining(); at += 8) {
                into.putLong(word(tensor, at));
              }
            },
            Stability.STABLE_UNTIL_UPDATE);
      }
    }

    @Override
    public void restore(StateView view) {
      ByteBuffer window = ByteBuffer.allocateDirect(1 << 20).order(ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < TENSORS; i++) {
        for (long at = 0; at < BYTES; at += window.capacity()) {
          window.clear().limit((int) Math.min(window.capacity(), BYTES - at));
          view.read("t" + i, at, window);
          window.flip();
          for (long offset = at; window.hasRemaining(); offset += 8) {
            if (window.getLong() != word(i, offset)) {
              throw new AssertionError("t" + i + " differs at " + offset);
            }
          }
        }
      }
    }
  }

  /** The program that runs in the small JVM. */
  static final class Program {
    private Program() {}

    public static void main(String[] args) {
      try (CheckpointManager ckpt =
          CheckpointManager.in(Path.of(args[0])).run("small").part("p", new Computed()).open()) {
        var restored = ckpt.resume();
        if (args[1].equals("restore")) {
          System.out.println(
              "restored step " + restored.orElseThrow().checkpoint().progress().step());
          return;
        }
        for (long step : List.of(0L, 1L)) {
          ckpt.save(Progress.step(step), Map.of()).join();
        }
        System.out.println("saved, " + ckpt.failures().size() + " failures");
      }
    }
  }
}
