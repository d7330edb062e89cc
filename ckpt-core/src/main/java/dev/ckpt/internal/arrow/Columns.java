package dev.ckpt.internal.arrow;

import dev.ckpt.DType;
import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.EscapedName;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** How tensors become columns. */
final class Columns {

  private Columns() {}

  /**
   * The columns of these tensors in their order: none for an empty tensor, several for one larger
   * than {@code maxColumnBytes}.
   *
   * @throws IllegalArgumentException if a tensor cannot be named or described
   */
  static List<Column> of(List<TensorSpec> tensors, long maxColumnBytes) {
    List<Column> columns = new ArrayList<>(tensors.size());
    Set<String> names = new HashSet<>();
    for (int i = 0; i < tensors.size(); i++) {
      TensorSpec spec = tensors.get(i);
      check(spec, names);
      long slice = maxColumnBytes / spec.type().bytes() * spec.type().bytes();
      for (long first = 0; first < spec.bytes(); first += slice) {
        columns.add(new Column(i, first, Math.min(slice, spec.bytes() - first)));
      }
    }
    return columns;
  }

  private static void check(TensorSpec spec, Set<String> names) {
    String name = Keys.COLUMN_NAME.escape(spec.name());
    if (name.equals(Keys.VALUES) || !names.add(name)) {
      throw new IllegalArgumentException(
          "two columns named '" + name + "': tensor names must be unique, and not " + Keys.VALUES);
    }
    // room for the number of a slice
    if (EscapedName.bytes(name) > Keys.MAX_NAME_BYTES - 16) {
      throw new IllegalArgumentException(
          "the name of a tensor has more than 64 KiB: '" + name.substring(0, 64) + "...'");
    }
    if (spec.shape().rank() > Keys.MAX_RANK) {
      throw new IllegalArgumentException(
          spec.name() + " has more than " + Keys.MAX_RANK + " dimensions");
    }
  }

  /** What Arrow's tools see: its tensor type knows neither bfloat16 nor bool. */
  static DType storage(DType type) {
    return switch (type) {
      case BFLOAT16 -> DType.UINT16;
      case BOOL -> DType.UINT8;
      default -> type;
    };
  }

  /** Whether an integer type has a sign. */
  static boolean signed(DType type) {
    return switch (type) {
      case INT64, INT32, INT16, INT8 -> true;
      default -> false;
    };
  }
}
