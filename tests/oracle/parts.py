"""What stands inside a row: slots, operations, part contents and bodies (sections 5 to 9)."""

from __future__ import annotations

from dataclasses import dataclass

import value
from digest import derive
from encoding import Malformed, Reader, ascends

MAX_PART = 8 * 1024 * 1024
MAX_OPS = 65_536
MAX_ITEMS = 4096
MAX_KEY = 1024
MAX_ENTITY_MOVED = 1014
MAX_TEXT = 65_536
MILLION = 1_000_000
LIFECYCLE = "lifecycle/"

SUBJECT, ACTORS, EVIDENCE, OPS, EFFECTS, CONTEXT, BODY, ROLLBACK = range(8)
PART_NAMES = ("subject", "actors", "evidence", "ops", "effects", "context", "body", "rollback")

(
    GENESIS, KEY, POLICY, DECISION, READING, KILL_SWITCH, ROLLBACK_ROW, OUTCOME, SNAPSHOT, ERASURE,
    CALIBRATION,
) = range(11)  # fmt: skip
KIND_NAMES = (
    "genesis", "key", "policy", "decision", "evidence", "kill-switch", "rollback", "outcome",
    "snapshot", "erasure", "calibration",
)  # fmt: skip

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
class Slot:
    """Where a part or a value stands: open with salt and content, or closed with a commitment."""

    salt: bytes | None
    content: bytes | None
    stored: bytes | None


def read_slot(reader: Reader, most: int, what: str) -> Slot:
    """Takes a slot off a reader."""
    if reader.tag(2, f"slot of {what}") == 0:
        return Slot(None, None, reader.take(32))
    return Slot(reader.take(16), reader.blob(most, what), None)


@dataclass(frozen=True)
class Genesis:
    """The body of row 0."""

    origin: str
    owner: bytes
    ledger: bytes


@dataclass(frozen=True)
class Grant:
    """A new key."""

    key: bytes
    roles: int
    name: str


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
class KillSwitch:
    """Who holds the kill switch."""

    holder: bytes


KeyChange = Grant | Rotate | Revoke
Body = Genesis | Grant | Rotate | Revoke | KillSwitch


def commit(tag: int, slot: Slot) -> bytes:
    """The commitment of a part's slot. Ops and rollback are committed by their skeleton."""
    if slot.content is None:
        assert slot.stored is not None
        return slot.stored
    assert slot.salt is not None
    hashed = skeleton(slot.content) if tag in (OPS, ROLLBACK) else slot.content
    return derive("part", slot.salt + bytes([tag]) + hashed)


def skeleton(content: bytes) -> bytes:
    """Checks operations, and gives their content with each value in place of its commitment."""
    reader = Reader(content)
    out = bytearray()
    mark = 0
    count = reader.varint(64)
    if not 1 <= count <= MAX_OPS:
        raise Malformed(f"ops: {count} operations, 1 to {MAX_OPS} allowed")
    for _ in range(count):
        tag = reader.tag(4, "operation")
        _guard(reader)
        key = reader.text(1, MAX_ENTITY_MOVED if tag == 3 else MAX_KEY, "key of an operation")
        if tag != 3 and key.startswith(LIFECYCLE):
            raise Malformed("an operation other than a transition under lifecycle/")
        if tag == 0:
            out += content[mark : reader.at]
            slot = read_slot(reader, value.MAX_BYTES, "value")
            if slot.content is not None:
                value.check_value(slot.content)
                assert slot.salt is not None
                out += derive("value", slot.salt + slot.content)
            else:
                assert slot.stored is not None
                out += slot.stored
            mark = reader.at
        elif tag == 2:
            if reader.signed(64) == 0:
                raise Malformed("an add of 0")
        elif tag == 3:
            reader.name(0, "stage")
    reader.finish()
    return bytes(out + content[mark:])


def _guard(reader: Reader) -> None:
    tag = reader.tag(5, "guard")
    if tag == 2:
        reader.take(32)
    elif tag == 3:
        reader.signed(64)
    elif tag == 4:
        reader.name(1, "stage of a guard")


def check_part(tag: int, content: bytes) -> None:
    """Refuses a part's content, other than a body's or operations', that is not canonical."""
    reader = Reader(content)
    if tag == SUBJECT:
        reader.text(1, MAX_KEY, "entity")
        reader.optional(lambda: [reader.name(0, "stage") for _ in range(2)])
    elif tag == ACTORS:
        reader.name(0, "planner")
        reader.optional(lambda: _judge(reader))
        reader.name(0, "executor")
    elif tag == EVIDENCE:
        reader.items(1, MAX_ITEMS, lambda: _evidence(reader), "evidence")
    elif tag == EFFECTS:
        reader.items(1, MAX_ITEMS, lambda: _effect(reader), "effects")
    elif tag == CONTEXT:
        reader.text(0, MAX_TEXT, "reason")
        if _embedded_value(reader) != value.MAP:
            raise Malformed("context: its data is not a map")
    reader.finish()


