"""The compact encoding of structures (FORMAT.md, section 1).

A `Reader` walks over bytes and refuses every spelling but the canonical one, so that whatever it
accepts would be written back as the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

MAX_NAME = 128

T = TypeVar("T")
Rank = TypeVar("Rank", int, bytes, tuple[bytes, bytes], tuple[bytes, int, int, bytes])


class Malformed(Exception):
    """Bytes that are not the canonical encoding of what they stand for."""


class Newer(Exception):
    """A segment of a version that this reader does not know. It may be right."""


class Reader:
    """A cursor over bytes; each method takes one field off them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        end = self.at + length
        if end > len(self.data):
            raise Malformed(f"{length} bytes wanted, {len(self.data) - self.at} left")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def finish(self) -> None:
        """Refuses bytes that are left over."""
        if self.at != len(self.data):
            raise Malformed(f"{len(self.data) - self.at} bytes left over")

    def u8(self) -> int:
        """One byte, as it is."""
        return self.take(1)[0]

    def varint(self, bits: int) -> int:
        """An unsigned number of at most `bits` bits, in its shortest form."""
        number = shift = 0
        while True:
            byte = self.u8()
            number |= (byte & 0x7F) << shift
            shift += 7
            if number >> bits:
                raise Malformed(f"a varint above {bits} bits")
            if byte < 0x80:
                break
            if shift >= bits:
                raise Malformed(f"a varint longer than {bits} bits need")
        if byte == 0 and shift > 7:
            raise Malformed("a varint longer than needed")
        return number

    def signed(self, bits: int) -> int:
        """A signed number of `bits` bits: zigzag, then varint."""
        number = self.varint(bits)
        return number >> 1 if number % 2 == 0 else -(number >> 1) - 1

    def variant(self, count: int, what: str) -> int:
        """The number of an enum's variant, below `count`."""
        number = self.varint(32)
        if number >= count:
            raise Malformed(f"{what}: no variant {number}")
        return number

    def tag(self, count: int, what: str) -> int:
        """A `u8` that numbers one of `count` things."""
        number = self.u8()
        if number >= count:
            raise Malformed(f"{what}: no tag {number}")
        return number

    def boolean(self) -> bool:
        """A bool: 0 or 1."""
        return self.tag(2, "bool") == 1

    def blob(self, most: int, what: str) -> bytes:
        """Bytes behind their length, which is compared with its limit first."""
        length = self.varint(64)
        if length > most:
            raise Malformed(f"{what}: {length} bytes, at most {most} allowed")
        return self.take(length)

    def text(self, least: int, most: int, what: str) -> str:
        """UTF-8 text of `least` to `most` bytes."""
        data = self.blob(most, what)
        if len(data) < least:
            raise Malformed(f"{what}: {len(data)} bytes, at least {least} needed")
        try:
            return data.decode("utf-8", "strict")
        except UnicodeDecodeError as error:
            raise Malformed(f"{what}: not UTF-8") from error

    def name(self, least: int, what: str) -> str:
        """A name of `least` to 128 bytes, without control characters."""
        name = self.text(least, MAX_NAME, what)
        if any(character < " " or character == "\x7f" for character in name):
            raise Malformed(f"{what}: a control character")
        return name

    def optional(self, field: Callable[[], T]) -> T | None:
        """An option: 0; or 1 and the field."""
        return field() if self.tag(2, "option") else None

    def items(self, least: int, most: int, field: Callable[[], T], what: str) -> list[T]:
        """A list: its count, compared with its limits first, then as many fields."""
        count = self.varint(64)
        if not least <= count <= most:
            raise Malformed(f"{what}: {count} items, {least} to {most} allowed")
        if count > len(self.data) - self.at:
            raise Malformed(f"{what}: {count} items in {len(self.data) - self.at} bytes")
        return [field() for _ in range(count)]


def varint(number: int) -> bytes:
    """An unsigned number as it is written."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def ascends(items: list[Rank]) -> bool:
    """Whether each item is above the one before it."""
    return all(one < two for one, two in pairwise(items))
