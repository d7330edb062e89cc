/**
 * Measures what a checkpoint costs and prints one table. Start at {@link
 * dev.ckpt.benchmarks.Figures}.
 */
@NullMarked
package dev.ckpt.benchmarks;

import org.jspecify.annotations.NullMarked;
