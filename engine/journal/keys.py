"""Who signs checkpoints: Ed25519 keys (RFC 8032) in PEM files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..diagnostics import reason_of
from .problem import JournalError, need

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["Signer", "is_signed", "make_key", "public_key"]

_MAX_PEM_BYTES = 10_000
_MAKE_ONE = "make one with `hedgerow audit key FILE`"


class Signer:
    """A private key, by what it can do; `public` is the public key in hex."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw().hex()

    @staticmethod
    def read(path: Path) -> Signer:
        """Return the private key of a PEM file.

        Raises:
            JournalError: (HR865) the file cannot be read or holds no such key, or one that is under a password.
        """
        need("journal", "cryptography")
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(_pem(path), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise _no_key(path, "this is no private Ed25519 key in PEM without a password")
        return Signer(key)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes."""
        return self._key.sign(message)


def public_key(path: Path) -> str:
    """Return in hex the public key that a PEM file holds, or whose private key it holds.

    Raises:
        JournalError: (HR865) the file cannot be read or holds neither.
    """
    need("journal", "cryptography")
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    pem = _pem(path)
    if b"PRIVATE KEY" in pem:
        return Signer.read(path).public
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "this is no Ed25519 key in PEM")
    return key.public_bytes_raw().hex()


def make_key(path: Path) -> str:
    """Write a new private key that only its owner can read, and the public one beside it with `.pub`; return that in
    hex.

    Raises:
        JournalError: (HR865) a file is there already, or cannot be written.
    """
    need("journal", "cryptography")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    public = key.public_key()
    beside = path.with_name(path.name + ".pub")
    _write(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    try:
        _write(beside, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    except JournalError:
        path.unlink()  # half a pair is in the way of the next try
        raise
    return public.public_bytes_raw().hex()


def is_signed(message: bytes, signature: bytes, public: bytes) -> bool:
    """Return whether a signature of a message was made with the private key of `public`, 32 bytes."""
    need("journal", "cryptography")
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _pem(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_PEM_BYTES)
    except OSError as error:
        raise _no_key(path, f"the key cannot be read: {reason_of(error)}") from None


def _write(path: Path, pem: bytes, mode: int) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise JournalError("HR865", "the file is there already", str(path), "name another file") from None
    except OSError as error:
        help = "choose a file in a folder that exists and may be written"
        raise JournalError("HR865", f"the key cannot be written: {reason_of(error)}", str(path), help) from None


def _no_key(path: Path, why: str) -> JournalError:
    return JournalError("HR865", why, str(path), _MAKE_ONE)
