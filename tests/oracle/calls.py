"""Calls: effects that rows call for, and how they went (V19; FORMAT.md, section 22)."""

from __future__ import annotations

from dataclasses import dataclass, field

import kinds
import reviews
import row as rows
from bodies import CLOSED, DONE, FAILED, INTENDED, UNKNOWN, Outcome, Rollback
from entry import Entry
from history import History, applied
from report import Report
from row import Unknown

STATUS_NAMES = ("intended", "done", "failed", "unknown", "closed")

#: None is the status of a call of which nothing was said yet.
Status = int | None

_FROM_NONE = frozenset((INTENDED, DONE, FAILED, UNKNOWN, CLOSED))
_FROM_NONE_IN_ROLLBACK = frozenset((INTENDED, CLOSED))
_FROM = {
    INTENDED: frozenset((DONE, FAILED, UNKNOWN)),
    FAILED: frozenset((INTENDED, CLOSED)),
    UNKNOWN: frozenset((INTENDED, DONE, FAILED, CLOSED)),
    DONE: frozenset[int](),
    CLOSED: frozenset[int](),
}
#: As many steps as it takes to come to every status that can be come to.
_MOST_STEPS = 4


@dataclass
class Call:
    """A call, with every status at which it may stand: one, where nothing is withheld."""

    caller: Entry
    effect: int
    #: Whether an applied rollback row lists it.
    listed: bool
    may_be: set[Status] = field(default_factory=lambda: {None})

    def steps(self, status: Status) -> frozenset[int]:
        """The statuses that may follow one."""
        if status is not None:
            return _FROM[status]
        rollback = self.caller.head.kind == kinds.ROLLBACK_ROW
        return _FROM_NONE_IN_ROLLBACK if rollback else _FROM_NONE

    def goes(self, status: int) -> bool:
        """Whether a status may follow."""
        goes = {status in self.steps(before) for before in self.may_be}
        if len(goes) > 1:
            raise Unknown(f"how the call {self} stands is not known")
        return goes.pop()

    def move(self, status: int) -> None:
        """Goes on to a status, from where that goes."""
        self.may_be = {status if status in self.steps(old) else old for old in self.may_be}

    def blur(self, steps: int) -> None:
        """Notes that it may have gone on unseen, so many steps at most."""
        for _ in range(steps):
            self.may_be |= {new for old in self.may_be for new in self.steps(old)}

    def open_ends(self) -> set[Status]:
        """The statuses at which it must not stand in the end."""
        return {INTENDED, None} if self.listed else {INTENDED}

    def __str__(self) -> str:
        return f"{self.caller.number}/{self.effect}"


class Calls:
    """The calls so far."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self._calls: dict[tuple[int, int], Call] = {}
        self._lost = False
        #: Calls of rows below this one may have gone on unseen.
        self._dark = 0

    def lost(self) -> None:
        """Notes that rows were not read."""
        self._lost = True

    def check(self, entry: Entry, history: History) -> None:
        """Checks an outcome row; notes what a rollback row calls for."""
        if self._lost:
            self._blur(entry.number, _MOST_STEPS)
            self._lost = False
        if entry.head.kind == kinds.OUTCOME:
            try:
                self._outcome(entry, entry.row.said(Outcome), history)
            except Unknown as error:
                self.report.skip("V19", f"outcome: {error}", entry.place)
                if entry.row.body is None and entry.landing.outcome == rows.APPLIED:
                    self._blur(entry.number, 1)
        elif applied(entry, kinds.ROLLBACK_ROW):
            try:
                for effect in entry.row.said(Rollback).effects:
                    self._calls[entry.number, effect] = Call(entry, effect, listed=True)
            except Unknown as error:
                self.report.skip("V19", f"what it calls for: {error}", entry.place)

    def finish(self) -> None:
        """Checks at which statuses the calls stand at the end of the log."""
        if self._lost:
            self._blur(2**64, _MOST_STEPS)
        for call in self._calls.values():
            ends = call.open_ends()
            message = f"call {call}: nothing says how it went"
            if call.may_be <= ends:
                self.report.fail("V19", message, call.caller.place)
            elif call.may_be & ends:
                self.report.skip("V19", message + ", as far as is known", call.caller.place)

    def _outcome(self, entry: Entry, body: Outcome, history: History) -> None:
        judge, place = self.report.judge, entry.place
        caller = history.at(body.row) if body.row < entry.number else None
        message = f"outcome: row {body.row} is no earlier row that calls for anything"
        if not judge("V19", caller is not None and _calls(caller), message, place):
            return
        assert caller is not None
        doubt: Unknown | None = None
        if entry.head.author != caller.head.author:
            if entry.by_operator is None:
                doubt = Unknown("whether its author is an operator")
            elif not judge("V19", entry.by_operator, "outcome: of another's row, by no operator", place):
                return
        try:
            message = f"outcome: row {body.row} does not call for effect {body.effect}"
            if not judge("V19", _calls_for(caller, body.effect), message, place):
                return
        except Unknown as error:
            doubt = error
        call = self._call(caller, body.effect)
        try:
            message = f"outcome: {STATUS_NAMES[body.status]} does not follow in call {call}"
            judge("V19", call.goes(body.status), message, place)
        except Unknown as error:
            doubt = error
        if entry.landing.outcome == rows.APPLIED:
            call.move(body.status)
        if doubt is not None:
            raise doubt

    def _call(self, caller: Entry, effect: int) -> Call:
        """A call, which is noted when something is said of it for the first time."""
        name = caller.number, effect
        if name not in self._calls:
            call = self._calls[name] = Call(caller, effect, listed=False)
            if caller.number < self._dark:
                call.blur(_MOST_STEPS)
        return self._calls[name]

    def _blur(self, row: int, steps: int) -> None:
        self._dark = max(self._dark, row)
        for call in self._calls.values():
            call.blur(steps)


def _calls(entry: Entry) -> bool:
    """Whether a row is one that calls for its effects, or for those that it lists."""
    if entry.landing.outcome != rows.APPLIED:
        return False
    if entry.head.kind == kinds.REVIEW:
        return reviews.approves(entry)
    return entry.head.kind in (kinds.DECISION, kinds.ROLLBACK_ROW)


def _calls_for(entry: Entry, effect: int) -> bool:
    """Whether a row that calls calls for an effect."""
    if entry.head.kind == kinds.ROLLBACK_ROW:
        return effect in entry.row.said(Rollback).effects
    return effect < len(entry.row.effects())
