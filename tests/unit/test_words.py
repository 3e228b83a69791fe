"""Public docstrings, error messages, README and CHANGELOG use the field's words."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OLD = {  # a word that is not used: what is said instead
    r"cards?": "GPU",
    r"rounds": "iterations",
    r"falling": "decreasing",
    r"triangles?": "R factor",
    r"it is none": "not supported",
    r"no room": "not enough memory",
    r"largest likelihood": "maximum likelihood",
    r"sizes? of coefficients": "L1 penalty",
}
PACKAGE = sorted((ROOT / "sklearnex_rs").rglob("*.py"))


def docstrings(tree):
    """The docstrings of what has a public name."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and not getattr(node, "name", "").startswith("_"):
            yield ast.get_docstring(node) or ""


def messages(tree):
    """The texts of statements that raise, warn, or make a message."""
    for node in ast.walk(tree):
        named = isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "msg"
            for target in node.targets
        )
        if named or isinstance(node, ast.Raise):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def old_words(text):
    return [word for word in OLD if re.search(rf"\b{word}\b", text, re.IGNORECASE)]


@pytest.mark.parametrize("path", PACKAGE, ids=lambda p: str(p.relative_to(ROOT)))
def test_public_text_of_the_package(path):
    tree = ast.parse(path.read_text())
    for text in [*docstrings(tree), *messages(tree)]:
        assert not old_words(text), (old_words(text), text)


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "src/error.rs"])
def test_text_of(name):
    text = (ROOT / name).read_text()
    if name.endswith(".rs"):
        text = "\n".join(re.findall(r'"(?:\\.|[^"\\])*"', text))
    for line in text.splitlines():
        assert not old_words(line), line


def test_an_old_word_is_found():
    assert old_words("Rows on a card.") == [r"cards?"]
    assert not old_words("Rows on a GPU, discarded.")
