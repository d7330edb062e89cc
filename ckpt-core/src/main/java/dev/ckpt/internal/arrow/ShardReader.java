package dev.ckpt.internal.arrow;

import dev.ckpt.CheckpointException;
import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.Ranges;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.SortedMap;
import org.apache.arrow.flatbuf.Block;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.FieldNode;
import org.apache.arrow.flatbuf.Footer;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.MetadataVersion;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.flatbuf.Schema;

/**
 * An open shard. The order and alignment of the columns leave exactly one place for each buffer, so
 * opening compares every offset and length with that place: columns cannot overlap, leave holes or
 * lead out of the file.
 */
final class ShardReader implements ShardFormat.Reader {

  private final ShardFormat.Input in;
  private final SchemaDecoder.Decoded decoded;
  private final long[][] ranges;
  private final long valuesStart;
  private final int valuesBytes;

  private ShardReader(
      ShardFormat.Input in, SchemaDecoder.Decoded decoded, long bodyStart, int valuesBytes) {
    this.in = in;
    this.decoded = decoded;
    this.valuesBytes = valuesBytes;
    this.ranges = new long[decoded.tensors().size()][];
    Arrays.fill(ranges, new long[0]);
    long at = bodyStart;
    for (Column column : decoded.columns()) {
      long[] known = ranges[column.tensor()];
      long[] more = Arrays.copyOf(known, known.length + 2);
      more[known.length] = at;
      more[known.length + 1] = at + column.bytes();
      ranges[column.tensor()] = more;
      at += Keys.aligned(column.bytes());
    }
    this.valuesStart = at + Keys.ALIGNMENT;
  }

  static ShardReader open(ShardFormat.Input in) throws IOException {
    String file = in.name();
    ByteBuffer footer = readFooter(in);
    long footerStart = in.length() - ShardFooter.END - footer.remaining();
    Metadata metadata = new Metadata(file, footer.remaining());
    Footer root = Metadata.guarded(file, () -> Footer.getRootAsFooter(footer));
    Block block = Metadata.guarded(file, () -> block(root, metadata, footerStart));
    SchemaDecoder.Decoded decoded =
        Metadata.guarded(
            file,
            () -> {
              Schema schema = metadata.present(root.schema(), "the schema");
              return new SchemaDecoder(file, metadata).decode(schema);
            });
    ByteBuffer message = ByteBuffer.allocate(block.metaDataLength()).order(ByteOrder.LITTLE_ENDIAN);
    in.read(block.offset(), message);
    long valuesBytes =
        Metadata.guarded(
            file, () -> valuesBytes(message.clear(), block.bodyLength(), decoded, metadata));
    ShardReader reader =
        new ShardReader(in, decoded, block.offset() + block.metaDataLength(), (int) valuesBytes);
    reader.requireValueOffsets(metadata);
    return reader;
  }

  private static ByteBuffer readFooter(ShardFormat.Input in) throws IOException {
    String file = in.name();
    int least = ShardFooter.MAGIC_HEAD + ShardFooter.END;
    if (in.length() < least) {
      throw new CheckpointException.Corrupt(
          file + " is no Arrow file: it has " + in.length() + " bytes");
    }
    ByteBuffer head = ByteBuffer.allocate(ShardFooter.MAGIC_HEAD);
    in.read(0, head);
    ShardFooter.requireMagic(file, head, 0, "beginning");
    ByteBuffer end = ByteBuffer.allocate(ShardFooter.END).order(ByteOrder.LITTLE_ENDIAN);
    in.read(in.length() - ShardFooter.END, end);
    int length = ShardFooter.length(file, end.clear());
    if (length > in.length() - least) {
      throw new CheckpointException.Corrupt(
          file + " is no Arrow file: its footer is said to have " + length + " bytes");
    }
    ByteBuffer footer = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    in.read(in.length() - ShardFooter.END - length, footer);
    return footer.clear();
  }

  /** The block of the one record batch, which reaches exactly to the footer. */
  private static Block block(Footer footer, Metadata metadata, long footerStart) {
    if (footer.version() != MetadataVersion.V5) {
      throw metadata.corrupt("its Arrow metadata is not version 5");
    }
    if (footer.recordBatchesLength() != 1 || footer.dictionariesLength() != 0) {
      throw metadata.corrupt(
          "it has "
              + footer.recordBatchesLength()
              + " record batches and "
              + footer.dictionariesLength()
              + " dictionaries, not 1 and 0");
    }
    Block block = footer.recordBatches(0);
    long start = block.offset();
    int head = block.metaDataLength();
    long body = block.bodyLength();
    long end = footerStart - Layout.endOfStream().length;
    if (start < ShardFooter.MAGIC_HEAD
        || start > end
        || head < 8
        || head > end - start
        || (start + head) % Keys.ALIGNMENT != 0
        || body != end - start - head) {
      throw metadata.corrupt(
          "its record batch is said to have "
              + head
              + " and "
              + body
              + " bytes at "
              + start
              + ", which is not what lies before its footer at "
              + footerStart);
    }
    return block;
  }

