"""The kill switch and its drills (V18; FORMAT.md, sections 20 to 22)."""

from __future__ import annotations

from dataclasses import dataclass

import kinds
import reviews
import row as rows
from bodies import DRILL, HAND_OVER, KillSwitch
from chains import chain_of
from entry import Entry
from history import History
from report import Report
from row import Reason, Unknown


@dataclass(frozen=True)
class Position:
    """How the switch is set, and by which row."""

    row: int = 0
    engaged: bool = False
    drill: bool = False


class Switch:
    """The switch in front of a row; what is None is not known."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.position: Position | None = Position()
        #: When the last drill ended; before the first one, when row 0 landed.
        self.drilled_at: int | None = None
        #: Whether it was reported already that a drill is overdue.
        self.reported = False

    def stops(self, entry: Entry, history: History) -> bool:
        """Whether the switch stops a row."""
        if not entry.head.live or (self.position is not None and not self.position.engaged):
            return False
        if not _acts(entry, history):
            return False
        if self.position is None:
            raise Unknown("whether the kill switch is engaged is not known")
        return True

    def check(self, entry: Entry, history: History) -> None:
        """Checks what a row says of the switch, its drill, and whether one is overdue."""
        self._stamps(entry, history)
        self._overdue(entry)
        if entry.head.kind == kinds.KILL_SWITCH:
            self._turn(entry, history)
        if entry.number == 0:
            self.drilled_at = entry.landing.landed_at

    def lost(self) -> None:
        """Notes that rows were not read."""
        self.position = self.drilled_at = None

    def _stamps(self, entry: Entry, history: History) -> None:
        judge, skip, place = self.report.judge, self.report.skip, entry.place
        landing = entry.landing
        if self.position is None:
            skip("V18", "which row set the kill switch is not known", place)
        else:
            message = f"kill_switch_row is {self.position.row}, it says {landing.kill_switch_row}"
            judge("V18", landing.kill_switch_row == self.position.row, message, place)
        try:
            stops = self.stops(entry, history)
        except Unknown as error:
            skip("V18", str(error), place)
            return
        stamped = Reason.KILL_SWITCH in landing.reasons
        message = "the kill switch was engaged" if stops else "the kill switch did not stop it"
        judge("V18", stamped == stops, message, place)

    def _overdue(self, entry: Entry) -> None:
        if entry.number == 0 or self.reported:
            return
        policy = entry.standing.policy
        if policy is None:
            self.report.skip("V18", "whether a drill is due is not known", entry.place)
            return
        if policy.drill_period is None:
            return
        if self.drilled_at is None:
            self.report.skip("V18", "when the last drill ended is not known", entry.place)
            return
        due = self.drilled_at + policy.drill_period
        if not self.report.judge(
            "V18", entry.landing.landed_at <= due, f"a drill was due at {due}", entry.place
        ):
            self.reported = True

    def _turn(self, entry: Entry, history: History) -> None:
        """Takes over what a kill-switch row says, if it goes through."""
        applied = entry.landing.outcome == rows.APPLIED
        try:
            body = entry.row.said(KillSwitch)
            stands = self._stands(entry, body, history)
            if stands and entry.through is None:
                raise Unknown("whether it goes through is not known")
        except Unknown as error:
            self.report.skip("V18", str(error), entry.place)
            if entry.through is not False:
                entry.through = None
                if applied:
                    self.lost()
            return
        entry.through = stands and entry.through
        if not applied or not entry.through:
            return
        self.position = Position(entry.number, body.engaged, body.act == DRILL)
        if body.drill is not None:
            self.drilled_at = entry.landing.landed_at
            self.reported = False

    def _stands(self, entry: Entry, body: KillSwitch, history: History) -> bool:
        """Whether a row goes through as far as the position of the switch tells."""
        if body.drill is not None:
            return self._ends(entry, body.drill, history)
        if body.act not in (DRILL, HAND_OVER):
            return True
        if self.position is None:
            raise Unknown("how the kill switch is set is not known")
        if body.act == DRILL:
            message, holds = "drill: the switch is engaged already", not self.position.engaged
        else:
            message = "hand-over: it moves the switch"
            holds = self.position.engaged == body.engaged
        return self.report.judge("V18", holds, message, entry.place)

    def _ends(self, entry: Entry, drill: tuple[int, int], history: History) -> bool:
        """Whether the end of a drill goes through, which its probe does not hinder if earlier."""
        began, probe = drill
        earlier = probe < entry.number
        try:
            stopped = earlier and _is_probe(history.at(probe), began)
        except Unknown as error:
            self.report.skip("V18", str(error), entry.place)
        else:
            message = f"drill: row {probe} is no decision that it stopped"
            self.report.judge("V18", stopped, message, entry.place)
        if self.position is None:
            if not earlier:
                return False
            raise Unknown("whether a drill is on is not known")
        on = self.position == Position(began, engaged=True, drill=True)
        message = f"drill: the switch is not engaged by a drill that began in row {began}"
        return self.report.judge("V18", on, message, entry.place) and earlier


def _acts(entry: Entry, history: History) -> bool:
    """Whether a row does what an engaged switch stops when it is live."""
    if entry.head.kind == kinds.REVIEW:
        return reviews.approves(entry)
    if entry.head.kind == kinds.ROLLBACK_ROW:
        return chain_of(entry, history).whole().brings_back
    return entry.head.kind == kinds.DECISION


def _is_probe(entry: Entry, began: int) -> bool:
    """Whether a row is a live decision that a drill put aside."""
    landing = entry.landing
    stopped = landing.outcome == rows.REVIEW and Reason.KILL_SWITCH in landing.reasons
    decided = entry.head.kind == kinds.DECISION and entry.head.live
    return decided and stopped and landing.kill_switch_row == began
