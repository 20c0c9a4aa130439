"""Decimal numbers: a mantissa and how many of its digits stand behind the point (section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from encoding import Malformed, Reader

MAX_SCALE = 38


@dataclass(frozen=True)
class Number:
    """`mantissa / 10^scale`, as it was written."""

    mantissa: int
    scale: int = 0

    @property
    def worth(self) -> Fraction:
        """What the number is worth, however it was written."""
        return Fraction(self.mantissa, 10**self.scale)

    def shortened(self) -> Number:
        """The same number without zeros at the end behind the point."""
        mantissa, scale = self.mantissa, self.scale
        while scale > 0 and mantissa % 10 == 0:
            mantissa //= 10
            scale -= 1
        return Number(mantissa, scale)

    def __str__(self) -> str:
        return f"{self.mantissa}/10^{self.scale}" if self.scale else str(self.mantissa)


def read_number(reader: Reader, what: str) -> Number:
    """A mantissa and a scale. Unlike in a value any mantissa may have scale 0."""
    number = Number(reader.signed(128), reader.u8())
    if number.scale > MAX_SCALE:
        raise Malformed(f"{what}: scale {number.scale}, at most {MAX_SCALE} allowed")
    return number
