/**
 * Exact checkpoints for Deep Java Library. {@link dev.ckpt.djl.DjlCheckpoints} is the one door; the
 * rest is package-private.
 */
@NullMarked
package dev.ckpt.djl;

import org.jspecify.annotations.NullMarked;