  /** Checks the message of the record batch against the columns; returns the values' length. */
  private static long valuesBytes(
      ByteBuffer encapsulated, long bodyBytes, SchemaDecoder.Decoded decoded, Metadata metadata) {
    if (encapsulated.getInt() != -1 || encapsulated.getInt() != encapsulated.remaining()) {
      throw metadata.corrupt("no message stands where its record batch should be");
    }
    Message message = Message.getRootAsMessage(encapsulated.slice().order(ByteOrder.LITTLE_ENDIAN));
    RecordBatch batch = new RecordBatch();
    int columns = decoded.columns().size();
    if (message.version() != MetadataVersion.V5
        || message.headerType() != MessageHeader.RecordBatch
        || message.header(batch) == null
        || message.bodyLength() != bodyBytes
        || batch.length() != 1
        || batch.compression() != null
        || batch.variadicBufferCountsLength() != 0
        || batch.nodesLength() != 2 * columns + 1
        || batch.buffersLength() != 3 * columns + 3) {
      throw metadata.corrupt("its record batch is not one row of the columns of its schema");
    }
    Place place = new Place(batch, metadata);
    for (Column column : decoded.columns()) {
      int itemBytes = decoded.tensors().get(column.tensor()).type().bytes();
      place.node(1);
      place.node(column.bytes() / itemBytes);
      place.buffer(0);
      place.buffer(0);
      place.buffer(column.bytes());
    }
    place.node(1);
    place.buffer(0);
    place.buffer(2 * Integer.BYTES);
    long values = place.lastBuffer();
    if (place.at != bodyBytes) {
      throw metadata.corrupt("its columns end at " + place.at + " of " + bodyBytes + " bytes");
    }
    return values;
  }

  /** Walks through nodes and buffers and knows what each must be. */
  private static final class Place {
    private final RecordBatch batch;
    private final Metadata metadata;
    private final FieldNode node = new FieldNode();
    private final Buffer buffer = new Buffer();
    private int nodes;
    private int buffers;
    private long at;

    Place(RecordBatch batch, Metadata metadata) {
      this.batch = batch;
      this.metadata = metadata;
    }

    void node(long length) {
      batch.nodes(node, nodes);
      if (node.length() != length || node.nullCount() != 0) {
        throw metadata.corrupt("node " + nodes + " of its record batch is not " + length + " long");
      }
      nodes++;
    }

    void buffer(long length) {
      if (lastBuffer() != length) {
        throw metadata.corrupt(
            "buffer " + (buffers - 1) + " of its record batch has not " + length + " bytes");
      }
    }

    long lastBuffer() {
      batch.buffers(buffer, buffers);
      long length = buffer.length();
      if (buffer.offset() != at || length < 0 || length > Integer.MAX_VALUE) {
        throw metadata.corrupt(
            "buffer "
                + buffers
                + " of its record batch lies at "
                + buffer.offset()
                + " with "
                + length
                + " bytes, not at "
                + at);
      }
      buffers++;
      at += Keys.aligned(length);
      return length;
    }
  }

  private void requireValueOffsets(Metadata metadata) throws IOException {
    ByteBuffer offsets = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    in.read(valuesStart - Keys.ALIGNMENT, offsets);
    if (offsets.getInt(0) != 0 || offsets.getInt(4) != valuesBytes) {
      throw metadata.corrupt("column " + Keys.VALUES + " does not hold one text");
    }
  }

  @Override
  public SortedMap<String, String> header() {
    return decoded.header();
  }

  @Override
  public List<TensorSpec> tensors() {
    return decoded.tensors();
  }

  @Override
  public ByteBuffer values() throws IOException {
    ByteBuffer values = ByteBuffer.allocate(valuesBytes);
    in.read(valuesStart, values);
    return values.flip();
  }

  @Override
  public void read(int tensor, long offset, ByteBuffer into) throws IOException {
    Ranges.check(decoded.tensors().get(tensor), offset, into.remaining());
    int limit = into.limit();
    long[] pairs = ranges[tensor];
    for (int i = 0; i < pairs.length && into.position() < limit; i += 2) {
      long bytes = pairs[i + 1] - pairs[i];
      if (offset < bytes) {
        into.limit((int) Math.min(limit, into.position() + bytes - offset));
        in.read(pairs[i] + offset, into);
        into.limit(limit);
        offset = 0;
      } else {
        offset -= bytes;
      }
    }
  }

  @Override
  public long[] ranges(int tensor) {
    return ranges[tensor].clone();
  }

  @Override
  public void close() {}
}
