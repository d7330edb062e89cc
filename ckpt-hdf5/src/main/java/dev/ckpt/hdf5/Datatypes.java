package dev.ckpt.hdf5;

import static java.util.Objects.requireNonNull;

import dev.ckpt.DType;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Datatype messages, version 1. A {@code bool} is what h5py takes for one: an enumeration of one
 * byte with FALSE = 0 and TRUE = 1.
 */
final class Datatypes {

  private static final int FIXED_POINT = 0x10;
  private static final int FLOATING_POINT = 0x11;
  private static final int STRING = 0x13;
  private static final int ENUMERATION = 0x18;
  private static final int SIGNED = 0x08;

  /** The mantissa's first bit is not stored. */
  private static final int IMPLIED_ONE = 0x20;

  /** Ends in a zero, is UTF-8. */
  private static final int TEXT = 0x10;

  private static final Map<DType, byte[]> ENCODED = new EnumMap<>(DType.class);
  private static final Map<ByteBuffer, DType> DECODED = new HashMap<>();

  static {
    for (DType type : DType.values()) {
      byte[] message = encode(type);
      ENCODED.put(type, message);
      DECODED.put(ByteBuffer.wrap(Arrays.copyOf(message, Words.padded(message.length))), type);
    }
  }

  private Datatypes() {}

  /** The message's contents without padding; not to be changed. */
  static byte[] of(DType type) {
    return requireNonNull(ENCODED.get(type));
  }

  /** The type of which this is the message, with its padding. */
  static Optional<DType> type(ByteBuffer message) {
    return Optional.ofNullable(DECODED.get(message));
  }

  /** A text of a fixed size with its closing zero. */
  static byte[] text(int bytes) {
    return finish(new Bytes().u8(STRING).u8(TEXT).u16(0).u32(bytes));
  }

  /** The size of a text as {@link #text} gave it, or -1 if this is none. */
  static int textBytes(ByteBuffer message) {
    int bytes = message.remaining() == 8 ? message.getInt(message.position() + 4) : -1;
    return bytes > 0 && message.equals(ByteBuffer.wrap(text(bytes))) ? bytes : -1;
  }

  private static byte[] encode(DType type) {
    return switch (type) {
      case FLOAT64 -> floating(8, 11, 52);
      case FLOAT32 -> floating(4, 8, 23);
      case FLOAT16 -> floating(2, 5, 10);
      case BFLOAT16 -> floating(2, 8, 7);
      case INT64, INT32, INT16, INT8 -> finish(fixed(type.bytes(), SIGNED));
      case UINT64, UINT32, UINT16, UINT8 -> finish(fixed(type.bytes(), 0));
      case BOOL -> {
        Bytes message = new Bytes().u8(ENUMERATION).u8(2).u16(0).u32(1);
        message.put(finish(fixed(1, SIGNED)));
        message
            .put(Arrays.copyOf(Bytes.utf8("FALSE"), 8))
            .put(Arrays.copyOf(Bytes.utf8("TRUE"), 8));
        yield finish(message.u8(0).u8(1));
      }
    };
  }

  private static Bytes fixed(int bytes, int sign) {
    return new Bytes().u8(FIXED_POINT).u8(sign).u16(0).u32(bytes).u16(0).u16(8 * bytes);
  }

  /** Sign, exponent, mantissa, from the highest bit down. */
  private static byte[] floating(int bytes, int exponentBits, int mantissaBits) {
    Bytes message = new Bytes().u8(FLOATING_POINT).u8(IMPLIED_ONE).u8(8 * bytes - 1).u8(0);
    message.u32(bytes).u16(0).u16(8 * bytes);
    message.u8(mantissaBits).u8(exponentBits).u8(0).u8(mantissaBits);
    return finish(message.u32((1 << (exponentBits - 1)) - 1));
  }

  private static byte[] finish(Bytes message) {
    return message.finished().array();
  }
}
