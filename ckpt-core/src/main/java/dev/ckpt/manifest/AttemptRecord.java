package dev.ckpt.manifest;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.internal.json.Envelope;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/**
 * One process, or one set of workers, that worked on a run. Never deleted.
 *
 * @param attempt from 1
 * @param world number of workers
 * @param nonces one for each rank, drawn at its start
 * @param request how it was asked to resume: {@code auto}, {@code never}, {@code required}, or a
 *     reference
 * @param seed of its branch
 * @param startedAt by the clock of rank 0
 * @param provenance host, process id, versions: for people, never for decisions
 */
public record AttemptRecord(
    int attempt,
    int world,
    List<String> nonces,
    String request,
    long seed,
    Instant startedAt,
    Map<String, String> provenance) {

  private static final String KIND = "attempt";

  public AttemptRecord {
    nonces = List.copyOf(nonces);
    provenance = Map.copyOf(provenance);
  }

  /** The bytes on disk. */
  public byte[] encode() {
    ObjectNode body =
        Fields.object()
            .put("attempt", attempt)
            .put("world", world)
            .put("request", request)
            .put("seed", seed)
            .put("startedAt", startedAt.toString());
    ArrayNode list = body.putArray("nonces");
    nonces.forEach(list::add);
    body.set("provenance", Fields.ofTexts(provenance));
    return Envelope.seal(KIND, body);
  }

  /**
   * Reads the bytes on disk.
   *
   * @param name the key, for messages
   * @throws dev.ckpt.CheckpointException.Corrupt if a bit differs
   * @throws dev.ckpt.CheckpointException.Incompatible if a newer version wrote it
   */
  public static AttemptRecord decode(String name, byte[] bytes) {
    return Fields.read(KIND, name, bytes, AttemptRecord::read);
  }

  private static AttemptRecord read(Fields fields) {
    return new AttemptRecord(
        fields.small("attempt"),
        fields.small("world"),
        fields.strings("nonces"),
        fields.text("request"),
        fields.integer("seed"),
        fields.instant("startedAt"),
        fields.texts("provenance"));
  }
}
