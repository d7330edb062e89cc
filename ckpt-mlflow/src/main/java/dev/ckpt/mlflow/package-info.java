/**
 * Shows the checkpoints of a run in MLflow. Switched on by {@code mlflow:} in the config; training
 * never waits for it.
 */
@NullMarked
package dev.ckpt.mlflow;

import org.jspecify.annotations.NullMarked;
