package dev.ckpt.hdf5;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.DType;
import dev.ckpt.Placement;
import dev.ckpt.Shape;
import dev.ckpt.TensorSpec;
import dev.ckpt.internal.arrow.ArrowFormat;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.shards.Python;
import dev.ckpt.shards.Shards;
import dev.ckpt.shards.TestContents;
import dev.ckpt.spi.ShardFormat;
import io.jhdf.HdfFile;
import io.jhdf.api.Dataset;
import io.jhdf.api.dataset.ContiguousDataset;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** h5py, h5dump and jhdf read our shards, each tensor bit-equal. */
class Hdf5ReadersTest {

  @TempDir Path folder;

  private static List<TensorSpec> everything() {
    List<TensorSpec> specs = new ArrayList<>(Shards.kinds());
    for (DType type : DType.values()) {
      specs.add(TensorSpec.of("model/empty/" + type.id(), type, Shape.of(2, 0, 7)));
    }
    specs.add(
        new TensorSpec(
            "model/part",
            DType.FLOAT64,
            Shape.of(4, 2),
            new Placement.Slice(Shape.of(8, 2), Shape.of(4, 0))));
    long[] most = new long[32];
    java.util.Arrays.fill(most, 1);
    specs.add(TensorSpec.of("model/most dimensions", DType.INT8, Shape.of(most)));
    for (String name : List.of("m/", "m//", "m/.", "m/..", "m/.x", "m/%2E", "/x", "./x", "m/\0")) {
      specs.add(TensorSpec.of(name, DType.INT16, Shape.of(3)));
    }
    specs.add(TensorSpec.of("m/" + "x".repeat(3000), DType.INT16, Shape.of(3)));
    return specs;
  }

  @Test
  void h5pyReadsEveryKindOfTensor() throws Exception {
    check("kinds", everything(), 1);
  }

  @Test
  void h5pyReadsAModelLikeGpt2() throws Exception {
    check("gpt2", Shards.gpt2(16), 1);
  }

  /** Their golden stores, which real trainings wrote. */
  @Test
  void h5pyReadsWhatTrainingsWithDjlAndDl4jSaved() throws Exception {
    int read = 0;
    for (String module : List.of("ckpt-djl", "ckpt-dl4j")) {
      List<Path> shards;
      try (Stream<Path> all =
          Files.walk(Path.of("..", module, "src", "test", "resources", "golden", "v1"))) {
        shards = all.filter(file -> file.toString().endsWith(".arrow")).sorted().toList();
      }
      assertThat(shards).hasSizeGreaterThan(5);
      for (Path shard : shards) {
        ShardFormat.Input arrow = Shards.input(Files.readAllBytes(shard));
        check(module, Shards.contents(new ArrowFormat().reader(arrow)), 1);
        Files.delete(folder.resolve("shard.hdf5"));
        read++;
      }
    }
    assertThat(read).isGreaterThan(15);
  }

  /** Files as the trainings left them; what must be in them, the same trainings saved as Arrow. */
  @Test
  void h5pyReadsTheFilesOfTrainingsThatSavedHdf5() throws Exception {
    int tensors = 0;
    for (String module : List.of("ckpt-djl", "ckpt-dl4j")) {
      Path runs = Path.of("..", module, "src", "test", "resources", "golden", "v1-formats", "runs");
      List<Path> files;
      try (Stream<Path> all = Files.walk(runs.resolve("hdf5"))) {
        files = all.filter(file -> file.toString().endsWith(".hdf5")).sorted().toList();
      }
      assertThat(files).as(module).hasSizeGreaterThan(1);
      for (Path file : files) {
        Path twin =
            runs.resolve("arrow")
                .resolve(runs.resolve("hdf5").relativize(file))
                .resolveSibling(file.getFileName().toString().replace(".hdf5", ".arrow"));
        ShardFormat.Contents arrow =
            Shards.contents(new ArrowFormat().reader(Shards.input(Files.readAllBytes(twin))));
        // its header and its small values name another run; they are our own reader's
        ShardFormat.Contents own =
            Shards.contents(new Hdf5Format().reader(Shards.input(Files.readAllBytes(file))));
        assertThat(own.header().keySet()).isEqualTo(arrow.header().keySet());
        String printed = Python.run("check_hdf5.py", file, expected(mixed(own, arrow), 1));
        assertThat(printed).contains(arrow.tensors().size() + " tensors listed", "and equal");
        tensors += arrow.tensors().size();
      }
    }
    assertThat(tensors).isGreaterThan(60);
  }

