package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.text;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Maintenance;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.manifest.ResumeRecord;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/**
 * All trees of four attempts with two checkpoints each, and each record of them lost: whatever it
 * said, a collection deletes nothing that it would not delete if it could read it. Each tree is one
 * of the things that the lost record may have said.
 */
class LostWayTest {

  private static final int ATTEMPTS = 4;

  private static final List<Retention> POLICIES =
      List.of(
          Set::copyOf,
          Retention.latest(1),
          Retention.anyOf(Retention.latest(1), Retention.best("loss", Retention.Mode.MIN, 1)),
          Retention.latest(3));

  private static List<TreeMap<String, byte[]>> trees() throws IOException {
    List<TreeMap<String, byte[]>> trees = new ArrayList<>(List.of(new TreeMap<>()));
    List<Optional<String>> from = new ArrayList<>(List.of(Optional.empty()));
    for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
      List<TreeMap<String, byte[]>> grown = new ArrayList<>();
      for (TreeMap<String, byte[]> tree : trees) {
        MaintainedStore at = MaintainedStore.of(tree);
        at.run("toy", new Resume.Never(), 2 * attempt - 1, 2 * attempt);
        for (Optional<String> each : from) {
          ResumeRecord resume =
              new ResumeRecord(attempt, each.map(MaintainedStore::parsed), List.of());
          at.put(KEYS.resume(attempt), resume.encode());
          grown.add(at.objects());
        }
      }
      trees = grown;
      from.add(Optional.of(id(attempt, 2 * attempt - 1)));
      from.add(Optional.of(id(attempt, 2 * attempt)));
    }
    return trees;
  }

  private static Set<String> deleted(MaintainedStore at, Retention keep) {
    return Maintenance.of(at.store).clock(at.clock).collect("toy", keep, true).stream()
        .filter(action -> action.kind() == Kind.DELETE)
        .map(MaintenanceAction::subject)
        .collect(Collectors.toSet());
  }

  @Test
  void whateverALostRecordSaidNothingGoesThatItWouldHaveKept() throws IOException {
    int cases = 0;
    int gone = 0;
    int stayed = 0;
    for (TreeMap<String, byte[]> tree : trees()) {
      for (Retention keep : POLICIES) {
        Set<String> may = deleted(MaintainedStore.of(tree), keep);
        for (int lost = 1; lost <= ATTEMPTS; lost++) {
          for (boolean missing : new boolean[] {false, true}) {
            MaintainedStore at = MaintainedStore.of(tree);
            at.put(KEYS.resume(lost), text("x"));
            if (missing) {
              at.store.delete(List.of(KEYS.resume(lost)));
            }
            Set<String> does = deleted(at, keep);
            assertThat(may).as("tree %s, lost %s", said(tree), lost).containsAll(does);
            if (lost == ATTEMPTS) {
              assertThat(does).as("without the head").isEmpty();
            }
            cases++;
            gone += does.size();
            stayed += may.size() - does.size();
          }
        }
      }
    }
    System.out.printf(
        "a lost record: %d cases, %d checkpoints go, %d stay that would go%n", cases, gone, stayed);
    assertThat(cases).isEqualTo(3 * 5 * 7 * POLICIES.size() * ATTEMPTS * 2);
    assertThat(gone).as("most of what may go goes").isGreaterThan(stayed);
  }

  private static List<String> said(TreeMap<String, byte[]> tree) {
    List<String> said = new ArrayList<>();
    for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
      byte[] bytes = tree.getOrDefault(KEYS.resume(attempt), new byte[0]);
      said.add(ResumeRecord.decode("", bytes).applied().map(Object::toString).orElse("fresh"));
    }
    return said;
  }
}
