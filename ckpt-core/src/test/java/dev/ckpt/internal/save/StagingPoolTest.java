package dev.ckpt.internal.save;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class StagingPoolTest {
  private static final long SEGMENT = StagingPool.SEGMENT_BYTES;

  private final AtomicInteger made = new AtomicInteger();

  private StagingPool pool(long budget) {
    return new StagingPool(
        budget,
        bytes -> {
          made.incrementAndGet();
          return ByteBuffer.allocate(bytes);
        });
  }

  @Test
  void theBudgetIsNeverExceeded() {
    StagingPool pool = pool(3 * SEGMENT + 1);
    for (int i = 0; i < 3; i++) {
      assertThat(pool.tryAcquire()).isNotNull();
    }
    assertThat(pool.tryAcquire()).isNull();
    assertThat(pool.acquire(TimeUnit.MILLISECONDS.toNanos(20))).isNull();
    assertThat(pool.allocated()).isEqualTo(3 * SEGMENT);
  }

  @Test
  void whatIsGivenBackIsUsedAgain() {
    StagingPool pool = pool(8 * SEGMENT);
    StagingPool.Segment first = Objects.requireNonNull(pool.tryAcquire());
    pool.release(first);
    assertThat(pool.tryAcquire()).isSameAs(first);
    assertThat(made).hasValue(1);
  }

  @Test
  void preparedMemoryIsWhatTheFirstSaveGets() {
    StagingPool pool = pool(8 * SEGMENT);
    pool.prepare(2 * SEGMENT + 1);
    assertThat(made).hasValue(3);
    assertThat(pool.available()).isEqualTo(8 * SEGMENT);
    for (int i = 0; i < 3; i++) {
      assertThat(pool.tryAcquire()).isNotNull();
    }
    assertThat(made).hasValue(3);
    pool.prepare(1000 * SEGMENT);
    assertThat(pool.allocated()).isEqualTo(pool.budget());
  }

  @Test
  void memoryThatCannotBeHadIsNotCharged() {
    StagingPool pool =
        new StagingPool(
            2 * SEGMENT,
            bytes -> {
              throw new OutOfMemoryError("no memory, by the test");
            });
    assertThatThrownBy(pool::tryAcquire).isInstanceOf(OutOfMemoryError.class);
    assertThatThrownBy(() -> pool.prepare(SEGMENT)).isInstanceOf(OutOfMemoryError.class);
    assertThat(pool.available()).isEqualTo(2 * SEGMENT);
  }
}
