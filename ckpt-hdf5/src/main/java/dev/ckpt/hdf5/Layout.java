package dev.ckpt.hdf5;

import dev.ckpt.DType;
import dev.ckpt.Placement;
import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.BatchedOutput;
import dev.ckpt.manifest.ChunkTable;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The encoded metadata of a shard, made once for the same header and tensors and patched for each
 * save. All of it stands before the first tensor. Between two saves only the length of the small
 * values changes, and with it the place of the checksums and the end of the file; both come behind
 * the tensors, so no tensor moves. How many checksums there are follows from the lengths, so all is
 * known before the first byte is written, but the checksums themselves.
 *
 * <p>Used by one save at a time.
 */
final class Layout {

  /** Gathers what is small on its way out; lives here because it is reused as the layout is. */
  final ByteBuffer batch = BatchedOutput.newBatch();

  private final SortedMap<String, String> header;
  private final List<TensorSpec> tensors;
  private final ByteBuffer head;
  private final long valuesAt;
  private final int valuesDimAt;
  private final int valuesLayoutAt;
  private final int checksumsDimAt;
  private final int checksumsLayoutAt;

  Layout(Map<String, String> facts, List<TensorSpec> specs) {
    header = new TreeMap<>(facts);
    tensors = List.copyOf(specs);
    Links links = Links.of(tensors);

    // the datasets' headers, with addresses counted from the body
    Bytes datasets = new Bytes();
    HeaderEncoder encoder = new HeaderEncoder(datasets);
    int[] headerAt = new int[tensors.size()];
    int[] layoutAt = new int[tensors.size()];
    long inBody = 0;
    for (int i = 0; i < headerAt.length; i++) {
      headerAt[i] = datasets.size();
      layoutAt[i] = tensor(encoder, i, inBody);
      inBody += Words.aligned(tensors.get(i).bytes());
    }
    int valuesHeader = datasets.size();
    encoder.begin();
    int valuesDim = encoder.dataset(Datatypes.of(DType.UINT8), new long[] {0});
    int valuesLayout = encoder.layout(0, 0);
    encoder.end();
    int checksumsHeader = datasets.size();
    encoder.begin();
    int checksumsDim = encoder.dataset(Datatypes.of(DType.UINT32), new long[] {0});
    int checksumsLayout = encoder.layout(0, 0);
    encoder.end();

    // what is before them
    Bytes to = new Bytes();
    Superblock.encode(to);
    int symbolTableAt = rootHeader(to);
    int bodyAt = to.size() - Long.BYTES;
    long rootIndex = to.size();
    long at = rootIndex + links.root().bytes();
    long[] parts = new long[links.parts().size()];
    for (int i = 0; i < parts.length; i++) {
      parts[i] = at;
      at += HeaderEncoder.GROUP_BYTES + links.parts().get(i).index().bytes();
    }
    long base = at;
    to.setU64(symbolTableAt, links.root().tree(rootIndex)).setU64(symbolTableAt + 8, rootIndex);
    links
        .root()
        .encode(
            to, rootIndex, links.rootHeaders(parts, base + valuesHeader, base + checksumsHeader));
    HeaderEncoder groups = new HeaderEncoder(to);
    for (Links.Part part : links.parts()) {
      long start = to.size() + HeaderEncoder.GROUP_BYTES;
      groups.begin();
      groups.symbolTable(part.index().tree(start), start);
      groups.end();
      part.index()
          .encode(
              to,
              start,
              Arrays.stream(part.tensors()).mapToLong(i -> base + headerAt[i]).toArray());
    }
    if (to.size() != base) {
      throw new IllegalStateException("the groups have " + to.size() + " bytes, not " + base);
    }
    long body = Words.aligned(base + datasets.size());
    for (int i = 0; i < layoutAt.length; i++) {
      if (tensors.get(i).bytes() > 0) {
        datasets.setU64(layoutAt[i], body + datasets.u64At(layoutAt[i]));
      }
    }
    to.setU64(bodyAt, body).put(datasets);
    head = to.zeros(Math.toIntExact(body) - to.size()).finished();
    valuesAt = Math.addExact(body, inBody);
    int from = (int) base;
    valuesDimAt = from + valuesDim;
    valuesLayoutAt = from + valuesLayout;
    checksumsDimAt = from + checksumsDim;
    checksumsLayoutAt = from + checksumsLayout;
  }

  /** Whether this is the layout of a shard with that header and those tensors. */
  boolean fits(Map<String, String> facts, List<TensorSpec> specs) {
    return tensors.equals(specs) && header.equals(facts);
  }

  List<TensorSpec> tensors() {
    return tensors;
  }

  /** Everything before the first tensor, for values of that length; valid until the next call. */
  ByteBuffer head(int valuesBytes) {
    long tail = tailStart(valuesBytes);
    long numbers = 1 + ChunkTable.chunks(tail);
    head.putLong(valuesDimAt, valuesBytes);
    head.putLong(valuesLayoutAt, valuesBytes == 0 ? Words.UNDEFINED : valuesAt);
    head.putLong(valuesLayoutAt + 8, valuesBytes);
    head.putLong(checksumsDimAt, numbers);
    head.putLong(checksumsLayoutAt, tail);
    head.putLong(checksumsLayoutAt + 8, numbers * Integer.BYTES);
    head.putLong(Superblock.END_OF_FILE_AT, tail + numbers * Integer.BYTES);
    return head.clear();
  }

  /** Where the checksums begin: up to here they tile the file. */
  long tailStart(int valuesBytes) {
    return Words.aligned(valuesAt + valuesBytes);
  }

  /** Returns where the addresses of the index stand; ends with the number that is the body's. */
  private int rootHeader(Bytes to) {
    HeaderEncoder encoder = new HeaderEncoder(to);
    encoder.begin();
    int symbolTableAt = encoder.symbolTable(0, 0);
    encoder.attribute(Words.FORMAT, Bytes.utf8(Words.FORMAT_NAME + "/" + Words.MAJOR));
    encoder.attribute(Words.REQUIRED_FEATURES, Bytes.utf8("[]"));
    for (Map.Entry<String, String> fact : header.entrySet()) {
      Facts.encode(encoder, fact.getKey(), fact.getValue());
    }
    encoder.attribute(Words.BODY, 0);
    encoder.end();
    return symbolTableAt;
  }

  private int tensor(HeaderEncoder encoder, int index, long address) {
    TensorSpec spec = tensors.get(index);
    if (spec.shape().rank() > Words.MAX_RANK) {
      throw new IllegalArgumentException(
          spec.name() + " has more than the " + Words.MAX_RANK + " dimensions that HDF5 knows");
    }
    encoder.begin();
    encoder.dataset(Datatypes.of(spec.type()), spec.shape().dims());
    int layoutAt = encoder.layout(spec.bytes() == 0 ? Words.UNDEFINED : address, spec.bytes());
    encoder.attribute(Words.DTYPE, Bytes.utf8(spec.type().id()));
    encoder.attribute(Words.INDEX, index);
    Placement placement = spec.placement();
    if (placement instanceof Placement.Replicated) {
      encoder.attribute(Words.PLACEMENT, Bytes.utf8(Words.REPLICATED));
    } else if (placement instanceof Placement.Slice slice) {
      encoder.attribute(Words.PLACEMENT, Bytes.utf8(Words.SLICE));
      encoder.attribute(Words.GLOBAL, slice.global().dims());
      encoder.attribute(Words.START, slice.start().dims());
    }
    encoder.end();
    return layoutAt;
  }
}
