package dev.ckpt.hdf5;

import java.util.ArrayList;
import java.util.List;

/**
 * The names of a group and where their headers stand: a heap of names, symbol table nodes that hold
 * 8 entries each, and a B-tree of 32 children a node above them, all filled from the left. Names
 * are sorted by their bytes, so that HDF5 finds one among 100,000 in three steps. They lie one
 * behind the other: heap, nodes, tree from its leaves to its root.
 */
final class GroupIndex {

  /** Half of the entries of a symbol table node, as the superblock says; HDF5's own default. */
  static final int LEAF_K = 4;

  /** Half of the children of a node of the tree, as the superblock says; HDF5's own default. */
  static final int INTERNAL_K = 16;

  static final int ENTRIES = 2 * LEAF_K;
  static final int ENTRY_BYTES = 40;
  static final int NODE_HEAD_BYTES = 8;
  static final int NODE_BYTES = NODE_HEAD_BYTES + ENTRIES * ENTRY_BYTES;
  static final int HEAP_HEAD_BYTES = 32;

  /** Offset of the first name in the heap; before it stands the empty one. */
  static final int FIRST_NAME = 8;

  private static final int CHILDREN = 2 * INTERNAL_K;
  private static final int TREE_NODE_BYTES = 24 + 8 * (2 * CHILDREN + 1);

  /** HDF5 writes so that a heap has no free space. */
  private static final long NOTHING_FREE = 1;

  static final byte[] HEAP = Bytes.utf8("HEAP");
  static final byte[] SYMBOLS = Bytes.utf8("SNOD");
  static final byte[] TREE = Bytes.utf8("TREE");

  private final List<byte[]> names;
  private final int heapBytes;

  /**
   * @param names of the links, sorted by their bytes, at least one
   */
  GroupIndex(List<byte[]> names) {
    this.names = names;
    int bytes = FIRST_NAME;
    for (byte[] name : names) {
      bytes = Math.addExact(bytes, heapBytes(name));
    }
    this.heapBytes = bytes;
  }

  /** What a name takes in the heap. */
  static int heapBytes(byte[] name) {
    return Words.padded(name.length + 1);
  }

  /** Size in bytes. */
  long bytes() {
    long bytes = HEAP_HEAD_BYTES + heapBytes;
    long nodes = nodes(names.size(), ENTRIES);
    bytes += nodes * NODE_BYTES;
    do {
      nodes = nodes(nodes, CHILDREN);
      bytes += nodes * TREE_NODE_BYTES;
    } while (nodes > 1);
    return bytes;
  }

  /** Where the root of the tree stands, if the index begins there. */
  long tree(long start) {
    return start + bytes() - TREE_NODE_BYTES;
  }

  private static long nodes(long count, int most) {
    return (count + most - 1) / most;
  }

  /**
   * Appends the index.
   *
   * @param start where in the file it begins
   * @param headers where the object header of each name stands
   */
  void encode(Bytes to, long start, long[] headers) {
    to.put(HEAP).u32(0).u64(heapBytes).u64(NOTHING_FREE).u64(start + HEAP_HEAD_BYTES);
    to.zeros(FIRST_NAME);
    int[] offsets = new int[names.size()];
    int offset = FIRST_NAME;
    for (int i = 0; i < offsets.length; i++) {
      offsets[i] = offset;
      byte[] name = names.get(i);
      to.put(name).zeros(heapBytes(name) - name.length);
      offset += heapBytes(name);
    }
    List<Node> level = symbols(to, start + HEAP_HEAD_BYTES + heapBytes, offsets, headers);
    long at = start + HEAP_HEAD_BYTES + heapBytes + (long) level.size() * NODE_BYTES;
    int height = 0;
    do {
      level = parents(to, at, level, height++);
      at += (long) level.size() * TREE_NODE_BYTES;
    } while (level.size() > 1);
  }

  /** A node that stands somewhere, and the heap offset of the greatest name below it. */
  private record Node(long at, int greatest) {}

  private static List<Node> symbols(Bytes to, long start, int[] offsets, long[] headers) {
    List<Node> nodes = new ArrayList<>();
    for (int first = 0; first < offsets.length; first += ENTRIES) {
      int end = Math.min(first + ENTRIES, offsets.length);
      nodes.add(new Node(start + (long) nodes.size() * NODE_BYTES, offsets[end - 1]));
      to.put(SYMBOLS).u8(1).u8(0).u16(end - first);
      for (int i = first; i < end; i++) {
        // nothing is cached in the entry
        to.u64(offsets[i]).u64(headers[i]).u32(0).u32(0).u64(0).u64(0);
      }
      to.zeros((ENTRIES - (end - first)) * ENTRY_BYTES);
    }
    return nodes;
  }

  private static List<Node> parents(Bytes to, long start, List<Node> children, int height) {
    List<Node> nodes = new ArrayList<>();
    int count = (int) nodes(children.size(), CHILDREN);
    for (int n = 0; n < count; n++) {
      List<Node> own =
          children.subList(n * CHILDREN, Math.min((n + 1) * CHILDREN, children.size()));
      long at = start + (long) n * TREE_NODE_BYTES;
      to.put(TREE).u8(0).u8(height).u16(own.size());
      to.u64(n == 0 ? Words.UNDEFINED : at - TREE_NODE_BYTES);
      to.u64(n == count - 1 ? Words.UNDEFINED : at + TREE_NODE_BYTES);
      // a key is the greatest name of the child before it
      to.u64(n == 0 ? 0 : children.get(n * CHILDREN - 1).greatest);
      for (Node child : own) {
        to.u64(child.at).u64(child.greatest);
      }
      to.zeros((CHILDREN - own.size()) * 16);
      nodes.add(new Node(at, own.get(own.size() - 1).greatest));
    }
    return nodes;
  }
}
