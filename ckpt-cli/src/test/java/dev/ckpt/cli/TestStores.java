package dev.ckpt.cli;

import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.StoreProvider;
import java.net.URI;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/** Stores of a test, under {@code test://name}. */
public final class TestStores implements StoreProvider {
  private static final Map<String, Supplier<CheckpointStore>> STORES = new ConcurrentHashMap<>();

  static void put(String name, Supplier<CheckpointStore> store) {
    STORES.put(name, store);
  }

  /** For the service loader. */
  public TestStores() {}

  @Override
  public String scheme() {
    return "test";
  }

  @Override
  public CheckpointStore open(URI uri) {
    return Optional.ofNullable(STORES.get(uri.getHost())).orElseThrow().get();
  }
}
