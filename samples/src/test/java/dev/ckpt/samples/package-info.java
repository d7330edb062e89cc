@NullMarked
package dev.ckpt.samples;

import org.jspecify.annotations.NullMarked;
