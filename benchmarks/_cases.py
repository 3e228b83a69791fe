"""What is compared: models, their parameters, and data, the same for any ranks."""

import importlib
import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

BLOCKS = 4  # of the rows, so that all ranks together always hold the same ones
MEMORY, FULL = "SKLEARNEX_RS_MEMORY", "20000000"  # bytes that a full node has left


class Model(NamedTuple):
    """An estimator, the calls that are timed, and the attribute that is compared."""

    module: str
    name: str
    calls: tuple[str, ...]
    answer: str
    params: tuple[tuple[str, float], ...] = ()


MODELS = {
    "linear": Model("linear_model", "LinearRegression", ("fit", "predict"), "coef_"),
    "weighted": Model("linear_model", "LinearRegression", ("fit",), "coef_"),
    "ridge": Model("linear_model", "Ridge", ("fit",), "coef_"),
    "rounds": Model("linear_model", "Ridge", ("fit",), "coef_"),
    "lasso": Model("linear_model", "Lasso", ("fit",), "coef_", (("alpha", 0.05),)),
    "net": Model("linear_model", "ElasticNet", ("fit",), "coef_", (("alpha", 0.05),)),
    "batches": Model("linear_model", "IncrementalLinearRegression", ("fit",), "coef_"),
    "iridge": Model("linear_model", "IncrementalRidge", ("fit",), "coef_"),
    "kmeans": Model("cluster", "KMeans", ("fit", "predict"), "cluster_centers_"),
    "plusplus": Model("cluster", "KMeans", ("fit",), "inertia_"),
    "logistic": Model("linear_model", "LogisticRegression", ("fit",), "coef_"),
    "l1": Model("linear_model", "LogisticRegression", ("fit",), "coef_"),
    "pca": Model("decomposition", "PCA", ("fit", "transform"), "explained_variance_"),
    "ipca": Model("decomposition", "IncrementalPCA", ("fit",), "explained_variance_"),
    "covariance": Model("covariance", "EmpiricalCovariance", ("fit",), "covariance_"),
    "icovariance": Model(
        "covariance", "IncrementalEmpiricalCovariance", ("fit",), "covariance_"
    ),
    "statistics": Model("basic_statistics", "BasicStatistics", ("fit",), "variance_"),
    "istatistics": Model(
        "basic_statistics", "IncrementalBasicStatistics", ("fit",), "variance_"
    ),
    "tsvd": Model("decomposition", "TruncatedSVD", ("fit",), "singular_values_"),
    "arpack": Model(
        "decomposition",
        "TruncatedSVD",
        ("fit",),
        "singular_values_",
        (("algorithm", "arpack"),),
    ),
    "qr": Model("linalg", "qr", ("fit",), "answer_"),  # only among ranks
    "svd": Model("linalg", "svd", ("fit",), "answer_"),
}
PLAIN = ("linear", "weighted", "ridge", "rounds", "lasso", "net")
PLAIN += ("covariance", "statistics")
RANKED = ("qr", "svd")  # they take no numbers, as those; only ranks have them
# They take the rows of a batch.
BATCHES = ("batches", "iridge", "icovariance", "istatistics")
FORMS = (
    "[ranks:|daal4py:][weighted:|ridge:|rounds:|lasso:|net:|batches=ROWS:|kmeans=KxROUNDS:|"
    "plusplus=K:|pca=K:|ipca=KxROWS:|covariance:|icovariance=ROWS:|statistics:|"
    "istatistics=ROWS:|iridge=ROWS:|tsvd=K:|arpack=K:|logistic=K:|l1=K:|qr:|svd:]ROWSxCOLUMNS:DTYPE"
)
CASES = (
    "500000x100:float64",
    "500000x100:float32",
    "1000x10:float64",
    "weighted:500000x100:float64",
    "ridge:500000x100:float64",
    "ridge:500000x100:float32",
    "rounds:20000x2000:float64",
    "lasso:500000x100:float64",
    "net:500000x100:float64",
    "batches=500:500000x100:float64",
    "batches=50000:500000x100:float64",
    "iridge=5000:500000x100:float64",
    "kmeans=50x10:500000x100:float64",
    "kmeans=50x10:500000x100:float32",
    "kmeans=1000x5:200000x20:float64",
    "plusplus=50:500000x100:float64",
    "pca=10:500000x100:float64",
    "pca=10:500000x100:float32",
    "ipca=10x500:500000x100:float64",
    "ipca=10x5000:200000x1000:float64",
    "covariance:500000x100:float64",
    "covariance:500000x100:float32",
    "icovariance=500:500000x100:float64",
    "statistics:500000x100:float64",
    "statistics:500000x100:float32",
    "istatistics=500:500000x100:float64",
    "tsvd=10:500000x100:float64",
    "arpack=10:500000x100:float64",
    "logistic=5:200000x100:float64",
    "logistic=2:500000x100:float64",
    "l1=2:200000x50:float64",
    "l1=5:50000x50:float64",
    "ranks:500000x100:float64",
    "ranks:500000x100:float32",
    "ranks:kmeans=50x10:500000x100:float64",
    "ranks:kmeans=50x10:500000x100:float32",
    "daal4py:500000x100:float64",
    "daal4py:ridge:500000x100:float64",
    "daal4py:kmeans=50x10:500000x100:float64",
    "daal4py:plusplus=50:500000x100:float64",
    "daal4py:pca=10:500000x100:float64",
    "daal4py:covariance:500000x100:float64",
    "daal4py:statistics:500000x100:float64",
    "daal4py:qr=:500000x50:float64",
    "daal4py:svd=:500000x50:float64",
)
QUICK = (
    "50000x50:float64",
    "50000x50:float32",
    "1000x10:float64",
    "weighted:50000x50:float64",
    "ridge:50000x50:float64",
    "lasso:50000x50:float64",
    "batches=5000:50000x50:float64",
    "iridge=5000:50000x50:float64",
    "kmeans=20x5:50000x50:float64",
    "kmeans=200x5:20000x20:float64",
    "plusplus=20:50000x50:float64",
    "pca=10:50000x50:float64",
    "ipca=10x250:50000x50:float64",
    "covariance:50000x50:float64",
    "statistics:50000x50:float64",
    "logistic=5:50000x50:float64",
    "l1=2:20000x20:float64",
    "ranks:50000x50:float64",
    "ranks:kmeans=20x5:50000x50:float64",
    "daal4py:kmeans=20x5:50000x50:float64",
)


