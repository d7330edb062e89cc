/** Rewrites a committed checkpoint in another shard format, as a run of its own. */
@NullMarked
package dev.ckpt.internal.convert;

import org.jspecify.annotations.NullMarked;
