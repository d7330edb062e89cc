/** Finds, verifies and opens checkpoints. */
@NullMarked
package dev.ckpt.internal.restore;

import org.jspecify.annotations.NullMarked;
