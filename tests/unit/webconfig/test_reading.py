"""What exporter-toolkit accepts is accepted; what cannot be had is refused with place and key."""

from __future__ import annotations

import datetime as dt
import textwrap
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from celery_sentinel import errors, webconfig

if TYPE_CHECKING:
    import pathlib

    from tests.servers import certificates
    from tests.unit.webconfig import conftest

HASH = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
PAIR = "cert_file: cert.pem, key_file: key.pem"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tls_server_config:\nbasic_auth_users:\n",
        f"tls_server_config: {{{PAIR}}}",
        f"tls_server_config: {{{PAIR}, client_auth_type: NoClientCert}}",
        (
            f"tls_server_config: {{{PAIR}, client_auth_type: RequireAndVerifyClientCert,"
            " client_ca_file: ca.pem, client_allowed_sans: [a.example, '::1']}"
        ),
        (
            f"tls_server_config: {{{PAIR}, client_auth_type: VerifyClientCertIfGiven,"
            " client_ca_file: ca.pem}"
        ),
        (
            f"tls_server_config: {{{PAIR}, min_version: TLS12, max_version: TLS13,"
            " prefer_server_cipher_suites: false, curve_preferences: [CurveP384]}"
        ),
        (
            f"tls_server_config: {{{PAIR}, cipher_suites: [TLS_AES_128_GCM_SHA256,"
            " TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]}"
        ),
        f"basic_auth_users: {{alice: {HASH}, 5: {HASH}, 'jörg': {HASH}}}",
        "http_server_config: {http2: false, headers: {X-Frame-Options: sameorigin}}",
        "rate_limit: {interval: 1s, burst: 20}",
        "rate_limit: {interval: 0}",
        "rate_limit: {interval: 1h0m0.5s, burst: 1}".replace("1h", "0h"),
    ],
)
def test_accepted(read: conftest.Read, text: str) -> None:
    """These files are taken without a doubt."""
    assert read(text).doubts == ()


