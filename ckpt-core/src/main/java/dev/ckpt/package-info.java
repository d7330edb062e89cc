/**
 * The user's room: attach, save, resume, look.
 *
 * <p>Everything a training needs is here; the seams that other parts plug into are in {@code
 * dev.ckpt.spi}, the records on disk in {@code dev.ckpt.manifest}. Start at {@link
 * dev.ckpt.CheckpointManager}.
 */
@NullMarked
package dev.ckpt;

import org.jspecify.annotations.NullMarked;
