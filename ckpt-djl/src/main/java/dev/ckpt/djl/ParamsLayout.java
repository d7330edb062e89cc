package dev.ckpt.djl;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What DJL's {@code .params} file of a model holds around and between its tensors.
 *
 * <p>Only the model's own blocks know it: each writes a version, input shapes and what else it
 * likes. A checkpoint that carries it becomes such a file where there is neither the program nor an
 * engine. It is learned by letting the blocks write themselves while every parameter's array is a
 * stand-in that writes its head alone, so that no tensor is copied.
 *
 * @param head the file's beginning, up to where the block writes
 * @param pieces what the block writes
 */
record ParamsLayout(byte[] head, List<Piece> pieces) {
  private static final int VERSION = 1;
  private static final int MODEL_VERSION = 1;
  private static final int ARRAY_VERSION = 3;

  /**
   * Bytes, and the tensor whose little-endian contents follow them.
   *
   * @param tensor its name among the parameters; empty: none follows
   */
  record Piece(byte[] bytes, String tensor) {}

  ParamsLayout {
    pieces = List.copyOf(pieces);
  }

  /**
   * Learns it from an initialized model without {@link EngineBlocks}. On the training thread, while
   * no array is in use.
   *
   * @throws UnsupportedOperationException saying which block or array cannot be written so
   */
  static ParamsLayout of(Model model, Map<String, Parameter> byName) {
    Map<Parameter, NDArray> real = new IdentityHashMap<>();
    Recorder recorder = new Recorder();
    try (DataOutputStream out = new DataOutputStream(recorder)) {
      byName.forEach(
          (name, parameter) -> {
            NDArray array = parameter.getArray();
            NDArray standIn = recorder.standIn(name, array);
            real.put(parameter, array);
            DjlInternals.PARAMETER_ARRAY.set(parameter, standIn);
          });
      model.getBlock().saveParameters(out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      real.forEach(DjlInternals.PARAMETER_ARRAY::set);
    }
    return new ParamsLayout(head(model), recorder.pieces());
  }

  /**
   * Whether a block may write something else later on: one of the program's own that writes itself.
   * DJL's write what they were built with.
   */
  static boolean mayChange(Block block) {
    for (Class<?> c = block.getClass(); c != null; c = c.getSuperclass()) {
      if (!c.getName().startsWith("ai.djl.")
          && Arrays.stream(c.getDeclaredMethods())
              .anyMatch(each -> each.getName().startsWith("save"))) {
        return true;
      }
    }
    return block.getChildren().values().stream().anyMatch(ParamsLayout::mayChange);
  }

  /** Whether the blocks wrote the same there, apart from the contents of tensors. */
  boolean isWrittenAs(ParamsLayout other) {
    if (pieces.size() != other.pieces.size()) {
      return false;
    }
    for (int i = 0; i < pieces.size(); i++) {
      Piece own = pieces.get(i);
      Piece its = other.pieces.get(i);
      if (!own.tensor().equals(its.tensor()) || !Arrays.equals(own.bytes(), its.bytes())) {
        return false;
      }
    }
    return true;
  }

  /**
   * What is written around the blocks as that model says it now; this very one if nothing is new.
   */
  ParamsLayout headedBy(Model model) {
    byte[] now = head(model);
    return Arrays.equals(head, now) ? this : new ParamsLayout(now, pieces);
  }

  /** As {@code BaseModel.save} writes it. */
  private static byte[] head(Model model) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeBytes("DJL@");
      out.writeInt(MODEL_VERSION);
      out.writeUTF(model.getName());
      out.writeUTF(model.getDataType().name());
      List<Pair<String, Shape>> inputs = new ArrayList<>();
      model.getBlock().describeInput().forEach(inputs::add);
      out.writeInt(inputs.size());
      for (Pair<String, Shape> input : inputs) {
        out.writeUTF(input.getKey() == null ? "" : input.getKey());
        out.write(input.getValue().getEncoded());
      }
      Map<String, String> properties = model.getProperties();
      out.writeInt(properties.size());
      for (Map.Entry<String, String> each : properties.entrySet()) {
        out.writeUTF(each.getKey());
        out.writeUTF(each.getValue());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  /** What {@code NDSerializer} writes before an array's bytes. */
  private static byte[] arrayHead(NDArray array, long length) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeUTF("NDAR");
      out.writeInt(ARRAY_VERSION);
      String name = array.getName();
      out.write(name == null ? 0 : 1);
      if (name != null) {
        out.writeUTF(name);
      }
      out.writeUTF(array.getSparseFormat().name());
      out.writeUTF(array.getDataType().name());
      out.write(array.getShape().getEncoded());
      out.write('<');
      out.writeInt(Math.toIntExact(length));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  /** Its own bytes, for {@link #decode}. */
  byte[] encode() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeByte(VERSION);
      write(out, head);
      out.writeInt(pieces.size());
      for (Piece piece : pieces) {
        write(out, piece.bytes());
        write(out, piece.tensor().getBytes(StandardCharsets.UTF_8));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  private static void write(DataOutputStream out, byte[] bytes) throws IOException {
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  /**
   * The inverse of {@link #encode}.
   *
   * @throws UnsupportedOperationException if a newer version wrote it
   */
  static ParamsLayout decode(ByteBuffer encoded) {
    int version = encoded.get();
    if (version != VERSION) {
      throw new UnsupportedOperationException(
          "the layout of DJL's file is of version " + version + ", written by a newer ckpt-djl");
    }
    byte[] head = read(encoded);
    List<Piece> pieces = new ArrayList<>();
    for (int left = encoded.getInt(); left > 0; left--) {
      pieces.add(new Piece(read(encoded), new String(read(encoded), StandardCharsets.UTF_8)));
    }
    return new ParamsLayout(head, pieces);
  }

  private static byte[] read(ByteBuffer from) {
    byte[] bytes = new byte[from.getInt()];
    from.get(bytes);
    return bytes;
  }

  /** Takes what blocks write, and knows where a tensor's bytes belong. */
  private static final class Recorder extends OutputStream {
    private final ByteArrayOutputStream literal = new ByteArrayOutputStream();
    private final List<Piece> pieces = new ArrayList<>();
    private byte @Nullable [] due;
    private String dueName = "";

    NDArray standIn(String name, NDArray array) {
      long length = array.size() * array.getDataType().getNumOfBytes();
      if (length > Integer.MAX_VALUE) {
        throw new UnsupportedOperationException(
            "parameter " + name + " has " + length + " bytes; DJL's file holds 2 GiB each");
      }
      return (NDArray)
          Proxy.newProxyInstance(
              NDArray.class.getClassLoader(),
              new Class<?>[] {NDArray.class},
              (proxy, method, arguments) ->
                  switch (method.getName()) {
                    case "encode" -> announce(name, arrayHead(array, length));
                    case "getName" -> array.getName();
                    case "getShape" -> array.getShape();
                    case "getDataType" -> array.getDataType();
                    case "size" -> array.size();
                    default ->
                        throw new UnsupportedOperationException(
                            "a block asks "
                                + method.getName()
                                + " of parameter "
                                + name
                                + " when it is saved");
                  });
    }

    private byte[] announce(String name, byte[] head) {
      requireNoneDue();
      due = head;
      dueName = name;
      return head;
    }

    @Override
    public void write(int b) {
      requireNoneDue();
      literal.write(b);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
      if (bytes == due && offset == 0 && length == bytes.length) {
        literal.writeBytes(bytes);
        pieces.add(new Piece(literal.toByteArray(), dueName));
        literal.reset();
        due = null;
      } else {
        requireNoneDue();
        literal.write(bytes, offset, length);
      }
    }

    private void requireNoneDue() {
      if (due != null) {
        throw new UnsupportedOperationException(
            "a block does not write the array of parameter " + dueName + " as DJL encodes it");
      }
    }

    List<Piece> pieces() {
      requireNoneDue();
      if (literal.size() > 0 || pieces.isEmpty()) {
        pieces.add(new Piece(literal.toByteArray(), ""));
      }
      return pieces;
    }
  }
}
