package dev.ckpt.dl4j;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.TensorSource;
import dev.ckpt.TensorSpec;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;

/** Digests tensors instead of saving them; small values are left out. */
final class StateDigest implements StateSink {
  private static final int WINDOW = 1 << 20;

  private final Map<String, byte[]> byName = new TreeMap<>();

  @Override
  public void tensor(TensorSpec spec, TensorSource source, Stability stability) {
    MessageDigest digest = sha256();
    digest.update((spec.name() + " " + spec.type().id() + " " + spec.shape()).getBytes(UTF_8));
    ByteBuffer window = ByteBuffer.allocate((int) Math.min(WINDOW, spec.bytes()));
    for (long offset = 0; offset < spec.bytes(); offset += window.limit()) {
      window.clear().limit((int) Math.min(window.capacity(), spec.bytes() - offset));
      source.copy(offset, window);
      digest.update(window.flip());
    }
    byName.put(spec.name(), digest.digest());
  }

  @Override
  public void value(String name, Object json) {}

  @Override
  public void bytes(String name, ByteBuffer contents) {}

  /** SHA-256 over all tensors in the order of their names, in hex. */
  String hex() {
    MessageDigest digest = sha256();
    byName.values().forEach(digest::update);
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Of each tensor alone, in hex: where two states differ. */
  Map<String, String> byName() {
    Map<String, String> hex = new TreeMap<>();
    byName.forEach((name, sha) -> hex.put(name, HexFormat.of().formatHex(sha, 0, 8)));
    return hex;
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }
}
