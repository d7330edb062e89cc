package dev.ckpt.internal.arrow;

import com.google.flatbuffers.FlatBufferBuilder;
import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.BatchedOutput;
import dev.ckpt.manifest.ChunkTable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.arrow.flatbuf.Block;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.FieldNode;
import org.apache.arrow.flatbuf.Footer;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.MetadataVersion;
import org.apache.arrow.flatbuf.RecordBatch;

/**
 * The encoded parts of a shard, made once for the same header and tensors and patched for each
 * save. Between two saves only three things change: the length of the small values, with it the
 * length of the record batch's body, and the checksums. The values are the last column, so that no
 * tensor moves; the checksums are the last bytes of the footer, so that nothing moves when there
 * are more of them. Flatbuffers are written from the end to the beginning: what is created first
 * comes last.
 *
 * <p>Used by one save at a time.
 */
final class Layout {

  static final byte[] MAGIC = "ARROW1".getBytes(StandardCharsets.US_ASCII);
  private static final int HEAD_OF_MESSAGE = 8;
  private static final int CONTINUATION = 0xFFFFFFFF;

  /** Gathers what is small on its way out; lives here because it is reused as the layout is. */
  final ByteBuffer batch = BatchedOutput.newBatch();

  private final SortedMap<String, String> header;
  private final List<TensorSpec> tensors;
  private final List<Column> columns;
  private final ByteBuffer head;
  private final int batchBodyLengthAt;
  private final int valuesLengthAt;
  private final ByteBuffer footer;
  private final int footerBodyLengthAt;
  private final long valuesAt;

  Layout(Map<String, String> facts, List<TensorSpec> specs, long maxColumnBytes) {
    header = new TreeMap<>(facts);
    tensors = List.copyOf(specs);
    columns = Columns.of(tensors, maxColumnBytes);
    for (String key : header.keySet()) {
      String full = Keys.PREFIX + key;
      if (full.equals(Keys.FORMAT)
          || full.equals(Keys.REQUIRED_FEATURES)
          || full.equals(Keys.EMPTY)) {
        throw new IllegalArgumentException("the format keeps the header key '" + key + "'");
      }
    }
    long at = 0;
    for (Column column : columns) {
      at = Math.addExact(at, Keys.aligned(column.bytes()));
    }
    valuesAt = at;

    byte[] schema = schemaMessage();
    int schemaBytes = HEAD_OF_MESSAGE + (schema.length + 7) / 8 * 8;
    int batchStart = 8 + schemaBytes;

    FlatBufferBuilder builder = new FlatBufferBuilder(1 << 10);
    int[] fromEnd = new int[2];
    int batchRoot = recordBatchMessage(builder, fromEnd);
    builder.finish(batchRoot);
    byte[] batchMessage = builder.sizedByteArray();
    int bodyStart =
        Math.toIntExact(Keys.aligned((long) batchStart + HEAD_OF_MESSAGE + batchMessage.length));

    head = ByteBuffer.allocate(bodyStart).order(ByteOrder.LITTLE_ENDIAN);
    head.put(MAGIC).position(8);
    head.putInt(CONTINUATION).putInt(schemaBytes - HEAD_OF_MESSAGE).put(schema);
    head.position(batchStart);
    head.putInt(CONTINUATION).putInt(bodyStart - batchStart - HEAD_OF_MESSAGE).put(batchMessage);
    int batchEnd = head.position();
    valuesLengthAt = batchEnd - fromEnd[0];
    batchBodyLengthAt = batchEnd - fromEnd[1];
    head.clear();

    builder = new FlatBufferBuilder(1 << 10);
    int crcs = builder.createString("");
    int block = footer(builder, crcs, batchStart, bodyStart - batchStart);
    byte[] encoded = builder.sizedByteArray();
    // up to the length of the checksums, which are all that follows
    footer =
        ByteBuffer.wrap(encoded, 0, encoded.length - crcs + Integer.BYTES)
            .slice()
            .order(ByteOrder.LITTLE_ENDIAN);
    footerBodyLengthAt = encoded.length - block + 16;
  }

  /** Whether this is the layout of a shard with that header and those tensors. */
  boolean fits(Map<String, String> facts, List<TensorSpec> specs) {
    return tensors.equals(specs) && header.equals(facts);
  }

  List<Column> columns() {
    return columns;
  }

  /** Everything before the body, for values of that length; valid until the next call. */
  ByteBuffer head(int valuesBytes) {
    head.putLong(valuesLengthAt, valuesBytes);
    head.putLong(batchBodyLengthAt, bodyBytes(valuesBytes));
    return head.clear();
  }

  /** Size of the body. */
  long bodyBytes(int valuesBytes) {
    return valuesAt + Keys.ALIGNMENT + Keys.aligned(valuesBytes);
  }

  /** Size of everything that the checksums tile: up to and with the end-of-stream marker. */
  long tiledBytes(int valuesBytes) {
    return head.capacity() + bodyBytes(valuesBytes) + HEAD_OF_MESSAGE;
  }

