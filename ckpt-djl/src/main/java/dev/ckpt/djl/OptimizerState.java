package dev.ckpt.djl;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.optimizer.Optimizer;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpointable;
import dev.ckpt.DType;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/** Slots and counters of the user's optimizer. */
final class OptimizerState implements Checkpointable {
  /** One int32 per parameter, in the order of the model; -1 for one that had no update. */
  private static final String COUNTS = "updateCounts";

  private static final String SLOT = "slot/";

  private final Supplier<Parameters> model;
  private final Supplier<OptimizerFields> fields;

  OptimizerState(Supplier<Parameters> model, Supplier<OptimizerFields> fields) {
    this.model = model;
    this.fields = fields;
  }

  @Override
  public void capture(StateSink sink) {
    Parameters parameters = model.get();
    OptimizerFields own = fields.get();
    Device device = parameters.trainer().getDevices()[0];
    own.slots()
        .forEach(
            (field, byId) -> {
              int found = 0;
              for (Map.Entry<String, Parameter> entry : parameters.byName().entrySet()) {
                Map<Device, NDArray> byDevice = byId.get(entry.getValue().getId());
                NDArray slot = byDevice == null ? null : byDevice.get(device);
                if (slot != null) {
                  String name = SLOT + field + "/" + entry.getKey();
                  TensorSpec spec = ArrayBytes.spec("Optimizer slot " + name, name, slot);
                  sink.tensor(
                      spec,
                      new ArrayBytes(slot, parameters.trainer().getManager(), spec),
                      Stability.STABLE_UNTIL_UPDATE);
                  found++;
                }
              }
              requireAllFound(field, found, byId, parameters);
            });
    captureCounts(sink, own.optimizer(), parameters);
    sink.value("numUpdate", DjlInternals.NUM_UPDATE.get(own.optimizer()));
    sink.value("class", own.optimizer().getClass().getName());
    sink.value("numbers", own.changedNumbers());
  }

  private static void requireAllFound(
      String field, int found, Map<String, Map<Device, NDArray>> byId, Parameters parameters) {
    if (found < byId.size()) {
      throw new IllegalStateException(
          "The optimizer's "
              + field
              + " holds slots that belong to no parameter of the model on "
              + parameters.trainer().getDevices()[0]
              + ": an optimizer serves one model");
    }
  }

  private static void captureCounts(StateSink sink, Optimizer optimizer, Parameters parameters) {
    Map<String, Integer> counts = DjlInternals.UPDATE_COUNTS.get(optimizer);
    ByteBuffer ints =
        ByteBuffer.allocate(parameters.byName().size() * Integer.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
    for (Parameter parameter : parameters.byName().values()) {
      ints.putInt(counts.getOrDefault(parameter.getId(), -1));
    }
    sink.tensor(
        TensorSpec.of(COUNTS, DType.INT32, dev.ckpt.Shape.of(parameters.byName().size())),
        (offset, into) -> {
          int length = into.remaining();
          into.put(into.position(), ints, Math.toIntExact(offset), length);
          into.position(into.position() + length);
        },
        Stability.COPY_NOW);
  }

  @Override
  public void check(StateView view) {
    Parameters parameters = model.get();
    OptimizerFields own = fields.get();
    Set<String> known = own.slots().keySet();
    List<String> problems = new ArrayList<>();
    if (!view.value("class", String.class).equals(own.optimizer().getClass().getName())) {
      problems.add("slots of one class mean something else to another");
    }
    Set<String> unknown = new TreeSet<>();
    for (String name : view.names()) {
      if (name.startsWith(SLOT)) {
        Slot slot = Slot.of(name);
        if (!known.contains(slot.field())) {
          unknown.add(slot.field());
        } else if (parameters.named(slot.parameter()) == null) {
          problems.add("there is no parameter for slot " + name);
        }
      }
    }
    if (!unknown.isEmpty()) {
      problems.add("it holds the slots " + unknown + ", this one has " + known);
    }
    for (Object name : view.value("numbers", Map.class).keySet()) {
      if (!own.hasNumber((String) name)) {
        problems.add("it holds the counter " + name + ", which this one does not have");
      }
    }
    if (view.spec(COUNTS).shape().elements() != parameters.byName().size()) {
      problems.add("it counts updates of another number of parameters");
    }
    if (!problems.isEmpty()) {
      throw new CheckpointException.Incompatible(
          "The checkpoint's optimizer is "
              + view.value("class", String.class)
              + ", the program's is "
              + own.optimizer().getClass().getName()
              + ": "
              + String.join("; ", problems)
              + ". Use the same class of optimizer, or start a new run from the weights alone"
              + " (initFrom).");
    }
  }

  @Override
  public void restore(StateView view) {
    Parameters parameters = model.get();
    OptimizerFields own = fields.get();
    Map<String, Map<String, Map<Device, NDArray>>> slots = own.slots();
    slots.values().forEach(OptimizerState::free);
    for (String name : view.names()) {
      if (name.startsWith(SLOT)) {
        Slot slot = Slot.of(name);
        Parameter parameter = Objects.requireNonNull(parameters.named(slot.parameter()));
        NDArray weight = parameters.array(parameter);
        Map<Device, NDArray> byDevice = new ConcurrentHashMap<>();
        byDevice.put(weight.getDevice(), create(view, name, weight));
        Objects.requireNonNull(slots.get(slot.field())).put(parameter.getId(), byDevice);
      }
    }
    restoreCounts(view, own.optimizer(), parameters);
    DjlInternals.NUM_UPDATE.set(own.optimizer(), view.value("numUpdate", Integer.class));
    for (Map.Entry<?, ?> number : ((Map<?, ?>) view.value("numbers", Map.class)).entrySet()) {
      own.number((String) number.getKey(), (String) number.getValue());
    }
  }

  /** Detached arrays, which nobody else frees: those of a trainer that had the optimizer before. */
  private static void free(Map<String, Map<Device, NDArray>> byId) {
    byId.values().forEach(byDevice -> byDevice.values().forEach(NDArray::close));
    byId.clear();
  }

  private static NDArray create(StateView view, String name, NDArray weight) {
    TensorSpec spec = view.spec(name);
    NDManager manager = weight.getManager();
    NDArray slot =
        manager.create(
            new Shape(spec.shape().dims()),
            ArrayBytes.dataType("Optimizer slot " + name, spec.type()),
            weight.getDevice());
    new ArrayBytes(slot, manager, spec).fill(view, name);
    slot.detach(); // as DJL does with those it creates: they live as long as the optimizer
    return slot;
  }

  private static void restoreCounts(StateView view, Optimizer optimizer, Parameters parameters) {
    int size = parameters.byName().size();
    ByteBuffer ints = ByteBuffer.allocate(size * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    view.read(COUNTS, 0, ints);
    ints.flip();
    Map<String, Integer> counts = DjlInternals.UPDATE_COUNTS.get(optimizer);
    counts.clear();
    for (Parameter parameter : parameters.byName().values()) {
      int count = ints.getInt();
      if (count >= 0) {
        counts.put(parameter.getId(), count);
      }
    }
  }

  private record Slot(String field, String parameter) {
    static Slot of(String name) {
      int end = name.indexOf('/', SLOT.length());
      return new Slot(name.substring(SLOT.length(), end), name.substring(end + 1));
    }
  }
}
