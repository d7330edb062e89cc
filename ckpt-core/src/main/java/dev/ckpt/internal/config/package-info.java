/** Reads the config: the file with its places, the environment, the defaults. */
@NullMarked
package dev.ckpt.internal.config;

import org.jspecify.annotations.NullMarked;
