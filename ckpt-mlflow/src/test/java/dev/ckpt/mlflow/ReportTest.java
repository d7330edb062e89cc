package dev.ckpt.mlflow;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.Stores;
import dev.ckpt.TensorSpec;
import dev.ckpt.mlflow.internal.report.Survey;
import dev.ckpt.mlflow.internal.report.Surveyor;
import dev.ckpt.spi.CheckpointStore;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the page and the manifest say is what is in the checkpoint. */
class ReportTest {
  private static final String EVIL = "</script><img src=x onerror=alert(1)>\"'&\u202e\u0000";

  @TempDir(factory = QuickFolders.class)
  Path folder;

  /** Tensors of given numbers, of any floating type. */
  private static final class Numbers implements Checkpointable {
    final Map<String, DType> types = new LinkedHashMap<>();
    final Map<String, double[]> values = new LinkedHashMap<>();

    void put(String name, DType type, double... numbers) {
      types.put(name, type);
      values.put(name, numbers);
    }

    @Override
    public void capture(StateSink sink) {
      types.forEach(
          (name, type) -> {
            double[] numbers = Objects.requireNonNull(values.get(name));
            ByteBuffer bytes =
                ByteBuffer.allocate(numbers.length * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
            BiConsumer<ByteBuffer, Double> writer =
                switch (type) {
                  case FLOAT64 -> ByteBuffer::putDouble;
                  case FLOAT32 -> (to, value) -> to.putFloat(value.floatValue());
                  case BFLOAT16 ->
                      (to, value) ->
                          to.putShort((short) (Float.floatToRawIntBits(value.floatValue()) >> 16));
                  case FLOAT16 -> (to, value) -> to.putShort(value.shortValue());
                  default -> (to, value) -> to.putInt(value.intValue());
                };
            for (double number : numbers) {
              writer.accept(bytes, number);
            }
            sink.tensor(
                TensorSpec.of(name, type, Shape.of(numbers.length)),
                (offset, into) ->
                    into.put(
                        bytes
                            .duplicate()
                            .position((int) offset)
                            .limit((int) offset + into.remaining())),
                Stability.COPY_NOW);
          });
    }

    @Override
    public void restore(StateView view) {}
  }

  private Survey survey(Numbers before, Numbers now) throws Exception {
    try (CheckpointStore store = Stores.inMemory()) {
      Numbers[] state = {before};
      Checkpointable part =
          new Checkpointable() {
            @Override
            public void capture(StateSink sink) {
              state[0].capture(sink);
            }

            @Override
            public void restore(StateView view) {}
          };
      try (CheckpointManager manager =
          CheckpointManager.in(store).run("numbers").part("p", part).open()) {
        manager.resume();
        String first = manager.save(Progress.step(1), Map.of()).join().id();
        state[0] = now;
        var second = manager.save(Progress.step(2), Map.of()).join();
        return new Surveyor(manager.checkpoints(), true).survey(second, Optional.of(first));
      }
    }
  }

  @Test
  void normsAndChangesAreThoseOfTheNumbers() throws Exception {
    Numbers before = new Numbers();
    before.put("f64", DType.FLOAT64, 3, 4);
    before.put("f32", DType.FLOAT32, 1, 0);
    before.put("bf16", DType.BFLOAT16, 2, 0);
    before.put("whole", DType.INT32, 1, 2);
    before.put("huge", DType.FLOAT64, 1e300, 1e300);
    before.put("zero", DType.FLOAT32, 0, 0);
    before.put("still zero", DType.FLOAT32, 0, 0);
    Numbers now = new Numbers();
    now.put("zero", DType.FLOAT32, 0, 1);
    now.put("still zero", DType.FLOAT32, 0, 0);
    now.put("f64", DType.FLOAT64, 3, 9);
    now.put("f32", DType.FLOAT32, 1, 0);
    now.put("bf16", DType.BFLOAT16, 2, Double.NaN);
    // binary16 by its bits: 1.5, -2, the smallest subnormal, infinity
    now.put("f16", DType.FLOAT16, 0x3e00, (short) 0xc000, 0x0001, 0x7c00);
    now.put("whole", DType.INT32, 1, 3);
    now.put("huge", DType.FLOAT64, 3e300, 4e300);
    Survey survey = survey(before, now);
    assertThat(tensor(survey, "f64").norm().getAsDouble()).isEqualTo(Math.sqrt(90));
    assertThat(tensor(survey, "f64").change().getAsDouble()).isEqualTo(1.0);
    assertThat(tensor(survey, "f32").change().getAsDouble()).isZero();
    // what has become NaN has changed, and nothing of it looks smooth
    assertThat(tensor(survey, "bf16").norm().getAsDouble()).isNaN();
    assertThat(tensor(survey, "bf16").change().getAsDouble()).isNaN();
    assertThat(survey.norm("p").getAsDouble()).isNaN();
    assertThat(tensor(survey, "zero").change().getAsDouble()).isInfinite();
    assertThat(tensor(survey, "still zero").change().getAsDouble()).isZero();
    assertThat(tensor(survey, "bf16").nonFinite()).isEqualTo(1);
    assertThat(tensor(survey, "f16").norm().getAsDouble()).isInfinite();
    assertThat(tensor(survey, "f16").change()).isEmpty();
    assertThat(tensor(survey, "whole").norm()).isEmpty();
    assertThat(tensor(survey, "huge").norm().getAsDouble()).isEqualTo(5e300);
    assertThat(survey.before()).contains("000001-000000000001-0");
  }

