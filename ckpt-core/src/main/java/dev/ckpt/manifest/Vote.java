package dev.ckpt.manifest;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.Progress;
import dev.ckpt.internal.json.Envelope;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One worker's word that its shards of a checkpoint are durable.
 *
 * @param id the checkpoint
 * @param rank the worker
 * @param world number of workers
 * @param parent the checkpoint that the branch stood at before
 * @param seed of the branch: who goes on from the checkpoint goes on with it
 * @param progress where the worker stood
 * @param savedAt by the worker's clock
 * @param metrics as given to the save
 * @param finite whether its tensors hold no NaN or infinity
 * @param shards its files
 */
public record Vote(
    CheckpointId id,
    int rank,
    int world,
    Optional<CheckpointId> parent,
    long seed,
    Progress progress,
    Instant savedAt,
    Map<String, Double> metrics,
    boolean finite,
    List<ShardEntry> shards) {

  private static final String KIND = "vote";

  public Vote {
    metrics = Map.copyOf(metrics);
    shards = List.copyOf(shards);
  }

  /** The bytes on disk. */
  public byte[] encode() {
    ObjectNode body =
        Fields.object()
            .put("id", id.toString())
            .put("rank", rank)
            .put("world", world)
            .put("seed", seed)
            .put("savedAt", savedAt.toString())
            .put("finite", finite);
    parent.ifPresent(of -> body.put("parent", of.toString()));
    body.set("progress", Fields.of(progress));
    body.set("metrics", Fields.ofDoubles(metrics));
    ArrayNode list = body.putArray("shards");
    shards.forEach(shard -> list.add(shard.toJson()));
    return Envelope.seal(KIND, body);
  }

  /** Reads the bytes on disk; fails as {@link AttemptRecord#decode} does. */
  public static Vote decode(String name, byte[] bytes) {
    return Fields.read(KIND, name, bytes, Vote::read);
  }

  private static Vote read(Fields fields) {
    return new Vote(
        fields.id("id"),
        fields.small("rank"),
        fields.small("world"),
        fields.optionalId("parent"),
        fields.integer("seed"),
        fields.progress("progress"),
        fields.instant("savedAt"),
        fields.doubles("metrics"),
        fields.flag("finite"),
        fields.shards("shards"));
  }
}
