package dev.ckpt.manifest;

import static dev.ckpt.manifest.ChunkTable.CHUNK_BYTES;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Base64;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ChunkTableTest {

  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "1, 1",
    "1048575, 1",
    "1048576, 1",
    "1048577, 2",
    "2097152, 2",
    "9223372036854775807, 8796093022208",
  })
  void chunksTileTheLength(long length, long chunks) {
    assertThat(ChunkTable.chunks(length)).isEqualTo(chunks);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void aTableComesBackFromBase64(long seed) {
    Random random = new Random(seed);
    for (int round = 0; round < 200; round++) {
      int[] crcs = random.ints(random.nextInt(20)).toArray();
      long rest = crcs.length == 0 ? 0 : random.nextInt(CHUNK_BYTES);
      long length = (long) crcs.length * CHUNK_BYTES - rest;
      ChunkTable table = new ChunkTable(length, crcs);
      ChunkTable back = ChunkTable.fromBase64(length, table.base64());
      String when = "seed " + seed + ", round " + round;
      assertThat(back.length()).as(when).isEqualTo(length);
      assertThat(back.size()).as(when).isEqualTo(crcs.length);
      assertThat(back.digest()).as(when).isEqualTo(table.digest());
      for (int i = 0; i < crcs.length; i++) {
        assertThat(back.crc(i)).as(when).isEqualTo(crcs[i]);
      }
    }
  }

  @Test
  void theBytesAreWhatTheFormatSays() {
    ChunkTable table = new ChunkTable(CHUNK_BYTES + 1L, new int[] {0x04030201, 0xFF000000});
    assertThat(Base64.getDecoder().decode(table.base64())).containsExactly(1, 2, 3, 4, 0, 0, 0, -1);
    assertThat(new ChunkTable(0, new int[0]).digest())
        .isEqualTo("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  }

  @Test
  void everyBitOfAChecksumIsInTheDigest() {
    String digest = new ChunkTable(1, new int[] {0x12345678}).digest();
    for (int bit = 0; bit < 32; bit++) {
      assertThat(new ChunkTable(1, new int[] {0x12345678 ^ 1 << bit}).digest())
          .isNotEqualTo(digest);
    }
  }

  @Test
  void aTableIsNotChangedThroughItsArray() {
    int[] crcs = {7};
    ChunkTable table = new ChunkTable(1, crcs);
    crcs[0] = 8;
    assertThat(table.crc(0)).isEqualTo(7);
  }

  @Test
  void aTableThatDoesNotFitTheLengthIsRefused() {
    long[] lengths = {0, CHUNK_BYTES + 1L, -1, Long.MIN_VALUE, Long.MAX_VALUE};
    for (long length : lengths) {
      assertThatThrownBy(() -> new ChunkTable(length, new int[1]))
          .as("%d", length)
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "AAAA", "AAAAAAA=", "AAAA*A==", "AAAAAA==\n", "\u00e4"})
  void whatIsNoTableIsRefused(String base64) {
    assertThatThrownBy(() -> ChunkTable.fromBase64(1, base64))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
