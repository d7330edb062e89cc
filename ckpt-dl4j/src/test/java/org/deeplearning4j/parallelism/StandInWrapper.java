package org.deeplearning4j.parallelism;

import java.util.ArrayList;
import java.util.List;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/**
 * Does what ParallelWrapper does when it averages: the iterator is read on the caller's thread,
 * copies of the network are trained on threads of their own, and their mean is put into the
 * network. The real one would bring 900 MB of other natives.
 */
public final class StandInWrapper {
  private final MultiLayerNetwork net;
  private final int workers;

  /** Trains {@code net} with so many workers. */
  public StandInWrapper(MultiLayerNetwork net, int workers) {
    this.net = net;
    this.workers = workers;
  }

  /** One epoch. */
  public void fit(DataSetIterator data) throws InterruptedException {
    List<MultiLayerNetwork> copies = new ArrayList<>();
    for (int i = 0; i < workers; i++) {
      MultiLayerNetwork copy = net.clone();
      copy.setListeners(net.getListeners());
      copies.add(copy);
    }
    List<Throwable> thrown = new ArrayList<>();
    int next = 0;
    data.reset();
    while (data.hasNext()) {
      var batch = data.next();
      MultiLayerNetwork copy = copies.get(next++ % workers);
      Thread worker = new Thread(() -> copy.fit(batch), "ParallelWrapper worker");
      worker.setUncaughtExceptionHandler((thread, e) -> thrown.add(e));
      worker.start();
      worker.join();
    }
    if (!thrown.isEmpty()) {
      throw (RuntimeException) thrown.get(0);
    }
    INDArray sum = copies.get(0).params().dup();
    INDArray state = copies.get(0).updaterState().dup();
    for (MultiLayerNetwork copy : copies.subList(1, workers)) {
      sum.addi(copy.params());
      state.addi(copy.updaterState());
    }
    net.setParams(sum.divi(workers));
    net.getUpdater().setStateViewArray(net, state.divi(workers), false);
    net.setIterationCount(net.getIterationCount() + next / workers);
  }
}
