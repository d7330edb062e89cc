package dev.ckpt;

import java.util.List;

/**
 * What a resume applied.
 *
 * @param checkpoint the one that was applied
 * @param skipped newer ones that were passed over, each with the reason, newest first
 */
public record Restored(Checkpoint checkpoint, List<String> skipped) {
  public Restored {
    skipped = List.copyOf(skipped);
  }
}
