"""Rollback rows, and what must hold for them to be admitted (V17; FORMAT.md, section 22)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import kinds
import parts
import reviews
import row as rows
from bodies import FORCED, PARTIAL, Rollback
from chains import MAX_ROLLBACKS, Chain, chain_of
from entry import Entry
from history import History
from operations import UNGUARDED, Guard, Operation
from report import Report
from row import Unknown
from taken import Taken


@dataclass(frozen=True)
class Case:
    """A rollback row with its target, and the chain that begins with it."""

    entry: Entry
    body: Rollback
    target: Entry
    chain: Chain
    taken: Taken


class Rollbacks:
    """The rollback rows so far; those of any outcome are checked."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.taken = Taken()
        self._lost = False

    def lost(self) -> None:
        """Notes that rows were not read."""
        self._lost = True

    def check(self, entry: Entry, history: History) -> None:
        """Checks a row, if it takes another back, and notes what an applied one does."""
        if self._lost:
            self.taken.lost(entry.number)
            self._lost = False
        if entry.head.kind != kinds.ROLLBACK_ROW:
            return
        chain = chain_of(entry, history)
        try:
            self._rules(entry, chain, history)
        except Unknown as error:
            self.report.skip("V17", str(error), entry.place)
        if entry.landing.outcome == rows.APPLIED:
            entry.moved = self.taken.move(entry, chain)

    def _rules(self, entry: Entry, chain: Chain, history: History) -> None:
        body = entry.row.said(Rollback)
        message = f"rollback: row {body.target} is not before it"
        if not self.report.judge("V17", body.target < entry.number, message, entry.place):
            return
        case = Case(entry, body, history.at(body.target), chain, self.taken)
        for rule in _RULES:
            try:
                for message in rule(case):
                    self.report.fail("V17", f"rollback: {message}", entry.place)
            except Unknown as error:
                self.report.skip("V17", f"rollback: {error}", entry.place)


def _target(case: Case) -> Iterator[str]:
    """Rules 1 and 2: the target is named by its hash, was applied, and is of the right kind."""
    target, number = case.target, case.target.number
    if case.body.target_hash != target.row.stored_hash:
        yield f"row {number} has another hash"
    if target.landing.outcome != rows.APPLIED:
        yield f"row {number} was not applied"
    approval = target.head.kind == kinds.REVIEW and reviews.approves(target)
    if not approval and target.head.kind not in (kinds.DECISION, kinds.ROLLBACK_ROW):
        yield f"row {number} is no decision, approval or rollback"


def _force(case: Case) -> Iterator[str]:
    """Rule 3: whatever it takes out of force is in force, and the chain is not too long."""
    doubt = case.chain.doubt
    for target in case.chain.rows[::2]:
        try:
            if not case.taken.in_force(target.number):
                yield f"row {target.number} is taken back already"
        except Unknown as error:
            doubt = error
    if case.chain.too_long:
        yield f"more than {MAX_ROLLBACKS} rollback rows in its chain of targets"
    if doubt is not None:
        raise doubt


def _operations(case: Case) -> Iterator[str]:
    """Rule 4: its operations are the target's stored rollback."""
    stored = case.target.landing.rollback is not None
    if stored != case.entry.row.has(kinds.OPS):
        yield "its target has a rollback part" if stored else "its target has no rollback part"
        return
    partial = case.body.manner == PARTIAL
    theirs = case.target.row.stored_rollback() if stored else []
    keys = {operation.key for operation in theirs}
    if partial and len(keys) < 2:
        yield "partial, and there are no keys to leave out"
        return
    ours = case.entry.row.operations()
    if partial:
        kept = {operation.key for operation in ours}
        if kept == keys:
            yield "partial, and no key is left out"
        theirs = [operation for operation in theirs if operation.key in kept]
    if not _same(ours, theirs, case.body.manner == FORCED):
        yield f"other operations than row {case.target.number} stored"


def _same(ours: Sequence[Operation], theirs: Sequence[Operation], forced: bool) -> bool:
    """Whether operations are the same, where forced without any of the guards."""
    if len(ours) != len(theirs):
        return False
    for our, their in zip(ours, theirs, strict=True):
        guarded = our.guard == their.guard or (forced and our.guard.tag == UNGUARDED)
        if not guarded or _bare(our) != _bare(their):
            return False
    return True


def _bare(operation: Operation) -> Operation:
    """An operation without its guard, and whether its value is open or closed."""
    return replace(operation, guard=Guard(), value=None)


def _effects(case: Case) -> Iterator[str]:
    """Rule 5: it names effects of the base, and undoes none that cannot be undone."""
    if not case.body.effects:
        return
    chain = case.chain.whole()
    base = chain.rows[-1]
    effects = base.row.effects()
    for place in case.body.effects:
        if place >= len(effects):
            yield f"row {base.number} has no effect {place}"
        elif not chain.brings_back and not _undoable(effects[place], case.entry):
            yield f"effect {place} of row {base.number} cannot be undone"


def _undoable(effect: parts.Effect, entry: Entry) -> bool:
    """Whether an effect has an undo, and has it still."""
    if effect.until is not None:
        return entry.landing.landed_at < effect.until
    return effect.undo != parts.NEVER


_RULES: Sequence[Callable[[Case], Iterator[str]]] = (_target, _force, _operations, _effects)
