"""Values."""

from __future__ import annotations

from .encoder import items, number, signed, text


def integer(count: int) -> bytes:
    """A value that is an integer."""
    return b"\x02" + signed(count)


def decimal(mantissa: int, scale: int) -> bytes:
    """A value that is a decimal."""
    return b"\x03" + number(mantissa, scale)


def mapping(**entries: bytes) -> bytes:
    """A value that is a map."""
    return b"\x07" + items([text(key) + entries[key] for key in sorted(entries)])
