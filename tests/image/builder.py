"""buildah without a registry or a daemon, and what it has built."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.servers import daemon, process, server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROJECT = Path(__file__).parents[2]
_SECONDS = 300.0
_WHEELS = "/wheels"
# Enters a root file system that cannot be written to, as its user, and becomes the command.
_ENTER = """
mount --bind "$1" "$1"
mount --rbind /proc "$1/proc"
mount --bind /dev "$1/dev"
mount -o remount,bind,ro "$1"
[ -z "$4" ] || mount --bind "$4" "$1$3"
root=$1 user=$2 directory=$3
shift 4
cd /
exec chroot --userspec="$user" --groups= "$root" /usr/bin/env -C "$directory" "$@"
"""


class Buildah:
    """``buildah`` with a store of its own below ``directory``; call it with its arguments."""

    def __init__(self, directory: Path) -> None:
        if os.geteuid() != 0:
            raise server.ServerError("building an image needs root: sudo make image-test")
        self.directory = directory
        store = ["--root", str(directory / "store"), "--runroot", str(directory / "run")]
        binary = server.find_binary("buildah", package="buildah")
        self._command = [binary, *store, "--storage-driver", "vfs"]

    def __call__(self, *arguments: str) -> str:
        """Return what buildah prints; a failure shows its complaints."""
        done = subprocess.run(
            [*self._command, *arguments],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stdout + done.stderr)[-4000:]
            raise server.ServerError(f"buildah {' '.join(arguments)} failed:\n{said}")
        return done.stdout

    def build(self, tag: str, **build_arguments: str) -> Image:
        """Build the project's Dockerfile as any builder does; no index is asked.

        pip is told by the secret where to look: at wheels fetched beforehand, with the settings
        of this machine.
        """
        wheels = _fetch_wheels(self.directory / "wheels")
        secret = self.directory / "pip.conf"
        secret.write_text(f"[global]\nno-index = true\nfind-links = {_WHEELS}\n")
        given = [f"--build-arg={name}={value}" for name, value in build_arguments.items()]
        isolation = ["--isolation=chroot", "--layers=false", "--pull=never"]
        mounts = [f"--secret=id=pip,src={secret}", f"--volume={wheels}:{_WHEELS}:ro"]
        # Docker's format, for the other knows no HEALTHCHECK.
        self("build", "--format=docker", *isolation, *mounts, *given, f"--tag={tag}", ".")
        return Image(self, tag)


class Image:
    """A built image: what its configuration says, and its root file system to run."""

    def __init__(self, buildah: Buildah, tag: str) -> None:
        told = json.loads(buildah("inspect", "--type", "image", tag))
        self.config: dict[str, Any] = told["Docker"]["config"]
        self.root = Path(buildah("mount", buildah("from", "--pull=never", tag).strip()).strip())

    def command(
        self, *arguments: str, volume: Path | None = None, **environment: str
    ) -> Sequence[str]:
        """Return a command that runs ``arguments`` inside, as the image's user, root read-only.

        ``volume`` is mounted over the working directory.
        """
        enter = ["unshare", "--mount", "--propagation=private", "sh", "-euc", _ENTER, "sh"]
        where = [str(self.root), self.config["User"], self.config["WorkingDir"], str(volume or "")]
        given = [f"{name}={value}" for name, value in environment.items()]
        return [*enter, *where, "-i", *self.config["Env"], *given, *arguments]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ``arguments`` inside to their end and return what they did."""
        command = self.command(*arguments, **environment)
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


class Container(daemon.Daemon):
    """The image's own command, with nothing but its environment to configure it."""

    def __init__(
        self,
        directory: Path,
        image: Image,
        *,
        volume: Path | None = None,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(directory, None, name="container")
        self._image = image
        self._volume = volume
        self._given = {"CELERY_SENTINEL_WEB_LISTEN_ADDRESS": "127.0.0.1:0", **environment}

    def _launch(self) -> process.Process:
        words = [*self._image.config["Entrypoint"], *self._image.config["Cmd"]]
        return process.Process(
            self._image.command(*words, volume=self._volume, **self._given),
            env={"PATH": os.environ["PATH"]},
            cwd=self.directory,
            log=self.log,
            stdout=self.stdout,
        )


def _fetch_wheels(directory: Path) -> Path:
    """Fetch what is locked, with its hashes and for any Python: the stand-in's may be older."""
    directory.mkdir()
    files = [PROJECT / "requirements" / name for name in ("run.txt", "build.txt")]
    locked = "".join(re.sub(r" ;[^\\\n]*", " ", file.read_text()) for file in files)
    wanted = directory / "wanted.txt"
    wanted.write_text(locked)
    how = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    pip = [sys.executable, "-m", "pip", "download", *how]
    subprocess.run([*pip, "--requirement", wanted, "--dest", directory], check=True, timeout=300)
    return directory
