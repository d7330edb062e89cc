package dev.ckpt.benchmarks;

import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.Progress;
import dev.ckpt.Stores;
import dev.ckpt.Verification;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.CRC32C;

/** What looking costs: a list in a JVM that has just started, and a verification. */
final class LookFigures {

  private static final int CHUNK = 1 << 20;
  private static final int FRESH_JVMS = 5;
  private static final String LISTED = "many";

  private final Path folder;

  LookFigures(Path folder) {
    this.folder = folder;
  }

  // ---- verify

  /** A file in the page cache, verified and, in turn, only read and checksummed. */
  Figure verify(String run, String id, int pairs) throws Exception {
    int threads = Math.min(4, Runtime.getRuntime().availableProcessors());
    List<ByteBuffer> buffers = new ArrayList<>();
    for (int i = 0; i < threads; i++) {
      buffers.add(ByteBuffer.allocateDirect(CHUNK));
    }
    try (CheckpointStore store = Stores.local(folder);
        FileChannel file = FileChannel.open(shard(run, id))) {
      Checkpoints checkpoints = Checkpoints.read(store, run);
      List<Double> ratios = new ArrayList<>();
      for (int i = -3; i < pairs; i++) {
        // else the maps of all rounds would pile up until the collector runs
        System.gc();
        boolean first = i % 2 == 0;
        double plain = first ? checksum(file, buffers) : 0;
        double verified = verified(checkpoints, id);
        plain = first ? plain : checksum(file, buffers);
        if (i >= 0) {
          ratios.add(plain / verified);
        }
      }
      return Figure.atLeast("verify speed / reading and CRC32C alone", 0.8, ratios);
    }
  }

  private Path shard(String run, String id) throws IOException {
    Keys keys = new Keys(run);
    CheckpointId parsed = CheckpointId.parse(id).orElseThrow();
    byte[] manifest = Files.readAllBytes(folder.resolve(keys.manifest(parsed)));
    if (Manifest.decode(id, manifest) instanceof Manifest.Commit commit) {
      return folder.resolve(commit.shards().get(0).key());
    }
    throw new IOException(id + " is not committed");
  }

  private static double verified(Checkpoints checkpoints, String id) throws IOException {
    long start = System.nanoTime();
    Verification found = checkpoints.verify(id);
    double nanos = System.nanoTime() - start;
    if (!found.ok()) {
      throw new IOException("damaged: " + found.problems());
    }
    return nanos;
  }

  private static double checksum(FileChannel file, List<ByteBuffer> buffers) throws Exception {
    long start = System.nanoTime();
    AtomicLong next = new AtomicLong();
    List<FutureTask<Long>> helpers = new ArrayList<>();
    for (ByteBuffer buffer : buffers.subList(1, buffers.size())) {
      FutureTask<Long> helper = new FutureTask<>(() -> checksum(file, next, buffer));
      helpers.add(helper);
      new Thread(helper, "checksum").start();
    }
    long seen = checksum(file, next, buffers.get(0));
    for (FutureTask<Long> helper : helpers) {
      seen ^= helper.get();
    }
    double nanos = System.nanoTime() - start;
    if (seen == 0) {
      throw new IOException("no bytes in " + file);
    }
    return nanos;
  }

  private static long checksum(FileChannel file, AtomicLong next, ByteBuffer buffer)
      throws IOException {
    long seen = 0;
    long size = file.size();
    CRC32C crc = new CRC32C();
    for (long at = next.getAndAdd(CHUNK); at < size; at = next.getAndAdd(CHUNK)) {
      buffer.clear();
      while (buffer.hasRemaining() && file.read(buffer, at + buffer.position()) > 0) {}
      crc.reset();
      crc.update(buffer.flip());
      seen ^= crc.getValue() + at;
    }
    return seen;
  }

  // ---- list

  /** Lists as many checkpoints, each time in a JVM of its own, from the begin of its main. */
  Figure list(int checkpoints) throws Exception {
    writeRun(checkpoints);
    List<Double> millis = new ArrayList<>();
    for (int i = 0; i < FRESH_JVMS; i++) {
      millis.add(listed(checkpoints));
    }
    return Figure.atMost(
        String.format(java.util.Locale.ROOT, "list of %,d in a fresh JVM", checkpoints),
        1000,
        "ms",
        millis);
  }

  private double listed(int checkpoints) throws IOException, InterruptedException {
    Process child =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp",
                System.getProperty("java.class.path"),
                Fresh.class.getName(),
                folder.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    if (!child.waitFor(2, TimeUnit.MINUTES)) {
      child.destroyForcibly();
      throw new IOException("a list in a fresh JVM has not ended for 2 minutes");
    }
    // one short line, which the pipe holds
    String said = new String(child.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
    String[] words = said.strip().split(" ");
    if (child.exitValue() != 0 || !words[0].equals(Integer.toString(checkpoints))) {
      throw new IOException("listed '" + said + "', not " + checkpoints + " checkpoints");
    }
    return Long.parseLong(words[1]) / 1e6;
  }

  /** What runs in the fresh JVM. */
  static final class Fresh {
    private Fresh() {}

    /** Prints how many there are, and the nanoseconds that it took. */
    public static void main(String[] args) throws IOException {
      long start = System.nanoTime();
      try (CheckpointStore store = Stores.local(Path.of(args[0]))) {
        List<Checkpoint> all = Checkpoints.read(store, LISTED).list();
        System.out.println(all.size() + " " + (System.nanoTime() - start));
      }
    }
  }

  /** Manifests as a training writes them, without shards and without forcing anything. */
  private void writeRun(int checkpoints) throws IOException {
    Keys keys = new Keys(LISTED);
    Instant begin = Instant.parse("2026-01-01T00:00:00Z");
    write(
        keys.attempt(1),
        new AttemptRecord(1, 1, List.of("0123456789abcdef"), "auto", 7, begin, Map.of()).encode());
    write(keys.resume(1), new ResumeRecord(1, Optional.empty(), List.of()).encode());
    Random random = new Random(5);
    Optional<CheckpointId> parent = Optional.empty();
    for (int i = 1; i <= checkpoints; i++) {
      Progress progress =
          new Progress(i * 100L, i / 20, i % 20 * 100L, i * 25_600L, Progress.Phase.AFTER_STEP);
      CheckpointId id = CheckpointId.of(1, progress);
      byte[] table = new byte[32];
      random.nextBytes(table);
      ShardDigest digest =
          new ShardDigest(
              1_000_000_000L,
              999_000_000L,
              random.nextInt(),
              java.util.HexFormat.of().formatHex(table));
      Vote vote =
          new Vote(
              id,
              0,
              1,
              parent,
              7,
              progress,
              begin.plusSeconds(30L * i),
              Map.of("train_loss", random.nextDouble(), "validate_Accuracy", random.nextDouble()),
              true,
              List.of(new ShardEntry(0, keys.shard(id, 0, 1, 0, "arrow"), "arrow", digest)));
      write(keys.manifest(id), Manifest.Commit.of(List.of(vote)).encode());
      parent = Optional.of(id);
    }
  }

  private void write(String key, byte[] bytes) throws IOException {
    Path file = folder.resolve(key);
    Files.createDirectories(file.getParent());
    Files.write(file, bytes);
  }
}
