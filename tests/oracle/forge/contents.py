"""What parts say."""

from __future__ import annotations

from digest import derive

from .encoder import blob, items, option, signed, text, varint

SALT = b"\xcc" * 16

# Operations. A part that has a skeleton is a pair of content and skeleton.

Part = tuple[bytes, bytes]
Parts = dict[int, "bytes | Part"]

UNGUARDED = b"\x00"
ABSENT = b"\x01"


def holds_value(value: bytes) -> bytes:
    """A guard: the key holds this value."""
    return b"\x02" + derive("value", SALT + value)


def holds_count(count: int) -> bytes:
    """A guard: the key holds this counter."""
    return b"\x03" + signed(count)


def holds_stage(stage: str) -> bytes:
    """A guard: the entity is in this stage."""
    return b"\x04" + text(stage)


def put(key: str, value: bytes, guard: bytes = UNGUARDED, closed: bool = False) -> Part:
    """A put."""
    front, commitment = b"\x00" + guard + text(key), derive("value", SALT + value)
    slot = b"\x00" + commitment if closed else b"\x01" + SALT + blob(value)
    return front + slot, front + commitment


def delete(key: str, guard: bytes = UNGUARDED) -> Part:
    """A delete."""
    return (b"\x01" + guard + text(key),) * 2


def add(key: str, delta: int, guard: bytes = UNGUARDED) -> Part:
    """An add."""
    return (b"\x02" + guard + text(key) + signed(delta),) * 2


def move(entity: str, stage: str, guard: bytes = UNGUARDED) -> Part:
    """A transition."""
    return (b"\x03" + guard + text(entity) + text(stage),) * 2


def ops(*operations: Part) -> Part:
    """The content of an ops part."""
    return items([whole for whole, _ in operations]), items([bones for _, bones in operations])


# Other parts


def actors(
    planner: str = "", judge: str | None = None, score: int = 0, attestation: bytes | None = None
) -> bytes:
    """An actors part."""
    named = None if judge is None else text(judge) + varint(score) + option(attestation)
    return text(planner) + option(named) + text("")


def subject(entity: str) -> bytes:
    """A subject part."""
    return text(entity) + option(None)


def evidence(*rows: int) -> bytes:
    """An evidence part that points to rows."""
    return items([b"\x00" + varint(row) for row in rows])


def effect(
    request: bytes = b"\x00", undo: int = 0, other: bytes = b"\x00", until: int | None = None
) -> bytes:
    """An effect."""
    front = text("shop") + blob(request) + varint(undo)
    return front + (blob(other) if undo else b"") + (b"" if until is None else signed(until))
