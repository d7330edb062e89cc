package dev.ckpt.internal.shard;

/**
 * What who writes and who reads the small values of a shard agree on. FORMAT.md, "Small values".
 */
public final class ShardValues {
  private ShardValues() {}

  /** Key in the values that lists the columns holding opaque bytes; no part can have that name. */
  public static final String OPAQUE = "#bytes";
}
