package dev.ckpt.testkit;

import dev.ckpt.CheckpointException;
import dev.ckpt.DType;
import dev.ckpt.Placement;
import dev.ckpt.Shape;
import dev.ckpt.TensorSpec;
import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.spi.ShardFormat;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/**
 * A second shard format, for tests that need one: the tensors one behind the other, then a list of
 * them, then the checksums as the tail. A module that names it in its test resources under {@code
 * META-INF/services} has it as {@code plain}. For nothing that is kept.
 */
public final class PlainFormat implements ShardFormat {

  /** For the service loader. */
  public PlainFormat() {}

  @Override
  public String name() {
    return "plain";
  }

  @Override
  public void write(Contents contents, Output out) throws IOException {
    List<TensorSpec> tensors = contents.tensors();
    for (int tensor = 0; tensor < tensors.size(); tensor++) {
      for (long offset = 0; offset < tensors.get(tensor).bytes(); ) {
        ByteBuffer window = contents.window(tensor, offset, 1 << 16);
        offset += window.remaining();
        out.write(window);
      }
    }
    ByteArrayOutputStream index = new ByteArrayOutputStream();
    DataOutputStream data = new DataOutputStream(index);
    text(data, contents.values());
    data.writeInt(contents.header().size());
    for (Map.Entry<String, String> fact : new TreeMap<>(contents.header()).entrySet()) {
      data.writeUTF(fact.getKey());
      data.writeUTF(fact.getValue());
    }
    data.writeInt(tensors.size());
    for (TensorSpec spec : tensors) {
      if (spec.placement() instanceof Placement.Slice) {
        throw new IllegalArgumentException("the plain format cannot hold slices: " + spec.name());
      }
      data.writeUTF(spec.name());
      data.writeUTF(spec.type().name());
      data.writeBoolean(spec.placement().equals(Placement.REPLICATED));
      data.writeInt(spec.shape().rank());
      for (int dimension = 0; dimension < spec.shape().rank(); dimension++) {
        data.writeLong(spec.shape().dim(dimension));
      }
    }
    data.writeInt(index.size());
    out.write(ByteBuffer.wrap(index.toByteArray()));
    byte[] table = out.chunks().base64().getBytes(StandardCharsets.US_ASCII);
    out.write(ByteBuffer.wrap(table), ByteBuffer.allocate(4).putInt(0, table.length));
  }

  private static void text(DataOutputStream data, ByteBuffer utf8) throws IOException {
    byte[] bytes = new byte[utf8.remaining()];
    utf8.get(bytes);
    data.writeInt(bytes.length);
    data.write(bytes);
  }

  @Override
  public ChunkTable chunks(Input raw, ShardDigest expected) throws IOException {
    try {
      byte[] tail = bytes(raw, expected.tailStart(), raw.length());
      String packed = new String(tail, 0, tail.length - 4, StandardCharsets.US_ASCII);
      ChunkTable table = ChunkTable.fromBase64(expected.tailStart(), packed);
      if (raw.length() == expected.length() && table.digest().equals(expected.tableDigest())) {
        return table;
      }
    } catch (IOException | RuntimeException e) {
      throw new CheckpointException.Corrupt(raw.name() + " is no plain shard", e);
    }
    throw new CheckpointException.Corrupt(raw.name() + ": its checksums are not as committed");
  }

  private static byte[] bytes(Input input, long from, long to) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(to - from));
    input.read(from, bytes);
    return bytes.array();
  }

  @Override
  public Reader reader(Input verified) throws IOException {
    long length = verified.length();
    if (length < 8) {
      throw new CheckpointException.Corrupt(verified.name() + " is no plain shard");
    }
    long tail = length - 4 - ByteBuffer.wrap(bytes(verified, length - 4, length)).getInt();
    int index = ByteBuffer.wrap(bytes(verified, tail - 4, tail)).getInt();
    return new PlainReader(verified, bytes(verified, tail - 4 - index, tail - 4));
  }

  private static final class PlainReader implements Reader {
    private final Input input;
    private final Map<String, String> header = new TreeMap<>();
    private final List<TensorSpec> tensors = new ArrayList<>();
    private final List<Long> starts = new ArrayList<>();
    private final byte[] values;

    PlainReader(Input input, byte[] index) throws IOException {
      this.input = input;
      DataInputStream data = new DataInputStream(new ByteArrayInputStream(index));
      values = data.readNBytes(data.readInt());
      for (int facts = data.readInt(); facts > 0; facts--) {
        header.put(data.readUTF(), data.readUTF());
      }
      long start = 0;
      for (int specs = data.readInt(); specs > 0; specs--) {
        String name = data.readUTF();
        DType type = DType.valueOf(data.readUTF());
        Placement placement = data.readBoolean() ? Placement.REPLICATED : Placement.PER_WORKER;
        long[] dimensions = new long[data.readInt()];
        for (int i = 0; i < dimensions.length; i++) {
          dimensions[i] = data.readLong();
        }
        tensors.add(new TensorSpec(name, type, Shape.of(dimensions), placement));
        starts.add(start);
        start += tensors.get(tensors.size() - 1).bytes();
      }
    }

    @Override
    public Map<String, String> header() {
      return header;
    }

    @Override
    public List<TensorSpec> tensors() {
      return tensors;
    }

    @Override
    public ByteBuffer values() {
      return ByteBuffer.wrap(values).asReadOnlyBuffer();
    }

    @Override
    public void read(int tensor, long offset, ByteBuffer into) throws IOException {
      Objects.checkFromIndexSize(offset, into.remaining(), tensors.get(tensor).bytes());
      input.read(starts.get(tensor) + offset, into);
    }

    @Override
    public long[] ranges(int tensor) {
      long start = starts.get(tensor);
      return new long[] {start, start + tensors.get(tensor).bytes()};
    }

    @Override
    public void close() {}
  }
}
