package dev.ckpt.internal.restore;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ckpt.CheckpointException;
import dev.ckpt.Progress;
import dev.ckpt.StateView;
import dev.ckpt.internal.json.CanonicalJson;
import dev.ckpt.internal.shard.ShardValues;
import dev.ckpt.internal.shard.StoreInput;
import dev.ckpt.internal.shard.VerifiedInput;
import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.LongConsumer;

/**
 * One committed checkpoint, opened for reading: its shards, each behind checksums, and one {@link
 * StateView} for each part.
 */
public final class OpenCheckpoint implements Closeable {

  /** One shard. */
  private record Shard(ShardEntry entry, VerifiedInput input, ShardFormat.Reader reader) {}

  private final Manifest.Commit manifest;
  private final List<Shard> shards = new ArrayList<>();
  private final Map<String, PartView> parts = new LinkedHashMap<>();

  private OpenCheckpoint(Manifest.Commit manifest) {
    this.manifest = manifest;
  }

  /**
   * Opens the shards of a checkpoint. Only their tails and metadata are read.
   *
   * @param formats a shard format by name; throws {@link CheckpointException.Incompatible} for one
   *     that is not there
   * @throws CheckpointException.Corrupt if a shard is missing, or what was read does not match
   * @throws IOException if the store fails
   */
  public static OpenCheckpoint open(
      CheckpointStore store, Manifest.Commit manifest, Function<String, ShardFormat> formats)
      throws IOException {
    OpenCheckpoint open = new OpenCheckpoint(manifest);
    try {
      for (ShardEntry entry : manifest.shards()) {
        open.add(store, entry, formats.apply(entry.format()));
      }
    } catch (Throwable e) {
      open.close();
      throw e;
    }
    return open;
  }

  /**
   * Reads a checkpoint back and compares every byte with its checksum, on this thread, without a
   * map and without looking at what it means.
   *
   * @throws CheckpointException.Corrupt if a shard is missing, or a byte differs
   * @throws IOException if the store fails
   */
  public static void readBack(
      CheckpointStore store, Manifest.Commit manifest, Function<String, ShardFormat> formats)
      throws IOException {
    for (ShardEntry entry : manifest.shards()) {
      verified(store, manifest, entry, formats.apply(entry.format()), false).verifyAll(1);
    }
  }

  /**
   * Compares every byte of one shard with its checksum, without looking at what it means.
   *
   * @param threads how many work at it, this one included
   * @param onBytes told of bytes that were compared, on any of them
   * @return one sentence for each place that differs
   * @throws CheckpointException.Incompatible if its format is not there
   * @throws IOException if the store fails
   */
  public static List<String> problems(
      CheckpointStore store,
      Manifest.Commit manifest,
      ShardEntry entry,
      Function<String, ShardFormat> formats,
      int threads,
      LongConsumer onBytes)
      throws IOException {
    ShardFormat format = formats.apply(entry.format());
    try {
      return verified(store, manifest, entry, format, true).problems(threads, onBytes);
    } catch (CheckpointException.Corrupt e) {
      return List.of(String.valueOf(e.getMessage()));
    }
  }

  private static VerifiedInput verified(
      CheckpointStore store,
      Manifest.Commit manifest,
      ShardEntry entry,
      ShardFormat format,
      boolean mapped)
      throws IOException {
    try {
      StoreInput opened = StoreInput.open(store, entry.key(), entry.digest().length());
      StoreInput raw = mapped ? opened : opened.unmapped();
      ChunkTable table = format.chunks(raw, entry.digest());
      return new VerifiedInput(raw, table, entry.digest());
    } catch (NoSuchFileException e) {
      throw new CheckpointException.Corrupt(
          manifest.id() + ": its shard " + entry.key() + " is missing", e);
    }
  }

  private void add(CheckpointStore store, ShardEntry entry, ShardFormat format) throws IOException {
    VerifiedInput input = verified(store, manifest, entry, format, true);
    ShardFormat.Reader reader = format.reader(input);
    shards.add(new Shard(entry, input, reader));
    JsonNode values = CanonicalJson.decode(bytes(reader.values()), entry.key() + " values");
    for (int tensor = 0; tensor < reader.tensors().size(); tensor++) {
      String name = reader.tensors().get(tensor).name();
      int slash = name.indexOf('/');
      if (slash < 0) {
        throw new CheckpointException.Corrupt(entry.key() + ": tensor '" + name + "' has no part");
      }
      part(entry, name.substring(0, slash)).add(reader, tensor, name.substring(slash + 1));
    }
    require(values.isObject(), entry, "its values are no JSON object");
    for (Map.Entry<String, JsonNode> value : values.properties()) {
      if (value.getKey().equals(ShardValues.OPAQUE)) {
        require(value.getValue().isArray(), entry, ShardValues.OPAQUE + " is no list");
        for (JsonNode name : value.getValue()) {
          int slash = name.asText().indexOf('/');
          require(
              name.isTextual()
                  && slash > 0
                  && part(entry, name.asText().substring(0, slash))
                      .markBytes(name.asText().substring(slash + 1)),
              entry,
              ShardValues.OPAQUE + " names " + name + ", which is no tensor of bytes");
        }
      } else {
        require(
            value.getValue().isObject() && part(entry, value.getKey()).values(value.getValue()),
            entry,
            "the values of part '" + value.getKey() + "' are no object, or named as its tensors");
      }
    }
  }

  /** What no writer of ours writes: a restore would stumble over it later, or not at all. */
  private static void require(boolean holds, ShardEntry entry, String problem) {
    if (!holds) {
      throw new CheckpointException.Corrupt(entry.key() + " is damaged: " + problem);
    }
  }

  private PartView part(ShardEntry entry, String name) {
    require(ShardValues.isPart(name), entry, "no part can be named '" + name + "'");
    return parts.computeIfAbsent(
        name, key -> new PartView(manifest.id() + " " + key, manifest.progress()));
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return bytes;
  }

  /** The decision that committed it. */
  public Manifest.Commit manifest() {
    return manifest;
  }

  /** Its shards as they are, in the manifest's order; they live as long as this. */
  public List<ShardFormat.Reader> shards() {
    return shards.stream().map(Shard::reader).toList();
  }

  /** The parts that were captured. */
  public List<String> parts() {
    return List.copyOf(parts.keySet());
  }

  /**
   * The state of a part. One that captured nothing left no trace, so a part that the checkpoint
   * does not hold is empty, not missing: whether it can be restored from nothing is for its {@code
   * check} to say.
   */
  public StateView view(String part) {
    PartView view = parts.get(part);
    return view != null ? view : new PartView(manifest.id() + " " + part, manifest.progress());
  }

  /**
   * Compares every byte with its checksum.
   *
   * @return how many bytes
   * @throws CheckpointException.Corrupt at the first that differs
   */
  public long verify(int threads) throws IOException {
    long bytes = 0;
    for (Shard shard : shards) {
      shard.input().verifyAll(threads);
      bytes += shard.entry().digest().length();
    }
    return bytes;
  }

  /** Where the training stood. */
  public Progress progress() {
    return manifest.progress();
  }

  @Override
  public void close() throws IOException {
    IOException failure = null;
    for (Shard shard : shards) {
      try {
        shard.reader().close();
      } catch (IOException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
