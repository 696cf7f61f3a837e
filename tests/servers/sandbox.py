"""Runs a command as a unit of systemd would, as far as that goes without systemd as process 1.

What the unit says is read from it: the filter of system calls, the families of addresses, no
writable and executable memory, no new privileges. Besides, the command has another user without any
capability and a read-only file system with one writable directory. `python -m
tests.servers.sandbox UNIT COMMAND...` is the inner half, which confines itself and becomes COMMAND.
"""

from __future__ import annotations

import ctypes
import functools
import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.servers import server

USER = 65532
_ROOT = Path(__file__).parents[2]
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM = 1
_EQUAL, _MASKED_EQUAL = 4, 7
_WRITE, _EXEC = 2, 4  # protections of memory, in the third argument of mmap and mprotect

# The outer namespace may mount, and makes all but $1 read-only; the inner one may do nothing.
_READ_ONLY = """
writable=$1; shift
mount --bind "$writable" "$writable"
mount -o remount,bind,ro /
exec unshare --user --map-user={user} --map-group={user} \
    setpriv --no-new-privs --inh-caps=-all --ambient-caps=-all "$@"
"""


def wrapped(unit: Path, writable: Path, command: list[str]) -> list[str]:
    """Return the command line that runs ``command`` in the sandbox of ``unit``."""
    script = _READ_ONLY.format(user=USER)
    outer = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-euc", script, "sh"]
    inner = [sys.executable, "-m", "tests.servers.sandbox", str(unit)]
    return [*outer, str(writable), "env", f"PYTHONPATH={_ROOT}", *inner, *command]


def settings(unit: Path) -> dict[str, list[str]]:
    """Return all values of each key of a unit, in order; sections do not matter."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        key, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@functools.cache
def calls(name: str) -> frozenset[str]:
    """Return the system calls of a group such as ``@system-service``, or the call ``name``."""
    if not name.startswith("@"):
        return frozenset({name})
    tool = server.find_binary("systemd-analyze", package="systemd")
    listed = subprocess.run(
        [tool, "syscall-filter", "--no-pager", name], check=True, capture_output=True, text=True
    )
    members = (line.strip() for line in listed.stdout.splitlines()[1:])
    return frozenset().union(*(calls(each) for each in members if each and each[0] != "#"))


def allowed(unit: Path) -> frozenset[str]:
    """Return the system calls that the filters of ``unit`` leave."""
    left: frozenset[str] = frozenset()
    for value in settings(unit)["SystemCallFilter"]:
        named = frozenset().union(*(calls(name) for name in value.lstrip("~").split()))
        left = left - named if value.startswith("~") else left | named
    return left


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("a", ctypes.c_uint64),  # what to compare with, or the mask
        ("b", ctypes.c_uint64),  # with a mask, what to compare with
    )


def confine(unit: Path) -> None:
    """Take from this process what ``unit`` takes from its service."""
    said = settings(unit)
    only: dict[str, list[_Comparison]] = {
        "socket": [
            _Comparison(0, _EQUAL, getattr(socket, family), 0)
            for family in said["RestrictAddressFamilies"][0].split()
        ]
    }
    if said["MemoryDenyWriteExecute"] == ["yes"]:
        both = _WRITE | _EXEC
        only["mmap"] = [_Comparison(2, _MASKED_EQUAL, both, n) for n in (0, _WRITE, _EXEC)]
        only["mprotect"] = [_Comparison(2, _MASKED_EQUAL, _EXEC, 0)]
        only["pkey_mprotect"] = only["mprotect"]
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(_ERRNO | _EPERM))
    for name in allowed(unit):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number < 0:  # a call of other machines
            continue
        for rule in only.get(name, [None]):
            count, rules = (0, None) if rule is None else (1, ctypes.byref(rule))
            seccomp.seccomp_rule_add_array(context, _ALLOW, number, count, rules)
    if seccomp.seccomp_load(context) != 0:
        raise OSError("the filter of system calls was not loaded")


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - that is its purpose
