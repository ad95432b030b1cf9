"""Arrow arrays and NumPy arrays over the same memory.

Arrow's own conversions import pandas to look at what they convert, which takes longer than reading 100,000
rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["array_of", "names_of", "valid_of", "values_of"]


def values_of(array: Any, kind: type[np.generic]) -> npt.NDArray[Any]:
    """Return the (n,) values of an Arrow array of a fixed width, read-only; a null's value is anything.

    Args:
        array: of integers, floats or time stamps.
        kind: the NumPy type of the same width.
    """
    values = array.buffers()[1]
    if values is None:
        return np.zeros(len(array), kind)
    return np.frombuffer(values, kind)[array.offset : array.offset + len(array)]


def valid_of(array: Any) -> npt.NDArray[np.bool_]:
    """Return (n,) whether each value of an Arrow array is there."""
    bitmap = array.buffers()[0]
    if array.null_count == 0 or bitmap is None:
        return np.full(len(array), array.null_count == 0)
    bits = np.unpackbits(np.frombuffer(bitmap, np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(np.bool_)


def array_of(values: npt.NDArray[Any], kind: Any, there: npt.NDArray[np.bool_] | None = None) -> Any:
    """Return an Arrow array of type `kind` over (n,) values of its width, null where they are not `there`."""
    import pyarrow as pa

    valid = None if there is None else pa.py_buffer(np.packbits(there, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(np.ascontiguousarray(values))])


def names_of(codes: npt.NDArray[np.int32], names: tuple[str, ...], there: npt.NDArray[np.bool_] | None = None) -> Any:
    """Return an Arrow array of text: (n,) indices into `names`, null where they are not `there`."""
    import pyarrow as pa

    texts = [name.encode() for name in names]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
    dictionary = pa.Array.from_buffers(pa.string(), len(texts), buffers)
    return pa.DictionaryArray.from_arrays(array_of(codes, pa.int32(), there), dictionary)
