"""The report: what was checked, what failed and where, and what could not be checked."""

from __future__ import annotations

from dataclasses import dataclass, field

CHECKS = tuple(f"V{number:02}" for number in range(1, 13))
MEANING = ("V14", "V16", "V17", "V18", "V19", "V23")


@dataclass(frozen=True)
class Place:
    """Where something was found."""

    row: int | None = None
    segment: str | None = None
    offset: int | None = None


@dataclass
class Report:
    """Findings and gaps, and the verdict that follows from them."""

    findings: list[dict[str, object]] = field(default_factory=list)
    gaps: list[dict[str, object]] = field(default_factory=list)
    ran: set[str] = field(default_factory=set)
    #: The checks that are to be made.
    checks: tuple[str, ...] = CHECKS
    rows: int = 0
    size: int = 0
    ledger_id: bytes | None = None
    head: bytes | None = None
    root: bytes | None = None

    def fail(self, check: str, message: str, place: Place = Place()) -> None:
        """Notes that a check failed."""
        self.findings.append({"check": check, **vars(place), "message": message})

    def skip(self, check: str, message: str, place: Place = Place()) -> None:
        """Notes that a check could not be made."""
        self.gaps.append({"check": check, **vars(place), "message": message})

    def judge(self, check: str, holds: bool, message: str, place: Place = Place()) -> bool:
        """Notes that a check was made, and how it ended."""
        self.ran.add(check)
        if not holds:
            self.fail(check, message, place)
        return holds

    def status(self, check: str) -> str:
        """The status of a check over the whole ledger."""
        if any(finding["check"] == check for finding in self.findings):
            return "failed"
        if check not in self.ran or any(gap["check"] == check for gap in self.gaps):
            return "not checked"
        return "passed"

    @property
    def verdict(self) -> str:
        """`broken`, `findings`, `unchecked` or `intact`."""
        if any(finding["check"] in CHECKS for finding in self.findings):
            return "broken"
        if self.findings:
            return "findings"
        return "unchecked" if self.rows == 0 else "intact"

    def as_json(self) -> dict[str, object]:
        """The object to print."""
        return {
            "verdict": self.verdict,
            "rows": self.rows,
            "ledger_id": _hex(self.ledger_id),
            "head": _hex(self.head),
            "size": self.size,
            "root": _hex(self.root),
            "checks": {check: self.status(check) for check in self.checks},
            "findings": self.findings,
            "not_checked": self.gaps,
        }


def _hex(data: bytes | None) -> str | None:
    return None if data is None else data.hex()
