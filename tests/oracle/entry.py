"""A row in its place, with what was in force there."""

from __future__ import annotations

from dataclasses import dataclass

from governance import Standing
from report import Place
from row import Head, Landing, Row


@dataclass
class Entry:
    """A row, its number, and the policy in force at it."""

    number: int
    place: Place
    row: Row
    standing: Standing
    #: Whether a key or kill-switch row goes through as far as the keys tell; None: not known.
    through: bool | None = None

    @property
    def head(self) -> Head:
        """The head of a row that could be read."""
        assert self.row.head is not None
        return self.row.head

    @property
    def landing(self) -> Landing:
        """The landing of a row that could be read."""
        assert self.row.landing is not None
        return self.row.landing
