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
import java.util.function.BiPredicate;

/**
 * Whether rebuilt bytes of a record are those that were there. What is left of the damaged object
 * must prove it: its first {@link Envelope#PREFIX_BYTES} bytes, which hold the SHA-256 of all that
 * follows; or everything after them, if those bytes are visibly what was damaged: a digest that is
 * one, and another, was written for something else. Nothing is guessed: without proof there is no
 * record.
 */
final class Proof {

  private static final String HEX = "0123456789abcdef";
  private static final String LAST_FIELD = "\"version\":\"";
  private static final String END = "\"}";
  private static final int MOST_CUTS = 16;

  /** Two digests have some sixty characters apart. */
  private static final int MOST_APART = 8;

  private Proof() {}

  /** Whether the remains prove that {@code rebuilt} are the bytes that were written. */
  static boolean of(byte[] remains, byte[] rebuilt) {
    return isOfDigest(remains, rebuilt) || isOfRest(remains, rebuilt);
  }

  private static boolean isOfDigest(byte[] remains, byte[] rebuilt) {
    int prefix = Envelope.PREFIX_BYTES;
    return remains.length >= prefix && Arrays.equals(remains, 0, prefix, rebuilt, 0, prefix);
  }

  private static boolean isOfRest(byte[] remains, byte[] rebuilt) {
    int prefix = Envelope.PREFIX_BYTES;
    return remains.length >= prefix
        && Arrays.equals(remains, prefix, remains.length, rebuilt, prefix, rebuilt.length)
        && isDamagedBefore(remains, rebuilt);
  }

  private static boolean isDamagedBefore(byte[] remains, byte[] rebuilt) {
    int apart = 0;
    for (int at = 0; at < Envelope.PREFIX_BYTES; at++) {
      boolean hex = Character.digit(rebuilt[at], 16) >= 0;
      if (remains[at] != rebuilt[at]) {
        apart++;
        if (!hex || HEX.indexOf(remains[at]) < 0) {
          return true;
        }
      }
    }
    return apart <= MOST_APART;
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

  /** The first of some candidates that one of the remains proves: if possible, by its digest. */
  static Optional<byte[]> first(Collection<byte[]> remains, Collection<byte[]> candidates) {
    return first(remains, candidates, Proof::isOfDigest)
        .or(() -> first(remains, candidates, Proof::isOfRest));
  }

  private static Optional<byte[]> first(
      Collection<byte[]> remains,
      Collection<byte[]> candidates,
      BiPredicate<byte[], byte[]> proves) {
    return candidates.stream()
        .filter(rebuilt -> remains.stream().anyMatch(each -> proves.test(each, rebuilt)))
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
