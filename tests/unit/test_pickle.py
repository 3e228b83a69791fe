"""Models travel: by pickle, joblib, cloudpickle and copies."""

import copy
import io
import pickle

import cloudpickle
import joblib
import numpy as np
import pytest
from sklearn.base import clone

from sklearnex_rs import spmd
from sklearnex_rs.linear_model import LinearRegression


def through_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


PROTOCOLS = {
    f"pickle {protocol}": lambda m, p=protocol: pickle.loads(pickle.dumps(m, p))
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
}
PICKLES = {
    **PROTOCOLS,
    "joblib": through_joblib,
    "cloudpickle": lambda m: cloudpickle.loads(cloudpickle.dumps(m)),
}
WAYS = {**PICKLES, "copy": copy.copy, "deepcopy": copy.deepcopy}
LOAD = """
import sys
if {block}:
    sys.modules["mpi4py"] = None
import pickle
model = pickle.load(open({path!r}, "rb"))
import numpy as np
rows = np.load({rows!r})
np.save({answer!r}, model.predict(rows))
assert not any(m.startswith("mpi4py.") for m in sys.modules)
"""


@pytest.fixture
def rows(rng):
    X = rng.standard_normal((60, 4))
    return X, X @ rng.standard_normal((4, 2)) + 1


def fitted(X, y, **params):
    """Batch and SPMD models, of two ranks."""

    def program(comm):
        model = spmd.LinearRegression(comm=comm, **params)
        return model.fit(X[comm.rank :: comm.size], y[comm.rank :: comm.size])

    return [LinearRegression(**params).fit(X, y), *spmd.run(2, program)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spread", [False, True])
def test_unfitted_models_keep_their_parameters(way, spread):
    cls = spmd.LinearRegression if spread else LinearRegression
    model = cls(fit_intercept=False, tol=1e-3, n_jobs=2)
    twin = WAYS[way](model)
    assert type(twin) is cls
    assert twin.get_params() == model.get_params()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("params", [{}, {"positive": True}])
def test_fitted_models_predict_the_same(rows, way, params):
    X, y = rows
    for model in fitted(X, y, **params):
        twin = WAYS[way](model)
        assert type(twin) is type(model)
        np.testing.assert_array_equal(twin.predict(X), model.predict(X))
        assert {k for k in vars(twin) if k.endswith("_")} == {
            k for k in vars(model) if k.endswith("_")
        }


@pytest.mark.parametrize("way", PICKLES)
def test_pickles_drop_the_communicator(rows, way):
    model = fitted(*rows)[1]
    assert PICKLES[way](model).comm is None
    assert isinstance(model.comm, spmd.ThreadComm)


def test_copies_and_clones_share_the_communicator(rows):
    model = fitted(*rows)[1]
    for twin in (copy.copy(model), copy.deepcopy(model), clone(model)):
        assert twin.comm is model.comm
    assert not hasattr(clone(model), "coef_")
    deep, flat = copy.deepcopy(model), copy.copy(model)
    assert not np.shares_memory(deep.coef_, model.coef_)
    assert np.shares_memory(flat.coef_, model.coef_)
    assert copy.deepcopy([model, model])[0].comm is model.comm


def test_a_copy_has_attributes_of_its_own(rows):
    for model in fitted(*rows):
        twin = copy.copy(model)
        twin.intercept_ = 7.0
        assert not np.array_equal(twin.predict(rows[0]), model.predict(rows[0]))


@pytest.mark.parametrize("block", [False, True])
def test_a_fresh_process_without_mpi4py_predicts(rows, tmp_path, python, block):
    X, y = rows
    for model in fitted(X, y):
        names = {name: str(tmp_path / name) for name in ("path", "rows", "answer")}
        names = {k: v if k == "path" else f"{v}.npy" for k, v in names.items()}
        with open(names["path"], "wb") as file:
            pickle.dump(model, file)
        np.save(names["rows"], X)
        python(LOAD.format(block=block, **names))
        np.testing.assert_array_equal(np.load(names["answer"]), model.predict(X))


def test_a_loaded_model_is_fitted_again(rows):
    X, y = rows
    model = pickle.loads(pickle.dumps(fitted(X, y)[0]))
    np.testing.assert_array_equal(model.fit(X, y).coef_, fitted(X, y)[0].coef_)

    def program(comm):
        twin = pickle.loads(pickle.dumps(spmd.LinearRegression(comm=comm)))
        return twin.set_params(comm=comm).fit(X, y).coef_

    first, second = spmd.run(2, program)
    np.testing.assert_array_equal(first, second)
