"""Ed25519 by the strict rule of FORMAT.md, section 3.

The points are done here, slowly and in plain sight; the equation of a signature is left to
`cryptography`, whose OpenSSL compares R byte for byte and refuses S above the group order.
"""

from __future__ import annotations

from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_MINUS_ONE = pow(2, (P - 1) // 4, P)

#: A point as (X, Y, Z) with x = X / Z and y = Y / Z.
Point = tuple[int, int, int]
IDENTITY: Point = (0, 1, 1)

#: The canonical encodings of the eight points of small order.
SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    )
)


def decode(data: bytes) -> Point | None:
    """The point of a canonical encoding; None for any other 32 bytes."""
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if len(data) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * SQRT_MINUS_ONE % P
    if x * x % P != square or (x == 0 and sign == 1):
        return None
    return (P - x if x % 2 != sign else x, y, 1)


def encode(point: Point) -> bytes:
    """The canonical encoding of a point."""
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def add(one: Point, two: Point) -> Point:
    """The sum of two points; the formula is complete on this curve."""
    a = one[2] * two[2] % P
    b = a * a % P
    c = one[0] * two[0] % P
    d = one[1] * two[1] % P
    e = D * c * d % P
    f, g = b - e, b + e
    cross = (one[0] + one[1]) * (two[0] + two[1]) - c - d
    return (a * f * cross % P, a * g * (d + c) % P, f * g % P)


def multiply(scalar: int, point: Point) -> Point:
    """`[scalar]point`."""
    total = IDENTITY
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def is_identity(point: Point) -> bool:
    """Whether the point is the neutral one, (0, 1)."""
    return point[0] % P == 0 and (point[1] - point[2]) % P == 0


@cache
def refusal(public: bytes) -> str | None:
    """Why a key may not be enrolled; None when it may."""
    point = decode(public)
    if point is None:
        return "not the canonical encoding of a point"
    if is_identity(multiply(8, point)):
        return "a point of small order"
    if not is_identity(multiply(L, point)):
        return "not torsion-free"
    return None


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature by an enrolled key is valid."""
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= L:
        return False
    if signature[:32] in SMALL_ORDER:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True
