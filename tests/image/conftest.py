"""The image under test: built once for all tests, and removed after them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.image import builder, stand_in

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "1.2.3"
REVISION = "0123abc"


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[builder.Image]:
    """Build the image of the Dockerfile on a stand-in for its base."""
    directory = tmp_path_factory.mktemp("image")
    try:
        buildah = builder.Buildah(directory)
        stand_in.make(buildah, stand_in.base_name(builder.PROJECT / "Dockerfile"), directory)
        yield buildah.build("celery-sentinel", VERSION=VERSION, REVISION=REVISION)
    finally:
        # Half a gigabyte, which pytest would keep for three sessions.
        shutil.rmtree(directory)