def _judge(reader: Reader) -> None:
    reader.name(1, "judge")
    _million(reader, "score")
    reader.optional(lambda: reader.take(8 + 64))


def _million(reader: Reader, what: str) -> None:
    number = reader.varint(32)
    if number > MILLION:
        raise Malformed(f"{what}: {number}, at most {MILLION} allowed")


def _evidence(reader: Reader) -> None:
    if reader.variant(2, "evidence") == 0:
        reader.varint(64)
    else:
        reader.text(1, MAX_TEXT, "URI")
        reader.take(32)


def _effect(reader: Reader) -> None:
    reader.name(1, "adapter")
    _embedded_value(reader)
    reader.optional(lambda: _embedded_value(reader))


def _embedded_value(reader: Reader) -> int:
    return value.check_value(reader.blob(value.MAX_BYTES, "value"))


def read_body(kind: int, content: bytes) -> Body | None:
    """Refuses a body that is not canonical; gives it where it says something about keys."""
    reader = Reader(content)
    body: Body | None = None
    if kind == GENESIS:
        body = _genesis(reader)
    elif kind == KEY:
        body = _key_change(reader)
    elif kind == POLICY:
        _policy(reader)
    elif kind == READING:
        reader.name(1, "metric")
        _reading(reader)
        reader.text(0, MAX_TEXT, "source")
    elif kind == KILL_SWITCH:
        body = _kill_switch(reader)
    elif kind == ROLLBACK_ROW:
        reader.varint(64)
        reader.take(32)
        reader.boolean()
    elif kind == OUTCOME:
        reader.varint(64)
        reader.varint(32)
        reader.boolean()
        reader.variant(4, "status")
        reader.text(0, MAX_TEXT, "detail")
    elif kind == SNAPSHOT:
        reader.varint(64)
        reader.take(32)
        reader.varint(64)
    elif kind == ERASURE:
        reader.items(1, MAX_ITEMS, lambda: _erased(reader), "erased items")
        reader.text(1, MAX_TEXT, "authority")
    elif kind == CALIBRATION:
        reader.name(1, "metric")
        _million(reader, "quantile")
        if not ascends(reader.items(1, MAX_PART, lambda: reader.varint(64), "rows")):
            raise Malformed("calibration: rows do not ascend")
        _reading(reader)
    else:
        raise Malformed("a decision has no body")
    reader.finish()
    return body


def _genesis(reader: Reader) -> Genesis:
    version = reader.varint(16)
    if version != 1:
        raise Malformed(f"genesis: format {version}")
    origin = reader.text(1, 255, "origin")
    if _ORIGIN_FORBIDDEN & set(origin):
        raise Malformed("origin: a character that may not stand there")
    genesis = Genesis(origin, reader.take(32), reader.take(32))
    _policy(reader)
    return genesis


def _key_change(reader: Reader) -> KeyChange:
    variant = reader.variant(3, "key change")
    if variant == 0:
        key, roles = reader.take(32), reader.u8()
        if not 1 <= roles <= 0x7F:
            raise Malformed(f"roles: {roles:#04x}")
        return Grant(key, roles, reader.name(1, "name of a key"))
    if variant == 1:
        return Rotate(reader.take(8), reader.take(32))
    revoke = Revoke(reader.take(8))
    reader.optional(lambda: reader.signed(64))
    reader.text(0, MAX_TEXT, "reason")
    return revoke


def _kill_switch(reader: Reader) -> KillSwitch:
    act, engaged = reader.variant(4, "act"), reader.boolean()
    if act < 2 and engaged != (act == 0):
        raise Malformed("kill switch: said to be in the other position")
    switch = KillSwitch(reader.take(8))
    reader.text(0, MAX_TEXT, "reason")
    return switch


def _policy(reader: Reader) -> None:
    version = reader.u8()
    if version != 1:
        raise Malformed(f"policy: version {version}")
    live = reader.items(0, MAX_ITEMS, lambda: _pattern(reader), "live")
    if not ascends(live):
        raise Malformed("policy: patterns do not ascend")
    size = reader.varint(64)
    if not 4096 <= size <= 2**32:
        raise Malformed(f"policy: segments of {size} bytes")


def _pattern(reader: Reader) -> bytes:
    pattern = reader.name(1, "pattern")
    if "*" in pattern[:-1]:
        raise Malformed("pattern: a star before its end")
    return pattern.encode()


def _reading(reader: Reader) -> None:
    reader.signed(128)
    scale = reader.u8()
    if scale > value.MAX_SCALE:
        raise Malformed(f"reading: scale {scale}, at most {value.MAX_SCALE} allowed")


def _erased(reader: Reader) -> None:
    if reader.variant(2, "erased item") == 1:
        reader.take(32)
        return
    reader.varint(64)
    tag = reader.u8()
    if tag not in (SUBJECT, ACTORS, EVIDENCE, EFFECTS, CONTEXT):
        raise Malformed(f"erasure: part {tag} cannot be erased")
