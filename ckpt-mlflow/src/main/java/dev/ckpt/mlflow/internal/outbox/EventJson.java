package dev.ckpt.mlflow.internal.outbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.Checkpoint;
import dev.ckpt.Progress;
import dev.ckpt.spi.SaveCost;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The bytes of an event: {@code {"sha256":"...","event":{...}}}, where the digest covers what
 * stands after it. A flipped bit must not become a metric.
 */
final class EventJson {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final int VERSION = 1;
  private static final Pattern ID = Pattern.compile("\\d{6}-\\d{12}-[01]");
  private static final String OPENING = "{\"sha256\":\"";
  private static final int DIGITS = 64;
  private static final Charset UTF = StandardCharsets.UTF_8;
  private static final int PREFIX = OPENING.length() + DIGITS + 2;

  private EventJson() {}

  /** Not what this version wrote: damaged, or of a newer one. */
  static final class UnreadableException extends IOException {
    private static final long serialVersionUID = 1L;

    UnreadableException(String message) {
      super(message);
    }
  }

  static byte[] encode(Event event) throws IOException {
    ObjectNode body = MAPPER.createObjectNode().put("version", VERSION);
    body.put("at", event.at().toString());
    if (event instanceof Event.Committed committed) {
      body.put("what", "committed");
      body.set("checkpoint", of(committed.checkpoint()));
      committed
          .cost()
          .ifPresent(
              cost ->
                  body.put("stallNanos", cost.stall().toNanos())
                      .put("writeNanos", cost.write().toNanos()));
    } else if (event instanceof Event.Failed failed) {
      body.put("what", "failed").put("id", failed.id()).put("reason", failed.reason());
      body.set("progress", of(failed.progress()));
    } else if (event instanceof Event.Deleted deleted) {
      body.put("what", "deleted").put("id", deleted.id());
    } else {
      body.put("what", event instanceof Event.Opened ? "opened" : "closed");
    }
    byte[] rest = ("\",\"event\":" + MAPPER.writeValueAsString(body) + "}").getBytes(UTF);
    byte[] covered = Arrays.copyOfRange(rest, 2, rest.length);
    byte[] head = (OPENING + digest(covered)).getBytes(UTF);
    byte[] whole = Arrays.copyOf(head, head.length + rest.length);
    System.arraycopy(rest, 0, whole, head.length, rest.length);
    return whole;
  }

  /**
   * @throws UnreadableException if they are no such bytes
   */
  static Event decode(String name, byte[] bytes) throws UnreadableException {
    if (bytes.length < PREFIX
        || !new String(bytes, 0, PREFIX, UTF)
            .equals(OPENING + digest(Arrays.copyOfRange(bytes, PREFIX, bytes.length)) + "\",")) {
      throw new UnreadableException(name + " does not match its digest: cut or changed");
    }
    try {
      JsonNode body = MAPPER.readTree(bytes).path("event");
      if (body.path("version").asInt() != VERSION) {
        throw new UnreadableException(
            name + " is of version " + body.path("version") + ": a newer ckpt publishes it");
      }
      return read(body);
    } catch (UnreadableException e) {
      throw e;
    } catch (IOException | IllegalArgumentException | DateTimeException e) {
      throw new UnreadableException(name + ": " + e.getMessage());
    }
  }

  private static Event read(JsonNode body) throws UnreadableException {
    Instant at = Instant.parse(body.path("at").asText());
    String what = body.path("what").asText();
    return switch (what) {
      case "opened" -> new Event.Opened(at);
      case "closed" -> new Event.Closed(at);
      case "deleted" -> new Event.Deleted(at, id(body));
      case "failed" ->
          new Event.Failed(
              at, id(body), progress(body.path("progress")), body.path("reason").asText());
      case "committed" ->
          new Event.Committed(
              checkpoint(at, body.path("checkpoint")),
              body.has("stallNanos")
                  ? Optional.of(
                      new SaveCost(
                          Duration.ofNanos(body.path("stallNanos").asLong()),
                          Duration.ofNanos(body.path("writeNanos").asLong())))
                  : Optional.empty());
      default -> throw new UnreadableException("an event '" + what + "' is not known here");
    };
  }

  /** It becomes the name of a folder. */
  private static String id(JsonNode node) {
    String id = node.path("id").asText();
    if (!ID.matcher(id).matches()) {
      throw new IllegalArgumentException("'" + id + "' is no checkpoint's id");
    }
    return id;
  }

  private static ObjectNode of(Checkpoint checkpoint) {
    ObjectNode node = MAPPER.createObjectNode().put("id", checkpoint.id());
    checkpoint.parent().ifPresent(parent -> node.put("parent", parent));
    node.put("bytes", checkpoint.bytes()).put("finite", checkpoint.finite());
    node.set("progress", of(checkpoint.progress()));
    ObjectNode metrics = node.putObject("metrics");
    // as text: JSON has no NaN, and the digits read back as the same double
    checkpoint.metrics().forEach((name, value) -> metrics.put(name, Double.toString(value)));
    return node;
  }

  private static Checkpoint checkpoint(Instant at, JsonNode node) {
    Map<String, Double> metrics = new LinkedHashMap<>();
    node.path("metrics")
        .fields()
        .forEachRemaining(
            each -> metrics.put(each.getKey(), Double.valueOf(each.getValue().asText())));
    return new Checkpoint(
        id(node),
        Optional.ofNullable(node.path("parent").textValue()),
        progress(node.path("progress")),
        at,
        node.path("bytes").asLong(),
        metrics,
        node.path("finite").asBoolean());
  }

  private static ObjectNode of(Progress progress) {
    return MAPPER
        .createObjectNode()
        .put("step", progress.step())
        .put("epoch", progress.epoch())
        .put("batch", progress.batch())
        .put("samples", progress.samples())
        .put("phase", progress.phase().ordinal());
  }

  private static Progress progress(JsonNode node) {
    Progress.Phase phase =
        node.path("phase").asInt() == 0 ? Progress.Phase.AFTER_STEP : Progress.Phase.AFTER_EPOCH;
    return new Progress(
        node.path("step").asLong(),
        node.path("epoch").asInt(),
        node.path("batch").asLong(),
        node.path("samples").asLong(),
        phase);
  }

  private static String digest(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }
}
