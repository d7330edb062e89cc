package dev.ckpt.dl4j;

/** Seeds that are pure functions of what they belong to. */
final class Mixing {

  /** 2^64 divided by the golden ratio: steps of SplitMix64. */
  static final long GAMMA = 0x9E3779B97F4A7C15L;

  private Mixing() {}

  /** The finalizer of SplitMix64: a bijection in which every input bit reaches every output bit. */
  static long avalanche(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  /** A seed that depends on all of {@code parts}, and on their order. */
  static long mix(long seed, long... parts) {
    long z = avalanche(seed + GAMMA);
    for (long part : parts) {
      z = avalanche((z ^ part) + GAMMA);
    }
    return z;
  }

  /** A number for a name, the same in every process. */
  static long number(String name) {
    long z = name.length();
    for (int i = 0; i < name.length(); i++) {
      z = avalanche((z ^ name.charAt(i)) + GAMMA);
    }
    return z;
  }
}
