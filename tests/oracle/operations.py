"""Operations on the state, and their skeleton (FORMAT.md, sections 5 and 6)."""

from __future__ import annotations

from dataclasses import dataclass

import value
from digest import derive
from encoding import Malformed, Reader
from slot import Slot, read_slot

MAX_OPS = 65_536
MAX_KEY = 1024
MAX_ENTITY = 1014
LIFECYCLE = "lifecycle/"

PUT, DELETE, ADD, TRANSITION = range(4)
UNGUARDED, ABSENT, VALUE, COUNTER, STAGE = range(5)


@dataclass(frozen=True)
class Guard:
    """What a key must hold; the argument is a commitment, a counter or a stage."""

    tag: int = UNGUARDED
    argument: bytes | int | str | None = None


@dataclass(frozen=True)
class Operation:
    """One operation; `key` is the key of the state, also for a transition.

    A put has a commitment, and the value where it is open; an add a delta; a transition a stage.
    """

    tag: int
    guard: Guard
    key: str
    commitment: bytes = b""
    value: value.Value | None = None
    delta: int = 0
    stage: str = ""


def read_operations(content: bytes) -> tuple[list[Operation], bytes]:
    """The operations, and their content with each value in place of its commitment."""
    reader = Reader(content)
    skeleton = bytearray()
    mark = 0
    count = reader.varint(64)
    if not 1 <= count <= MAX_OPS:
        raise Malformed(f"ops: {count} operations, 1 to {MAX_OPS} allowed")
    operations = []
    for _ in range(count):
        tag = reader.tag(4, "operation")
        guard = _guard(reader)
        if tag == TRANSITION:
            entity = reader.text(1, MAX_ENTITY, "entity of a transition")
            stage = reader.name(0, "stage")
            operations.append(Operation(tag, guard, LIFECYCLE + entity, stage=stage))
            continue
        key = reader.text(1, MAX_KEY, "key of an operation")
        if key.startswith(LIFECYCLE):
            raise Malformed("an operation other than a transition under lifecycle/")
        if tag == PUT:
            skeleton += content[mark : reader.at]
            commitment, held = _held(read_slot(reader, value.MAX_BYTES, "value"))
            skeleton += commitment
            mark = reader.at
            operations.append(Operation(tag, guard, key, commitment, held))
        elif tag == ADD:
            delta = reader.signed(64)
            if delta == 0:
                raise Malformed("an add of 0")
            operations.append(Operation(tag, guard, key, delta=delta))
        else:
            operations.append(Operation(tag, guard, key))
    reader.finish()
    return operations, bytes(skeleton + content[mark:])


def _held(slot: Slot) -> tuple[bytes, value.Value | None]:
    """The commitment of a value, and the value where it is open."""
    if slot.content is None:
        assert slot.stored is not None
        return slot.stored, None
    assert slot.salt is not None
    return derive("value", slot.salt + slot.content), value.read_value(slot.content)


def _guard(reader: Reader) -> Guard:
    tag = reader.tag(5, "guard")
    if tag == VALUE:
        return Guard(tag, reader.take(32))
    if tag == COUNTER:
        return Guard(tag, reader.signed(64))
    if tag == STAGE:
        return Guard(tag, reader.name(1, "stage of a guard"))
    return Guard(tag)
