package dev.ckpt.hdf5;

import dev.ckpt.CheckpointException;
import dev.ckpt.DType;
import dev.ckpt.Placement;
import dev.ckpt.Shape;
import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.ShardVersion;
import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SortedMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Reads what stands before the first tensor, and refuses everything that {@link Layout} could not
 * have made, apart from attributes that a later minor version may add. Goes through the bytes once,
 * from the first to the last: each thing must stand where the one before it ended, so nothing is
 * read twice, nothing leads out of the file, and what a file describes never takes more memory than
 * the file.
 */
final class MetadataReader {

  /** Where something is that a link names. */
  private record Link(String name, long header) {}

  /** A tensor's header as its link says. */
  private record Tensor(String part, String name, long header) {}

  /**
   * What the metadata say.
   *
   * @param starts where each tensor begins; of an empty one, where the next does
   */
  record Decoded(
      SortedMap<String, String> header,
      List<TensorSpec> tensors,
      long[] starts,
      long valuesStart,
      int valuesBytes) {}

  private final String file;
  private final long length;
  private final ByteBuffer in;
  private int next;

  private MetadataReader(String file, long length, ByteBuffer in, int next) {
    this.file = file;
    this.length = length;
    this.in = in;
    this.next = next;
  }

  static Decoded read(ShardFormat.Input from) throws IOException {
    String file = from.name();
    int least = Superblock.BYTES + HeaderEncoder.PREFIX_BYTES;
    if (from.length() < least) {
      throw new CheckpointException.Corrupt(
          file + " is no HDF5 file: it has " + from.length() + " bytes");
    }
    ByteBuffer first = read(from, least);
    Superblock.require(file, first, from.length());
    ByteBuffer rootBytes =
        read(
            from,
            guarded(file, () -> least + (long) ObjectHeader.messageBytes(first, Superblock.BYTES)));
    ObjectHeader root =
        guarded(
            file,
            () -> {
              ObjectHeader found = new ObjectHeader(rootBytes, Superblock.BYTES);
              requireVersion(file, found);
              return found;
            });
    ByteBuffer metadata = read(from, guarded(file, () -> root.attribute(Words.BODY).number()));
    return guarded(
        file, () -> new MetadataReader(file, from.length(), metadata, root.end()).decode(root));
  }

  private static ByteBuffer read(ShardFormat.Input from, long bytes) throws IOException {
    if (bytes < 0 || bytes > from.length() || bytes > Integer.MAX_VALUE - 8) {
      throw new CheckpointException.Corrupt(
          from.name() + " is no shard: its metadata are said to have " + bytes + " bytes");
    }
    ByteBuffer read = ByteBuffer.allocate((int) bytes).order(ByteOrder.LITTLE_ENDIAN);
    from.read(0, read);
    return read.clear();
  }

  /** Whatever goes wrong in reading means a corrupt file. */
  private static <T> T guarded(String file, Supplier<T> read) {
    try {
      return read.get();
    } catch (CheckpointException e) {
      throw e;
    } catch (RuntimeException e) {
      throw new CheckpointException.Corrupt(
          file + " is no shard: its HDF5 metadata are damaged: " + e.getMessage(), e);
    }
  }

  private static void requireVersion(String file, ObjectHeader root) {
    ObjectHeader.Attribute format = root.attributes().get(Words.FORMAT);
    String text = format == null ? "" : format.text();
    if (!text.startsWith(Words.FORMAT_NAME + "/")) {
      throw new CheckpointException.Corrupt(
          file
              + " is an HDF5 file, but no shard of a checkpoint: its root group has no attribute "
              + Words.FORMAT
              + " of "
              + Words.FORMAT_NAME);
    }
    ShardVersion.require(file, text, Words.FORMAT_NAME, Words.MAJOR);
    String features = root.attribute(Words.REQUIRED_FEATURES).text();
    ObjectHeader.require(
        features.startsWith("[") && features.endsWith("]"),
        Words.REQUIRED_FEATURES + " is no list");
    if (!features.equals("[]")) {
      throw ShardVersion.unknownFeatures(file, features);
    }
  }

  private Decoded decode(ObjectHeader root) {
    List<Link> links = index(root);
    long values = -1;
    long checksums = -1;
    List<Tensor> found = new ArrayList<>();
    for (Link link : links) {
      if (link.name.equals(Words.VALUES)) {
        values = link.header;
      } else if (link.name.equals(Words.CHECKSUMS)) {
        checksums = link.header;
      } else {
        String part = LinkName.unescape(link.name);
        for (Link tensor : index(header(link.header))) {
          found.add(new Tensor(part, LinkName.unescape(tensor.name), tensor.header));
        }
      }
    }
    found.sort((a, b) -> Long.compare(a.header, b.header));
    long at = in.limit();
    ObjectHeader.require(at % Words.ALIGNMENT == 0, "the body begins at " + at);
    List<TensorSpec> tensors = new ArrayList<>(found.size());
    long[] starts = new long[found.size()];
    for (int i = 0; i < starts.length; i++) {
      Tensor tensor = found.get(i);
      TensorSpec spec = tensor(header(tensor.header), tensor, i, at);
      tensors.add(spec);
      starts[i] = at;
      at = Math.addExact(at, Words.aligned(spec.bytes()));
    }
    ObjectHeader valuesHeader = header(values);
    long valuesBytes = array(valuesHeader, DType.UINT8, at);
    long tail = Words.aligned(Math.addExact(at, valuesBytes));
    long numbers = array(header(checksums), DType.UINT32, tail);
    ObjectHeader.require(
        Words.aligned(next) == in.limit()
            && valuesBytes <= Integer.MAX_VALUE
            && numbers == 1 + ChunkTable.chunks(tail)
            && tail + numbers * Integer.BYTES == length,
        "its datasets end at " + tail + " with " + numbers + " checksums");
    ObjectHeader.requireZeros(in, next, in.limit());
    return new Decoded(
        Facts.decode(root.attributes()), List.copyOf(tensors), starts, at, (int) valuesBytes);
  }

