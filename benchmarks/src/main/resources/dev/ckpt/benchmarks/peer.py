"""One peer of `benchmarks/run --peers`: saves and restores a state when told to, and says what it cost.

peer.py PEER FOLDER: reads FOLDER/layout ("name dim dim ...", one tensor a line) and FOLDER/state (their float32, one after
the other), answers "ready VERSIONS; PROMISES", then one line to each line on its standard input:

  save NAME     saves as FOLDER/NAME     "saved BLOCKED FINISHED DURABLE" in ns since the begin: when the training could go
                                         on, when the peer itself was done, when a force of all it wrote had returned too
  restore NAME  into the tensors         "restored NS", after a comparison of all bytes that is not timed
  check NAME    restores, and verifies   "restored NS", or "none" if the peer's files hold nothing to verify with
                all checksums before
  end

"error TEXT" tells what went wrong. What libraries print goes to the standard error.
"""

import os
import pickle
import sys
import time
import zipfile
from array import array


class Pickle:
    """The standard library's pickle of arrays: needs no package. For tests."""

    promises = "written in place, not forced, no checksum"

    def __init__(self, layout, data):
        self.state = {}
        at = 0
        for name, shape in layout:
            count = 1
            for dim in shape:
                count *= dim
            self.state[name] = array("f", data[at : at + 4 * count])
            at += 4 * count
        self.target = {name: array("f", bytes(4 * len(values))) for name, values in self.state.items()}

    def versions(self):
        return "python " + sys.version.split()[0]

    def save(self, path):
        with open(path, "wb") as file:
            pickle.dump(self.state, file, protocol=5)
        return lambda: None

    def restore(self, path):
        with open(path, "rb") as file:
            for name, values in pickle.load(file).items():
                self.target[name][:] = values

    def same(self):
        return self.target == self.state


class Torch:
    """What the peers on PyTorch share."""

    def __init__(self, layout, data):
        import numpy
        import torch

        self.torch = torch
        self.state = {}
        at = 0
        for name, shape in layout:
            values = numpy.frombuffer(data, numpy.float32, count=int(numpy.prod(shape)), offset=at).reshape(shape)
            self.state[name] = torch.empty(shape).copy_(torch.from_numpy(values.copy()))
            at += values.nbytes
        # a pattern of its own, so that pages exist and an old value is not taken for a restored one
        self.target = {name: torch.full_like(tensor, 7.0) for name, tensor in self.state.items()}

    def versions(self):
        return f"torch {self.torch.__version__}, {self.torch.get_num_threads()} threads"

    def same(self):
        same = all(self.torch.equal(self.target[name], tensor) for name, tensor in self.state.items())
        for tensor in self.target.values():
            tensor.fill_(7.0)
        return same

    def fill(self, loaded):
        for name, tensor in self.target.items():
            tensor.copy_(loaded[name])


class TorchSave(Torch):
    promises = "written in place, not forced; CRC32 of each tensor, which load does not verify"

    def save(self, path):
        self.torch.save(self.state, path)
        return lambda: None

    def restore(self, path):
        self.fill(self.torch.load(path, mmap=True))

    def check(self, path):
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
        if damaged:
            raise ValueError(f"{damaged} is damaged")
        self.restore(path)


class Safetensors(Torch):
    promises = "renamed into place, not forced; no checksum"

    def __init__(self, layout, data):
        super().__init__(layout, data)
        import safetensors
        import safetensors.torch

        self.safetensors = safetensors

    def versions(self):
        return f"safetensors {self.safetensors.__version__}, {super().versions()}"

    def save(self, path):
        self.safetensors.torch.save_file(self.state, path)
        return lambda: None

    def restore(self, path):
        self.fill(self.safetensors.torch.load_file(path))


class Dcp(Torch):
    promises = "files forced, their index last and renamed into place, folders not; no checksum of the data"

    def __init__(self, layout, data):
        super().__init__(layout, data)
        import torch.distributed.checkpoint

        self.dcp = self.torch.distributed.checkpoint

    def save(self, path):
        self.dcp.save(self.state, checkpoint_id=path, no_dist=True)
        return lambda: None

    def restore(self, path):
        self.dcp.load(self.target, checkpoint_id=path, no_dist=True)


class DcpAsync(Dcp):
    def __init__(self, layout, data):
        super().__init__(layout, data)
        from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions

        # no GPU: nothing to pin. One stager for all saves, whose memory is used again
        self.stager = DefaultStager(
            StagingOptions(
                use_pinned_memory=False, use_shared_memory=False, use_async_staging=False, use_non_blocking_copy=False
            )
        )

    def save(self, path):
        future = self.dcp.async_save(self.state, checkpoint_id=path, async_stager=self.stager, no_dist=True)
        return future.result


