"""Runs scikit-learn's own tests with our classes; see ci/sklearn_suite.sh.

Our names take the place of scikit-learn's before its tests import them. Tests that use
none of them are deselected. Which differences are expected stands in expected.toml.
"""

import functools
import importlib
import inspect
import re
import sys
import tomllib
import types
from pathlib import Path

import pytest
import sklearn
from table import PLACES, SKLEARN

EXPECTED = tomllib.loads((Path(__file__).parent / "expected.toml").read_text())
CONTAINERS = (list, tuple, set, frozenset)


def pytest_addoption(parser):
    parser.addoption("--estimators", default="", help="only the tests that use these")
    parser.addoption("--quick", action="store_true", help="without the slow tests")


def pytest_configure(config):
    wanted, found = EXPECTED["scikit-learn"], sklearn.__version__
    if found.split(".")[:2] != wanted.split(".")[:2]:
        msg = f"expected.toml is for scikit-learn {wanted}, and this is {found}"
        raise pytest.UsageError(msg)


def pytest_report_header(config):
    wanted, found = EXPECTED["scikit-learn"], sklearn.__version__
    return f"scikit-learn {found}; expected.toml is for scikit-learn {wanted}"


def replace():
    """Put ours where scikit-learn has its own; return them by name."""
    for name in sklearn.__all__:  # what scikit-learn derives from its classes stays
        getattr(sklearn, name)
    ours = {}
    for name, package in PLACES.items():
        ours[name] = getattr(importlib.import_module(f"sklearnex_rs.{package}"), name)
        public = importlib.import_module(f"sklearn.{package}")
        theirs, places = getattr(public, name), [public]
        if inspect.isclass(theirs):  # a function calls others of its module
            places = [m for k, m in sys.modules.items() if k.split(".")[0] == "sklearn"]
        for place in places:
            if vars(place).get(name) is theirs:
                setattr(place, name, ours[name])
    return ours


OURS = replace()
NAMES = {id(thing): name for name, thing in OURS.items()}


class Uses:
    """Which of our names a test uses: by its code, its fixtures and its parameters."""

    def __init__(self, item):
        self.module = item.module.__name__
        self.seen, self.names = set(), set()
        self.follow(item.function)
        self.follow(
            list(getattr(item, "callspec", item).__dict__.get("params", {}).values())
        )
        for definitions in item._fixtureinfo.name2fixturedefs.values():
            self.follow([definition.func for definition in definitions])

    def follow(self, thing):
        if id(thing) in self.seen:
            return
        self.seen.add(id(thing))
        if id(thing) in NAMES or id(type(thing)) in NAMES:
            self.names.add(NAMES.get(id(thing)) or NAMES[id(type(thing))])
        elif isinstance(thing, CONTAINERS):
            for part in thing:
                self.follow(part)
        elif isinstance(thing, dict):
            self.follow([*thing, *thing.values()])
        elif isinstance(thing, functools.partial):
            self.follow([thing.func, thing.args, thing.keywords])
        elif inspect.isfunction(thing) and thing.__module__ == self.module:
            thing = inspect.unwrap(thing)
            for name in named(thing.__code__):
                if name in thing.__globals__:
                    self.follow(thing.__globals__[name])
                elif name in OURS:  # imported within the function
                    self.names.add(name)


def named(code):
    """Return the names that code looks up, with the functions within it."""
    inner = [named(part) for part in code.co_consts if isinstance(part, types.CodeType)]
    return set(code.co_names).union(*inner)


def name_of(item):
    """Return the name of a test as expected.toml has it."""
    path = item.path.relative_to(SKLEARN).as_posix()
    return f"{path}::{item.nodeid.split('::', 1)[1]}"


def matcher(pattern):
    """Return a pattern as a regular expression: a star is anything."""
    return re.compile(".*".join(map(re.escape, pattern.split("*"))))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    wanted = set(config.getoption("estimators").split()) or OURS.keys()
    slow = [matcher(p) for p in EXPECTED["slow"] if config.getoption("quick")]
    names = {item: name_of(item) for item in items}
    chosen = [
        item
        for item, name in names.items()
        if not any(pattern.fullmatch(name) for pattern in slow)
        and Uses(item).names & wanted
    ]
    config.hook.pytest_deselected(items=list(names.keys() - set(chosen)))
    items[:] = chosen
    files, unused = {name.split("::")[0] for name in names.values()}, []
    for group in EXPECTED["difference"]:
        mark = pytest.mark.xfail(reason=group["reason"], strict=True)
        for pattern in group["tests"]:
            match = matcher(pattern).fullmatch
            found = [item for item, name in names.items() if match(name)]
            for item in found:
                item.add_marker(mark)
            if not found and pattern.split("::")[0] in files:
                unused.append(pattern)
    if unused:
        msg = f"expected.toml names tests that are not there: {unused}"
        raise pytest.UsageError(msg)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and call.excinfo is not None:
        reason = reason_for(call.excinfo.value)
        if reason is not None:
            report.outcome, report.wasxfail = "skipped", f"reason: {reason}"
    return report


def reason_for(error):
    """Return why an error is expected, wherever it arises."""
    while error is not None:
        for group in EXPECTED["error"]:
            if group["text"] in str(error):
                return group["reason"]
        error = error.__cause__ or error.__context__
    return None
