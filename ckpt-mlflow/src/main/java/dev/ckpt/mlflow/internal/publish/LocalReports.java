package dev.ckpt.mlflow.internal.publish;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.Progress;
import dev.ckpt.mlflow.internal.outbox.DurableFiles;
import dev.ckpt.mlflow.internal.report.ManifestFile;
import dev.ckpt.mlflow.internal.report.ReportPage;
import dev.ckpt.mlflow.internal.report.Row;
import dev.ckpt.mlflow.internal.report.Subject;
import dev.ckpt.mlflow.internal.report.Survey;
import dev.ckpt.mlflow.internal.report.Surveyor;
import dev.ckpt.spi.SaveCost;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads each checkpoint once and keeps what is shown of it as files: they are there without any
 * server, and outlive a checkpoint that retention deletes before a server is. What a disk does not
 * take or give is said once and holds up nothing: it is made again from the store. One thread at a
 * time.
 */
public final class LocalReports {
  private static final Logger log = LoggerFactory.getLogger(LocalReports.class);

  /** What is uploaded. */
  static final List<String> FILES = List.of("manifest.json", "report.html");

  private final Workspace workspace;
  private final Subject subject;
  private final Surveyor surveyor;
  private final TreeMap<String, Row> rows;

  /** Files of the checkpoint that was read last, if the disk did not take them. */
  private Map<String, byte[]> unkept = Map.of();

  private String unkeptId = "";
  private boolean told;
  private Optional<String> structure = Optional.empty();

  LocalReports(Workspace workspace, Subject subject, Checkpoints checkpoints, boolean norms) {
    this.workspace = workspace;
    this.subject = subject;
    this.surveyor = new Surveyor(checkpoints, norms);
    this.rows = workspace.rows();
    trying(() -> workspace.reported().forEach(this::sweep));
  }

  /** Whoever publishes writes alone: what is half written is of a process that died. */
  private void sweep(String id) {
    trying(() -> DurableFiles.sweep(workspace.report(id), Instant.MAX));
  }

  /** What a disk may refuse. */
  @FunctionalInterface
  private interface Disk {
    void work() throws IOException;
  }

  /** Whether the disk did it. */
  private boolean trying(Disk disk) {
    try {
      disk.work();
      return true;
    } catch (IOException e) {
      if (!told) {
        told = true;
        log.warn(
            "run '{}': not all of what is kept in {} can be read, written or deleted; it is"
                + " published all the same: {}",
            subject.run(),
            workspace.root(),
            e.toString());
      }
      log.debug("a local file", e);
      return false;
    }
  }

  /** What became of a checkpoint when it was read. */
  enum Outcome {
    WHOLE,
    /** Deleted meanwhile: only what its event says is known. */
    GONE,
    DAMAGED
  }

  /** Reads a checkpoint and writes its report, unless that is done. */
  Outcome prepare(Checkpoint checkpoint, Optional<SaveCost> cost) {
    Path folder = workspace.report(checkpoint.id());
    if (isPrepared(folder)) {
      Row known = rows.get(checkpoint.id());
      if (known == null || (cost.isPresent() && Double.isNaN(known.stallMillis()))) {
        double norm = known == null ? Double.NaN : known.norm();
        put(row(checkpoint, cost, norm).withModel(known == null ? "" : known.model()));
      }
      return Outcome.WHOLE;
    }
    Survey survey;
    try {
      survey = surveyor.survey(checkpoint, before(checkpoint));
    } catch (CheckpointException.NotFound e) {
      put(row(checkpoint, cost, Double.NaN).asDeleted());
      return Outcome.GONE;
    } catch (CheckpointException.Corrupt e) {
      log.warn("{} was committed and does not read back: {}", checkpoint.id(), e.getMessage());
      put(row(checkpoint, cost, Double.NaN));
      return Outcome.DAMAGED;
    }
    structure = Optional.of(survey.structure());
    put(row(checkpoint, cost, survey.norm("model").orElse(Double.NaN)));
    byte[] page = ReportPage.of(subject, survey, history(checkpoint.id()));
    byte[] manifest = ManifestFile.of(subject, survey);
    boolean kept =
        trying(
            () -> {
              DurableFiles.createFolders(folder);
              DurableFiles.write(folder.resolve("manifest.json"), manifest);
              // last: it says that all is there
              DurableFiles.write(folder.resolve("report.html"), page);
            });
    unkeptId = kept ? "" : checkpoint.id();
    unkept = kept ? Map.of() : Map.of("manifest.json", manifest, "report.html", page);
    trying(() -> DurableFiles.write(workspace.newestReport(), page));
    return Outcome.WHOLE;
  }

