package dev.ckpt.hdf5;

import dev.ckpt.DType;

/**
 * Appends object headers of version 1: a count of messages, then the messages, each padded to 8.
 */
final class HeaderEncoder {

  static final int PREFIX_BYTES = 16;
  static final int MESSAGE_HEAD_BYTES = 8;

  static final int DATASPACE = 0x01;
  static final int DATATYPE = 0x03;
  static final int FILL_VALUE = 0x05;
  static final int LAYOUT = 0x08;
  static final int ATTRIBUTE = 0x0C;
  static final int SYMBOL_TABLE = 0x11;

  /** HDF5's own limit. */
  static final int MAX_MESSAGES = 0xFFFF;

  /** Version 2, allocated late, written if set, not set. */
  static final int NO_FILL_VALUE = 0x00020202;

  /** A group's header without attributes. */
  static final int GROUP_BYTES = PREFIX_BYTES + MESSAGE_HEAD_BYTES + 16;

  private final Bytes to;
  private int start;
  private int messages;
  private int attribute;

  HeaderEncoder(Bytes to) {
    this.to = to;
  }

  void begin() {
    start = to.size();
    messages = 0;
    // version, count of messages, references, size of the messages
    to.u8(1).u8(0).u16(0).u32(1).u32(0).u32(0);
  }

  /**
   * @throws IllegalArgumentException if the header cannot count its messages
   */
  void end() {
    if (messages > MAX_MESSAGES) {
      throw new IllegalArgumentException(
          "an object header of "
              + messages
              + " messages, of at most "
              + MAX_MESSAGES
              + ": there are too many header facts for one shard");
    }
    to.setU16(start + 2, messages).setU32(start + 8, to.size() - start - PREFIX_BYTES);
  }

  private int message(int type) {
    messages++;
    to.u16(type).u16(0).u32(0);
    return to.size();
  }

  private void endMessage(int contents) {
    to.pad();
    to.setU16(contents - 6, to.size() - contents);
  }

  /** Returns where the index of the names stands in it: B-tree, then heap. */
  int symbolTable(long tree, long heap) {
    int at = message(SYMBOL_TABLE);
    to.u64(tree).u64(heap);
    endMessage(at);
    return at;
  }

  /**
   * All that a dataset has besides attributes: its bytes lie in one piece, all of them written, so
   * it needs no value for those that were not.
   *
   * @return where its first dimension stands
   */
  int dataset(byte[] datatype, long[] dims) {
    int at = message(DATASPACE);
    int first = dataspace(dims);
    endMessage(at);
    at = message(DATATYPE);
    to.put(datatype);
    endMessage(at);
    at = message(FILL_VALUE);
    to.u32(NO_FILL_VALUE);
    endMessage(at);
    return first;
  }

  /** Returns where the address stands; the size follows. */
  int layout(long address, long bytes) {
    int at = message(LAYOUT);
    // version 3, contiguous
    to.u8(3).u8(1);
    int addressAt = to.size();
    to.u64(address).u64(bytes);
    endMessage(at);
    return addressAt;
  }

  private int dataspace(long[] dims) {
    to.u8(1).u8(dims.length).u8(0).u8(0).u32(0);
    int first = to.size();
    for (long dim : dims) {
      to.u64(dim);
    }
    return first;
  }

  void attribute(String name, byte[] utf8) {
    attribute(name, Datatypes.text(utf8.length + 1), new long[0]);
    to.put(utf8).u8(0);
    endMessage(attribute);
  }

  /** Returns where the number stands. */
  int attribute(String name, long number) {
    attribute(name, Datatypes.of(DType.INT64), new long[0]);
    int at = to.size();
    to.u64(number);
    endMessage(attribute);
    return at;
  }

  void attribute(String name, long[] numbers) {
    attribute(name, Datatypes.of(DType.INT64), new long[] {numbers.length});
    for (long number : numbers) {
      to.u64(number);
    }
    endMessage(attribute);
  }

  private void attribute(String name, byte[] datatype, long[] dims) {
    byte[] utf8 = Bytes.utf8(name);
    attribute = message(ATTRIBUTE);
    // version 1: name, type and space are padded to 8 each
    to.u8(1).u8(0).u16(utf8.length + 1).u16(datatype.length).u16(8 + 8 * dims.length);
    to.put(utf8).u8(0).pad();
    to.put(datatype).pad();
    dataspace(dims);
  }
}