REFUSED = {
    "tls_server_confg: {}": "1: tls_server_confg: found an unknown key; did you mean "
    "tls_server_config? allowed: tls_server_config, http_server_config, rate_limit, "
    "basic_auth_users",
    "cert_file: x": "1: cert_file: found an unknown key; did you mean "
    "tls_server_config.cert_file? allowed: tls_server_config, http_server_config, rate_limit, "
    "basic_auth_users",
    "tls_server_config: {cert_file: cert.pem}": "1: tls_server_config: found no key and no "
    "key_file; allowed: one of both",
    "tls_server_config:\n  cert_file: gone.pem\n  key_file: key.pem": "2: "
    "tls_server_config.cert_file: 'gone.pem': cannot be read: No such file or directory; give a "
    "PEM file that this user may read",
    "tls_server_config: {cert_file: sub, key_file: key.pem}": "1: tls_server_config.cert_file: "
    "'sub': cannot be read: it is a directory; give a PEM file that this user may read",
    "tls_server_config: {cert_file: key.pem, key_file: key.pem}": "1: "
    "tls_server_config.cert_file: 'key.pem': holds no certificate, but a PEM block of the kind "
    "'ec private key'; give a certificate in PEM",
    "tls_server_config: {cert_file: web.yml, key_file: key.pem}": "1: "
    "tls_server_config.cert_file: 'web.yml': holds no certificate in PEM; give a certificate in "
    "PEM",
    "tls_server_config: {cert_file: ca.pem, key_file: key.pem}": "1: "
    "tls_server_config.key_file: 'key.pem': does not belong to the certificate in 'ca.pem'; give "
    "the key with which that was issued",
    "tls_server_config: {cert: nonsense, key_file: key.pem}": "1: tls_server_config.cert: holds "
    "no certificate in PEM; give a certificate in PEM",
    f"tls_server_config: {{{PAIR}, client_auth_type: RequireAnyClientCert}}": "1: "
    "tls_server_config.client_auth_type: found RequireAnyClientCert; allowed: NoClientCert, "
    "VerifyClientCertIfGiven, RequireAndVerifyClientCert: Python cannot ask for a certificate "
    "without verifying it",
    f"tls_server_config: {{{PAIR}, client_ca_file: ca.pem}}": "1: "
    "tls_server_config.client_ca_file: found no client_auth_type that verifies beside it; "
    "allowed: RequireAndVerifyClientCert as client_auth_type",
    f"tls_server_config: {{{PAIR}, client_allowed_sans: [a]}}": "1: "
    "tls_server_config.client_allowed_sans: found it with NoClientCert; allowed: it only with "
    "RequireAndVerifyClientCert as client_auth_type",
    f"tls_server_config: {{{PAIR}, client_ca_file: key.pem, client_auth_type: "
    "VerifyClientCertIfGiven}": "1: tls_server_config.client_ca_file: 'key.pem': holds no "
    "certificate, but a PEM block of the kind 'ec private key'; give a certificate in PEM",
    f"tls_server_config: {{{PAIR}, max_version: TLS11}}": "1: tls_server_config.max_version: "
    "found TLS11; allowed: TLS12 or TLS13: OpenSSL serves none of the older ones",
    f"tls_server_config: {{{PAIR}, min_version: TLS13, max_version: TLS12}}": "1: "
    "tls_server_config.min_version: found TLS13; allowed: at most max_version, which is TLS12",
    f"tls_server_config: {{{PAIR}, curve_preferences: [X25519, CurveP256]}}": "1: "
    "tls_server_config.curve_preferences: found 2 curves; allowed: one curve, or none for "
    "OpenSSL's own list: Python cannot set an order",
    "basic_auth_users:\n  alice: hunter2": "2: basic_auth_users.alice: found text that is no "
    "bcrypt hash; allowed: a hash such as `htpasswd -nBC 10 NAME` prints, beginning with $2y$, "
    "$2b$ or $2a$",
    f"basic_auth_users: {{alice: {HASH.replace('$10$', '$20$')}}}": "1: basic_auth_users.alice: "
    "found a hash of cost 20; allowed: a cost up to 16",
    f"basic_auth_users: {{'a:b': {HASH}}}": "1: basic_auth_users.a:b: found a name that no client "
    "can send; allowed: no colon",
    "basic_auth_users: [alice]": "1: basic_auth_users: found a list; allowed: a mapping",
    "http_server_config: {headers: {x-frame-options: deny}}": "1: "
    "http_server_config.headers.x-frame-options: found a header that cannot be set; did you mean "
    "X-Frame-Options? allowed: Content-Security-Policy, Strict-Transport-Security, "
    "X-Content-Type-Options, X-Frame-Options, X-XSS-Protection",
    "http_server_config: {headers: {X-Frame-Options: allow}}": "1: "
    "http_server_config.headers.X-Frame-Options: found 'allow'; allowed: deny or sameorigin",
    'http_server_config: {headers: {Content-Security-Policy: "a\\r\\nSet-Cookie: b"}}': "1: "
    "http_server_config.headers.Content-Security-Policy: found 'a\\r\\nSet-Cookie: b'; allowed: "
    "one line of ASCII without blanks at its ends",
    "rate_limit: {interval: 1 second, burst: 1}": "1: rate_limit.interval: found '1 second'; "
    "allowed: a duration as Go writes it, such as 1s or 500ms, at most 1h; 0 is no limit",
    "rate_limit: {interval: true}": "1: rate_limit.interval: found true; allowed: text or a whole "
    "number",
    "rate_limit: {interval: 1s}": "1: rate_limit.burst: found 0; allowed: 1 or more: with none "
    "every request would be refused",
    "- 1": "1: found a list at the top; a config file is a mapping of sections, such as "
    "`tls_server_config:`",
}


@pytest.mark.parametrize(("text", "words"), REFUSED.items())
def test_refused(read: conftest.Read, text: str, words: str) -> None:
    """The error is one line: place, key, what was found, what is allowed."""
    with pytest.raises(errors.ConfigError) as refused:
        read(text)

    assert str(refused.value) == f"web.yml:{words}"


def test_unknown_suite(read: conftest.Read) -> None:
    """A suite that Go does not count as safe is named, with those that are allowed."""
    with pytest.raises(errors.ConfigError, match=r"cipher_suites\[1\]: found 'TLS_RSA_WITH_RC4"):
        read(
            f"tls_server_config: {{{PAIR}, cipher_suites: [TLS_AES_128_GCM_SHA256, "
            "TLS_RSA_WITH_RC4_128_SHA]}"
        )


def test_a_missing_file() -> None:
    """A web config file that is not there is told with its flag."""
    with pytest.raises(errors.ConfigError, match=r"No such file.*give --web\.config\.file"):
        webconfig.read("/nowhere/web.yml")


