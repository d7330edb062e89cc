package dev.ckpt.internal.save;

import dev.ckpt.FailurePolicy;
import dev.ckpt.NonFinitePolicy;
import dev.ckpt.SaveTrigger;
import dev.ckpt.spi.ShardFormat;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Map;
import java.util.concurrent.ThreadFactory;
import java.util.function.LongSupplier;

/**
 * How saves behave.
 *
 * @param trigger when
 * @param format of the shards
 * @param header facts written into each shard
 * @param deadline longest wait of the training thread, and longest standstill of a writer
 * @param retries further tries of a write that failed
 * @param onFailure what a failed save does
 * @param nonFinite what a NaN does
 * @param clock wall clock, for records
 * @param ticker monotonic nanoseconds, for intervals
 * @param threads makes the writer threads
 */
public record SaveOptions(
    SaveTrigger trigger,
    ShardFormat format,
    Map<String, String> header,
    Duration deadline,
    int retries,
    FailurePolicy onFailure,
    NonFinitePolicy nonFinite,
    InstantSource clock,
    LongSupplier ticker,
    ThreadFactory threads) {}
