package dev.ckpt.internal.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class FailureTest {

  private static String cause(Throwable thrown) {
    return Failure.of(thrown, 7).cause();
  }

  @Test
  void theCauseIsClassAndMessageInOneLine() {
    assertThat(cause(new IllegalStateException("no data\n  in\tshard\r\n3 ")))
        .isEqualTo("java.lang.IllegalStateException: no data in shard 3");
    assertThat(cause(new OutOfMemoryError())).isEqualTo("java.lang.OutOfMemoryError");
    assertThat(Failure.of(new RuntimeException("x"), 7).step()).hasValue(7);
  }

  @Test
  void theRootIsNamedWhereItsWrapperDoesNot() {
    Exception root = new java.io.IOException("disk gone");
    assertThat(cause(new RuntimeException("cannot read", new RuntimeException(root))))
        .isEqualTo("java.lang.RuntimeException: cannot read <- java.io.IOException: disk gone");
    assertThat(cause(new RuntimeException(root)))
        .as("named by the wrapper already")
        .isEqualTo("java.lang.RuntimeException: java.io.IOException: disk gone");
  }

  @Test
  void itIsBoundedAndNeverHalfACharacter() {
    for (int shift = 0; shift < 4; shift++) {
      String cause = cause(new RuntimeException("a".repeat(shift) + "\uD83D\uDE00".repeat(5_000)));
      assertThat(cause).hasSizeLessThanOrEqualTo(Failure.LONGEST).endsWith("...");
      assertThat(cause.substring(0, cause.length() - 3).codePoints())
          .noneMatch(each -> each >= Character.MIN_SURROGATE && each <= Character.MAX_SURROGATE);
    }
    assertThat(cause(new RuntimeException("lone \uD83D and \uDE00"))).endsWith("lone ? and ?");
    Exception root = new IllegalArgumentException("the root");
    assertThat(cause(new RuntimeException("x".repeat(2_000), root)))
        .as("a long wrapper leaves room")
        .endsWith("... <- java.lang.IllegalArgumentException: the root");
  }

  @Test
  void whatCannotTellItsMessageIsNamedAllTheSame() {
    RuntimeException silent =
        new RuntimeException() {
          private static final long serialVersionUID = 1L;

          @Override
          public String getMessage() {
            throw new IllegalStateException("not even that");
          }
        };
    assertThat(cause(silent)).isEqualTo(silent.getClass().getName());
  }

  @Test
  void aCircleOfCausesEnds() {
    RuntimeException one = new RuntimeException("one");
    RuntimeException two = new RuntimeException("two", one);
    one.initCause(two);
    assertThat(cause(one)).startsWith("java.lang.RuntimeException: one");
    assertThat(Failure.counts(one)).isTrue();
  }

  @Test
  void aResumeThatTheStoreBrokeTellsNoStep() {
    IOException away = new IOException("connection refused");
    assertThat(Failure.ofResume(new UncheckedIOException("cannot resume", away), 7))
        .isEqualTo(
            new Failure(
                "java.io.UncheckedIOException: cannot resume <- java.io.IOException: connection"
                    + " refused",
                OptionalLong.empty()));
    assertThat(Failure.ofResume(new IllegalStateException("x"), 7).step()).hasValue(7);
  }

  @Test
  void aRunThatGoesOnElsewhereIsNoFailure() {
    assertThat(Failure.counts(new CheckpointException.Fenced("taken over"))).isFalse();
    assertThat(Failure.counts(new RuntimeException(new CheckpointException.Fenced("x")))).isFalse();
    assertThat(Failure.counts(new CheckpointException.RestartRequired("x"))).isFalse();
    assertThat(Failure.counts(new CheckpointException.SaveFailed("x", null))).isTrue();
    assertThat(Failure.counts(new OutOfMemoryError())).isTrue();
  }

  @Test
  void noUriOfARecordLetsAnybodyIn() {
    assertThat(Provenance.open("s3://key:pass@host:9000/bucket?token=1#f"))
        .isEqualTo("s3://host:9000/bucket");
    assertThat(Provenance.open("file:///data/runs")).isEqualTo("file:///data/runs");
    assertThat(Provenance.open("C:\\runs?x")).isEqualTo("C:\\runs?x");
    assertThat(Provenance.open("/data/a@b?c")).isEqualTo("/data/a@b?c");
    assertThat(Provenance.open("http://host/a@b")).isEqualTo("http://host/a@b");
    Map<String, String> said =
        Provenance.of(
            Map.of(),
            Map.of("keep", "a policy"),
            Map.of("commit", "abc\ndef", "z", "z".repeat(999)));
    assertThat(said)
        .containsEntry("config.keep", "a policy (code)")
        .containsEntry("commit", "abc def")
        .containsKey("program");
    assertThat(said.values()).allMatch(value -> value.length() <= 300);
  }
}
