package dev.ckpt.spi;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ProcessorTest {

  @Test
  void vendorAndVectorExtensionsOfTheFirstCoreAreSaidInOneOrder() {
    List<String> lines =
        List.of(
            "processor\t: 0",
            "vendor_id\t: AuthenticAMD",
            "model name\t: AMD EPYC 7B13: 64 cores",
            "flags\t\t: fpu avx2 vme avx fma sse4_2 rdrand",
            "",
            "processor\t: 1",
            "flags\t\t: avx512f");
    assertThat(Processor.description("amd64", lines, name -> null))
        .isEqualTo("amd64 AuthenticAMD avx avx2 fma sse4_2");
    assertThat(
            Processor.description(
                "aarch64",
                List.of("CPU implementer\t: 0x41", "CPU part\t: 0xd40", "Features\t: fp asimd sve"),
                name -> null))
        .isEqualTo("aarch64 0x41 0xd40 asimd sve");
  }

  @Test
  void whatTheEnvironmentForbidsIsAnotherProcessor() {
    Map<String, String> set = Map.of("OPENBLAS_CORETYPE", "Prescott", "MKL_CBWR", "");
    assertThat(Processor.description("amd64", List.of(), set::get))
        .isEqualTo("amd64 OPENBLAS_CORETYPE=Prescott");
  }

  @Test
  void thisMachineSaysMoreThanItsArchitectureOnLinux() {
    assertThat(Processor.description()).startsWith(System.getProperty("os.arch"));
    if (System.getProperty("os.name").equals("Linux")) {
      assertThat(Processor.description()).contains(" ");
    }
  }
}
