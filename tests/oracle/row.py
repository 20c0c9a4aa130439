"""Rows: heads, landings and the records that hold them (FORMAT.md, sections 10 to 12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

import parts
from digest import derive
from encoding import Malformed, Reader, ascends

P = ParamSpec("P")
T = TypeVar("T")

MAX_RECORD = 8 * 1024 * 1024
APPLIED = 0
LIVE = 1


@dataclass(frozen=True)
class Head:
    """The author's head of an intent, as far as integrity asks."""

    kind: int
    author: bytes
    live: bool
    parts: int


@dataclass(frozen=True)
class Landing:
    """The ledger's part of a row, as far as integrity asks."""

    seq: int
    landed_at: int
    outcome: int
    index: int
    count: int
    rollback: bytes | None


@dataclass
class Row:
    """A row record taken apart, with what was wrong about it.

    What could not be read is None; `intent` and `expected_hash` need every commitment.
    """

    landing_bytes: bytes | None = None
    landing: Landing | None = None
    head: Head | None = None
    stored_hash: bytes | None = None
    intent: bytes | None = None
    body: parts.Body | None = None
    problems: list[tuple[str, str]] = field(default_factory=list)

    def hash_behind(self, previous: bytes) -> bytes | None:
        """The row hash that follows from the one before it."""
        if self.landing_bytes is None or self.intent is None:
            return None
        return derive("row", previous + self.landing_bytes + self.intent)


def read_head(data: bytes) -> Head:
    """The head of an intent."""
    reader = Reader(data)
    version = reader.u8()
    if version != 1:
        raise Malformed(f"head: version {version}")
    reader.take(16)
    kind = reader.variant(len(parts.KIND_NAMES), "kind")
    author = reader.take(8)
    action = reader.name(0, "action")
    reader.variant(4, "tier")
    mode = reader.variant(2, "mode")
    reader.signed(64)
    bits = reader.u8()
    reader.finish()
    if bits & 1 << parts.ROLLBACK:
        raise Malformed("head: names a rollback part")
    if kind == parts.DECISION and not action:
        raise Malformed("head: a decision without an action")
    return Head(kind, author, mode == LIVE, bits)


def read_landing(data: bytes) -> Landing:
    """The landing of a row."""
    reader = Reader(data)
    version = reader.u8()
    if version != 1:
        raise Malformed(f"landing: version {version}")
    seq = reader.varint(64)
    landed_at = reader.signed(64)
    outcome = reader.variant(3, "outcome")
    if not ascends(reader.items(0, parts.MAX_ITEMS, lambda: reader.variant(6, "reason"), "reasons")):
        raise Malformed("landing: reasons do not ascend")
    if reader.variant(5, "reversibility") == 2:
        reader.signed(64)
    for name in ("policy_row", "kill_switch_row"):
        governing = reader.varint(64)
        if governing >= max(seq, 1):
            raise Malformed(f"landing: {name} {governing} is not before row {seq}")
    index, count = reader.varint(32), reader.varint(32)
    if not 1 <= count <= 4096 or index >= count:
        raise Malformed(f"landing: index {index} of {count}")
    rollback = reader.optional(lambda: reader.take(32))
    reader.finish()
    return Landing(seq, landed_at, outcome, index, count, rollback)


def kind_refusal(head: Head) -> str | None:
    """Why these parts may not stand in a row of this kind; None when they may."""
    has = {tag for tag in range(parts.ROLLBACK) if head.parts >> tag & 1}
    name = parts.KIND_NAMES[head.kind]
    if head.kind == parts.DECISION:
        if parts.BODY in has:
            return "a decision with a body"
        if not has & {parts.OPS, parts.EFFECTS}:
            return "a decision without ops and effects"
        return None
    if parts.BODY not in has:
        return f"a row of kind {name} without a body"
    if head.kind == parts.ROLLBACK_ROW:
        return None if parts.OPS in has else "a rollback without ops"
    if has & {parts.OPS, parts.EFFECTS}:
        return f"a row of kind {name} with ops or effects"
    return None


def read_row(record: bytes) -> Row:
    """Takes a record apart. Of one that cannot be read only the stored hash is left."""
    row = _take_apart(record)
    refused = [problem for problem in row.problems if problem[0] == "V02"]
    return Row(stored_hash=row.stored_hash, problems=refused) if refused else row


def first_number(record: bytes) -> int | None:
    """The number in a record's landing, whatever stands behind it."""
    try:
        return read_landing(Reader(record).blob(MAX_RECORD, "landing")).seq
    except Malformed:
        return None


def _take_apart(record: bytes) -> Row:
    row = Row()
    if len(record) < 32:
        row.problems.append(("V02", f"record: {len(record)} bytes"))
        return row
    # The row hash is the end of the record, whatever is wrong in front of it.
    row.stored_hash = record[-32:]
    reader = Reader(record[:-32])
    try:
        row.landing_bytes = reader.blob(MAX_RECORD, "landing")
        head_bytes = reader.blob(MAX_RECORD, "head")
    except Malformed as error:
        row.problems.append(("V02", f"record: {error}"))
        return row
    row.landing = _attempt(row, read_landing, row.landing_bytes)
    row.head = _attempt(row, read_head, head_bytes)
    if row.head is None:
        return row
    refusal = kind_refusal(row.head)
    if refusal:
        row.problems.append(("V02", refusal))
    try:
        slots = {
            tag: parts.read_slot(reader, parts.MAX_PART, parts.PART_NAMES[tag])
            for tag in range(parts.ROLLBACK)
            if row.head.parts >> tag & 1
        }
    except Malformed as error:
        row.problems.append(("V02", f"record: {error}"))
        return row
    _read_parts(row, row.head.kind, head_bytes, slots)
    if row.landing is not None:
        _read_end(row, reader, row.landing)
    return row


def _attempt(row: Row, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """What `read` gives; or None, with its refusal noted in the row."""
    try:
        return read(*args, **kwargs)
    except Malformed as error:
        row.problems.append(("V02", str(error)))
    return None


def _read_parts(row: Row, kind: int, head_bytes: bytes, slots: dict[int, parts.Slot]) -> None:
    commitments: list[bytes] = []
    for tag, slot in slots.items():
        if slot.content is not None:
            if tag == parts.BODY:
                row.body = _attempt(row, parts.read_body, kind, slot.content)
            elif tag != parts.OPS:
                _attempt(row, parts.check_part, tag, slot.content)
        commitment = _attempt(row, parts.commit, tag, slot)
        if commitment is not None:
            commitments.append(commitment)
    if len(commitments) == len(slots):
        row.intent = derive("intent", head_bytes + b"".join(commitments))


def _read_end(row: Row, reader: Reader, landing: Landing) -> None:
    """The rollback slot, and nothing between it and the row hash."""
    try:
        if landing.rollback is not None:
            slot = parts.read_slot(reader, parts.MAX_PART, "rollback")
            commitment = _attempt(row, parts.commit, parts.ROLLBACK, slot)
            if commitment is not None and commitment != landing.rollback:
                row.problems.append(("V05", "the rollback is not the one the landing commits to"))
        reader.finish()
    except Malformed as error:
        row.problems.append(("V02", f"record: {error}"))
