/** What there is in a run, and whether it is whole: for people and for maintenance. */
@NullMarked
package dev.ckpt.internal.survey;

import org.jspecify.annotations.NullMarked;
