package dev.ckpt.hdf5;

import dev.ckpt.CheckpointException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The first bytes of a file: version 0. The root group's header follows at once. */
final class Superblock {

  static final int BYTES = 96;
  static final int END_OF_FILE_AT = 40;

  private static final byte[] SIGNATURE = {(byte) 0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};

  private Superblock() {}

  /** Appends it, with 0 for the end of the file. */
  static void encode(Bytes to) {
    to.put(SIGNATURE);
    // versions of superblock, free space, root entry, shared headers; 8 bytes an address and length
    to.u8(0).u8(0).u8(0).u8(0).u8(0).u8(8).u8(8).u8(0);
    to.u16(GroupIndex.LEAF_K).u16(GroupIndex.INTERNAL_K).u32(0);
    // base, free space, end of file, driver
    to.u64(0).u64(Words.UNDEFINED).u64(0).u64(Words.UNDEFINED);
    // the root group's entry, with nothing cached
    to.u64(0).u64(BYTES).u32(0).u32(0).u64(0).u64(0);
  }

  /**
   * @param found the first bytes of a file
   * @throws CheckpointException.Corrupt if they are not those of a shard of that length
   */
  static void require(String file, ByteBuffer found, long length) {
    if (!found.slice(0, SIGNATURE.length).equals(ByteBuffer.wrap(SIGNATURE))) {
      throw new CheckpointException.Corrupt(file + " is no HDF5 file: its signature is missing");
    }
    Bytes expected = new Bytes();
    encode(expected);
    ByteBuffer wanted = expected.setU64(END_OF_FILE_AT, length).finished();
    int differs = found.slice(0, BYTES).mismatch(wanted);
    if (differs >= END_OF_FILE_AT && differs < END_OF_FILE_AT + Long.BYTES) {
      throw new CheckpointException.Corrupt(
          file
              + " is no shard: it is said to have "
              + found.order(ByteOrder.LITTLE_ENDIAN).getLong(END_OF_FILE_AT)
              + " bytes, and has "
              + length);
    }
    if (differs >= 0) {
      throw new CheckpointException.Corrupt(
          file
              + " is an HDF5 file, but no shard of a checkpoint: byte "
              + differs
              + " of its superblock is another");
    }
  }
}
