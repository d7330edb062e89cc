/** Tests of the DL4J adapter: real networks and graphs, killed and resumed. */
@NullMarked
package dev.ckpt.dl4j;

import org.jspecify.annotations.NullMarked;
