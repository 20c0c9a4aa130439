"""Writes ledgers for the tests, byte by byte and right or wrong as asked.

Nothing here reads: the encoder is the other half of `encoding.py`, and shares nothing with it.
"""

from .bodies import calibration, grant, reading, review, revoke, rollback, rotate, turn
from .book import ORIGIN, Draft, Forge, Written
from .contents import (
    ABSENT,
    SALT,
    UNGUARDED,
    Part,
    Parts,
    actors,
    add,
    delete,
    effect,
    evidence,
    holds_count,
    holds_stage,
    holds_value,
    move,
    ops,
    put,
    subject,
)
from .encoder import blob, items, number, option, signed, text, varint
from .policies import limit, metric, policy, rule, scope
from .signer import Signer
from .values import decimal, integer, mapping

__all__ = [
    "ABSENT",
    "Draft",
    "Forge",
    "ORIGIN",
    "Part",
    "Parts",
    "SALT",
    "Signer",
    "UNGUARDED",
    "Written",
    "actors",
    "add",
    "blob",
    "calibration",
    "decimal",
    "delete",
    "effect",
    "evidence",
    "grant",
    "holds_count",
    "holds_stage",
    "holds_value",
    "integer",
    "items",
    "limit",
    "mapping",
    "metric",
    "move",
    "number",
    "ops",
    "option",
    "policy",
    "put",
    "reading",
    "review",
    "revoke",
    "rollback",
    "rotate",
    "rule",
    "scope",
    "signed",
    "subject",
    "text",
    "turn",
    "varint",
]
