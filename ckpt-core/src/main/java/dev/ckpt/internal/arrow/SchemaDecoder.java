package dev.ckpt.internal.arrow;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ckpt.CheckpointException;
import dev.ckpt.DType;
import dev.ckpt.Placement;
import dev.ckpt.Shape;
import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.ShardVersion;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.arrow.flatbuf.Endianness;
import org.apache.arrow.flatbuf.Field;
import org.apache.arrow.flatbuf.FixedSizeList;
import org.apache.arrow.flatbuf.FloatingPoint;
import org.apache.arrow.flatbuf.Int;
import org.apache.arrow.flatbuf.Precision;
import org.apache.arrow.flatbuf.Schema;
import org.apache.arrow.flatbuf.Type;
import org.jspecify.annotations.Nullable;

/**
 * Turns a schema into tensors, and refuses every schema that {@link SchemaEncoder} could not have
 * made, apart from metadata keys that a later minor version may add.
 */
final class SchemaDecoder {

  private static final ObjectMapper JSON =
      new ObjectMapper()
          .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  private final String file;
  private final Metadata metadata;
  private final Set<String> names = new HashSet<>();
  private final List<TensorSpec> stored = new ArrayList<>();
  private final List<Column> columns = new ArrayList<>();

  // how far the slices of the last tensor have come
  private int slices;
  private long covered;

  /**
   * @param header the facts that were given to the writer
   * @param tensors all of them, in their order
   * @param columns of the tensors that are not empty; indices mean {@code tensors}
   */
  record Decoded(
      SortedMap<String, String> header, List<TensorSpec> tensors, List<Column> columns) {}

  SchemaDecoder(String file, Metadata metadata) {
    this.file = file;
    this.metadata = metadata;
  }

  Decoded decode(Schema schema) {
    SortedMap<String, String> entries =
        metadata.keyValues(schema.customMetadataLength(), schema::customMetadata);
    requireVersion(entries);
    if (schema.endianness() != Endianness.Little) {
      throw metadata.corrupt("it is not little-endian");
    }
    int fields = schema.fieldsLength();
    for (int i = 0; i < fields - 1; i++) {
      column(metadata.present(schema.fields(i), "a column"));
    }
    endOfTensor();
    requireValues(fields == 0 ? null : schema.fields(fields - 1));
    return arranged(header(entries), entries.get(Keys.EMPTY));
  }

  private void requireVersion(SortedMap<String, String> entries) {
    String format = entries.get(Keys.FORMAT);
    if (format == null || !format.startsWith(Keys.FORMAT_NAME + "/")) {
      throw new CheckpointException.Corrupt(
          file
              + " is an Arrow file, but no shard of a checkpoint: its schema has no metadata key "
              + Keys.FORMAT
              + " of "
              + Keys.FORMAT_NAME);
    }
    ShardVersion.require(file, format, Keys.FORMAT_NAME, Keys.MAJOR);
    JsonNode required = json(metadata.present(entries.get(Keys.REQUIRED_FEATURES), "features"));
    if (!required.isArray()) {
      throw metadata.corrupt(Keys.REQUIRED_FEATURES + " is no list");
    }
    if (!required.isEmpty()) {
      throw ShardVersion.unknownFeatures(file, required.toString());
    }
  }

  private static SortedMap<String, String> header(SortedMap<String, String> entries) {
    SortedMap<String, String> header = new TreeMap<>();
    entries.forEach(
        (key, value) -> {
          if (key.startsWith(Keys.PREFIX)) {
            header.put(key.substring(Keys.PREFIX.length()), value);
          }
        });
    for (String own : List.of(Keys.FORMAT, Keys.REQUIRED_FEATURES, Keys.EMPTY)) {
      header.remove(own.substring(Keys.PREFIX.length()));
    }
    return Collections.unmodifiableSortedMap(header);
  }

  private void column(Field field) {
    String column = columnName(field);
    SortedMap<String, String> facts =
        metadata.shared(field.customMetadataLength(), field::customMetadata);
    DType type = DType.of(metadata.present(facts.get(Keys.DTYPE), column + ": " + Keys.DTYPE));
    long elements = elements(field, column, type);
    if (!Keys.FIXED_SHAPE_TENSOR.equals(facts.get(Keys.EXTENSION_NAME))) {
      throw metadata.corrupt("column " + column + " is no " + Keys.FIXED_SHAPE_TENSOR);
    }
    Shape shape =
        Keys.extensionShape(
            metadata.present(facts.get(Keys.EXTENSION_METADATA), column + ": its shape"));
    if (shape.elements() != elements) {
      throw metadata.corrupt(
          "column " + column + " has " + elements + " elements, its shape is " + shape);
    }
    int hash = column.indexOf('#');
    String name = Keys.COLUMN_NAME.unescape(hash < 0 ? column : column.substring(0, hash));
    if (hash < 0) {
      endOfTensor();
      begin(new TensorSpec(name, type, shape, placement(facts)));
    } else {
      if (shape.rank() != 1) {
        throw metadata.corrupt("slice " + column + " is not flat");
      }
      Shape full = Keys.shape(metadata.present(facts.get(Keys.SHAPE), column + ": " + Keys.SHAPE));
      TensorSpec spec = new TensorSpec(name, type, full, placement(facts));
      long number = ShardVersion.number(column.substring(hash + 1));
      if (number == 0) {
        endOfTensor();
        begin(spec);
      }
      long first =
          ShardVersion.number(metadata.present(facts.get(Keys.OFFSET), column + ": offset"));
      if (stored.isEmpty()
          || number != slices
          || !stored.get(stored.size() - 1).equals(spec)
          || first != covered
          || elements > full.elements() - first) {
        throw metadata.corrupt("slice " + column + " does not follow the one before");
      }
    }
    columns.add(new Column(stored.size() - 1, covered * type.bytes(), elements * type.bytes()));
    covered += elements;
    slices++;
  }

