"""Clusters and components in the hands of scikit-learn's tools."""

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans as TheirKMeans
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA as TheirPCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearnex_rs import spmd
from sklearnex_rs.cluster import KMeans
from sklearnex_rs.decomposition import PCA
from sklearnex_rs.linear_model import LinearRegression

PAIRS = [(KMeans, PCA), (TheirKMeans, TheirPCA)]


def test_a_search_in_a_pipeline_of_components_and_clusters(assert_close):
    X, found = load_wine().data, []
    grid = {"pca__n_components": [2, 0.8], "kmeans__n_clusters": [2, 3, 5]}
    for clusters, components in PAIRS:
        steps = StandardScaler(), components(), clusters(random_state=0, n_init=2)
        search = GridSearchCV(make_pipeline(*steps), grid, cv=3, n_jobs=2).fit(X)
        scores = search.cv_results_["mean_test_score"]
        found.append((search.best_params_, scores, search.predict(X)))
    ours, theirs = found
    assert ours[0] == theirs[0]
    assert_close(ours[1], theirs[1])
    np.testing.assert_array_equal(ours[2], theirs[2])


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_fits_side_by_side(backend):
    X = load_digits().data
    models = [KMeans(k, random_state=k) for k in range(2, 8)] + [PCA(3), PCA(0.5)]
    jobs = [joblib.delayed(clone(model).fit)(X) for model in models]
    for one, model in zip(
        joblib.Parallel(n_jobs=3, backend=backend)(jobs), models, strict=True
    ):
        np.testing.assert_array_equal(one.transform(X), model.fit(X).transform(X))


def test_frames_and_their_columns():
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    X = pd.DataFrame(load_wine().data[:, :4], columns=list("abcd"))
    both = FeatureUnion([("near", KMeans(3, random_state=0)), ("pca", PCA(2))])
    frame = both.set_output(transform="pandas").fit_transform(X)
    names = ["near__kmeans0", "near__kmeans1", "near__kmeans2"]
    assert frame.columns.tolist() == [*names, "pca__pca0", "pca__pca1"]
    expected = TheirKMeans(3, random_state=0).fit(X).transform(X)
    np.testing.assert_allclose(frame[names], expected, rtol=1e-9)
    model = KMeans(3).fit(X)
    assert model.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[list("dcba")])


@pytest.mark.parametrize("model", [KMeans(4, tol=1e-3, init="random"), PCA(0.9)])
def test_clones_are_equal_and_unfitted(model):
    model.fit(load_wine().data)
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert not [name for name in vars(twin) if name.endswith("_")]


def test_components_before_a_line(assert_close):
    X, y = load_wine(return_X_y=True)
    ours = make_pipeline(StandardScaler(), PCA(4), LinearRegression()).fit(X, y)
    theirs = make_pipeline(StandardScaler(), TheirPCA(4), LinearRegression()).fit(X, y)
    assert_close(ours.predict(X), theirs.predict(X))


def test_pipelines_over_ranks():
    X = StandardScaler().fit_transform(load_wine().data)
    batch = make_pipeline(PCA(3), KMeans(3, random_state=0)).fit(X)

    def program(comm):
        steps = spmd.PCA(3, comm=comm), spmd.KMeans(3, random_state=0, comm=comm)
        mine = np.array_split(X, comm.size)[comm.rank]
        return make_pipeline(*steps).fit(mine).predict(mine)

    labels = np.concatenate(spmd.run(3, program))
    np.testing.assert_array_equal(labels, batch.predict(X))
