package dev.ckpt.djl;

/** Primitive values as text that reads back to the same bits; JSON has no NaN and no float. */
final class Texts {
  private Texts() {}

  /**
   * Reads what {@code toString()} of a boxed primitive wrote.
   *
   * @throws IllegalArgumentException if it is no text of that type
   */
  static Object parse(String text, Class<?> boxed) {
    if (boxed == Integer.class) {
      return Integer.valueOf(text);
    }
    if (boxed == Long.class) {
      return Long.valueOf(text);
    }
    if (boxed == Float.class) {
      return Float.valueOf(text);
    }
    if (boxed == Double.class) {
      return Double.valueOf(text);
    }
    if (boxed == Boolean.class) {
      return Boolean.valueOf(text);
    }
    if (boxed == Short.class) {
      return Short.valueOf(text);
    }
    if (boxed == Byte.class) {
      return Byte.valueOf(text);
    }
    if (boxed == Character.class && text.length() == 1) {
      return text.charAt(0);
    }
    throw new IllegalArgumentException("'" + text + "' as " + boxed.getName());
  }
}
