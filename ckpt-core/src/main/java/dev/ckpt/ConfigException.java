package dev.ckpt;

/**
 * A config that cannot be read or makes no sense. The message begins with the place: {@code
 * file:line:column: }, or the environment variable. Reaction: correct it.
 */
public final class ConfigException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  /**
   * Makes an error of one place.
   *
   * @param where file, line and column, or the environment variable
   * @param problem what is wrong there and what to write instead
   */
  public ConfigException(String where, String problem) {
    super(where + ": " + problem);
  }
}
