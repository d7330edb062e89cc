/** What a checkpoint holds, read and shown: numbers, the manifest, the page. Knows no server. */
@NullMarked
package dev.ckpt.mlflow.internal.report;

import org.jspecify.annotations.NullMarked;
