"""Where tests train: the same figures on every machine."""

from __future__ import annotations

from amsunet.device import choose_device

CPU = choose_device("cpu", "float32")
