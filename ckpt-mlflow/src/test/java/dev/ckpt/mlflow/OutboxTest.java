package dev.ckpt.mlflow;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Checkpoint;
import dev.ckpt.Progress;
import dev.ckpt.mlflow.internal.outbox.Event;
import dev.ckpt.mlflow.internal.outbox.Outbox;
import dev.ckpt.spi.SaveCost;
import dev.ckpt.testkit.CrashingFileSystem;
import dev.ckpt.testkit.PowerLoss;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Events on disk: in order, whole, bounded. */
class OutboxTest {
  private static final InstantSource CLOCK =
      InstantSource.fixed(Instant.parse("2026-01-01T00:00:00Z"));

  @TempDir(factory = QuickFolders.class)
  Path folder;

  static String id(int step) {
    return String.format("000001-%012d-0", step);
  }

  private static Event committed(int step) {
    return new Event.Committed(
        new Checkpoint(
            id(step),
            step == 1 ? Optional.empty() : Optional.of(id(step - 1)),
            new Progress(step, 1, 2, 3, Progress.Phase.AFTER_EPOCH),
            Instant.parse("2026-01-01T00:00:01.123456789Z"),
            12345,
            Map.of(
                "loss",
                0.1 + 0.2,
                "nan",
                Double.NaN,
                "inf",
                Double.NEGATIVE_INFINITY,
                "ü\"<",
                -0.0),
            true),
        step % 2 == 0
            ? Optional.of(new SaveCost(Duration.ofNanos(1234567), Duration.ofMillis(5)))
            : Optional.empty());
  }

  private static List<Event> all(Outbox outbox) throws IOException {
    List<Event> events = new ArrayList<>();
    for (Optional<Outbox.Entry> next = outbox.head();
        next.isPresent();
        next = outbox.after(next.get().name())) {
      events.add(next.get().event());
    }
    return events;
  }

  @Test
  void eachEventComesBackAsItWasInItsOrder() throws Exception {
    Instant at = Instant.parse("2026-01-01T00:00:00.5Z");
    List<Event> events =
        List.of(
            new Event.Opened(at),
            committed(1),
            committed(2),
            new Event.Failed(at, id(3), Progress.step(3), "disk \"full\"\n"),
            new Event.Deleted(at, id(1)),
            new Event.Closed(at));
    Outbox outbox = Outbox.open(folder, 100, CLOCK);
    for (Event event : events) {
      outbox.append(event);
    }
    assertThat(all(Outbox.open(folder, 100, CLOCK))).isEqualTo(events);
  }

  @Test
  void whatIsDoneIsGoneAndTheNumbersGoOn() throws Exception {
    Outbox outbox = Outbox.open(folder, 100, CLOCK);
    outbox.append(committed(1));
    outbox.append(committed(2));
    outbox.done(outbox.head().orElseThrow());
    Outbox next = Outbox.open(folder, 100, CLOCK);
    next.append(committed(3));
    assertThat(all(next)).containsExactly(committed(2), committed(3));
  }

  @Test
  void whatIsRefusedIsSetAsideAndComesBackInItsPlace() throws Exception {
    Outbox outbox = Outbox.open(folder, 100, CLOCK);
    outbox.append(committed(1));
    outbox.append(committed(2));
    outbox.refuse(outbox.head().orElseThrow());
    assertThat(all(outbox)).containsExactly(committed(2));
    assertThat(outbox.refused()).isEqualTo(1);
    Outbox next = Outbox.open(folder, 100, CLOCK);
    next.append(committed(3));
    assertThat(next.retryRefused()).isEqualTo(1);
    assertThat(all(next)).containsExactly(committed(1), committed(2), committed(3));
  }

  @Test
  void everyBitFlipIsFoundAndHoldsUpNothing() throws Exception {
    Outbox outbox = Outbox.open(folder, 10_000, CLOCK);
    outbox.append(committed(1));
    Path file = folder.resolve("outbox").resolve(outbox.head().orElseThrow().name());
    byte[] whole = Files.readAllBytes(file);
    for (int bit = 0; bit < whole.length * 8; bit++) {
      byte[] flipped = whole.clone();
      flipped[bit / 8] ^= (byte) (1 << bit % 8);
      Path place = Files.createTempDirectory(folder, "flip");
      Outbox other = Outbox.open(place, 100, CLOCK);
      Files.write(place.resolve("outbox").resolve(file.getFileName().toString()), flipped);
      other = Outbox.open(place, 100, CLOCK);
      other.append(committed(2));
      assertThat(all(other)).as("bit %d", bit).containsExactly(committed(2));
      // lost, counted, and not looked at again
      assertThat(other.dropped()).isEqualTo(1);
      assertThat(other.retryRefused()).isZero();
      assertThat(place.resolve("refused")).isDirectoryContaining("glob:**.unreadable");
    }
  }

