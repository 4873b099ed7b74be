"""What a benchmark found: a row for each network, runtime and precision, set against others and against the machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from amsunet.atomic_io import write_csv, write_json

RESULT = "result.json"
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}
_REFERENCE = "unet"


@dataclass(frozen=True)
class Row:
    """A network measured."""

    network: str
    runtime: str
    precision: str
    size: int
    batch: int
    seconds: float
    """Of one batch, the median of so many ``calls``; ``low`` and ``high`` are their quartiles."""
    low: float
    high: float
    calls: int
    memory: int
    """Largest resident memory of the process, or memory reserved on the GPU, in bytes."""

    @property
    def label(self) -> str:
        """The network without the folder of a file."""
        return Path(self.network).name

    @property
    def key(self) -> tuple[str, str, str, int, int]:
        return self.network, self.runtime, self.precision, self.size, self.batch


@dataclass(frozen=True)
class Work:
    """What one image of a size costs a network, fused, whatever runs it."""

    macs: int
    traffic: int
    """Numbers that convolutions and matrix products read and write."""


@dataclass
class Speeds:
    """Rows so far. ``failures`` says what was wrong, by the row's name."""

    conditions: dict[str, Any]
    """Device, threads and versions, which all rows share."""
    peaks: dict[str, dict[str, float]] = field(default_factory=dict)
    """By precision: operations a second of a large matrix product and bytes a second of a large copy."""
    work: dict[tuple[str, int], Work] = field(default_factory=dict)
    """By network and size."""
    rows: dict[tuple[str, str, str, int, int], Row] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def figures(self, row: Row) -> dict[str, Any]:
        """A row with what follows from it; None where there is nothing to set it against."""
        eager = self.rows.get((row.network, "eager", "float32", row.size, row.batch))
        unet = self.rows.get((_REFERENCE, row.runtime, row.precision, row.size, row.batch))
        work, peaks = self.work.get((row.network, row.size)), self.peaks.get(row.precision)
        per_image = row.seconds / row.batch
        return {
            **asdict(row),
            "images_per_second": 1 / per_image,
            "times_as_fast_as_eager": eager.seconds / row.seconds if eager else None,
            "time_against_unet": row.seconds / unet.seconds if unet else None,
            "share_of_arithmetic": 2 * work.macs / per_image / peaks["operations"] if work and peaks else None,
            "share_of_bandwidth": (
                work.traffic * _BYTES[row.precision] / per_image / peaks["bytes"] if work and peaks else None
            ),
        }

    def table(self) -> str:
        """All rows as text."""
        lines = [
            *(
                f"{precision}: {peak['operations'] / 1e9:.0f} GFLOP/s of a matrix product, "
                f"{peak['bytes'] / 1e9:.1f} GB/s of a copy"
                for precision, peak in self.peaks.items()
            ),
            f"{'network':<14}{'runtime':<15}{'precision':<11}{'size':>5}{'batch':>6}{'ms':>9}{'images/s':>10}"
            f"{'x eager':>9}{'/ unet':>8}{'of peak':>9}{'of copy':>9}{'MiB':>7}",
        ]
        for row in self.rows.values():
            figures = self.figures(row)
            lines.append(
                f"{row.label:<14}{row.runtime:<15}{row.precision:<11}{row.size:>5}{row.batch:>6}"
                f"{1e3 * row.seconds:>9.1f}{figures['images_per_second']:>10.1f}"
                f"{_number(figures['times_as_fast_as_eager']):>9}{_number(figures['time_against_unet']):>8}"
                f"{_percent(figures['share_of_arithmetic']):>9}{_percent(figures['share_of_bandwidth']):>9}"
                f"{row.memory / 2**20:>7.0f}"
            )
        lines += [f"failed: {name}: {reason}" for name, reason in self.failures.items()]
        return "\n".join(lines)

    def write(self, out: Path, command: str) -> None:
        """Write ``result.json`` and ``rows.csv``."""
        figures = [self.figures(row) for row in self.rows.values()]
        write_json(
            out / RESULT,
            {
                "what": "median seconds of a batch; each row in a process of its own",
                "command": command,
                "conditions": self.conditions,
                "peaks": self.peaks,
                "work": [
                    {"network": network, "size": size, **asdict(work)} for (network, size), work in self.work.items()
                ],
                "rows": figures,
                "failures": self.failures,
            },
        )
        if figures:
            write_csv(out / "rows.csv", figures)

    @classmethod
    def read(cls, content: dict[str, Any]) -> Speeds:
        """Take up what ``write`` has written, failures left out."""
        work = {(one["network"], one["size"]): Work(one["macs"], one["traffic"]) for one in content["work"]}
        return cls(content["conditions"], content["peaks"], work, _rows(content["rows"]))


def _rows(figures: Iterable[dict[str, Any]]) -> dict[tuple[str, str, str, int, int], Row]:
    rows = [Row(**{name: one[name] for name in Row.__dataclass_fields__}) for one in figures]
    return {row.key: row for row in rows}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"
