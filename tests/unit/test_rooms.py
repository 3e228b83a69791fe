"""Which room may name which: what is not allowed here is a 'never'."""

import ast
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# As the table in src/lib.rs; `error` and `memory` may be named by all.
ROOMS = {
    "error": set(),
    "memory": set(),
    "real": set(),
    "block": set(),
    "comm": {"block"},
    "solve": set(),
    "device": {"real", "block", "solve"},
    "summary": {"comm", "solve"},
    "algo": {"real", "block", "comm", "device", "solve", "summary"},
    "python": {"real", "block", "comm", "device", "solve", "summary", "algo"},
    "mpi-sys": set(),
}
CRATES = {  # a foreign crate lives in one place; `faer`, `pulp` also bound the numbers
    "pyo3": r"python/",
    "numpy": r"python/",
    "dlpark": r"python/",
    "mpi": r"comm/mpi/",
    "mpi_sys": r"(mpi-sys/|comm/mpi/)",
    "libc": r"(mpi-sys/|python/comm\.rs)",
    "cudarc": r"device/cuda/",
    "rayon": r"device/cpu/",
    "pulp": r"(real\.rs|device/cpu/|solve/)",
    "faer": r"(real\.rs|solve/|device/cpu/)",
}
UNSAFE = (
    r"(comm/mpi/mod|python/dlpack|python/comm|mpi-sys/src/lib|device/cpu/prefetch)\.rs"
    r"|device/cuda/|python/gpu/"
)
CONCRETE = (
    r"\b(?:Cpu|Cuda|Mpi|Threads|Solo|Faulty)\b"
    r"|\bcomm::(?:mpi|threads|solo)\b|\bdevice::(?:cpu|cuda)\b"
)
WAYS = {"mod", "visit"}
SHARED = {("kmeans", "kmeans_init")}
LINES = 400
FIRST = (
    r"\brank\(\)\s*(?:==|!=|>)\s*0\b|\bsize\(\)\s*(?:>|!=)\s*1\b|\bsize\(\)\s*>=\s*2\b"
)


def rust(root):
    """Each file of the crate: its path in src, its room, its text."""
    src = root / "src"
    for path in sorted(src.rglob("*.rs")):
        inside = path.relative_to(src)
        yield inside, inside.parts[0].removesuffix(".rs"), path.read_text()


def code(text):
    """The text without comments and without the unit tests at its foot."""
    return re.sub(r"//.*", "", text.split("#[cfg(test)]")[0])


def named_rooms(path, text):
    """The rooms that a file names, in paths, through `super` and in grouped imports."""
    inside = path.parts[:-1] if path.stem == "mod" else path.with_suffix("").parts
    above = rf"(?<![\w:])(?:super::){{{len(inside)}}}"
    text = re.sub(above, "crate::", text)
    rooms = set(re.findall(r"\bcrate::(\w+)", text))
    for group in re.findall(r"\buse crate::\{(.*?)\};", text, re.S):
        flat, before = group, None
        while flat != before:
            flat, before = re.sub(r"\{[^{}]*\}", "", flat), flat
        rooms |= set(re.findall(r"(?:^|,)\s*(\w+)", flat))
    return rooms & ROOMS.keys()


def rooms(root):
    everywhere = {"error", "memory"}
    for path, room, text in rust(root):
        if room == "lib":
            continue
        allowed = ROOMS.get(room, set()) | everywhere | {room}
        for other in sorted(named_rooms(path, code(text)) - allowed):
            yield f"{path}: {room} must never name {other}"
        if room not in ROOMS:
            yield f"{path}: there is no room {room}"


def crates(root):
    for path, _, text in rust(root):
        text = code(text)
        for crate, where in CRATES.items():
            if re.search(rf"\bmod {crate};", text):  # a module of ours has that name
                continue
            found = re.search(rf"(?<![\w:]){crate}::|\buse {crate}\b", text)
            if found and not re.match(where, path.as_posix()):
                yield f"{path}: only {where} may name {crate}"


def unsafe(root):
    for path, _, text in rust(root):
        allows = re.search(r"allow\([^)]*\bunsafe_code\b", text)
        if allows and not re.match(UNSAFE, path.as_posix()):
            yield f"{path}: unsafe code stands elsewhere"


def traits(root):
    for path, room, text in rust(root):
        if room == "algo":
            for what in sorted(set(re.findall(CONCRETE, code(text)))):
                yield f"{path}: algo must never name {what}"


