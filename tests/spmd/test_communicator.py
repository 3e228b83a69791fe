"""Any communicator, never the user's own messages, nothing left behind."""

import copy
import pickle
import threading
import time

import numpy as np
import pytest
from mpi4py import MPI
from sklearn.base import clone

from sklearnex_rs import spmd


@pytest.fixture
def rows(rng):
    X = rng.standard_normal((30, 3))
    return X, X @ np.arange(1.0, 4.0)


def test_split_duplicated_and_self(comm, rows, share, rng):
    X = rng.standard_normal((60, 3))
    y = X @ np.array([2.0, 3.0, 4.0]) + rng.standard_normal(60)
    half = comm.Split(comm.rank % 2, -comm.rank)
    mine = X[half.rank :: half.size], y[half.rank :: half.size] * (1 + comm.rank % 2)
    model = spmd.LinearRegression(comm=half).fit(*mine)
    alone = spmd.LinearRegression(comm=MPI.COMM_SELF).fit(X, y * (1 + comm.rank % 2))
    np.testing.assert_allclose(model.coef_, alone.coef_, rtol=1e-12)
    twin = comm.Dup()
    spmd.LinearRegression(comm=twin).fit(*rows)
    half.Free()
    twin.Free()


def test_two_groups_fit_at_the_same_time(comm, rows):
    """Groups make different numbers of calls with different methods, and never meet."""
    half = comm.Split(comm.rank % 2, comm.rank)
    model = spmd.LinearRegression(comm=half)
    for _ in range(3 + 5 * (comm.rank % 2)):
        model.fit(*rows)
        if comm.rank % 2:
            assert model.score(*rows) == pytest.approx(1.0)
    half.Free()
    comm.Barrier()


@pytest.mark.timeout(300)  # MPICH 4.0 takes 20 ms for each, with more ranks than cores
def test_more_communicators_than_there_can_be_at_once(comm, rows):
    """MPICH runs out of them at about 2,000 if ours are not given back."""
    X, y = rows
    limited = any(name in MPI.Get_library_version() for name in ("MPICH", "Intel"))
    for k in range(2200 if limited else 250):
        part = comm.Split(comm.rank % 2, k * (-1) ** k * comm.rank)
        model = spmd.LinearRegression(n_jobs=1, comm=part).fit(X, y)
        part.Free()
    np.testing.assert_allclose(model.coef_, [1.0, 2.0, 3.0])


def test_the_users_messages_are_left_alone(comm, rows):
    """A receive for any tag from anybody, under way during a fit, gets its message."""
    request = comm.irecv(source=MPI.ANY_SOURCE, tag=MPI.ANY_TAG)
    barrier = comm.Ibarrier()
    spmd.LinearRegression(comm=comm).fit(*rows)
    comm.send(("mine", comm.rank), (comm.rank + 1) % comm.size, tag=7)
    assert request.wait() == ("mine", (comm.rank - 1) % comm.size)
    barrier.Wait()


@pytest.mark.parametrize("length", [0, 100, 3000, 100_000])
@pytest.mark.parametrize("tag", [1, 32767])
def test_messages_with_the_tags_of_notices_are_left_alone(comm, rows, length, tag):
    """Under way before the first use of a communicator, they arrive after it."""
    mine = comm.Dup()
    right, left = (mine.rank + 1) % mine.size, (mine.rank - 1) % mine.size
    request = mine.Isend(np.full(length, mine.rank, "u1"), right, tag)
    time.sleep(0.05 if mine.rank == 0 else 0)
    spmd.LinearRegression(comm=mine).fit(*rows)
    got = np.empty(length, "u1")
    mine.Recv(got, left, tag)
    request.Wait()
    assert (got == left).all()
    mine.Free()


def test_default_is_the_world(comm, rows):
    world = spmd.LinearRegression().fit(*rows)
    np.testing.assert_array_equal(
        world.coef_, spmd.LinearRegression(comm=comm).fit(*rows).coef_
    )
    assert (spmd.rank(), spmd.size()) == (comm.rank, comm.size)


def test_clones_share_the_communicator_and_pickles_drop_it(comm, rows):
    half = comm.Split(comm.rank % 2, comm.rank)
    model = spmd.LinearRegression(tol=1e-7, comm=half).fit(*rows)
    for twin in (clone(model), copy.deepcopy(model), copy.copy(model)):
        assert twin.comm is half
        assert twin.get_params() == model.get_params()
    assert not hasattr(clone(model), "coef_")
    np.testing.assert_array_equal(copy.deepcopy(model).coef_, model.coef_)
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.comm is None
    assert loaded.tol == 1e-7
    np.testing.assert_array_equal(loaded.predict(rows[0]), model.predict(rows[0]))
    assert loaded.set_params(comm=half).comm is half
    assert "LinearRegression(comm=" in repr(model)
    assert repr(spmd.LinearRegression()) == "LinearRegression()"
    comm.Barrier()
    half.Free()


@pytest.mark.parametrize(
    ("bad", "kind"), [(3, TypeError), (MPI.COMM_NULL, (TypeError, ValueError))]
)
def test_what_is_no_communicator_is_refused(rows, bad, kind):
    with pytest.raises(kind, match="comm must"):
        spmd.LinearRegression(comm=bad).fit(*rows)


def test_a_freed_communicator_is_refused(comm, rows):
    twin = comm.Dup()
    model, ranks = spmd.LinearRegression(comm=twin).fit(*rows), spmd.communicator(twin)
    twin.Free()
    with pytest.raises(ValueError, match="or it was freed"):
        model.fit(*rows)
    assert ranks.sum(np.ones(1)) == comm.size  # on a duplicate, which it holds
    model.predict(rows[0])


def test_an_intercommunicator_is_refused(comm, rows):
    if comm.size == 1:
        pytest.skip("one rank makes no two groups")
    half = comm.Split(comm.rank % 2, comm.rank)
    between = half.Create_intercomm(0, comm, (comm.rank + 1) % 2)
    for call in (
        lambda: spmd.LinearRegression(comm=between).fit(*rows),
        lambda: spmd.communicator(between),
        lambda: spmd.size(between),
    ):
        with pytest.raises(TypeError, match=r"comm must be an mpi4py\.MPI\.Intra"):
            call()
    between.Free()
    half.Free()


def test_a_call_from_another_thread(comm, rows):
    """Allowed at this thread level; tests/jobs has the levels that do not allow it."""
    if MPI.Query_thread() < MPI.THREAD_SERIALIZED:
        pytest.skip("this MPI allows calls from the main thread only")
    done = []
    model = spmd.LinearRegression(comm=comm)
    thread = threading.Thread(target=lambda: done.append(model.fit(*rows)))
    thread.start()
    thread.join(30)
    assert len(done) == 1
