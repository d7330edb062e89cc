/** A stand-in under the name of DL4J's own package, by which it is known. */
@org.jspecify.annotations.NullMarked
package org.deeplearning4j.parallelism;
