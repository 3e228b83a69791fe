"""How much memory a node has left."""

from __future__ import annotations

import os
from pathlib import Path

#: Summaries of fewer bytes, all ranks together, are not asked about.
LARGE = 1 << 26


def free() -> int:
    """Return the bytes that this node, or its control group, has left.

    ``SKLEARNEX_RS_MEMORY`` lowers that, for tests; the same on all ranks of a node.
    """
    found = [_available(), _quota()]
    limit = os.environ.get("SKLEARNEX_RS_MEMORY", "")
    if limit.isdigit():
        found.append(int(limit))
    return min((bytes for bytes in found if bytes is not None), default=1 << 62)


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _quota() -> int | None:
    """Bytes that the control groups leave, version 2 or 1; None without a limit."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base = Path("/sys/fs/cgroup") / ("memory" if controllers else "")
        place = base / path.lstrip("/")
        while place == base or base in place.parents:
            found.append(_left(place))
            if place == base:
                break
            place = place.parent
    return min((left for left in found if left is not None), default=None)


def _left(place: Path) -> int | None:
    names = ("memory.max", "memory.current", "inactive_file")
    if not (place / names[0]).exists():
        names = (
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
        )
    try:
        limit = int((place / names[0]).read_text())
        used = int((place / names[1]).read_text())
        stat = (place / "memory.stat").read_text().split()
    except (OSError, ValueError):  # there is none, or it is "max"
        return None
    pairs = dict(zip(stat[::2], stat[1::2], strict=False))
    return limit - used + int(pairs.get(names[2], 0))  # caches of files give way
