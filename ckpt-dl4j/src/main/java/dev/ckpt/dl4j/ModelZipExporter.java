package dev.ckpt.dl4j;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.ckpt.CheckpointException;
import dev.ckpt.DType;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import dev.ckpt.spi.CheckpointExporter;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * Writes the zip of DL4J's {@code ModelSerializer}: configuration, weights, updater state, the
 * normalizer. Needs neither DL4J nor ND4J. The tensors of a checkpoint lie in the order of DL4J's
 * flat arrays, and each in the order of DL4J's memory; the file has them big-endian.
 *
 * <p>The counters in its configuration are those of the checkpoint, so that training can go on from
 * the file, though not to the same bytes: it has no random streams and no place in the data.
 */
public final class ModelZipExporter implements CheckpointExporter {
  private static final int WINDOW = 1 << 20;

  /** ND4J's flag of each type in shape information. */
  private static final Map<DType, Long> FLAGS =
      Map.of(
          DType.FLOAT16, 0x1000L,
          DType.BFLOAT16, 0x800L,
          DType.FLOAT32, 0x2000L,
          DType.FLOAT64, 0x4000L);

  private static final Map<DType, String> NAMES =
      Map.of(
          DType.FLOAT16, "HALF",
          DType.BFLOAT16, "BFLOAT16",
          DType.FLOAT32, "FLOAT",
          DType.FLOAT64, "DOUBLE");

  private static final String MULTI = "MULTI_";
  private static final String MIN_MAX = "MIN_MAX";
  private static final String PREPROCESSOR = "org.nd4j.linalg.dataset.api.preprocessor.";

  /** ND4J's name of each kind of normalizer. */
  private static final Map<String, String> NORMALIZERS =
      Map.of(
          PREPROCESSOR + "NormalizerStandardize",
          "STANDARDIZE",
          PREPROCESSOR + "NormalizerMinMaxScaler",
          MIN_MAX,
          PREPROCESSOR + "MultiNormalizerStandardize",
          MULTI + "STANDARDIZE",
          PREPROCESSOR + "MultiNormalizerMinMaxScaler",
          MULTI + MIN_MAX);

  /** For {@link java.util.ServiceLoader}. */
  public ModelZipExporter() {}

  @Override
  public String extension() {
    return "zip";
  }

  @Override
  public String title() {
    return "DL4J's model file";
  }

  @Override
  public void write(Map<String, StateView> parts, SeekableByteChannel file) throws IOException {
    StateView model = parts.get("model");
    if (model == null || !model.opaque().contains("configuration")) {
      throw new CheckpointException.NotFound(
          "the checkpoint holds no configuration of a DL4J network: a SameDiff graph is written by"
              + " its program, with Dl4jCheckpoints.loadWeights and sd.save");
    }
    ZipOutputStream zip = new ZipOutputStream(Channels.newOutputStream(file));
    zip.putNextEntry(entry("configuration.json"));
    zip.write(configuration(model, parts.get("counters")).getBytes(UTF_8));
    zip.putNextEntry(entry("coefficients.bin"));
    array(model, zip);
    StateView updater = parts.get("updater");
    if (updater != null && !updater.names().isEmpty()) {
      zip.putNextEntry(entry("updaterState.bin"));
      array(updater, zip);
    }
    StateView normalizers = parts.get(NormalizerState.PART);
    if (normalizers != null) {
      normalizer(normalizers, zip);
    }
    zip.finish();
  }

  /** Of no time: the same checkpoint gives the same bytes. */
  private static ZipEntry entry(String name) {
    ZipEntry entry = new ZipEntry(name);
    entry.setTimeLocal(LocalDateTime.of(1980, 1, 1, 0, 0));
    return entry;
  }

  /** With the counters of the checkpoint, which stand in several places. */
  private static String configuration(StateView model, @Nullable StateView counters) {
    String json = UTF_8.decode(model.bytes("configuration")).toString();
    if (counters == null) {
      return json;
    }
    Map<?, ?> state = counters.value("state", Map.class);
    return json.replaceAll("(\"iterationCount\"\\s*:\\s*)\\d+", "$1" + state.get("iteration"))
        .replaceAll("(\"epochCount\"\\s*:\\s*)\\d+", "$1" + state.get("epoch"));
  }

