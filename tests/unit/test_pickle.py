"""Models travel: by pickle, joblib, cloudpickle and copies."""

import copy
import io
import pickle

import cloudpickle
import joblib
import numpy as np
import pytest
from sklearn.base import clone, is_classifier

from sklearnex_rs import spmd
from sklearnex_rs.cluster import KMeans
from sklearnex_rs.decomposition import PCA
from sklearnex_rs.linear_model import (
    ElasticNet,
    IncrementalLinearRegression,
    IncrementalRidge,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
)

# Class, parameters, what a fitted one does with rows, and one of its attributes.
ESTIMATORS = [
    (LinearRegression, {}, "predict", "coef_"),
    (LinearRegression, {"positive": True}, "predict", "coef_"),
    (LogisticRegression, {}, "predict_proba", "coef_"),
    (Ridge, {"alpha": [0.5, 2.0]}, "predict", "coef_"),
    (ElasticNet, {"alpha": 0.1, "warm_start": True}, "predict", "coef_"),
    (Lasso, {"alpha": 0.1}, "predict", "coef_"),
    (IncrementalLinearRegression, {}, "predict", "coef_"),
    (IncrementalRidge, {"alpha": 2.0}, "predict", "coef_"),
    (KMeans, {"n_clusters": 3, "random_state": 0}, "predict", "cluster_centers_"),
    (KMeans, {"n_clusters": 5, "random_state": 1}, "transform", "cluster_centers_"),
    (PCA, {"n_components": 2, "whiten": True}, "transform", "components_"),
]
each = pytest.mark.parametrize(("cls", "params", "call", "attribute"), ESTIMATORS)


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
models, rows = pickle.load(open({path!r}, "rb"))
import numpy as np
np.savez({answers!r}, *[getattr(model, call)(rows) for model, call in models])
assert not any(m.startswith("mpi4py.") for m in sys.modules)
"""


@pytest.fixture
def rows(rng):
    X = rng.standard_normal((60, 4))
    return X, X @ rng.standard_normal((4, 2)) + 1


def spread(cls):
    """The class of the same name for ranks."""
    return getattr(spmd, cls.__name__)


def targets(cls, y):
    return np.sign(y[:, 0] - y[:, 1]) if is_classifier(cls()) else y


def fitted(cls, params, X, y):
    """Batch and SPMD models, of two ranks."""
    y = targets(cls, y)

    def program(comm):
        model = spread(cls)(comm=comm, **params)
        return model.fit(X[comm.rank :: comm.size], y[comm.rank :: comm.size])

    return [cls(**params).fit(X, y), *spmd.run(2, program)]


@each
@pytest.mark.parametrize("way", WAYS)
def test_unfitted_models_keep_their_parameters(cls, params, call, attribute, way):
    for model in (cls(**params), spread(cls)(**params)):
        twin = WAYS[way](model)
        assert type(twin) is type(model)
        assert twin.get_params() == model.get_params()


@each
@pytest.mark.parametrize("way", WAYS)
def test_fitted_models_do_the_same(rows, cls, params, call, attribute, way):
    for model in fitted(cls, params, *rows):
        twin = WAYS[way](model)
        assert type(twin) is type(model)
        before, after = (getattr(m, call)(rows[0]) for m in (model, twin))
        np.testing.assert_array_equal(after, before)
        assert {k for k in vars(twin) if k.endswith("_")} == {
            k for k in vars(model) if k.endswith("_")
        }


@each
@pytest.mark.parametrize("way", PICKLES)
def test_pickles_drop_the_communicator(rows, cls, params, call, attribute, way):
    model = fitted(cls, params, *rows)[1]
    assert PICKLES[way](model).comm is None
    assert isinstance(model.comm, spmd.ThreadComm)


@each
def test_copies_and_clones_share_the_communicator(rows, cls, params, call, attribute):
    model = fitted(cls, params, *rows)[1]
    for twin in (copy.copy(model), copy.deepcopy(model), clone(model)):
        assert twin.comm is model.comm
    assert not hasattr(clone(model), attribute)
    deep, flat = copy.deepcopy(model), copy.copy(model)
    mine, deeper, flatter = (getattr(m, attribute) for m in (model, deep, flat))
    assert not np.shares_memory(deeper, mine)
    assert np.shares_memory(flatter, mine)
    assert copy.deepcopy([model, model])[0].comm is model.comm


@each
def test_a_copy_has_attributes_of_its_own(rows, cls, params, call, attribute):
    for model in fitted(cls, params, *rows):
        twin = copy.copy(model)
        setattr(twin, attribute, getattr(model, attribute)[::-1] + 7.0)
        before, after = (getattr(m, call)(rows[0]) for m in (model, twin))
        assert not np.array_equal(after, before)


@pytest.mark.parametrize("block", [False, True])
def test_a_fresh_process_without_mpi4py_does_the_same(rows, tmp_path, python, block):
    path, answers = str(tmp_path / "models"), str(tmp_path / "answers.npz")
    models = [
        (model, call)
        for cls, params, call, _ in ESTIMATORS
        for model in fitted(cls, params, *rows)
    ]
    with open(path, "wb") as file:
        pickle.dump((models, rows[0]), file)
    python(LOAD.format(block=block, path=path, answers=answers))
    with np.load(answers) as there:
        for answer, (model, call) in zip(there.values(), models, strict=True):
            np.testing.assert_array_equal(answer, getattr(model, call)(rows[0]))


@each
def test_a_loaded_model_is_fitted_again(rows, cls, params, call, attribute):
    X, y = rows[0], targets(cls, rows[1])
    first = fitted(cls, params, *rows)[0]
    again = pickle.loads(pickle.dumps(first)).fit(X, y)
    one, other = (getattr(m, attribute) for m in (first, again))
    np.testing.assert_array_equal(one, other)

    def program(comm):
        twin = pickle.loads(pickle.dumps(spread(cls)(comm=comm, **params)))
        return getattr(twin.set_params(comm=comm).fit(X, y), attribute)

    np.testing.assert_array_equal(*spmd.run(2, program))
