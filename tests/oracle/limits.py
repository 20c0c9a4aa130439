"""Limits: what lies in a window, and what it amounts to (FORMAT.md, section 21).

For each limit all earlier rows are looked through.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import kinds
import operations as ops
import row as rows
from bodies import APPROVE, Review
from entry import Entry
from governance import Started
from history import History
from policy import ENTITY, Limit, matches
from row import Row, Unknown
from value import Value


def count_is_full(limits: tuple[Started, ...], history: History, entry: Entry) -> bool:
    """Whether as many rows as a limit allows lie in its window already."""
    doubt: Unknown | None = None
    for started in _covering(limits, entry):
        most = started.limit.count
        if most is None:
            continue
        inside = list(_window(started, history, entry))
        if sum(certain for _, certain in inside) >= most:
            return True
        if len(inside) >= most:
            doubt = Unknown(f"how many rows lie in the window of {started.limit.actions}")
    if doubt is not None:
        raise doubt
    return False


def sum_is_full(limits: tuple[Started, ...], history: History, entry: Entry) -> bool:
    """Whether the row adds too much to what lies in a window, or does not say how much."""
    doubt: Unknown | None = None
    for started in _covering(limits, entry):
        limit = started.limit.sum
        if limit is None:
            continue
        total, unsure = Fraction(0), None
        try:
            own = amount(entry.row, limit.field)
            if own is None:
                return True
            total += own
        except Unknown as error:
            unsure = error
        for other, certain in _window(started, history, entry):
            try:
                if other is None or not certain:
                    raise Unknown("whether a row lies in a window")
                total += amount(other.row, limit.field) or 0
            except Unknown as error:
                unsure = error
        if total > limit.most.worth:
            return True
        doubt = unsure or doubt
    if doubt is not None:
        raise doubt
    return False


def amount(row: Row, field: str) -> Fraction | None:
    """The magnitudes of what a row says in a field, summed up.

    None when it says nothing, or not clearly how much.
    """
    found: list[Fraction] = []
    doubt: Unknown | None = None
    for read in (_put_and_added, _requested):
        try:
            for number in read(row, field):
                if number is None:
                    return None
                found.append(abs(number))
        except Unknown as error:
            doubt = error
    if doubt is not None:
        raise doubt
    return sum(found, Fraction(0)) if found else None


def _put_and_added(row: Row, field: str) -> Iterator[Fraction | None]:
    """The numbers that operations have in a field, and None where one is unclear."""
    doubt: Unknown | None = None
    for operation in row.operations():
        named = operation.key.rpartition("/")[2] == field
        if operation.tag == ops.ADD and named:
            yield Fraction(operation.delta)
        if operation.tag != ops.PUT:
            continue
        value = operation.value
        if value is None:
            doubt = Unknown(f"the value of {operation.key} is closed")
        elif named and value.number is not None:
            yield value.number.worth
        elif named and value.entry(field) is None:
            yield None
        else:
            yield from _entry(value, field)
    if doubt is not None:
        raise doubt


def _requested(row: Row, field: str) -> Iterator[Fraction | None]:
    """The numbers that the requests of effects have in a field, and None where one is unclear."""
    for effect in row.effects():
        yield from _entry(effect.request, field)


def _entry(value: Value, field: str) -> Iterator[Fraction | None]:
    """The number under a field of a map, and None where the field stands elsewhere in a value."""
    if value.strays(field):
        yield None
    number = value.entry(field)
    if number is not None:
        yield number.worth


def _covering(limits: tuple[Started, ...], entry: Entry) -> Iterator[Started]:
    return (started for started in limits if matches(started.limit.actions, entry.head.action))


def _window(
    started: Started, history: History, entry: Entry
) -> Iterator[tuple[Entry | None, bool]]:
    """The rows in a window, each with whether it is certain that it lies there.

    None stands for rows that were not read.
    """
    begin = entry.landing.landed_at - started.limit.window
    behind = entry.landing.landed_at
    for other in reversed(history.rows):
        if other is None:
            # Whatever stood here landed no later than the row behind it.
            if behind > begin:
                for _ in range(started.limit.count or 1):
                    yield None, False
            continue
        behind = other.landing.landed_at
        if behind <= begin or other.number <= started.earliest:
            continue
        counted = _counts(other, started.limit, entry)
        if counted is not False:
            yield other, counted is True and other.number > started.latest


def _counts(other: Entry, limit: Limit, entry: Entry) -> bool | None:
    """Whether a row counts for a limit, wherever its window lies; None where it is not known."""
    if other.landing.outcome != rows.APPLIED or not matches(limit.actions, other.head.action):
        return False
    if other.head.kind not in (kinds.DECISION, kinds.REVIEW):
        return False
    known = True
    if other.head.kind == kinds.REVIEW:
        try:
            if other.row.said(Review).verdict != APPROVE:
                return False
        except Unknown:
            known = False
    if limit.per == ENTITY:
        try:
            if other.row.entity() != entry.row.entity():
                return False
        except Unknown:
            if other.row.has(kinds.SUBJECT) != entry.row.has(kinds.SUBJECT):
                return False
            known = False
    return True if known else None
