/**
 * What stands between a shard format and a store: checksums on the way out, ranged reads and their
 * proof on the way in, and the scan for NaN and infinity.
 */
@NullMarked
package dev.ckpt.internal.shard;

import org.jspecify.annotations.NullMarked;
