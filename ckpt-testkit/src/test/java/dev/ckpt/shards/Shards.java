package dev.ckpt.shards;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.DType;
import dev.ckpt.Placement;
import dev.ckpt.Shape;
import dev.ckpt.Stores;
import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.ChecksumOutput;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/** Shards that several tests write, and what a reader must find in them. */
public final class Shards {

  public static final Map<String, String> HEADER = Map.of("run", "digits", "id", "000001-0042-0");
  public static final String VALUES = "{\"model\":{\"lr\":0.1,\"name\":\"ŷ\"}}";

  private Shards() {}

  /** Every kind of tensor. */
  public static List<TensorSpec> kinds() {
    List<TensorSpec> specs = new ArrayList<>();
    for (DType type : DType.values()) {
      specs.add(TensorSpec.of("model/" + type.id(), type, Shape.of(3, 5)));
      specs.add(TensorSpec.of("model/scalar/" + type.id(), type, Shape.of()));
      specs.add(TensorSpec.of("model/sliced/" + type.id(), type, Shape.of(20, 30)));
    }
    specs.add(TensorSpec.of("model/empty", DType.FLOAT32, Shape.of(0, 4)));
    specs.add(TensorSpec.of("odd #1/100%/ŷ\n\ud83d\ude00", DType.INT8, Shape.of(7)));
    specs.add(new TensorSpec("model/all", DType.INT8, Shape.of(1), Placement.REPLICATED));
    return specs;
  }

  /** The 148 tensors of GPT-2 small, each dimension divided by {@code scale}. */
  public static List<TensorSpec> gpt2(int scale) {
    long d = 768 / scale;
    List<TensorSpec> specs = new ArrayList<>();
    add(specs, "wte.weight", 50257 / scale, d);
    add(specs, "wpe.weight", 1024 / scale, d);
    for (int i = 0; i < 12; i++) {
      String block = "h." + i + ".";
      add(specs, block + "ln_1.weight", d);
      add(specs, block + "ln_1.bias", d);
      add(specs, block + "attn.c_attn.weight", d, 3 * d);
      add(specs, block + "attn.c_attn.bias", 3 * d);
      add(specs, block + "attn.c_proj.weight", d, d);
      add(specs, block + "attn.c_proj.bias", d);
      add(specs, block + "ln_2.weight", d);
      add(specs, block + "ln_2.bias", d);
      add(specs, block + "mlp.c_fc.weight", d, 4 * d);
      add(specs, block + "mlp.c_fc.bias", 4 * d);
      add(specs, block + "mlp.c_proj.weight", 4 * d, d);
      add(specs, block + "mlp.c_proj.bias", d);
    }
    add(specs, "ln_f.weight", d);
    add(specs, "ln_f.bias", d);
    return specs;
  }

  private static void add(List<TensorSpec> specs, String name, long... dims) {
    specs.add(TensorSpec.of("model/" + name, DType.FLOAT32, Shape.of(dims)));
  }

  public static List<TensorSpec> small(int count) {
    List<TensorSpec> specs = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      specs.add(TensorSpec.of("model/layer." + i + ".bias", DType.FLOAT32, Shape.of(16)));
    }
    return specs;
  }

  public static TestContents contents(List<TensorSpec> specs) {
    return new TestContents(HEADER, specs, VALUES);
  }

  public static ShardDigest write(
      ShardFormat format, ShardFormat.Contents contents, Path folder, String key) throws Exception {
    try (CheckpointStore store = Stores.local(folder);
        CheckpointStore.Sink sink = store.create(key)) {
      ChecksumOutput out = new ChecksumOutput(sink);
      format.write(contents, out);
      sink.complete();
      return out.digest();
    }
  }

  /** A file's bytes, not verified. */
  public static ShardFormat.Input input(byte[] bytes) {
    return new ShardFormat.Input() {
      @Override
      public String name() {
        return "shard";
      }

      @Override
      public long length() {
        return bytes.length;
      }

      @Override
      public void read(long position, ByteBuffer into) {
        into.put(bytes, (int) position, into.remaining());
      }
    };
  }

  /**
   * Writes what the checks of {@code tools/python} compare with: every {@code step}th tensor.
   *
   * @param more adds what one of the checks wants to know of the shard
   * @param moreOfEach the same of a tensor
   */
  public static Path expected(
      ShardFormat.Contents contents,
      int step,
      Path file,
      Consumer<ObjectNode> more,
      BiConsumer<ObjectNode, TensorSpec> moreOfEach)
      throws Exception {
    ObjectMapper json = new ObjectMapper();
    ObjectNode root = json.createObjectNode();
    contents.header().forEach(root.putObject("header")::put);
    root.put("values", StandardCharsets.UTF_8.decode(contents.values().duplicate()).toString());
    more.accept(root);
    ArrayNode list = root.putArray("tensors");
    for (int i = 0; i < contents.tensors().size(); i += step) {
      TensorSpec spec = contents.tensors().get(i);
      ObjectNode tensor = list.addObject();
      tensor.put("name", spec.name());
      tensor.put("dtype", spec.type().id());
      ArrayNode shape = tensor.putArray("shape");
      for (long dim : spec.shape().dims()) {
        shape.add(dim);
      }
      tensor.put("sha256", sha256(contents, i));
      moreOfEach.accept(tensor, spec);
    }
    return Files.write(file, json.writeValueAsBytes(root));
  }

  /** SHA-256 of a tensor's bytes. */
  public static String sha256(ShardFormat.Contents contents, int tensor) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    long bytes = contents.tensors().get(tensor).bytes();
    for (long at = 0; at < bytes; at += 1 << 20) {
      digest.update(contents.window(tensor, at, (int) Math.min(1 << 20, bytes - at)));
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** What a shard holds, to be written once more. */
  public static ShardFormat.Contents contents(ShardFormat.Reader reader) {
    return new ShardFormat.Contents() {
      @Override
      public Map<String, String> header() {
        return reader.header();
      }

      @Override
      public List<TensorSpec> tensors() {
        return reader.tensors();
      }

      @Override
      public ByteBuffer values() {
        try {
          return reader.values();
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }

      @Override
      public ByteBuffer window(int tensor, long offset, int max) throws IOException {
        ByteBuffer window = ByteBuffer.allocate(max);
        reader.read(tensor, offset, window);
        return window.flip();
      }
    };
  }
}
