package dev.ckpt;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * What a new run begins with: weights of another run's checkpoint. Done once, at step 0; a resume
 * goes on from the run's own checkpoints and never looks there again. Immutable.
 *
 * <p>Names are those of the model's parameters; {@code *} in a pattern stands for any characters. A
 * pattern or expression that matches nothing is taken for a typo.
 *
 * @param store path or URI of the other store; empty: the run's own
 * @param run name of the other run; empty: the only other one of that store
 * @param checkpoint as {@link Checkpoints#find} understands it
 * @param include patterns of this model's parameters that are to be loaded
 * @param exclude patterns of those that are not: a new head
 * @param rename regular expressions, tried in their order on a saved name, and what replaces the
 *     first match, as {@link String#replaceFirst} does
 * @param freeze patterns of this model's parameters that are frozen, if they are loaded: they keep
 *     every bit, running statistics, too
 * @param strict whether it is an error if a parameter that is to be loaded is not there or has
 *     another shape, or if a pattern or expression matches nothing; else such a parameter keeps its
 *     fresh values, and both are reported
 */
public record InitFrom(
    String store,
    String run,
    String checkpoint,
    List<String> include,
    List<String> exclude,
    Map<String, String> rename,
    List<String> freeze,
    boolean strict) {

  /**
   * @throws IllegalArgumentException if an expression of {@code rename} is none, or a replacement
   *     names a group that its expression does not have
   */
  public InitFrom {
    include = List.copyOf(include);
    exclude = List.copyOf(exclude);
    freeze = List.copyOf(freeze);
    rename = Collections.unmodifiableMap(new LinkedHashMap<>(rename));
    rename.forEach(InitFrom::requireReplacement);
  }

  private static void requireReplacement(String expression, String replacement) {
    try {
      Pattern.compile(expression);
      // nothing is matched by the empty alternative, with all groups of the expression
      Pattern.compile(expression + "|").matcher("").replaceFirst(replacement);
    } catch (PatternSyntaxException e) {
      throw new IllegalArgumentException(
          "rename: '" + expression + "' is no regular expression: " + e.getDescription(), e);
    } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "rename: '"
              + replacement
              + "' cannot replace '"
              + expression
              + "': "
              + e.getMessage()
              + ". $1 stands for the first group; a plain $ is written \\$",
          e);
    }
  }

  /** All weights of a checkpoint of another run of the same store. */
  public static InitFrom of(String run, String checkpoint) {
    return new InitFrom("", run, checkpoint, List.of("*"), List.of(), Map.of(), List.of(), true);
  }

  /** The same without some parameters. */
  public InitFrom exclude(String... patterns) {
    return new InitFrom(store, run, checkpoint, include, List.of(patterns), rename, freeze, strict);
  }

  /** The same, freezing some parameters. */
  public InitFrom freeze(String... patterns) {
    return new InitFrom(
        store, run, checkpoint, include, exclude, rename, List.of(patterns), strict);
  }

  /** The same, with names replaced. */
  public InitFrom rename(Map<String, String> expressions) {
    return new InitFrom(store, run, checkpoint, include, exclude, expressions, freeze, strict);
  }

  /** The same in another store. */
  public InitFrom in(String pathOrUri) {
    return new InitFrom(pathOrUri, run, checkpoint, include, exclude, rename, freeze, strict);
  }

  /** The same, loading what fits and reporting the rest. */
  public InitFrom lenient() {
    return new InitFrom(store, run, checkpoint, include, exclude, rename, freeze, false);
  }

  /**
   * What becomes of each parameter.
   *
   * @param matched this model's name, and the saved one that it is loaded from
   * @param missing to be loaded, and not there
   * @param reshaped to be loaded, and there with another type or shape, which is said
   * @param excluded not to be loaded
   * @param unused saved, and nobody's here
   * @param frozen this model's names
   * @param notFrozen those that are to be frozen and were not loaded
   * @param matchless patterns and expressions that match nothing, each with the names that may be
   *     meant
   */
  public record Match(
      Map<String, String> matched,
      List<String> missing,
      Map<String, String> reshaped,
      List<String> excluded,
      List<String> unused,
      Set<String> frozen,
      List<String> notFrozen,
      List<String> matchless) {

    /** For people: a line with the counts, then a line for each kind that there is. */
    public String report() {
      StringBuilder text = new StringBuilder();
      text.append(
          String.format(
              "%d matched, %d missing, %d reshaped, %d excluded, %d unused, %d frozen",
              matched.size(),
              missing.size(),
              reshaped.size(),
              excluded.size(),
              unused.size(),
              frozen.size()));
      line(text, "missing (fresh values)", missing);
      List<String> shapes = new ArrayList<>();
      reshaped.forEach((name, what) -> shapes.add(name + " " + what));
      line(text, "reshaped (fresh values)", shapes);
      line(text, "excluded (fresh values)", excluded);
      line(text, "unused", unused);
      line(text, "frozen", List.copyOf(frozen));
      line(text, "not frozen, as they are not loaded", notFrozen);
      line(text, "match nothing", matchless);
      return text.toString();
    }

    private static void line(StringBuilder text, String title, List<String> names) {
      if (!names.isEmpty()) {
        int most = 20;
        text.append("\n  ").append(title).append(": ");
        text.append(String.join(", ", names.subList(0, Math.min(most, names.size()))));
        if (names.size() > most) {
          text.append(", and ").append(names.size() - most).append(" more");
        }
      }
    }
  }

  /**
   * Matches saved tensors with a model's. Changes nothing.
   *
   * @param saved of the checkpoint, by their names there
   * @param model of this model, by their names here
   * @throws CheckpointException.Incompatible if nothing matches, two saved ones get one name, or,
   *     when strict, something is missing or reshaped, or a pattern matches nothing
   */
  public Match match(Map<String, TensorSpec> saved, Map<String, TensorSpec> model) {
    Map<String, String> sources = new LinkedHashMap<>();
    for (String name : saved.keySet()) {
      String other = sources.put(renamed(name), name);
      if (other != null) {
        throw new CheckpointException.Incompatible(
            "initFrom: rename gives " + other + " and " + name + " one name, " + renamed(name));
      }
    }
    Map<String, String> matched = new LinkedHashMap<>();
    List<String> missing = new ArrayList<>();
    Map<String, String> reshaped = new LinkedHashMap<>();
    List<String> excluded = new ArrayList<>();
    model.forEach(
        (name, here) -> {
          String source = sources.get(name);
          TensorSpec there = source == null ? null : saved.get(source);
          if (!includes(name)) {
            excluded.add(name);
          } else if (source == null || there == null) {
            missing.add(name);
          } else if (there.type() != here.type() || !there.shape().equals(here.shape())) {
            reshaped.put(name, "(saved " + show(there) + ", here " + show(here) + ")");
          } else {
            matched.put(name, source);
          }
        });
    List<String> unused = new ArrayList<>(saved.keySet());
    unused.removeAll(matched.values());
    Set<String> frozen = new LinkedHashSet<>(matched.keySet());
    frozen.removeIf(name -> !freezes(name));
    List<String> notFrozen = new ArrayList<>(model.keySet());
    notFrozen.removeIf(name -> !freezes(name) || matched.containsKey(name));
    List<String> matchless = new ArrayList<>();
    matchless.addAll(matchless("include", include, model.keySet()));
    matchless.addAll(matchless("exclude", exclude, model.keySet()));
    matchless.addAll(matchless("freeze", freeze, model.keySet()));
    matchless.addAll(matchlessRenames(saved.keySet()));
    Match match =
        new Match(
            Collections.unmodifiableMap(matched),
            List.copyOf(missing),
            Collections.unmodifiableMap(reshaped),
            List.copyOf(excluded),
            List.copyOf(unused),
            Collections.unmodifiableSet(frozen),
            List.copyOf(notFrozen),
            List.copyOf(matchless));
    if (strict && !matchless.isEmpty()) {
      throw new CheckpointException.Incompatible(
          "initFrom: these match nothing: "
              + String.join("; ", matchless)
              + ". Nothing was changed. Correct them, or set strict: false if they are meant for"
              + " other models.");
    }
    if (matched.isEmpty() || (strict && !(missing.isEmpty() && reshaped.isEmpty()))) {
      throw new CheckpointException.Incompatible(
          "initFrom: "
              + (matched.isEmpty() ? "no parameter" : "not every parameter")
              + " can be loaded from "
              + checkpoint
              + ": "
              + match.report()
              + "\nNothing was changed. Exclude what is to be fresh, rename what has another name"
              + (strict ? ", or set strict: false to load what fits." : "."));
    }
    return match;
  }

  /** Whether a parameter of that name is to be loaded. */
  public boolean includes(String name) {
    return any(include, name) && !any(exclude, name);
  }

  /** Whether a parameter of that name is to be frozen, if it is loaded. */
  public boolean freezes(String name) {
    return any(freeze, name);
  }

  private static List<String> matchless(String key, List<String> patterns, Set<String> names) {
    return patterns.stream()
        .filter(pattern -> names.stream().noneMatch(name -> any(List.of(pattern), name)))
        .map(pattern -> key + " '" + pattern + "'" + nearest(pattern, names))
        .toList();
  }

  private List<String> matchlessRenames(Set<String> saved) {
    List<String> all = new ArrayList<>();
    List<String> names = List.copyOf(saved);
    for (Map.Entry<String, String> each : rename.entrySet()) {
      Pattern expression = Pattern.compile(each.getKey());
      if (names.stream().noneMatch(name -> expression.matcher(name).find())) {
        String literal = each.getKey().replaceAll("[\\^$\\\\]", "");
        all.add("rename '" + each.getKey() + "'" + nearest(literal + "*", saved));
      }
      names =
          names.stream()
              .map(name -> expression.matcher(name).replaceFirst(each.getValue()))
              .toList();
    }
    return all;
  }

  private static String nearest(String pattern, Set<String> names) {
    List<String> near = NearNames.of(pattern, names);
    return near.isEmpty()
        ? " (names are such as " + String.join(", ", names.stream().limit(3).toList()) + ")"
        : " (near it: " + String.join(", ", near) + ")";
  }

  private String renamed(String name) {
    String renamed = name;
    for (Map.Entry<String, String> each : rename.entrySet()) {
      renamed = renamed.replaceFirst(each.getKey(), each.getValue());
    }
    return renamed;
  }

  private static String show(TensorSpec spec) {
    return spec.type().id() + " " + spec.shape();
  }

  private static boolean any(List<String> patterns, String name) {
    for (String pattern : patterns) {
      StringBuilder expression = new StringBuilder();
      for (String literal : pattern.split("\\*", -1)) {
        expression.append(expression.isEmpty() ? "" : ".*").append(Pattern.quote(literal));
      }
      if (Pattern.matches(expression.toString(), name)) {
        return true;
      }
    }
    return false;
  }
}
