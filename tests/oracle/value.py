"""Values: what a key of the state holds, and free-form data (FORMAT.md, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from encoding import Malformed, Reader
from number import Number, read_number

MAX_BYTES = 1_048_576
MAX_COUNT = 1_048_576
MAX_DEPTH = 32
INTEGER, DECIMAL, MAP = 2, 3, 7


@dataclass(frozen=True)
class Value:
    """A value, as far as limits ask: its tag, its number, the entries of a map, items of a list."""

    tag: int
    number: Number | None = None
    entries: dict[str, Value] | None = None
    items: Sequence[Value] = ()

    def entry(self, name: str) -> Number | None:
        """The number that a map has under a name."""
        item = (self.entries or {}).get(name)
        return None if item is None else item.number

    def strays(self, name: str) -> bool:
        """Whether an entry of this name stands where it is no number of the outermost map."""
        entries = self.entries or {}
        if name in entries and entries[name].number is None:
            return True
        return any(item.names(name) for item in (*entries.values(), *self.items))

    def names(self, name: str) -> bool:
        """Whether an entry of this name stands anywhere inside."""
        entries = self.entries or {}
        return name in entries or any(item.names(name) for item in (*entries.values(), *self.items))


def read_value(data: bytes) -> Value:
    """The one canonical value that the bytes are."""
    if len(data) > MAX_BYTES:
        raise Malformed(f"value: {len(data)} bytes, at most {MAX_BYTES} allowed")
    reader = Reader(data)
    value = _walk(reader, 1)
    reader.finish()
    return value


def _walk(reader: Reader, depth: int) -> Value:
    if depth > MAX_DEPTH:
        raise Malformed(f"value: deeper than {MAX_DEPTH}")
    tag = reader.tag(8, "value")
    if tag == INTEGER:
        return Value(tag, Number(reader.signed(64)))
    if tag == DECIMAL:
        return Value(tag, _decimal(reader))
    if tag == MAP:
        return Value(tag, entries=_entries(reader, depth))
    if tag == 1:
        reader.boolean()
    elif tag == 4:
        reader.text(0, MAX_BYTES, "text of a value")
    elif tag == 5:
        reader.blob(MAX_BYTES, "bytes of a value")
    elif tag == 6:
        items = reader.items(0, MAX_COUNT, lambda: _walk(reader, depth + 1), "list of a value")
        return Value(tag, items=items)
    return Value(tag)


def _decimal(reader: Reader) -> Number:
    number = read_number(reader, "decimal")
    if number.scale == 0 and -(2**63) <= number.mantissa < 2**63:
        raise Malformed("decimal: an integer written as a decimal")
    return number


def _entries(reader: Reader, depth: int) -> dict[str, Value]:
    entries: dict[str, Value] = {}
    last: bytes | None = None
    count = reader.varint(64)
    if count > MAX_COUNT:
        raise Malformed(f"map of a value: {count} pairs, at most {MAX_COUNT} allowed")
    for _ in range(count):
        key = reader.text(0, MAX_BYTES, "key of a map")
        if last is not None and key.encode() <= last:
            raise Malformed("map of a value: keys do not ascend")
        last = key.encode()
        entries[key] = _walk(reader, depth + 1)
    return entries