def siblings(root):
    algo = root / "src" / "algo"
    stems = {path.stem for path in algo.glob("*.rs")} - WAYS
    for path, room, text in rust(root):
        if room != "algo" or path.stem in WAYS:
            continue
        named = set(re.findall(r"\b(?:super|algo)::(\w+)", code(text)))
        for group in re.findall(r"\buse (?:super|crate::algo)::\{(.*?)\};", text, re.S):
            named |= set(re.findall(r"(\w+)::", group))
        for other in sorted(named & stems - {path.stem}):
            if (path.stem, other) not in SHARED:
                yield f"{path}: estimators must never name each other ({other})"


def lengths(root):
    for folder in ("src", "sklearnex_rs", "examples", "benchmarks"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".rs", ".py", ".pyi", ".cu", ".cuh"):
                continue
            lines = path.read_text().count("\n")
            if lines > LINES:
                yield f"{path.relative_to(root)}: {lines} lines, more than {LINES}"


def memory(root):
    asks = re.compile(
        r"\bvec!\s*[\[(]|(?<!memory::)(?<!Aligned::)\bzeros(?:::<[^>]*>)?\("
    )
    for path, room, text in rust(root):
        if room in ("memory", "mpi-sys"):
            continue
        for line in text.split("#[cfg(test)]")[0].splitlines():
            before, comment, _ = line.partition("//")
            if asks.search(before) and not comment:
                yield f"{path}: not by src/memory.rs, and not said why: {line.strip()}"


def first_rank(root):
    for path, room, text in rust(root):
        if room == "comm" or path.as_posix() == "algo/mod.rs":
            continue
        for found in re.findall(FIRST, code(text)):
            yield f"{path}: must never ask for {found}"


def features(root):
    for path, _, text in rust(root):
        if path.stem not in ("mod", "lib") and re.search(
            r"\bcfg!?\([^)]*\bfeature\b", text
        ):
            yield f"{path}: features are told apart in mod.rs and lib.rs only"


def kernels(root):
    for path in sorted((root / "src").rglob("*.cu")):
        for name in re.findall(r'#\s*include\s*[<"](.*?)[>"]', path.read_text()):
            if name != "common.cuh":
                yield f"{path.relative_to(root)}: must never name {name}"


def python(root, *folders):
    """Each Python file of the folders: its path, its tree."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root), ast.parse(path.read_text())


def imports(tree):
    """Every module, and every name of one, that a file imports, with dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield start
            yield from (f"{start}.{alias.name}" for alias in node.names)


def family(path):
    """The family of a module of the package: linear_model, ...; None if private."""
    parts = [part for part in path.with_suffix("").parts[1:] if part != "spmd"]
    return parts[0] if parts and not parts[0].startswith("_") else None


def arrows(root):
    for path, tree in python(root, "sklearnex_rs"):
        spmd, names = "spmd" in path.parts, set(imports(tree))
        others = {n.split(".")[1] for n in names if n.startswith("sklearnex_rs.")}
        if any(name.startswith(".") for name in names):
            yield f"{path}: must never import relatively"
        if not spmd and "spmd" in others:
            yield f"{path}: must never name spmd"
        if spmd and "_core" in others and path.stem != "_ranks":
            yield f"{path}: must never name _core"
        families = {o for o in others if is_family(root, o)}
        if own := family(path):
            for other in sorted(families - {own}):
                yield f"{path}: must never name {other}"


def is_family(root, name):
    """Say whether a name of the package is a module of estimators."""
    base = root / "sklearnex_rs" / name
    public = not name.startswith("_") and name != "spmd"
    return public and (base.is_dir() or base.with_suffix(".py").exists())


def versions(root):
    for path, tree in python(root, "sklearnex_rs"):
        if path.name == "_compat.py":
            continue
        for name in imports(tree):
            if re.search(r"\bpackaging\b|parse_version|sp_version", name):
                yield f"{path}: only _compat compares versions ({name})"
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and "version" in ast.unparse(node).lower():
                yield f"{path}: only _compat compares versions ({ast.unparse(node)})"


def doors(root):
    folders = ("tests/unit", "tests/spmd", "tests/gpu", "tests/examples", "examples")
    for path, tree in python(root, *folders):
        named = [
            re.match(r"sklearnex_rs(?:\.\w+)*?\._(?!_)\w+", n) for n in imports(tree)
        ]
        for name in sorted({found[0] for found in named if found}):
            yield f"{path}: must never name {name}"
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr == "_core":
                yield f"{path}: must never name _core"


def flat(tree):
    """Each path of a `use`, whose braces are opened."""
    head, brace, rest = tree.partition("{")
    if not brace:
        yield "".join(tree.split(" as ")[0].split())
        return
    depth, item = 0, ""
    for letter in rest.rsplit("}", 1)[0] + ",":
        depth += (letter == "{") - (letter == "}")
        if letter != "," or depth:
            item += letter
            continue
        if item.strip():
            yield from flat(head + item)
        item = ""


USE = r"(?m)^\s*(?:pub(?:\(.*?\))? )?use\s+([^;]*);"


