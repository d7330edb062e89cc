/**
 * The records on disk, field by field as FORMAT.md describes them. Values only: nothing here does
 * I/O.
 */
@NullMarked
package dev.ckpt.manifest;

import org.jspecify.annotations.NullMarked;
