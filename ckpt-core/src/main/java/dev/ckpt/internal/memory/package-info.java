/** Checkpoints in this process's heap: for tests, and for trying things out. */
@NullMarked
package dev.ckpt.internal.memory;

import org.jspecify.annotations.NullMarked;
