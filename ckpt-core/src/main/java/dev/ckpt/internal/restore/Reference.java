package dev.ckpt.internal.restore;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Retention;
import dev.ckpt.internal.commit.Evidence;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.spi.CheckpointResolver;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a person calls one checkpoint of a run: an id, {@code best(metric)}, a scheme's own. */
public final class Reference {
  private static final Logger log = LoggerFactory.getLogger(Reference.class);

  private static final Pattern BEST =
      Pattern.compile("best\\(\\s*([^,\\s](?:[^,]*[^,\\s])?)\\s*(?:,\\s*(min|max)\\s*)?\\)");

  private Reference() {}

  /**
   * The checkpoint that it means now.
   *
   * @param words that the caller understands besides, for the message
   * @param resolvers of references, before those on the class path
   * @param ids what is decided
   * @throws CheckpointException.NotFound if it means none
   * @throws IllegalArgumentException if it is of no form that is known
   */
  public static CheckpointId resolve(
      String reference,
      String words,
      List<CheckpointResolver> resolvers,
      Lineage lineage,
      RunLog run,
      NavigableSet<CheckpointId> ids)
      throws IOException {
    Optional<CheckpointId> plain = CheckpointId.parse(reference);
    if (plain.isPresent()) {
      if (!ids.contains(plain.get())) {
        throw new CheckpointException.NotFound(
            "run '"
                + run.keys().run()
                + "' has no checkpoint "
                + reference
                + Evidence.damage(plain.get(), run)
                    .map(why -> ": " + why + ". `ckpt repair` says whether that can be mended")
                    .orElse("")
                + (ids.isEmpty() ? "; it has none" : "; the newest is " + ids.last()));
      }
      return plain.get();
    }
    Matcher best = BEST.matcher(reference);
    if (best.matches()) {
      NavigableSet<CheckpointId> live = new TreeSet<>(lineage.live(ids));
      Evidence evidence = Evidence.above(Optional.empty(), run);
      for (CheckpointId lost : lineage.live(evidence.all().navigableKeySet())) {
        log.warn(
            "left out of the choice: {}: {}. `ckpt repair` says whether that can be mended",
            lost,
            evidence.damage(lost).orElseThrow());
      }
      return best(
          best.group(1),
          "min".equals(best.group(2)) ? Retention.Mode.MIN : Retention.Mode.MAX,
          Candidates.committed(run, live, Reference::refuse));
    }
    int colon = reference.indexOf(':');
    String scheme = colon < 0 ? "" : reference.substring(0, colon).toLowerCase(Locale.ROOT);
    List<CheckpointResolver> all = new ArrayList<>(resolvers);
    ServiceLoader.load(CheckpointResolver.class).forEach(all::add);
    for (CheckpointResolver resolver : all) {
      if (resolver.scheme().equals(scheme)) {
        String id = resolver.resolve(reference, Candidates.committed(run, ids, Reference::refuse));
        return CheckpointId.parse(id)
            .filter(ids::contains)
            .orElseThrow(
                () ->
                    new CheckpointException.NotFound(
                        "'"
                            + reference
                            + "' is '"
                            + id
                            + "', which is no checkpoint of run '"
                            + run.keys().run()
                            + "'"));
      }
    }
    throw new IllegalArgumentException(
        "'"
            + reference
            + "' is none of "
            + words
            + ", an id like 000001-000000000100-0,"
            + " best(metric), best(metric, min)"
            + (scheme.equals("mlflow") ? "; mlflow: needs the artifact dev.ckpt:ckpt-mlflow" : ""));
  }

  private static CheckpointId best(String metric, Retention.Mode mode, List<Checkpoint> committed) {
    return best(committed, metric, mode)
        .flatMap(each -> CheckpointId.parse(each.id()))
        .orElseThrow(
            () ->
                new CheckpointException.NotFound(
                    "no checkpoint of the live branch has the metric '"
                        + metric
                        + "'; known: "
                        + committed.stream()
                            .flatMap(each -> each.metrics().keySet().stream())
                            .distinct()
                            .sorted()
                            .toList()));
  }

  /** The best finite one by a metric, of equal ones the newer: what retention calls the best. */
  public static Optional<Checkpoint> best(
      List<Checkpoint> committed, String metric, Retention.Mode mode) {
    return Retention.best(metric, mode, 1).keep(committed).stream().findFirst();
  }

  private static void refuse(CheckpointException unreadable) {
    if (unreadable instanceof CheckpointException.Incompatible) {
      throw unreadable;
    }
    log.warn("left out of the choice: {}", unreadable.getMessage());
  }
}
