package dev.ckpt.hdf5;

/** The words of the format: names, limits, numbers of the specification. */
final class Words {

  static final String FORMAT_NAME = "ckpt-hdf5";
  static final int MAJOR = 1;

  /** Every attribute of ours begins so; header facts are {@code ckpt.<key>}. */
  static final String PREFIX = "ckpt.";

  // attributes of the root group
  static final String FORMAT = "ckpt.format";
  static final String REQUIRED_FEATURES = "ckpt.requiredFeatures";
  static final String BODY = "ckpt.body";

  // attributes of a tensor
  static final String DTYPE = "ckpt.dtype";
  static final String INDEX = "ckpt.index";
  static final String PLACEMENT = "ckpt.placement";
  static final String GLOBAL = "ckpt.global";
  static final String START = "ckpt.start";
  static final String REPLICATED = "replicated";
  static final String SLICE = "slice";

  // datasets of the root group; a part's name has no # when it is escaped
  static final String VALUES = "#values";
  static final String CHECKSUMS = "#checksums";

  static final int ALIGNMENT = 64;

  /** HDF5's own limit. */
  static final int MAX_RANK = 32;

  static final int MAX_NAME_BYTES = 1 << 16;

  /** A message has less than 64 KiB: longer facts are cut into pieces of this. */
  static final int PIECE = 32 << 10;

  static final int MAX_KEY_BYTES = 16 << 10;

  /** The address of what is not there. */
  static final long UNDEFINED = -1;

  private Words() {}

  /** The next multiple of {@link #ALIGNMENT}. */
  static long aligned(long bytes) {
    return Math.addExact(bytes, ALIGNMENT - 1) & -ALIGNMENT;
  }

  /** The next multiple of 8, as the specification pads. */
  static int padded(int bytes) {
    return Math.addExact(bytes, 7) & -8;
  }
}