  /** The end-of-stream marker. */
  static byte[] endOfStream() {
    return new byte[] {-1, -1, -1, -1, 0, 0, 0, 0};
  }

  /**
   * The footer up to the checksums, for values of that length; valid until the next call.
   *
   * @param crcBytes length of the checksums as text
   */
  ByteBuffer footer(int valuesBytes, int crcBytes) {
    footer.putLong(footerBodyLengthAt, bodyBytes(valuesBytes));
    footer.putInt(footer.capacity() - Integer.BYTES, crcBytes);
    return footer.clear();
  }

  /** What follows the checksums: the end of their string, the footer's length, magic. */
  ByteBuffer trailer(int crcBytes) {
    // a string ends in a zero
    int length = (footer.capacity() + crcBytes + 1 + 7) / 8 * 8;
    int zeros = length - footer.capacity() - crcBytes;
    ByteBuffer trailer =
        ByteBuffer.allocate(zeros + Integer.BYTES + MAGIC.length).order(ByteOrder.LITTLE_ENDIAN);
    return trailer.position(zeros).putInt(length).put(MAGIC).flip();
  }

  private byte[] schemaMessage() {
    FlatBufferBuilder builder = new FlatBufferBuilder(1 << 10);
    int schema = new SchemaEncoder(builder, tensors).encode(header, columns);
    Message.startMessage(builder);
    Message.addVersion(builder, MetadataVersion.V5);
    Message.addHeaderType(builder, MessageHeader.Schema);
    Message.addHeader(builder, schema);
    Message.addBodyLength(builder, 0);
    builder.finish(Message.endMessage(builder));
    return builder.sizedByteArray();
  }

  /**
   * @param fromEnd receives, counted from the end, where the length of the values and the length of
   *     the body stand
   */
  private int recordBatchMessage(FlatBufferBuilder builder, int[] fromEnd) {
    int n = columns.size();
    RecordBatch.startBuffersVector(builder, 3 * n + 3);
    // the values: validity, offsets, characters; vectors are built from their end
    int values = Buffer.createBuffer(builder, valuesAt + Keys.ALIGNMENT, 1);
    fromEnd[0] = values - Long.BYTES;
    Buffer.createBuffer(builder, valuesAt, 2 * Integer.BYTES);
    Buffer.createBuffer(builder, valuesAt, 0);
    long at = valuesAt;
    for (int i = n - 1; i >= 0; i--) {
      long bytes = columns.get(i).bytes();
      at -= Keys.aligned(bytes);
      Buffer.createBuffer(builder, at, bytes);
      Buffer.createBuffer(builder, at, 0);
      Buffer.createBuffer(builder, at, 0);
    }
    int buffers = builder.endVector();
    RecordBatch.startNodesVector(builder, 2 * n + 1);
    FieldNode.createFieldNode(builder, 1, 0);
    for (int i = n - 1; i >= 0; i--) {
      Column column = columns.get(i);
      long elements = column.bytes() / tensors.get(column.tensor()).type().bytes();
      FieldNode.createFieldNode(builder, elements, 0);
      FieldNode.createFieldNode(builder, 1, 0);
    }
    int nodes = builder.endVector();
    RecordBatch.startRecordBatch(builder);
    RecordBatch.addLength(builder, 1);
    RecordBatch.addNodes(builder, nodes);
    RecordBatch.addBuffers(builder, buffers);
    int recordBatch = RecordBatch.endRecordBatch(builder);
    Message.startMessage(builder);
    Message.addBodyLength(builder, bodyBytes(1));
    fromEnd[1] = builder.offset();
    Message.addHeader(builder, recordBatch);
    Message.addVersion(builder, MetadataVersion.V5);
    Message.addHeaderType(builder, MessageHeader.RecordBatch);
    return Message.endMessage(builder);
  }

  /** Finishes the footer; returns where, counted from the end, its block stands. */
  private int footer(FlatBufferBuilder builder, int crcs, int batchStart, int batchBytes) {
    SchemaEncoder encoder = new SchemaEncoder(builder, tensors);
    int schema = encoder.encode(header, columns);
    int metadata =
        Footer.createCustomMetadataVector(
            builder,
            new int[] {
              encoder
                  .keyValues(
                      new TreeMap<>(
                          Map.of(Keys.CHUNK_BYTES, Integer.toString(ChunkTable.CHUNK_BYTES))))[0],
              org.apache.arrow.flatbuf.KeyValue.createKeyValue(
                  builder, builder.createString(Keys.CRC32C), crcs)
            });
    Footer.startDictionariesVector(builder, 0);
    int dictionaries = builder.endVector();
    Footer.startRecordBatchesVector(builder, 1);
    int block = Block.createBlock(builder, batchStart, batchBytes, bodyBytes(1));
    int blocks = builder.endVector();
    Footer.startFooter(builder);
    Footer.addVersion(builder, MetadataVersion.V5);
    Footer.addSchema(builder, schema);
    Footer.addDictionaries(builder, dictionaries);
    Footer.addRecordBatches(builder, blocks);
    Footer.addCustomMetadata(builder, metadata);
    builder.finish(Footer.endFooter(builder));
    return block;
  }
}
