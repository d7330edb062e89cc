/** What waits to be published, on disk. Knows no server. */
@NullMarked
package dev.ckpt.mlflow.internal.outbox;

import org.jspecify.annotations.NullMarked;
