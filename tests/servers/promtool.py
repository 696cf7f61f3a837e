"""Prometheus' own judgement on an exposition."""

from __future__ import annotations

import subprocess

from tests.servers import server

_SECONDS = 60.0


class PromTool:
    """``promtool check metrics``."""

    def __init__(self) -> None:
        self._binary = server.find_binary("promtool", package="prometheus")

    def complaints(self, exposition: bytes) -> list[str]:
        """Return what promtool finds wrong with a text exposition, one line each."""
        done = subprocess.run(
            [self._binary, "check", "metrics"],
            input=exposition,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        lines = (done.stdout + done.stderr).decode().splitlines()
        if done.returncode != 0 and not lines:
            lines = [f"promtool exited {done.returncode}"]
        return lines
