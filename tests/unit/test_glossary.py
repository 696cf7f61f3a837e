"""One word has one meaning: what docs/glossary.md says is not written, is not written."""

from __future__ import annotations

import io
import pathlib
import re
import tokenize

ROOT = pathlib.Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \|([^|]*)\|$", re.MULTILINE)
# What the words are part of where they are not ours.
NOT_OURS = {"plugins"}


def rows() -> list[tuple[str, str, list[str]]]:
    """Return word, meaning and forbidden synonyms of each row."""
    found = [tuple(map(str.strip, row)) for row in ROW.findall(GLOSSARY.read_text())]
    return [
        (word, meaning, [one.strip() for one in other.split(",") if one.strip()])
        for word, meaning, other in found
        if word not in {"word", "---"}
    ]


def words_of(source: str) -> set[str]:
    """Return the words that the names in a source are made of, in lower case and without an s."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    names = {token.string for token in tokens if token.type == tokenize.NAME}
    parts = (part for name in names for part in re.findall(r"[A-Z]?[a-z]+", name))
    return {part.lower() for part in parts} | {part.lower().removesuffix("s") for part in parts}


def test_each_word_stands_once() -> None:
    """With one meaning; no word is forbidden in one row and explained in another."""
    words = [word for entry, _, _ in rows() for word in entry.split(", ")]
    assert len(words) == len(set(words)) > 40
    assert not {other for _, _, others in rows() for other in others} & set(words)


def test_no_name_in_the_code_has_a_forbidden_word() -> None:
    """Neither a module, a class, a function, an argument nor an attribute."""
    forbidden = {other: word for word, _, others in rows() for other in others}
    assert len(forbidden) >= 8
    found = []
    for path in sorted((ROOT / "celery_sentinel").rglob("*.py")):
        words = words_of(path.read_text()) | set(re.findall("[a-z]+", path.stem))
        found += [
            f"{path.relative_to(ROOT)}: found {word}, write {forbidden[word]}"
            for word in sorted((words - NOT_OURS) & forbidden.keys())
        ]
    assert found == []


def test_no_log_key_or_text_of_the_docs_has_one() -> None:
    """Nor a string of the code, nor a page; a class of another project may be called what it is."""
    forbidden = {other for _, _, others in rows() for other in others} - {"plug"}
    pages = [path for path in (ROOT / "docs").glob("*.md") if path != GLOSSARY]
    sources = sorted((ROOT / "celery_sentinel").rglob("*.py"))
    found = []
    for path in (*pages, ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sources):
        words = set(re.findall(r"[a-z]+", path.read_text().lower()))
        found += [f"{path.relative_to(ROOT)}: {word}" for word in sorted(words & forbidden)]
    assert found == []
