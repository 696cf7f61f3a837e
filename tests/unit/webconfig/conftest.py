"""Certificates beside a web config file, and what reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from celery_sentinel import webconfig
from tests.servers import certificates

if TYPE_CHECKING:
    import pathlib

Read = Callable[[str], webconfig.Loaded]


@pytest.fixture(scope="session")
def pems(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    """Issue certificates once for all tests, which do not change them."""
    return certificates.Certificates(tmp_path_factory.mktemp("web"))


@pytest.fixture
def read(
    pems: certificates.Certificates, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> Read:
    """Read a text as the file web.yml, whose relative paths lead to ``pems``."""
    for file in pems.cert_file.parent.glob("*.pem"):
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)

    def load(text: str) -> webconfig.Loaded:
        (tmp_path / "web.yml").write_text(text)
        (tmp_path / "web.yml").chmod(0o600)
        return webconfig.read("web.yml")

    return load
