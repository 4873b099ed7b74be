"""What is known of the machine."""

from __future__ import annotations

import pytest
import torch

from amsunet.device import choose_device, environment
from amsunet.errors import InputError


def test_a_device_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(InputError, match=r"device 'tpu' is not found: choose one of .*'cpu'"):
        choose_device("tpu")


def test_precision_is_what_was_said():
    assert choose_device("cpu", "float32").precision == "float32"
    with choose_device("cpu", "bfloat16").autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with pytest.raises(InputError, match="precision 'half' is unknown"):
        choose_device("cpu", "half")


def test_a_result_can_say_where_it_came_from():
    known = environment(choose_device("cpu", "float32"))
    assert known["packages"]["torch"] == torch.__version__
    assert known["device_name"].startswith("CPU ")
    assert known["cores"] >= 1 and known["memory_gib"] > 0
