/** The one encoding of JSON on disk, and the envelope around each record. */
@NullMarked
package dev.ckpt.internal.json;

import org.jspecify.annotations.NullMarked;
