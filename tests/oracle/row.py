"""Rows: heads, landings and the records that hold them (FORMAT.md, sections 10 to 12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import ParamSpec, TypeVar, cast

import bodies
import kinds
import parts
from digest import derive
from encoding import Malformed, Reader, ascends
from operations import Operation
from slot import Slot, read_slot

P = ParamSpec("P")
T = TypeVar("T")

MAX_RECORD = 8 * 1024 * 1024
APPLIED, DRY_RUN, REVIEW = range(3)
OUTCOME_NAMES = ("applied", "dry-run", "review")
LIVE = 1
EXACT, DECLARED, WINDOW, COMPENSATING, NONE = range(5)
CLASS_NAMES = ("exact", "declared", "window", "compensating", "none")


class Reason(IntEnum):
    """Why a row was put aside."""

    UNKNOWN_ACTION = 0
    LIVE_NOT_ALLOWED = 1
    KILL_SWITCH = 2
    TIER_TOO_LOW = 3
    JUDGE_MISSING = 4
    JUDGE_BELOW_FLOOR = 5
    JUDGE_NOT_SEPARATE = 6
    ATTESTATION_MISSING = 7
    MOVE_NOT_ALLOWED = 8
    METRIC_MISSING = 9
    METRIC_UNCALIBRATED = 10
    METRIC_BELOW_FLOOR = 11
    COUNT_LIMIT = 12
    SUM_LIMIT = 13
    IRREVERSIBLE = 14
    UNPROVEN = 15
    GUARD_FAILED = 16
    KEY_ABSENT = 17
    KIND_MISMATCH = 18
    COUNTER_OVERFLOW = 19

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


class Unknown(Exception):
    """Something that a check needs and cannot see: a closed part, or a row that was not read."""


@dataclass(frozen=True)
class Reversibility:
    """Whether and how a row can be taken back; a window has the time at which it ends."""

    rank: int
    until: int | None = None

    def __str__(self) -> str:
        end = "" if self.until is None else f" until {self.until}"
        return CLASS_NAMES[self.rank] + end


@dataclass(frozen=True)
class Head:
    """The author's head of an intent."""

    id: bytes
    kind: int
    author: bytes
    action: str
    tier: int
    live: bool
    parts: int


@dataclass(frozen=True)
class Landing:
    """The ledger's part of a row."""

    seq: int
    landed_at: int
    outcome: int
    reasons: frozenset[Reason]
    reversibility: Reversibility
    policy_row: int
    kill_switch_row: int
    index: int
    count: int
    rollback: bytes | None


@dataclass
class Row:
    """A row record taken apart, with what was wrong about it.

    What could not be read is None; `intent` and `hash_behind` need every commitment.
    """

    landing_bytes: bytes | None = None
    landing: Landing | None = None
    head: Head | None = None
    stored_hash: bytes | None = None
    intent: bytes | None = None
    body: bodies.Body | None = None
    #: The commitment of each part that the intent has.
    commitments: dict[int, bytes] = field(default_factory=dict)
    #: What the open ones say, bodies aside.
    contents: dict[int, parts.Content] = field(default_factory=dict)
    #: The operations of the stored rollback, where it is there and open.
    rollback: list[Operation] | None = None
    problems: list[tuple[str, str]] = field(default_factory=list)

    def hash_behind(self, previous: bytes) -> bytes | None:
        """The row hash that follows from the one before it."""
        if self.landing_bytes is None or self.intent is None:
            return None
        return derive("row", previous + self.landing_bytes + self.intent)

    def has(self, tag: int) -> bool:
        """Whether the intent has a part, open or closed."""
        return tag in self.commitments

    def entity(self) -> str | None:
        """What the row is about."""
        return cast("str | None", self._said(kinds.SUBJECT))

    def actors(self) -> parts.Actors | None:
        """Who planned and judged."""
        return cast("parts.Actors | None", self._said(kinds.ACTORS))

    def cited(self) -> parts.Cited:
        """The rows that it points to as evidence."""
        return cast("parts.Cited | None", self._said(kinds.EVIDENCE)) or []

    def operations(self) -> list[Operation]:
        """What it does to the state."""
        return cast("list[Operation] | None", self._said(kinds.OPS)) or []

    def stored_rollback(self) -> list[Operation]:
        """What takes it back, which the row has."""
        if self.rollback is None:
            raise Unknown("its rollback part is closed")
        return self.rollback

    def effects(self) -> list[parts.Effect]:
        """What it does outside."""
        return cast("list[parts.Effect] | None", self._said(kinds.EFFECTS)) or []

    def said(self, kind: type[T]) -> T:
        """The body of a row, which is of a kind that is asked for."""
        if not isinstance(self.body, kind):
            raise Unknown("its body is closed")
        return self.body

    def _said(self, tag: int) -> parts.Content:
        if not self.has(tag):
            return None
        if tag not in self.contents:
            raise Unknown(f"its {kinds.PART_NAMES[tag]} part is closed")
        return self.contents[tag]


