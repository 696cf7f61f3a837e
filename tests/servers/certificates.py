"""Certificates for servers and clients that speak TLS on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path


class Certificates:
    """An authority and a certificate it gave to 127.0.0.1 and localhost, as PEM files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._authority = trustme.CA()
        self.ca_file = directory / "ca.pem"
        self._authority.cert_pem.write_to_path(self.ca_file)
        self.cert_file, self.key_file = self.issue("")

    def issue(
        self,
        prefix: str,
        *names: str,
        expires: dt.datetime | None = None,
        common_name: str | None = None,
    ) -> tuple[Path, Path]:
        """Write PREFIXcert.pem and PREFIXkey.pem, by default for loopback; return both."""
        issued = self._authority.issue_cert(
            *(names or ("127.0.0.1", "localhost")), not_after=expires, common_name=common_name
        )
        cert_file = self._directory / f"{prefix}cert.pem"
        key_file = self._directory / f"{prefix}key.pem"
        issued.private_key_pem.write_to_path(key_file)
        issued.cert_chain_pems[0].write_to_path(cert_file)
        key_file.chmod(0o600)
        return cert_file, key_file
