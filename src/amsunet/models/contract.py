"""The contract of networks, as checks that run on any builder."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

Build = Callable[..., nn.Module]


class ContractError(Exception):
    """A network breaks the contract; the message names how."""


def check_contract(build: Build) -> Iterator[tuple[str, str | None]]:
    """Check every promise of the contract.

    Args:
        build: Called with ``in_channels`` and ``num_classes``, returns the network.

    Yields:
        The promise, and what is wrong or None.
    """
    for promise, check in PROMISES.items():
        problem = None
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                check(build)
        except Exception as error:  # the network's own code may raise anything
            message = _first_line(error)
            problem = message if isinstance(error, ContractError) else f"{type(error).__name__}: {message}"
        yield promise, problem
        if problem is not None and check is check_logits:
            return  # without logits the other promises mean nothing


def check_logits(build: Build) -> None:
    """Check that a network returns logits of the image's size.

    Raises:
        ContractError: If it does not.
    """
    check_sizes(build(in_channels=3, num_classes=2), ((32, 32), (64, 96), (160, 64)))


def check_sizes(
    network: nn.Module, sizes: Sequence[tuple[int, int]], *, in_channels: int = 3, num_classes: int = 2
) -> None:
    """Check that a network returns logits of the image's size for each size, in training too.

    Args:
        network: Left in evaluation.
        sizes: (H, W) of images.
        in_channels: Of the images.
        num_classes: Of the logits.

    Raises:
        ContractError: If it does not.
    """
    with torch.no_grad():
        for training in (True, False):
            network.train(training)
            for size in sizes:
                _expect(network(torch.randn(2, in_channels, *size)), (2, num_classes, *size))


def _expect(logits: object, shape: tuple[int, ...]) -> Tensor:
    if not isinstance(logits, Tensor):
        raise ContractError(f"forward returned a {type(logits).__name__}: return one tensor of logits")
    if tuple(logits.shape) != shape:
        raise ContractError(f"logits have the shape {tuple(logits.shape)}, not {shape}")
    return logits


def _odd_sizes(build: Build) -> None:
    try:
        check_sizes(build(in_channels=3, num_classes=2), ((33, 47), (32, 67), (49, 64), (83, 35)))
    except RuntimeError as error:
        raise ContractError(f"{_first_line(error)}: pad inside, and cut the logits to size") from None


def _channels_and_classes(build: Build) -> None:
    for in_channels, num_classes in ((1, 2), (3, 1), (5, 7)):
        network = build(in_channels=in_channels, num_classes=num_classes)
        check_sizes(network, ((64, 64),), in_channels=in_channels, num_classes=num_classes)


def _gradients(build: Build) -> None:
    network = build(in_channels=3, num_classes=2).train()
    network(torch.randn(2, 3, 64, 64)).square().mean().backward()
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None:
            raise ContractError(f"no gradient reaches {name}: wire it in, or remove it")
        if not parameter.grad.isfinite().all():
            raise ContractError(f"the gradient of {name} is not finite")
        # A bias before a normalisation has no gradient; a weight without one is not wired in.
        if name.endswith("weight") and not parameter.grad.any():
            raise ContractError(f"the gradient of {name} is zero: wire it in, or remove it")


def _saving(build: Build) -> None:
    network = build(in_channels=3, num_classes=2).train()
    network(torch.randn(2, 3, 64, 64))  # moves running statistics, which must be saved too
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    other = build(in_channels=3, num_classes=2)
    other.load_state_dict(torch.load(file, weights_only=True))
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        if not torch.equal(network.eval()(x), other.eval()(x)):
            raise ContractError(
                "a copy with the saved weights gives other logits: make all state parameters or buffers"
            )


def _repetition(build: Build) -> None:
    network = build(in_channels=3, num_classes=2).eval()
    x = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        both = network(x)
        if not torch.equal(both, network(x)):
            raise ContractError("the same images give other logits the second time: leave chance out of evaluation")
        _close(network(x[1:]), both[1:], "an image's logits depend on the others of its batch")


def _memory_format(build: Build) -> None:
    network = build(in_channels=3, num_classes=2).eval()
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        expected = network(x)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        _close(network(x.contiguous(memory_format=torch.channels_last)), expected, "channels_last gives other logits")


def _export(build: Build) -> None:
    network = build(in_channels=3, num_classes=2).eval()
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        exported = torch.export.export(network, (x,)).module()
        other = torch.randn(1, 3, 64, 96)
        _close(exported(other), network(other), "the exported network gives other logits")


def _first_line(error: Exception) -> str:
    # As errors.first_line, but networks import torch only.
    return str(error).partition("\n")[0] or "no message"


def _close(found: Tensor, expected: Tensor, problem: str) -> None:
    difference = float((found - expected).abs().max())
    if difference > 1e-4 * max(1.0, float(expected.abs().max())):
        raise ContractError(f"{problem} (by up to {difference:.2g})")


PROMISES: dict[str, Callable[[Build], None]] = {
    "logits (N, num_classes, H, W) for images (N, in_channels, H, W)": check_logits,
    "any size from 32 x 32 on, odd ones too": _odd_sizes,
    "any number of channels and classes": _channels_and_classes,
    "gradients reach every parameter": _gradients,
    "saved weights give the same logits": _saving,
    "evaluation can be repeated, and images of a batch do not mix": _repetition,
    "channels_last computes the same": _memory_format,
    "torch.export computes the same": _export,
}
"""Each promise with its check."""
