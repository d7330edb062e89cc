package dev.ckpt.manifest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Progress;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ManifestTest {
  private static final CheckpointId ID = CheckpointId.of(2, Progress.step(7));
  private static final Optional<CheckpointId> PARENT =
      Optional.of(CheckpointId.of(1, Progress.step(3)));

  private static Vote vote(int rank, Optional<CheckpointId> parent, Progress progress) {
    return vote(rank, parent, 42, progress);
  }

  private static Vote vote(int rank, Optional<CheckpointId> parent, long seed, Progress progress) {
    return new Vote(
        ID, rank, 2, parent, seed, progress, Instant.EPOCH, Map.of(), rank == 0, List.of());
  }

  @Test
  void theOrderOfTheVotesDoesNotMatter() {
    Vote first = vote(0, PARENT, Progress.step(7));
    Vote second = vote(1, PARENT, Progress.step(7));
    assertThat(Manifest.Commit.of(List.of(second, first)))
        .isEqualTo(Manifest.Commit.of(List.of(first, second)))
        .matches(commit -> !commit.finite(), "one worker saw a NaN");
  }

  @Test
  void votesThatDisagreeDecideNothing() {
    Vote first = vote(0, PARENT, Progress.step(7));
    assertThatThrownBy(() -> Manifest.Commit.of(List.of()))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(
            () -> Manifest.Commit.of(List.of(first, vote(1, Optional.empty(), Progress.step(7)))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("parent");
    assertThatThrownBy(
            () -> Manifest.Commit.of(List.of(first, vote(1, PARENT, 43, Progress.step(7)))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("seed");
    Progress elsewhere = new Progress(7, 0, 4, 0, Progress.Phase.AFTER_STEP);
    assertThatThrownBy(() -> Manifest.Commit.of(List.of(first, vote(1, PARENT, elsewhere))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("progress");
  }

  @Test
  void everyIdReadsItsOwnText() {
    CheckpointId last = new CheckpointId(999_999, 999_999_999_999L, 1);
    assertThat(CheckpointId.parse(last.toString())).contains(last);
    assertThatThrownBy(() -> new CheckpointId(1, 1, 2))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new CheckpointId(1, 1, -1))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
