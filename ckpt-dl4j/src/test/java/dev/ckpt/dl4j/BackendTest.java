package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Checkpoints;
import dev.ckpt.dl4j.SmallTraining.Kind;
import dev.ckpt.dl4j.SmallTraining.Setup;
import dev.ckpt.dl4j.SmallTraining.Updater;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.common.io.Resource;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Environment;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.factory.Nd4jBackend;

/** Arrays are read and written in place, so they must lie in the memory of the process. */
class BackendTest {

  /** Another one than the one that computes. */
  private static final class OfAGpu extends Nd4jBackend {
    private final Nd4jBackend own;

    OfAGpu(Nd4jBackend own) {
      this.own = own;
    }

    @Override
    public boolean allowsOrder() {
      return own.allowsOrder();
    }

    @Override
    public int getPriority() {
      return own.getPriority();
    }

    @Override
    public boolean isAvailable() {
      return true;
    }

    @Override
    public boolean canRun() {
      return true;
    }

    @Override
    public Resource getConfigurationResource() {
      return own.getConfigurationResource();
    }

    @Override
    public Class<?> getNDArrayClass() {
      return own.getNDArrayClass();
    }

    @Override
    public Environment getEnvironment() {
      return own.getEnvironment();
    }

    @Override
    public String buildInfo() {
      return own.buildInfo();
    }

    @Override
    public void logBackendInit() {}
  }

  @Test
  void theBackendOfAGpuIsRefusedWithWhatToDo() {
    assertThatThrownBy(() -> Region.requireHostMemory("org.nd4j.linalg.jcublas.JCublasBackend"))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("org.nd4j.linalg.jcublas.JCublasBackend")
        .hasMessageContaining("nd4j-native");
    Region.requireHostMemory(Nd4j.getBackend().getClass().getName());
  }

  @Test
  void onAnotherBackendNothingIsOpenedReadOrChanged() {
    SmallTraining training = new SmallTraining(Setup.PLAIN.with(Kind.SAMEDIFF));
    training.run(4);
    Checkpoints run = Checkpoints.read(training.store, "small");
    SameDiff graph = SmallTraining.sameDiff(Updater.ADAM);
    INDArray before = graph.getVariable("w").getArr().dup();
    int attempts = run.attempts().size();
    Nd4jBackend own = Nd4j.backend;
    Nd4j.backend = new OfAGpu(own);
    try {
      for (ThrowingCallable each :
          List.<ThrowingCallable>of(
              () -> Dl4jCheckpoints.open(training.checkpoints()),
              () -> Dl4jCheckpoints.loadWeights(graph, run, "latest"),
              () -> NDArrayReader.open(run, "latest"))) {
        assertThatThrownBy(each)
            .isInstanceOf(UnsupportedOperationException.class)
            .hasMessageContaining("BackendTest$OfAGpu");
      }
    } finally {
      Nd4j.backend = own;
    }
    assertThat(run.attempts()).hasSize(attempts);
    assertThat(graph.getVariable("w").getArr()).isEqualTo(before);
  }
}
