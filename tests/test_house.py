"""The house: one package from seven folders, what it imports and when, what it pins, what it ships."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hedgerow
from hedgerow.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "hedgerow"
FOLDERS = ("actions", "cli", "engine", "guards", "models", "schemas", "specs")
HEAVY = frozenset(
    {
        "apsw",
        "arch",
        "bokeh",
        "cryptography",
        "cvc5",
        "dask",
        "distributed",
        "google_crc32c",
        "jsonschema",
        "llvmlite",
        "numpy",
        "pandas",
        "pg8000",
        "pyarrow",
        "pydantic",
        "rich",
        "ruamel",
        "scipy",
        "structlog",
        "transitions",
        "z3",
    }
)
# Reading a spec is what these two are for; everything else on the load path waits until it is used.
READING = frozenset({"pydantic", "ruamel"})


def imported_by(statement: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter has loaded after the statement."""
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(answer.stdout.split())


# --- one package ---


def test_every_link_leads_to_its_folder() -> None:
    links = {path.name: path.resolve() for path in PACKAGE.iterdir() if path.is_symlink()}
    assert links == {name: ROOT / name for name in FOLDERS}


def test_every_link_is_relative() -> None:
    assert {str((PACKAGE / name).readlink()) for name in FOLDERS} == {f"../../{name}" for name in FOLDERS}


def test_the_wheel_ships_every_linked_folder() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    shipped = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert shipped == {name: f"hedgerow/{name}" for name in FOLDERS}


def test_the_installed_version_is_the_one_in_the_package() -> None:
    assert version("hedgerow") == hedgerow.__version__


# --- the public names ---


def test_type_checkers_are_told_where_each_public_name_lives() -> None:
    source = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    (block,) = (node for node in source.body if isinstance(node, ast.If))
    told = {
        alias.name: statement.module
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert told == hedgerow._HOMES
    assert set(hedgerow.__all__) == {*told, "__version__"}


@pytest.mark.parametrize("name", sorted(hedgerow._HOMES))
def test_every_public_name_is_found_in_its_home(name: str) -> None:
    assert getattr(hedgerow, name).__module__ == f"hedgerow.{hedgerow._HOMES[name]}"


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'hedgerow' has no attribute 'Strategy'$"):
        _ = hedgerow.Strategy


# --- what is imported when ---


def test_importing_the_package_imports_none_of_its_parts() -> None:
    code = "import sys, hedgerow; print(*(name for name in sys.modules if name.startswith('hedgerow')))"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.split() == ["hedgerow"]


@pytest.mark.parametrize(
    "module", ["hedgerow", "hedgerow.cli.main", *(target.split(":")[0] for target, _ in COMMANDS.values())]
)
def test_importing_the_command_line_imports_nothing_heavy(module: str) -> None:
    assert imported_by(f"import {module}") & HEAVY == set()


@pytest.mark.parametrize("module", ["hedgerow.actions", "hedgerow.guards", "hedgerow.engine.registry"])
def test_listing_bound_functions_imports_nothing_heavy(module: str) -> None:
    assert imported_by(f"import {module}") & HEAVY == set()


def test_importing_the_loader_imports_nothing_heavy_but_what_reads_a_spec() -> None:
    assert imported_by("import hedgerow.engine.load") & HEAVY <= READING


def test_a_heavy_import_would_be_seen() -> None:
    assert "numpy" in imported_by("import numpy")


def imports_of_bound_functions(path: Path) -> set[str]:
    """Return the function, or `<module>`, around each import of `actions` or `guards` in an engine file."""
    found: set[str] = set()

    def visit(node: ast.AST, around: str) -> None:
        for child in ast.iter_child_nodes(node):
            inside = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else around
            names = [alias.name for alias in child.names] if isinstance(child, ast.Import) else []
            if isinstance(child, ast.ImportFrom):
                names = [child.module] if child.module else [alias.name for alias in child.names]
            if any({"actions", "guards"} & set(name.split(".")[:2]) for name in names):
                found.add(around)
            visit(child, inside)

    visit(ast.parse(path.read_text("utf-8")), "<module>")
    return found


def test_only_the_builtin_registry_imports_actions_and_guards() -> None:
    files = sorted((ROOT / "engine").rglob("*.py"))
    found = {str(path.relative_to(ROOT)): imports_of_bound_functions(path) for path in files}
    assert {name: places for name, places in found.items() if places} == {"engine/registry.py": {"builtin_registry"}}


# --- what is pinned ---


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    needs = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(need.name): str(need.specifier) for need in needs}


def needed(*extras: str) -> dict[str, str]:
    """Return name -> installed version of all that the extras pull in."""
    installed = runpy.run_path(str(ROOT / ".ci" / "constraints.py"))["installed"]
    return dict(installed("hedgerow", frozenset(extras)))


