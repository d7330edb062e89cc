package dev.ckpt.djl;

import dev.ckpt.CheckpointManager;
import java.nio.file.Path;

/** Another process that has a run, until it is ended. */
final class HoldingProcess {
  private HoldingProcess() {}

  public static void main(String[] args) throws Exception {
    CheckpointManager manager = CheckpointManager.in(Path.of(args[0])).run(args[1]).open();
    System.out.println("held");
    System.in.read();
    manager.close();
  }

  static Process start(Path store, String run) throws Exception {
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            HoldingProcess.class.getName(),
            store.toString(),
            run);
    builder.environment().keySet().removeIf(name -> name.startsWith("CKPT_"));
    builder.redirectError(ProcessBuilder.Redirect.INHERIT);
    Process process = builder.start();
    String line = process.inputReader().readLine();
    if (!"held".equals(line)) {
      process.destroyForcibly();
      throw new AssertionError("it said " + line);
    }
    return process;
  }
}
