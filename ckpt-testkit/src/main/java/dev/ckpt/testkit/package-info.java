/**
 * Contracts as JUnit suites: whoever writes a store or a shard format extends the suite and gives
 * it an instance.
 */
@NullMarked
package dev.ckpt.testkit;

import org.jspecify.annotations.NullMarked;
