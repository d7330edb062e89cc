/** The protocol: who may write, what is committed, which branch is live. See FORMAT.md. */
@NullMarked
package dev.ckpt.internal.commit;

import org.jspecify.annotations.NullMarked;
