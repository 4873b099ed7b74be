"""Custom networks: ``FILE.py:FUNCTION``, a function in a Python file, and the files beside it that it imports.

These are found without running anything, and loaded as one package. As ``python net.py`` would, ``import blocks`` in
``net.py`` takes the ``blocks.py`` beside it. But ``sys.path`` and the modules of the host do not change: the files
become modules of a package of their own, ``amsunet_custom_0`` and so on, and their import statements are read as of
that package. So two networks may each have a ``blocks.py``.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import itertools
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

_NUMBERS = itertools.count()


def is_custom(name: str) -> bool:
    """Whether a model's name is ``FILE.py:FUNCTION``."""
    return name.rpartition(":")[0].endswith(".py")


def absolute_model(name: str) -> str:
    """A model's name that works from any folder: with an absolute path if it is ``FILE.py:FUNCTION``."""
    if not is_custom(name):
        return name
    path, _, function = name.rpartition(":")
    return f"{Path(path).expanduser().absolute()}:{function}"


def code_checksum(name: str) -> str | None:
    """SHA-256 of the file that builds a network, with the files beside it that it imports. Nothing is run.

    Args:
        name: Of a model.

    Returns:
        The checksum; None for a network of this package.

    Raises:
        ValueError: If the file cannot be read.
    """
    if not is_custom(name):
        return None
    digest = hashlib.sha256(_read(name))
    path = Path(absolute_model(name).rpartition(":")[0])
    for helper, file in sorted(find_helpers(path).items()):
        digest.update(f"\0{helper}\0{hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def code_files(name: str) -> dict[Path, Path]:
    """The file that builds a network and those beside it that it imports.

    Args:
        name: ``FILE.py:FUNCTION``.

    Returns:
        Each file by its path in a folder of copies; the first is ``network.py``, unless another file has that name.
    """
    path = Path(absolute_model(name).rpartition(":")[0])
    helpers = {file.relative_to(path.parent): file for file in find_helpers(path).values()}
    taken = any(helper.parts[0] in ("network.py", "network") for helper in helpers)
    return {Path(path.name if taken else "network.py"): path} | helpers


def build_from_file(name: str, arguments: dict[str, Any]) -> nn.Module:
    """Run a file and call its function.

    Args:
        name: ``FILE.py:FUNCTION``.
        arguments: Of the function.

    Raises:
        ValueError: If the file or the function is not found, fails, or does not return a module.
    """
    path, _, function = absolute_model(name).rpartition(":")
    _read(name)
    try:
        module = load_with_helpers(Path(path))
    except Exception as error:  # whatever the user's code raises
        raise ValueError(f"{path} cannot be run ({type(error).__name__}: {error}): fix it") from error
    builder = getattr(module, function, None)
    if not callable(builder):
        raise ValueError(f"{path} has no function {function!r}: name it as {path}:FUNCTION")
    try:
        network = builder(**arguments)
    except Exception as error:
        raise ValueError(f"{function} of {path} failed ({type(error).__name__}: {error}): fix it") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"{function} of {path} returned {type(network).__name__}: return a torch.nn.Module")
    return network


def _read(name: str) -> bytes:
    path = Path(name.rpartition(":")[0]).expanduser()
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError(f"{path} is no regular file: name the file as PATH.py:FUNCTION")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): name the file as PATH.py:FUNCTION") from None


def find_helpers(main: Path) -> dict[str, Path]:
    """The files in the folder of ``main`` that it imports, and those that these import.

    Args:
        main: The file; only its import statements count, at any level.

    Returns:
        Each file by its name as a module.
    """
    helpers: dict[str, Path] = {}
    waiting = [("", main)]
    while waiting:
        name, path = waiting.pop()
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for wanted in _imported(path, package):
            parts = wanted.split(".")
            for part in (".".join(parts[:count]) for count in range(1, len(parts) + 1)):
                there = _file_of(main.parent, part)
                if there is not None and there != main and part not in helpers:
                    helpers[part] = there
                    waiting.append((part, there))
    return helpers