class Orbax:
    promises = "files and folders forced, then renamed into place; no checksum of the data"

    def __init__(self, layout, data):
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        import jax
        import numpy
        import orbax.checkpoint

        self.jax = jax
        self.numpy = numpy
        self.orbax = orbax.checkpoint
        self.state = {}
        at = 0
        for name, shape in layout:
            values = numpy.frombuffer(data, numpy.float32, count=int(numpy.prod(shape)), offset=at).reshape(shape)
            self.state[name] = jax.device_put(values.copy())
            at += values.nbytes
        self.abstract = jax.tree.map(orbax.checkpoint.utils.to_shape_dtype_struct, self.state)
        self.restore_args = orbax.checkpoint.checkpoint_utils.construct_restore_args(self.abstract)
        self.restored = {}
        self.open()

    def handler(self):
        # the handler of StandardCheckpointer, with the one setting that makes it faster: no zstd
        return self.orbax.PyTreeCheckpointHandler(use_compression=False)

    def open(self):
        self.checkpointer = self.orbax.Checkpointer(self.handler())

    def versions(self):
        return f"orbax {self.orbax.__version__}, jax {self.jax.__version__}"

    def save(self, path):
        self.checkpointer.save(path, args=self.orbax.args.PyTreeSave(self.state))
        return lambda: None

    def restore(self, path):
        args = self.orbax.args.PyTreeRestore(self.abstract, restore_args=self.restore_args)
        self.restored = self.jax.block_until_ready(self.checkpointer.restore(path, args=args))

    def same(self):
        same = all(self.numpy.array_equal(self.restored[name], values) for name, values in self.state.items())
        self.restored = {}
        return same


class OrbaxAsync(Orbax):
    def open(self):
        self.checkpointer = self.orbax.AsyncCheckpointer(self.handler())

    def save(self, path):
        super().save(path)
        return self.checkpointer.wait_until_finished


class H5py:
    promises = "written in place, flushed and forced; no checksum"

    def __init__(self, layout, data):
        import h5py
        import numpy

        self.h5py = h5py
        self.numpy = numpy
        self.state = {}
        at = 0
        for name, shape in layout:
            values = numpy.frombuffer(data, numpy.float32, count=int(numpy.prod(shape)), offset=at).reshape(shape)
            self.state[name] = values.copy()
            at += values.nbytes
        self.target = {name: numpy.full_like(values, 7.0) for name, values in self.state.items()}

    def versions(self):
        return f"h5py {self.h5py.__version__}, HDF5 {self.h5py.version.hdf5_version}"

    def save(self, path):
        with self.h5py.File(path, "w") as file:
            group = file.create_group("model")
            for name, values in self.state.items():
                group.create_dataset(name, data=values)
            file.flush()
        return lambda: None

    def restore(self, path):
        with self.h5py.File(path, "r") as file:
            group = file["model"]
            for name, values in self.target.items():
                if values.size:
                    group[name].read_direct(values)

    def same(self):
        same = all(self.numpy.array_equal(self.target[name], values) for name, values in self.state.items())
        for values in self.target.values():
            values.fill(7.0)
        return same


PEERS = {
    "h5py": H5py,
    "pickle": Pickle,
    "torch.save": TorchSave,
    "safetensors": Safetensors,
    "dcp": Dcp,
    "dcp-async": DcpAsync,
    "orbax": Orbax,
    "orbax-async": OrbaxAsync,
}


def force(path):
    """Has all below a path on disk, and its name."""
    paths = [path, os.path.dirname(path)]
    for folder, folders, files in os.walk(path):
        paths += [os.path.join(folder, name) for name in files + folders]
    for each in paths:
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def save(peer, path):
    begin = time.perf_counter_ns()
    finish = peer.save(path)
    blocked = time.perf_counter_ns() - begin
    finish()
    finished = time.perf_counter_ns() - begin
    force(path)
    return f"saved {blocked} {finished} {time.perf_counter_ns() - begin}"


def restore(peer, how, path):
    begin = time.perf_counter_ns()
    how(path)
    took = time.perf_counter_ns() - begin
    if not peer.same():
        raise ValueError("what was restored differs from what was saved")
    return f"restored {took}"


def answer(peer, folder, line):
    command, _, name = line.partition(" ")
    path = os.path.join(folder, name)
    if command == "save":
        return save(peer, path)
    if command == "restore":
        return restore(peer, peer.restore, path)
    if command == "check":
        return restore(peer, peer.check, path) if hasattr(peer, "check") else "none"
    raise ValueError(f"unknown command '{line}'")


def main():
    kind, folder = sys.argv[1:]
    folder = os.path.abspath(folder)
    # answers have the standard output for themselves
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        with open(os.path.join(folder, "layout")) as file:
            words = [line.split() for line in file]
        layout = [(line[0], tuple(int(dim) for dim in line[1:])) for line in words]
        with open(os.path.join(folder, "state"), "rb") as file:
            data = file.read()
        peer = PEERS[kind](layout, data)
        del data
        print(f"ready {peer.versions()}; {peer.promises}", file=answers)
    except Exception as e:
        print("error", " ".join(f"{type(e).__name__}: {e}".split()), file=answers)
        return 1
    for line in sys.stdin:
        line = line.strip()
        if line == "end":
            break
        try:
            print(answer(peer, folder, line), file=answers)
        except Exception as e:
            print("error", " ".join(f"{type(e).__name__}: {e}".split()), file=answers)
    answers.flush()
    # some of the libraries hold threads that would delay an ordinary exit
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
