package dev.ckpt.internal.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import org.junit.jupiter.api.Test;

class FormatsTest {

  private final Formats formats = new Formats();

  @Test
  void anAbsentFormatIsAnErrorThatNamesItsArtifact() {
    assertThat(formats.named("arrow").name()).isEqualTo("arrow");
    assertThatThrownBy(() -> formats.named("hdf5"))
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("add dev.ckpt:ckpt-hdf5");
    assertThatThrownBy(() -> formats.named("parquet"))
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("'parquet'")
        .hasMessageContaining("arrow");
  }
}
