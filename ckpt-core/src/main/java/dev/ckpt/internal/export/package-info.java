/** Files for other programs, made of a checkpoint. */
@NullMarked
package dev.ckpt.internal.export;

import org.jspecify.annotations.NullMarked;
