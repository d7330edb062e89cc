package dev.ckpt.internal.keep;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class HousekeeperTest {

  private final List<String> done = Collections.synchronizedList(new ArrayList<>());

  @Test
  void nothingWaitsBehindMoreThanOneOfWhatIsDoneOnce() throws Exception {
    CountDownLatch busy = new CountDownLatch(1);
    try (Housekeeper house = new Housekeeper(Thread::new, List.of())) {
      house.later("busy", () -> await(busy));
      for (int save = 1; save <= 5; save++) {
        String retention = "retention " + save;
        house.later("retention", () -> done.add(retention));
        house.onceLater("limit", () -> done.add("limit"));
      }
      busy.countDown();
      house.close();
      assertThat(house.awaitEnd(Duration.ofMinutes(1))).isTrue();
    }
    assertThat(done.stream().filter("limit"::equals)).hasSize(1);
    assertThat(done).contains("retention 5");
  }

  @Test
  void whatIsAskedForOnceMoreAfterItBeganIsDoneOnceMoreBehindTheOthers() throws Exception {
    CountDownLatch began = new CountDownLatch(1);
    CountDownLatch busy = new CountDownLatch(1);
    CountDownLatch over = new CountDownLatch(2);
    try (Housekeeper house = new Housekeeper(Thread::new, List.of())) {
      Housekeeper.Chore limit =
          () -> {
            began.countDown();
            await(busy);
            done.add("limit");
            over.countDown();
          };
      house.onceLater("limit", limit);
      began.await();
      for (int save = 1; save <= 5; save++) {
        String retention = "retention " + save;
        house.later("retention", () -> done.add(retention));
        house.onceLater("limit", limit);
      }
      busy.countDown();
      over.await();
    }
    assertThat(done)
        .containsExactly(
            "limit",
            "retention 1",
            "retention 2",
            "retention 3",
            "retention 4",
            "retention 5",
            "limit");
  }

  private static void await(CountDownLatch latch) throws IOException {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IOException(e);
    }
  }
}