class Rounds:
    """A line of ours, on a node that seems to have no room for co-moments."""

    def __init__(self, line: object) -> None:
        self.line = line

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Rounds":
        """Fit while the node seems full."""
        os.environ[MEMORY] = FULL
        try:
            self.coef_ = self.line.fit(X, y).coef_
        finally:
            del os.environ[MEMORY]
        return self


class Factors:
    """A function that factors rows, as an estimator."""

    def __init__(self, function: Callable[[np.ndarray], tuple]) -> None:
        self.function = function

    def fit(self, X: np.ndarray, y: object) -> "Factors":  # noqa: ARG002
        """Factor the rows, and keep the triangle, but for signs, or the values."""
        self.answer_ = np.abs(self.function(X)[1])
        return self


class Case(NamedTuple):
    """A model of generated data: alone, shared by ranks, or by ranks of daal4py too."""

    text: str
    where: str
    model: str
    numbers: tuple[int, ...]
    rows: int
    columns: int
    dtype: str

    @classmethod
    def read(cls, text: str) -> "Case":
        """Read what `FORMS` says."""
        *before, shape, dtype = text.split(":")
        where = before.pop(0) if before[:1] in (["ranks"], ["daal4py"]) else "alone"
        model, _, numbers = (before or ["linear="])[0].partition("=")
        sizes = tuple(int(n) for n in numbers.split("x") if n)
        wanted = {**dict.fromkeys(MODELS, 1), **dict.fromkeys(PLAIN, 0)}
        wanted |= {"kmeans": 2, "ipca": 2}
        wanted |= dict.fromkeys(RANKED, None if where == "alone" else 0)
        known = dtype in ("float32", "float64")
        if len(before) > 1 or len(sizes) != wanted.get(model) or not known:
            raise ValueError(text)
        rows, columns = map(int, shape.split("x"))
        return cls(text, where, model, sizes, rows, columns, dtype)

    def __str__(self) -> str:
        return self.text

    @property
    def calls(self) -> tuple[str, ...]:
        """The calls that are timed."""
        return MODELS[self.model].calls

    def make(self, library: str) -> object | None:
        """Return the estimator of a library, unfitted; None where it has none."""
        module, name, _, _, params = MODELS[self.model]
        if library == "sklearnex":  # where they stand
            where = {"lasso": "daal4py.sklearn", "net": "daal4py.sklearn"}
            where |= dict.fromkeys(("covariance", "ipca"), "sklearnex.preview")
            library = where.get(self.model, library)
        if library == "sklearn" and module == "basic_statistics":
            return None
        cls = getattr(importlib.import_module(f"{library}.{module}"), name, None)
        if self.model == "rounds":
            ours = library.startswith("sklearnex_rs")
            return Rounds(cls()) if ours else cls(solver="lsqr", tol=1e-10)
        if cls is None or self.model in (*PLAIN, "logistic"):
            return cls and cls(**dict(params))
        if self.model == "l1":  # the faster of scikit-learn's ways
            solver = "liblinear" if self.numbers[0] == 2 else "saga"
            return cls(l1_ratio=1, solver=solver, C=0.01)
        if self.model in BATCHES:
            return cls(batch_size=self.numbers[0])
        if self.model == "ipca":
            return cls(n_components=self.numbers[0], batch_size=self.numbers[1])
        if self.model in RANKED:
            return Factors(cls)
        if self.model in ("pca", "tsvd", "arpack"):
            return cls(n_components=self.numbers[0], **dict(params))
        if self.model == "plusplus":  # the start, and the least that may follow
            return cls(self.numbers[0], n_init=1, max_iter=1, tol=0, random_state=0)
        clusters, rounds = self.numbers
        return cls(clusters, init=self.start(), n_init=1, max_iter=rounds, tol=0)

    def answer(self, model: object) -> np.ndarray:
        """Return what fitted models are compared by."""
        return np.asarray(getattr(model, MODELS[self.model].answer), np.float64)

    def data(self, call: str, X: np.ndarray, y: np.ndarray) -> tuple:
        """Return what a call is given of the rows."""
        if call != "fit":
            return (X,)
        return (X, y, 0.5 + y % 1) if self.model == "weighted" else (X, y)

    def start(self) -> np.ndarray:
        """Return the first centers: as many first rows of the first block."""
        shape = self.numbers[0], self.columns
        return np.random.default_rng(0).standard_normal(shape, self.dtype)

    def blocks(self, rank: int = 0, size: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return one rank's rows and targets; the ranks' are the same for any size."""
        edges = [self.rows * b // BLOCKS for b in range(BLOCKS + 1)]
        mine = range(BLOCKS * rank // size, BLOCKS * (rank + 1) // size)
        n = edges[mine.stop] - edges[mine.start]
        X, y = np.empty((n, self.columns), self.dtype), np.empty(n, self.dtype)
        coef = np.linspace(-1, 1, self.columns)
        for b in mine:
            part = slice(edges[b] - edges[mine.start], edges[b + 1] - edges[mine.start])
            generator = np.random.default_rng(b)
            X[part] = generator.standard_normal(X[part].shape, self.dtype)
            y[part] = X[part] @ coef + 3 + generator.standard_normal(len(y[part]))
        if self.model in ("logistic", "l1"):  # classes in turn along the line, blurred
            y = np.floor((y - 3) / 4) % self.numbers[0]
        return X, y
