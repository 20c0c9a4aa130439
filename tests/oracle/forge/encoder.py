"""Fields in the compact encoding."""

from __future__ import annotations

from collections.abc import Sequence


def varint(number: int) -> bytes:
    """An unsigned number."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def signed(number: int) -> bytes:
    """A signed number."""
    return varint(2 * number if number >= 0 else -2 * number - 1)


def blob(data: bytes) -> bytes:
    """Bytes behind their length."""
    return varint(len(data)) + data


def text(data: str) -> bytes:
    """Text behind its length."""
    return blob(data.encode())


def option(data: bytes | None) -> bytes:
    """An option."""
    return b"\x00" if data is None else b"\x01" + data


def items(fields: Sequence[bytes]) -> bytes:
    """A list."""
    return varint(len(fields)) + b"".join(fields)


def number(mantissa: int, scale: int = 0) -> bytes:
    """A mantissa and a scale."""
    return signed(mantissa) + bytes([scale])
