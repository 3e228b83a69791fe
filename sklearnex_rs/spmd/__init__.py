"""The estimators over rows distributed over ranks: ``mpirun -n 4 python fit.py``.

Importing this, constructing, unpickling and ``predict`` need neither mpi4py nor MPI;
the first collective call does.
"""

from __future__ import annotations

from typing import Any

from sklearnex_rs import _cuda
from sklearnex_rs._threads import place_on_node
from sklearnex_rs.spmd import (
    basic_statistics,
    cluster,
    covariance,
    decomposition,
    linalg,
    linear_model,
)
from sklearnex_rs.spmd._ranks import Comm, RankLeftError, ThreadComm, join, member, run
from sklearnex_rs.spmd.basic_statistics import (
    BasicStatistics,
    IncrementalBasicStatistics,
)
from sklearnex_rs.spmd.cluster import KMeans
from sklearnex_rs.spmd.covariance import (
    EmpiricalCovariance,
    IncrementalEmpiricalCovariance,
)
from sklearnex_rs.spmd.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearnex_rs.spmd.linear_model import (
    ElasticNet,
    IncrementalLinearRegression,
    IncrementalRidge,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    enet_path,
    lasso_path,
)

__all__ = [
    "PCA",
    "BasicStatistics",
    "ElasticNet",
    "EmpiricalCovariance",
    "IncrementalBasicStatistics",
    "IncrementalEmpiricalCovariance",
    "IncrementalLinearRegression",
    "IncrementalPCA",
    "IncrementalRidge",
    "KMeans",
    "Lasso",
    "LinearRegression",
    "LogisticRegression",
    "RankLeftError",
    "Ridge",
    "ThreadComm",
    "TruncatedSVD",
    "basic_statistics",
    "cluster",
    "communicator",
    "covariance",
    "decomposition",
    "enet_path",
    "lasso_path",
    "linalg",
    "linear_model",
    "local_device",
    "rank",
    "run",
    "size",
]


def communicator(comm: Any = None) -> Comm:
    """Join the ranks of ``comm`` and return what moves numbers and bytes among them.

    Collective at the first use of a communicator: our messages travel on a duplicate
    of it, which goes with it.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``.

    Returns
    -------
    ranks : object
        With ``rank``, ``size`` and the collective ``sum``, ``max``, ``gather``,
        ``broadcast``, ``exchange`` and ``all_to_all``.
    """
    ranks, refusal = join(comm, "communicator")
    if refusal is not None:
        raise refusal
    return ranks


def local_device(comm: Any = None) -> int:
    """Return the number of an NVIDIA GPU for this rank.

    The ranks of a node take its GPUs in turn; several may have one. Collective at
    the first use of a communicator.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``.

    Returns
    -------
    ordinal : int
        As ``torch.device("cuda", ordinal)`` and ``cupy.cuda.Device(ordinal)`` have
        it, and ``config_context(device=f"cuda:{ordinal}")``.

    Raises
    ------
    CudaUnavailableError
        If this node has no GPU.
    """
    ranks = communicator(comm)
    return place_on_node(ranks.node_info, ranks.rank) % _cuda.ready()


def rank(comm: Any = None) -> int:
    """Return this process's place. Local.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``.

    Returns
    -------
    rank : int
        From 0.
    """
    return int(member(comm).rank)


def size(comm: Any = None) -> int:
    """Return how many ranks there are. Local.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm, default=None
        The ranks. None: ``MPI.COMM_WORLD``.

    Returns
    -------
    size : int
        At least 1.
    """
    return int(member(comm).size)
