/** The seams: stores, shard formats, listeners, resolvers and config sections plug in here. */
@NullMarked
package dev.ckpt.spi;

import org.jspecify.annotations.NullMarked;
