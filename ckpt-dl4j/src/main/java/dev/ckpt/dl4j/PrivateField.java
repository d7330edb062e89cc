package dev.ckpt.dl4j;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Field;
import java.util.Properties;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.jspecify.annotations.Nullable;

/**
 * A field of DL4J's or ND4J's that has no accessor. It is looked up once, when the adapter opens,
 * so that another shape of DL4J is an error before the training and never at the first save.
 */
final class PrivateField<T> {
  static final String TESTED = "DL4J and ND4J 1.0.0-M2.1";

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

  /**
   * Looks up every field that {@code holder} keeps in its static fields.
   *
   * @throws UnsupportedOperationException naming the field that this DL4J does not have
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

  static UnsupportedOperationException unknownShape(Class<?> owner, String name, String problem) {
    return new UnsupportedOperationException(
        "This DL4J ("
            + version()
            + ") is not built as ckpt-dl4j expects: "
            + owner.getName()
            + "."
            + name
            + " "
            + problem
            + ". Tested with "
            + TESTED
            + ": use that version, or a ckpt-dl4j made for yours.");
  }

  /** Of DL4J, as its jar says. */
  static String version() {
    try (InputStream file =
        MultiLayerNetwork.class.getResourceAsStream(
            "/META-INF/maven/org.deeplearning4j/deeplearning4j-nn/pom.properties")) {
      if (file == null) {
        return "of an unknown version";
      }
      Properties facts = new Properties();
      facts.load(file);
      return facts.getProperty("version", "of an unknown version");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @SuppressWarnings({"unchecked", "NullAway"}) // the type was compared in of(); T may be nullable
  T get(Object owner) {
    try {
      return (T) field.get(owner);
    } catch (IllegalAccessException e) {
      throw new AssertionError(field + " was made accessible", e);
    }
  }

  void set(Object owner, @Nullable T value) {
    try {
      field.set(owner, value);
    } catch (IllegalAccessException e) {
      throw new AssertionError(field + " was made accessible", e);
    }
  }
}
