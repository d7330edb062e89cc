/**
 * For people who write a store or a format: the contracts as JUnit suites to extend, and a store
 * that misbehaves on demand.
 */
@NullMarked
package dev.ckpt.testkit;

import org.jspecify.annotations.NullMarked;
