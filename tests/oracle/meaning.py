"""The pass over what rows mean: V14, V16 to V19, and V23.

Every row is decided again from the rows in front of it (FORMAT.md, sections 20 to 22). Rows are
taken at their word for what they changed: what is stamped applied counts for what follows, also
where it should not have been.
"""

from __future__ import annotations

from collections.abc import Callable

import calibrations
import gates
import kinds
import reviews
import row as rows
import snapshots
from calls import Calls
from entry import Entry
from history import History
from report import MEANING, Report
from rollbacks import Rollbacks
from row import Reason, Unknown
from state import State
from switch import Switch


class Meaning:
    """What rows mean, as far as they were read."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.history = History()
        self.switch = Switch(report)
        self.rollbacks = Rollbacks(report)
        self.calls = Calls(report)
        #: None once it is not known.
        self.state: State | None = State()

    def lost(self) -> None:
        """Notes that rows were not read here."""
        for check in MEANING:
            self.report.skip(check, "rows were not read")
        self.history.lost()
        self.switch.lost()
        self.rollbacks.lost()
        self.calls.lost()
        self.state = None

    def see(self, entry: Entry) -> None:
        """Checks the next row."""
        self.report.ran.update(MEANING)
        # A genesis that is none of row 0, or stamped wrongly, is a fault of V09 alone.
        if entry.head.kind != kinds.GENESIS:
            self._decide(entry)
        self.switch.check(entry, self.history)
        self.rollbacks.check(entry, self.history)
        self.calls.check(entry, self.history)
        if entry.head.kind == kinds.CALIBRATION:
            self._faults("V23", entry, calibrations.faults)
        if entry.head.kind == kinds.SNAPSHOT:
            self._faults("V16", entry, snapshots.faults)
        self._move_on(entry)
        self.history.add(entry)

    def finish(self) -> None:
        """Checks what must hold at the end of the log."""
        self.calls.finish()

    def _decide(self, entry: Entry) -> None:
        """Decides a row again, and holds its stamps against that."""
        self._policy_row(entry)
        self._reversibility(entry)
        expected = None
        if entry.head.kind != kinds.REVIEW or self._review(entry):
            expected = self._compare_reasons(entry)
        self._outcome(entry, expected)

    def _policy_row(self, entry: Entry) -> None:
        expected, stamped = entry.standing.row, entry.landing.policy_row
        if expected is None:
            self.report.skip("V14", "which row set the policy is not known", entry.place)
            return
        message = f"policy_row is {expected}, it says {stamped}"
        self.report.judge("V14", stamped == expected, message, entry.place)

    def _reversibility(self, entry: Entry) -> None:
        try:
            expected = gates.reversibility(entry)
        except Unknown as error:
            self.report.skip("V14", f"reversibility: {error}", entry.place)
            return
        stamped = entry.landing.reversibility
        message = f"reversibility is {expected}, it says {stamped}"
        self.report.judge("V14", stamped == expected, message, entry.place)

    def _review(self, entry: Entry) -> bool:
        """Checks a review row against section 22; gives whether it can be decided again."""
        sound = True
        try:
            for message in reviews.faults(entry, self.history):
                sound = self.report.judge("V14", False, message, entry.place)
        except Unknown as error:
            self.report.skip("V14", str(error), entry.place)
            return False
        try:
            message = "review: its row was settled before"
            settled = reviews.settled(entry, self.history)
            sound &= self.report.judge("V14", not settled, message, entry.place)
            message = "review: the author approves a row of its own"
            own = reviews.not_separate(entry, self.history)
            sound &= self.report.judge("V14", not own, message, entry.place)
        except Unknown as error:
            self.report.skip("V14", str(error), entry.place)
        return sound

    def _compare_reasons(self, entry: Entry) -> frozenset[Reason] | None:
        """Compares the reasons other than the kill switch; gives them, or None if not known."""
        try:
            expected = self._reasons(entry)
        except Unknown as error:
            self.report.skip("V14", f"outcome: {error}", entry.place)
            return None
        stamped = entry.landing.reasons - {Reason.KILL_SWITCH}
        message = f"reasons are {_names(expected)}, it says {_names(stamped)}"
        self.report.judge("V14", stamped == expected, message, entry.place)
        return expected

    def _outcome(self, entry: Entry, expected: frozenset[Reason] | None) -> None:
        """Compares the outcome with the reasons, which are the stamped ones where unknown.

        The kill switch stops what is stamped so: whether rightly is asked by V18.
        """
        stamped = entry.landing.reasons
        reasons = stamped if expected is None else expected | stamped & {Reason.KILL_SWITCH}
        outcome = rows.APPLIED if entry.head.live else rows.DRY_RUN
        if reasons:
            outcome = rows.REVIEW
        names = rows.OUTCOME_NAMES
        message = f"the outcome is {names[outcome]}, it says {names[entry.landing.outcome]}"
        self.report.judge("V14", entry.landing.outcome == outcome, message, entry.place)

    def _reasons(self, entry: Entry) -> frozenset[Reason]:
        """Why the row must be put aside, the kill switch left out."""
        fails = gates.operations_fail(entry.row, self.state)
        if entry.head.kind == kinds.DECISION:
            return fails | self._asked(entry, entry)
        if not reviews.is_approval(entry):
            return fails
        decision = reviews.reviewed(entry, self.history)
        assert decision is not None, "an approval of nothing is not decided again"
        asked = self._asked(entry, decision)
        return fails | asked - (gates.WAIVED & decision.landing.reasons)

    def _asked(self, entry: Entry, decision: Entry) -> frozenset[Reason]:
        policy = entry.standing.policy
        if policy is None:
            raise Unknown("the policy in force is not known")
        rule = gates.rule_for(policy, entry.head.action)
        return gates.ask(gates.Case(entry, decision, policy, rule, self.history, self.state))

    def _faults(
        self, check: str, entry: Entry, faults: Callable[[Entry, History], list[str]]
    ) -> None:
        try:
            for message in faults(entry, self.history):
                self.report.judge(check, False, message, entry.place)
        except Unknown as error:
            self.report.skip(check, str(error), entry.place)

    def _move_on(self, entry: Entry) -> None:
        """Carries out the operations of an applied row."""
        if entry.landing.outcome != rows.APPLIED or self.state is None:
            return
        try:
            self.state.apply(entry.row.operations())
        except Unknown:
            self.state = None


def _names(reasons: frozenset[Reason]) -> str:
    return ", ".join(str(reason) for reason in sorted(reasons)) or "none"
