"""Each operation against its definition, on every kind of communicator."""

import numpy as np
import pytest
from mpi4py import MPI

from sklearnex_rs import config_context, spmd

SIZES = [0, 1, 7, 8, 9, 1000, 100_000]


def communicators(world):
    yield world
    yield MPI.COMM_SELF
    for make in (
        lambda: world.Split(world.rank % 2, world.rank),
        lambda: world.Split(0, -world.rank),
        lambda: world.Dup(),
    ):
        made = make()
        yield made
        made.Free()


def operations(comm, size):
    ranks = spmd.communicator(comm)
    me, n = ranks.rank, ranks.size
    assert (me, n) == (comm.rank, comm.size)
    pending = comm.Ibarrier()  # the user's own messages must not meet ours
    parts = [np.arange(size) + 1000.0 * r for r in range(n)]
    np.testing.assert_array_equal(ranks.sum(parts[me]), sum(parts))
    np.testing.assert_array_equal(ranks.max(parts[me]), parts[-1])
    blocks = [bytes([r % 251]) * (size + 3 * r) for r in range(n)]
    assert ranks.gather(blocks[me]) == blocks
    for root in range(n):
        assert (
            ranks.broadcast(blocks[me] if me == root else b"no", root) == blocks[root]
        )
    there, here = (me + 1) % n, (me - 1) % n
    assert ranks.exchange(blocks[me], there, here) == blocks[here]
    sent = [bytes([me % 251, r % 251]) * (size % 17 * r) for r in range(n)]
    got = [bytes([r % 251, me % 251]) * (size % 17 * me) for r in range(n)]
    assert ranks.all_to_all(sent) == got
    pending.Wait()


@pytest.mark.parametrize("size", SIZES)
def test_operations_equal_their_definitions(comm, size):
    for each in communicators(comm):
        operations(each, size)


@pytest.mark.parametrize("size", [1, 7, 8, 9, 1000])
def test_long_messages_are_cut(comm, size):
    with config_context(spmd_message_bytes=64):
        for each in communicators(comm):
            operations(each, size)


def test_sums_have_the_same_bits_on_every_rank(comm, rng):
    ranks = spmd.communicator(comm)
    mine = rng.standard_normal((ranks.size, 1000))[ranks.rank] * 10.0**ranks.rank
    total = ranks.sum(mine)
    assert set(ranks.gather(total.tobytes())) == {total.tobytes()}


def test_a_rank_that_is_not_there_is_an_error(comm):
    ranks = spmd.communicator(comm)
    with pytest.raises(ValueError, match="there is no rank"):
        ranks.broadcast(b"", ranks.size)
