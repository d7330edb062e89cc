/**
 * For people who write a store, a format or an adapter: the contracts as JUnit suites to extend, a
 * store that misbehaves on demand, and a store and a file system that crash and lose what was not
 * made durable.
 */
@NullMarked
package dev.ckpt.testkit;

import org.jspecify.annotations.NullMarked;
