"""Policies, and scopes of keys."""

from __future__ import annotations

from collections.abc import Sequence

from .encoder import items, option, signed, text, varint


def rule(
    pattern: str,
    live: bool = True,
    tier: int = 0,
    floor: int | None = None,
    attested: bool = False,
    reach: int = 4,
    proven: int | None = None,
    metrics: Sequence[bytes] = (),
) -> bytes:
    """An action rule."""
    asked = None if floor is None else varint(floor)
    return b"".join(
        (
            text(pattern),
            bytes([live, 0, tier]),
            option(asked),
            bytes([attested, reach]),
            option(None if proven is None else signed(proven)),
            items(metrics),
        )
    )


def metric(name: str, floor: bytes | None) -> bytes:
    """A metric of a rule; without a floor it is calibrated."""
    return text(name) + (b"\x01" if floor is None else b"\x00" + floor)


def limit(
    pattern: str,
    window: int,
    count: int | None = None,
    total: tuple[str, bytes] | None = None,
    per: int = 0,
) -> bytes:
    """A limit."""
    asked = None if count is None else varint(count)
    summed = None if total is None else text(total[0]) + total[1]
    return text(pattern) + bytes([per]) + signed(window) + option(asked) + option(summed)


def policy(
    rules: Sequence[bytes] = (),
    writers: Sequence[tuple[int, int]] = (),
    separation: bool = False,
    moves: Sequence[tuple[str, str]] | None = None,
    limits: Sequence[bytes] = (),
    period: int | None = None,
    snapshots: int | None = None,
    version: int = 3,
) -> bytes:
    """A policy."""
    lifecycle = None
    if moves is not None:
        stages = sorted({stage for pair in moves for stage in pair if stage})
        lifecycle = items([text(stage) for stage in stages])
        lifecycle += items([text(start) + text(end) for start, end in moves])
    return b"".join(
        (
            bytes([version]),
            items([varint(kind) + bytes([roles]) for kind, roles in writers]),
            bytes([separation]),
            items(rules),
            option(lifecycle),
            items(limits),
            option(None if period is None else signed(period)),
            option(None if snapshots is None else varint(snapshots)),
            varint(4096),
        )
    )


def scope(
    actions: Sequence[str] = (),
    prefixes: Sequence[str] = (),
    start: int | None = None,
    until: int | None = None,
) -> bytes:
    """A scope of a key."""
    times = [option(None if time is None else signed(time)) for time in (start, until)]
    lists = [items([text(item) for item in listed]) for listed in (actions, prefixes)]
    return b"".join(lists + times)
