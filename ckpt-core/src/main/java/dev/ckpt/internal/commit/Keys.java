package dev.ckpt.internal.commit;

import dev.ckpt.manifest.CheckpointId;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The names of everything a run keeps in a store. FORMAT.md, "Keys".
 *
 * @param run name of the run
 */
public record Keys(String run) {

  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}");
  private static final String JSON = ".json";

  public Keys {
    if (!NAME.matcher(run).matches()) {
      throw new IllegalArgumentException(
          "run name '" + run + "': use 1 to 128 letters, digits, '.', '_' or '-', no leading dot");
    }
  }

  /** Turns any text into a run name. */
  public static String sanitized(String text) {
    String name = text.replaceAll("[^A-Za-z0-9._-]+", "-").replaceAll("^[.-]+|-+$", "");
    return name.isEmpty() ? "run" : name.substring(0, Math.min(name.length(), 128));
  }

  /** What all keys of the run begin with. */
  public String root() {
    return "runs/" + run + "/";
  }

  /** The advisory lock of a single process. */
  public String lock() {
    return root() + "lock";
  }

  /** The advisory lock of who maintains the run from outside. */
  public String cleaning() {
    return root() + "cleaning";
  }

  /** Folder of the attempt records. */
  public String attempts() {
    return root() + "attempts/";
  }

  /** Folder of the resume records. */
  public String resumes() {
    return root() + "resume/";
  }

  /** Folder of the end records. */
  public String ends() {
    return root() + "ends/";
  }

  /** Folder of the manifests. */
  public String manifests() {
    return root() + "manifests/";
  }

  /** Folder of the shards of all checkpoints. */
  public String data() {
    return root() + "data/";
  }

  /** Folder of the marks of deleted checkpoints. */
  public String deleted() {
    return root() + "deleted/";
  }

  /** Folder of the pins. */
  public String pins() {
    return root() + "pins/";
  }

  /** Folder of what a repair moved aside. */
  public String quarantine() {
    return root() + "quarantine/";
  }

  /**
   * Where a repair keeps an object of this run byte for byte.
   *
   * @param id the checkpoint that it belongs to; empty for records of attempts
   */
  public String quarantined(Optional<CheckpointId> id, String key) {
    String folder = id.map(of -> of + "/").orElse("");
    return quarantine() + folder + key.substring(root().length());
  }

  /** The id whose decision was copied aside to that key. */
  public Optional<CheckpointId> quarantinedManifest(String key) {
    if (!key.startsWith(quarantine())) {
      return Optional.empty();
    }
    String rest = key.substring(quarantine().length());
    return CheckpointId.parse(rest.substring(0, Math.max(0, rest.indexOf('/'))))
        .filter(id -> key.startsWith(quarantined(Optional.of(id), manifest(id))));
  }

  /** Record of an attempt. */
  public String attempt(int attempt) {
    return attempts() + number(attempt) + JSON;
  }

  /** Record of what an attempt started from. */
  public String resume(int attempt) {
    return resumes() + number(attempt) + JSON;
  }

  /** Record of how an attempt ended. */
  public String end(int attempt) {
    return ends() + number(attempt) + JSON;
  }

  /** The decision about a checkpoint. */
  public String manifest(CheckpointId id) {
    return manifests() + id + JSON;
  }

  /** Folder of a checkpoint's shards. */
  public String data(CheckpointId id) {
    return data() + id + "/";
  }

  /**
   * A shard.
   *
   * @param retry 0 for the first try; a name is never used twice
   */
  public String shard(CheckpointId id, int rank, int world, int retry, String extension) {
    String name =
        String.format(
            Locale.ROOT, "rank-%05d-of-%05d%s", rank, world, retry == 0 ? "" : "-r" + retry);
    return data(id) + name + "." + extension;
  }

  /** Folder of the votes on all checkpoints. */
  public String votes() {
    return root() + "votes/";
  }

  /** Folder of a checkpoint's votes. */
  public String votes(CheckpointId id) {
    return votes() + id + "/";
  }

  /** One worker's vote. */
  public String vote(CheckpointId id, int rank) {
    return votes(id) + String.format(Locale.ROOT, "rank-%05d.json", rank);
  }

  /** Mark of a deleted checkpoint. */
  public String deleted(CheckpointId id) {
    return deleted() + id;
  }

  /** Pin of a checkpoint. */
  public String pin(CheckpointId id) {
    return pins() + id;
  }

  /**
   * The number of an attempt, from the key of one of its records, or of a repair's copy of it.
   *
   * @return empty for what stands anywhere else, whatever it is called: it is foreign
   */
  public Optional<Integer> attemptOf(String key) {
    String name = lastSegment(key);
    if (!name.matches("\\d{6}\\.json")) {
      return Optional.empty();
    }
    int number = Integer.parseInt(name.substring(0, 6));
    String place =
        key.startsWith(quarantine()) ? root() + key.substring(quarantine().length()) : key;
    return List.of(attempt(number), resume(number), end(number)).contains(place)
        ? Optional.of(number)
        : Optional.empty();
  }

  /**
   * The checkpoint whose manifest, mark, pin, shard or vote stands under a key.
   *
   * @return empty for what stands anywhere else, whatever it is called: it is foreign
   */
  public Optional<CheckpointId> idOf(String key) {
    int folderEnd = key.startsWith(root()) ? key.indexOf('/', root().length()) + 1 : 0;
    if (folderEnd == 0) {
      return Optional.empty();
    }
    String folder = key.substring(0, folderEnd);
    int end = key.lastIndexOf('/');
    boolean inFolder = end >= folderEnd;
    if (folder.equals(data()) || folder.equals(votes())) {
      return inFolder ? CheckpointId.parse(key.substring(folderEnd, end)) : Optional.empty();
    }
    if (folder.equals(manifests()) && key.endsWith(JSON)) {
      return CheckpointId.parse(key.substring(folderEnd, key.length() - JSON.length()));
    }
    return folder.equals(deleted()) || folder.equals(pins())
        ? CheckpointId.parse(key.substring(folderEnd))
        : Optional.empty();
  }

  /** The run that a key lies in, if it looks like one of a run's. */
  static Optional<String> runOf(String key) {
    String[] segments = key.split("/");
    return segments.length > 2 && segments[0].equals("runs") && NAME.matcher(segments[1]).matches()
        ? Optional.of(segments[1])
        : Optional.empty();
  }

  private static String lastSegment(String key) {
    return key.substring(key.lastIndexOf('/') + 1);
  }

  private static String number(int attempt) {
    return String.format(Locale.ROOT, "%06d", attempt);
  }
}
