"""Policies, and the scopes of keys (FORMAT.md, section 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import kinds
from encoding import Malformed, Reader, ascends
from number import Number, read_number
from parts import MAX_ITEMS, million

MAX_LIMITS = 64
MAX_PREFIX = 1024
STORE, ENTITY = range(2)
_WRITING = kinds.OWNER | kinds.PLANNER | kinds.JUDGE | kinds.EXECUTOR | kinds.OPERATOR


@dataclass(frozen=True)
class Scope:
    """To which rows a key is confined."""

    actions: Sequence[str] = ()
    prefixes: Sequence[str] = ()
    start: int | None = None
    until: int | None = None

    def admits_time(self, landed_at: int) -> bool:
        """Whether a row that landed then may be the key's."""
        late = self.until is not None and landed_at >= self.until
        return not late and (self.start is None or landed_at >= self.start)

    def admits_action(self, action: str) -> bool:
        """Whether the key's decisions and reviews may have this action."""
        return not self.actions or any(matches(pattern, action) for pattern in self.actions)

    def admits_key(self, key: str) -> bool:
        """Whether the key's operations may touch this key of the state."""
        return not self.prefixes or any(key.startswith(prefix) for prefix in self.prefixes)


@dataclass(frozen=True)
class Metric:
    """A reading that an action must rest on; without a fixed floor its floor is calibrated."""

    name: str
    floor: Number | None


@dataclass(frozen=True)
class Rule:
    """What holds for the actions of a pattern."""

    pattern: str
    live: bool
    tier: int
    judge_floor: int | None
    attested: bool
    reach: int
    proven: int | None
    metrics: Sequence[Metric]


@dataclass(frozen=True)
class Sum:
    """The largest sum of a field."""

    field: str
    most: Number


@dataclass(frozen=True)
class Limit:
    """How much may be applied in a window."""

    actions: str
    per: int
    window: int
    count: int | None
    sum: Sum | None

    @property
    def identity(self) -> tuple[bytes, int, int, bytes]:
        """By what a later policy's limit is the same one; it is also the order of limits."""
        # A field is at least one byte long, so none sorts before any.
        field = self.sum.field.encode() if self.sum else b""
        return self.actions.encode(), self.per, self.window, field


@dataclass(frozen=True)
class Policy:
    """Who may write, what holds for actions, which moves go, and how much is allowed."""

    writers: dict[int, int]
    separation: bool
    rules: Sequence[Rule]
    moves: frozenset[tuple[str, str]] | None
    limits: Sequence[Limit]
    drill_period: int | None

    def roles_for(self, kind: int) -> int:
        """The roles of which a writer of a row needs one."""
        return self.writers.get(kind, kinds.WRITERS[kind])


def matches(pattern: str, action: str) -> bool:
    """Whether a pattern is the action, or has its beginning."""
    if pattern.endswith("*"):
        return action.startswith(pattern[:-1])
    return action == pattern


def read_pattern(reader: Reader) -> str:
    """A name with a star at most at its end."""
    pattern = reader.name(1, "pattern")
    if "*" in pattern[:-1]:
        raise Malformed("pattern: a star before its end")
    return pattern


def read_scope(reader: Reader) -> Scope:
    """The scope in a grant."""
    actions = reader.items(0, MAX_ITEMS, lambda: read_pattern(reader), "actions of a scope")
    prefixes = reader.items(
        0, MAX_ITEMS, lambda: reader.text(1, MAX_PREFIX, "prefix"), "prefixes of a scope"
    )
    for what, texts in (("actions", actions), ("prefixes", prefixes)):
        if not ascends([text.encode() for text in texts]):
            raise Malformed(f"scope: {what} do not ascend")
    start = reader.optional(lambda: reader.signed(64))
    until = reader.optional(lambda: reader.signed(64))
    if start is not None and until is not None and until <= start:
        raise Malformed("scope: it ends before it begins")
    return Scope(actions, prefixes, start, until)


