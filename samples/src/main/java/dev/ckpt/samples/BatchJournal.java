package dev.ckpt.samples;

import ai.djl.training.Trainer;
import ai.djl.training.listener.TrainingListenerAdapter;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32;

/**
 * For the kill test: one line for each batch that the loop takes up, before its update. {@code T} a
 * training batch, {@code V} a validation batch, each with the CRC-32 of its pixels; {@code E} the
 * end of an epoch.
 *
 * <p>A batch is named by its contents and not by a counter, so that the journal proves what was
 * trained on whatever the checkpoints believe. Each line is one write to the kernel: it outlives a
 * {@code kill -9}.
 */
final class BatchJournal extends TrainingListenerAdapter {

  private final OutputStream out;

  BatchJournal(Path file) throws IOException {
    this.out = Files.newOutputStream(file);
  }

  @Override
  public void onTrainingBatch(Trainer trainer, BatchData batchData) {
    training(batchData.getBatch().getData().head().toByteBuffer());
  }

  @Override
  public void onValidationBatch(Trainer trainer, BatchData batchData) {
    validation(batchData.getBatch().getData().head().toByteBuffer());
  }

  @Override
  public void onEpoch(Trainer trainer) {
    epoch();
  }

  /** A training batch is taken up. */
  void training(ByteBuffer pixels) {
    write("T " + fingerprint(pixels));
  }

  /** A validation batch is. */
  void validation(ByteBuffer pixels) {
    write("V " + fingerprint(pixels));
  }

  /** An epoch has ended. */
  void epoch() {
    write("E");
  }

  private static String fingerprint(ByteBuffer pixels) {
    CRC32 crc = new CRC32();
    crc.update(pixels);
    return Long.toHexString(crc.getValue());
  }

  private void write(String line) {
    try {
      out.write((line + "\n").getBytes(StandardCharsets.US_ASCII));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
