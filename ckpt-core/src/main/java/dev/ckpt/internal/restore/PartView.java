package dev.ckpt.internal.restore;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ckpt.CheckpointException;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Set;

/** One part of an open checkpoint. */
final class PartView implements StateView {

  private static final ObjectMapper MAPPER = new ObjectMapper();

  /** Where a tensor lies. */
  private record Place(ShardFormat.Reader reader, int tensor, TensorSpec spec) {}

  private final String label;
  private final Progress progress;
  private final Map<String, Place> tensors = new LinkedHashMap<>();
  private final Map<String, JsonNode> values = new LinkedHashMap<>();
  private final Set<String> opaque = new LinkedHashSet<>();

  PartView(String label, Progress progress) {
    this.label = label;
    this.progress = progress;
  }

  void add(ShardFormat.Reader reader, int tensor, String name) {
    TensorSpec full = reader.tensors().get(tensor);
    TensorSpec own = new TensorSpec(name, full.type(), full.shape(), full.placement());
    if (tensors.putIfAbsent(name, new Place(reader, tensor, own)) != null) {
      throw new CheckpointException.Corrupt(label + ": tensor '" + name + "' is there twice");
    }
  }

  /** Whether none has the name of a tensor. */
  boolean values(JsonNode object) {
    for (Map.Entry<String, JsonNode> entry : object.properties()) {
      values.put(entry.getKey(), entry.getValue());
    }
    return Collections.disjoint(values.keySet(), tensors.keySet());
  }

  /** Whether it is a tensor of bytes. */
  boolean markBytes(String name) {
    opaque.add(name);
    Place place = tensors.get(name);
    return place != null && place.spec().type() == DType.UINT8 && place.spec().shape().rank() == 1;
  }

  @Override
  public Progress progress() {
    return progress;
  }

  @Override
  public Set<String> names() {
    Set<String> names = new LinkedHashSet<>(tensors.keySet());
    names.removeAll(opaque);
    return Collections.unmodifiableSet(names);
  }

  @Override
  public Set<String> values() {
    return Collections.unmodifiableSet(values.keySet());
  }

  @Override
  public Set<String> opaque() {
    return Collections.unmodifiableSet(opaque);
  }

  @Override
  public TensorSpec spec(String name) {
    return place(name).spec();
  }

  @Override
  public void read(String name, long offset, ByteBuffer into) {
    Place place = place(name);
    Objects.checkFromIndexSize(offset, into.remaining(), place.spec().bytes());
    try {
      place.reader().read(place.tensor(), offset, into);
    } catch (IOException e) {
      throw new UncheckedIOException(label + ": cannot read '" + name + "'", e);
    }
  }

  @Override
  public <T> T value(String name, Class<T> type) {
    JsonNode value = values.get(name);
    if (value == null) {
      throw new NoSuchElementException(label + " has no value '" + name + "'");
    }
    try {
      T converted = MAPPER.convertValue(value, type);
      if (converted == null) {
        throw new IllegalArgumentException("it is null");
      }
      return converted;
    } catch (IllegalArgumentException e) {
      throw new CheckpointException.Incompatible(
          label + ": value '" + name + "' is no " + type.getSimpleName() + ": " + value, e);
    }
  }

  @Override
  public ByteBuffer bytes(String name) {
    TensorSpec spec = place(name).spec();
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(spec.bytes()));
    read(name, 0, bytes);
    return bytes.flip().asReadOnlyBuffer();
  }

  private Place place(String name) {
    Place place = tensors.get(name);
    if (place == null) {
      throw new NoSuchElementException(
          label + " has no tensor '" + name + "'; it has " + tensors.keySet());
    }
    return place;
  }
}
