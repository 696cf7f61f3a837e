"""The image runs without root, without a shell, without a writable root file system."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import celery_sentinel
from tests.image import builder, conftest
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from pathlib import Path

    from tests import conftest as fixtures
    from tests.servers import redis

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

PROGRAM = "/opt/celery-sentinel/bin/celery-sentinel"
PYTHON = "/opt/celery-sentinel/bin/python"
OURS = 65532


def test_it_says_how_it_runs(image: builder.Image) -> None:
    """No shell starts it or looks after it, its user is a number, its signal ours."""
    config = image.config
    assert config["Entrypoint"] == [PROGRAM]
    assert config["Cmd"] == ["run"]
    assert config["User"] == f"{OURS}:{OURS}"
    assert config["StopSignal"] == "SIGTERM"
    assert config["ExposedPorts"] == {"9808/tcp": {}}
    assert config["Healthcheck"]["Test"] == ["CMD", PROGRAM, "healthcheck"]


def test_it_says_what_it_is(image: builder.Image) -> None:
    """The labels name the version that was built, and from which revision."""
    labels = image.config["Labels"]
    prefix = "org.opencontainers.image"
    assert labels[f"{prefix}.title"] == "celery-sentinel"
    assert labels[f"{prefix}.licenses"] == "Apache-2.0"
    assert labels[f"{prefix}.version"] == conftest.VERSION
    assert labels[f"{prefix}.revision"] == conftest.REVISION


def test_it_tells_its_version(image: builder.Image) -> None:
    """The entry point runs as it is, with nothing written and nothing mounted."""
    done = image.run(*image.config["Entrypoint"], "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"celery-sentinel, version {celery_sentinel.__version__}\n"


def test_what_was_needed_to_build_stays_behind(image: builder.Image) -> None:
    """Neither the builder's packages nor pip, the source, the tests or the secret are inside."""
    installed = image.run(PYTHON, "-c", "import pip")
    assert "No module named 'pip'" in installed.stderr
    assert "No module named 'hatchling'" in image.run(PYTHON, "-c", "import hatchling").stderr
    for path in ("build", "etc/pip.conf"):
        assert not (image.root / path).exists()
    assert not list((image.root / "opt").rglob("tests/servers"))


def test_all_is_compiled_and_nobodys_to_change(image: builder.Image) -> None:
    """Each module has its bytecode, and nothing of the program is the user's own or open to all."""
    package = image.root / "opt" / "celery-sentinel" / "lib"
    [ours] = package.rglob("celery_sentinel")
    modules = {path.stem for path in ours.glob("*.py")}
    compiled = {path.name.partition(".")[0] for path in ours.glob("__pycache__/*.pyc")}
    assert modules == compiled
    for path in package.rglob("*"):
        found = path.lstat()
        assert found.st_uid == 0, path
        assert path.is_symlink() or not found.st_mode & 0o022, path


def test_it_is_not_root(image: builder.Image) -> None:
    """It runs as a user without a name, which can write nowhere but in what is mounted."""
    code = "import os; print(os.getuid(), os.getgid(), os.getgroups()); open('state', 'w')"
    done = image.run(PYTHON, "-c", code)
    assert done.stdout == f"{OURS} {OURS} []\n"
    assert "Read-only file system" in done.stderr


def test_the_state_directory_is_its_own(image: builder.Image) -> None:
    """A volume that is new takes over the owner and mode of the directory it is mounted on."""
    found = (image.root / image.config["WorkingDir"].lstrip("/")).stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (OURS, OURS, 0o700)


def test_it_watches_a_real_fleet(
    image: builder.Image,
    redis_server: redis.RedisServer,
    start_worker: fixtures.StartWorker,
    tmp_path: Path,
) -> None:
    """On a read-only root it finds the worker, is healthy, keeps its state, stops when asked."""
    start_worker(redis_server.url)
    # As Kubernetes gives a volume to fsGroup: root's, and the group's to write.
    os.chown(tmp_path, 0, OURS)
    tmp_path.chmod(0o2770)
    state = f"{image.config['WorkingDir']}/state"
    given = {
        "CELERY_SENTINEL_BROKER_URL": redis_server.url,
        "CELERY_SENTINEL_STATE_FILE": state,
    }
    with builder.Container(tmp_path, image, volume=tmp_path, environment=given) as container:
        deadline.wait_until(
            lambda: daemon.total(container.scrape(), "celery_worker_up") == 1, 120, "it is up"
        )
        assert container.get("/-/ready").status_code == 200

        url = f"{container.url}/-/healthy"
        asked = image.config["Healthcheck"]["Test"][1:]

        def healthy() -> bool:
            done = image.run(*asked, CELERY_SENTINEL_HEALTHCHECK_URL=url)
            return (done.returncode, done.stderr) == (0, "")

        # It has 3 s; Docker asks again as well before it takes a container for dead.
        deadline.wait_until(healthy, 60, "it is healthy")

        assert container.stop() == 0
        kept = (tmp_path / "state").stat()
        assert (kept.st_uid, kept.st_mode & 0o777, kept.st_size > 0) == (OURS, 0o600, True)
        dead = image.run(*asked, CELERY_SENTINEL_HEALTHCHECK_URL=url)
        assert dead.returncode == 1
        assert url in dead.stderr