  /**
   * What led to a checkpoint, oldest first, itself included: without what lies on branches that
   * were left, whose steps lie behind those that came later.
   */
  private List<Row> history(String id) {
    ArrayDeque<Row> way = new ArrayDeque<>();
    for (Row row : rows.headMap(id, true).descendingMap().values()) {
      if (way.isEmpty() || place(row).compareTo(place(way.getFirst())) < 0) {
        way.addFirst(row);
      }
    }
    return List.copyOf(way);
  }

  /** Step and phase, as an id has them behind its attempt. */
  private static String place(Row row) {
    return row.id().substring(row.id().indexOf('-') + 1);
  }

  private static boolean isPrepared(Path folder) {
    return FILES.stream().allMatch(file -> Files.isRegularFile(folder.resolve(file)));
  }

  /**
   * What it is compared with: its parent; for a state of an epoch's end the one before that step.
   */
  private Optional<String> before(Checkpoint checkpoint) {
    Optional<Row> parent = checkpoint.parent().map(rows::get);
    if (parent.isPresent()
        && checkpoint.progress().phase() == Progress.Phase.AFTER_EPOCH
        && parent.get().step() == checkpoint.progress().step()) {
      String older = rows.lowerKey(parent.get().id());
      return older == null ? checkpoint.parent() : Optional.of(older);
    }
    return checkpoint.parent();
  }

  private static Row row(Checkpoint checkpoint, Optional<SaveCost> cost, double norm) {
    return new Row(
        checkpoint.id(),
        checkpoint.progress().step(),
        checkpoint.progress().epoch(),
        checkpoint.committedAt(),
        checkpoint.bytes(),
        checkpoint.finite(),
        cost.map(c -> millis(c.stall())).orElse(Double.NaN),
        cost.map(c -> millis(c.write())).orElse(Double.NaN),
        norm,
        checkpoint.metrics(),
        "",
        false);
  }

  private static double millis(Duration duration) {
    return duration.toNanos() / 1e6;
  }

  private void put(Row row) {
    Row old = rows.get(row.id());
    Row merged = row;
    if (old != null && Double.isNaN(row.stallMillis())) {
      // a reconciliation knows no costs; what is known is kept
      merged =
          new Row(
              row.id(),
              row.step(),
              row.epoch(),
              row.at(),
              row.bytes(),
              row.finite(),
              old.stallMillis(),
              old.writeMillis(),
              Double.isNaN(row.norm()) ? old.norm() : row.norm(),
              row.metrics(),
              old.model(),
              row.deleted());
    }
    rows.put(row.id(), merged);
    trying(() -> workspace.rows(rows));
  }

  Optional<Row> row(String id) {
    return Optional.ofNullable(rows.get(id));
  }

  /** Those that are still there, oldest first. */
  List<Row> present() {
    return rows.values().stream().filter(row -> !row.deleted()).toList();
  }

  /** What the model is made of, as far as this process has read one. */
  Optional<String> structure() {
    return structure;
  }

  void published(String id, String model) {
    Row row = rows.get(id);
    if (row != null && !row.model().equals(model)) {
      rows.put(id, row.withModel(model));
      trying(() -> workspace.rows(rows));
    }
  }

  /** A checkpoint is gone from the store. */
  void deleted(String id) {
    Row row = rows.get(id);
    if (row != null && !row.deleted()) {
      rows.put(id, row.asDeleted());
      trying(() -> workspace.rows(rows));
    }
    Path folder = workspace.report(id);
    trying(
        () -> {
          // whatever is in it: a writer that died has left its own
          for (String file : DurableFiles.names(folder)) {
            DurableFiles.delete(folder.resolve(file));
          }
          Files.deleteIfExists(folder);
        });
  }

  /** The contents of a file, by its name; none that is not there. */
  Map<String, byte[]> files(String id) {
    if (id.equals(unkeptId)) {
      return unkept;
    }
    Map<String, byte[]> files = new TreeMap<>();
    for (String file : FILES) {
      trying(
          () ->
              DurableFiles.read(workspace.report(id).resolve(file))
                  .ifPresent(bytes -> files.put(file, bytes)));
    }
    return files;
  }
}
