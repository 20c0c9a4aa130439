"""What the parts of a row say, other than its body (FORMAT.md, sections 5 and 8)."""

from __future__ import annotations

from dataclasses import dataclass

import value
from digest import derive
from encoding import Malformed, Reader
from kinds import ACTORS, CONTEXT, EFFECTS, EVIDENCE, OPS, ROLLBACK, SUBJECT
from operations import MAX_KEY, Operation, read_operations
from slot import Slot

MAX_PART = 8 * 1024 * 1024
MAX_ITEMS = 4096
MAX_TEXT = 65_536
MILLION = 1_000_000

NEVER, REQUEST, UNTIL, COMPENSATE = range(4)


@dataclass(frozen=True)
class Judge:
    """Who judged, with what score, and the key and signature of the attestation."""

    by: str
    score: int
    attestation: tuple[bytes, bytes] | None


@dataclass(frozen=True)
class Actors:
    """Who planned and who judged."""

    planner: str
    judge: Judge | None


@dataclass(frozen=True)
class Effect:
    """An action outside the state: its request, how it is undone, and until when that works."""

    request: value.Value
    undo: int
    until: int | None


#: The rows that a row points to as evidence.
Cited = list[int]
Content = str | Actors | Cited | list[Effect] | list[Operation] | None


def read_part(tag: int, slot: Slot, content: bytes) -> tuple[Content, bytes]:
    """What an open part other than a body says, and its commitment.

    A subject is its entity. Of a context nothing is kept.
    """
    assert slot.salt is not None
    if tag in (OPS, ROLLBACK):
        operations, skeleton = read_operations(content)
        return operations, derive("part", slot.salt + bytes([tag]) + skeleton)
    reader = Reader(content)
    said: Content = None
    if tag == SUBJECT:
        said = reader.text(1, MAX_KEY, "entity")
        reader.optional(lambda: [reader.name(0, "stage") for _ in range(2)])
    elif tag == ACTORS:
        said = _actors(reader)
    elif tag == EVIDENCE:
        items = reader.items(1, MAX_ITEMS, lambda: _evidence(reader), "evidence")
        said = [row for row in items if row is not None]
    elif tag == EFFECTS:
        said = reader.items(1, MAX_ITEMS, lambda: _effect(reader), "effects")
    elif tag == CONTEXT:
        reader.text(0, MAX_TEXT, "reason")
        if _embedded_value(reader).tag != value.MAP:
            raise Malformed("context: its data is not a map")
    reader.finish()
    return said, commit(tag, slot.salt, content)


def commit(tag: int, salt: bytes, content: bytes) -> bytes:
    """The commitment of an open part that has no skeleton."""
    return derive("part", salt + bytes([tag]) + content)


def million(reader: Reader, what: str) -> int:
    """Parts per million."""
    number = reader.varint(32)
    if number > MILLION:
        raise Malformed(f"{what}: {number}, at most {MILLION} allowed")
    return number


def _actors(reader: Reader) -> Actors:
    actors = Actors(reader.name(0, "planner"), reader.optional(lambda: _judge(reader)))
    reader.name(0, "executor")
    return actors


def _judge(reader: Reader) -> Judge:
    by, score = reader.name(1, "judge"), million(reader, "score")
    return Judge(by, score, reader.optional(lambda: (reader.take(8), reader.take(64))))


def _evidence(reader: Reader) -> int | None:
    """The row that is pointed to; None for a document."""
    if reader.variant(2, "evidence") == 0:
        return reader.varint(64)
    reader.text(1, MAX_TEXT, "URI")
    reader.take(32)
    return None


def _effect(reader: Reader) -> Effect:
    reader.name(1, "adapter")
    request, until = _embedded_value(reader), None
    undo = reader.variant(4, "undo")
    if undo != NEVER:
        _embedded_value(reader)
    if undo == UNTIL:
        until = reader.signed(64)
    return Effect(request, undo, until)


def _embedded_value(reader: Reader) -> value.Value:
    return value.read_value(reader.blob(value.MAX_BYTES, "value"))
