"""Starting from trained weights."""

from __future__ import annotations

import shutil

import pytest
import torch
from made_device import CPU

from amsunet.data.builtin_samples import locate
from amsunet.data.options import DataOptions
from amsunet.errors import InputError
from amsunet.evaluation.evaluate import evaluate
from amsunet.inference.model_file import load_model, save_model
from amsunet.inference.model_ref import FILE_NAME, ModelRef
from amsunet.models import create_model
from amsunet.training.finetune import load_pretrained, match_pretrained, with_models_found
from amsunet.training.plan_schema import USER_SET, Plan
from amsunet.training.run_folder import read_run
from amsunet.training.train import train


def _plan(**settings) -> Plan:
    return Plan(
        scale=1,
        crop=(64, 64),
        batch_size=1,
        foreground_fraction=0.5,
        augmentation="light",
        quarter_turns=True,
        **settings,
    )


def _start(source, model="amsunet", normalization=None, **changes) -> tuple[torch.nn.Module, str]:
    """A fresh network with the weights of another one, and what was told; its head before."""
    torch.manual_seed(5)
    arguments = {"in_channels": 1, "num_classes": 2, "base_channels": 4, **changes}
    network = create_model(model, **arguments)
    plan = _plan(
        model=model,
        in_channels=arguments["in_channels"],
        normalization=normalization or load_model(ModelRef.resolve(source).weights)[1].preprocessing.normalization,
    )
    return network, load_pretrained(network, source, plan, arguments)


def test_the_same_network_is_taken_whole(run):
    network, told = _start(run)
    assert told.endswith("taken, all of them")
    trained = load_model(run / FILE_NAME)[0].state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in network.state_dict().items())


def test_other_classes_leave_the_head_fresh_and_say_so(run):
    network, told = _start(run, num_classes=5)
    torch.manual_seed(5)
    before = create_model("amsunet", in_channels=1, num_classes=5, base_channels=4).head.weight
    assert "fresh, as there are 5 classes in place of 2: head.weight, head.bias" in told
    assert torch.equal(network.head.weight, before)
    assert torch.equal(network.stem[0].weight, load_model(run / FILE_NAME)[0].stem[0].weight)


def test_other_channels_see_a_grey_image_alike(run):
    network, told = _start(run / FILE_NAME, in_channels=3)
    network.eval()
    assert "made for 1 channels, now see 3" in told
    grey = torch.rand(1, 1, 32, 48)
    with torch.no_grad():
        expected = load_model(run / FILE_NAME)[0](grey)
        torch.testing.assert_close(network(grey.expand(-1, 3, -1, -1)), expected, atol=1e-5, rtol=1e-4)


def test_another_window_is_told(run):
    assert "; trained on images normalized by " in (told := _start(run, normalization="gamma")[1])
    assert ", now given gamma (" in told


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        ("unet", {}, "weights of amsunet, not of unet: set model='amsunet'"),
        ("amsunet", {"base_channels": 8}, r"other settings of the network \(base_channels\)"),
        ("amsunet", {"dilations": [1, 1, 1, 1, 1]}, r"other settings of the network \(dilations\)"),
    ],
)
def test_what_does_not_fit_is_refused(run, model, changes, message):
    with pytest.raises(InputError, match=message):
        _start(run, model, **changes)


def test_a_training_has_the_network_of_its_start_and_its_width(run, tiny, tmp_path):
    settings = {name: value for name, value in tiny.items() if name not in ("model", "base_channels")}
    train("sample:nuclei", {"pretrained": str(run), "epochs": 1, **settings}, out=tmp_path / "second", device=CPU)
    plan = read_run(tmp_path / "second")[0].plan
    assert (plan.model, plan.base_channels) == ("amsunet", 4)
    assert plan.reasons["model"] == "that of the network it starts from"


def test_none_is_no_model_and_a_teacher_is_one():
    assert with_models_found({"pretrained": "none"}) == {"pretrained": "none"}
    with pytest.raises(InputError, match=r"^none not found"):
        with_models_found({"teacher": "none"})


def test_options_of_the_start_are_taken_where_none_are_set(run, tmp_path):
    options = {"mixer": "plain", "depths": [1, 1, 1, 1, 1]}
    arguments = {"in_channels": 1, "num_classes": 2, "base_channels": 4, **options}
    description = load_model(run / FILE_NAME)[1].model_copy(update={"model": "amsunet_lite", "arguments": arguments})
    save_model(tmp_path / FILE_NAME, create_model("amsunet_lite", **arguments), description)
    plan = _plan(in_channels=1, normalization="depth", pretrained=str(tmp_path / FILE_NAME))
    found = match_pretrained(plan)
    assert (found.model, found.base_channels, found.model_options) == ("amsunet_lite", 4, options)
    other = match_pretrained(plan.model_copy(update={"model_options": {"mixer": "ams"}}))
    assert other.model_options == {**options, "mixer": "ams"}
    named = plan.model_copy(update={"model": "unet", "reasons": {"model": USER_SET}})
    assert match_pretrained(named).base_channels is None, "it is refused when the weights are taken"


def test_a_training_starts_there(run, tiny, tmp_path, said):
    """With a rate of almost nothing the weights stay what they were."""
    training = train(
        "sample:nuclei",
        {"epochs": 1, "pretrained": str(run), "learning_rate": 1e-12, **tiny},
        out=tmp_path / "run",
        device=CPU,
    )
    assert any("taken, all of them" in line for line in said)
    old, new = (load_model(folder / FILE_NAME)[0] for folder in (run, training.run))
    torch.testing.assert_close(new.head.weight, old.head.weight, atol=1e-6, rtol=1e-6)


def test_a_start_that_cannot_be_read_leaves_nothing_behind(tiny, tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        train(
            "sample:nuclei",
            {"epochs": 1, "pretrained": str(tmp_path / "nowhere"), **tiny},
            out=tmp_path / "run",
            device=CPU,
        )
    assert not (tmp_path / "run").exists()


def test_test_images_that_the_start_saw_are_told(whole, quick, tmp_path, said):
    """The first run holds nothing back; the second one is evaluated on what the first was trained on."""
    splits = dict.fromkeys(whole_names(whole.run), "train") | {whole_names(whole.run)[0]: "val"}
    first = train(
        "sample:nuclei",
        {"epochs": 1, **quick},
        out=tmp_path / "first",
        data_options=DataOptions(splits=splits),
        device=CPU,
    )
    second = train(
        "sample:nuclei", {"epochs": 1, "pretrained": str(first.run), **quick}, out=tmp_path / "second", device=CPU
    )
    assert any("was trained on 4 of the test images" in line for line in said)
    evaluation = evaluate(second.run)
    assert any("4 of these images" in note for note in evaluation.notes)
    with pytest.raises(InputError, match="holds only images that the run, or what it started from, was trained on"):
        evaluate(second.run, _copy_of_the_sample(tmp_path))


def whole_names(run) -> list[str]:
    return list(read_run(run)[1].splits)


def _copy_of_the_sample(folder):
    """The sample's test images under another name, as foreign data."""
    target = folder / "foreign"
    shutil.copytree(locate("sample:nuclei") / "test", target)
    return target
