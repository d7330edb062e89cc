/**
 * The HDF5 shard: a file of the classic format (superblock 0, symbol tables), which every HDF5
 * library reads. Described field by field in FORMAT.md. Written without an HDF5 library, because
 * all of them go back to patch what they wrote, and no store can; read without one, because no byte
 * may be believed before it was proved.
 */
@NullMarked
package dev.ckpt.hdf5;

import org.jspecify.annotations.NullMarked;
