package dev.ckpt.djl;

import ai.djl.engine.Engine;
import java.lang.reflect.Field;

/**
 * A field of DJL's that has no accessor. It is looked up once, when the adapter opens, so that
 * another shape of DJL is an error before the training and never at the first save.
 */
final class PrivateField<T> {
  static final String TESTED = "DJL 0.34.0 to 0.35.1 with PyTorch 2.7.1";

  private final Field field;

  private PrivateField(Field field) {
    this.field = field;
  }

  /**
   * The field {@code name} that {@code owner} itself declares.
   *
   * @param type its exact type; a primitive one is accessed boxed
   * @throws UnsupportedOperationException if there is none of that name and type
   */
  static <T> PrivateField<T> of(Class<?> owner, String name, Class<?> type) {
    try {
      Field field = owner.getDeclaredField(name);
      if (field.getType() != type) {
        throw unknownShape(
            owner, name, "is of type " + field.getType().getName() + ", not " + type.getName());
      }
      field.setAccessible(true);
      return new PrivateField<>(field);
    } catch (NoSuchFieldException e) {
      throw unknownShape(owner, name, "does not exist");
    } catch (RuntimeException e) {
      if (e instanceof UnsupportedOperationException) {
        throw e;
      }
      throw unknownShape(owner, name, "cannot be opened (" + e.getMessage() + ")");
    }
  }

  /** Any other field, already found by a walk over a class. */
  static <T> PrivateField<T> of(Field field) {
    field.setAccessible(true);
    return new PrivateField<>(field);
  }

  /**
   * Looks up every field that {@code holder} keeps in its static fields.
   *
   * @throws UnsupportedOperationException naming the field that this DJL does not have
   */
  static void probe(Class<?> holder) {
    try {
      Class.forName(holder.getName(), true, holder.getClassLoader());
    } catch (ExceptionInInitializerError e) {
      if (e.getCause() instanceof UnsupportedOperationException cause) {
        throw cause;
      }
      throw e;
    } catch (ClassNotFoundException e) {
      throw new AssertionError(holder + " is loaded", e);
    }
  }

  private static UnsupportedOperationException unknownShape(
      Class<?> owner, String name, String problem) {
    return new UnsupportedOperationException(
        "This DJL ("
            + Engine.getDjlVersion()
            + ") is not built as ckpt-djl expects: "
            + owner.getName()
            + "."
            + name
            + " "
            + problem
            + ". Tested with "
            + TESTED
            + ": use that version, or a ckpt-djl made for yours.");
  }

  String name() {
    return field.getName();
  }

  @SuppressWarnings({"unchecked", "NullAway"}) // the type was compared in of(); T may be nullable
  T get(Object owner) {
    try {
      return (T) field.get(owner);
    } catch (IllegalAccessException e) {
      throw new AssertionError(field + " was made accessible", e);
    }
  }

  void set(Object owner, T value) {
    try {
      field.set(owner, value);
    } catch (IllegalAccessException e) {
      throw new AssertionError(field + " was made accessible", e);
    }
  }
}
