@NullMarked
package dev.ckpt.internal.save;

import org.jspecify.annotations.NullMarked;
