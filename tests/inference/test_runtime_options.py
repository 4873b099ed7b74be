"""What a network is run with is refused where it is set."""

from __future__ import annotations

import pytest

from amsunet.device import Device
from amsunet.errors import InputError
from amsunet.inference.runtime_options import RuntimeOptions


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tta": "flip"}, r"^tta 'flip' is unknown: choose none, flips, rotations or d4; did you mean flips\?$"),
        ({"runtime": "onxx"}, r"^runtime 'onxx' is unknown: choose torch, onnx or openvino; did you mean onnx\?$"),
        ({"device": "gpu"}, r"^device 'gpu' is unknown: choose auto, cpu, cuda or mps$"),
        ({"precision": "int8"}, r"^precision 'int8' is unknown: choose auto, float32 or bfloat16$"),
        ({"precision": "half", "runtime": "onnx"}, r"^precision 'half' is unknown: choose auto, .*float16 or int8$"),
        ({"spacing": "0.5"}, r"^spacing: '0.5' is not the size of a pixel: write spacing='0.5um', or "),
        ({"runtime": "onnx", "compile": True}, r"^compile is for torch"),
        ({"runtime": "openvino", "device": "cuda"}, r"^exported networks run on the CPU: leave device out$"),
        ({"separation": -1}, r"^separation must be at least 0 and at most 1000 pixels, not -1$"),
        ({"separation": float("nan")}, r"^separation must be at least 0 and at most 1000 pixels, not nan$"),
    ],
)
def test_what_is_mistyped_or_impossible_fails_at_once(settings, message):
    with pytest.raises(InputError, match=message):
        RuntimeOptions(**settings)


def test_a_device_that_was_chosen_is_taken_again():
    device = Device("cpu", "bfloat16", 2)
    chosen = RuntimeOptions.on(device).choose_device()
    assert (chosen.type, chosen.precision) == (device.type, device.precision)
