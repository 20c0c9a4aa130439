"""Kinds of rows, tags of parts, and roles of keys (FORMAT.md, sections 5, 9 and 19)."""

from __future__ import annotations

SUBJECT, ACTORS, EVIDENCE, OPS, EFFECTS, CONTEXT, BODY, ROLLBACK = range(8)
PART_NAMES = ("subject", "actors", "evidence", "ops", "effects", "context", "body", "rollback")

(
    GENESIS, KEY, POLICY, DECISION, READING, KILL_SWITCH, ROLLBACK_ROW, OUTCOME, SNAPSHOT, ERASURE,
    CALIBRATION, REVIEW,
) = range(12)  # fmt: skip
KIND_NAMES = (
    "genesis", "key", "policy", "decision", "evidence", "kill-switch", "rollback", "outcome",
    "snapshot", "erasure", "calibration", "review",
)  # fmt: skip

OWNER, PLANNER, JUDGE, EXECUTOR, OPERATOR, LEDGER, AUDITOR = (1 << number for number in range(7))

#: The roles of which a writer needs one, by kind of row, where the policy names no others.
WRITERS = {
    GENESIS: OWNER,
    KEY: OWNER,
    POLICY: OWNER,
    DECISION: EXECUTOR,
    READING: EXECUTOR | PLANNER | JUDGE | OPERATOR,
    KILL_SWITCH: OPERATOR | OWNER,
    ROLLBACK_ROW: OPERATOR,
    OUTCOME: EXECUTOR | OPERATOR,
    SNAPSHOT: LEDGER | OPERATOR | OWNER,
    ERASURE: OWNER,
    CALIBRATION: OPERATOR | OWNER,
    REVIEW: OPERATOR | OWNER,
}
