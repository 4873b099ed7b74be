"""Named studies of AMSUnet: the paper's ablations, the paper's own choice first.

Source: AMSUnet, Comput. Biol. Med. 2023, doi 10.1016/j.compbiomed.2023.107120, sections 3.1 to 3.3.
"""

from __future__ import annotations

from typing import Any

from amsunet.errors import InputError
from amsunet.evaluation.variant import Variant

STUDIES: dict[str, dict[str, dict[str, Any]]] = {
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


def variants_of(study: str, *, base_channels: int | None = None) -> list[Variant]:
    """The networks of a named study.

    Args:
        study: Its name, one of ``STUDIES``.
        base_channels: width of all of them; AMSUnet's own when left out.

    Raises:
        InputError: for an unknown study.
    """
    width = {} if base_channels is None else {"base_channels": base_channels}
    if study not in STUDIES:
        raise InputError(f"there is no study {study!r}: choose one of {', '.join(STUDIES)}")
    return [
        Variant(name=name, model="amsunet", options={**options, **width}) for name, options in STUDIES[study].items()
    ]
