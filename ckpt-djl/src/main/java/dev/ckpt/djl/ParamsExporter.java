package dev.ckpt.djl;

import dev.ckpt.CheckpointException;
import dev.ckpt.StateView;
import dev.ckpt.djl.ParamsLayout.Piece;
import dev.ckpt.spi.CheckpointExporter;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Writes DJL's own {@code <name>-0000.params}, for {@code Model.load} of a program that knows
 * nothing of checkpoints. Needs no engine. The format is that of {@code BaseModel.save}.
 */
public final class ParamsExporter implements CheckpointExporter {

  /** For {@link java.util.ServiceLoader}. */
  public ParamsExporter() {}

  @Override
  public String extension() {
    return "params";
  }

  @Override
  public String title() {
    return "DJL's model parameters";
  }

  @Override
  public void write(Map<String, StateView> parts, SeekableByteChannel file) throws IOException {
    ParamsLayout layout = ParamsState.layout(parts);
    StateView model = parts.get("model");
    if (model == null) {
      throw new CheckpointException.NotFound("the checkpoint has no part 'model'");
    }
    List<Piece> all = new ArrayList<>();
    all.add(new Piece(layout.head(), ""));
    all.addAll(layout.pieces());
    try (ParamsStream stream = new ParamsStream(all, model)) {
      stream.transferTo(Channels.newOutputStream(file));
    }
  }
}
