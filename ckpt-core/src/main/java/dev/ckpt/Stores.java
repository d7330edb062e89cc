package dev.ckpt;

import dev.ckpt.internal.local.PosixStore;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.StoreProvider;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Opens stores. The caller closes them. */
public final class Stores {

  /** A letter and a colon is a drive of Windows, not a scheme. */
  private static final Pattern SCHEME = Pattern.compile("([A-Za-z][A-Za-z0-9+.-]+):.*");

  /** Where schemes come from that this project knows. */
  private static final Map<String, String> ARTIFACTS = Map.of("s3", "dev.ckpt:ckpt-s3");

  private Stores() {}

  /**
   * A store in a folder, which the first write creates.
   *
   * @throws IOException if something other than a folder stands there
   */
  public static CheckpointStore local(Path folder) throws IOException {
    return PosixStore.in(folder);
  }

  /** A store that lives in the heap as long as the object returned; for tests and trials. */
  public static CheckpointStore inMemory() {
    return new InMemoryStore(Clock.systemUTC());
  }

  /**
   * Opens what a config file or a command line names: a path, a {@code file:} URI, or a URI of a
   * scheme that a {@link StoreProvider} on the class path serves.
   *
   * @throws IllegalArgumentException if nothing serves the scheme, or the URI is not complete
   */
  public static CheckpointStore open(String pathOrUri) throws IOException {
    if (pathOrUri.isBlank()) {
      throw new IllegalArgumentException("the store's name is empty; give a path or a URI");
    }
    Matcher uri = SCHEME.matcher(pathOrUri);
    return uri.matches() ? open(URI.create(pathOrUri)) : local(Path.of(pathOrUri));
  }

  /** Opens a URI; see {@link #open(String)}. */
  public static CheckpointStore open(URI uri) throws IOException {
    String scheme = uri.getScheme();
    if (scheme == null) {
      return local(Path.of(uri.getPath()));
    }
    if (scheme.equalsIgnoreCase("file")) {
      return local(Path.of(uri));
    }
    Optional<StoreProvider> provider =
        providers().filter(p -> p.scheme().equalsIgnoreCase(scheme)).findFirst();
    if (provider.isPresent()) {
      return provider.get().open(uri);
    }
    String artifact = ARTIFACTS.get(scheme.toLowerCase(Locale.ROOT));
    TreeSet<String> known = new TreeSet<>();
    known.add("file");
    providers().map(StoreProvider::scheme).forEach(known::add);
    throw new IllegalArgumentException(
        "no store for '"
            + scheme
            + ":' on the class path"
            + (artifact != null
                ? "; add " + artifact
                : ", only for " + known + " and plain paths"));
  }

  /** Those that the application's class loader sees, then those beside this class. */
  private static Stream<StoreProvider> providers() {
    return Stream.concat(
            ServiceLoader.load(StoreProvider.class).stream(),
            ServiceLoader.load(StoreProvider.class, Stores.class.getClassLoader()).stream())
        .map(ServiceLoader.Provider::get);
  }
}
