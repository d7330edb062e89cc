"""Reads an Arrow shard the way a stranger would, and compares it with what Java wrote.

    check_shard.py FILE EXPECTED_JSON

EXPECTED_JSON: {"header": {key: text}, "values": text, "columns": how many hold tensors, "tensors":
[{"name", "column", "dtype", "shape", "sha256"}]}; "column" is the escaped name; "sha256" is that of
the tensor's little-endian bytes; the list may be a sample. Prints one line of figures and exits with 0 if everything is equal.
"""

import hashlib
import json
import os
import sys
import time

# polars does not know the type's name; its storage is what we look at
os.environ["POLARS_UNKNOWN_EXTENSION_TYPE_BEHAVIOR"] = "load_as_storage"

import numpy as np
import polars as pl
import pyarrow as pa

STORAGE = {"bfloat16": "uint16", "bool": "uint8"}


def require(condition, message):
    if not condition:
        sys.exit("check_shard: " + message)


def columns_of(name, schema):
    """The column of a tensor, or the columns of its slices in their order."""
    if schema.get_field_index(name) >= 0:
        return [name]
    slices = []
    while schema.get_field_index(f"{name}#{len(slices)}") >= 0:
        slices.append(f"{name}#{len(slices)}")
    return slices


def check_tensor(table, expected):
    names = columns_of(expected["column"], table.schema)
    digest = hashlib.sha256()
    first = 0
    for name in names:
        field = table.schema.field(name)
        array = table.column(name).chunk(0)
        require(array.null_count == 0, f"{name} has nulls")
        require(isinstance(field.type, pa.FixedShapeTensorType), f"{name} is {field.type}")
        require(field.metadata[b"ckpt.dtype"].decode() == expected["dtype"], f"{name}: dtype")
        tensor = array.to_numpy_ndarray()[0]
        if len(names) == 1:
            shape = list(tensor.shape)
        else:
            shape = json.loads(field.metadata[b"ckpt.shape"])
            require(int(field.metadata[b"ckpt.offset"]) == first, f"{name}: offset")
        first += tensor.size
        require(shape == expected["shape"], f"{name} has shape {shape}")
        stored = STORAGE.get(expected["dtype"], expected["dtype"])
        require(tensor.dtype == np.dtype(stored), f"{name} holds {tensor.dtype}")
        address = array.storage.values.buffers()[1].address
        require(address % 64 == 0, f"{name} lies at {address} % 64 = {address % 64}")
        digest.update(np.ascontiguousarray(tensor).data)
    if not names:
        listed = json.loads(table.schema.metadata[b"ckpt.empty"])
        mine = [e for e in listed if e["name"] == expected["column"]]
        require(len(mine) == 1, f"{expected['name']} is missing")
        require(mine[0]["ckpt.dtype"] == expected["dtype"], f"{expected['name']}: dtype")
        require(json.loads(mine[0]["ckpt.shape"]) == expected["shape"], "shape of an empty tensor")
    require(digest.hexdigest() == expected["sha256"], f"{expected['name']} differs")


def main(path, expected_path):
    with open(expected_path, encoding="utf-8") as file:
        expected = json.load(file)

    before = pa.total_allocated_bytes()
    started = time.perf_counter()
    table = pa.ipc.open_file(pa.memory_map(path)).read_all()
    seconds = time.perf_counter() - started
    allocated = pa.total_allocated_bytes() - before
    require(allocated == 0, f"opening allocated {allocated} bytes")
    table.validate(full=True)
    require(table.num_rows == 1, f"{table.num_rows} rows")

    metadata = table.schema.metadata
    require(metadata[b"ckpt.format"] == b"ckpt-arrow/1", "format")
    for key, value in expected["header"].items():
        require(metadata[b"ckpt." + key.encode()].decode() == value, f"header {key}")
    require(table.column("ckpt.values")[0].as_py() == expected["values"], "values differ")
    for tensor in expected["tensors"]:
        check_tensor(table, tensor)
    require(table.num_columns == expected["columns"] + 1, f"{table.num_columns} columns")

    frame = pl.scan_ipc(path).collect()
    require(frame.shape == (1, table.num_columns), f"polars sees {frame.shape}")
    require(frame["ckpt.values"][0] == expected["values"], "polars: values differ")
    for tensor in expected["tensors"]:
        digest = hashlib.sha256()
        for name in columns_of(tensor["column"], table.schema):
            digest.update(np.ascontiguousarray(frame[name].explode().to_numpy()).data)
        require(digest.hexdigest() == tensor["sha256"], f"polars: {tensor['name']} differs")

    print(
        f"pyarrow {pa.__version__}, polars {pl.__version__}: {expected['columns']} columns,"
        f" {len(expected['tensors'])} tensors compared and equal, opened in {seconds * 1000:.1f} ms, {allocated} bytes allocated"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
