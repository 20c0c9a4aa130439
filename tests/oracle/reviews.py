"""Review rows: what they settle, and what they must not do (FORMAT.md, section 22)."""

from __future__ import annotations

import kinds
import row as rows
from bodies import APPROVE, REJECT, KillSwitch, Review
from entry import Entry
from history import History, applied
from row import Unknown

#: The parts that an approval has from the decision that it approves.
_SAME = (kinds.SUBJECT, kinds.ACTORS, kinds.EVIDENCE, kinds.OPS, kinds.EFFECTS)


def is_approval(entry: Entry) -> bool:
    """Whether a row approves a decision."""
    if entry.head.kind != kinds.REVIEW:
        return False
    return entry.row.said(Review).verdict == APPROVE


def reviewed(entry: Entry, history: History) -> Entry | None:
    """The decision that a review row is about; None when there is no such one."""
    review = entry.row.said(Review)
    if review.row >= entry.number:
        return None
    other = history.at(review.row)
    decided = other.head.kind == kinds.DECISION and other.head.live
    put_aside = decided and other.landing.outcome == rows.REVIEW
    return other if put_aside and other.row.stored_hash == review.row_hash else None


def faults(entry: Entry, history: History) -> list[str]:
    """How a review row breaks section 22, as far as it can be seen without its policy."""
    review = entry.row.said(Review)
    found = []
    if review.verdict == REJECT and (entry.row.has(kinds.OPS) or entry.row.has(kinds.EFFECTS)):
        found.append("review: it rejects, and has ops or effects")
    decision = reviewed(entry, history)
    if decision is None:
        message = f"review: row {review.row} is no live decision of this hash that was put aside"
        found.append(message)
    elif entry.head.action != decision.head.action:
        found.append("review: another action than that of the decision")
    elif review.verdict == APPROVE:
        found += _differences(entry, decision)
    return found


def _differences(entry: Entry, decision: Entry) -> list[str]:
    """In what an approval is another row than the decision."""
    ours, theirs = entry.head, decision.head
    found = []
    if (ours.tier, ours.live) != (theirs.tier, theirs.live):
        found.append("review: another tier or mode than that of the decision")
    for tag in _SAME:
        if entry.row.commitments.get(tag) != decision.row.commitments.get(tag):
            found.append(f"review: another {kinds.PART_NAMES[tag]} part than the decision has")
    return found


def not_separate(entry: Entry, history: History) -> bool:
    """Whether an approval is by the author of the decision, which `separation` forbids.

    One author is one key, or keys that are enrolled under one name.
    """
    if not is_approval(entry):
        return False
    decision = reviewed(entry, history)
    if decision is None:
        return False
    if decision.head.author != entry.head.author:
        names = decision.author_name(), entry.author_name()
        if None in names or names[0] != names[1]:
            return False
    policy = entry.standing.policy
    if policy is None:
        raise Unknown("the policy in force is not known")
    return policy.separation


def approves(entry: Entry) -> bool:
    """Whether a review row approves, which its parts tell where its body is closed."""
    if isinstance(entry.row.body, Review):
        return entry.row.body.verdict == APPROVE
    return entry.row.has(kinds.OPS) or entry.row.has(kinds.EFFECTS)


def _settles(entry: Entry, row: int) -> bool:
    """Whether a row settles another."""
    if applied(entry, kinds.REVIEW):
        return entry.row.said(Review).row == row
    if not applied(entry, kinds.KILL_SWITCH) or entry.through is False:
        return False
    drill = entry.row.said(KillSwitch).drill
    if drill is None or drill[1] != row:
        return False
    if entry.through is None:
        raise Unknown(f"whether the drill that ends in row {entry.number} was on")
    return True


def settled(entry: Entry, history: History) -> bool:
    """Whether an earlier review, or the end of a drill, has settled what a review row is about."""
    row = entry.row.said(Review).row
    doubt: Unknown | None = None
    try:
        for other in history.backwards():
            if other.number == row:
                break
            try:
                if _settles(other, row):
                    return True
            except Unknown as error:
                doubt = error
    except Unknown as error:
        doubt = error
    if doubt is not None:
        raise doubt
    return False
