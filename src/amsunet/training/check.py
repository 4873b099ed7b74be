"""The audit of a data set before anything is trained on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amsunet.atomic_io import atomic_write, write_json
from amsunet.data.contact_sheet import draw_sheet, warn_of_missing_fonts
from amsunet.data.options import DataOptions
from amsunet.device import Device, choose_device
from amsunet.memory import free_memory
from amsunet.models import absolute_model
from amsunet.process_state import random_state_kept
from amsunet.training.budget import Fitted, fit_prepared
from amsunet.training.command_time import CommandTime
from amsunet.training.finetune import with_models_found
from amsunet.training.plan_schema import Plan, Settings, checked_settings
from amsunet.training.precision import faster_precision, with_precision
from amsunet.training.prepare import Preparation, prepare
from amsunet.training.step_cost import StepCost
from amsunet.wording import command, setting


@dataclass(frozen=True)
class CheckResult:
    """What an audit found; as text, the lines that ``amsunet check`` prints."""

    preparation: Preparation
    fitted: Fitted
    """What ``train`` would follow here."""
    device: str
    """What the costs were measured on."""
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
                f"plan ({command('train')} follows it; every line can be set):\n{plan}",
                f"on {self.device}: a step of {plan.batch_size} crops takes {cost.seconds_per_step:.2f} s",
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
    settings: Mapping[str, Any] | Settings | None = None,
    *,
    out: str | Path,
    data_options: DataOptions | None = None,
    device: str | Device = "auto",
    command_time: CommandTime | None = None,
) -> CheckResult:
    """Audit a data set; write ``contact-sheet.png`` and ``check.json`` into ``out``.

    Args:
        data: A folder, a CSV manifest, or ``sample:NAME``.
        settings: As ``train`` takes them.
        out: The folder to write into.
        data_options: How the data set is read and split, where that is not to be found out.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; or what ``choose_device`` gives.
        command_time: The command that the minutes are of; this call when left out.

    Returns:
        What was found, with the plan and its cost.

    Raises:
        InputError: For data that cannot be understood; single broken files are in the result.

    Example:
        >>> import amsunet
        >>> checked = amsunet.check("sample:nuclei", out="checked")
        >>> checked.problems, checked.plan.model, checked.sheet.name
        (0, 'amsunet_lite', 'contact-sheet.png')
    """
    command_time = command_time or CommandTime()
    device = choose_device(device)
    given = checked_settings(settings)
    if "model" in given:
        given["model"] = absolute_model(given["model"])
    given = with_models_found(given)
    prepared = prepare(data, given, device=device.type, data_options=data_options, allow_problems=True)
    device, why = faster_precision(prepared.plan, prepared.dataset.convention.num_classes, device)
    fitted = fit_prepared(prepared, device, command_time)
    fitted = replace(fitted, plan=with_precision(fitted.plan, device, why))
    plan, cost = fitted.plan, fitted.cost
    folder = Path(out)
    sheet = folder / "contact-sheet.png"
    with atomic_write(sheet) as temporary:
        picture = draw_sheet(prepared.dataset, prepared.splits, prepared.fingerprint.class_shares, plan.window)
        picture.save(temporary)
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
    return CheckResult(prepared, fitted, str(device), sheet, warn_of_missing_fonts(dataset))
