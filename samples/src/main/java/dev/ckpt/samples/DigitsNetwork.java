package dev.ckpt.samples;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.norm.Dropout;
import ai.djl.nn.pooling.Pool;

/** A small convolutional network with what makes a resume hard: BatchNorm and dropout. */
public final class DigitsNetwork {

  private DigitsNetwork() {}

  /** A new one, not initialized. */
  public static Block block() {
    SequentialBlock block = new SequentialBlock();
    convolution(block, 64);
    convolution(block, 64);
    block.add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)));
    convolution(block, 128);
    block.add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)));
    return block
        .add(Blocks.batchFlattenBlock())
        .add(Dropout.builder().optRate(0.25f).build())
        .add(Linear.builder().setUnits(128).build())
        .add(Activation::relu)
        .add(Dropout.builder().optRate(0.5f).build())
        .add(Linear.builder().setUnits(DigitsData.CLASSES).build());
  }

  private static void convolution(SequentialBlock block, int filters) {
    block
        .add(
            Conv2d.builder()
                .setKernelShape(new Shape(3, 3))
                .optPadding(new Shape(1, 1))
                .setFilters(filters)
                .build())
        .add(BatchNorm.builder().build())
        .add(Activation::relu);
  }
}
