/** Complete programs that show how checkpoints are attached to a training. */
@NullMarked
package dev.ckpt.samples;

import org.jspecify.annotations.NullMarked;
