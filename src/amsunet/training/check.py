"""The audit of a data set before anything is trained on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from amsunet.data.masks import MaskOptions
from amsunet.data.overlay import contact_sheet, draw_outlines
from amsunet.files import whole_file, write_json
from amsunet.machine import choose_machine, keep_freed_memory
from amsunet.training.estimate import Cost, measure_cost
from amsunet.training.prepare import Preparation, prepare

_SHOWN = 20


@dataclass(frozen=True)
class Check:
    """What an audit found. ``sheet`` is the contact sheet's path; ``cost`` was measured on this machine."""

    preparation: Preparation
    cost: Cost
    machine: str
    sheet: Path

    @property
    def problems(self) -> int:
        return len(self.preparation.dataset.problems)

    def __str__(self) -> str:
        plan, cost = self.preparation.plan, self.cost
        if plan.epochs is not None and plan.steps_per_epoch is not None:
            minutes = plan.epochs * plan.steps_per_epoch * cost.seconds_per_step / 60
            budget = f"{plan.epochs} epochs of {plan.steps_per_epoch} steps take about {minutes:.0f} minutes"
        else:
            budget = f"{plan.minutes:g} minutes are about {(plan.minutes or 0) * 60 / cost.seconds_per_step:.0f} steps"
        room = psutil.virtual_memory().available
        tight = " - too little is free: lower --batch-size or --crop" if cost.memory > room else ""
        return "\n".join(
            [
                self.preparation.describe(),
                f"plan (amsunet train follows it; every line can be set):\n{plan}",
                f"on {self.machine}: a step of {plan.batch_size} crops takes {cost.seconds_per_step:.2f} s; {budget}",
                f"memory for training: about {cost.memory / 2**30:.1f} GiB, {room / 2**30:.1f} GiB are free{tight}",
                f"pictures: {self.sheet}",
            ]
        )


def check(
    data: str | Path,
    *,
    out: str | Path,
    mask_options: MaskOptions | None = None,
    group: str | None = None,
    test_fraction: float = 0.2,
    device: str = "auto",
    precision: str = "auto",
    progress: Callable[[int], None] | None = None,
    **overrides: Any,
) -> Check:
    """Audit a data set; write ``contact-sheet.png`` and ``check.json`` into ``out``.

    Args: as for ``train``.
    Raises: InputError for data that cannot be understood; single broken files are in the result.
    """
    keep_freed_memory()
    machine = choose_machine(device, precision)
    prepared = prepare(
        data,
        device=machine.device,
        mask_options=mask_options,
        group=group,
        allow_problems=True,
        test_fraction=test_fraction,
        overrides=overrides,
        progress=progress,
    )
    cost = measure_cost(prepared.plan, prepared.dataset.convention.num_classes, machine)
    folder = Path(out)
    sheet = folder / "contact-sheet.png"
    samples = prepared.dataset.samples
    pictures = []
    for sample in samples[:: max(1, -(-len(samples) // _SHOWN))]:
        image, labels = prepared.dataset.read(sample)
        pictures.append((f"{sample.name} ({prepared.splits[sample.name]})", draw_outlines(image, labels)))
    with whole_file(sheet) as temporary:
        contact_sheet(pictures).save(temporary)
    dataset = prepared.dataset
    record = {
        "source": dataset.source,
        "fingerprint": prepared.fingerprint.model_dump(),
        "convention": dataset.convention.model_dump(),
        "plan": prepared.plan.model_dump(),
        "splits": prepared.splits,
        "problems": [{"kind": p.kind, "path": str(p.path), "message": p.message} for p in dataset.problems],
        "warnings": dataset.warnings,
        "notes": dataset.notes,
        "seconds_per_step": cost.seconds_per_step,
        "memory_bytes": cost.memory,
    }
    write_json(folder / "check.json", record)
    return Check(prepared, cost, str(machine), sheet)
