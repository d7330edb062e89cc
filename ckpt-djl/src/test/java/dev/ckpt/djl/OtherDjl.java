package dev.ckpt.djl;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The classes of DJL and ckpt-djl once more, but one field of DJL's has another name. */
final class OtherDjl extends ClassLoader {
  private final String owner;
  private final String field;

  /**
   * @param owner the class that has the field
   */
  OtherDjl(String owner, String field) {
    super(OtherDjl.class.getClassLoader());
    this.owner = owner;
    this.field = field;
  }

  @Override
  protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
    synchronized (getClassLoadingLock(name)) {
      Class<?> known = findLoadedClass(name);
      if (known != null) {
        return known;
      }
      if (!name.startsWith("ai.djl.") && !name.startsWith("dev.ckpt.djl.")) {
        return super.loadClass(name, resolve);
      }
      byte[] bytes = bytes(name);
      if (bytes == null) {
        throw new ClassNotFoundException(name);
      }
      return defineClass(name, bytes, 0, bytes.length);
    }
  }

  private byte @Nullable [] bytes(String name) {
    try (InputStream in =
        Objects.requireNonNull(getParent())
            .getResourceAsStream(name.replace('.', '/') + ".class")) {
      if (in == null) {
        return null;
      }
      byte[] bytes = in.readAllBytes();
      if (!name.equals(owner)) {
        return bytes;
      }
      // names stand in the class file as they are: one of the same length fits in its place
      String text = new String(bytes, StandardCharsets.ISO_8859_1);
      if (!text.contains(field)) {
        throw new AssertionError(owner + " has no " + field);
      }
      String other = field.substring(0, field.length() - 1) + "_";
      return text.replace(field, other).getBytes(StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
