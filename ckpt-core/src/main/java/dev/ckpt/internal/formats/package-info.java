/** Which shard formats there are. */
@NullMarked
package dev.ckpt.internal.formats;

import org.jspecify.annotations.NullMarked;
