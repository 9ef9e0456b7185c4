"""The documentation is true: its code runs, its links lead somewhere, its names exist."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import fastnn

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])
NEEDS_NETWORK = {"get_word_index", "mnist"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def modules() -> list[str]:
    found = pkgutil.walk_packages(fastnn.__path__, "fastnn.")
    return ["fastnn", *(m.name for m in found if not m.name.endswith(("__main__", "._core")))]


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_python_blocks_run(page, tmp_path, monkeypatch, capsys):
    """The blocks of a page run one after the other, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for language, code in FENCE.findall(page.read_text()):
        if language == "python":
            exec(compile(code, page_name(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_lines_fit(page):
    """But those of tables."""
    lines = enumerate(page.read_text().splitlines(), start=1)
    assert not [n for n, line in lines if len(line) > 100 and not line.startswith("|")]


def at_hand() -> dict[str, object]:
    """Return what examples may use without saying where it comes from: a model and its data."""
    fastnn.config.clear_session()
    fastnn.set_random_seed(0)
    dense = fastnn.layers.Dense
    model = fastnn.Sequential([fastnn.Input((784,)), dense(300, "relu"), dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = np.random.default_rng(0).random((40, 784), np.float32), np.arange(40) % 10
    fastnn.config.clear_session()
    return {"np": np, "fastnn": fastnn, "model": model, "x": x, "y": y}


@pytest.mark.parametrize("name", modules())
def test_docstrings(name, tmp_path, monkeypatch):
    """Examples of docstrings run and print what they say; see `at_hand`."""
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(optionflags=flags)
    report: list[str] = []
    for test in doctest.DocTestFinder().find(module):
        if not set(re.findall(r"\w+", test.docstring or "")).isdisjoint(NEEDS_NETWORK):
            continue
        test.globs.update(at_hand())
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


def slug(heading: str) -> str:
    """Return the anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text())
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links(page):
    for target in re.findall(r"\]\(([^)]+)\)", FENCE.sub("", page.read_text())):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page_name(page)} links to {target}"
        if anchor:
            assert anchor in anchors(there), f"{page_name(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_named_files_exist(page):
    """`folder/`, `module.py`, `folder/file.c` in running text are there, from one of the roots."""
    text = FENCE.sub("", page.read_text())
    for path in re.findall(r"`([\w./]+(?:/|\.(?:py|pyx|c|h|md|txt|toml)))`", text):
        roots = (ROOT, page.parent, ROOT / "fastnn", ROOT / "csrc", ROOT / "fastnn/program")
        assert any((root / path).exists() for root in roots), f"{page_name(page)} names {path}"


def test_readme_has_the_two_commands():
    readme = (ROOT / "README.md").read_text()
    marked = re.findall(r"<!-- ci: (\w+) -->\n```bash\n(.*?)\n```", readme)
    assert [name for name, _ in marked] == ["run", "test"]
    assert all(command.startswith("pip install ") for _, command in marked)


def test_settings_are_documented():
    """The README lists the environment variables that the sources read, and no others."""
    table = (ROOT / "README.md").read_text().partition("## Settings")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `(FASTNN_\w+)`", table, re.MULTILINE))
    sources = [*ROOT.glob("fastnn/**/*.py*"), *ROOT.glob("csrc/*.c")]
    read = set()
    for source in sources:
        if source.suffix in (".py", ".pyx", ".c"):
            read |= set(re.findall(r"""(?:getenv\(|environ\S*[\[(])["'](FASTNN_\w+)""",
                                   source.read_text()))  # fmt: skip
    assert documented == read


def test_what_is_not_there_yet_is_not_there():
    """A name in that list that exists has been added since: take it off the list."""
    page = (ROOT / "docs/keras-differences.md").read_text()
    missing = page.partition("## Not there yet")[2].partition("\n## ")[0]
    names = re.findall(r"`([\w.]+)`", missing)
    assert len(names) > 20
    for name in names:
        value: object = fastnn
        for part in name.split("."):
            value = getattr(value, part, None)
        assert value is None, f"fastnn.{name} exists"


def test_every_public_name_is_documented():
    """Whatever `fastnn` and its public modules offer has a docstring."""
    for name in fastnn.__all__:
        if name != "__version__":
            assert getattr(fastnn, name).__doc__, name
    for name in fastnn.__all__:
        module = getattr(fastnn, name)
        if isinstance(module, ModuleType):
            own = [n for n, v in vars(module).items() if v.__class__.__name__ == "function"]
            for public in getattr(module, "__all__", own):
                if not public.startswith("_"):
                    assert getattr(module, public).__doc__, f"fastnn.{name}.{public}"
