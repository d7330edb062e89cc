package dev.ckpt.djl;

import dev.ckpt.CheckpointException;
import dev.ckpt.StateView;
import dev.ckpt.djl.ParamsLayout.Piece;
import dev.ckpt.spi.CheckpointExporter;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Writes DJL's own {@code <name>-0000.params}, for {@code Model.load} of a program that knows
 * nothing of checkpoints. Needs no engine. The format is that of {@code BaseModel.save}.
 */
public final class ParamsExporter implements CheckpointExporter {
  private static final Pattern NUMBERED = Pattern.compile("(.*)-(\\d{4})\\.params");

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

  /** Of several files of one model, DJL loads the one with the highest number. */
  @Override
  public void requireRead(Path file) throws IOException {
    Matcher own = NUMBERED.matcher(String.valueOf(file.getFileName()));
    Path folder = file.resolveSibling("");
    if (!own.matches() || !Files.isDirectory(folder)) {
      return;
    }
    List<String> newer;
    try (Stream<Path> files = Files.list(folder)) {
      newer =
          files
              .map(each -> String.valueOf(each.getFileName()))
              .filter(name -> isNewer(NUMBERED.matcher(name), own))
              .sorted()
              .toList();
    }
    if (!newer.isEmpty()) {
      throw new IllegalArgumentException(
          folder
              + " holds "
              + String.join(", ", newer)
              + ", which DJL loads instead of "
              + file.getFileName()
              + ": move it away, or export into another folder; nothing was written");
    }
  }

  private static boolean isNewer(Matcher other, Matcher own) {
    return other.matches()
        && other.group(1).equals(own.group(1))
        && Integer.parseInt(other.group(2)) > Integer.parseInt(own.group(2));
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
