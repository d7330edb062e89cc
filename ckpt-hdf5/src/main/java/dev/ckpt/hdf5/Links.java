package dev.ckpt.hdf5;

import dev.ckpt.TensorSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * How tensors become links: a group for each part, and in it one for each name.
 *
 * @param root index of the root group: the parts, and the two datasets that are no tensors
 * @param names of the root group, in their order
 * @param parts in the order of their names
 */
record Links(GroupIndex root, List<byte[]> names, List<Part> parts) {

  private static final byte[] VALUES = Bytes.utf8(Words.VALUES);
  private static final byte[] CHECKSUMS = Bytes.utf8(Words.CHECKSUMS);

  /**
   * A group of tensors.
   *
   * @param tensors the tensor behind each name, in the order of the names
   */
  record Part(GroupIndex index, int[] tensors) {}

  /**
   * @throws IllegalArgumentException if a tensor cannot be named
   */
  static Links of(List<TensorSpec> tensors) {
    SortedMap<byte[], SortedMap<byte[], Integer>> byPart = new TreeMap<>(Arrays::compareUnsigned);
    for (int i = 0; i < tensors.size(); i++) {
      String name = tensors.get(i).name();
      int slash = name.indexOf('/');
      if (slash < 0) {
        throw new IllegalArgumentException("'" + name + "' is not <part>/<name>");
      }
      byte[] part = link(name, name.substring(0, slash));
      byte[] own = link(name, name.substring(slash + 1));
      if (byPart.computeIfAbsent(part, p -> new TreeMap<>(Arrays::compareUnsigned)).put(own, i)
          != null) {
        throw new IllegalArgumentException(
            "two datasets named '" + name + "': tensor names must be unique");
      }
    }
    List<Part> parts = new ArrayList<>();
    byPart.values().forEach(part -> parts.add(part(part)));
    List<byte[]> names = new ArrayList<>(byPart.keySet());
    names.add(VALUES);
    names.add(CHECKSUMS);
    names.sort(Arrays::compareUnsigned);
    return new Links(new GroupIndex(names), names, parts);
  }

  private static Part part(SortedMap<byte[], Integer> names) {
    return new Part(
        new GroupIndex(new ArrayList<>(names.keySet())),
        names.values().stream().mapToInt(Integer::intValue).toArray());
  }

  private static byte[] link(String tensor, String name) {
    byte[] link = Bytes.utf8(LinkName.escape(name));
    if (link.length > Words.MAX_NAME_BYTES) {
      throw new IllegalArgumentException(
          "the name of a tensor has more than 64 KiB: '" + tensor.substring(0, 64) + "...'");
    }
    return link;
  }

  /** The header of each name of the root group. */
  long[] rootHeaders(long[] partHeaders, long values, long checksums) {
    long[] headers = new long[names.size()];
    int part = 0;
    for (int i = 0; i < headers.length; i++) {
      byte[] name = names.get(i);
      headers[i] =
          Arrays.equals(name, VALUES)
              ? values
              : Arrays.equals(name, CHECKSUMS) ? checksums : partHeaders[part++];
    }
    return headers;
  }
}