  private static Survey.Tensor tensor(Survey survey, String name) {
    return survey.tensors().stream()
        .filter(each -> each.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void nothingOfACheckpointBecomesMarkup() throws Exception {
    Toy toy = new Toy(EVIL.replace("\u0000", ""), "plain");
    MlflowSettings settings = Runs.settings("http://127.0.0.1:1");
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager manager = Runs.toy(folder, toy, Runs.publisher(store, settings)).open()) {
      manager.resume();
      toy.advance();
      manager.save(Progress.step(1), Map.of(EVIL + "loss", 1.0, "b" + EVIL, Double.NaN)).join();
      toy.advance();
      manager.save(Progress.step(2), Map.of(EVIL + "loss", 0.5, "b" + EVIL, 2.0)).join();
    }
    String page = Files.readString(folder.resolve("mlflow/toy/report.html"));
    assertThat(page)
        .contains("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;")
        .doesNotContain("<img", "<script", "\u202e", "\u0000");
  }

  @Test
  void thePageNeedsNothingFromOutsideAndRunsNothing() throws Exception {
    Runs.train(folder, Runs.settings("http://127.0.0.1:1"), 3, 3);
    String page = Files.readString(folder.resolve("mlflow/toy/report.html"));
    assertThat(page)
        .contains("default-src 'none'", "<svg", "Loss", "What a save costs", "Size", "Tensors")
        .doesNotContain("http://", "https://", "url(", "@import", "src=", "href=", "<script");
    assertThat(page.split("<polyline", -1)).hasSizeGreaterThan(4);
    for (String tag : List.of("section", "table", "svg", "div", "ul")) {
      assertThat(page.split("<" + tag + "[ >]", -1))
          .as(tag)
          .hasSameSizeAs(page.split("</" + tag + ">", -1));
    }
  }

  @Test
  void aBranchThatWasLeftIsNotInTheCurves() throws Exception {
    MlflowSettings settings = Runs.settings("http://127.0.0.1:1");
    Runs.train(folder, settings, 8, 9);
    Toy toy = Toy.usual();
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager manager =
            Runs.toy(folder, toy, Runs.publisher(store, settings))
                .resume(dev.ckpt.Resume.parse("000001-000000000003-0"))
                .open()) {
      manager.resume();
      toy.advance();
      Runs.save(manager, toy);
    }
    String page = Files.readString(folder.resolve("mlflow/toy/report.html"));
    assertThat(page).contains("toy · step 4");
    // steps 1 to 4, and none twice
    var sizes = java.util.regex.Pattern.compile("<polyline[^>]*points=\"([^\"]*)\"").matcher(page);
    assertThat(sizes.find()).isTrue();
    sizes.reset();
    while (sizes.find()) {
      double[] x =
          java.util.Arrays.stream(sizes.group(1).split(" "))
              .mapToDouble(point -> Double.parseDouble(point.split(",")[0]))
              .toArray();
      assertThat(x).isSorted().doesNotHaveDuplicates().hasSizeLessThanOrEqualTo(4);
    }
  }

  @Test
  void whyNothingIsComparedIsSaidAsItIs() throws Exception {
    // the first, the one whose parent is gone when it is read, and one that is compared
    Toy toy = Toy.usual();
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager manager =
            CheckpointManager.in(store)
                .run("toy")
                .part("model", toy)
                .keep(dev.ckpt.Retention.latest(1))
                .open()) {
      manager.resume();
      toy.advance();
      Runs.save(manager, toy);
      toy.advance();
      Runs.save(manager, toy);
    }
    try (StandIn server = new StandIn()) {
      Runs.sync(folder, Runs.settings(server.uri()));
    }
    assertThat(folder.resolve("mlflow/toy/report.html"))
        .content()
        .contains(
            "The one before, 000001-000000000001-0, was deleted before this report was written")
        .doesNotContain("no earlier checkpoint");
    Path first = folder.resolve("first");
    Runs.train(first, Runs.settings("http://127.0.0.1:1"), 1, 1);
    assertThat(first.resolve("mlflow/toy/report.html"))
        .content()
        .contains("There is no earlier checkpoint to compare with");
    assertThat(survey(numbers("a"), numbers("b")).uncompared())
        .contains("nothing in 000001-000000000001-0 has name, type and shape of what is here");
    assertThat(survey(numbers("a"), numbers("a")).uncompared()).isEmpty();
  }

  private static Numbers numbers(String name) {
    Numbers numbers = new Numbers();
    numbers.put(name, DType.FLOAT32, 1, 2);
    return numbers;
  }
}
