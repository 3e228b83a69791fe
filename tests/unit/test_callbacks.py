"""scikit-learn's callbacks are called at each iteration, on the first rank."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearnex_rs import spmd
from sklearnex_rs.cluster import KMeans
from sklearnex_rs.linear_model import LogisticRegression

callback = pytest.importorskip(
    "sklearn.callback", reason="scikit-learn before 1.9 has no callbacks"
)


class Recorder:
    """Keeps which hooks were called, and what the iterates were; stops after some."""

    def __init__(self, stop=None, fail=None):
        self.hooks, self.iterates, self.stop, self.fail = [], [], stop, fail

    def setup(self, estimator, context):
        self.hooks.append("setup")

    def teardown(self, estimator, context):
        self.hooks.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, fitted_estimator=None):
        self.hooks.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        self.hooks.append(f"end {context.task_name}")
        if context.task_name == "fit" or fitted_estimator is None:
            return None
        self.iterates.append(fitted_estimator)
        if self.fail is not None:
            raise self.fail
        return len(self.iterates) == self.stop


def data(classes=3):
    X, y = make_blobs(150, 4, centers=classes, cluster_std=4, random_state=2)
    return X, y


MODELS = [
    (LogisticRegression(), "lbfgs-iter"),
    (LogisticRegression(solver="newton-cholesky"), "newton-cholesky-iter"),
    (LogisticRegression(solver="saga", l1_ratio=1, max_iter=500), "saga-iter"),
    (KMeans(4, random_state=0), "lloyd-iter"),
]
IDS = ["lbfgs", "newton-cholesky", "saga", "KMeans"]


def spmd_logistic(comm):
    return spmd.LogisticRegression(comm=comm)


def spmd_kmeans(comm):
    return spmd.KMeans(4, random_state=0, comm=comm)


SPMD = [spmd_logistic, spmd_kmeans]


def weights_of(model):
    if hasattr(model, "cluster_centers_"):
        return model.cluster_centers_
    return np.column_stack([model.coef_, model.intercept_])


@pytest.mark.parametrize(("model", "task"), MODELS, ids=IDS)
def test_each_iteration_is_a_task_of_the_fit(model, task):
    X, y = data()
    recorder = Recorder()
    model = clone(model).set_callbacks(recorder).fit(X, y)
    steps = int(np.max(model.n_iter_))
    assert steps > 2
    assert recorder.hooks == [
        "setup",
        "begin fit",
        *[f"begin {task}", f"end {task}"] * (steps + 1),  # the last one is empty
        "end fit",
        "teardown",
    ]
    assert len(recorder.iterates) == steps
    last = recorder.iterates[-1]
    np.testing.assert_allclose(weights_of(last), weights_of(model), rtol=1e-12)
    np.testing.assert_array_equal(last.predict(X), model.predict(X))


@pytest.mark.parametrize(("model", "task"), MODELS, ids=IDS)
def test_iterates_are_those_of_as_many_iterations(model, task):
    X, y = data()
    recorder = Recorder()
    clone(model).set_callbacks(recorder).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        short = clone(model).set_params(max_iter=2).fit(X, y)
    expected = weights_of(short)
    np.testing.assert_allclose(weights_of(recorder.iterates[1]), expected, rtol=1e-9)


@pytest.mark.parametrize(("model", "task"), MODELS, ids=IDS)
def test_a_callback_stops_a_fit(model, task, recwarn):
    X, y = data()
    recorder = Recorder(stop=2)
    model = clone(model).set_callbacks(recorder).fit(X, y)
    assert np.max(model.n_iter_) == 2
    assert len(recorder.iterates) == 2
    assert not recwarn.list  # it was asked for


@pytest.mark.parametrize(("model", "task"), MODELS, ids=IDS)
def test_what_a_callback_raises_is_raised(model, task):
    class OwnError(Exception):
        pass

    X, y = data()
    recorder = Recorder(fail=OwnError("enough"))
    model = clone(model).set_callbacks(recorder)
    with pytest.raises(OwnError, match="enough"):
        model.fit(X, y)
    assert recorder.hooks[-1] == "teardown"
    assert np.isfinite(weights_of(model.set_callbacks().fit(X, y))).all()


def test_every_run_of_kmeans_is_told():
    X, _ = data()
    recorder = Recorder()
    model = KMeans(4, n_init=3, random_state=0).set_callbacks(recorder).fit(X)
    assert recorder.hooks.count("begin lloyd-iter") == len(recorder.iterates) + 3
    assert len(recorder.iterates) > model.n_iter_


def test_scikit_learns_own_callbacks_work(capsys):
    X, y = data()
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = LogisticRegression().set_callbacks(monitor).fit(X, y)
    scores = [row["accuracy"] for row in monitor.get_logs().data]
    assert scores[-1] == model.score(X, y)
    assert len(scores) > model.n_iter_[0]
    with pytest.raises(TypeError, match="FitCallback"):
        model.set_callbacks(print)


def test_a_pipeline_hands_its_callbacks_on():
    class Propagated(Recorder):
        max_propagation_depth = None

    X, y = data()
    recorder = Propagated()
    make_pipeline(StandardScaler(), LogisticRegression()).set_callbacks(recorder).fit(
        X, y
    )
    assert "begin lbfgs-iter" in recorder.hooks


@pytest.mark.parametrize("make", SPMD)
def test_the_first_rank_alone_is_told(make):
    X, y = data()

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        recorder = Recorder()
        model = clone(make(comm)).set_callbacks(recorder).fit(X[mine], y[mine])
        plain = make(comm).fit(X[mine], y[mine])
        np.testing.assert_array_equal(weights_of(model), weights_of(plain))
        scores = [iterate.score(X, y) for iterate in recorder.iterates]  # local
        return len(scores), int(np.max(model.n_iter_))

    told = spmd.run(3, program)
    assert told[0][0] == told[0][1]
    assert [count for count, _ in told[1:]] == [0, 0]


@pytest.mark.parametrize("make", SPMD)
def test_all_ranks_stop_and_raise_with_the_first(make):
    X, y = data()

    def program(comm):
        mine = slice(comm.rank, None, comm.size)
        stopped = make(comm).set_callbacks(Recorder(stop=2)).fit(X[mine], y[mine])
        failing = make(comm).set_callbacks(Recorder(fail=ValueError("enough")))
        with pytest.raises(ValueError, match="enough"):
            failing.fit(X[mine], y[mine])
        again = failing.set_callbacks().fit(X[mine], y[mine])
        return int(np.max(stopped.n_iter_)), weights_of(again).tolist()

    found = spmd.run(3, program)
    assert all(one == found[0] for one in found)
    assert found[0][0] == 2
