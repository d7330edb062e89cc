/** One process's life with a run: stop signals, and who else in this JVM has it open. */
@NullMarked
package dev.ckpt.internal.run;

import org.jspecify.annotations.NullMarked;
