package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.LambdaBlock;
import ai.djl.nn.ParallelBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.core.Prelu;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.nn.recurrent.GRU;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.nn.transformer.BertBlock;
import ai.djl.nn.transformer.TransformerEncoderBlock;
import ai.djl.training.initializer.ConstantInitializer;
import dev.ckpt.Progress;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import dev.ckpt.djl.ParamsLayout.Piece;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A file made of parts must be the file that the blocks themselves write. */
class ParamsLayoutTest {
  @TempDir Path folder;

  enum Kind {
    LINEAR(() -> Linear.builder().setUnits(3).build(), new Shape(2, 6)),
    CONVOLUTIONS_IN_PARALLEL(
        () ->
            new ParallelBlock(
                all -> new NDList(NDArrays.concat(join(all), 1)),
                List.of(convolution(2), convolution(3))),
        new Shape(1, 1, 8, 8)),
    RECURRENT(
        () ->
            new SequentialBlock()
                .add(LSTM.builder().setStateSize(4).setNumLayers(2).optBidirectional(true).build())
                .add(GRU.builder().setStateSize(3).setNumLayers(1).build()),
        new Shape(2, 5, 6)),
    TRANSFORMER(
        () -> new TransformerEncoderBlock(8, 2, 16, 0.1f, list -> list), new Shape(2, 5, 8)),
    BERT(
        () -> BertBlock.builder().nano().setTokenDictionarySize(30).build(),
        new Shape(2, 5),
        new Shape(2, 5),
        new Shape(2, 5)),
    NORMS_AND_SLOPES(
        () ->
            new SequentialBlock()
                .add(LayerNorm.builder().build())
                .add(slopes())
                .add(BatchNorm.builder().build()),
        new Shape(2, 6)),
    A_BLOCK_THAT_STANDS_TWICE(
        () -> {
          Linear twice = Linear.builder().setUnits(6).build();
          return new SequentialBlock().add(twice).add(new LambdaBlock(list -> list)).add(twice);
        },
        new Shape(2, 6));

    private final Supplier<Block> block;
    private final Shape[] inputs;

    Kind(Supplier<Block> block, Shape... inputs) {
      this.block = block;
      this.inputs = inputs;
    }

    private static NDList join(List<NDList> all) {
      NDList joined = new NDList();
      all.forEach(joined::addAll);
      return joined;
    }

    /** Its own initializer fails on a scalar. */
    private static Block slopes() {
      Prelu slopes = new Prelu();
      slopes.setInitializer(new ConstantInitializer(0.2f), each -> true);
      return slopes;
    }

    private static Block convolution(int filters) {
      return Conv2d.builder().setKernelShape(new Shape(3, 3)).setFilters(filters).build();
    }
  }

  private static Model model(Block block, Shape... inputs) {
    Model model = Model.newInstance("net", Device.cpu());
    model.setBlock(block);
    block.initialize(model.getNDManager(), DataType.FLOAT32, inputs);
    return model;
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void everyKindOfBlockIsLaidOutAsItWritesItself(Kind kind) throws IOException {
    try (Model model = model(kind.block.get(), kind.inputs)) {
      model.setProperty("Epoch", "7");
      model.setProperty("accuracy", "0.9");
      Map<String, Parameter> byName = Weights.byName(model.getBlock());
      Map<Parameter, NDArray> before = new LinkedHashMap<>();
      byName.values().forEach(each -> before.put(each, each.getArray()));
      ParamsLayout layout =
          ParamsLayout.decode(ByteBuffer.wrap(ParamsLayout.of(model, byName).encode()));
      before.forEach((each, array) -> assertThat(each.getArray()).isSameAs(array));
      model.save(folder, "net");
      List<Piece> all = new ArrayList<>(List.of(new Piece(layout.head(), "")));
      all.addAll(layout.pieces());
      try (ParamsStream ours = new ParamsStream(all, new ArrayView(byName))) {
        assertThat(ours.readAllBytes())
            .isEqualTo(Files.readAllBytes(folder.resolve("net-0007.params")));
      }
      try (ParamsStream bytewise = new ParamsStream(all, new ArrayView(byName))) {
        for (byte expected : Files.readAllBytes(folder.resolve("net-0007.params"))) {
          assertThat((byte) bytewise.read()).isEqualTo(expected);
        }
        assertThat(bytewise.read()).isEqualTo(-1);
      }
    }
  }

  /** Writes a parameter's values in a way of its own. */
  private static final class Stubborn extends ai.djl.nn.core.Linear {
    private final boolean asks;

    Stubborn(boolean asks) {
      super(Linear.builder().setUnits(3));
      this.asks = asks;
    }

    @Override
    public void saveParameters(DataOutputStream os) throws IOException {
      NDArray weight = getDirectParameters().get("weight").getArray();
      if (asks) {
        os.writeFloat(weight.toFloatArray()[0]);
      } else {
        os.write(weight.encode(), 1, 5);
      }
    }
  }

  @Test
  void aBlockThatWritesItselfOtherwiseIsRefusedAndLeftWhole() {
    for (boolean asks : new boolean[] {true, false}) {
      try (Model model = model(new Stubborn(asks), new Shape(2, 6))) {
        Map<String, Parameter> byName = Weights.byName(model.getBlock());
        NDArray before = byName.values().iterator().next().getArray();
        assertThatThrownBy(() -> ParamsLayout.of(model, byName))
            .isInstanceOf(UnsupportedOperationException.class)
            .hasMessageContaining("weight");
        assertThat(byName.values().iterator().next().getArray()).isSameAs(before);
      }
    }
  }

  /** The parameters themselves, as a checkpoint would give them. */
  private record ArrayView(Map<String, Parameter> byName) implements StateView {
    @Override
    public Progress progress() {
      return Progress.step(0);
    }

    @Override
    public Set<String> names() {
      return byName.keySet();
    }

    @Override
    public Set<String> values() {
      return Set.of();
    }

    @Override
    public Set<String> opaque() {
      return Set.of();
    }

    @Override
    public TensorSpec spec(String name) {
      return ArrayBytes.spec(name, name, array(name));
    }

    private NDArray array(String name) {
      Parameter parameter = byName.get(name);
      if (parameter == null) {
        throw new IllegalArgumentException(name);
      }
      return parameter.getArray();
    }

    @Override
    public void read(String name, long offset, ByteBuffer into) {
      ByteBuffer bytes = array(name).toByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
      into.put(bytes.slice((int) offset, into.remaining()));
    }

    @Override
    public <T> T value(String name, Class<T> type) {
      throw new UnsupportedOperationException();
    }

    @Override
    public ByteBuffer bytes(String name) {
      throw new UnsupportedOperationException();
    }
  }
}
