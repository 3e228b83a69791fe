"""Settings of this package and of scikit-learn, and what they change."""

import copy
import pickle
import threading

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

import sklearnex_rs
from sklearnex_rs import config_context, get_config, set_config, spmd
from sklearnex_rs.decomposition import PCA


def test_config_context_takes_scikit_learns_settings_too(rng):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(rng.standard_normal((9, 3)), columns=list("abc"))
    before = get_config()
    with config_context(transform_output="pandas", spmd_timeout=5, assume_finite=True):
        assert sklearn.get_config()["transform_output"] == "pandas"
        assert get_config()["spmd_timeout"] == 5
        assert get_config()["assume_finite"] is True
        assert isinstance(PCA(2).fit(X).transform(X), pd.DataFrame)
    assert get_config() == before


def test_set_config_holds_until_it_is_set_again():
    before = get_config()
    set_config(spmd_timeout=7, working_memory=512)
    try:
        assert get_config()["spmd_timeout"] == 7
        assert sklearn.get_config()["working_memory"] == 512
        with config_context(spmd_timeout=None):
            assert get_config()["spmd_timeout"] is None
        assert get_config()["spmd_timeout"] == 7
    finally:
        set_config(spmd_timeout=None, working_memory=before["working_memory"])
    assert get_config() == before


def test_settings_are_those_of_a_thread():
    found = []
    with config_context(spmd_timeout=3):
        thread = threading.Thread(target=lambda: found.append(get_config()))
        thread.start()
        thread.join()
    assert found[0]["spmd_timeout"] is None


def test_ranks_that_are_threads_have_the_callers_settings():
    def program(comm):
        config = get_config()
        return config["spmd_finalize"], config["assume_finite"]

    with config_context(spmd_finalize="lazy", assume_finite=True):
        assert spmd.run(2, program) == [("lazy", True)] * 2


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"spmd_timeot": 3}, TypeError, "'spmd_timeot' is not a setting"),
        ({"spmd_timeout": 0}, ValueError, "spmd_timeout must be positive or None"),
        ({"spmd_finalize": "never"}, ValueError, "must be explicit or lazy"),
        ({"spmd_message_bytes": 1}, ValueError, "must be in 16"),
        ({"device": "gpu"}, ValueError, "device must be"),
        ({"allow_fallback_to_host": 1}, ValueError, "must be True or False"),
        ({"target_offload": "gpu"}, NotImplementedError, r'device="cuda"'),
        ({"target_offload": "gpu:1"}, NotImplementedError, r'device="cuda"'),
        ({"target_offload": object()}, NotImplementedError, r'device="cuda"'),
        ({"target_offload": "cpu", "device": "cuda"}, ValueError, "one setting"),
    ],
)
@pytest.mark.parametrize("how", ["context", "set"])
def test_what_is_not_allowed_is_named_and_changes_nothing(settings, error, text, how):
    before = get_config()
    change = set_config if how == "set" else config_context(**settings).__enter__
    with pytest.raises(error, match=text):
        change(**(settings | {"assume_finite": True} if how == "set" else {}))
    assert get_config() == before


@pytest.mark.parametrize(("target", "device"), [("auto", None), ("cpu", "cpu")])
def test_target_offload_is_another_name_of_device(target, device):
    with config_context(device="cuda"), config_context(target_offload=target):
        assert get_config()["device"] == device
        assert get_config()["target_offload"] == target


def batches(comm, seed=3):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((20, 3)) + 5
    return X, X @ [1.0, 2.0, 3.0] + 1, slice(comm.rank * 7, comm.rank * 7 + 6)


STREAMS = {
    "IncrementalLinearRegression": ("coef_", "predict"),
    "IncrementalRidge": ("intercept_", "predict"),
    "IncrementalPCA": ("components_", "transform"),
    "IncrementalEmpiricalCovariance": ("covariance_", "mahalanobis"),
    "IncrementalBasicStatistics": ("mean_", None),
}


def streamed(name, comm):
    X, y, mine = batches(comm)
    model = getattr(spmd, name)(comm=comm)
    if comm.rank == 2:  # a rank without a batch
        return model, X
    target = (y[mine],) if "LinearRegression" in name or "Ridge" in name else ()
    return model.partial_fit(X[mine], *target), X