@pytest.mark.parametrize("extra", ["run", "bench", "dev"])
def test_every_installed_dependency_is_pinned_at_the_version_it_has(extra: str) -> None:
    wanted = {canonicalize_name(name): f"=={found}" for name, found in needed(extra).items()}
    assert {name: pins().get(name) for name in wanted} == wanted


def test_the_closure_of_the_extras_reaches_dependencies_of_dependencies() -> None:
    assert {"pydantic-core", "rpds-py", "pluggy", "numpy"} <= set(needed("dev"))


def test_a_constraint_is_a_version_and_names_no_place_to_fetch_it_from() -> None:
    assert {bool(re.fullmatch(r"==[0-9][0-9a-z.+]*", pin)) for pin in pins().values()} == {True}
    assert "//" not in (ROOT / "constraints.txt").read_text("utf-8")


def licence(name: str) -> str:
    """Return what a distribution declares: an expression, the first line of a text, classifiers."""
    about = distribution(name).metadata
    # Some packages bring a reader of metadata that raises where a key is missing.
    expressions, texts, kinds = (about.get_all(key) or [] for key in ("License-Expression", "License", "Classifier"))
    first = [text.strip().partition("\n")[0] for text in texts]
    return " | ".join((*expressions, *first, *(kind for kind in kinds if kind.startswith("License ::"))))


STRONG_COPYLEFT = re.compile(r"(?<!L)A?GPL|(?<!Lesser )General Public|Affero", re.IGNORECASE)


def test_no_dependency_is_under_the_gpl_or_the_agpl() -> None:
    found = {name: licence(name) for name in needed("run", "dev", "bench")}
    assert {name: terms for name, terms in found.items() if STRONG_COPYLEFT.search(terms)} == {}


@pytest.mark.parametrize(
    ("terms", "strong"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("License :: OSI Approved :: GNU Affero General Public License v3", True),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("MIT | Apache-2.0", False),
    ],
)
def test_a_strong_copyleft_licence_is_recognised(terms: str, strong: bool) -> None:
    assert bool(STRONG_COPYLEFT.search(terms)) is strong


# --- the two commands ---


def marked_blocks() -> dict[str, list[str]]:
    """Return the lines of each marked block of the README by its mark."""
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"^<!-- command: (\w+) -->\n```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return {mark: body.splitlines() for mark, body in blocks}


def test_the_readme_has_two_commands_of_one_line_each() -> None:
    assert {mark: len(lines) for mark, lines in marked_blocks().items()} == {"run": 1, "test": 1}


def test_ci_runs_the_commands_of_the_readme_as_they_stand() -> None:
    listed = subprocess.run([ROOT / ".ci" / "run", "--list"], check=True, capture_output=True, text=True)
    assert listed.stdout.splitlines() == [line for lines in marked_blocks().values() for line in lines]


def test_ci_holds_no_copy_of_a_command() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "pip install" not in script
    assert "-m venv" not in script


def test_each_command_makes_its_own_environment_and_keeps_to_the_constraints() -> None:
    for (line,) in marked_blocks().values():
        make, install, _ = line.split(" && ")
        assert make == "python3 -m venv .venv"
        assert install.startswith(".venv/bin/pip install -q -c constraints.txt ")


# --- what is shipped ---


@pytest.mark.slow
def test_a_wheel_holds_the_package_with_its_specs_and_nothing_beside_it(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True, cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    inside = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    sources = {path for path in inside if path.is_file() and "__pycache__" not in path.parts}
    wanted = {f"hedgerow/{path.relative_to(ROOT)}" for path in sources}
    found = {name for name in names if not name.startswith(f"hedgerow-{hedgerow.__version__}.dist-info/")}
    assert found == wanted | {"hedgerow/__init__.py", "hedgerow/py.typed", "hedgerow/testing.py"}
    assert any(name.startswith("hedgerow/specs/") and name.endswith(".yaml") for name in names)


@pytest.mark.slow
def test_a_wheel_built_from_the_source_archive_is_the_same_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-d"]
    subprocess.run([*build, str(tmp_path), "-t", "sdist", "-t", "wheel"], check=True, capture_output=True, cwd=ROOT)
    (archive,) = tmp_path.glob("*.tar.gz")
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(tmp_path)], check=True)
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    again = tmp_path / "again"
    subprocess.run([*build, str(again), "-t", "wheel"], check=True, capture_output=True, cwd=unpacked)
    first, second = (zipfile.ZipFile(next(folder.glob("*.whl"))) for folder in (tmp_path, again))
    assert {name: first.read(name) for name in first.namelist()} == {
        name: second.read(name) for name in second.namelist()
    }
