"""Reads certificates and keys, and says of each file what is wrong with it."""

from __future__ import annotations

import dataclasses
import stat
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from celery_sentinel import errors
from celery_sentinel.config import texts

if TYPE_CHECKING:
    import datetime as dt
    import pathlib
    from collections.abc import Iterator

_LARGEST = 1024 * 1024
_BEGIN_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_BEGIN_KEY = b"PRIVATE KEY-----"
_ENCRYPTED = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED")


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A PEM text and where it comes from: ``where`` begins the texts of errors about it."""

    where: str
    data: bytes

    def refused(self, what: str, todo: str) -> errors.ConfigError:
        """Return the error for a text that cannot be used."""
        return errors.ConfigError(f"{self.where}: {what}; {todo}")


def of_text(text: str, *, place: str, key: str) -> Source:
    """Return what stands in the web config file itself."""
    return Source(f"{place}: {key}", text.encode())


def of_file(file: pathlib.Path, *, place: str, key: str) -> Source:
    """Read a PEM file; raise ConfigError when it cannot be read."""
    where = f"{place}: {key}: {texts.quoted(str(file))}"
    try:
        if stat.S_ISDIR(file.stat().st_mode):
            raise IsADirectoryError(0, "it is a directory")
        with file.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise errors.ConfigError(
            f"{where}: cannot be read: {reason}; give a PEM file that this user may read"
        ) from None
    if len(data) > _LARGEST:
        raise errors.ConfigError(f"{where}: is larger than {_LARGEST} bytes; give a PEM file")
    return Source(where, data)


def certificates(source: Source) -> list[x509.Certificate]:
    """Return the certificates of a PEM text, which has at least one."""
    if _BEGIN_CERTIFICATE not in source.data:
        raise source.refused(_without(source, "certificate"), "give a certificate in PEM")
    try:
        return x509.load_pem_x509_certificates(source.data)
    except (ValueError, UnsupportedAlgorithm):
        raise source.refused(
            "holds a certificate that cannot be decoded", "issue or copy it afresh"
        ) from None


def check_pair(certificate: Source, key: Source) -> x509.Certificate:
    """Return the server's own certificate, to which the key belongs."""
    own = certificates(certificate)[0]
    if _BEGIN_KEY not in key.data:
        raise key.refused(_without(key, "private key"), "give the private key in PEM")
    if any(sign in key.data for sign in _ENCRYPTED):
        raise key.refused(
            "holds an encrypted key, and there is nobody to ask for its passphrase",
            "give it without, as `openssl pkey -in KEY -out FILE` writes it",
        )
    try:
        private = serialization.load_pem_private_key(key.data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise key.refused("holds a key that cannot be decoded", "issue or copy it afresh") from None
    if _public(private.public_key()) != _public(own.public_key()):
        raise key.refused(
            f"does not belong to the certificate in {certificate.where.rpartition(': ')[2]}",
            "give the key with which that was issued",
        )
    return own


def doubts_about(own: x509.Certificate, source: Source, now: dt.datetime) -> Iterator[str]:
    """Yield what is wrong with the dates of a certificate."""
    if own.not_valid_after_utc <= now:
        yield f"{source.where}: the certificate expired on {own.not_valid_after_utc:%Y-%m-%d}"
    if own.not_valid_before_utc > now:
        yield f"{source.where}: the certificate is not valid before {own.not_valid_before_utc}"


def doubts_about_mode(file: pathlib.Path, where: str) -> Iterator[str]:
    """Yield that every user of the machine may read a file that holds a key."""
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & stat.S_IROTH:
        yield f"{where}: every user may read it (mode {mode:04o}); it holds a key: chmod o-rwx"


def _without(source: Source, wanted: str) -> str:
    """Say that there is no such thing in a text, and what is there instead."""
    other = b"-----BEGIN "
    if other in source.data:
        label = source.data.partition(other)[2].partition(b"-----")[0][:40]
        there = texts.printable(label.decode("ascii", "replace").lower())
        return f"holds no {wanted}, but a PEM block of the kind {there!r}"
    return f"holds no {wanted} in PEM"


def _public(key: object) -> bytes:
    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]  # every kind of key has it
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded
