package dev.ckpt.spi;

import dev.ckpt.CheckpointException;
import dev.ckpt.StateView;
import java.io.IOException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Path;
import java.util.Map;

/**
 * Writes a checkpoint, or what others need of it, as one file that other programs read. Found by
 * {@link java.util.ServiceLoader}. Called on any thread; writes in its order, and may go back.
 */
public interface CheckpointExporter {

  /** The ending of such a file's name, without a dot: {@code params}. */
  String extension();

  /** What it is, in half a line: {@code DJL's model parameters}. */
  String title();

  /**
   * Writes the file. The channel is empty, and the caller's: it puts the file in its place when it
   * is whole.
   *
   * @param parts the checkpoint's, by their names; every byte read is verified
   * @throws CheckpointException.NotFound if the checkpoint does not hold what the file needs
   * @throws CheckpointException.Corrupt if it is damaged
   */
  void write(Map<String, StateView> parts, SeekableByteChannel file) throws IOException;

  /**
   * Looks, before anything is written, whether other programs will read this file where it is to
   * stand.
   *
   * @throws IllegalArgumentException if they would take another one that is there, or none
   */
  default void requireRead(Path file) throws IOException {}
}
