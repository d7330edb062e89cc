/** What happens after a commit: retention, listeners, and what dead processes left behind. */
@NullMarked
package dev.ckpt.internal.keep;

import org.jspecify.annotations.NullMarked;