def test_an_encrypted_key(read: conftest.Read, tmp_path: pathlib.Path) -> None:
    """Nobody is there to type a passphrase: the text says how to write the key without."""
    key = serialization.load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    for form in (
        serialization.PrivateFormat.PKCS8,
        serialization.PrivateFormat.TraditionalOpenSSL,
    ):
        locked = key.private_bytes(
            serialization.Encoding.PEM, form, serialization.BestAvailableEncryption(b"sesame")
        )
        (tmp_path / "locked.pem").write_bytes(locked)
        with pytest.raises(errors.ConfigError, match=r"key_file: 'locked.pem': holds an encrypted"):
            read("tls_server_config: {cert_file: cert.pem, key_file: locked.pem}")


def test_garbled_files(read: conftest.Read, tmp_path: pathlib.Path) -> None:
    """What looks like PEM and is none is told of the file that it is in."""
    for name in ("cert", "key"):
        lines = (tmp_path / f"{name}.pem").read_text().splitlines()
        lines[3] = "A" * 30
        (tmp_path / f"bad-{name}.pem").write_text("\n".join(lines))
    with pytest.raises(errors.ConfigError, match=r"'bad-cert.pem': .* cannot be decoded"):
        read("tls_server_config: {cert_file: bad-cert.pem, key_file: key.pem}")
    with pytest.raises(errors.ConfigError, match=r"'bad-key.pem': .* cannot be decoded"):
        read("tls_server_config: {cert_file: cert.pem, key_file: bad-key.pem}")


def test_certificates_in_the_file(read: conftest.Read, tmp_path: pathlib.Path) -> None:
    """Certificate, key and authority may stand in the web config file itself."""
    blocks = {
        name: textwrap.indent((tmp_path / file).read_text(), "    ")
        for name, file in (("cert", "cert.pem"), ("key", "key.pem"), ("client_ca", "ca.pem"))
    }
    text = "".join(f"  {name}: |\n{block}" for name, block in blocks.items())
    loaded = read(f"tls_server_config:\n{text}  client_auth_type: RequireAndVerifyClientCert\n")

    assert loaded.context is not None
    assert len(loaded.context.get_ca_certs()) == 1


def test_doubts(
    read: conftest.Read, pems: certificates.Certificates, tmp_path: pathlib.Path
) -> None:
    """What works and is hardly meant is told, and no more than that."""
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
    cert, key = pems.issue("old-", expires=past)
    doubts = "\n".join(
        [
            *read(f"tls_server_config: {{cert_file: {cert}, key_file: {key}}}").doubts,
            *read(f"tls_server_config: {{{PAIR}, min_version: TLS10}}").doubts,
            *read(f"tls_server_config: {{{PAIR}, client_auth_type: RequestClientCert}}").doubts,
            *read(
                f"tls_server_config: {{{PAIR}, client_auth_type: VerifyClientCertIfGiven}}"
            ).doubts,
            *read("http_server_config: {http2: true}").doubts,
            *read(f"basic_auth_users: {{alice: {HASH.replace('$10$', '$14$')}}}").doubts,
        ]
    ).splitlines()

    wanted = (
        f"the certificate expired on {past:%Y-%m-%d}",
        "TLS10 is not safe",
        "RequestClientCert verifies nothing",
        "without client_ca_file",
        "HTTP/1.1 only",
        "a hash of cost 14 keeps a processor busy for about 0.8 s",
    )
    assert len(doubts) == len(wanted)
    assert [part for part, doubt in zip(wanted, doubts, strict=True) if part not in doubt] == []
    assert tmp_path.exists()


def test_a_readable_key(read: conftest.Read, tmp_path: pathlib.Path) -> None:
    """A key that every user of the machine may read is told, by file and mode."""
    (tmp_path / "open.pem").write_bytes((tmp_path / "key.pem").read_bytes())
    (tmp_path / "open.pem").chmod(0o644)

    (doubt,) = read("tls_server_config: {cert_file: cert.pem, key_file: open.pem}").doubts

    assert "tls_server_config.key_file: 'open.pem': every user may read it (mode 0644)" in doubt


def test_when_the_certificate_expires(read: conftest.Read, tmp_path: pathlib.Path) -> None:
    """The moment is that of the certificate."""
    own = x509.load_pem_x509_certificate((tmp_path / "cert.pem").read_bytes())

    assert read(f"tls_server_config: {{{PAIR}}}").expires == own.not_valid_after_utc.timestamp()
