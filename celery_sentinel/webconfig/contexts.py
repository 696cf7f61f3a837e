"""Makes the TLS context of a web config file, from texts and files read once."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import ssl
import warnings
from typing import TYPE_CHECKING, NamedTuple

from celery_sentinel.config import texts
from celery_sentinel.webconfig import ciphers, pems, schema

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator

    from celery_sentinel import errors

    Locate = Callable[[texts.Path], str]

_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_VERIFY = {
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class Made(NamedTuple):
    """A context, when its certificate expires (epoch seconds), and doubts about it."""

    context: ssl.SSLContext
    expires: float
    doubts: tuple[str, ...]


def make(tls: schema.TlsServer, file: pathlib.Path, locate: Locate) -> Made:
    """Return the context that ``tls`` asks for; raise ConfigError for what it cannot have.

    ``file`` is the web config file, to which paths are relative.
    """
    return _Maker(tls, file, locate).made()


def paths_of(tls: schema.TlsServer, file: pathlib.Path) -> list[pathlib.Path]:
    """Return the files that ``tls`` names."""
    named = (tls.cert_file, tls.key_file, tls.client_ca_file)
    return [file.parent / one for one in named if one]


@dataclasses.dataclass(slots=True)
class _Maker:
    tls: schema.TlsServer
    file: pathlib.Path
    locate: Locate
    doubts: list[str] = dataclasses.field(default_factory=list)

    def made(self) -> Made:
        certificate = self._source("cert")
        key = self._source("key")
        if certificate is None or key is None:
            name = "cert" if certificate is None else "key"
            raise self._found((), f"no {name} and no {name}_file", "one of both")
        own = pems.check_pair(certificate, key)
        self.doubts += pems.doubts_about(own, certificate, dt.datetime.now(dt.UTC))
        self._look_at_modes()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        self._set_versions(context)
        self._set_ciphers(context)
        self._set_curve(context)
        self._set_client_auth(context)
        try:
            with _as_file(certificate.data) as cert_path, _as_file(key.data) as key_path:
                context.load_cert_chain(cert_path, key_path)
        except ssl.SSLError as error:
            raise certificate.refused(
                f"OpenSSL refuses it: {error.reason}", "issue another"
            ) from None
        return Made(context, own.not_valid_after_utc.timestamp(), tuple(self.doubts))

    def _source(self, name: str) -> pems.Source | None:
        """Return the text of ``name`` or the file of ``name_file``; the file goes first."""
        text, path = getattr(self.tls, name), getattr(self.tls, f"{name}_file")
        if path:
            key = ("tls_server_config", f"{name}_file")
            where = {"place": self.locate(key), "key": texts.dotted(key)}
            return pems.of_file(self.file.parent / path, **where)
        if text:
            key = ("tls_server_config", name)
            return pems.of_text(text, place=self.locate(key), key=texts.dotted(key))
        return None

    def _look_at_modes(self) -> None:
        if self.tls.key_file:
            path = self.file.parent / self.tls.key_file
            key = ("tls_server_config", "key_file")
        else:
            path, key = self.file, ("tls_server_config", "key")
        where = f"{self.locate(key)}: {texts.dotted(key)}: {texts.quoted(str(path))}"
        self.doubts += pems.doubts_about_mode(path, where)

    def _set_versions(self, context: ssl.SSLContext) -> None:
        low, high = self.tls.min_version, self.tls.max_version
        if _VERSIONS[high] < ssl.TLSVersion.TLSv1_2:
            allowed = "TLS12 or TLS13: OpenSSL serves none of the older ones"
            raise self._found(("max_version",), high, allowed)
        if _VERSIONS[low] > _VERSIONS[high]:
            raise self._found(("min_version",), low, f"at most max_version, which is {high}")
        if _VERSIONS[low] < ssl.TLSVersion.TLSv1_2:
            path = ("tls_server_config", "min_version")
            self.doubts.append(
                f"{self.locate(path)}: {texts.dotted(path)}: {low} is not safe any more, and "
                "OpenSSL may refuse it all the same; TLS12 is the default"
            )
        with warnings.catch_warnings():  # Python's own warning about old versions
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = _VERSIONS[low]
            context.maximum_version = _VERSIONS[high]

    def _set_ciphers(self, context: ssl.SSLContext) -> None:
        if self.tls.prefer_server_cipher_suites:
            context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        else:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        named = self.tls.cipher_suites or ()
        for index, name in enumerate(named):
            if name not in ciphers.TLS12 and name not in ciphers.TLS13:
                allowed = ", ".join([*ciphers.TLS12, *sorted(ciphers.TLS13)])
                raise self._found(("cipher_suites", index), texts.quoted(name), allowed)
        older = [ciphers.TLS12[name] for name in named if name in ciphers.TLS12]
        if older:
            context.set_ciphers(":".join(older))
        elif named:  # nothing is left for TLS 1.2
            if self.tls.max_version == "TLS12":
                allowed = "at least one suite of TLS 1.2, which is max_version"
                raise self._found(("cipher_suites",), "suites of TLS 1.3 only", allowed)
            context.minimum_version = ssl.TLSVersion.TLSv1_3

    def _set_curve(self, context: ssl.SSLContext) -> None:
        curves = self.tls.curve_preferences or ()
        if len(curves) > 1:
            allowed = "one curve, or none for OpenSSL's own list: Python cannot set an order"
            raise self._found(("curve_preferences",), f"{len(curves)} curves", allowed)
        for curve in curves:
            context.set_ecdh_curve(ciphers.CURVES[curve])

    def _set_client_auth(self, context: ssl.SSLContext) -> None:
        kind = self.tls.client_auth_type or "NoClientCert"
        authority = self._source("client_ca")
        if kind in {"RequireAnyClientCert", "RequireClientCert"}:
            allowed = (
                "NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert: Python cannot "
                "ask for a certificate without verifying it"
            )
            raise self._found(("client_auth_type",), kind, allowed)
        if kind == "RequestClientCert":
            path = ("tls_server_config", "client_auth_type")
            self.doubts.append(
                f"{self.locate(path)}: {texts.dotted(path)}: RequestClientCert verifies nothing; "
                "here it does not ask either, as NoClientCert"
            )
        if authority is not None and kind == "NoClientCert":
            given = "client_ca_file" if self.tls.client_ca_file else "client_ca"
            what = "no client_auth_type that verifies beside it"
            raise self._found((given,), what, "RequireAndVerifyClientCert as client_auth_type")
        if self.tls.client_allowed_sans is not None and kind != "RequireAndVerifyClientCert":
            allowed = "it only with RequireAndVerifyClientCert as client_auth_type"
            raise self._found(("client_allowed_sans",), f"it with {kind}", allowed)
        if kind not in _VERIFY:
            return
        context.verify_mode = _VERIFY[kind]
        if authority is None:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
            path = ("tls_server_config", "client_auth_type")
            self.doubts.append(
                f"{self.locate(path)}: {texts.dotted(path)}: without client_ca_file whoever has "
                "a certificate of an authority that this system trusts comes in"
            )
            return
        pems.certificates(authority)
        context.load_verify_locations(cadata=authority.data.decode("ascii", "ignore"))

    def _found(self, path: texts.Path, what: str, allowed: str) -> errors.ConfigError:
        whole = ("tls_server_config", *path)
        return texts.found(self.locate(whole), whole, what, allowed)


@contextlib.contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    """Give a path to bytes in memory: what was checked is what OpenSSL reads."""
    descriptor = os.memfd_create("pem")
    try:
        os.write(descriptor, data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
