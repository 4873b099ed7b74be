"""What a user names as a model: a run, an ensemble or one fold of it, a model file, a network of the zoo, an exported
file. Only this file decides which of them a name stands for; it looks at names and loads nothing.
"""

from __future__ import annotations

import difflib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from amsunet.choices import ExportPrecision
from amsunet.errors import InputError
from amsunet.regular_file import refuse_irregular
from amsunet.zoo import PREFIX, ZOO_PRECISION, Card, read_card, warn_of_terms, zoo_names

logger = logging.getLogger(__name__)

ModelKind = Literal["run", "ensemble", "fold", "file", "zoo", "exported"]

FILE_NAME = "model.safetensors"
"""The model file in a run folder."""
FOLDS_NAME = "folds.json"
"""In the folder of an ensemble."""
SUFFIXES: dict[str, str] = {"onnx": ".onnx", "openvino": ".xml"}
"""Of the exported formats that ``predict`` takes."""
ALL_SUFFIXES = SUFFIXES | {"pt2": ".pt2", "executorch": ".pte"}
"""With those written for other programs: what torch reads in a .pt2 may be code, a .pte takes no large images."""


@dataclass(frozen=True)
class ModelRef:
    """A model by what it is and where it lies. ``resolve`` makes one of a name.

    Example:
        >>> from amsunet.inference.model_ref import ModelRef
        >>> ModelRef.resolve("zoo:nuclei").kind
        'zoo'
    """

    text: str
    """As it was named."""
    kind: ModelKind
    path: Path
    """The folder or file."""
    card: Card | None = None
    """Of a network of the zoo."""

    @classmethod
    def resolve(cls, model: str | Path | ModelRef) -> ModelRef:
        """Find what a name stands for.

        ``zoo:NAME`` is a network that comes with the package. Any other name is a path; where nothing lies there, a
        network of the zoo may be named without ``zoo:``. Where both have the name, a log line names the one taken.

        Args:
            model: A path, or the name of a network of the zoo; a ``ModelRef`` is returned as it is.

        Raises:
            InputError: If nothing has this name, or it is a file for other programs, a pipe or a device.
        """
        if isinstance(model, ModelRef):
            return model
        text, path = str(model), Path(model)
        if text.startswith(PREFIX):
            return cls._in_zoo(text, text.removeprefix(PREFIX))
        if path.exists():
            if not path.is_dir():
                refuse_irregular(path)
            if text in zoo_names():
                logger.info(f"note: {text} is taken from here; {PREFIX}{text} is the network that comes with amsunet")
            return cls(text, _kind_of(path), path)
        if text in zoo_names():
            logger.info(f"note: {text} is {PREFIX}{text}, which comes with amsunet")
            return cls._in_zoo(text, text)
        raise InputError(_describe_missing(text))

    @classmethod
    def _in_zoo(cls, text: str, name: str) -> ModelRef:
        card = read_card(name)
        warn_of_terms(card)
        return cls(text, "zoo", card.weights, card)

    def __str__(self) -> str:
        return self.text

    @property
    def name(self) -> str:
        """What results of the model are called by."""
        return self.path.name if self.path.is_dir() else self.path.stem

    @property
    def absolute(self) -> str:
        """A name that stands for the same model in another working folder."""
        return f"{PREFIX}{self.card.name}" if self.card else str(self.path.expanduser().absolute())

    @property
    def run(self) -> Path | None:
        """The run folder; None of a model that comes alone."""
        if self.kind in ("run", "ensemble", "fold"):
            return self.path
        in_run = self.kind == "file" and self.path.name == FILE_NAME and (self.path.parent / "config.json").is_file()
        return self.path.parent if in_run else None

    @property
    def home(self) -> Path:
        """The folder that files about it are written to: its run, that of its file, for the zoo the working folder."""
        if self.kind == "zoo":
            return Path()
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def weights(self) -> Path:
        """The model file, whether it is there or not.

        Raises:
            InputError: For an ensemble, which has more than one, and for an exported file.
        """
        if self.kind == "ensemble":
            raise InputError(f"{self} is an ensemble of networks: name one of them, as {self.path / 'fold0'}")
        if self.kind == "exported":
            raise InputError(f"{self} is an exported network: name the run or the model file that it was made from")
        return self.path / FILE_NAME if self.path.is_dir() else self.path

    def export_path(self, to: str, precision: str) -> Path:
        """Where the network in another format lies: in its run, beside its file, of the zoo in the working folder."""
        name = f"{precision}{ALL_SUFFIXES[to]}"
        return self.home / "export" / name if self.path.is_dir() else self.home / f"{self.name}-{name}"

    def exports(self, to: str, precision: str | None = None) -> list[Path]:
        """The files that ``export_path`` names and that are there, of one precision or of all, exact ones first; last
        the one that comes with the package.
        """
        every = get_args(ExportPrecision) if precision is None else (precision,)
        paths = [self.export_path(to, name) for name in every]
        if self.card is not None and to == "onnx" and ZOO_PRECISION in every:
            paths.append(self.card.onnx)
        return [path for path in paths if path.is_file()]


def _kind_of(path: Path) -> ModelKind:
    if path.is_dir():
        if (path / FOLDS_NAME).is_file():
            return "ensemble"
        return "fold" if (path.absolute().parent / FOLDS_NAME).is_file() else "run"
    if path.suffix in SUFFIXES.values():
        return "exported"
    if path.suffix in (*ALL_SUFFIXES.values(), ".bin"):
        raise InputError(f"{path} is for other programs: name {' or '.join(SUFFIXES.values())}, or the run folder")
    return "file"


def _describe_missing(text: str) -> str:
    if len(Path(text).parts) > 1 or Path(text).suffix:
        return f"{text} not found: check the path of the run folder, model file or exported file"
    near = difflib.get_close_matches(text, zoo_names(), n=1)
    hint = f"did you mean {PREFIX}{near[0]}?" if near else f"the zoo has {', '.join(zoo_names()) or 'none'}"
    return f"{text} not found: no run folder, no file and no network of the zoo has this name; {hint}"