  private static ShardFormat.Contents mixed(
      ShardFormat.Contents header, ShardFormat.Contents tensors) {
    return new ShardFormat.Contents() {
      @Override
      public Map<String, String> header() {
        return header.header();
      }

      @Override
      public List<TensorSpec> tensors() {
        return tensors.tensors();
      }

      @Override
      public ByteBuffer values() {
        return header.values();
      }

      @Override
      public ByteBuffer window(int tensor, long offset, int max) throws IOException {
        return tensors.window(tensor, offset, max);
      }
    };
  }

  @Test
  void h5pyReadsFactsThatAreLongerThanAnAttribute() throws Exception {
    TestContents contents =
        new TestContents(
            Map.of("run", "", "long", "\u4e2d".repeat(50_000)), Shards.gpt2(64), Shards.VALUES);
    check("long facts", contents, 1);
  }

  @Test
  void h5pyListsTenThousandTensors() throws Exception {
    check("10,000 small tensors", Shards.small(10_000), 10);
  }

  @Test
  void h5pyListsAHundredThousandTensors() throws Exception {
    check("100,000 small tensors", Shards.small(100_000), 1000);
  }

  @Test
  void h5pyNoticesAFlippedBitInATensor() throws Exception {
    TestContents contents = Shards.contents(Shards.gpt2(64));
    Path file = write(contents);
    byte[] bytes = Files.readAllBytes(file);
    // before the middle of the file the tensors have begun
    bytes[bytes.length / 2] ^= 1;
    Files.write(file, bytes);
    Path expected = expected(contents, 1);
    assertThatThrownBy(() -> Python.run("check_hdf5.py", file, expected))
        .hasMessageContaining(" differs");
  }

  /** A machine that has only what the README asks for has no h5dump. */
  @Test
  @Tag("full")
  void h5dumpDescribesEveryTensorAndPrintsItsNumbers() throws Exception {
    Path file = write(Shards.contents(everything()));
    String header = h5dump("-A", file.toString());
    assertThat(header)
        .contains("GROUP \"model\"", "ATTRIBUTE \"ckpt.format\"", "(0): \"ckpt-hdf5/1\"")
        .contains("DATASET \"scalar%2Fint8\"", "H5T_ENUM", "\"TRUE\"")
        .contains("DATASPACE  SIMPLE { ( 2, 0, 7 ) / ( 2, 0, 7 ) }");
    assertThat(header.split("ATTRIBUTE \"ckpt.index\"", -1)).hasSize(everything().size() + 1);
    String whole = h5dump("-d", "/m/%2E", file.toString());
    assertThat(whole).contains("DATATYPE  H5T_STD_I16LE", "DATA {");
    // the bytes of each dataset as h5dump writes them
    TestContents contents = Shards.contents(everything());
    for (int i = 0; i < everything().size(); i++) {
      TensorSpec spec = everything().get(i);
      if (spec.type() == DType.UINT8 && spec.bytes() > 0 || spec.name().equals("model/float64")) {
        Path raw = folder.resolve("raw");
        h5dump(
            "-d",
            "/model/" + LinkName.escape(spec.name().substring(6)),
            "-b",
            "LE",
            "-o",
            raw.toString(),
            file.toString());
        assertThat(sha256(ByteBuffer.wrap(Files.readAllBytes(raw))))
            .isEqualTo(Shards.sha256(contents, i));
      }
    }
  }

