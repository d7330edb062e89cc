package dev.ckpt.internal.shard;

import dev.ckpt.TensorSpec;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** Puts one worker's state into a store. */
public final class ShardFile {
  private ShardFile() {}

  /**
   * Fails early if the store knows that it cannot hold these tensors.
   *
   * @param what they are, for the message
   * @param wayOut what to do about it
   */
  public static void requireRoom(
      CheckpointStore store, List<TensorSpec> tensors, String what, String wayOut)
      throws IOException {
    long needed = tensors.stream().mapToLong(TensorSpec::bytes).sum();
    Optional<Long> usable = store.usableBytes();
    if (usable.isPresent() && usable.get() < needed) {
      throw new IOException(
          "no space left: "
              + what
              + " needs "
              + needed
              + " bytes, "
              + store.uri()
              + " has "
              + usable.get()
              + ": "
              + wayOut);
    }
  }

  /** Writes a shard; it is durable, and there, when this returns, else not there at all. */
  public static ShardEntry write(
      CheckpointStore store,
      String key,
      int rank,
      ShardFormat format,
      ShardFormat.Contents contents)
      throws IOException {
    try (CheckpointStore.Sink sink = store.create(key)) {
      ChecksumOutput output = new ChecksumOutput(sink);
      format.write(contents, output);
      ShardDigest digest = output.digest();
      sink.complete();
      return new ShardEntry(rank, key, format.name(), digest);
    }
  }
}
