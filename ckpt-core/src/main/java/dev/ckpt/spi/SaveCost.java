package dev.ckpt.spi;

import java.time.Duration;

/**
 * What a save has cost, by the clock of the process that saved.
 *
 * @param stall how long the training thread stood still: it waited for the save before, and copied
 * @param write how long the writer thread needed from its start to the commit, behind the training
 */
public record SaveCost(Duration stall, Duration write) {}
