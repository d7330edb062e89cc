/** House-keeping from outside: collecting, a limit for the whole store, repair. */
@NullMarked
package dev.ckpt.internal.mend;

import org.jspecify.annotations.NullMarked;
