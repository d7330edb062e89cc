package dev.ckpt.internal.arrow;

/**
 * A column that holds a tensor, or a slice of a large one.
 *
 * @param tensor index of the tensor
 * @param first its first byte within the tensor
 * @param bytes its size, more than 0
 */
record Column(int tensor, long first, long bytes) {}
