package dev.ckpt.hdf5;

import dev.ckpt.DType;
import dev.ckpt.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * An object header as it was found. Whatever of it is used was found once; unknown attributes are
 * kept, with any other unknown message only attributes can be asked for. Throws {@link
 * IllegalArgumentException}, or what a buffer throws whose end is passed, if the bytes are no such
 * header.
 */
final class ObjectHeader {

  private final Map<String, Attribute> attributes = new LinkedHashMap<>();
  private final Map<Integer, ByteBuffer> messages = new LinkedHashMap<>();
  private final int end;
  private int unknown = -1;
  private int last;
  private boolean ordered = true;

  /**
   * @param in little-endian
   * @param at where the header begins
   */
  ObjectHeader(ByteBuffer in, int at) {
    require(
        in.getShort(at) == 1 && in.getInt(at + 4) == 1 && in.getInt(at + 12) == 0,
        "no object header");
    int count = Short.toUnsignedInt(in.getShort(at + 2));
    int bytes = messageBytes(in, at);
    end = Math.addExact(at + HeaderEncoder.PREFIX_BYTES, bytes);
    int next = at + HeaderEncoder.PREFIX_BYTES;
    for (int i = 0; i < count; i++) {
      int type = Short.toUnsignedInt(in.getShort(next));
      int size = Short.toUnsignedInt(in.getShort(next + 2));
      require(in.getInt(next + 4) == 0 && size % 8 == 0, "a message of another kind");
      int contents = next + HeaderEncoder.MESSAGE_HEAD_BYTES;
      require(size <= end - contents, "a message is longer than its header");
      take(type, in.slice(contents, size).order(ByteOrder.LITTLE_ENDIAN));
      next = contents + size;
    }
    require(next == end, "messages end at " + next + ", not at " + end);
  }

  /** Size of the messages of a header that begins there. */
  static int messageBytes(ByteBuffer in, int at) {
    int bytes = in.getInt(at + 8);
    require(bytes >= 0, "an object header of " + Integer.toUnsignedString(bytes) + " bytes");
    return bytes;
  }

  private void take(int type, ByteBuffer contents) {
    switch (type) {
      case HeaderEncoder.ATTRIBUTE -> {
        Attribute attribute = Attribute.of(contents);
        require(
            attributes.put(attribute.name, attribute) == null,
            "attribute " + attribute.name + " is there twice");
      }
      case HeaderEncoder.DATASPACE,
          HeaderEncoder.DATATYPE,
          HeaderEncoder.FILL_VALUE,
          HeaderEncoder.LAYOUT,
          HeaderEncoder.SYMBOL_TABLE -> {
        ordered &= attributes.isEmpty() && type > last;
        last = type;
        require(messages.put(type, contents) == null, "message " + type + " is there twice");
      }
      // a newer major version may have it: that is to be said, not this
      default -> unknown = type;
    }
  }

  /** Where the next one begins. */
  int end() {
    return end;
  }

  Map<String, Attribute> attributes() {
    return attributes;
  }

  /** The attribute, which must be there. */
  Attribute attribute(String name) {
    Attribute attribute = attributes.get(name);
    if (attribute == null) {
      throw new IllegalArgumentException(name + " is missing");
    }
    return attribute;
  }

  private ByteBuffer message(int type) {
    require(unknown < 0, "message " + unknown + " in an object header");
    require(ordered, "messages of an object header are not in their order");
    ByteBuffer contents = messages.get(type);
    if (contents == null) {
      throw new IllegalArgumentException("message " + type + " is missing");
    }
    return contents;
  }

  /** Checks that this is a group whose index begins there, with the root of its tree there. */
  void requireGroup(long tree, long heap) {
    ByteBuffer contents = message(HeaderEncoder.SYMBOL_TABLE);
    require(messages.size() == 1, "a group that is something else, too");
    requireEnd(contents, 16);
    require(
        contents.getLong(0) == tree && contents.getLong(8) == heap,
        "a group's index is not behind its header");
  }

  /** Of a dataset. */
  Shape shape() {
    require(!messages.containsKey(HeaderEncoder.SYMBOL_TABLE), "a dataset that is a group, too");
    return dims(message(HeaderEncoder.DATASPACE));
  }

  /** Of a dataset. */
  DType type() {
    return Datatypes.type(message(HeaderEncoder.DATATYPE))
        .orElseThrow(() -> new IllegalArgumentException("a datatype that no tensor has"));
  }

