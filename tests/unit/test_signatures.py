"""Signatures are scikit-learn's; docstrings name every parameter."""

import inspect
import re

import numpy as np
import pytest
import sklearn
import sklearn.cluster
import sklearn.covariance
import sklearn.decomposition
import sklearn.linear_model
from sklearn.base import is_classifier

import sklearnex_rs
from sklearnex_rs import (
    basic_statistics,
    cluster,
    covariance,
    decomposition,
    linalg,
    linear_model,
    spmd,
)

FAMILIES = [
    (basic_statistics, spmd.basic_statistics, None),  # scikit-learn has none
    (cluster, spmd.cluster, sklearn.cluster),
    (covariance, spmd.covariance, sklearn.covariance),
    (decomposition, spmd.decomposition, sklearn.decomposition),
    (linear_model, spmd.linear_model, sklearn.linear_model),
]
EVERY = [
    (getattr(module, name), getattr(reference, name))
    for batch, spread, reference in FAMILIES
    for module in (batch, spread)
    for name in module.__all__
    if hasattr(reference, name)
]
PAIRS = [pair for pair in EVERY if inspect.isclass(pair[0])]
FUNCTIONS = [pair for pair in EVERY if not inspect.isclass(pair[0])]
BATCH = {name: getattr(batch, name) for batch, *_ in FAMILIES for name in batch.__all__}
CLASSES = [
    getattr(module, name)
    for *both, _ in FAMILIES
    for module in both
    for name in module.__all__
    if inspect.isclass(getattr(module, name))
]
NAMES = [f"{cls.__module__}.{cls.__name__}" for cls in CLASSES]
AS_NEWEST = sklearn.__version__.startswith("1.9")
PAIR_NAMES = [f"{mine.__module__}.{mine.__name__}" for mine, _ in PAIRS]
GENERATED = r"set_\w+_request"  # written by scikit-learn


def facts(function):
    """Name, default and kind of each parameter."""
    parameters = list(inspect.signature(function).parameters.values())
    return [(p.name, p.default, p.kind) for p in parameters]


def methods(cls):
    names = [name for name in dir(cls) if not name.startswith("_")]
    names = [name for name in names if not re.fullmatch(GENERATED, name)]
    return [name for name in names if inspect.isfunction(getattr(cls, name))]


def documented(docstring):
    """The names in the section of parameters."""
    found = re.search(
        r"Parameters\n\s*-{10}\n(.*?)(?:\n\s*\n\s*\w+[ \w]*\n\s*---|\Z)",
        docstring,
        re.S,
    )
    lines = found[1].splitlines() if found else []
    first = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
    heads = [line[first:] for line in lines if line[first : first + 1].strip()]
    names = [head.split(" : ")[0].split(",") for head in heads]
    return [name.strip(" *") for group in names for name in group]


def is_spmd(cls):
    return cls.__module__.startswith("sklearnex_rs.spmd")


@pytest.mark.parametrize(("mine", "reference"), PAIRS, ids=PAIR_NAMES)
def test_init_has_scikit_learns_parameters_and_ours_at_the_end(mine, reference):
    own, theirs = facts(mine.__init__), facts(reference.__init__)
    if is_spmd(mine):
        assert own.pop() == ("comm", None, inspect.Parameter.KEYWORD_ONLY)
    known = {name for name, *_ in theirs}  # an older one may know fewer
    assert [fact for fact in own if fact[0] in known] == theirs


@pytest.mark.parametrize(("mine", "reference"), PAIRS, ids=PAIR_NAMES)
def test_methods_have_scikit_learns_parameters(mine, reference):
    for name in methods(reference):
        if not hasattr(mine, name):
            pytest.fail(f"{mine} has no {name}")
        theirs = facts(getattr(reference, name))
        if name == "path":
            continue  # a function: below
        assert facts(getattr(mine, name))[: len(theirs)] == theirs, name


@pytest.mark.parametrize(
    ("mine", "reference"),
    FUNCTIONS,
    ids=[f.__module__ + f.__name__ for f, _ in FUNCTIONS],
)
def test_functions_have_scikit_learns_parameters(mine, reference):
    own, theirs = facts(mine), facts(reference)
    if AS_NEWEST:
        assert own == theirs
    else:  # an older one has other defaults
        assert [name for name, *_ in own] == [name for name, *_ in theirs]
    assert documented(mine.__doc__) == [name for name, *_ in own]


@pytest.mark.parametrize("cls", CLASSES, ids=NAMES)
def test_get_params_are_those_of_init(cls):
    assert sorted(cls().get_params()) == sorted(
        name for name, *_ in facts(cls.__init__)[1:]
    )


@pytest.mark.parametrize("cls", CLASSES, ids=NAMES)
def test_docstrings_document_every_parameter(cls):
    expected = [name for name, *_ in facts(cls.__init__)[1:]]
    assert documented(cls.__doc__) == expected
    for name in methods(cls):
        function = getattr(cls, name)
        bound = not isinstance(inspect.getattr_static(cls, name), staticmethod)
        expected = [name for name, *_ in facts(function)[bound:]]
        assert documented(function.__doc__) == expected, name


@pytest.mark.parametrize("cls", CLASSES, ids=NAMES)
def test_docstrings_name_every_attribute(cls, rng):
    X = rng.standard_normal((9, 2))
    y = np.arange(9) % 2 if is_classifier(cls()) else X[:, 0]
    model = BATCH[cls.__name__]().fit(X, y)
    for name in vars(model):
        if name.endswith("_"):
            assert name in cls.__doc__


@pytest.mark.parametrize("module", [sklearnex_rs, spmd, linalg, spmd.linalg])
def test_public_functions_document_every_parameter(module):
    for name in module.__all__:
        function = getattr(module, name)
        if inspect.isfunction(function):
            for parameter, *_ in facts(function):
                assert re.search(rf"\b{parameter}\b", function.__doc__), name


@pytest.mark.parametrize(
    "module",
    [
        sklearnex_rs,
        spmd,
        linalg,
        spmd.linalg,
        *(ours for *both, _ in FAMILIES for ours in both),
    ],
)
def test_everything_in_all_is_there_and_has_a_docstring(module):
    for name in module.__all__:
        assert getattr(module, name).__doc__, name
