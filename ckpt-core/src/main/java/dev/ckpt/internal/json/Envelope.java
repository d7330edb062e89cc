package dev.ckpt.internal.json;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.CheckpointException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The envelope of every record on disk, frozen for all versions of the format:
 *
 * <pre>
 * {"digest":"(SHA-256, 64 lower-case hex digits)","kind":"manifest","record":{...},
 *  "requiredFeatures":[],"version":"1.0"}
 * </pre>
 *
 * <p>without the line break: canonical JSON with exactly these five keys. The digest covers all
 * bytes after the first {@value #PREFIX_BYTES}, the opening brace and the digest with its comma. It
 * is compared before anything else is believed, so that no flipped bit hides and none reads as a
 * newer version.
 *
 * <p>A reader of version {@code major.minor} takes every minor version of its major; what it does
 * not know in the body it leaves alone. A newer major, or a required feature that it does not know,
 * is <em>incompatible</em>, never <em>corrupt</em>.
 */
public final class Envelope {

  /** How many bytes stand before the digested ones: 11, then 64 hex digits, then 2. */
  public static final int PREFIX_BYTES = 77;

  /** The major version that this build writes and reads. */
  public static final int MAJOR = 1;

  /** The minor version that this build writes. */
  public static final int MINOR = 0;

  /** The records that there are. FORMAT.md reserves {@code pin}, {@code deleted}, {@code join}. */
  public static final Set<String> KINDS = Set.of("attempt", "resume", "end", "vote", "manifest");

  private static final Set<String> KNOWN_FEATURES = Set.of();
  private static final List<String> KEYS =
      List.of("digest", "kind", "record", "requiredFeatures", "version");
  private static final byte[] OPENING = ascii("{\"digest\":\"");
  private static final byte[] CLOSING = ascii("\",");
  private static final int DIGEST_CHARACTERS = 64;
  private static final Pattern VERSION =
      Pattern.compile("(0|[1-9][0-9]{0,8})\\.(0|[1-9][0-9]{0,8})");

  private Envelope() {}

  /**
   * The bytes of a record of this build's version.
   *
   * @param kind one of {@link #KINDS}
   * @throws IllegalArgumentException if the kind is unknown, or the body breaks a rule of {@link
   *     CanonicalJson}
   */
  public static byte[] seal(String kind, ObjectNode body) {
    if (!KINDS.contains(kind)) {
      throw new IllegalArgumentException("no kind of record: '" + kind + "'");
    }
    return seal(kind, MAJOR + "." + MINOR, List.of(), body);
  }

  /** The bytes of a record of any version, also of ones to come. */
  static byte[] seal(String kind, String version, Collection<String> features, JsonNode body) {
    ObjectNode whole = JsonNodeFactory.instance.objectNode();
    whole.put("digest", "0".repeat(DIGEST_CHARACTERS));
    whole.put("kind", kind);
    whole.set("record", body);
    ArrayNode required = whole.putArray("requiredFeatures");
    features.stream().sorted().forEach(required::add);
    whole.put("version", version);
    byte[] bytes = CanonicalJson.encode(whole);
    System.arraycopy(digest(bytes), 0, bytes, OPENING.length, DIGEST_CHARACTERS);
    return bytes;
  }

  /**
   * The body of a record.
   *
   * @param kind what it must be
   * @param bytes the whole object as stored; not changed
   * @param name where the bytes come from, for messages
   * @throws CheckpointException.Corrupt if a byte is not as it was sealed, or it is of another kind
   * @throws CheckpointException.Incompatible if it is whole, but needs a newer ckpt
   */
  public static ObjectNode open(String kind, byte[] bytes, String name) {
    checkDigest(bytes, name);
    JsonNode whole = CanonicalJson.decode(bytes, name);
    List<String> keys = new ArrayList<>();
    whole.fieldNames().forEachRemaining(keys::add);
    if (!keys.equals(KEYS)) {
      throw new CheckpointException.Corrupt(name + ": no record of ckpt, its keys are " + keys);
    }
    if (!kind.equals(whole.path("kind").textValue())) {
      throw new CheckpointException.Corrupt(
          name + ": a record of kind " + whole.path("kind") + " where '" + kind + "' belongs");
    }
    checkVersion(whole.path("version"), name);
    checkFeatures(whole.path("requiredFeatures"), name);
    if (whole.path("record") instanceof ObjectNode body) {
      return body;
    }
    throw new CheckpointException.Corrupt(name + ": the record is no JSON object");
  }

  private static void checkDigest(byte[] bytes, String name) {
    int closing = PREFIX_BYTES - CLOSING.length;
    if (bytes.length < PREFIX_BYTES
        || !Arrays.equals(bytes, 0, OPENING.length, OPENING, 0, OPENING.length)
        || !Arrays.equals(bytes, closing, PREFIX_BYTES, CLOSING, 0, CLOSING.length)) {
      throw new CheckpointException.Corrupt(
          name + ": " + bytes.length + " bytes that do not begin as a record of ckpt does");
    }
    if (!Arrays.equals(bytes, OPENING.length, closing, digest(bytes), 0, DIGEST_CHARACTERS)) {
      throw new CheckpointException.Corrupt(
          name + ": its " + bytes.length + " bytes do not match its digest: cut or changed");
    }
  }

  private static void checkVersion(JsonNode version, String name) {
    String text = version.isTextual() ? version.textValue() : "";
    var matcher = VERSION.matcher(text);
    if (!matcher.matches()) {
      throw new CheckpointException.Corrupt(name + ": no format version: " + version);
    }
    if (Integer.parseInt(matcher.group(1)) > MAJOR) {
      throw new CheckpointException.Incompatible(
          name
              + ": written in format version "
              + text
              + ", this ckpt reads up to "
              + MAJOR
              + ".x: upgrade ckpt; nothing was changed");
    }
    if (Integer.parseInt(matcher.group(1)) < 1) {
      throw new CheckpointException.Corrupt(name + ": there is no format version " + text);
    }
  }

  private static void checkFeatures(JsonNode features, String name) {
    if (!features.isArray()) {
      throw new CheckpointException.Corrupt(name + ": requiredFeatures is no list");
    }
    List<String> unknown = new ArrayList<>();
    for (JsonNode feature : features) {
      if (!feature.isTextual()) {
        throw new CheckpointException.Corrupt(name + ": no name of a feature: " + feature);
      }
      if (!KNOWN_FEATURES.contains(feature.textValue())) {
        unknown.add(feature.textValue());
      }
    }
    if (!unknown.isEmpty()) {
      throw new CheckpointException.Incompatible(
          name + ": needs " + unknown + ", which this ckpt does not know: upgrade ckpt");
    }
  }

  private static byte[] digest(byte[] bytes) {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      sha.update(bytes, PREFIX_BYTES, bytes.length - PREFIX_BYTES);
      return ascii(HexFormat.of().formatHex(sha.digest()));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has SHA-256", e);
    }
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
