package dev.ckpt.internal.arrow;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.flatbuffers.FlatBufferBuilder;
import dev.ckpt.DType;
import dev.ckpt.Placement;
import dev.ckpt.Shape;
import dev.ckpt.TensorSpec;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.arrow.flatbuf.Endianness;
import org.apache.arrow.flatbuf.Field;
import org.apache.arrow.flatbuf.FixedSizeList;
import org.apache.arrow.flatbuf.FloatingPoint;
import org.apache.arrow.flatbuf.Int;
import org.apache.arrow.flatbuf.KeyValue;
import org.apache.arrow.flatbuf.Precision;
import org.apache.arrow.flatbuf.Schema;
import org.apache.arrow.flatbuf.Type;
import org.apache.arrow.flatbuf.Utf8;

/**
 * Encodes the schema into one builder. What many fields have in common (item types, list types,
 * metadata) is written once and referred to: a field costs its name and about 40 bytes.
 */
final class SchemaEncoder {

  private final FlatBufferBuilder to;
  private final List<TensorSpec> tensors;
  private final Map<String, Integer> shared = new HashMap<>();

  SchemaEncoder(FlatBufferBuilder to, List<TensorSpec> tensors) {
    this.to = to;
    this.tensors = tensors;
  }

  /** Returns the offset of the schema. */
  int encode(SortedMap<String, String> header, List<Column> columns) {
    int[] fields = new int[columns.size() + 1];
    for (int i = 0; i < columns.size(); i++) {
      fields[i] = field(columns, i);
    }
    fields[columns.size()] = valuesField();
    int fieldsVector = Schema.createFieldsVector(to, fields);
    int metadata = Schema.createCustomMetadataVector(to, keyValues(schemaMetadata(header)));
    Schema.startSchema(to);
    Schema.addEndianness(to, Endianness.Little);
    Schema.addFields(to, fieldsVector);
    Schema.addCustomMetadata(to, metadata);
    return Schema.endSchema(to);
  }

  private SortedMap<String, String> schemaMetadata(SortedMap<String, String> header) {
    SortedMap<String, String> metadata = new TreeMap<>();
    header.forEach((key, value) -> metadata.put(Keys.PREFIX + key, value));
    metadata.put(Keys.FORMAT, Keys.FORMAT_NAME + "/" + Keys.MAJOR);
    metadata.put(Keys.REQUIRED_FEATURES, "[]");
    ArrayNode empty = JsonNodeFactory.instance.arrayNode();
    for (int i = 0; i < tensors.size(); i++) {
      if (tensors.get(i).bytes() == 0) {
        empty.add(empty(i));
      }
    }
    if (!empty.isEmpty()) {
      metadata.put(Keys.EMPTY, empty.toString());
    }
    return metadata;
  }

  /** Arrow has no column without elements: such a tensor is an entry of a JSON list. */
  private ObjectNode empty(int index) {
    TensorSpec spec = tensors.get(index);
    ObjectNode entry = JsonNodeFactory.instance.objectNode();
    entry.put("index", index);
    entry.put("name", Keys.COLUMN_NAME.escape(spec.name()));
    SortedMap<String, String> facts = new TreeMap<>();
    facts.put(Keys.DTYPE, spec.type().id());
    facts.put(Keys.SHAPE, Keys.dims(spec.shape()));
    putPlacement(facts, spec.placement());
    facts.forEach(entry::put);
    return entry;
  }

