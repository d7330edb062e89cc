package dev.ckpt.manifest;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.internal.json.Envelope;
import java.util.List;
import java.util.Optional;

/**
 * What an attempt started from, written when all of it verified and before anything is applied. It
 * is what makes an attempt part of the tree of the run. Never deleted.
 *
 * @param attempt whose
 * @param applied the checkpoint, or empty for a fresh start
 * @param skipped newer ones that were passed over, with the reasons
 */
public record ResumeRecord(int attempt, Optional<CheckpointId> applied, List<String> skipped) {

  private static final String KIND = "resume";

  public ResumeRecord {
    skipped = List.copyOf(skipped);
  }

  /** The bytes on disk. */
  public byte[] encode() {
    ObjectNode body = Fields.object().put("attempt", attempt);
    applied.ifPresent(id -> body.put("applied", id.toString()));
    ArrayNode list = body.putArray("skipped");
    skipped.forEach(list::add);
    return Envelope.seal(KIND, body);
  }

  /** Reads the bytes on disk; fails as {@link AttemptRecord#decode} does. */
  public static ResumeRecord decode(String name, byte[] bytes) {
    return Fields.read(KIND, name, bytes, ResumeRecord::read);
  }

  private static ResumeRecord read(Fields fields) {
    return new ResumeRecord(
        fields.small("attempt"), fields.optionalId("applied"), fields.strings("skipped"));
  }
}