  @Test
  void jhdfReadsEveryKindOfTensor() throws Exception {
    TestContents contents = Shards.contents(everything());
    Path file = write(contents);
    int compared = 0;
    try (HdfFile hdf = new HdfFile(file)) {
      assertThat(hdf.getAttribute("ckpt.format").getData()).isEqualTo("ckpt-hdf5/1");
      for (int i = 0; i < contents.tensors().size(); i++) {
        TensorSpec spec = contents.tensors().get(i);
        int slash = spec.name().indexOf('/');
        Dataset dataset =
            (Dataset)
                ((io.jhdf.api.Group) hdf.getChild(LinkName.escape(spec.name().substring(0, slash))))
                    .getChild(LinkName.escape(spec.name().substring(slash + 1)));
        assertThat(dataset.getDimensionsAsLong()).as(spec.name()).isEqualTo(spec.shape().dims());
        assertThat(dataset.getDataType().getSize()).isEqualTo(spec.type().bytes());
        assertThat(dataset.getAttribute("ckpt.dtype").getData()).isEqualTo(spec.type().id());
        if (spec.bytes() > 0) {
          assertThat(sha256(((ContiguousDataset) dataset).getBuffer()))
              .isEqualTo(Shards.sha256(contents, i));
          compared++;
        }
      }
      byte[] values = new byte[contents.values().remaining()];
      ((ContiguousDataset) hdf.getDatasetByPath("/#values")).getBuffer().get(values);
      assertThat(new String(values, StandardCharsets.UTF_8)).isEqualTo(Shards.VALUES);
    }
    assertThat(compared).isGreaterThan(40);
  }

  private void check(String what, List<TensorSpec> specs, int step) throws Exception {
    check(what, Shards.contents(specs), step);
  }

  private void check(String what, ShardFormat.Contents contents, int step) throws Exception {
    Path file = write(contents);
    Path expected = expected(contents, step);
    String printed = Python.run("check_hdf5.py", file, expected);
    long started = System.nanoTime();
    ShardFormat.Reader reader = new Hdf5Format().reader(Shards.input(Files.readAllBytes(file)));
    System.out.printf(
        "%s, %,d bytes: %s; opened here in %.1f ms%n",
        what, Files.size(file), printed, (System.nanoTime() - started) / 1e6);
    assertThat(reader.tensors()).isEqualTo(contents.tensors());
    assertThat(printed).contains(contents.tensors().size() + " tensors listed", "and equal");
  }

  private Path write(ShardFormat.Contents contents) throws Exception {
    ShardDigest digest = Shards.write(new Hdf5Format(), contents, folder, "shard.hdf5");
    Path file = folder.resolve("shard.hdf5");
    assertThat(Files.size(file)).isEqualTo(digest.length());
    return file;
  }

  private Path expected(ShardFormat.Contents contents, int step) throws Exception {
    List<TensorSpec> all = contents.tensors();
    int[] index = {0};
    return Shards.expected(
        contents,
        step,
        folder.resolve("expected.json"),
        root -> root.put("count", all.size()),
        (tensor, spec) -> {
          tensor.put("index", index[0]);
          index[0] += step;
          placement(tensor, spec);
        });
  }

  private static void placement(ObjectNode tensor, TensorSpec spec) {
    if (spec.placement() instanceof Placement.Replicated) {
      tensor.putArray("placement").add("replicated");
    } else if (spec.placement() instanceof Placement.Slice slice) {
      ArrayNode placement = tensor.putArray("placement").add("slice");
      for (Shape shape : List.of(slice.global(), slice.start())) {
        ArrayNode dims = placement.addArray();
        for (long dim : shape.dims()) {
          dims.add(dim);
        }
      }
    }
  }

  private static String sha256(ByteBuffer bytes) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    digest.update(bytes);
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Of Debian's and Ubuntu's hdf5-tools, which {@code .ci/run} installs. */
  private static String h5dump(String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of("h5dump"));
    command.addAll(List.of(arguments));
    Process process;
    try {
      process = new ProcessBuilder(command).redirectErrorStream(true).start();
    } catch (java.io.IOException e) {
      throw new AssertionError(
          "the tests read our files with h5dump: install it"
              + " (Debian and Ubuntu: apt install hdf5-tools; macOS: brew install hdf5)",
          e);
    }
    String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(printed).isZero();
    return printed;
  }
}
