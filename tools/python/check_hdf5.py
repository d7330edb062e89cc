"""Reads an HDF5 shard the way a stranger would, and compares it with what Java wrote.

    check_hdf5.py FILE EXPECTED_JSON

EXPECTED_JSON: {"header": {key: text}, "values": text, "count": how many tensors there are, "tensors":
[{"name", "index", "dtype", "shape", "sha256", "placement": absent or [kind, global, start]}]}; "sha256" is that of the
tensor's little-endian bytes; the list may be a sample. Prints one line of figures and exits with 0 if everything is equal.
"""

import hashlib
import json
import sys
import time
from urllib.parse import unquote

import h5py
import numpy as np


def require(condition, message):
    if not condition:
        sys.exit("check_hdf5: " + message)


def unescaped(link):
    return "" if link == "%" else unquote(link, errors="surrogatepass")


def fact(attributes, name):
    """A text, whose rest may stand in further attributes."""
    text = attributes[name]
    piece = 1
    while f"{name}#{piece}" in attributes:
        text += attributes[f"{name}#{piece}"]
        piece += 1
    return text.decode()


def check_place(dataset, name):
    offset = dataset.id.get_offset()
    require(dataset.chunks is None and dataset.compression is None, f"{name} is not contiguous")
    if dataset.size:
        require(offset % 64 == 0, f"{name} lies at {offset} % 64 = {offset % 64}")
    return offset


def check_tensor(file, dataset, expected):
    name = expected["name"]
    require(list(dataset.shape) == expected["shape"], f"{name} has shape {dataset.shape}")
    stored = {"bfloat16": "float32"}.get(expected["dtype"], expected["dtype"])
    require(dataset.dtype == np.dtype(stored), f"{name} holds {dataset.dtype}")
    require(dataset.attrs["ckpt.dtype"].decode() == expected["dtype"], f"{name}: ckpt.dtype")
    require(dataset.attrs["ckpt.index"] == expected["index"], f"{name}: ckpt.index")
    placement = expected.get("placement")
    require(("ckpt.placement" in dataset.attrs) == (placement is not None), f"{name}: placement")
    if placement:
        require(dataset.attrs["ckpt.placement"].decode() == placement[0], f"{name}: placement")
        for key, dims in zip(("ckpt.global", "ckpt.start"), placement[1:]):
            require(dataset.attrs[key].tolist() == dims, f"{name}: {key}")
    offset = check_place(dataset, name)
    array = read = np.asarray(dataset[()])
    if expected["dtype"] == "bfloat16":
        # h5py widens them: the upper half of each is what is stored; a NaN may become another on the way
        bits = np.frombuffer(array.tobytes(), np.uint32).reshape(array.shape)
        array = (bits >> 16).astype(np.uint16)
        raw = np.fromfile(file, np.uint16, array.size, offset=offset or 0).reshape(array.shape)
        nan = (raw & 0x7FFF) > 0x7F80
        require(np.isnan(read)[nan].all() and (bits[~nan] & 0xFFFF == 0).all(), f"{name}: bfloat16")
        array = np.where(nan, raw, array)
    elif expected["dtype"] == "bool":
        # what h5py makes of bytes that are neither 0 nor 1 is its own affair
        raw = np.fromfile(file, np.uint8, array.size, offset=offset or 0).reshape(array.shape)
        require((array.astype(np.uint8) == raw)[raw < 2].all(), f"{name}: bool")
        array = raw
    require(hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest() == expected["sha256"], f"{name} differs")


def main(path, expected_path):
    with open(expected_path, encoding="utf-8") as text:
        expected = json.load(text)

    started = time.perf_counter()
    file = h5py.File(path, "r")
    require(fact(file.attrs, "ckpt.format") == "ckpt-hdf5/1", "format")
    for key, value in expected["header"].items():
        require(fact(file.attrs, "ckpt." + key) == value, f"header {key}")
    require(file["#values"][()].tobytes().decode() == expected["values"], "values differ")
    check_place(file["#values"], "#values")
    checksums = file["#checksums"][()]
    end = check_place(file["#checksums"], "#checksums")
    require(checksums[0] == 1 << 20 and len(checksums) == 1 + -(-end // (1 << 20)), "checksums")
    links = {}
    for part in file:
        if not part.startswith("#"):
            for link in file[part]:
                links[f"{unescaped(part)}/{unescaped(link)}"] = (part, link)
    seconds = time.perf_counter() - started
    require(len(links) == expected["count"], f"{len(links)} tensors")
    for tensor in expected["tensors"]:
        require(tensor["name"] in links, f"{tensor['name']} is missing")
        part, link = links[tensor["name"]]
        check_tensor(path, file[part][link], tensor)

    print(
        f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}: {len(links)} tensors listed in {seconds * 1000:.1f} ms,"
        f" {len(expected['tensors'])} compared and equal"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
