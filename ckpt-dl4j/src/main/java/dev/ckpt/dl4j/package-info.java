/**
 * Exact checkpoints for DL4J networks and SameDiff graphs. {@link dev.ckpt.dl4j.Dl4jCheckpoints} is
 * the door, {@link dev.ckpt.dl4j.NDArrayReader} reads tensors; the rest is package-private.
 */
@NullMarked
package dev.ckpt.dl4j;

import org.jspecify.annotations.NullMarked;
