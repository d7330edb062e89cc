package dev.ckpt.internal.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FiniteScanTest {

  private static final FiniteScan SCAN = new FiniteScan();

  /** Long enough for several words and a rest. */
  private static final int LONGEST = 2 * 64 + 3 * 8 + 7;

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"FLOAT16", "BFLOAT16"})
  void everyBitPatternOfTheSmallTypesIsKnown(DType type) {
    int exponent = type == DType.FLOAT16 ? 0x7C00 : 0x7F80;
    ByteBuffer four = direct(8);
    for (int bits = 0; bits < 1 << 16; bits++) {
      boolean finite = (bits & exponent) != exponent;
      for (int lane = 0; lane < 4; lane++) {
        // neighbours with all bits but the exponent's highest: nothing may carry between lanes
        for (int other : new int[] {0, 0xFFFF & ~0x4000, 0x8000}) {
          for (int i = 0; i < 4; i++) {
            four.putShort(2 * i, (short) (i == lane ? bits : other));
          }
          if (SCAN.allFinite(four, type) != finite) {
            throw new AssertionError(Integer.toHexString(bits) + " in lane " + lane);
          }
        }
      }
    }
  }

  @Test
  void aFloatIsFoundWhereverItStands() {
    float[] finite = {
      0f, -0f, 1f, -1f, Float.MAX_VALUE, -Float.MAX_VALUE, Float.MIN_VALUE, Float.MIN_NORMAL
    };
    int[] not = {0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF};
    for (int count = 0; count <= LONGEST / 4; count++) {
      ByteBuffer data = direct(count * 4);
      for (float value : finite) {
        for (int i = 0; i < count; i++) {
          data.putFloat(4 * i, value);
        }
        assertThat(SCAN.allFinite(data, DType.FLOAT32)).isTrue();
        for (int bits : not) {
          for (int i = 0; i < count; i++) {
            data.putInt(4 * i, bits);
            assertThat(SCAN.allFinite(data, DType.FLOAT32)).isFalse();
            data.putFloat(4 * i, value);
          }
        }
      }
    }
  }

  @Test
  void aDoubleIsFoundWhereverItStands() {
    double[] finite = {0, -0.0, 1, -1, Double.MAX_VALUE, -Double.MAX_VALUE, Double.MIN_VALUE};
    long[] not = {
      0x7FF0000000000000L, 0xFFF0000000000000L, 0x7FF8000000000000L, 0x7FF0000000000001L, -1L
    };
    for (int count = 0; count <= LONGEST / 8; count++) {
      ByteBuffer data = direct(count * 8);
      for (double value : finite) {
        for (int i = 0; i < count; i++) {
          data.putDouble(8 * i, value);
        }
        assertThat(SCAN.allFinite(data, DType.FLOAT64)).isTrue();
        for (long bits : not) {
          for (int i = 0; i < count; i++) {
            data.putLong(8 * i, bits);
            assertThat(SCAN.allFinite(data, DType.FLOAT64)).isFalse();
            data.putDouble(8 * i, value);
          }
        }
      }
    }
  }

  @Test
  void aHalfIsFoundInEveryTail() {
    for (int count = 1; count <= LONGEST / 2; count++) {
      ByteBuffer data = direct(count * 2);
      for (int i = 0; i < count; i++) {
        data.putShort(2 * i, (short) 0x7C00);
        assertThat(SCAN.allFinite(data, DType.FLOAT16)).isFalse();
        // the same bits are 2.7e36 as a bfloat16
        assertThat(SCAN.allFinite(data, DType.BFLOAT16)).isTrue();
        data.putShort(2 * i, (short) 0x7F80);
        assertThat(SCAN.allFinite(data, DType.BFLOAT16)).isFalse();
        data.putShort(2 * i, (short) 0);
      }
    }
  }

  @Test
  void onlyTheRemainingBytesCountAndNothingIsChanged() {
    ByteBuffer data = direct(40).order(ByteOrder.BIG_ENDIAN);
    data.order(ByteOrder.LITTLE_ENDIAN).putFloat(0, Float.NaN).putFloat(36, Float.NaN);
    data.order(ByteOrder.BIG_ENDIAN).position(4).limit(36);
    assertThat(SCAN.allFinite(data, DType.FLOAT32)).isTrue();
    assertThat(SCAN.allFinite(data.asReadOnlyBuffer(), DType.FLOAT32)).isTrue();
    assertThat(data.position()).isEqualTo(4);
    assertThat(data.limit()).isEqualTo(36);
    assertThat(SCAN.allFinite(data.limit(40), DType.FLOAT32)).isFalse();
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void integersAreAlwaysFinite(DType type) {
    ByteBuffer ones = direct(16);
    ones.putLong(0, -1).putLong(8, -1);
    assertThat(SCAN.allFinite(ones, type)).isEqualTo(!type.isFloating());
  }

  @Test
  void aTornElementIsRefused() {
    assertThatThrownBy(() -> SCAN.allFinite(direct(6), DType.FLOAT32))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("6 bytes");
  }

  @Test
  void everyElementOfALongTensorIsLookedAt() {
    ByteBuffer data = direct(3 * 8192 + 20);
    for (int at = 0; at < data.capacity(); at += Float.BYTES) {
      data.putFloat(at, Float.NEGATIVE_INFINITY);
      if (SCAN.allFinite(data, DType.FLOAT32)) {
        throw new AssertionError("the infinity at byte " + at + " was not seen");
      }
      data.putFloat(at, Float.MAX_VALUE);
    }
    assertThat(SCAN.allFinite(data, DType.FLOAT32)).isTrue();
  }

  private static ByteBuffer direct(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
