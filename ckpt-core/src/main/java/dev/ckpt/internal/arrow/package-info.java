/**
 * The Arrow shard: an Arrow IPC file of one record batch with one row, a column for each tensor.
 * Described field by field in FORMAT.md. Built on the flatbuffers classes of Arrow's own
 * specification alone: no JVM flag, no Unsafe.
 */
@NullMarked
package dev.ckpt.internal.arrow;

import org.jspecify.annotations.NullMarked;
