package dev.ckpt.cli;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.ILoggerFactory;
import org.slf4j.IMarkerFactory;
import org.slf4j.Marker;
import org.slf4j.event.Level;
import org.slf4j.helpers.BasicMarkerFactory;
import org.slf4j.helpers.LegacyAbstractLogger;
import org.slf4j.helpers.MessageFormatter;
import org.slf4j.helpers.NOPMDCAdapter;
import org.slf4j.spi.MDCAdapter;
import org.slf4j.spi.SLF4JServiceProvider;

/**
 * What core logs, as single lines of the command's stderr: warnings always, each once, because core
 * looks at the same record whenever it is asked; the rest with {@code --verbose}. Public for {@link
 * java.util.ServiceLoader} only.
 */
public final class Warnings implements SLF4JServiceProvider {
  private static volatile @Nullable Console console;
  private static final Set<String> SAID = ConcurrentHashMap.newKeySet();

  private final IMarkerFactory markers = new BasicMarkerFactory();
  private final MDCAdapter contexts = new NOPMDCAdapter();

  /** For the service loader. */
  public Warnings() {}

  /** Warnings go there from now on. */
  static void to(Console next) {
    console = next;
    SAID.clear();
  }

  @Override
  public ILoggerFactory getLoggerFactory() {
    return Line::new;
  }

  @Override
  public IMarkerFactory getMarkerFactory() {
    return markers;
  }

  @Override
  public MDCAdapter getMDCAdapter() {
    return contexts;
  }

  @Override
  public String getRequestedApiVersion() {
    return "2.0.99";
  }

  @Override
  public void initialize() {}

  private static final class Line extends LegacyAbstractLogger {
    private static final long serialVersionUID = 1L;

    Line(String name) {
      this.name = name;
    }

    private static boolean wanted(boolean always) {
      Console now = console;
      return now != null && (always || now.verbose());
    }

    @Override
    protected void handleNormalizedLoggingCall(
        Level level,
        @Nullable Marker marker,
        String message,
        Object @Nullable [] arguments,
        @Nullable Throwable thrown) {
      Console now = console;
      String text = MessageFormatter.basicArrayFormat(message, arguments);
      if (now != null && SAID.add(text)) {
        now.say((level.toInt() >= Level.WARN.toInt() ? "warning: " : "") + text);
        if (thrown != null && now.verbose()) {
          thrown.printStackTrace(now.err);
        }
      }
    }

    @Override
    protected @Nullable String getFullyQualifiedCallerName() {
      return null;
    }

    @Override
    public boolean isErrorEnabled() {
      return wanted(true);
    }

    @Override
    public boolean isWarnEnabled() {
      return wanted(true);
    }

    @Override
    public boolean isInfoEnabled() {
      return wanted(false);
    }

    @Override
    public boolean isDebugEnabled() {
      return wanted(false);
    }

    @Override
    public boolean isTraceEnabled() {
      return false;
    }
  }
}