def read_policy(reader: Reader) -> Policy:
    """A policy, as the body of a policy row or inside a genesis."""
    version = reader.u8()
    if version != 3:
        raise Malformed(f"policy: version {version}")
    writers = reader.items(0, MAX_ITEMS, lambda: _writer(reader), "writers")
    if not ascends([kind for kind, _ in writers]):
        raise Malformed("policy: writers do not ascend")
    separation = reader.boolean()
    rules = reader.items(0, MAX_ITEMS, lambda: _rule(reader), "action rules")
    if not ascends([rule.pattern.encode() for rule in rules]):
        raise Malformed("policy: action rules do not ascend")
    moves = reader.optional(lambda: _lifecycle(reader))
    limits = reader.items(0, MAX_LIMITS, lambda: _limit(reader), "limits")
    if not ascends([limit.identity for limit in limits]):
        raise Malformed("policy: limits do not ascend")
    drill_period = reader.optional(lambda: reader.signed(64))
    if drill_period is not None and drill_period <= 0:
        raise Malformed(f"policy: a drill period of {drill_period}")
    if reader.optional(lambda: reader.varint(64)) == 0:
        raise Malformed("policy: a snapshot after 0 rows")
    size = reader.varint(64)
    if not 4096 <= size <= 2**32:
        raise Malformed(f"policy: segments of {size} bytes")
    return Policy(dict(writers), separation, rules, moves, limits, drill_period)


def _writer(reader: Reader) -> tuple[int, int]:
    kind, roles = reader.variant(len(kinds.KIND_NAMES), "kind"), reader.u8()
    needed = 0
    if kind in (kinds.KEY, kinds.POLICY, kinds.ERASURE):
        needed = kinds.OWNER
    elif kind in (kinds.ROLLBACK_ROW, kinds.KILL_SWITCH, kinds.REVIEW):
        needed = kinds.OWNER | kinds.OPERATOR
    locked = needed and not roles & needed
    fixed = kind in (kinds.GENESIS, kinds.SNAPSHOT)
    if fixed or not roles or roles & ~_WRITING or locked:
        raise Malformed(f"writers: roles {roles:#04x} for kind {kinds.KIND_NAMES[kind]}")
    return kind, roles


def _rule(reader: Reader) -> Rule:
    pattern, live = read_pattern(reader), reader.boolean()
    reader.variant(2, "class")
    tier = reader.variant(4, "tier")
    judge_floor = reader.optional(lambda: million(reader, "judge floor"))
    attested, reach = reader.boolean(), reader.variant(5, "reach")
    proven = reader.optional(lambda: reader.signed(64))
    if proven is not None and proven <= 0:
        raise Malformed(f"action rule: proven for {proven}")
    metrics = reader.items(0, MAX_ITEMS, lambda: _metric(reader), "metrics of a rule")
    if not ascends([metric.name.encode() for metric in metrics]):
        raise Malformed("action rule: metrics do not ascend")
    return Rule(pattern, live, tier, judge_floor, attested, reach, proven, metrics)


def _metric(reader: Reader) -> Metric:
    name = reader.name(1, "metric")
    if reader.variant(2, "floor") == 1:
        return Metric(name, None)
    return Metric(name, read_number(reader, "floor"))


def _lifecycle(reader: Reader) -> frozenset[tuple[str, str]]:
    """The moves of a lifecycle."""
    stages = reader.items(1, MAX_ITEMS, lambda: reader.name(1, "stage"), "stages")
    moves = reader.items(
        1, MAX_ITEMS, lambda: (reader.name(0, "stage"), reader.name(0, "stage")), "moves"
    )
    if not ascends([stage.encode() for stage in stages]):
        raise Malformed("lifecycle: stages do not ascend")
    if not ascends([(start.encode(), end.encode()) for start, end in moves]):
        raise Malformed("lifecycle: moves do not ascend")
    known = {"", *stages}
    for start, end in moves:
        if start == end or not {start, end} <= known:
            raise Malformed(f"lifecycle: a move from {start!r} to {end!r}")
    return frozenset(moves)


def _limit(reader: Reader) -> Limit:
    actions, per = read_pattern(reader), reader.variant(2, "per")
    window = reader.signed(64)
    count = reader.optional(lambda: reader.varint(32))
    total = reader.optional(lambda: Sum(reader.name(1, "field"), read_number(reader, "sum")))
    if window <= 0:
        raise Malformed(f"limit: a window of {window}")
    if count == 0 or (total is not None and total.most.mantissa < 0):
        raise Malformed("limit: a count of 0 or a sum below 0")
    if count is None and total is None:
        raise Malformed("limit: neither a count nor a sum")
    return Limit(actions, per, window, count, total)
