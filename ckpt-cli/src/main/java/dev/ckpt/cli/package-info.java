/**
 * The {@code ckpt} command. {@link dev.ckpt.cli.Ckpt} is its entry; each command is a class of its
 * own. It knows the doors of the core only.
 */
@NullMarked
package dev.ckpt.cli;

import org.jspecify.annotations.NullMarked;
