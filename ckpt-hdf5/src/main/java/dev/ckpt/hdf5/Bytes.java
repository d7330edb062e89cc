package dev.ckpt.hdf5;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Little-endian bytes that grow at their end. */
final class Bytes {

  private ByteBuffer bytes = ByteBuffer.allocate(1 << 12).order(ByteOrder.LITTLE_ENDIAN);

  /** Bytes so far. */
  int size() {
    return bytes.position();
  }

  private ByteBuffer room(int more) {
    if (bytes.remaining() < more) {
      long wanted = Math.max(2L * bytes.capacity(), (long) bytes.position() + more);
      if (bytes.position() > Integer.MAX_VALUE - 64 - more) {
        throw new IllegalArgumentException(
            "the metadata have more than 2 GiB: there are too many tensors for one shard");
      }
      byte[] grown = Arrays.copyOf(bytes.array(), (int) Math.min(wanted, Integer.MAX_VALUE - 64));
      bytes = ByteBuffer.wrap(grown).order(ByteOrder.LITTLE_ENDIAN).position(bytes.position());
    }
    return bytes;
  }

  Bytes u8(int value) {
    room(1).put((byte) value);
    return this;
  }

  Bytes u16(int value) {
    room(2).putShort((short) value);
    return this;
  }

  Bytes u32(int value) {
    room(4).putInt(value);
    return this;
  }

  Bytes u64(long value) {
    room(8).putLong(value);
    return this;
  }

  Bytes put(byte[] source) {
    room(source.length).put(source);
    return this;
  }

  Bytes put(Bytes source) {
    room(source.size()).put(source.bytes.array(), 0, source.size());
    return this;
  }

  Bytes zeros(int count) {
    room(count).put(new byte[count]);
    return this;
  }

  /** Zeros up to the next multiple of 8. */
  Bytes pad() {
    return zeros(Words.padded(size()) - size());
  }

  Bytes setU16(int at, int value) {
    bytes.putShort(at, (short) value);
    return this;
  }

  Bytes setU32(int at, int value) {
    bytes.putInt(at, value);
    return this;
  }

  Bytes setU64(int at, long value) {
    bytes.putLong(at, value);
    return this;
  }

  long u64At(int at) {
    return bytes.getLong(at);
  }

  /** All of them, once there are no more to come. */
  ByteBuffer finished() {
    return ByteBuffer.wrap(Arrays.copyOf(bytes.array(), bytes.position()))
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * @throws IllegalArgumentException if a surrogate stands alone in the text
   */
  static byte[] utf8(String text) {
    try {
      ByteBuffer encoded = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
      return Arrays.copyOf(encoded.array(), encoded.limit());
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("a surrogate stands alone in '" + text + "'", e);
    }
  }
}
