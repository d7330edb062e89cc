package dev.ckpt.dl4j;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.api.shape.Shape;

/**
 * A hash by which arrays are known again: of all elements if they are few, else of some, so that no
 * training notices. What is drawn or shuffled anew shows; a change of a few elements among many
 * need not.
 */
final class Fingerprint {
  private Fingerprint() {}

  /**
   * In hex; the layout of memory does not count.
   *
   * @param elements how many of each array are looked at, at places all over it that do not fall on
   *     one column of a matrix
   */
  static String of(List<@Nullable INDArray> arrays, int elements) {
    long mark = 0;
    for (INDArray array : arrays) {
      if (array != null && !array.isEmpty() && isReadable(array.dataType())) {
        long length = array.length();
        boolean all = length <= elements;
        for (long i = 0; i < Math.min(length, elements); i++) {
          long place = all ? i : Math.floorMod(Mixing.avalanche(i), length);
          double element = array.getDouble(Shape.ind2subC(array, place));
          mark = Mixing.avalanche(mark + Mixing.GAMMA + Double.doubleToLongBits(element));
        }
      }
    }
    return Long.toHexString(mark);
  }

  private static boolean isReadable(DataType type) {
    return type.isNumerical() || type == DataType.BOOL;
  }
}
