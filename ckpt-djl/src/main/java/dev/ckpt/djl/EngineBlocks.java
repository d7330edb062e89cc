package dev.ckpt.djl;

import ai.djl.nn.Block;
import ai.djl.nn.SymbolBlock;
import ai.djl.util.Pair;
import java.util.ArrayList;
import java.util.List;

/**
 * Blocks that are the engine's own module, as TorchScript's are. DJL shows their parameters, not
 * what else they hold: a BatchNorm's running statistics stay inside, and the block writes all of
 * itself in the engine's form.
 */
final class EngineBlocks {
  private EngineBlocks() {}

  /** Where they are in a model, as {@code 01Embedding/02PtSymbolBlock}. */
  static List<String> in(Block block) {
    List<String> found = new ArrayList<>();
    look("", block, found);
    return found;
  }

  private static void look(String name, Block block, List<String> found) {
    if (block instanceof SymbolBlock) {
      found.add(name.isEmpty() ? block.getClass().getSimpleName() : name);
      return;
    }
    for (Pair<String, Block> child : block.getChildren()) {
      look(name.isEmpty() ? child.getKey() : name + "/" + child.getKey(), child.getValue(), found);
    }
  }
}