class Modules:
    """The modules of the crate, and the files that each names.

    A name that a module only passes on counts for the file it comes from; so does a
    `mod.rs` that declares its children and passes their names on name none of them.
    """

    def __init__(self, root):
        self.paths, self.code, self.uses = {}, {}, {}
        for path, room, text in rust(root):
            parts = tuple(
                p for p in path.with_suffix("").parts if p not in ("mod", "lib")
            )
            if room == "mpi-sys":  # a crate of its own, whose items are one list
                continue
            self.paths[parts] = path
            self.code[parts] = re.sub(rf"{USE}|\bmod \w+;", "", code(text))
            trees = re.findall(USE, code(text))
            self.uses[parts] = [path for tree in trees for path in flat(tree)]
        self.passed_on = {
            parts: {path.split("::")[-1]: path.split("::") for path in uses}
            for parts, uses in self.uses.items()
        }

    def file(self, module, names, seen=()):
        """The module that defines what a path names; None if it is no path of ours."""
        first, *rest = names
        if first == "super":
            at = module[:-1]
            while rest[:1] == ["super"]:
                at, rest = at[:-1], rest[1:]
        elif first in ("crate", "self"):
            at = () if first == "crate" else module
        elif (*module, first) in self.paths:
            at = (*module, first)
        else:
            return None
        for i, name in enumerate(rest):
            if (*at, name) in self.paths:
                at = (*at, name)
            elif name in self.passed_on[at] and (at, name) not in seen:
                onward = self.passed_on[at][name] + rest[i + 1 :]
                return self.file(at, onward, (*seen, (at, name)))
            else:
                break
        return at

    def named(self, module):
        """The files that a module names."""
        text, parent = self.code[module], self.paths[module].stem == "mod"
        paths = set(re.findall(r"(?<![\w:$])\w+(?:::\w+)+", text))
        for path in self.uses[module]:
            last = re.escape(path.split("::")[-1])
            if not parent or re.search(rf"\b{last}\b", text):
                paths.add(path)
        found = {self.file(module, path.split("::")) for path in paths}
        return {self.paths[at].as_posix() for at in found - {None, module, ()}}


def package(root):
    """Each module of the package, and the modules of it that it imports."""
    modules = {}
    for path, tree in python(root, "sklearnex_rs"):
        parts = path.with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = path.as_posix(), tree
    for name, (path, tree) in modules.items():
        named = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    module = whole in modules or alias.name == "_core"
                    named.add(whole if module else node.module)
        yield path, {modules[other][0] for other in named & modules.keys() - {name}}


def circle(graph):
    """A circle of the graph, if there is one, without what hangs on it."""
    graph = dict(graph)
    while True:
        ends = {name for name, named in graph.items() if not named & graph.keys()}
        named = set().union(*graph.values()) if graph else set()
        ends |= graph.keys() - named
        if not ends:
            return sorted(graph)
        graph = {name: graph[name] for name in graph.keys() - ends}


def circles(root):
    modules = Modules(root)
    files = {
        path.as_posix(): modules.named(parts) for parts, path in modules.paths.items()
    }
    for graph in (files, dict(package(root))):
        if found := circle(graph):
            yield f"a circle: {', '.join(found)} name each other"


def check(law):
    found = list(law(ROOT))
    assert not found, "\n".join(found)


def test_a_room_names_only_the_rooms_it_may():
    check(rooms)


def test_a_foreign_crate_lives_in_one_place():
    check(crates)


def test_unsafe_code_is_allowed_only_where_foreign_memory_is():
    check(unsafe)


def test_algorithms_name_traits_only():
    check(traits)


def test_estimators_do_not_name_each_other():
    check(siblings)


def test_files_are_short():
    check(lengths)


def test_what_grows_is_allocated_in_one_place():
    check(memory)


def test_nobody_but_comm_and_the_ways_asks_for_the_first_rank():
    check(first_rank)


def test_features_are_told_apart_in_mod_files_only():
    check(features)


def test_kernels_name_only_what_they_share():
    check(kernels)


def test_modules_of_the_package_name_only_what_they_may():
    check(arrows)


def test_files_name_each_other_in_no_circle():
    check(circles)


def test_only_compat_compares_versions():
    check(versions)


def test_tests_and_examples_use_the_public_door():
    check(doors)


