"""How many threads a call may use, and why."""

from __future__ import annotations

import json
import os
import platform
from functools import lru_cache
from pathlib import Path

from sklearnex_rs import _core

_LOCAL_SIZES = ("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "PALS_LOCAL_SIZE")


def thread_count(
    n_jobs: int | None, node_info: list[bytes], rank: int
) -> tuple[int, str]:
    """Return the number of threads, and the rule that gave it."""
    if n_jobs is not None:
        if n_jobs == 0:
            msg = "n_jobs == 0 has no meaning"
            raise ValueError(msg)
        cpus = len(_mask())
        return (n_jobs if n_jobs > 0 else max(1, cpus + 1 + n_jobs)), "n_jobs"
    for name in ("SKLEARNEX_RS_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "").split(",")[0]
        if value.isdigit() and int(value) > 0:
            return int(value), name
    return _share(
        tuple(node_info), rank, _mask()
    ), "affinity, ranks on the node and quota"


def threads_together(n_jobs: int | None, node_info: list[bytes], rank: int) -> int:
    """Return how many threads this rank may use while the others on its node wait.

    As many as they have together, of the cpus that the launcher lets this rank use.
    """
    mine = thread_count(n_jobs, node_info, rank)[0]
    nodes = [json.loads(word)[0] for word in node_info]
    ranks = nodes.count(nodes[rank]) if node_info else 1
    quota = _quota()
    cpus = len(_mask()) if quota is None else min(len(_mask()), int(quota))
    return max(mine, min(mine * ranks, cpus))


def describe_node() -> bytes:
    """Say what the other ranks need to know to share this rank's node."""
    return json.dumps([_node(), _mask()]).encode()


@lru_cache(maxsize=64)
def _share(node_info: tuple[bytes, ...], rank: int, mask: tuple[int, ...]) -> int:
    nodes = [json.loads(word) for word in node_info] or [[_node(), list(mask)]]
    rank = rank if node_info else 0
    here = [r for r, (node, _) in enumerate(nodes) if node == nodes[rank][0]]
    masks = [nodes[r][1] for r in here]
    others = max(0, _ranks_here() - len(here))
    cpus = os.cpu_count() or 1
    return _core.threads(masks, here.index(rank), others, cpus, _quota())


def ranks_on_node(node_info: list[bytes], rank: int, size: int) -> int:
    """Return how many ranks share the memory of this one's node."""
    if not node_info:  # one process, of which the ranks are threads
        return max(size, _ranks_here())
    nodes = [json.loads(word)[0] for word in node_info]
    return max(nodes.count(nodes[rank]), _ranks_here())


def place_on_node(node_info: list[bytes], rank: int) -> int:
    """Return this rank's place among those of its node."""
    if not node_info:  # one process, of which the ranks are threads
        return rank
    nodes = [json.loads(word)[0] for word in node_info]
    return nodes[:rank].count(nodes[rank])


def _mask() -> tuple[int, ...]:
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


@lru_cache(maxsize=1)
def _node() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    return platform.node() + (boot.read_text().strip() if boot.exists() else "")


def _ranks_here() -> int:
    """Ranks on this node, where the launcher says."""
    sizes = [os.environ.get(name, "") for name in _LOCAL_SIZES]
    return max([int(size) for size in sizes if size.isdigit()], default=1)


@lru_cache(maxsize=1)
def _quota() -> float | None:
    """Cpus that the control group grants, version 2 or 1; None without a limit."""
    found = []
    root = Path("/sys/fs/cgroup")
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        base = root if not controllers else root / "cpu"
        if controllers and "cpu" not in controllers.split(","):
            continue
        place = base / path.lstrip("/")
        while place == base or base in place.parents:
            found.append(_limit(place))
            if place == base:
                break
            place = place.parent
    limits = [limit for limit in found if limit is not None]
    return min(limits, default=None)


def _limit(place: Path) -> float | None:
    try:
        if (place / "cpu.max").exists():
            quota, period = (place / "cpu.max").read_text().split()
        else:
            quota = (place / "cpu.cfs_quota_us").read_text().strip()
            period = (place / "cpu.cfs_period_us").read_text().strip()
    except (OSError, ValueError):
        return None
    return None if quota in ("max", "-1") else int(quota) / int(period)
