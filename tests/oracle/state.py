"""The state, and with which reason operations fail on it (FORMAT.md, section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import operations as ops
from digest import derive
from encoding import varint
from operations import Guard, Operation
from row import Reason

_MOST = 2**63 - 1


@dataclass(frozen=True)
class Value:
    """A value, known by its commitment."""

    commitment: bytes


@dataclass(frozen=True)
class Counter:
    """A counter, which is not 0."""

    count: int


@dataclass(frozen=True)
class Stage:
    """The stage of an entity, which is not empty."""

    name: str


Held = Value | Counter | Stage | None


class Fails(Exception):
    """Operations that fail, with their reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass
class State:
    """What each key holds."""

    held: dict[str, Held] = field(default_factory=dict)

    def stage(self, key: str) -> str:
        """The stage that a key under `lifecycle/` holds; empty for none."""
        held = self.held.get(key)
        return held.name if isinstance(held, Stage) else ""

    def try_out(self, operations: Sequence[Operation]) -> dict[str, Held]:
        """What the keys that are touched hold afterwards; raises `Fails`."""
        changed: dict[str, Held] = {}
        for operation in operations:
            key = operation.key
            before = changed[key] if key in changed else self.held.get(key)
            changed[key] = _after(operation, before)
        return changed

    def leaves(self) -> list[bytes]:
        """What the state digest is made of, in the order of the keys' bytes."""
        held = {key.encode(): held for key, held in self.held.items() if held is not None}
        return [varint(len(key)) + key + _leaf(held[key]) for key in sorted(held)]

    def digest(self) -> bytes:
        """The state digest."""
        return derive("state", b"".join(self.leaves()))

    def apply(self, operations: Sequence[Operation]) -> None:
        """Carries out the operations of a row. Those that fail change nothing."""
        try:
            self.held.update(self.try_out(operations))
        except Fails:
            pass


def _leaf(held: Value | Counter | Stage) -> bytes:
    """What a key holds, as a leaf says it."""
    if isinstance(held, Value):
        return b"\x00" + held.commitment
    if isinstance(held, Counter):
        return b"\x01" + varint(2 * held.count if held.count >= 0 else -2 * held.count - 1)
    stage = held.name.encode()
    return b"\x02" + varint(len(stage)) + stage


def _after(operation: Operation, held: Held) -> Held:
    """What a key holds after an operation."""
    if not _holds(operation.guard, held):
        raise Fails(Reason.GUARD_FAILED)
    if operation.tag == ops.PUT:
        return Value(operation.commitment)
    if operation.tag == ops.DELETE:
        if held is None:
            raise Fails(Reason.KEY_ABSENT)
        return None
    if operation.tag == ops.TRANSITION:
        return Stage(operation.stage) if operation.stage else None
    if operation.delta == -(2**63):
        raise Fails(Reason.COUNTER_OVERFLOW)
    if isinstance(held, Value | Stage):
        raise Fails(Reason.KIND_MISMATCH)
    total = operation.delta + (held.count if held else 0)
    if not -_MOST <= total <= _MOST:
        raise Fails(Reason.COUNTER_OVERFLOW)
    return Counter(total) if total else None


def _holds(guard: Guard, held: Held) -> bool:
    if guard.tag == ops.ABSENT or (guard.tag == ops.COUNTER and guard.argument == 0):
        return held is None
    if guard.tag == ops.VALUE:
        return isinstance(held, Value) and held.commitment == guard.argument
    if guard.tag == ops.COUNTER:
        return isinstance(held, Counter) and held.count == guard.argument
    if guard.tag == ops.STAGE:
        return isinstance(held, Stage) and held.name == guard.argument
    return True
