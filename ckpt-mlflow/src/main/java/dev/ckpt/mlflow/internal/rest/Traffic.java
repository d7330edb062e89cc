package dev.ckpt.mlflow.internal.rest;

/** Told of calls as they go, on the thread that calls. */
public interface Traffic {

  /** Nobody listens. */
  Traffic UNSEEN =
      new Traffic() {
        @Override
        public void asked() {}

        @Override
        public void answered() {}
      };

  /** A call goes out. */
  void asked();

  /** It came back, with whatever it brings, or was given up. */
  void answered();
}
