package dev.ckpt.cli;

import dev.ckpt.CheckpointException;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/** What is thrown, as an exit code and one line. */
final class Failures {

  private Failures() {}

  static int report(Console console, Throwable failure) {
    int code = code(failure);
    console.say(
        code == Exit.BUG
            ? "this is a bug: "
                + failure
                + ". Please report it with the command and what it prints with --verbose"
            : message(failure));
    if (console.verbose()) {
      failure.printStackTrace(console.err);
    }
    return code;
  }

  static int usage(Console console, ParameterException wrong) {
    CommandLine at = wrong.getCommandLine();
    console.say(Usage.message(wrong) + "; see " + at.getCommandSpec().qualifiedName() + " --help");
    return Exit.USAGE;
  }

  static int code(Throwable failure) {
    if (failure instanceof Problem problem) {
      return problem.code();
    }
    if (failure instanceof CheckpointException.NotFound) {
      return Exit.NOT_FOUND;
    }
    if (failure instanceof CheckpointException.Incompatible) {
      return Exit.NEWER;
    }
    if (failure instanceof CheckpointException.Fenced) {
      return Exit.IN_USE;
    }
    IOException cause = ioCause(failure);
    if (cause instanceof CheckpointStore.LockHeldException) {
      return Exit.IN_USE;
    }
    return failure instanceof CheckpointException || cause != null ? Exit.STORE : Exit.BUG;
  }

  private static @Nullable IOException ioCause(Throwable failure) {
    if (failure instanceof UncheckedIOException unchecked) {
      return unchecked.getCause();
    }
    return failure instanceof IOException io ? io : null;
  }

  static String message(Throwable failure) {
    IOException cause = ioCause(failure);
    if (cause instanceof FileSystemException file && file.getReason() == null) {
      // the JDK's message is the bare path
      return (cause instanceof AccessDeniedException
              ? "permission denied: "
              : cause instanceof NoSuchFileException
                  ? "not there: "
                  : cause.getClass().getSimpleName() + ": ")
          + file.getFile();
    }
    String message = failure.getMessage();
    if (message == null || message.isBlank()) {
      return failure.toString();
    }
    String why = cause == null ? null : cause.getMessage();
    return why == null || message.contains(why) ? message : message + ": " + why;
  }
}