  private String columnName(Field field) {
    String column = metadata.text(field.nameAsByteBuffer());
    if (column.equals(Keys.VALUES)) {
      throw metadata.corrupt("column " + Keys.VALUES + " is not the last");
    }
    return column;
  }

  private long elements(Field field, String column, DType type) {
    if (field.nullable()
        || field.dictionary() != null
        || field.typeType() != Type.FixedSizeList
        || field.childrenLength() != 1) {
      throw metadata.corrupt("column " + column + " is no list of fixed size");
    }
    Field item = metadata.present(field.children(0), "the item of " + column);
    if (!isStorage(item, Columns.storage(type)) || item.dictionary() != null) {
      throw metadata.corrupt("column " + column + " does not hold " + type.id());
    }
    FixedSizeList list = new FixedSizeList();
    if (field.type(list) == null || list.listSize() <= 0) {
      throw metadata.corrupt("column " + column + " has no elements");
    }
    return list.listSize();
  }

  private static boolean isStorage(Field item, DType storage) {
    if (item.childrenLength() != 0 || item.nullable()) {
      return false;
    }
    if (storage.isFloating()) {
      FloatingPoint type = new FloatingPoint();
      return item.typeType() == Type.FloatingPoint
          && item.type(type) != null
          && type.precision()
              == switch (storage.bytes()) {
                case 2 -> Precision.HALF;
                case 4 -> Precision.SINGLE;
                default -> Precision.DOUBLE;
              };
    }
    Int type = new Int();
    return item.typeType() == Type.Int
        && item.type(type) != null
        && type.bitWidth() == storage.bytes() * 8
        && type.isSigned() == Columns.signed(storage);
  }

  private void begin(TensorSpec spec) {
    if (!names.add(spec.name())) {
      throw metadata.corrupt("two tensors named " + spec.name());
    }
    stored.add(spec);
    slices = 0;
    covered = 0;
  }

  private void endOfTensor() {
    if (!stored.isEmpty()) {
      TensorSpec last = stored.get(stored.size() - 1);
      if (covered != last.shape().elements()) {
        throw metadata.corrupt(
            last.name()
                + " has "
                + last.shape().elements()
                + " elements, its columns have "
                + covered);
      }
    }
  }

  private static Placement placement(Map<String, String> facts) {
    String placement = facts.get(Keys.PLACEMENT);
    if (placement == null) {
      return Placement.PER_WORKER;
    }
    return switch (placement) {
      case Keys.REPLICATED -> Placement.REPLICATED;
      case Keys.SLICE ->
          new Placement.Slice(
              Keys.shape(facts.getOrDefault(Keys.GLOBAL, "")),
              Keys.shape(facts.getOrDefault(Keys.START, "")));
      default -> throw new IllegalArgumentException("unknown placement '" + placement + "'");
    };
  }

  private void requireValues(@Nullable Field field) {
    if (field == null
        || !Keys.VALUES.equals(metadata.text(field.nameAsByteBuffer()))
        || field.typeType() != Type.Utf8
        || field.childrenLength() != 0
        || field.dictionary() != null) {
      throw metadata.corrupt("its last column is not " + Keys.VALUES);
    }
  }

  /** Puts the empty tensors between the others. */
  private Decoded arranged(SortedMap<String, String> header, @Nullable String empty) {
    if (empty == null) {
      return new Decoded(header, List.copyOf(stored), columns);
    }
    JsonNode entries = json(empty);
    int count = stored.size() + entries.size();
    List<TensorSpec> tensors = new ArrayList<>(count);
    int[] moved = new int[stored.size()];
    int next = 0;
    for (JsonNode entry : entries) {
      long index = entry.path("index").asLong(-1);
      while (tensors.size() < index && next < stored.size()) {
        moved[next] = tensors.size();
        tensors.add(stored.get(next++));
      }
      if (index != tensors.size()) {
        throw metadata.corrupt("the empty tensors are not in their order");
      }
      tensors.add(empty(entry));
    }
    while (next < stored.size()) {
      moved[next] = tensors.size();
      tensors.add(stored.get(next++));
    }
    List<Column> renumbered =
        columns.stream().map(c -> new Column(moved[c.tensor()], c.first(), c.bytes())).toList();
    return new Decoded(header, List.copyOf(tensors), renumbered);
  }

  private TensorSpec empty(JsonNode entry) {
    SortedMap<String, String> facts = new TreeMap<>();
    entry.properties().forEach(e -> facts.put(e.getKey(), e.getValue().asText()));
    String name = Keys.COLUMN_NAME.unescape(facts.getOrDefault("name", ""));
    if (!names.add(name)) {
      throw metadata.corrupt("two tensors named " + name);
    }
    TensorSpec spec =
        new TensorSpec(
            name,
            DType.of(facts.getOrDefault(Keys.DTYPE, "")),
            Keys.shape(facts.getOrDefault(Keys.SHAPE, "")),
            placement(facts));
    if (spec.bytes() != 0) {
      throw metadata.corrupt(name + " is said to be empty, its shape is " + spec.shape());
    }
    return spec;
  }

  private JsonNode json(String text) {
    try {
      return JSON.readTree(text);
    } catch (JsonProcessingException e) {
      throw new CheckpointException.Corrupt(file + " is no shard: damaged JSON in its schema", e);
    }
  }
}
