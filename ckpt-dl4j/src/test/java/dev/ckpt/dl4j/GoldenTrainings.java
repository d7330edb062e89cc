package dev.ckpt.dl4j;

import dev.ckpt.dl4j.SmallTraining.Data;
import dev.ckpt.dl4j.SmallTraining.Kind;
import dev.ckpt.dl4j.SmallTraining.Loop;
import dev.ckpt.dl4j.SmallTraining.Setup;
import dev.ckpt.dl4j.SmallTraining.Updater;
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
import java.util.stream.Stream;

/**
 * Makes the adapter's golden stores of format version 1: the same objects and names each time; the
 * tensors' last bits are those of the machine. All runs are killed inside their second epoch;
 * {@code listener} was saved inside the update. {@code arrow} and {@code hdf5} are one training,
 * saved in each format by the same machine.
 */
final class GoldenTrainings {
  static final Path FOLDER = Path.of("src", "test", "resources", "golden", "v1");
  static final List<String> RUNS = List.of("network", "graph", "samediff", "listener");

  /** Written later, when there was a second format. */
  static final Path FORMATS_FOLDER = FOLDER.resolveSibling("v1-formats");

  static final List<String> FORMATS = List.of("arrow", "hdf5");

  /** What later builds take up. */
  static final List<String> ALL = Stream.concat(RUNS.stream(), FORMATS.stream()).toList();

  static final int KILLED_AT = 14;

  private GoldenTrainings() {}

  /** The training of a run, to be begun or to go on. */
  static SmallTraining training(String run, CheckpointStore store) {
    Setup plain = Setup.PLAIN;
    SmallTraining training =
        new SmallTraining(
            switch (run) {
              case "network", "arrow", "hdf5" -> plain;
              case "graph" -> plain.with(Kind.GRAPH).with(Updater.NESTEROVS);
              case "samediff" -> plain.with(Kind.SAMEDIFF);
              case "listener" -> plain.with(Loop.LISTENER_ONLY).with(Data.SYNC);
              default -> throw new IllegalArgumentException(run);
            },
            store);
    training.checkpointing =
        builder -> FORMATS.contains(run) ? builder.run(run).format(run) : builder.run(run);
    return training;
  }

  static InMemoryStore written(List<String> runs) {
    InMemoryStore store = empty();
    runs.forEach(run -> training(run, store).run(KILLED_AT));
    return store;
  }

  static InMemoryStore empty() {
    return new InMemoryStore(Clock.systemUTC());
  }

  /** A run's golden store as it was committed, in memory: what is done to it leaves it alone. */
  static InMemoryStore golden(String run) throws IOException {
    Path folder = FORMATS.contains(run) ? FORMATS_FOLDER : FOLDER;
    InMemoryStore store = empty();
    try (var files = Files.walk(folder)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        String key =
            folder.relativize(file).toString().replace(file.getFileSystem().getSeparator(), "/");
        store.putIfAbsent(key, ByteBuffer.wrap(Files.readAllBytes(file)));
      }
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
