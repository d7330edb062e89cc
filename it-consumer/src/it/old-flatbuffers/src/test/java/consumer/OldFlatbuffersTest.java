package consumer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.flatbuffers.Constants;
import com.google.flatbuffers.FlatBufferBuilder;
import org.junit.jupiter.api.Test;

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

  // Here belongs the save and restore through CheckpointManager, as soon as it does both.

  private static String jarOf(Class<?> type) {
    return type.getProtectionDomain().getCodeSource().getLocation().getPath();
  }
}