@pytest.mark.parametrize("name", STREAMS)
def test_lazy_finalizes_at_the_first_use(name):
    attribute, method = STREAMS[name]

    def program(comm):
        explicit, X = streamed(name, comm)
        explicit.finalize()
        with config_context(spmd_finalize="lazy"):
            for use in [attribute, "getattr", method]:
                if use is None:
                    continue
                lazy, _ = streamed(name, comm)
                if use == method:
                    answer = getattr(lazy, method)(X)
                    expected = getattr(explicit, method)(X)
                else:
                    answer = getattr(lazy, attribute)
                    expected = getattr(explicit, attribute)
                np.testing.assert_array_equal(answer, expected)
        return True

    assert all(spmd.run(3, program))


def test_lazy_finalizes_again_after_another_batch():
    def program(comm):
        X, y, mine = batches(comm)
        with config_context(spmd_finalize="lazy"):
            model = spmd.IncrementalLinearRegression(comm=comm)
            first = model.partial_fit(X[mine], y[mine]).n_samples_seen_
            return first, model.partial_fit(X[mine], y[mine]).n_samples_seen_

    assert spmd.run(2, program) == [(12, 24)] * 2


@pytest.mark.parametrize("name", STREAMS)
def test_lazy_looks_do_not_communicate(name):
    attribute = STREAMS[name][0]

    def program(comm):
        with config_context(spmd_finalize="lazy"):
            model, _ = streamed(name, comm)
            before = comm.messages
            repr(model)
            model._repr_html_()
            assert not hasattr(model, attribute)
            assert [hasattr(model, name) for name in (attribute,)] == [False]
            clone(model)
            copy.copy(model)
            copy.deepcopy(model)
            pickle.loads(pickle.dumps(model))
            if comm.rank < 2:
                check_is_fitted(model)
            else:
                with pytest.raises(NotFittedError, match="finalize"):
                    check_is_fitted(model)
            return comm.messages - before

    assert spmd.run(3, program) == [0, 0, 0]


def test_lazy_tells_hasattr_from_an_attribute_in_every_form():
    def program(comm):
        model, _ = streamed("IncrementalRidge", comm)
        before = comm.messages
        for _ in range(20):  # the interpreter specializes what runs often
            assert not hasattr(model, "coef_")
            assert not hasattr(model if comm else None, "coef_")
            assert [hasattr(model, name) for name in ("coef_",)] == [False]
            assert (lambda it: hasattr(it, "coef_"))(model) is False
            assert not hasattr(*(model, "coef_"))
        assert comm.messages == before
        coef = model.coef_ if not hasattr(model, "coef_") else None
        assert hasattr(model, "coef_")
        return coef.tolist() == getattr(model, "coef_").tolist()

    with config_context(spmd_finalize="lazy"):
        assert spmd.run(2, program) == [True, True]


def test_lazy_errors_are_those_of_finalize():
    def program(comm):
        with config_context(spmd_finalize="lazy"):
            model = spmd.IncrementalLinearRegression(comm=comm)
            with pytest.raises(ValueError, match="Found array with 0 sample"):
                _ = model.coef_  # no rank has seen rows
            if comm.rank == 1:
                with pytest.raises(ValueError, match="NaN"):
                    model.partial_fit([[np.nan]], [1.0])
            else:
                model.partial_fit([[1.0], [2.0]], [1.0, 2.0])
            with pytest.raises(ValueError, match="rank 1: Input X contains NaN"):
                model.predict([[1.0]])
            return round(float(model.coef_[0]), 9)

    assert spmd.run(2, program) == [1.0, 1.0]


def test_explicit_is_the_default():
    def program(comm):
        model, X = streamed("IncrementalRidge", comm)
        with pytest.raises(NotFittedError, match="finalize"):
            model.predict(X)
        with pytest.raises(NotFittedError, match="finalize"):
            _ = model.coef_

    assert get_config()["spmd_finalize"] == "explicit"
    spmd.run(3, program)


@pytest.mark.parametrize("name", sklearnex_rs.spmd.__all__)
def test_every_class_takes_n_jobs(name):
    cls = getattr(spmd, name)
    if isinstance(cls, type) and issubclass(cls, sklearn.base.BaseEstimator):
        assert cls(n_jobs=2).get_params()["n_jobs"] == 2
        batch = cls.__mro__[2]
        assert batch(n_jobs=2).get_params()["n_jobs"] == 2
