@NullMarked
package dev.ckpt.mlflow;

import org.jspecify.annotations.NullMarked;