  @Test
  void twoProcessesNeverOverwriteEachOthersEvents() throws Exception {
    Outbox one = Outbox.open(folder, 100, CLOCK);
    Outbox other = Outbox.open(folder, 100, CLOCK);
    one.append(committed(1));
    other.append(committed(2));
    assertThat(all(Outbox.open(folder, 100, CLOCK)))
        .containsExactlyInAnyOrder(committed(1), committed(2));
    one.done(one.head().orElseThrow());
    assertThat(Outbox.open(folder, 100, CLOCK).size()).isEqualTo(1);
  }

  /** What a process does to an outbox, and what it knows of it while it does. */
  private static final class Life {
    final List<Event> appended = new ArrayList<>();
    final List<Event> published = new ArrayList<>();
    @Nullable Event attempted;
    @Nullable Event taking;
    long dropped;

    void live(Path root) throws IOException {
      Outbox outbox = Outbox.open(root, 4, CLOCK);
      for (int step = 1; step <= 3; step++) {
        append(outbox, committed(step));
      }
      take(outbox);
      outbox.refuse(outbox.head().orElseThrow());
      outbox.retryRefused();
      for (int step = 4; step <= 7; step++) {
        append(outbox, committed(step));
        dropped = outbox.dropped();
      }
      take(outbox);
    }

    private void append(Outbox outbox, Event event) throws IOException {
      attempted = event;
      outbox.append(event);
      appended.add(event);
    }

    private void take(Outbox outbox) throws IOException {
      Outbox.Entry head = outbox.head().orElseThrow();
      published.add(head.event()); // the server has it before the outbox lets it go
      taking = head.event();
      outbox.done(head);
      taking = null;
    }
  }

  @Test
  void aCrashAtAnyCallLosesNoEventThatWasKeptAndInventsNone() throws Exception {
    int cases = 0;
    boolean stopped = true;
    for (int k = 1; stopped; k++) {
      for (boolean midway : new boolean[] {false, true}) {
        CrashingFileSystem disk = CrashingFileSystem.create();
        if (midway) {
          disk.on().nth(k).stopsMidway();
        } else {
          disk.on().nth(k).stops();
        }
        Life life = new Life();
        try {
          life.live(disk.getPath("/outbox"));
        } catch (IOException e) {
          assertThat(disk.isStopped()).as("%s", e).isTrue();
        }
        stopped = disk.isStopped();
        disk.assertNothingIsOpen();
        check(life, disk.afterKill(), "killed at " + k);
        cases++;
        for (PowerLoss loss : PowerLoss.all(k)) {
          check(life, disk.after(loss), loss + " at " + k);
          cases++;
        }
      }
    }
    System.out.println(cases + " crashes of an outbox");
    assertThat(cases).isGreaterThan(100);
  }

  private static void check(Life life, CrashingFileSystem disk, String how) throws IOException {
    Outbox outbox = Outbox.open(disk.getPath("/outbox"), 100, CLOCK);
    outbox.retryRefused();
    List<Event> left = all(outbox);
    List<Event> known = new ArrayList<>(life.appended);
    Event attempted = life.attempted;
    if (attempted != null && !known.contains(attempted)) {
      known.add(attempted);
    }
    assertThat(known).as(how).containsAll(left);
    assertThat(left).as(how).doesNotHaveDuplicates();
    assertThat(left)
        .as("%s: in order", how)
        .isSortedAccordingTo(java.util.Comparator.comparingInt(known::indexOf));
    List<Event> missing = new ArrayList<>(life.appended);
    missing.removeAll(left);
    missing.removeAll(life.published);
    // only what was dropped, and that is counted
    assertThat((long) missing.size())
        .as("%s: missing %s", how, missing)
        .isLessThanOrEqualTo(outbox.dropped());
    List<Event> back = new ArrayList<>(life.published);
    back.retainAll(left);
    Event taking = life.taking;
    if (taking != null) {
      back.remove(taking);
    }
    assertThat(back).as("%s: what was taken out before the last step stays out", how).isEmpty();
    // and it goes on
    outbox.append(new Event.Closed(Instant.EPOCH));
    List<Event> after = all(outbox);
    assertThat(after.get(after.size() - 1)).isEqualTo(new Event.Closed(Instant.EPOCH));
  }
}
