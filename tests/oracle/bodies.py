"""Bodies: what a row says that is no decision (FORMAT.md, section 9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import kinds
from encoding import Malformed, Reader, ascends
from number import Number, read_number
from parts import MAX_ITEMS, MAX_PART, MAX_TEXT, million
from policy import Policy, Scope, read_policy, read_scope

ENGAGE, RELEASE, HAND_OVER, DRILL = range(4)
APPROVE, REJECT = range(2)
EXACT, FORCED, PARTIAL = range(3)
INTENDED, DONE, FAILED, UNKNOWN, CLOSED = range(5)
DRILLED = "drill/"

#: The classes of reversibility of which there are recovery drills.
_DRILLED_CLASSES = ("exact", "declared", "window", "compensating")

_ORIGIN_FORBIDDEN = frozenset(
    map(
        chr,
        [
            *range(0x00, 0x21), *range(0x7F, 0xA1), 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029,
            0x202F, 0x205F, 0x3000, ord("+"),
        ],
    )
)  # fmt: skip


@dataclass(frozen=True)
class Genesis:
    """The body of row 0."""

    origin: str
    owner: bytes
    ledger: bytes
    policy: Policy


@dataclass(frozen=True)
class Grant:
    """A new key."""

    key: bytes
    roles: int
    name: str
    scope: Scope


@dataclass(frozen=True)
class Rotate:
    """A key in the place of another."""

    old: bytes
    key: bytes


@dataclass(frozen=True)
class Revoke:
    """The end of a key."""

    key: bytes


@dataclass(frozen=True)
class Reading:
    """A measurement."""

    metric: str
    value: Number

    @property
    def is_drill(self) -> bool:
        """Whether it says how a recovery drill went."""
        return self.metric.startswith(DRILLED)


@dataclass(frozen=True)
class KillSwitch:
    """What the switch is set to; at the end of a drill also where it began, and its probe."""

    act: int
    engaged: bool
    holder: bytes
    drill: tuple[int, int] | None


@dataclass(frozen=True)
class Rollback:
    """Which row is taken back, how, and which effects with it."""

    target: int
    target_hash: bytes
    manner: int
    effects: list[int]


@dataclass(frozen=True)
class Outcome:
    """How a call went: an effect that a row calls for."""

    row: int
    effect: int
    status: int


@dataclass(frozen=True)
class Snapshot:
    """The digest of the state after a row, and how many leaves it has."""

    at: int
    state: bytes
    leaves: int


@dataclass(frozen=True)
class Calibration:
    """A threshold, and what it was computed from."""

    metric: str
    action: str
    start: int
    upto: int
    quantile: int
    rows: list[int]
    threshold: Number


@dataclass(frozen=True)
class Review:
    """What a human says of a row that was put aside."""

    row: int
    row_hash: bytes
    verdict: int


KeyChange = Grant | Rotate | Revoke
Body = (
    Genesis | KeyChange | Policy | Reading | KillSwitch | Rollback | Outcome | Snapshot
    | Calibration | Review
)  # fmt: skip


def read_body(kind: int, content: bytes) -> Body | None:
    """The body of a row, refused when it is not canonical; None where no check asks for it."""
    reader = Reader(content)
    read = _READERS.get(kind)
    if read is None:
        raise Malformed("a decision has no body")
    body = read(reader)
    reader.finish()
    return body


def _genesis(reader: Reader) -> Genesis:
    version = reader.varint(16)
    if version != 3:
        raise Malformed(f"genesis: format {version}")
    origin = reader.text(1, 255, "origin")
    if _ORIGIN_FORBIDDEN & set(origin):
        raise Malformed("origin: a character that may not stand there")
    return Genesis(origin, reader.take(32), reader.take(32), read_policy(reader))


def _key_change(reader: Reader) -> KeyChange:
    variant = reader.variant(3, "key change")
    if variant == 0:
        key, roles = reader.take(32), reader.u8()
        if not 1 <= roles <= 0x7F:
            raise Malformed(f"roles: {roles:#04x}")
        grant = Grant(key, roles, reader.name(1, "name of a key"), read_scope(reader))
        if roles & (kinds.OWNER | kinds.LEDGER) and grant.scope != Scope([], []):
            raise Malformed("scope: a key of the owner or of the ledger is confined")
        return grant
    if variant == 1:
        return Rotate(reader.take(8), reader.take(32))
    revoke = Revoke(reader.take(8))
    reader.optional(lambda: reader.signed(64))
    reader.text(0, MAX_TEXT, "reason")
    return revoke


def _reading(reader: Reader) -> Reading:
    reading = Reading(reader.name(1, "metric"), read_number(reader, "reading"))
    reader.text(0, MAX_TEXT, "source")
    if reading.is_drill:
        if reading.metric.removeprefix(DRILLED) not in _DRILLED_CLASSES:
            raise Malformed(f"reading: no recovery drill is named {reading.metric!r}")
        if reading.value not in (Number(0), Number(1)):
            raise Malformed(f"reading: a recovery drill with the value {reading.value}")
    return reading


def _kill_switch(reader: Reader) -> KillSwitch:
    act, engaged, holder = reader.variant(4, "act"), reader.boolean(), reader.take(8)
    reader.text(0, MAX_TEXT, "reason")
    drill = reader.optional(lambda: (reader.varint(64), reader.varint(64)))
    if act in (ENGAGE, RELEASE) and engaged != (act == ENGAGE):
        raise Malformed("kill switch: said to be in the other position")
    if (drill is not None) != (act == DRILL and not engaged):
        raise Malformed("kill switch: the end of a drill, and nothing else, names its beginning")
    return KillSwitch(act, engaged, holder, drill)


def _rollback(reader: Reader) -> Rollback:
    target, target_hash = reader.varint(64), reader.take(32)
    manner = reader.variant(3, "manner")
    effects = reader.items(0, MAX_ITEMS, lambda: reader.varint(32), "effects of a rollback")
    if not ascends(effects):
        raise Malformed("rollback: effects do not ascend")
    return Rollback(target, target_hash, manner, effects)


def _outcome(reader: Reader) -> Outcome:
    outcome = Outcome(reader.varint(64), reader.varint(32), reader.variant(5, "status"))
    reader.text(0, MAX_TEXT, "detail")
    return outcome


def _snapshot(reader: Reader) -> Snapshot:
    return Snapshot(reader.varint(64), reader.take(32), reader.varint(64))


def _erasure(reader: Reader) -> None:
    reader.items(1, MAX_ITEMS, lambda: _erased(reader), "erased items")
    reader.text(1, MAX_TEXT, "authority")


def _erased(reader: Reader) -> None:
    if reader.variant(2, "erased item") == 1:
        reader.take(32)
        return
    reader.varint(64)
    tag = reader.u8()
    if tag not in (kinds.SUBJECT, kinds.ACTORS, kinds.EVIDENCE, kinds.EFFECTS, kinds.CONTEXT):
        raise Malformed(f"erasure: part {tag} cannot be erased")


def _calibration(reader: Reader) -> Calibration:
    metric, action = reader.name(1, "metric"), reader.name(0, "action")
    start, upto = reader.signed(64), reader.varint(64)
    quantile = million(reader, "quantile")
    rows = reader.items(1, MAX_PART, lambda: reader.varint(64), "rows")
    if not ascends(rows):
        raise Malformed("calibration: rows do not ascend")
    if rows[-1] >= upto:
        raise Malformed(f"calibration: row {rows[-1]} is not below {upto}")
    threshold = read_number(reader, "threshold")
    return Calibration(metric, action, start, upto, quantile, rows, threshold)


def _review(reader: Reader) -> Review:
    review = Review(reader.varint(64), reader.take(32), reader.variant(2, "verdict"))
    reader.text(0, MAX_TEXT, "reason")
    return review


_READERS: dict[int, Callable[[Reader], Body | None]] = {
    kinds.GENESIS: _genesis,
    kinds.KEY: _key_change,
    kinds.POLICY: read_policy,
    kinds.READING: _reading,
    kinds.KILL_SWITCH: _kill_switch,
    kinds.ROLLBACK_ROW: _rollback,
    kinds.OUTCOME: _outcome,
    kinds.SNAPSHOT: _snapshot,
    kinds.ERASURE: _erasure,
    kinds.CALIBRATION: _calibration,
    kinds.REVIEW: _review,
}
