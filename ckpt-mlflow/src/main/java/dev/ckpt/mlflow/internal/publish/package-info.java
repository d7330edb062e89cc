/** Takes entries of the outbox, writes the local reports, and mirrors the run on a server. */
@NullMarked
package dev.ckpt.mlflow.internal.publish;

import org.jspecify.annotations.NullMarked;
