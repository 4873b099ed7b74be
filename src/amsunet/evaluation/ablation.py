"""Named studies of AMSUnet: the paper's ablations, the paper's own choice first, and what its training is made of.

Source of the ablations: AMSUnet, Comput. Biol. Med. 2023, doi 10.1016/j.compbiomed.2023.107120, sections 3.1 to 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amsunet.errors import InputError
from amsunet.evaluation.study import OWN_OF_A_CELL, Variant
from amsunet.training.plan import check_setting

_STUDIES: dict[str, dict[str, dict[str, Any]]] = {
    "dilation": {
        "1-1-1-3-5": {},
        "1-1-1-1-1": {"dilations": [1, 1, 1, 1, 1]},
        "1-1-1-3-1": {"dilations": [1, 1, 1, 3, 1]},
        "1-3-5-3-1": {"dilations": [1, 3, 5, 3, 1]},
    },
    "kernels": {
        "3": {},
        "5": {"kernel_size": 5},
        "7": {"kernel_size": 7},
        "none": {"local": False},
    },
    "strips": {
        "5-7-11": {},
        "7-11-21": {"strip_sizes": [7, 11, 21]},
        "3-5-7": {"strip_sizes": [3, 5, 7]},
        "5-7-11 full": {"strips": False},
    },
    "norm": {
        "batch before": {},
        "batch after": {"norm_place": "after"},
        "layer before": {"norm": "layer"},
        "layer after": {"norm": "layer", "norm_place": "after"},
    },
    "residual": {
        "amse": {},
        "transformer": {"residual": "transformer", "closing_activation": False},
        "mscan": {"residual": "mscan", "closing_activation": False},
    },
    "activation": {
        "gelu": {},
        "relu": {"activation": "relu"},
        "gelu, none closing": {"closing_activation": False},
        "relu, none closing": {"activation": "relu", "closing_activation": False},
    },
    "attention": {
        "rsc": {},
        "none": {"skip_attention": "none"},
        "se": {"skip_attention": "se"},
        "cbam": {"skip_attention": "cbam"},
        "scse": {"skip_attention": "scse"},
        "rsc without residual": {"skip_attention": "rsc_without_residual"},
    },
    "mixer": {
        "ams": {},
        "msca": {"mixer": "msca"},
        "depthwise 7x7": {"mixer": "depthwise"},
        "pooling": {"mixer": "pooling"},
    },
}
_CHANGES: tuple[dict[str, Any], ...] = (
    {"loss": "focal_dice"},
    {"loss": "ce_dice_boundary"},
    {"loss": "ce_dice_cldice"},
    {"deep_supervision": True},
    {"extra_augmentation": "elastic"},
    {"extra_augmentation": "stain"},
    {"extra_augmentation": "low_resolution"},
    {"extra_augmentation": "scale"},
    {"augmentation": "light"},
    {"augmentation": "strong"},
    {"windowing": "percentiles"},
    {"windowing": "gamma"},
    {"windowing": "bright_on_dark"},
    {"windowing": "clahe"},
    {"inversion": True},
    {"foreground_fraction": 0.5},
    {"average_weights": False},
)
STUDIES = (*_STUDIES, "recipe")
_THE_SAME = {*OWN_OF_A_CELL, "in_channels", "minutes", "epochs", "steps_per_epoch", "patience"}


def variants_of(
    study: str, *, base_channels: int | None = None, changes: Sequence[dict[str, Any]] = ()
) -> list[Variant]:
    """The networks of a named study; for ``recipe`` the plan as it is, and with one change each.

    Args:
        base_channels: width of all of them; AMSUnet's own when left out.
        changes: settings of the plan to try in place of those that ``recipe`` has.

    Raises: InputError for an unknown study, or a setting that cannot be tried.
    """
    width = {} if base_channels is None else {"base_channels": base_channels}
    if study == "recipe":
        return [
            Variant(name=_name(settings), model="amsunet", options=width, settings=settings)
            for settings in ({}, *(changes or _CHANGES))
        ]
    if study not in _STUDIES:
        raise InputError(f"there is no study {study!r}: choose one of {', '.join(STUDIES)}")
    return [
        Variant(name=name, model="amsunet", options={**options, **width}) for name, options in _STUDIES[study].items()
    ]


def _name(settings: dict[str, Any]) -> str:
    """A change of the plan as it is said on the command line. Raises InputError if it cannot be tried."""
    for name, value in settings.items():
        check_setting(name, value)
        if name in _THE_SAME:
            raise InputError(f"{name} cannot be tried: it is the same for every training of a study")
    return " ".join(f"{name}={_word(value)}" for name, value in settings.items()) or "the plan"


def _word(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value).lower()