  /** The header that a link names: it stands where the thing before it ended. */
  private ObjectHeader header(long named) {
    ObjectHeader.require(
        named == next, "an object header is said to stand at " + named + ", not at " + next);
    ObjectHeader header = new ObjectHeader(in, next);
    next = header.end();
    return header;
  }

  /** The links of a group, whose index stands behind its header. */
  private List<Link> index(ObjectHeader group) {
    int start = next;
    int names = start + GroupIndex.HEAP_HEAD_BYTES;
    long heapBytes = in.getLong(start + 8);
    ObjectHeader.require(
        heapBytes >= GroupIndex.FIRST_NAME && heapBytes <= in.limit() - names,
        "a heap of " + heapBytes + " bytes");
    int heapEnd = names + (int) heapBytes;
    List<byte[]> raw = new ArrayList<>();
    List<Link> links = new ArrayList<>();
    int name = names + GroupIndex.FIRST_NAME;
    ByteBuffer symbols = ByteBuffer.wrap(GroupIndex.SYMBOLS);
    int node = heapEnd;
    int count = GroupIndex.ENTRIES;
    while (count == GroupIndex.ENTRIES && in.slice(node, symbols.limit()).equals(symbols)) {
      count = Short.toUnsignedInt(in.getShort(node + 6));
      for (int i = 0; i < count; i++) {
        int entry = node + GroupIndex.NODE_HEAD_BYTES + i * GroupIndex.ENTRY_BYTES;
        byte[] link = name(name, heapEnd);
        byte @Nullable [] before = raw.isEmpty() ? null : raw.get(raw.size() - 1);
        ObjectHeader.require(
            before == null || Arrays.compareUnsigned(before, link) < 0,
            "the names of a group are not in their order");
        raw.add(link);
        links.add(new Link(ObjectHeader.decoded(ByteBuffer.wrap(link)), in.getLong(entry + 8)));
        name += GroupIndex.heapBytes(link);
      }
      node += GroupIndex.NODE_BYTES;
    }
    ObjectHeader.require(!links.isEmpty(), "a group without names");
    GroupIndex index = new GroupIndex(raw);
    Bytes expected = new Bytes();
    index.encode(expected, start, links.stream().mapToLong(Link::header).toArray());
    ObjectHeader.require(
        expected.size() <= in.limit() - start
            && in.slice(start, expected.size()).equals(expected.finished()),
        "the index of a group is not that of its names");
    group.requireGroup(index.tree(start), start);
    next = start + expected.size();
    return links;
  }

  private byte[] name(int from, int end) {
    int to = from;
    while (to < end && in.get(to) != 0) {
      to++;
    }
    ObjectHeader.require(to < end, "a name is not in its heap");
    byte[] name = new byte[to - from];
    in.get(from, name);
    return name;
  }

  private static TensorSpec tensor(ObjectHeader header, Tensor link, int index, long at) {
    DType type = header.type();
    ObjectHeader.require(
        header.attribute(Words.DTYPE).text().equals(type.id()),
        link.name + " is said to be of another type than its dataset");
    ObjectHeader.require(
        header.attribute(Words.INDEX).number() == index,
        link.name + " is not in the order of its header");
    TensorSpec spec =
        new TensorSpec(link.part + "/" + link.name, type, header.shape(), placement(header));
    header.requirePlace(at, spec.bytes());
    return spec;
  }

  private static Placement placement(ObjectHeader header) {
    if (!header.attributes().containsKey(Words.PLACEMENT)) {
      return Placement.PER_WORKER;
    }
    String placement = header.attribute(Words.PLACEMENT).text();
    return switch (placement) {
      case Words.REPLICATED -> Placement.REPLICATED;
      case Words.SLICE ->
          new Placement.Slice(
              header.attribute(Words.GLOBAL).shape(), header.attribute(Words.START).shape());
      default -> throw new IllegalArgumentException("unknown placement '" + placement + "'");
    };
  }

  /** Checks a dataset that is no tensor; returns its length. */
  private static long array(ObjectHeader header, DType type, long at) {
    Shape shape = header.shape();
    ObjectHeader.require(
        shape.rank() == 1 && header.type() == type, "a dataset of other numbers than " + type.id());
    header.requirePlace(at, Math.multiplyExact(shape.elements(), type.bytes()));
    return shape.elements();
  }
}
