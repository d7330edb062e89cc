package dev.ckpt.manifest;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.Checkpoint;
import dev.ckpt.Progress;
import dev.ckpt.internal.json.Envelope;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The decision about one checkpoint: its creation is the only commit point. */
public sealed interface Manifest {

  /** The checkpoint decided about. */
  CheckpointId id();

  /** The bytes on disk. */
  byte[] encode();

  /**
   * It is committed. A pure function of the votes, so that whoever writes it writes the same bytes.
   *
   * @param world number of workers
   * @param parent the checkpoint that the branch stood at before
   * @param seed of the branch: who goes on from here goes on with it
   * @param progress where the training stood
   * @param committedAt rank 0's clock at its vote
   * @param metrics rank 0's
   * @param finite whether no tensor of any worker holds a NaN or infinity
   * @param shards all files, sorted by rank
   */
  record Commit(
      CheckpointId id,
      int world,
      Optional<CheckpointId> parent,
      long seed,
      Progress progress,
      Instant committedAt,
      Map<String, Double> metrics,
      boolean finite,
      List<ShardEntry> shards)
      implements Manifest {

    public Commit {
      if (world < 1) {
        throw new IllegalArgumentException("a world of " + world + " workers");
      }
      metrics = Map.copyOf(metrics);
      shards = List.copyOf(shards);
    }

    /**
     * The decision that these votes make.
     *
     * @throws IllegalArgumentException unless there is one vote for each rank of one world, and all
     *     agree where the training stood, and on the seed
     */
    public static Commit of(List<Vote> votes) {
      List<Vote> sorted = votes.stream().sorted(Comparator.comparingInt(Vote::rank)).toList();
      if (sorted.isEmpty()) {
        throw new IllegalArgumentException("nobody has voted");
      }
      Vote first = sorted.get(0);
      for (int rank = 0; rank < sorted.size(); rank++) {
        Vote vote = sorted.get(rank);
        if (vote.rank() != rank || vote.world() != sorted.size() || !vote.id().equals(first.id())) {
          throw new IllegalArgumentException(
              "vote of rank " + vote.rank() + " of " + vote.world() + " among " + sorted.size());
        }
        if (vote.seed() != first.seed()) {
          throw new IllegalArgumentException(
              "ranks 0 and "
                  + rank
                  + " disagree about the seed of "
                  + first.id()
                  + ": "
                  + first.seed()
                  + " and "
                  + vote.seed());
        }
        if (!vote.parent().equals(first.parent()) || !vote.progress().equals(first.progress())) {
          throw new IllegalArgumentException(
              "ranks 0 and "
                  + rank
                  + " disagree about the parent or the progress of "
                  + first.id()
                  + ": "
                  + first.parent()
                  + ", "
                  + first.progress()
                  + " and "
                  + vote.parent()
                  + ", "
                  + vote.progress());
        }
      }
      return new Commit(
          first.id(),
          first.world(),
          first.parent(),
          first.seed(),
          first.progress(),
          first.savedAt(),
          first.metrics(),
          sorted.stream().allMatch(Vote::finite),
          sorted.stream().flatMap(vote -> vote.shards().stream()).toList());
    }

    /** What users see of it. */
    public Checkpoint checkpoint() {
      return new Checkpoint(
          id.toString(),
          parent.map(CheckpointId::toString),
          progress,
          committedAt,
          shards.stream().mapToLong(shard -> shard.digest().length()).sum(),
          metrics,
          finite);
    }

    @Override
    public byte[] encode() {
      ObjectNode body =
          Fields.object()
              .put("decision", COMMIT)
              .put("id", id.toString())
              .put("world", world)
              .put("seed", seed)
              .put("committedAt", committedAt.toString())
              .put("finite", finite);
      parent.ifPresent(of -> body.put("parent", of.toString()));
      body.set("progress", Fields.of(progress));
      body.set("metrics", Fields.ofDoubles(metrics));
      ArrayNode list = body.putArray("shards");
      shards.forEach(shard -> list.add(shard.toJson()));
      return Envelope.seal(KIND, body);
    }
  }

  /** It was given up, and can never be committed. Any two are equal in meaning. */
  record Abort(CheckpointId id, String reason) implements Manifest {
    @Override
    public byte[] encode() {
      return Envelope.seal(
          KIND,
          Fields.object().put("decision", ABORT).put("id", id.toString()).put("reason", reason));
    }
  }

  /** The envelope's kind. */
  String KIND = "manifest";

  /** {@code decision} of a {@link Commit}. */
  String COMMIT = "commit";

  /** {@code decision} of an {@link Abort}. */
  String ABORT = "abort";

  /** Reads the bytes on disk; fails as {@link AttemptRecord#decode} does. */
  static Manifest decode(String name, byte[] bytes) {
    return Fields.read(KIND, name, bytes, Manifest::read);
  }

  private static Manifest read(Fields fields) {
    String decision = fields.text("decision");
    return switch (decision) {
      case ABORT -> new Abort(fields.id("id"), fields.text("reason"));
      case COMMIT ->
          new Commit(
              fields.id("id"),
              fields.small("world"),
              fields.optionalId("parent"),
              fields.integer("seed"),
              fields.progress("progress"),
              fields.instant("committedAt"),
              fields.doubles("metrics"),
              fields.flag("finite"),
              fields.shards("shards"));
      default ->
          throw new IllegalArgumentException(
              "decision '" + decision + "' is neither commit nor abort");
    };
  }
}
