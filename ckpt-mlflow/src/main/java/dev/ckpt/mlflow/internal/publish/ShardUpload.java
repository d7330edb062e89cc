package dev.ckpt.mlflow.internal.publish;

import dev.ckpt.mlflow.internal.rest.Artifacts;
import dev.ckpt.mlflow.internal.rest.MlflowApi;
import dev.ckpt.mlflow.internal.rest.MlflowException;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.stream.Stream;

/** Copies the shards of a checkpoint to a server, as files below {@code shards/}. */
final class ShardUpload {
  private final MlflowApi api;
  private final CheckpointStore store;
  private final String run;

  ShardUpload(MlflowApi api, CheckpointStore store, String run) {
    this.api = api;
    this.store = store;
    this.run = run;
  }

  void upload(String id, MlflowApi.Model model) throws IOException {
    if (!Artifacts.isProxied(model.artifacts())) {
      throw new MlflowException(
          MlflowException.Kind.REFUSED,
          "shards cannot be uploaded: the server does not serve artifacts (--serve-artifacts)");
    }
    String folder = "runs/" + run + "/data/" + id + "/";
    List<CheckpointStore.Entry> entries;
    try (Stream<CheckpointStore.Entry> all = store.list(folder, "")) {
      entries = all.toList();
    }
    for (CheckpointStore.Entry entry : entries) {
      String name = entry.key().substring(folder.length());
      if (entry.length() > 0) {
        api.artifacts()
            .put(
                model.artifacts(),
                "shards/" + name,
                () -> new ObjectStream(entry.key()),
                entry.length());
      }
    }
  }

  /** An object of the store, read from its beginning. */
  private final class ObjectStream extends InputStream {
    private final String key;
    private long at;

    ObjectStream(String key) {
      this.key = key;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
      int read = store.read(key, at, ByteBuffer.wrap(into, offset, length));
      at += read;
      return read == 0 && length > 0 ? -1 : read;
    }
  }
}
