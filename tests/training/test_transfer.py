"""Starting from trained weights."""

from __future__ import annotations

import pytest
import torch

from amsunet.errors import InputError
from amsunet.inference.model_file import FILE_NAME, load_model
from amsunet.models import create_model
from amsunet.training.train import train
from amsunet.training.transfer import start_from


def _fresh(**changes) -> torch.nn.Module:
    torch.manual_seed(5)
    return create_model("amsunet", **{"in_channels": 1, "num_classes": 2, "base_channels": 4, **changes})


def test_the_same_network_is_taken_whole(run):
    network = _fresh()
    assert start_from(network, run, model="amsunet").endswith("taken (100.0%)")
    trained = load_model(run / FILE_NAME)[0].state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in network.state_dict().items())


def test_other_classes_leave_the_head_fresh_and_say_so(run):
    network = _fresh(num_classes=5)
    before = network.head.weight.clone()
    told = start_from(network, run, model="amsunet")
    assert "fresh, as the classes differ: head.weight, head.bias" in told
    assert torch.equal(network.head.weight, before)
    assert torch.equal(network.stem[0].weight, load_model(run / FILE_NAME)[0].stem[0].weight)


def test_other_channels_see_a_grey_image_alike(run):
    network = _fresh(in_channels=3).eval()
    told = start_from(network, run / FILE_NAME, model="amsunet")
    assert "made for 1 channels, now see 3" in told
    grey = torch.rand(1, 1, 32, 48)
    with torch.no_grad():
        expected = load_model(run / FILE_NAME)[0](grey)
        torch.testing.assert_close(network(grey.expand(-1, 3, -1, -1)), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        ("unet", {}, "weights of amsunet, not of unet: say --model amsunet"),
        ("amsunet", {"base_channels": 8}, "another width or other settings .*--base-channels"),
    ],
)
def test_what_does_not_fit_is_refused(run, model, changes, message):
    with pytest.raises(InputError, match=message):
        start_from(_fresh(**changes), run, model=model)


def test_a_training_starts_there(run, tiny, tmp_path):
    """With a rate of almost nothing the weights stay what they were."""
    said: list[str] = []
    training = train(
        "sample:nuclei", out=tmp_path / "run", say=said.append, epochs=1, start=str(run), learning_rate=1e-12, **tiny
    )
    assert any("taken (100.0%)" in line for line in said)
    old, new = (load_model(folder / FILE_NAME)[0] for folder in (run, training.run))
    torch.testing.assert_close(new.head.weight, old.head.weight, atol=1e-6, rtol=1e-6)


def test_a_start_that_cannot_be_read_leaves_nothing_behind(tiny, tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        train("sample:nuclei", out=tmp_path / "run", say=str, epochs=1, start=str(tmp_path / "nowhere"), **tiny)
    assert not (tmp_path / "run").exists()