  /** Checks that the bytes of a dataset lie there. */
  void requirePlace(long address, long bytes) {
    ByteBuffer layout = message(HeaderEncoder.LAYOUT);
    long wanted = bytes == 0 ? Words.UNDEFINED : address;
    require(layout.getShort(0) == 0x0103, "a dataset that is not contiguous");
    requireEnd(layout, 18);
    require(
        layout.getLong(2) == wanted && layout.getLong(10) == bytes,
        "a dataset lies at "
            + layout.getLong(2)
            + " with "
            + layout.getLong(10)
            + " bytes, not at "
            + wanted
            + " with "
            + bytes);
    ByteBuffer fill = message(HeaderEncoder.FILL_VALUE);
    require(fill.getInt(0) == HeaderEncoder.NO_FILL_VALUE, "a dataset that was not written");
    requireEnd(fill, 4);
  }

  private static Shape dims(ByteBuffer space) {
    int rank = Byte.toUnsignedInt(space.get(1));
    require(
        space.get(0) == 1
            && space.getShort(2) == 0
            && space.getInt(4) == 0
            && rank <= Words.MAX_RANK,
        "a dataspace of another kind");
    require(space.limit() == 8 + 8 * rank, "a dataspace of " + space.limit() + " bytes");
    long[] dims = new long[rank];
    for (int i = 0; i < rank; i++) {
      dims[i] = space.getLong(8 + 8 * i);
    }
    return Shape.of(dims);
  }

  /** Checks that nothing stands behind so many bytes but zeros up to a multiple of 8. */
  private static void requireEnd(ByteBuffer contents, int bytes) {
    require(contents.limit() == Words.padded(bytes), contents.limit() + " bytes, not " + bytes);
    requireZeros(contents, bytes, contents.limit());
  }

  /** Checks what only fills up. */
  static void requireZeros(ByteBuffer in, int from, int to) {
    for (int i = from; i < to; i++) {
      require(in.get(i) == 0, "a gap that is not of zeros");
    }
  }

  static void require(boolean condition, String problem) {
    if (!condition) {
      throw new IllegalArgumentException(problem);
    }
  }

  /** An attribute, not yet understood. */
  static final class Attribute {
    private final String name;
    private final ByteBuffer type;
    private final ByteBuffer space;
    private final ByteBuffer contents;

    private Attribute(String name, ByteBuffer type, ByteBuffer space, ByteBuffer contents) {
      this.name = name;
      this.type = type;
      this.space = space;
      this.contents = contents;
    }

    private static Attribute of(ByteBuffer message) {
      require(message.getShort(0) == 1, "an attribute of another version");
      int nameBytes = Short.toUnsignedInt(message.getShort(2));
      int typeBytes = Short.toUnsignedInt(message.getShort(4));
      int spaceBytes = Short.toUnsignedInt(message.getShort(6));
      int typeAt = 8 + Words.padded(nameBytes);
      int spaceAt = typeAt + Words.padded(typeBytes);
      int contentsAt = spaceAt + Words.padded(spaceBytes);
      requireZeros(message, 8 + nameBytes, typeAt);
      requireZeros(message, typeAt + typeBytes, spaceAt);
      requireZeros(message, spaceAt + spaceBytes, contentsAt);
      return new Attribute(
          closed(message.slice(8, nameBytes)),
          slice(message, typeAt, typeBytes),
          slice(message, spaceAt, spaceBytes),
          slice(message, contentsAt, message.limit() - contentsAt));
    }

    private static ByteBuffer slice(ByteBuffer from, int at, int bytes) {
      return from.slice(at, bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The text of an attribute that holds one. */
    String text() {
      int bytes = Datatypes.textBytes(type);
      require(bytes > 0 && dims(space).rank() == 0, name + " is no text");
      requireEnd(contents, bytes);
      return closed(contents.slice(0, bytes));
    }

    /** The number of an attribute that holds one. */
    long number() {
      requireNumbers(0);
      requireEnd(contents, 8);
      return contents.getLong(0);
    }

    /** The shape of an attribute that holds its dimensions. */
    Shape shape() {
      requireNumbers(1);
      long count = dims(space).dim(0);
      require(count >= 0 && count <= Words.MAX_RANK, name + " has " + count + " numbers");
      requireEnd(contents, 8 * (int) count);
      long[] dims = new long[(int) count];
      for (int i = 0; i < dims.length; i++) {
        dims[i] = contents.getLong(8 * i);
      }
      return Shape.of(dims);
    }

    private void requireNumbers(int rank) {
      require(
          type.equals(ByteBuffer.wrap(Datatypes.of(DType.INT64))) && dims(space).rank() == rank,
          name + " holds other numbers");
    }

    /** Text up to its closing zero. */
    private static String closed(ByteBuffer utf8) {
      int last = utf8.limit() - 1;
      require(utf8.get(last) == 0, "a text without end");
      return decoded(utf8.slice(0, last));
    }
  }

  static String decoded(ByteBuffer utf8) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(utf8).toString();
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("a text is not UTF-8", e);
    }
  }
}
