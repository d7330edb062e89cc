package consumer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.flatbuffers.Constants;
import com.google.flatbuffers.FlatBufferBuilder;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.Restored;
import dev.ckpt.Resume;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A project outside ckpt's build, with DL4J's flatbuffers 1.12.0 in front of ckpt-core. */
class OldFlatbuffersTest {

  @Test
  void theProjectKeepsItsOwnFlatbuffers() {
    Constants.FLATBUFFERS_1_12_0(); // this method exists in 1.12.0 alone
    assertTrue(jarOf(FlatBufferBuilder.class).endsWith("flatbuffers-java-1.12.0.jar"));
  }

  @Test
  void ckptComesAsOneJarAndBringsNoArrow() throws ClassNotFoundException {
    Class<?> manager = Class.forName("dev.ckpt.CheckpointManager");
    assertTrue(jarOf(manager).matches(".*/ckpt-core-[^/]*\\.jar"), jarOf(manager));
    assertThrows(
        ClassNotFoundException.class, () -> Class.forName("org.apache.arrow.flatbuf.Schema"));
    String classPath = System.getProperty("java.class.path");
    assertFalse(classPath.contains("arrow-"), classPath);
    assertEquals(
        classPath.indexOf("flatbuffers-java-"),
        classPath.lastIndexOf("flatbuffers-java-"),
        classPath);
    assertTrue(classPath.indexOf("flatbuffers-java-") < classPath.indexOf("ckpt-core"), classPath);
    System.out.println(
        "ckpt-core "
            + manager.getPackage().getImplementationVersion()
            + " beside flatbuffers 1.12.0");
  }

  @Test
  void aTensorIsSavedAndRestored(@TempDir Path directory) throws IOException {
    Weights saved = new Weights(1f, Float.MIN_VALUE, -0f);
    try (CheckpointManager manager = open(directory, saved, new Resume.Auto())) {
      assertTrue(manager.resume().isEmpty());
      manager.save(Progress.step(1), Map.of("loss", 0.5)).join();
    }
    try (Stream<Path> files = Files.walk(directory)) {
      assertEquals(1, files.filter(file -> file.toString().endsWith(".arrow")).count());
    }

    Weights restored = new Weights(0f, 0f, 0f);
    try (CheckpointManager manager = open(directory, restored, new Resume.Required())) {
      Restored from = manager.resume().orElseThrow();
      assertEquals(Progress.step(1), from.checkpoint().progress());
    }
    assertArrayEquals(saved.bytes(), restored.bytes());
  }

  private static CheckpointManager open(Path directory, Weights weights, Resume how) {
    return CheckpointManager.in(directory)
        .run("consumer")
        .part("model", weights)
        .resume(how)
        .open();
  }

  /** One tensor, kept as the bytes of its floats. */
  private static final class Weights implements Checkpointable {
    private final ByteBuffer contents;
    private final TensorSpec spec;

    Weights(float... values) {
      contents = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
      contents.asFloatBuffer().put(values);
      spec = TensorSpec.of("weights", DType.FLOAT32, Shape.of(values.length));
    }

    byte[] bytes() {
      return contents.array();
    }

    @Override
    public void capture(StateSink sink) {
      sink.tensor(
          spec,
          (offset, into) -> into.put(bytes(), (int) offset, into.remaining()),
          Stability.COPY_NOW);
    }

    @Override
    public void restore(StateView view) {
      view.read("weights", 0, contents.clear());
    }
  }

  private static String jarOf(Class<?> type) {
    return type.getProtectionDomain().getCodeSource().getLocation().getPath();
  }
}
