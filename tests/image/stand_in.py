"""A stand-in for the base image of the Dockerfile, for machines that reach no registry of images.

The Debian release that the base is made of, with its Python and pip at the base's paths, tagged
with the base's name.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.servers import server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.image import builder

_PACKAGES = ("ca-certificates", "python3-venv", "python3-distutils")
_NEEDLESS = ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt")
_SECONDS = 420.0


def base_name(dockerfile: Path) -> str:
    """Return the full name of the image that every stage of ``dockerfile`` begins with."""
    text = dockerfile.read_text()
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE))
    names = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    [name] = {re.sub(r"\$\{(\w+)\}", lambda found: defaults[found[1]], name) for name in names}
    return f"docker.io/library/{name}"


def make(buildah: builder.Buildah, name: str, directory: Path) -> None:
    """Make the image called ``name``; ``directory`` is used for its file system meanwhile."""
    root = directory / "stand-in"
    suite = name.rpartition("-")[2]
    debootstrap = server.find_binary("debootstrap", package="debootstrap")
    include = f"--include={','.join(_PACKAGES)}"
    command = [debootstrap, "--variant=minbase", include, suite, str(root), *_mirror(suite)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode != 0:
        raise server.ServerError(f"debootstrap failed:\n{(done.stdout + done.stderr)[-3000:]}")
    # The base has its Python in /usr/local, where an environment of Debian's puts the same names.
    chroot = server.find_binary("chroot", package="coreutils")
    subprocess.run([chroot, root, "/usr/bin/python3", "-m", "venv", "/usr/local"], check=True)
    for needless in _NEEDLESS:
        shutil.rmtree(root / needless)
    container = buildah("from", "scratch").strip()
    buildah("add", "--quiet", container, str(root), "/")
    buildah("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", container)
    buildah("commit", "--quiet", container, name)
    buildah("rm", container)
    shutil.rmtree(root)


def _mirror(suite: str) -> list[str]:
    """Return the mirror from which this machine has its own packages, if it is of that suite."""
    apt = shutil.which("apt-get")
    if apt is None:
        return []
    done = subprocess.run(
        [apt, "indextargets", "--format", "$(REPO_URI)", f"Codename: {suite}", "Label: Debian"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split()[:1]
