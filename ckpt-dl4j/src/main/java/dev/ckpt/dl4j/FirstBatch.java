package dev.ckpt.dl4j;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * The first batch of an epoch in a few numbers. A resume sees by it that an iterator gives others,
 * because the data are others or it shuffles in a way that nobody can repeat.
 *
 * @param samples how many it has
 * @param mark a hash of some of its elements
 */
record FirstBatch(int epoch, long samples, String mark) {

  /** So few that no training notices. */
  private static final int LOOKED_AT = 128;

  static FirstBatch of(int epoch, long samples, List<@Nullable INDArray> arrays) {
    return new FirstBatch(epoch, samples, Fingerprint.of(arrays, LOOKED_AT));
  }

  Map<String, ?> json() {
    return Map.of("epoch", epoch, "samples", samples, "mark", mark);
  }

  static @Nullable FirstBatch parse(@Nullable Object json) {
    return json instanceof Map<?, ?> saved
            && saved.get("epoch") instanceof Number epoch
            && saved.get("samples") instanceof Number samples
            && saved.get("mark") instanceof String mark
        ? new FirstBatch(epoch.intValue(), samples.longValue(), mark)
        : null;
  }
}