def load_with_helpers(main: Path) -> ModuleType:
    """Run a file. What it imports from its folder is run with it, or later, where a function imports it.

    Args:
        main: The file.

    Raises:
        ImportError: If an import fails. Other errors of the file pass through.
    """
    package, name = f"amsunet_custom_{next(_NUMBERS)}", main.stem.replace(".", "_")
    _FINDER.packages[package] = find_helpers(main) | {name: main}
    if _FINDER not in sys.meta_path:
        sys.meta_path.append(_FINDER)
    try:
        return importlib.import_module(f"{package}.{name}")
    except ImportError as error:
        error.msg = str(error).replace(f"{package}.", "")
        raise


def _imported(path: Path, package: str) -> set[str]:
    """All names that a file may import as modules; empty for a file that is not Python: running it raises the error."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".") if node.level and package else []
            base = [*above[: len(above) - node.level + 1], *([node.module] if node.module else [])]
            found |= {".".join([*base, alias.name]) for alias in node.names}
    return found


def _file_of(folder: Path, name: str) -> Path | None:
    """The file that a module's name means in a folder, if there is one."""
    top, *inner = name.split(".")
    start = folder / top
    # A folder alone is a package only where no package of that name is installed.
    if inner and not (start / "__init__.py").is_file() and _is_installed(top):
        return None
    path = start.joinpath(*inner)
    return next((file for file in (path / "__init__.py", path.with_name(f"{path.name}.py")) if file.is_file()), None)


def _is_installed(top: str) -> bool:
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


class _Finder(MetaPathFinder):
    """Finds the modules of the packages created here, and no others."""

    def __init__(self) -> None:
        self.packages: dict[str, dict[str, Path]] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        files = self.packages.get(package)
        if files is None:
            return None
        if name not in files:  # the package itself, or a folder without __init__.py
            inside = not name or any(other.startswith(f"{name}.") for other in files)
            return ModuleSpec(fullname, None, is_package=True) if inside else None
        loader = _Loader(package, files[name], {file.partition(".")[0] for file in files})
        spec = spec_from_file_location(fullname, files[name], loader=loader)
        if spec is not None and files[name].name == "__init__.py":
            spec.submodule_search_locations = []  # no other finder is to search inside
        return spec


_FINDER = _Finder()


class _Loader(Loader):
    """Runs a file, its absolute imports of ``helpers`` taken from the package; no bytecode is kept."""

    def __init__(self, package: str, path: Path, helpers: set[str]) -> None:
        self._package, self._path, self._helpers = package, path, helpers

    def exec_module(self, module: ModuleType) -> None:
        tree = _OfPackage(self._package, self._helpers).visit(ast.parse(self._path.read_bytes(), str(self._path)))
        exec(compile(ast.fix_missing_locations(tree), str(self._path), "exec", dont_inherit=True), module.__dict__)


class _OfPackage(ast.NodeTransformer):
    """Puts the name of the package before the modules ``helpers`` in absolute imports."""

    def __init__(self, package: str, helpers: set[str]) -> None:
        self._package, self._helpers = package, helpers

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if not node.level and node.module and node.module.partition(".")[0] in self._helpers:
            node.module = f"{self._package}.{node.module}"
        return node

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        return [ast.copy_location(one, node) for alias in node.names for one in self._import(alias)]

    def _import(self, alias: ast.alias) -> list[ast.stmt]:
        top = alias.name.partition(".")[0]
        if top not in self._helpers:
            return [ast.Import([alias])]
        whole = ast.Import([ast.alias(f"{self._package}.{alias.name}", alias.asname or f"_{self._package}")])
        # Without "as", the name that is bound is that of the outermost package.
        return [whole] if alias.asname else [whole, ast.Import([ast.alias(f"{self._package}.{top}", top)])]
