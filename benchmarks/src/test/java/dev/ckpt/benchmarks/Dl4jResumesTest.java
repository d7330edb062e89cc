package dev.ckpt.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.benchmarks.Dl4jResumes.Row;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Why DL4J's own checkpoints are not enough to go on. */
class Dl4jResumesTest {
  @TempDir Path folder;

  @Test
  void withOursTheBytesAreTheSameAndWithDl4jsListenerTheyAreNotWhateverIsDoneByHand()
      throws Exception {
    List<Row> rows = new Dl4jResumes(folder).compare();
    assertThat(rows).hasSize(4);
    Row ours = rows.get(0);
    assertThat(ours.sameBytes()).isTrue();
    assertThat(ours.largest()).isZero();
    assertThat(ours.updates()).isEqualTo(ours.planned());
    for (Row theirs : rows.subList(1, rows.size())) {
      assertThat(theirs.sameBytes()).as(theirs.what()).isFalse();
      assertThat(theirs.largest()).as(theirs.what()).isGreaterThan(1e-4);
    }
    // it begins the epoch anew
    assertThat(rows.get(1).updates()).isGreaterThan(rows.get(1).planned());
    // and what it saves inside the update is one update behind for ever
    assertThat(rows.get(3).updates()).isEqualTo(rows.get(3).planned() - 1);
  }

  @Test
  void itsListenerCannotGoOnInTheFolderOfItsOwnRun() throws Exception {
    assertThat(new Dl4jResumes(folder).inItsOwnFolder()).startsWith("refused: ");
  }
}
