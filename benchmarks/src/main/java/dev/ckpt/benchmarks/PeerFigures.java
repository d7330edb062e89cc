package dev.ckpt.benchmarks;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * The same state saved and restored by us and by others, on the same disk, one after the other in
 * each round, in an order that rotates. Nobody writes while another is measured.
 */
final class PeerFigures {

  /** All that are compared, as {@code peer.py} knows them. */
  static final List<String> ALL =
      List.of("torch.save", "safetensors", "dcp", "dcp-async", "orbax", "orbax-async");

  /** The library of the HDF5 format itself, against our shards in it. */
  static final List<String> HDF5 = List.of("h5py");

  private static final int WARM_UPS = 2;
  private static final Duration DEADLINE = Duration.ofMinutes(10);

  /** Nanoseconds of one peer in one round. */
  private record Costs(Peer.Saved saved, double restore, OptionalDouble otherwise) {}

  /** All rounds of one peer. */
  private static final class Sample {
    final List<Double> blocked = new ArrayList<>();
    final List<Double> finished = new ArrayList<>();
    final List<Double> durable = new ArrayList<>();
    final List<Double> restore = new ArrayList<>();
    final List<Double> otherwise = new ArrayList<>();
    final List<Double> blockedRatio = new ArrayList<>();
    final List<Double> durableRatio = new ArrayList<>();
    final List<Double> restoreRatio = new ArrayList<>();

    void add(Costs costs, Costs ours) {
      blocked.add(costs.saved.blocked() / 1e6);
      finished.add(costs.saved.finished() / 1e6);
      durable.add(costs.saved.durable() / 1e6);
      restore.add(costs.restore / 1e6);
      costs.otherwise.ifPresent(nanos -> otherwise.add(nanos / 1e6));
      blockedRatio.add(costs.saved.blocked() / ours.saved.blocked());
      durableRatio.add(costs.saved.durable() / ours.saved.durable());
      restoreRatio.add(costs.restore / ours.restore);
    }
  }

  private final Path folder;
  private final Optional<Path> python;
  private final String format;
  private final double goal;
  private final List<String> leftOut = new ArrayList<>();

  /**
   * @param folder one that exists, on the disk to be measured
   * @param python the interpreter that has the peers' packages; empty if there is none
   * @param format of our own shards
   * @param goal what a peer's time, divided by ours, is to be at least; NaN if there is none
   */
  PeerFigures(Path folder, Optional<Path> python, String format, double goal) {
    this.folder = folder;
    this.python = python;
    this.format = format;
    this.goal = goal;
  }

  /** Without one there are no peers. */
  boolean hasPython() {
    return python.isPresent();
  }

  /** Why some are not in the figures, a sentence each. */
  List<String> leftOut() {
    return leftOut;
  }

  /**
   * @param kinds which peers, besides us
   * @param target of the same shapes
   */
  List<Figure> measure(
      List<String> kinds, DirectState state, DirectState target, int rounds, PrintStream out)
      throws Exception {
    Path place = Files.createDirectory(folder.resolve("peers-" + format));
    OwnPeer own = new OwnPeer(place, format, state, target);
    List<Peer> peers = new ArrayList<>(List.of(own));
    try {
      out.println(own.name() + ": " + own.promises());
      PeerProcess.writeState(place, state);
      for (String kind : kinds) {
        try {
          PeerProcess peer = new PeerProcess(python.orElseThrow(), kind, place, DEADLINE);
          peers.add(peer);
          out.println(kind + ": " + peer.versions() + "; " + peer.promises());
        } catch (IOException e) {
          leaveOut(kind, e);
        }
      }
      PeerProcess.removeState(place);
      PlainWrite.settle(place);
      return measure(own, peers, rounds);
    } finally {
      Collections.reverse(peers); // ours, which may throw, last
      for (Peer peer : peers) {
        peer.close();
      }
    }
  }

  private List<Figure> measure(OwnPeer own, List<Peer> all, int rounds) throws Exception {
    List<Peer> peers = new ArrayList<>(all);
    Map<Peer, Sample> samples = new LinkedHashMap<>();
    all.forEach(peer -> samples.put(peer, new Sample()));
    for (int round = -WARM_UPS; round < rounds; round++) {
      Map<Peer, Costs> costs = new HashMap<>();
      List<Peer> order = new ArrayList<>(peers);
      Collections.rotate(order, round);
      for (Peer peer : order) {
        try {
          Peer.Saved saved = peer.save();
          costs.put(peer, new Costs(saved, peer.restore(), peer.restoreOtherwise()));
        } catch (IOException e) {
          if (peer == own) {
            throw e;
          }
          leaveOut(peer.name(), e);
          peer.close(); // it may be at it still, while the others are measured
          peers.remove(peer);
          samples.remove(peer);
        }
      }
      Costs ours = costs.get(own);
      if (ours == null) {
        throw new AssertionError("we are always measured");
      }
      if (round >= 0) {
        costs.forEach(
            (peer, each) -> samples.computeIfAbsent(peer, any -> new Sample()).add(each, ours));
      }
    }
    List<Figure> figures = new ArrayList<>();
    samples.forEach((peer, sample) -> add(figures, peer, sample, peer == own));
    return figures;
  }

  private void leaveOut(String kind, IOException why) {
    leftOut.add(kind + " is left out: " + why.getMessage());
  }

  private void add(List<Figure> figures, Peer peer, Sample sample, boolean own) {
    String name = peer.name() + ": ";
    figures.add(Figure.plain(name + "blocked", "ms", sample.blocked));
    if (!own) {
      figures.add(Figure.plain(name + "blocked / ckpt's", "", sample.blockedRatio));
      figures.add(Figure.plain(name + "finished", "ms", sample.finished));
    }
    figures.add(Figure.plain(name + "durable", "ms", sample.durable));
    if (!own) {
      figures.add(Figure.atLeast(name + "durable / ckpt's", goal, sample.durableRatio));
    }
    figures.add(
        Figure.plain(name + (own ? "restore, verified before" : "restore"), "ms", sample.restore));
    if (!own) {
      figures.add(
          Figure.atLeast(name + "restore / ckpt's, verified before", goal, sample.restoreRatio));
    }
    if (!sample.otherwise.isEmpty()) {
      figures.add(Figure.plain(name + "restore, " + peer.otherWay(), "ms", sample.otherwise));
    }
  }
}
