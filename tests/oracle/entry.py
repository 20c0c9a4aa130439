"""A row in its place, with what was in force there."""

from __future__ import annotations

from dataclasses import dataclass

from governance import Standing
from report import Place
from row import Head, Landing, Row, Unknown


@dataclass
class Entry:
    """A row, its number, and the policy in force at it."""

    number: int
    place: Place
    row: Row
    standing: Standing
    #: Whether a key or kill-switch row goes through; None where that is not known.
    through: bool | None = None
    #: Whether an applied rollback row changed what is taken back; None where that is not known.
    moved: bool | None = None
    #: The name under which the author's key was enrolled in front of the row.
    writer: str | None = None
    #: Whether the author is an operator; None where the key is not known.
    by_operator: bool | None = None
    #: Whether there may be keys that are not known here.
    keys_in_doubt: bool = False

    @property
    def head(self) -> Head:
        """The head of a row that could be read."""
        assert self.row.head is not None
        return self.row.head

    def author_name(self) -> str | None:
        """The name under which the author's key is enrolled; None where it is not."""
        if self.writer is None and self.keys_in_doubt:
            raise Unknown("under which name the author is enrolled")
        return self.writer

    @property
    def landing(self) -> Landing:
        """The landing of a row that could be read."""
        assert self.row.landing is not None
        return self.row.landing
