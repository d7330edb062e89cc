package dev.ckpt.internal.formats;

import dev.ckpt.CheckpointException;
import dev.ckpt.internal.arrow.ArrowFormat;
import dev.ckpt.spi.ShardFormat;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;

/** The shard formats on the class path: Arrow, and what {@link ServiceLoader} finds. */
public final class Formats {
  private static final Map<String, String> ARTIFACTS = Map.of("hdf5", "dev.ckpt:ckpt-hdf5");

  private final Map<String, ShardFormat> byName = new TreeMap<>();

  public Formats() {
    ShardFormat arrow = new ArrowFormat();
    byName.put(arrow.name(), arrow);
    for (ShardFormat format : ServiceLoader.load(ShardFormat.class)) {
      byName.putIfAbsent(format.name(), format);
    }
  }

  /**
   * The format of that name.
   *
   * @throws CheckpointException.Incompatible if there is none, naming the artifact to add
   */
  public ShardFormat named(String name) {
    ShardFormat format = byName.get(name);
    if (format == null) {
      String artifact = ARTIFACTS.get(name);
      throw new CheckpointException.Incompatible(
          "shard format '"
              + name
              + "' is not on the class path"
              + (artifact == null ? "; use one of " + byName.keySet() : ": add " + artifact));
    }
    return format;
  }
}
