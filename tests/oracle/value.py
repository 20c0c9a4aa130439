"""Values: what a key of the state holds, and free-form data (FORMAT.md, section 4)."""

from __future__ import annotations

from encoding import Malformed, Reader

MAX_BYTES = 1_048_576
MAX_COUNT = 1_048_576
MAX_DEPTH = 32
MAX_SCALE = 38
MAP = 7


def check_value(data: bytes) -> int:
    """Refuses bytes that are not one canonical value; gives the value's tag."""
    if len(data) > MAX_BYTES:
        raise Malformed(f"value: {len(data)} bytes, at most {MAX_BYTES} allowed")
    reader = Reader(data)
    tag = _walk(reader, 1)
    reader.finish()
    return tag


def _walk(reader: Reader, depth: int) -> int:
    if depth > MAX_DEPTH:
        raise Malformed(f"value: deeper than {MAX_DEPTH}")
    tag = reader.tag(8, "value")
    if tag == 1:
        reader.boolean()
    elif tag == 2:
        reader.signed(64)
    elif tag == 3:
        _decimal(reader)
    elif tag == 4:
        reader.text(0, MAX_BYTES, "text of a value")
    elif tag == 5:
        reader.blob(MAX_BYTES, "bytes of a value")
    elif tag == 6:
        reader.items(0, MAX_COUNT, lambda: _walk(reader, depth + 1), "list of a value")
    elif tag == MAP:
        _pairs(reader, depth)
    return tag


def _decimal(reader: Reader) -> None:
    mantissa = reader.signed(128)
    scale = reader.u8()
    if scale > MAX_SCALE:
        raise Malformed(f"decimal: scale {scale}, at most {MAX_SCALE} allowed")
    if scale == 0 and -(2**63) <= mantissa < 2**63:
        raise Malformed("decimal: an integer written as a decimal")


def _pairs(reader: Reader, depth: int) -> None:
    last: bytes | None = None
    count = reader.varint(64)
    if count > MAX_COUNT:
        raise Malformed(f"map of a value: {count} pairs, at most {MAX_COUNT} allowed")
    for _ in range(count):
        key = reader.text(0, MAX_BYTES, "key of a map").encode()
        if last is not None and key <= last:
            raise Malformed("map of a value: keys do not ascend")
        last = key
        _walk(reader, depth + 1)
