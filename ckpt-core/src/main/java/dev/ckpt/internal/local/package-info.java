/** Checkpoints in a folder of a file system. */
@NullMarked
package dev.ckpt.internal.local;

import org.jspecify.annotations.NullMarked;
