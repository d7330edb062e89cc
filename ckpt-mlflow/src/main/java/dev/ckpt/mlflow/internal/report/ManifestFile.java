package dev.ckpt.mlflow.internal.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.Checkpoint;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.TreeMap;

/** {@code manifest.json}: what a checkpoint holds, for programs. */
public final class ManifestFile {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private ManifestFile() {}

  /** The file's bytes. */
  public static byte[] of(Subject subject, Survey survey) {
    Checkpoint checkpoint = survey.checkpoint();
    ObjectNode root =
        MAPPER
            .createObjectNode()
            .put("version", 1)
            .put("store", subject.store())
            .put("run", subject.run())
            .put("id", checkpoint.id())
            .put("uri", subject.uri(checkpoint.id()));
    checkpoint.parent().ifPresent(parent -> root.put("parent", parent));
    root.put("step", checkpoint.progress().step())
        .put("epoch", checkpoint.progress().epoch())
        .put("batch", checkpoint.progress().batch())
        .put("samples", checkpoint.progress().samples())
        .put("phase", checkpoint.progress().phase().ordinal())
        .put("committedAt", checkpoint.committedAt().toString())
        .put("bytes", checkpoint.bytes())
        .put("finite", checkpoint.finite())
        .put("structure", survey.structure());
    ObjectNode metrics = root.putObject("metrics");
    new TreeMap<>(checkpoint.metrics()).forEach((name, value) -> put(metrics, name, value));
    survey.before().ifPresent(before -> root.put("comparedWith", before));
    ArrayNode tensors = root.putArray("tensors");
    for (Survey.Tensor tensor : survey.tensors()) {
      ObjectNode node =
          tensors
              .addObject()
              .put("part", tensor.part())
              .put("name", tensor.name())
              .put("dtype", tensor.type());
      ArrayNode shape = node.putArray("shape");
      tensor.shape().forEach(shape::add);
      node.put("bytes", tensor.bytes());
      tensor.norm().ifPresent(norm -> put(node, "norm", norm));
      tensor.change().ifPresent(change -> put(node, "relativeChange", change));
      if (tensor.nonFinite() > 0) {
        node.put("nonFinite", tensor.nonFinite());
      }
    }
    return bytes(root);
  }

  /** MLflow's table of all checkpoints of a run that are still there. */
  public static byte[] table(List<Row> rows) {
    TreeMap<String, Boolean> names = new TreeMap<>();
    rows.forEach(row -> row.metrics().keySet().forEach(name -> names.put(name, true)));
    ObjectNode root = MAPPER.createObjectNode();
    ArrayNode columns = root.putArray("columns");
    List.of("step", "epoch", "id", "model", "committed", "bytes", "stall_ms", "write_ms")
        .forEach(columns::add);
    names.keySet().forEach(columns::add);
    ArrayNode data = root.putArray("data");
    for (Row row : rows) {
      ArrayNode line =
          data.addArray()
              .add(row.step())
              .add(row.epoch())
              .add(row.id())
              .add(row.model())
              .add(row.at().toString())
              .add(row.bytes());
      add(line, row.stallMillis());
      add(line, row.writeMillis());
      for (String name : names.keySet()) {
        add(line, row.metrics().getOrDefault(name, Double.NaN));
      }
    }
    return bytes(root);
  }

  private static void add(ArrayNode line, double value) {
    if (Double.isFinite(value)) {
      line.add(value);
    } else {
      line.addNull();
    }
  }

  private static void put(ObjectNode node, String name, double value) {
    if (Double.isFinite(value)) {
      node.put(name, value);
    } else {
      node.put(name, Double.toString(value));
    }
  }

  private static byte[] bytes(ObjectNode root) {
    try {
      return MAPPER
          .writerWithDefaultPrettyPrinter()
          .writeValueAsString(root)
          .getBytes(StandardCharsets.UTF_8);
    } catch (JsonProcessingException e) {
      throw new AssertionError("a tree is always JSON", e);
    }
  }
}
