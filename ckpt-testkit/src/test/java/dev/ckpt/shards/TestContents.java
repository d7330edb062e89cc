package dev.ckpt.shards;

import dev.ckpt.TensorSpec;
import dev.ckpt.spi.ShardFormat;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Tensors of any size whose bytes are cut from one piece of noise, and made without garbage. The
 * period is a prime, so that no displaced window looks right.
 */
public final class TestContents implements ShardFormat.Contents {

  private static final int PERIOD = 1_000_003;
  private static final ByteBuffer NOISE = ByteBuffer.allocateDirect(PERIOD + (1 << 20));

  static {
    byte[] noise = new byte[PERIOD];
    new Random(1).nextBytes(noise);
    while (NOISE.hasRemaining()) {
      NOISE.put(noise, 0, Math.min(PERIOD, NOISE.remaining()));
    }
  }

  private final Map<String, String> header;
  private final List<TensorSpec> tensors;
  private final ByteBuffer values;
  private final ByteBuffer window = NOISE.asReadOnlyBuffer();

  public TestContents(Map<String, String> header, List<TensorSpec> tensors, String values) {
    this.header = header;
    this.tensors = List.copyOf(tensors);
    this.values = ByteBuffer.wrap(values.getBytes(StandardCharsets.UTF_8));
  }

  @Override
  public Map<String, String> header() {
    return header;
  }

  @Override
  public List<TensorSpec> tensors() {
    return tensors;
  }

  @Override
  public ByteBuffer values() {
    return values;
  }

  @Override
  public ByteBuffer window(int tensor, long offset, int max) {
    int start = (int) ((offset + tensor * 7919L) % PERIOD);
    return window.clear().position(start).limit(start + Math.min(max, 1 << 20));
  }
}
