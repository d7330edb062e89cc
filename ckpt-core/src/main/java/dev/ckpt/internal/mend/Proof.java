package dev.ckpt.internal.mend;

import dev.ckpt.internal.json.Envelope;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.manifest.Vote;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Whether rebuilt bytes of a record are those that were there. What is left of the damaged object
 * must prove it: its first {@link Envelope#PREFIX_BYTES} bytes, which hold the SHA-256 of all that
 * follows; or everything after them. Nothing is guessed: without proof there is no record.
 */
final class Proof {

  private static final String LAST_FIELD = "\"version\":\"";
  private static final String END = "\"}";
  private static final int MOST_CUTS = 16;

  private Proof() {}

  /** Whether the remains prove that {@code rebuilt} are the bytes that were written. */
  static boolean of(byte[] remains, byte[] rebuilt) {
    int prefix = Envelope.PREFIX_BYTES;
    if (remains.length < prefix) {
      return false;
    }
    return Arrays.equals(remains, 0, prefix, rebuilt, 0, prefix)
        || Arrays.equals(remains, prefix, remains.length, rebuilt, prefix, rebuilt.length);
  }

  /**
   * Beginnings of the remains that end as a record does: what was written before something was
   * appended. They prove nothing by themselves; their own digest must fit.
   */
  static List<byte[]> cut(Collection<byte[]> remains) {
    List<byte[]> beginnings = new ArrayList<>();
    for (byte[] each : remains) {
      String text = new String(each, StandardCharsets.ISO_8859_1);
      int at = text.indexOf(LAST_FIELD);
      for (int tries = 0; at >= 0 && tries < MOST_CUTS; tries++) {
        int end = text.indexOf(END, at + LAST_FIELD.length());
        if (end >= 0) {
          beginnings.add(Arrays.copyOf(each, end + END.length()));
        }
        at = text.indexOf(LAST_FIELD, at + 1);
      }
    }
    return beginnings;
  }

  /** The first of some candidates that one of the remains proves. */
  static Optional<byte[]> first(Collection<byte[]> remains, Collection<byte[]> candidates) {
    return candidates.stream()
        .filter(rebuilt -> remains.stream().anyMatch(each -> of(each, rebuilt)))
        .findFirst();
  }

  /** What a manifest was, if these are all its votes; empty if they do not decide together. */
  static List<byte[]> manifests(Collection<Vote> votes) {
    try {
      return List.of(Manifest.Commit.of(List.copyOf(votes)).encode());
    } catch (IllegalArgumentException e) {
      return List.of();
    }
  }

  /** What a worker's vote may have been. With one worker it says what the manifest says. */
  static List<byte[]> votes(Manifest.Commit commit, int rank) {
    List<ShardEntry> own = commit.shards().stream().filter(each -> each.rank() == rank).toList();
    List<byte[]> candidates = new ArrayList<>();
    for (boolean finite : commit.finite() ? new boolean[] {true} : new boolean[] {false, true}) {
      candidates.add(
          new Vote(
                  commit.id(),
                  rank,
                  commit.world(),
                  commit.parent(),
                  commit.seed(),
                  commit.progress(),
                  commit.committedAt(),
                  commit.metrics(),
                  finite,
                  own)
              .encode());
    }
    return candidates;
  }

  /** What a resume record may have been: a fresh start, or from any of these. */
  static List<byte[]> resumes(int attempt, Collection<CheckpointId> ids) {
    Set<Optional<CheckpointId>> applied = new LinkedHashSet<>();
    ids.stream().filter(id -> id.attempt() < attempt).map(Optional::of).forEach(applied::add);
    applied.add(Optional.empty());
    return applied.stream()
        .map(from -> new ResumeRecord(attempt, from, List.of()).encode())
        .toList();
  }
}
