"""The hashes and the checksum of the format (FORMAT.md, section 2)."""

from __future__ import annotations

from blake3 import blake3

ZERO = bytes(32)


def derive(use: str, material: bytes) -> bytes:
    """`BLAKE3[use](material)`."""
    return blake3(material, derive_key_context=f"counterfoil 2026-11-23 {use} v1").digest()


def key_id(public: bytes) -> bytes:
    """The name of a public key in rows."""
    return derive("key", public)[:8]


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF
