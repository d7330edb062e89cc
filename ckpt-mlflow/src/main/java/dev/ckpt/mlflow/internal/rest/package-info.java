/** Calls to an MLflow server, each with a deadline. Knows no checkpoint. */
@NullMarked
package dev.ckpt.mlflow.internal.rest;

import org.jspecify.annotations.NullMarked;
