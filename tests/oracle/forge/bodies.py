"""Bodies."""

from __future__ import annotations

from collections.abc import Sequence

from .encoder import items, option, signed, text, varint
from .policies import scope
from .signer import Signer


def grant(key: Signer, roles: int, name: str, confined: bytes | None = None) -> bytes:
    """A new key."""
    return b"\x00" + key.public + bytes([roles]) + text(name) + (confined or scope())


def rotate(old: Signer, key: Signer) -> bytes:
    """A key in the place of another."""
    return b"\x01" + old.id + key.public


def revoke(key: Signer) -> bytes:
    """The end of a key."""
    return b"\x02" + key.id + option(None) + text("")


def reading(name: str, value: bytes) -> bytes:
    """A reading."""
    return text(name) + value + text("")


def calibration(
    name: str,
    rows: Sequence[int],
    threshold: bytes,
    quantile: int = 500_000,
    upto: int = 0,
    action: str = "",
    start: int = 0,
) -> bytes:
    """A calibration; unless told it reaches to behind its last row."""
    return b"".join(
        (
            text(name), text(action), signed(start), varint(upto or rows[-1] + 1),
            varint(quantile), items([varint(row) for row in rows]), threshold,
        )
    )  # fmt: skip


def turn(act: int, engaged: bool, holder: Signer, drill: tuple[int, int] | None = None) -> bytes:
    """A kill switch."""
    ended = None if drill is None else varint(drill[0]) + varint(drill[1])
    return bytes([act, engaged]) + holder.id + text("") + option(ended)


def review(row: int, row_hash: bytes, verdict: int = 0) -> bytes:
    """A review."""
    return varint(row) + row_hash + bytes([verdict]) + text("")


def rollback(row: int, row_hash: bytes, manner: int = 0, effects: Sequence[int] = ()) -> bytes:
    """What takes a row back."""
    places = items([varint(place) for place in effects])
    return varint(row) + row_hash + varint(manner) + places


def outcome(row: int, effect: int, status: int) -> bytes:
    """How a call went."""
    return varint(row) + varint(effect) + varint(status) + text("")


def snapshot(at: int, state: bytes, leaves: int) -> bytes:
    """A snapshot."""
    return varint(at) + state + varint(leaves)
