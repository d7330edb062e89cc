package dev.ckpt.spi;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * By what libraries of linear algebra choose their kernels: another kernel adds in another order,
 * and the last bits differ. Adapters record it with what else decides the bits.
 */
public final class Processor {
  /**
   * Of x86 and arm: those for which OpenBLAS, MKL, oneDNN and PyTorch have kernels of their own.
   */
  private static final Set<String> EXTENSIONS =
      Set.of(
          "sse4_2",
          "avx",
          "avx2",
          "fma",
          "avx_vnni",
          "avx512f",
          "avx512dq",
          "avx512bw",
          "avx512vl",
          "avx512_vnni",
          "avx512_bf16",
          "avx512_fp16",
          "amx_tile",
          "amx_int8",
          "amx_bf16",
          "asimd",
          "asimdhp",
          "asimddp",
          "sve",
          "sve2",
          "i8mm",
          "bf16",
          "sme");

  /** Which of them a user can forbid, and the variables that do. */
  private static final List<String> FORBID =
      List.of(
          "ATEN_CPU_CAPABILITY",
          "DNNL_MAX_CPU_ISA",
          "MKL_CBWR",
          "MKL_ENABLE_INSTRUCTIONS",
          "ONEDNN_MAX_CPU_ISA",
          "OPENBLAS_CORETYPE");

  private Processor() {}

  /**
   * Vendor and vector extensions of this machine, and what the environment forbids of them. On
   * other systems than Linux, which says so in {@code /proc/cpuinfo}, the architecture alone. On
   * any thread.
   */
  public static String description() {
    List<String> lines;
    try {
      lines = Files.readAllLines(Path.of("/proc/cpuinfo"), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      lines = List.of();
    }
    return description(System.getProperty("os.arch", "unknown"), lines, System::getenv);
  }

  static String description(
      String architecture, List<String> cpuinfo, UnaryOperator<@Nullable String> environment) {
    Map<String, String> first =
        new TreeMap<>(); // all cores of a machine are alike, or nobody knows
    for (String line : cpuinfo) {
      int colon = line.indexOf(':');
      if (colon > 0) {
        first.putIfAbsent(line.substring(0, colon).strip(), line.substring(colon + 1).strip());
      }
    }
    List<String> said = new ArrayList<>(List.of(architecture));
    for (String key : List.of("vendor_id", "CPU implementer", "CPU part")) {
      if (first.containsKey(key)) {
        said.add(first.get(key));
      }
    }
    String flags = first.getOrDefault("flags", first.getOrDefault("Features", ""));
    Arrays.stream(flags.split(" ")).filter(EXTENSIONS::contains).sorted().forEach(said::add);
    for (String variable : FORBID) {
      String value = environment.apply(variable);
      if (value != null && !value.isEmpty()) {
        said.add(variable + "=" + value);
      }
    }
    return String.join(" ", said);
  }
}
