package dev.ckpt.internal.save;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** What a flight recording shows of saves. Durations are the events' own. */
final class SaveEvents {
  private SaveEvents() {}

  @Name("dev.ckpt.Stage")
  @Label("Checkpoint staged")
  @Description("The training thread stood still while its state was copied")
  @Category({"Checkpoints"})
  @StackTrace(false)
  static final class Stage extends Event {
    @Label("Checkpoint")
    String id = "";

    @Label("Bytes")
    @DataAmount
    long bytes;

    @Label("Streamed because larger than the budget")
    boolean streamed;
  }

  @Name("dev.ckpt.Write")
  @Label("Checkpoint written")
  @Description("A writer thread encoded, wrote and committed a checkpoint")
  @Category({"Checkpoints"})
  @StackTrace(false)
  static final class Write extends Event {
    @Label("Checkpoint")
    String id = "";

    @Label("Bytes")
    @DataAmount
    long bytes;

    @Label("Outcome")
    String outcome = "";
  }

  @Name("dev.ckpt.Skip")
  @Label("Checkpoint skipped")
  @Description("A periodic trigger fired while a save was in flight")
  @Category({"Checkpoints"})
  @StackTrace(false)
  static final class Skip extends Event {
    @Label("Step")
    long step;
  }
}
