package dev.ckpt.internal.shard;

import java.util.regex.Pattern;

/**
 * What who writes and who reads the small values of a shard agree on. FORMAT.md, "Small values".
 */
public final class ShardValues {
  private static final Pattern PART = Pattern.compile("[A-Za-z0-9_-][A-Za-z0-9._-]*");

  private ShardValues() {}

  /** Key in the values that lists the columns holding opaque bytes; no part can have that name. */
  public static final String OPAQUE = "#bytes";

  /** Whether a part can have that name. */
  public static boolean isPart(String name) {
    return PART.matcher(name).matches();
  }
}
