"""Classes of labels that are spread over ranks: as of the concatenated labels."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sklearnex_rs import spmd

LARGE = 2**53


def fit(*labels):
    """Fit with a share for each rank, in three ways; return the classes and answers."""
    X = np.arange(8.0).reshape(-1, 1)

    def program(comm):
        y = labels[comm.rank]
        rows = X[: len(y)] + 8 * comm.rank
        model = spmd.LogisticRegression(comm=comm).fit(rows, y)
        return model.classes_, model.predict(rows)

    return spmd.run(len(labels), program)


def labels(values, dtype):
    return np.array([value for value in values for _ in range(2)], dtype)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (([1, 2], "i8"), ([2, 3], "u8")),
        (([1, 2], "i1"), ([2, 300], "u2")),
        (([1, 2], "i4"), ([2, 0], "f8")),
        (([True, False], bool), ([1, 2], "i8")),
        (([True, False], bool), ([1.0, 2.0], "f4")),
        ((["a", "b"], "U1"), (["b", "abcd"], "U4")),
        ((["a", "b"], "U1"), (["b", "abcd"], object)),
        ((["a", "b"], object), (["a\0", "b\0\0"], object)),
        ((["a", "\0"], object), (["", "é\ud800"], object)),
        (([LARGE + 1, LARGE], "i8"), ([3, LARGE + 3], "i8")),
    ],
)
@pytest.mark.parametrize("empty", [False, True])
def test_classes_are_those_of_the_concatenated_labels(one, other, empty):
    shares = [labels(*one), labels(*other)]
    classes = np.unique(np.concatenate(shares))
    if empty:
        shares.insert(1, np.empty(0))
    for (found, answers), share in zip(fit(*shares), shares, strict=True):
        assert found.dtype == classes.dtype
        assert found.tolist() == classes.tolist()
        assert answers.dtype == classes.dtype
        assert set(answers.tolist()) <= set(classes.tolist())
        assert len(answers) == len(share)


@pytest.mark.parametrize(
    ("one", "other", "dtype"),
    [
        (([LARGE + 1, LARGE], "i8"), ([LARGE + 2, 3], "u8"), np.int64),
        (([1, 2], "i8"), ([2**64 - 1, 2], "u8"), np.uint64),
        (([LARGE + 1, LARGE], "i8"), ([1.0, 2.0], "f4"), np.int64),
        (([2**64 - 1, 0], "u8"), ([True, False], bool), np.uint64),
    ],
)
def test_whole_numbers_are_not_rounded(one, other, dtype):
    shares = [labels(*one), labels(*other)]
    classes = sorted({label for share in shares for label in share.tolist()})
    for order in (shares, shares[::-1]):
        for found, _ in fit(*order):
            assert found.dtype == dtype
            assert found.tolist() == classes


def test_labels_without_a_common_type_are_refused():
    with pytest.raises(ValueError, match="have no common type that represents each"):
        fit(labels([-1, 2], "i8"), labels([2**64 - 1, 2], "u8"))


def test_numbers_and_strings_are_refused():
    with pytest.raises(ValueError, match="rank 0 has numbers, rank 1 has strings"):
        fit(labels([1, 2], int), labels(["1", "2"], "U1"))


@pytest.mark.parametrize(
    "bad",
    [labels([1, 2], object), labels([b"a", b"b"], "S1"), labels([1, "b"], object)],
)
def test_what_scikit_learn_refuses_all_ranks_refuse(bad):
    with pytest.raises((ValueError, TypeError)) as theirs:
        LogisticRegression().fit(np.arange(4.0).reshape(-1, 1), bad)
    with pytest.raises(type(theirs.value)) as ours:
        fit(labels(["a", "b"], "U1"), bad)
    assert str(theirs.value) in str(ours.value)