def read_head(data: bytes) -> Head:
    """The head of an intent."""
    reader = Reader(data)
    version = reader.u8()
    if version != 3:
        raise Malformed(f"head: version {version}")
    name = reader.take(16)
    kind = reader.variant(len(kinds.KIND_NAMES), "kind")
    author = reader.take(8)
    action = reader.name(0, "action")
    tier = reader.variant(4, "tier")
    mode = reader.variant(2, "mode")
    reader.signed(64)
    bits = reader.u8()
    reader.finish()
    if bits & 1 << kinds.ROLLBACK:
        raise Malformed("head: names a rollback part")
    if kind == kinds.DECISION and not action:
        raise Malformed("head: a decision without an action")
    return Head(name, kind, author, action, tier, mode == LIVE, bits)


def read_landing(data: bytes) -> Landing:
    """The landing of a row."""
    reader = Reader(data)
    version = reader.u8()
    if version != 3:
        raise Malformed(f"landing: version {version}")
    seq = reader.varint(64)
    landed_at = reader.signed(64)
    outcome = reader.variant(3, "outcome")
    numbers = reader.items(
        0, parts.MAX_ITEMS, lambda: reader.variant(len(Reason), "reason"), "reasons"
    )
    if not ascends(numbers):
        raise Malformed("landing: reasons do not ascend")
    rank = reader.variant(5, "reversibility")
    reversibility = Reversibility(rank, reader.signed(64) if rank == WINDOW else None)
    policy_row, kill_switch_row = reader.varint(64), reader.varint(64)
    for name, governing in (("policy_row", policy_row), ("kill_switch_row", kill_switch_row)):
        if governing >= max(seq, 1):
            raise Malformed(f"landing: {name} {governing} is not before row {seq}")
    index, count = reader.varint(32), reader.varint(32)
    if not 1 <= count <= 4096 or index >= count:
        raise Malformed(f"landing: index {index} of {count}")
    rollback = reader.optional(lambda: reader.take(32))
    reader.finish()
    reasons = frozenset(Reason(number) for number in numbers)
    return Landing(
        seq, landed_at, outcome, reasons, reversibility, policy_row, kill_switch_row, index, count,
        rollback,
    )  # fmt: skip


def kind_refusal(head: Head) -> str | None:
    """Why these parts may not stand in a row of this kind; None when they may."""
    has = {tag for tag in range(kinds.ROLLBACK) if head.parts >> tag & 1}
    name = kinds.KIND_NAMES[head.kind]
    if head.kind == kinds.DECISION:
        if kinds.BODY in has:
            return "a decision with a body"
        if not has & {kinds.OPS, kinds.EFFECTS}:
            return "a decision without ops and effects"
        return None
    if kinds.BODY not in has:
        return f"a row of kind {name} without a body"
    if head.kind == kinds.ROLLBACK_ROW:
        return "a rollback with effects" if kinds.EFFECTS in has else None
    if head.kind != kinds.REVIEW and has & {kinds.OPS, kinds.EFFECTS}:
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
            tag: read_slot(reader, parts.MAX_PART, kinds.PART_NAMES[tag])
            for tag in range(kinds.ROLLBACK)
            if row.head.parts >> tag & 1
        }
    except Malformed as error:
        row.problems.append(("V02", f"record: {error}"))
        return row
    for tag, slot in slots.items():
        _attempt(row, _read_slot, row, row.head.kind, tag, slot)
    if len(row.commitments) == len(slots):
        row.intent = derive("intent", head_bytes + b"".join(row.commitments.values()))
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


def _read_slot(row: Row, kind: int, tag: int, slot: Slot) -> None:
    """Puts the commitment of a part, and what it says, into the row."""
    if slot.content is None:
        assert slot.stored is not None
        row.commitments[tag] = slot.stored
    elif tag == kinds.BODY:
        assert slot.salt is not None
        row.commitments[tag] = parts.commit(tag, slot.salt, slot.content)
        row.body = bodies.read_body(kind, slot.content)
    else:
        row.contents[tag], row.commitments[tag] = parts.read_part(tag, slot, slot.content)


def _read_end(row: Row, reader: Reader, landing: Landing) -> None:
    """The rollback slot, and nothing between it and the row hash."""
    try:
        if landing.rollback is not None:
            slot = read_slot(reader, parts.MAX_PART, "rollback")
            commitment = slot.stored
            if slot.content is not None:
                said, commitment = parts.read_part(kinds.ROLLBACK, slot, slot.content)
                row.rollback = cast("list[Operation]", said)
            if commitment != landing.rollback:
                row.problems.append(("V05", "the rollback is not the one the landing commits to"))
        reader.finish()
    except Malformed as error:
        row.problems.append(("V02", f"record: {error}"))
