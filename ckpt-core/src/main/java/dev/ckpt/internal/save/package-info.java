/** Capture, staging and the asynchronous write of one checkpoint after another. */
@NullMarked
package dev.ckpt.internal.save;

import org.jspecify.annotations.NullMarked;
