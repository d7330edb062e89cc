package dev.ckpt.djl;

import ai.djl.training.optimizer.Optimizer;
import dev.ckpt.InitFrom;
import dev.ckpt.djl.SmallTraining.Loop;
import dev.ckpt.djl.SmallTraining.Setup;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * Makes the adapter's golden stores of format version 1: the same objects and names each time; the
 * tensors' last bits are those of the machine.
 *
 * <p>Runs {@code adam} and {@code adamw} are killed inside their second and first epoch, {@code
 * momentum} between two updates of two batches each; {@code stopped} stopped early; {@code tuned}
 * began with the body of {@code adam}, a part of it frozen, and was killed. {@code arrow} and
 * {@code hdf5} are one training, saved in each format by the same machine.
 */
final class GoldenTrainings {
  static final Path FOLDER = Path.of("src", "test", "resources", "golden", "v1");

  static final List<String> RUNS = List.of("adam", "adamw", "momentum", "stopped", "tuned");

  /** Written later, when there was a second format. */
  static final Path FORMATS_FOLDER = FOLDER.resolveSibling("v1-formats");

  static final List<String> FORMATS = List.of("arrow", "hdf5");

  /** What later builds take up. */
  static final List<String> ALL = Stream.concat(RUNS.stream(), FORMATS.stream()).toList();

  /** One whose source is not looked for again. */
  static final InitFrom BODY =
      InitFrom.of("adam", "latest").exclude("05Linear_*").freeze("01Linear_*");

  private GoldenTrainings() {}

  /** The training of a run, to be begun or to go on. */
  static SmallTraining training(String run, CheckpointStore store) {
    SmallTraining training =
        switch (run) {
          case "adam", "arrow", "hdf5" -> of(store, SmallTraining::adam, Loop.FIT, 15, false);
          case "adamw" -> of(store, SmallTraining::adamW, Loop.EASY_TRAIN, 7, false);
          case "momentum" -> of(store, SmallTraining::momentum, Loop.ACCUMULATE, 3, false);
          case "stopped" -> of(store, SmallTraining::adam, Loop.FIT, 50, true);
          case "tuned" -> of(store, SmallTraining::adam, Loop.FIT, 4, false);
          default -> throw new IllegalArgumentException(run);
        };
    training.checkpointing =
        builder ->
            switch (run) {
              case "tuned" -> builder.run(run).initFrom(BODY);
              case "arrow", "hdf5" -> builder.run(run).format(run);
              default -> builder.run(run);
            };
    return training;
  }

  private static SmallTraining of(
      CheckpointStore store, Supplier<Optimizer> optimizer, Loop loop, int every, boolean stops) {
    Setup setup = Setup.plain().with(optimizer).with(loop).savingEvery(every);
    return new SmallTraining(stops ? setup.stoppingEarly() : setup, store);
  }

  /** How many batches it trains before it is killed. */
  private static int killedAt(String run) {
    return switch (run) {
      case "adam", "arrow", "hdf5" -> 16;
      case "adamw", "momentum" -> 8;
      case "tuned" -> 5;
      default -> Integer.MAX_VALUE;
    };
  }

  static InMemoryStore written(List<String> runs) {
    InMemoryStore store = empty();
    runs.forEach(run -> training(run, store).run(killedAt(run)));
    return store;
  }

  static InMemoryStore empty() {
    return new InMemoryStore(Clock.systemUTC());
  }

  /**
   * The golden stores as they were committed, in memory: what is done to them leaves them alone.
   */
  static InMemoryStore golden() throws IOException {
    Map<String, byte[]> objects = new TreeMap<>();
    read(FOLDER, FOLDER, objects);
    read(FORMATS_FOLDER, FORMATS_FOLDER, objects);
    return store(objects);
  }

  /** One run of them alone. */
  static InMemoryStore golden(String run) throws IOException {
    Path folder = FORMATS.contains(run) ? FORMATS_FOLDER : FOLDER;
    Map<String, byte[]> objects = new TreeMap<>();
    read(folder, folder.resolve("runs").resolve(run), objects);
    return store(objects);
  }

  private static void read(Path folder, Path below, Map<String, byte[]> objects)
      throws IOException {
    try (var files = Files.walk(below)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        String key =
            folder.relativize(file).toString().replace(file.getFileSystem().getSeparator(), "/");
        objects.put(key, Files.readAllBytes(file));
      }
    }
  }

  static InMemoryStore store(Map<String, byte[]> objects) throws IOException {
    InMemoryStore store = empty();
    for (Map.Entry<String, byte[]> object : objects.entrySet()) {
      store.putIfAbsent(object.getKey(), ByteBuffer.wrap(object.getValue()));
    }
    return store;
  }

  static Map<String, byte[]> objects(CheckpointStore store) throws IOException {
    Map<String, byte[]> objects = new TreeMap<>();
    try (var entries = store.list("", "")) {
      entries.forEach(
          entry -> {
            ByteBuffer bytes = ByteBuffer.allocate((int) entry.length());
            try {
              store.read(entry.key(), 0, bytes);
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
            objects.put(entry.key(), bytes.array());
          });
    }
    return objects;
  }
}
