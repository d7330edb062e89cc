@NullMarked
package dev.ckpt.djl;

import org.jspecify.annotations.NullMarked;
