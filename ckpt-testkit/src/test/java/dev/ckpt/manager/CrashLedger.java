package dev.ckpt.manager;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/** What a training may come back to, by what was promised to it. Thread-safe. */
final class CrashLedger {

  private enum Word {
    UNDER_WAY,
    COMMITTED,
    FAILED
  }

  private record Entry(ToyState state, Word word) {}

  private final List<Entry> entries = new ArrayList<>();
  private BooleanSupplier dead = () -> false;
  private boolean takenOver;
  private Optional<ToyState> restored = Optional.empty();
  private int attempt;

  CrashLedger() {}

  private CrashLedger(List<Entry> entries) {
    this.entries.addAll(entries);
  }

  synchronized CrashLedger copy() {
    return new CrashLedger(entries);
  }

  /** Whether the process is dead: then it was not told that a save failed. */
  synchronized void diesWith(BooleanSupplier process) {
    dead = process;
  }

  /** A save of this state begins, or a resume from it. */
  synchronized void begun(ToyState state) {
    entries.add(new Entry(state.copy(), Word.UNDER_WAY));
  }

  /** The training was told that it is committed: nothing older may come back. */
  synchronized void committed(ToyState state) {
    mark(state, Word.COMMITTED);
  }

  /** The training was told that it is not committed, and never will be. */
  synchronized void failed(ToyState state) {
    if (!dead.getAsBoolean()) {
      mark(state, Word.FAILED);
    }
  }

  private void mark(ToyState state, Word word) {
    for (int i = entries.size() - 1; i >= 0; i--) {
      if (entries.get(i).state().equals(state)) {
        entries.set(i, new Entry(entries.get(i).state(), word));
        return;
      }
    }
    throw new AssertionError(state + " was never begun");
  }

  /** Somebody is about to resume from the i-th of these states: it may come back, too. */
  synchronized void maySwitchTo(int i) {
    entries.add(new Entry(entries.get(i).state(), Word.UNDER_WAY));
  }

  /** Somebody else saves meanwhile: what the process resumes from is not known beforehand. */
  synchronized void takenOver() {
    takenOver = true;
  }

  /** A process resumed: from now on only this state, and what it saves after it, may come back. */
  synchronized void resumed(Optional<ToyState> from, int by) {
    if (!takenOver) {
      require(from);
    }
    restored = from.map(ToyState::copy);
    attempt = by;
    entries.clear();
    restored.ifPresent(state -> entries.add(new Entry(state, Word.COMMITTED)));
  }

  /** What the last process resumed from. */
  synchronized Optional<ToyState> restored() {
    return restored;
  }

  /** The last attempt that resumed, 0 if none did. */
  synchronized int attempt() {
    return attempt;
  }

  /** Whether a save of this state was begun since the last promise, and has not failed. */
  synchronized boolean knows(Optional<ToyState> state) {
    int last = 0;
    for (int i = 0; i < entries.size(); i++) {
      last = entries.get(i).word() == Word.COMMITTED ? i : last;
    }
    return state.isPresent()
        && entries.subList(last, entries.size()).stream()
            .anyMatch(entry -> entry.word() != Word.FAILED && entry.state().equals(state.get()));
  }

  /** Fails unless this may come back; empty is a fresh start. */
  synchronized void require(Optional<ToyState> restored) {
    int last = 0;
    boolean promised = false;
    for (int i = 0; i < entries.size(); i++) {
      if (entries.get(i).word() == Word.COMMITTED) {
        last = i;
        promised = true;
      }
    }
    if (restored.isEmpty()) {
      if (promised) {
        throw new AssertionError("a fresh start, although was committed: " + entries.get(last));
      }
      return;
    }
    List<Entry> allowed =
        entries.subList(last, entries.size()).stream()
            .filter(entry -> entry.word() != Word.FAILED)
            .toList();
    if (allowed.stream().noneMatch(entry -> entry.state().equals(restored.get()))) {
      throw new AssertionError(
          "restored " + restored.get().describe() + ", which is none of " + allowed);
    }
  }
}
