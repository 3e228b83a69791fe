"""Usage: ci/skeleton.py COPY: put the skeleton of CONTRIBUTING.md into a copy of us."""

import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^`(\S+)`:\n```(\w+)\n(.*?)^```$", re.M | re.S)
FENCE = re.compile(r"^```(?:diff|python|rust)$", re.M)


def gained(text: str, diff: str, name: str) -> str:
    """Return the text with the lines that a diff adds, each piece at its one place."""
    for piece in diff.split("@@\n"):
        before = re.sub(r"^\+.*\n", "", piece, flags=re.M)
        before, after = (
            re.sub(r"^[ +]", "", part, flags=re.M) for part in (before, piece)
        )
        if text.count(before) != 1:
            sys.exit(f"{name} has this {text.count(before)} times, not once:\n{before}")
        text = text.replace(before, after)
    return text


def main(copy: Path) -> None:
    """Write every block of the skeleton into the copy."""
    if (copy / ".git").exists():
        sys.exit(f"{copy} is a repository, not a copy of its files")
    text = (copy / ".github" / "CONTRIBUTING.md").read_text()
    blocks = BLOCK.findall(text)
    if len(blocks) != len(FENCE.findall(text)):
        sys.exit("CONTRIBUTING.md: a block of code has no file named above it")
    for name, language, body in blocks:
        path = copy / name
        if language == "diff":
            body = gained(path.read_text(), body, name)
        elif path.exists():
            sys.exit(f"{name} is there already; the skeleton gives it as new")
        path.write_text(body)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
