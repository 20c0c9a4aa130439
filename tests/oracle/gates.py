"""The gates: why a row must be put aside (FORMAT.md, section 21).

Each gate says whether its reason holds, and raises `Unknown` where what it needs cannot be seen.
The kill switch is no gate here: `switch.py` has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import drills
import kinds
import limits
import parts
import row as rows
from entry import Entry
from history import History, reading
from number import Number
from operations import TRANSITION
from policy import Metric, Policy, Rule, matches
from row import Reason, Reversibility, Row, Unknown
from state import Fails, State

#: Confidence by the number of a tier: unstated, A, B, C.
_CONFIDENCE = (0, 3, 2, 1)

#: What an approval lets pass, where the approved row was put aside for it.
WAIVED = frozenset(
    (
        Reason.UNKNOWN_ACTION,
        Reason.TIER_TOO_LOW,
        Reason.JUDGE_MISSING,
        Reason.JUDGE_BELOW_FLOOR,
        Reason.ATTESTATION_MISSING,
        Reason.METRIC_MISSING,
        Reason.METRIC_UNCALIBRATED,
        Reason.METRIC_BELOW_FLOOR,
        Reason.COUNT_LIMIT,
        Reason.SUM_LIMIT,
        Reason.IRREVERSIBLE,
        Reason.UNPROVEN,
    )
)


@dataclass(frozen=True)
class Case:
    """A row that is asked: a decision, or an approval with the decision that it approves."""

    entry: Entry
    decision: Entry
    policy: Policy
    rule: Rule | None
    history: History
    state: State | None

    @property
    def row(self) -> Row:
        """The row itself."""
        return self.entry.row


def rule_for(policy: Policy, action: str) -> Rule | None:
    """The rule for an action: its own, else the one with the longest prefix."""
    found: Rule | None = None
    for rule in policy.rules:
        if rule.pattern == action:
            return rule
        if rule.pattern.endswith("*") and matches(rule.pattern, action):
            if found is None or len(rule.pattern.encode()) > len(found.pattern.encode()):
                found = rule
    return found


def ask(case: Case) -> frozenset[Reason]:
    """The reasons of the gates that hold."""
    return frozenset(reason for reason, holds in _GATES if holds(case))


def operations_fail(row: Row, state: State | None) -> frozenset[Reason]:
    """The reason with which the operations of a row fail, if they do."""
    operations = row.operations()
    if not operations:
        return frozenset()
    if state is None:
        raise Unknown("the state is not known")
    try:
        state.try_out(operations)
    except Fails as failure:
        return frozenset((failure.reason,))
    return frozenset()


def reversibility(entry: Entry) -> Reversibility:
    """Whether and how a row can be taken back."""
    landed_at = entry.landing.landed_at
    rank, times = rows.EXACT, []
    for effect in entry.row.effects():
        if effect.undo == parts.REQUEST:
            own = rows.DECLARED
        elif effect.undo == parts.COMPENSATE:
            own = rows.COMPENSATING
        elif effect.until is not None and effect.until > landed_at:
            own = rows.WINDOW
            times.append(effect.until)
        else:
            own = rows.NONE
        rank = max(rank, own)
    return Reversibility(rank, min(times) if rank == rows.WINDOW else None)


def _unknown_action(case: Case) -> bool:
    return case.rule is None


def _live_not_allowed(case: Case) -> bool:
    return case.rule is not None and case.entry.head.live and not case.rule.live


def _tier_too_low(case: Case) -> bool:
    if case.rule is None:
        return False
    return _CONFIDENCE[case.entry.head.tier] < _CONFIDENCE[case.rule.tier]


def _judge(case: Case) -> parts.Judge | None:
    actors = case.row.actors()
    return None if actors is None else actors.judge


def _judge_missing(case: Case) -> bool:
    rule = case.rule
    if rule is None or (rule.judge_floor is None and not rule.attested):
        return False
    return _judge(case) is None


def _judge_below_floor(case: Case) -> bool:
    if case.rule is None or case.rule.judge_floor is None:
        return False
    judge = _judge(case)
    return judge is not None and judge.score < case.rule.judge_floor


def _judge_not_separate(case: Case) -> bool:
    if case.rule is None or not case.policy.separation:
        return False
    actors = case.row.actors()
    if actors is None or actors.judge is None:
        return False
    approval = case.decision is not case.entry
    if approval and Reason.JUDGE_NOT_SEPARATE in case.decision.landing.reasons:
        return True
    judge = actors.judge
    signed = judge.attestation is not None and judge.attestation[0] == case.decision.head.author
    return signed or judge.by == actors.planner or judge.by == case.entry.author_name()


def _attestation_missing(case: Case) -> bool:
    if case.rule is None or not case.rule.attested:
        return False
    judge = _judge(case)
    return judge is not None and judge.attestation is None


def _move_not_allowed(case: Case) -> bool:
    if case.policy.moves is None:
        return False
    moved = [op for op in case.row.operations() if op.tag == TRANSITION]
    if not moved:
        return False
    if case.state is None:
        raise Unknown("the state is not known")
    stages: dict[str, str] = {}
    for operation in moved:
        stage = stages.get(operation.key, case.state.stage(operation.key))
        if (stage, operation.stage) not in case.policy.moves:
            return True
        stages[operation.key] = operation.stage
    return False


def _serving(case: Case, metric: str) -> tuple[list[Number], Unknown | None]:
    """The readings of a metric that the row rests on, and why there may be more of them."""
    values, doubt = [], None
    for number in case.row.cited():
        if number >= case.entry.number:
            continue
        try:
            cited = case.history.at(number)
            found = reading(cited)
            if found is None or found.metric != metric:
                continue
            if _serves(cited.row, case.row):
                values.append(found.value)
        except Unknown as error:
            doubt = Unknown(f"evidence row {number}: {error}")
    return values, doubt


def _serves(cited: Row, row: Row) -> bool:
    """Whether a reading is of no entity, or of the same one as the row."""
    if not cited.has(kinds.SUBJECT):
        return True
    return row.has(kinds.SUBJECT) and cited.entity() == row.entity()


def _any_metric(case: Case, holds: Callable[[Case, Metric], bool]) -> bool:
    """Whether something holds for a metric of the rule."""
    doubt: Unknown | None = None
    for metric in case.rule.metrics if case.rule else ():
        try:
            if holds(case, metric):
                return True
        except Unknown as error:
            doubt = error
    if doubt is not None:
        raise doubt
    return False


def _without_reading(case: Case, metric: Metric) -> bool:
    values, doubt = _serving(case, metric.name)
    if not values and doubt is not None:
        raise doubt
    return not values


def _without_calibration(case: Case, metric: Metric) -> bool:
    return metric.floor is None and case.history.threshold(metric.name) is None


def _below_floor(case: Case, metric: Metric) -> bool:
    values, doubt = _serving(case, metric.name)
    if not values and doubt is None:
        return False
    floor = metric.floor or case.history.threshold(metric.name)
    if floor is None:
        return False
    if any(value.worth < floor.worth for value in values):
        return True
    if doubt is not None:
        raise doubt
    return False


def _count_limit(case: Case) -> bool:
    return limits.count_is_full(case.entry.standing.limits, case.history, case.entry)


def _sum_limit(case: Case) -> bool:
    return limits.sum_is_full(case.entry.standing.limits, case.history, case.entry)


def _irreversible(case: Case) -> bool:
    if case.rule is None or case.rule.reach == rows.NONE:
        return False
    return reversibility(case.entry).rank > case.rule.reach


def _unproven(case: Case) -> bool:
    if case.rule is None or case.rule.proven is None:
        return False
    rank = reversibility(case.entry).rank
    if rank == rows.NONE:
        return True
    begin = case.entry.landing.landed_at - case.rule.proven
    return not drills.is_proven(rank, begin, case.entry, case.history)


_GATES: Sequence[tuple[Reason, Callable[[Case], bool]]] = (
    (Reason.UNKNOWN_ACTION, _unknown_action),
    (Reason.LIVE_NOT_ALLOWED, _live_not_allowed),
    (Reason.TIER_TOO_LOW, _tier_too_low),
    (Reason.JUDGE_MISSING, _judge_missing),
    (Reason.JUDGE_BELOW_FLOOR, _judge_below_floor),
    (Reason.JUDGE_NOT_SEPARATE, _judge_not_separate),
    (Reason.ATTESTATION_MISSING, _attestation_missing),
    (Reason.MOVE_NOT_ALLOWED, _move_not_allowed),
    (Reason.METRIC_MISSING, lambda case: _any_metric(case, _without_reading)),
    (Reason.METRIC_UNCALIBRATED, lambda case: _any_metric(case, _without_calibration)),
    (Reason.METRIC_BELOW_FLOOR, lambda case: _any_metric(case, _below_floor)),
    (Reason.COUNT_LIMIT, _count_limit),
    (Reason.SUM_LIMIT, _sum_limit),
    (Reason.IRREVERSIBLE, _irreversible),
    (Reason.UNPROVEN, _unproven),
)
