package dev.ckpt;

import dev.ckpt.internal.commit.Keys;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Writes the records of a run as given, in an order that no program would. */
final class RunFixture {
  static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

  final CheckpointStore store = Stores.inMemory();
  final Keys keys = new Keys("odd");

  Checkpoints read() {
    return Checkpoints.read(store, keys.run());
  }

  ListedCheckpoint listed(String id) {
    return read().all().stream()
        .filter(each -> each.id().equals(id))
        .findFirst()
        .orElseThrow(() -> new AssertionError(id + " is not listed: " + read().all()));
  }

  Attempt attempt(int number) {
    return read().attempts().stream()
        .filter(each -> each.number() == number)
        .findFirst()
        .orElseThrow(() -> new AssertionError(number + " is not listed: " + read().attempts()));
  }

  static Instant minute(int minute) {
    return START.plusSeconds(60L * minute);
  }

  RunFixture taken(int number, String request, int minute) {
    return taken(number, request, minute(minute), Map.of("host", "elsewhere", "pid", "1"));
  }

  RunFixture taken(int number, String request, Instant at, Map<String, String> provenance) {
    return put(
        keys.attempt(number),
        new AttemptRecord(number, 1, List.of("0123456789abcdef"), request, 7, at, provenance)
            .encode());
  }

  /**
   * @param applied an id, or empty for a fresh start
   */
  RunFixture resumed(int number, String applied, String... skipped) {
    return put(
        keys.resume(number),
        new ResumeRecord(
                number,
                applied.isEmpty() ? Optional.empty() : Optional.of(GoldenRuns.id(applied)),
                List.of(skipped))
            .encode());
  }

  RunFixture ended(int number, String how, Map<String, Long> goal, int minute) {
    return put(keys.end(number), new EndRecord(number, how, goal, minute(minute)).encode());
  }

  RunFixture committed(String id, int minute) {
    return committed(id, minute, true);
  }

  RunFixture committed(String id, int minute, boolean finite) {
    return put(
        keys.manifest(GoldenRuns.id(id)),
        Manifest.Commit.of(List.of(vote(id, minute, finite))).encode());
  }

  Vote vote(String id, int minute, boolean finite) {
    CheckpointId parsed = GoldenRuns.id(id);
    ShardDigest digest = new ShardDigest(1000, 900, 5, "0".repeat(64));
    return new Vote(
        parsed,
        0,
        1,
        Optional.empty(),
        7,
        Progress.step(parsed.step()),
        minute(minute),
        Map.of(),
        finite,
        List.of(new ShardEntry(0, keys.shard(parsed, 0, 1, 0, "arrow"), "arrow", digest)));
  }

  RunFixture aborted(String id) {
    CheckpointId parsed = GoldenRuns.id(id);
    return put(keys.manifest(parsed), new Manifest.Abort(parsed, "too slow").encode());
  }

  RunFixture shard(String id, int bytes) {
    return put(keys.shard(GoldenRuns.id(id), 0, 1, 0, "arrow"), new byte[bytes]);
  }

  RunFixture marked(String id) {
    return put(keys.deleted(GoldenRuns.id(id)), "retention".getBytes(StandardCharsets.US_ASCII));
  }

  RunFixture pinned(String id) {
    return put(keys.pin(GoldenRuns.id(id)), "pinned".getBytes(StandardCharsets.US_ASCII));
  }

  /** Something else under a key. */
  RunFixture put(String key, byte[] bytes) {
    try {
      store.delete(List.of(key));
      store.putIfAbsent(key, ByteBuffer.wrap(bytes));
      return this;
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  RunFixture damaged(String key) {
    return put(key, "x".getBytes(StandardCharsets.US_ASCII));
  }
}
