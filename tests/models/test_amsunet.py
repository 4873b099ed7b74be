"""AMSUnet's choices: every one builds a network that works, and what excludes itself is said."""

from __future__ import annotations

import pytest
import torch
from made_networks import choices

from amsunet.blocks import RSC, Pooling
from amsunet.evaluation.ablation import STUDIES, variants_of
from amsunet.models import AMSUnet, create_model


@pytest.mark.parametrize("variant", choices(4), ids=lambda variant: variant.name)
def test_every_choice_of_the_paper_gives_a_network(variant):
    torch.manual_seed(0)
    network = create_model(variant.model, **variant.options)
    network(torch.randn(2, 3, 33, 47)).square().mean().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not silent


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_begins_with_the_papers_choice_and_its_networks_differ(study):
    torch.manual_seed(0)
    variants = variants_of(study, base_channels=4)
    assert variants[0].options == {"base_channels": 4}
    x = torch.randn(1, 3, 64, 64)
    outputs = []
    for variant in variants:
        torch.manual_seed(0)
        network = create_model(variant.model, **variant.options).train()
        with torch.no_grad():
            outputs.append(network(x))
    for index, output in enumerate(outputs):
        assert all(not torch.allclose(output, other, atol=1e-6) for other in outputs[:index])


def test_the_default_is_the_papers_network_bit_for_bit():
    torch.manual_seed(0)
    plain = AMSUnet(base_channels=8)
    torch.manual_seed(0)
    said = AMSUnet(
        base_channels=8, dilations=(1, 1, 1, 3, 5), skip_attention="rsc", mixer="ams", kernel_size=3, local=True,
        strip_sizes=[5, 7, 11], strips=True, norm="batch", norm_place="before", residual="amse", activation="gelu",
        closing_activation=True,
    )  # fmt: skip
    assert plain.state_dict().keys() == said.state_dict().keys()
    x = torch.randn(1, 3, 64, 64)
    assert torch.equal(plain(x), said(x))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mixer": "pooling", "kernel_size": 5}, "kernel_size is a setting of AMS and mixer is 'pooling'"),
        ({"mixer": "msca", "strip_sizes": (5, 7)}, "strip_sizes is a setting of AMS and mixer is 'msca'"),
        ({"mixer": "msca", "dilations": (1, 1, 1, 1, 1)}, "dilations are a setting of AMS and mixer is 'msca'"),
        ({"local": False, "kernel_size": 5}, "kernel_size is that of the plain convolution and local is false"),
        ({"kernel_size": 4}, "kernel_size must be one of 3, 5, 7, not 4"),
        ({"norm": "group"}, "norm must be one of batch, layer, not 'group'"),
        ({"strips": 1}, "strips must be true or false, not 1"),
        ({"strip_sizes": (4, 7)}, "strip_sizes must be a list of odd numbers"),
        ({"strip_sizes": "5"}, "strip_sizes must be a list of odd numbers"),
        ({"skip_attention": "eca"}, "skip_attention must be one of none, se, cbam"),
        ({"mixr": "ams"}, "no setting 'mixr'; did you mean mixer"),
        ({"wings": 2}, "no setting 'wings'; known are: mixer"),
        ({"dilations": (1, 1, 1, 3, 0)}, "five numbers from 1 on"),
        ({"dilations": [True, 1, 1, 3, 5]}, "five numbers from 1 on"),
        ({"dilations": 5}, "five numbers from 1 on"),
        ({"strip_sizes": []}, "strip_sizes must be a list of odd numbers"),
        ({"kernel_size": 3.0}, "kernel_size must be one of 3, 5, 7, not 3.0"),
        ({"skip_attention": ["se"]}, "skip_attention must be one of none"),
    ],
)
def test_the_impossible_is_said(settings, message):
    with pytest.raises(ValueError, match=message):
        AMSUnet(base_channels=4, **settings)


@pytest.mark.parametrize("width", ["32", 32.0, True, 6])
def test_an_impossible_width_is_said(width):
    with pytest.raises(ValueError, match="base_channels must be a multiple of 4"):
        AMSUnet(base_channels=width)


def test_a_default_may_be_said_beside_another_mixer():
    AMSUnet(base_channels=4, mixer="pooling", strip_sizes=[5, 7, 11])


def test_pooling_adds_what_the_neighbours_differ_by():
    x = torch.zeros(1, 1, 5, 5)
    x[..., 2, 2] = 9.0
    assert Pooling()(x)[0, 0, 1:4, 1:4].tolist() == [[1, 1, 1], [1, -8, 1], [1, 1, 1]]


def test_rsc_without_its_residual_lacks_the_original():
    torch.manual_seed(0)
    full, bare = RSC(8), RSC(8, residual=False)
    bare.load_state_dict(full.state_dict())
    x = torch.randn(1, 8, 6, 6)
    torch.testing.assert_close(full(x) - bare(x), x)