OFFENCES = [
    (rooms, "src/device/mod.rs", "use crate::comm::Solo;"),
    (rooms, "src/comm/mod.rs", "use crate::{Error, device::{cpu::{Cpu}, Data}};"),
    (rooms, "src/solve/mod.rs", "use super::block::Block;"),
    (rooms, "src/comm/mpi/wait.rs", "use super::super::super::summary::Means;"),
    (rooms, "src/algo/r2.rs", "use crate::python;"),
    (rooms, "src/attic.rs", "//! No room."),
    (crates, "src/comm/threads.rs", "use mpi::traits::Root;"),
    (crates, "src/algo/r2.rs", "fn f() { rayon::join(a, b); }"),
    (crates, "src/summary/mod.rs", "use faer;"),
    (unsafe, "src/device/cpu/mod.rs", "#![allow(unsafe_code)]"),
    (traits, "src/algo/r2.rs", "use crate::comm::Solo;"),
    (traits, "src/algo/mod.rs", "use crate::device::cpu;"),
    (siblings, "src/algo/r2.rs", "use super::least_squares::Line;"),
    (siblings, "src/algo/r2.rs", "use super::{Model, least_squares::Line};"),
    (lengths, "src/real.rs", "//\n" * (LINES + 1)),
    (lengths, "sklearnex_rs/_array.py", "#\n" * (LINES + 1)),
    (lengths, "src/device/cuda/moments.cu", "//\n" * (LINES + 1)),
    (memory, "src/summary/means.rs", "fn f() { let a = vec![0.0; p]; }"),
    (memory, "src/algo/r2.rs", "fn f() { let a = Array2::zeros((p, p)); }"),
    (memory, "src/algo/r2.rs", "fn f() { let a = Mat::<f64>::zeros::<T>(p, p); }"),
    (first_rank, "src/algo/r2.rs", "fn f() { if comm.rank() == 0 {} }"),
    (first_rank, "src/summary/means.rs", "fn f() { if comm.size() > 1 {} }"),
    (features, "src/comm/solo.rs", '#[cfg(feature = "python")]'),
    (features, "src/comm/solo.rs", '#[cfg(not(feature = "cuda"))]'),
    (kernels, "src/device/cuda/moments.cu", '#include "nearest.cuh"'),
    (arrows, "sklearnex_rs/linear_model/_x.py", "from sklearnex_rs import spmd"),
    (arrows, "sklearnex_rs/linear_model/_x.py", "import sklearnex_rs.spmd.x"),
    (arrows, "sklearnex_rs/linear_model/_x.py", "from . import _least_squares"),
    (arrows, "sklearnex_rs/spmd/linear_model.py", "from sklearnex_rs import _core"),
    (arrows, "sklearnex_rs/spmd/__init__.py", "from sklearnex_rs import _core"),
    (arrows, "sklearnex_rs/cluster.py", "import sklearnex_rs.linear_model"),
    (arrows, "sklearnex_rs/spmd/cluster.py", "import sklearnex_rs.linear_model"),
    (circles, "src/solve/spectrum.rs", "use super::lbfgs::Memory;"),
    (circles, "src/solve/orthogonal.rs", "use super::{Ask, Spectrum};"),
    (circles, "src/device/cpu/part.rs", "fn f() { super::blocks::groups(1, 1) }"),
    (circles, "src/device/cuda/rows.rs", "use crate::device::cuda::{GPU, ready};"),
    (circles, "src/device/nearest.rs", "use super::Input;"),
    (circles, "src/comm/mpi/calls.rs", "use super::super::{Mpi as _, Op};"),
    (circles, "sklearnex_rs/_array.py", "from sklearnex_rs._base import Estimator"),
    (
        circles,
        "sklearnex_rs/_system.py",
        "def f(): from sklearnex_rs import __version__",
    ),
    (versions, "sklearnex_rs/_base.py", "new = sklearn.__version__ > '1.8'"),
    (versions, "sklearnex_rs/_base.py", "from sklearn.utils import parse_version"),
    (doors, "tests/unit/test_x.py", "from sklearnex_rs import _core"),
    (doors, "tests/spmd/test_x.py", "from sklearnex_rs._call import Call"),
    (doors, "tests/unit/test_y.py", "import sklearnex_rs\nsklearnex_rs._core.solo()"),
    (doors, "examples/x.py", "import sklearnex_rs._core"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the house to plant offences in."""
    root = tmp_path_factory.mktemp("house")
    for folder in ("src", "sklearnex_rs", "tests", "examples"):
        skipped = shutil.ignore_patterns("*.so", "__pycache__", "*.png")
        shutil.copytree(ROOT / folder, root / folder, ignore=skipped)
    return root


@pytest.mark.parametrize(("law", "name", "line"), OFFENCES)
def test_a_planted_offence_is_caught(copy, law, name, line):
    path = copy / name
    before = path.read_text() if path.exists() else None
    found = set(law(copy))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{line}\n{before or ''}")
    try:
        caught = set(law(copy)) - found
    finally:
        path.unlink() if before is None else path.write_text(before)
    assert len(caught) == 1
    assert name.removeprefix("src/") in caught.pop()
