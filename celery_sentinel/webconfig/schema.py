"""The keys of a web config file, with the names and the meanings that exporter-toolkit gives."""

from __future__ import annotations

from typing import Literal

from celery_sentinel.config import schema

Section = schema.Section

Version = Literal["TLS13", "TLS12", "TLS11", "TLS10"]
# RequireClientCert is an old name of RequireAnyClientCert, which the toolkit still takes.
ClientAuth = Literal[
    "",
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "RequireClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
]
Curve = Literal["CurveP256", "CurveP384", "CurveP521", "X25519"]


class TlsServer(Section, frozen=True, kw_only=True):
    """The certificate we present and what is asked of clients; paths are relative to the file."""

    cert: str | None = None
    key: str | None = None
    client_ca: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    client_auth_type: ClientAuth | None = None
    client_ca_file: str | None = None
    client_allowed_sans: tuple[str, ...] | None = None
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"
    cipher_suites: tuple[str, ...] | None = None
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[Curve, ...] | None = None

    @property
    def enabled(self) -> bool:
        """Whether any key that the toolkit takes for a wish for TLS is there."""
        return any(
            [
                *(self.cert, self.key, self.client_ca),
                *(self.cert_file, self.key_file, self.client_ca_file),
                self.client_auth_type,
            ]
        )


class HttpServer(Section, frozen=True, kw_only=True):
    """``http2`` None is not said; we speak HTTP/1.1 whatever it says."""

    http2: bool | None = None
    headers: dict[str, str] | None = None


class RateLimit(Section, frozen=True, kw_only=True):
    """A token bucket: one request each ``interval``, a Go duration; 0 turns it off."""

    interval: str | int = 0
    burst: int = 0


class WebConfig(Section, frozen=True, kw_only=True):
    """A whole web config file; ``basic_auth_users`` has a bcrypt hash for each name."""

    tls_server_config: TlsServer = TlsServer()
    http_server_config: HttpServer = HttpServer()
    rate_limit: RateLimit = RateLimit()
    basic_auth_users: dict[str, str] | None = None