  /** All tensors of a part, one behind the other, as one array of rank 1. */
  private static void array(StateView part, ZipOutputStream zip) throws IOException {
    @Nullable DType type = null;
    long elements = 0;
    for (String name : part.names()) {
      TensorSpec spec = part.spec(name);
      if (type != null && type != spec.type()) {
        throw new CheckpointException.NotFound(
            "the network has weights of several types, which DL4J's file cannot hold");
      }
      type = spec.type();
      elements += spec.shape().elements();
    }
    if (type == null || !NAMES.containsKey(type)) {
      throw new CheckpointException.NotFound(
          "the network has no weights of a type that DL4J's file can hold: " + type);
    }
    DataOutputStream out = new DataOutputStream(zip);
    headers(type, new long[] {elements}, out);
    for (String name : part.names()) {
      bigEndian(part, name, out);
    }
    out.flush();
  }

  /** What stands before the elements of an array that lies row by row. */
  private static void headers(DType type, long[] dims, DataOutputStream out) throws IOException {
    int rank = dims.length;
    header(out, 2L * rank + 4, "LONG");
    out.writeLong(rank);
    long elements = 1;
    for (long dim : dims) {
      out.writeLong(dim);
      elements *= dim;
    }
    long stride = elements;
    for (long dim : dims) {
      stride /= Math.max(1, dim);
      out.writeLong(stride);
    }
    out.writeLong(FLAGS.getOrDefault(type, 0L));
    out.writeLong(1);
    out.writeLong('c');
    header(out, elements, NAMES.getOrDefault(type, ""));
  }

  /**
   * The only normalizer, as DL4J's {@code NormalizerSerializer} writes it. The file has room for
   * one: of several, and of one that was not fitted, there is none.
   */
  private static void normalizer(StateView part, ZipOutputStream zip) throws IOException {
    List<?> classes =
        part.values().contains(NormalizerState.CLASSES)
            ? part.value(NormalizerState.CLASSES, List.class)
            : List.of();
    String type = classes.size() == 1 ? NORMALIZERS.get(classes.get(0)) : null;
    if (type == null) {
      return;
    }
    List<?> target =
        part.values().contains(NormalizerState.TARGETS)
            ? (List<?>) part.value(NormalizerState.TARGETS, List.class).get(0)
            : List.of(); // of an older version, or it has none
    boolean labels =
        Boolean.TRUE.equals(part.value(NormalizerState.FITS_LABELS, List.class).get(0));
    List<String> features = statistics(part, NormalizerState.FEATURES);
    List<String> answers = labels ? statistics(part, NormalizerState.LABELS) : List.of();
    boolean fitted = !features.isEmpty() && (!labels || !answers.isEmpty());
    if (!fitted || (type.endsWith(MIN_MAX) && target.isEmpty())) {
      return;
    }
    zip.putNextEntry(entry("normalizer.bin"));
    DataOutputStream out = new DataOutputStream(zip);
    out.writeUTF("NORMALIZER");
    out.writeInt(1);
    out.writeUTF(type);
    out.writeBoolean(labels);
    if (type.startsWith(MULTI)) {
      out.writeInt(features.size() / 2);
      out.writeInt(labels ? answers.size() / 2 : -1);
    }
    for (Object bound : target) {
      out.writeDouble(((Number) bound).doubleValue());
    }
    for (List<String> names : List.of(features, answers)) {
      for (String name : names) {
        TensorSpec spec = part.spec(name);
        headers(spec.type(), spec.shape().dims(), out);
        bigEndian(part, name, out);
      }
    }
    out.flush();
  }

  /** Two of each input: mean and deviation, or least and greatest. */
  private static List<String> statistics(StateView part, String of) {
    List<String> names =
        part.names().stream().filter(name -> name.startsWith("0/" + of + "/")).toList();
    boolean writable = names.stream().allMatch(each -> NAMES.containsKey(part.spec(each).type()));
    return writable ? names : List.of(); // of whole numbers it cannot
  }

  private static void header(DataOutputStream out, long length, String type) throws IOException {
    out.writeUTF("MIXED_DATA_TYPES");
    out.writeLong(length);
    out.writeUTF(type);
  }

  private static void bigEndian(StateView part, String name, DataOutputStream out)
      throws IOException {
    TensorSpec spec = part.spec(name);
    ByteBuffer window =
        ByteBuffer.allocate((int) Math.min(WINDOW, spec.bytes())).order(ByteOrder.LITTLE_ENDIAN);
    byte[] turned = window.array();
    int width = spec.type().bytes();
    for (long offset = 0; offset < spec.bytes(); offset += window.limit()) {
      window.clear().limit((int) Math.min(window.capacity(), spec.bytes() - offset));
      part.read(name, offset, window);
      for (int at = 0; at < window.limit(); at += width) {
        for (int low = at, high = at + width - 1; low < high; low++, high--) {
          byte swapped = turned[low];
          turned[low] = turned[high];
          turned[high] = swapped;
        }
      }
      out.write(turned, 0, window.limit());
    }
  }
}
