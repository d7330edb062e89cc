package dev.ckpt.internal.config;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import dev.ckpt.ConfigException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.yaml.snakeyaml.error.Mark;
import org.yaml.snakeyaml.error.MarkedYAMLException;

/**
 * Reads a YAML file into a tree in which each node knows its place. A data binder would name the
 * end of an object for an unknown key, so the tokens are read here. Scalars stay the text that was
 * written: the reader of a key knows its type, YAML's guesses are not asked. Anchors, aliases, tags
 * and several documents are refused: no config needs them, and an alias can make a small file a
 * huge tree.
 */
final class YamlFile {

  private static final int MAX_BYTES = 1 << 20;
  private static final int MAX_DEPTH = 20;

  private static final YAMLFactory YAML =
      YAMLFactory.builder()
          .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).build())
          .build();

  private final String file;
  private final YAMLParser parser;

  private YamlFile(String file, YAMLParser parser) {
    this.file = file;
    this.parser = parser;
  }

  /** The root mapping; empty if the file is. */
  static LocatedNode read(Path path) {
    String file = path.toString();
    String text = text(file, bytes(path));
    try (YAMLParser parser = YAML.createParser(text)) {
      YamlFile yaml = new YamlFile(file, parser);
      try {
        return yaml.document();
      } catch (JsonProcessingException e) {
        throw yaml.malformed(e);
      }
    } catch (IOException e) {
      throw new ConfigException(file, "cannot be read: " + e.getMessage());
    }
  }

  /** Jackson names the last token; the scanner below knows where the problem is. */
  private ConfigException malformed(JsonProcessingException e) {
    if (e.getCause() instanceof MarkedYAMLException cause && cause.getProblemMark() != null) {
      Mark mark = cause.getProblemMark();
      String where = file + ":" + (mark.getLine() + 1) + ":" + (mark.getColumn() + 1);
      return new ConfigException(where, "not YAML: " + cause.getProblem());
    }
    String problem = e.getOriginalMessage();
    return new ConfigException(place(), "not YAML: " + problem.lines().findFirst().orElse(""));
  }

  private static byte[] bytes(Path path) {
    if (Files.isDirectory(path)) {
      throw new ConfigException(path.toString(), "is a folder: name the config file in it");
    }
    try (InputStream in = Files.newInputStream(path)) {
      byte[] bytes = in.readNBytes(MAX_BYTES + 1);
      if (bytes.length > MAX_BYTES) {
        throw new ConfigException(path.toString(), "is over 1 MiB: this is no config of ckpt");
      }
      return bytes;
    } catch (NoSuchFileException e) {
      throw new ConfigException(path.toString(), "there is no such file");
    } catch (IOException e) {
      throw new ConfigException(path.toString(), "cannot be read: " + e);
    }
  }

  private static String text(String file, byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    CharBuffer out = CharBuffer.allocate(bytes.length);
    var decoder = StandardCharsets.UTF_8.newDecoder();
    CoderResult result = decoder.decode(in, out, true);
    String text = out.flip().toString();
    if (result.isError()) {
      long line = text.chars().filter(c -> c == '\n').count() + 1;
      int column = text.codePointCount(text.lastIndexOf('\n') + 1, text.length()) + 1;
      throw new ConfigException(
          file + ":" + line + ":" + column, "not UTF-8: save the file as UTF-8");
    }
    return text.startsWith("\uFEFF") ? text.substring(1) : text;
  }

  private LocatedNode document() throws IOException {
    JsonToken first = parser.nextToken();
    if (first == null) {
      return LocatedNode.map("", file, file, Map.of(), Map.of());
    }
    LocatedNode root = node("");
    if (parser.nextToken() != null) {
      throw new ConfigException(place(), "a second document: a config is one document");
    }
    if (root.kind() == LocatedNode.Kind.MAP) {
      return root;
    }
    if (root.isEmpty()) {
      return LocatedNode.map("", file, file, Map.of(), Map.of());
    }
    throw root.error("must be a mapping of keys to values");
  }

  private LocatedNode node(String path) throws IOException {
    String where = place();
    String origin = file + ":" + parser.currentTokenLocation().getLineNr();
    if (parser.isCurrentAlias() || parser.getObjectId() != null) {
      throw new ConfigException(where, "anchors (&) and aliases (*) are not supported");
    }
    if (parser.getTypeId() != null) {
      throw new ConfigException(where, "tags (!) are not supported");
    }
    return switch (parser.currentToken()) {
      case START_OBJECT -> map(path, where, origin);
      case START_ARRAY -> {
        List<LocatedNode> elements = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          elements.add(node(path + "[" + elements.size() + "]"));
        }
        yield LocatedNode.list(path, where, origin, elements);
      }
      case VALUE_NULL -> LocatedNode.nothing(path, where, origin);
      default -> LocatedNode.scalar(path, where, origin, parser.getText());
    };
  }

  private LocatedNode map(String path, String where, String origin) throws IOException {
    Map<String, LocatedNode> children = new LinkedHashMap<>();
    Map<String, String> places = new LinkedHashMap<>();
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String key = parser.currentName();
      String at = place();
      String first = places.putIfAbsent(key, at);
      if (first != null) {
        throw new ConfigException(at, "duplicate key '" + key + "', first at " + first);
      }
      parser.nextToken();
      children.put(key, node(path.isEmpty() ? key : path + "." + key));
    }
    return LocatedNode.map(path, where, origin, children, places);
  }

  private String place() {
    JsonLocation at = parser.currentTokenLocation();
    return file + ":" + at.getLineNr() + ":" + at.getColumnNr();
  }
}
