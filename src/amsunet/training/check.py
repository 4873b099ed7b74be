"""The audit of a data set before anything is trained on it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from amsunet.atomic_io import atomic_write, write_json
from amsunet.data.contact_sheet import draw_sheet, tell_codes
from amsunet.data.masks import MaskOptions
from amsunet.device import choose_device
from amsunet.host import random_state_kept
from amsunet.memory import free_memory
from amsunet.training.budget import Fitted, fit_prepared
from amsunet.training.closing import Evaluating
from amsunet.training.plan_schema import Plan
from amsunet.training.prepare import Preparation, prepare
from amsunet.training.step_cost import StepCost
from amsunet.wording import setting


@dataclass(frozen=True)
class CheckResult:
    """What an audit found; as text, the lines that ``amsunet check`` prints."""

    preparation: Preparation
    fitted: Fitted
    """What ``train`` would follow here."""
    machine: str
    sheet: Path
    """The contact sheet."""
    codes: str = ""
    """Which characters the sheet shows as codes, where no font has them."""

    @property
    def plan(self) -> Plan:
        """The plan that ``train`` would follow here."""
        return self.fitted.plan

    @property
    def cost(self) -> StepCost:
        """Time and memory of a step, measured on this machine."""
        return self.fitted.cost

    @property
    def problems(self) -> int:
        """The number of files that cannot be used."""
        return len(self.preparation.dataset.problems)

    def __str__(self) -> str:
        plan, cost = self.plan, self.cost
        pixels = self.preparation.fingerprint.median_height * self.preparation.fingerprint.median_width * plan.scale**2
        predicting = cost.seconds_per_image * pixels / math.prod(plan.crop)
        room = free_memory()
        lower = f"{setting('batch_size')} or {setting('crop')}"
        tight = f" - too little is free: lower {lower}" if cost.memory > room else ""
        return "\n".join(
            [
                self.preparation.describe(),
                *(f"warning: {warning}" for warning in self.fitted.warnings),
                f"plan (amsunet train follows it; every line can be set):\n{plan}",
                f"on {self.machine}: a step of {plan.batch_size} crops takes {cost.seconds_per_step:.2f} s",
                str(self.fitted),
                f"predicting an image of median size: about {predicting:.2g} s",
                f"memory for training: about {cost.memory / 2**30:.1f} GiB, {room / 2**30:.1f} GiB are free{tight}",
                f"pictures: {self.sheet}",
                *([f"note: {self.codes}"] if self.codes else []),
            ]
        )


@random_state_kept()
def check(
    data: str | Path,
    *,
    out: str | Path,
    mask_options: MaskOptions | None = None,
    group: str | None = None,
    test_fraction: float = 0.2,
    recipe: Literal["default", "paper"] = "default",
    device: str = "auto",
    precision: str = "auto",
    started: float | None = None,
    evaluating: Evaluating | None = None,
    **overrides: Any,
) -> CheckResult:
    """Audit a data set; write ``contact-sheet.png`` and ``check.json`` into ``out``.

    Args:
        data: A folder, a CSV manifest, or ``sample:NAME``.
        out: The folder to write into.
        mask_options: What the masks mean, where it is not to be found out.
        group: A regular expression whose first group, found in an image's path, names the patient.
        test_fraction: The share held out where the data name no test images.
        recipe: ``paper`` for the released recipe.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        precision: ``auto``, ``float32`` or ``bfloat16``.
        started: When the minutes began, by ``time.monotonic``; with this call when left out.
        judging: What would be done after training and within its minutes.
        overrides: Fields of the plan.

    Returns:
        What was found, with the plan and its cost.

    Raises:
        InputError: For data that cannot be understood; single broken files are in the result.
    """
    started = time.monotonic() if started is None else started
    machine = choose_device(device, precision)
    prepared = prepare(
        data,
        device=machine.type,
        mask_options=mask_options,
        group=group,
        allow_problems=True,
        test_fraction=test_fraction,
        recipe=recipe,
        overrides=overrides,
    )
    fitted = fit_prepared(prepared, machine, started, evaluating)
    plan, cost = fitted.plan, fitted.cost
    folder = Path(out)
    sheet = folder / "contact-sheet.png"
    with atomic_write(sheet) as temporary:
        draw_sheet(prepared.dataset, prepared.splits, prepared.fingerprint.class_shares).save(temporary)
    dataset = prepared.dataset
    record = {
        "source": dataset.source,
        "fingerprint": prepared.fingerprint.model_dump(),
        "convention": dataset.convention.model_dump(),
        "plan": plan.model_dump(),
        "splits": prepared.splits,
        "problems": [{"kind": p.kind, "path": str(p.path), "message": p.message} for p in dataset.problems],
        "warnings": [*prepared.warnings, *fitted.warnings],
        "notes": dataset.notes,
        "seconds_per_step": cost.seconds_per_step,
        "memory_bytes": cost.memory,
    }
    write_json(folder / "check.json", record)
    return CheckResult(prepared, fitted, str(machine), sheet, tell_codes(dataset))
