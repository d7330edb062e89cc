package dev.ckpt.spi;

import java.io.IOException;
import java.net.URI;

/** Opens stores for one URI scheme. Found by {@link java.util.ServiceLoader}. */
public interface StoreProvider {

  /** The URI scheme: {@code s3}. */
  String scheme();

  /**
   * Opens the store that {@code uri} names; the caller closes it.
   *
   * @throws IllegalArgumentException if the URI is not complete
   */
  CheckpointStore open(URI uri) throws IOException;
}