  private int field(List<Column> columns, int index) {
    Column column = columns.get(index);
    TensorSpec spec = tensors.get(column.tensor());
    DType type = spec.type();
    long elements = column.bytes() / type.bytes();
    boolean whole = column.bytes() == spec.bytes();
    SortedMap<String, String> metadata = new TreeMap<>();
    metadata.put(Keys.EXTENSION_NAME, Keys.FIXED_SHAPE_TENSOR);
    metadata.put(
        Keys.EXTENSION_METADATA, Keys.extension(whole ? spec.shape() : Shape.of(elements)));
    metadata.put(Keys.DTYPE, type.id());
    putPlacement(metadata, spec.placement());
    if (!whole) {
      metadata.put(Keys.SHAPE, Keys.dims(spec.shape()));
      metadata.put(Keys.OFFSET, Long.toString(column.first() / type.bytes()));
    }
    String name = Keys.COLUMN_NAME.escape(spec.name());
    if (!whole) {
      int slice = 0;
      while (slice < index && columns.get(index - slice - 1).tensor() == column.tensor()) {
        slice++;
      }
      name += "#" + slice;
    }
    int nameAt = to.createString(name);
    int typeAt =
        shared(
            "list " + elements,
            () -> FixedSizeList.createFixedSizeList(to, Math.toIntExact(elements)));
    int childrenAt = shared("item " + Columns.storage(type), () -> children(type));
    int metadataAt =
        shared(
            "metadata " + metadata,
            () -> Field.createCustomMetadataVector(to, keyValues(metadata)));
    return field(nameAt, Type.FixedSizeList, typeAt, childrenAt, metadataAt);
  }

  private int children(DType type) {
    DType storage = Columns.storage(type);
    int at;
    if (storage.isFloating()) {
      at =
          FloatingPoint.createFloatingPoint(
              to,
              switch (storage.bytes()) {
                case 2 -> Precision.HALF;
                case 4 -> Precision.SINGLE;
                default -> Precision.DOUBLE;
              });
    } else {
      at = Int.createInt(to, storage.bytes() * 8, Columns.signed(storage));
    }
    int name = to.createString("item");
    int none = Field.createChildrenVector(to, new int[0]);
    int item = field(name, storage.isFloating() ? Type.FloatingPoint : Type.Int, at, none, 0);
    return Field.createChildrenVector(to, new int[] {item});
  }

  private int valuesField() {
    int name = to.createString(Keys.VALUES);
    Utf8.startUtf8(to);
    int type = Utf8.endUtf8(to);
    int none = Field.createChildrenVector(to, new int[0]);
    return field(name, Type.Utf8, type, none, 0);
  }

  private int field(int name, byte kind, int type, int children, int metadata) {
    Field.startField(to);
    Field.addName(to, name);
    Field.addNullable(to, false);
    Field.addTypeType(to, kind);
    Field.addType(to, type);
    Field.addChildren(to, children);
    if (metadata != 0) {
      Field.addCustomMetadata(to, metadata);
    }
    return Field.endField(to);
  }

  private static void putPlacement(Map<String, String> metadata, Placement placement) {
    if (placement instanceof Placement.Replicated) {
      metadata.put(Keys.PLACEMENT, Keys.REPLICATED);
    } else if (placement instanceof Placement.Slice slice) {
      metadata.put(Keys.PLACEMENT, Keys.SLICE);
      metadata.put(Keys.GLOBAL, Keys.dims(slice.global()));
      metadata.put(Keys.START, Keys.dims(slice.start()));
    }
  }

  /** Key-values sorted by key. */
  int[] keyValues(SortedMap<String, String> metadata) {
    List<Integer> offsets = new ArrayList<>();
    metadata.forEach((key, value) -> offsets.add(keyValue(key, value)));
    return offsets.stream().mapToInt(Integer::intValue).toArray();
  }

  private int keyValue(String key, String value) {
    return shared(
        "entry " + key + "=" + value,
        () -> {
          int keyAt = shared("key " + key, () -> to.createString(key));
          int valueAt = to.createString(value);
          return KeyValue.createKeyValue(to, keyAt, valueAt);
        });
  }

  private int shared(String what, java.util.function.IntSupplier encode) {
    Integer known = shared.get(what);
    if (known == null) {
      // not computeIfAbsent: encoding one thing shares others
      known = encode.getAsInt();
      shared.put(what, known);
    }
    return known;
  }
}
