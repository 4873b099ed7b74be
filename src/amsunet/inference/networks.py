"""The networks of a prediction: parts of images to logits, and the logits of all to the mean of their probabilities."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from copy import copy

import numpy as np

from amsunet.data.images import Array
from amsunet.data.normalization import IntensityRange
from amsunet.data.preprocessing import InputFormat, Preprocessing, channels_first
from amsunet.inference.forward import Box, compute_logits, to_labels, to_probabilities
from amsunet.inference.open_model import Member
from amsunet.inference.prepared_image import choose_range
from amsunet.inference.runtime_options import TTA
from amsunet.inference.sliding_window import Tiling
from amsunet.inference.uncertainty import measure_uncertainty


class Networks:
    """One network, or one for each fold, each with the format that it takes images in. Several threads may ask.

    Args:
        members: The networks.
        tta: Over which views of an image logits are averaged.
        tiling: Of images too large to go through a network whole.
    """

    def __init__(self, members: Sequence[Member], tta: TTA, tiling: Tiling) -> None:
        self.members, self.tta, self.tiling = [*members], tta, tiling
        self._at_work = threading.Lock()  # images are prepared in threads, and may need a network for it

    def __len__(self) -> int:
        return len(self.members)

    def only(self, member: int) -> Networks:
        """One of them alone."""
        alone = copy(self)  # with the lock: a runtime has one caller at a time
        alone.members = [self.members[member]]
        return alone

    @property
    def preprocessings(self) -> dict[InputFormat, Preprocessing]:
        """How they want images."""
        return {_input_format(one): one.description.preprocessing for one in self.members}

    def choose_range(
        self, key: InputFormat, found: IntensityRange, view: Callable[[IntensityRange], Array]
    ) -> IntensityRange:
        """Of two ranges the one by which the networks of a format expect to be right; see ``prepared_image``."""
        members = [index for index, one in enumerate(self.members) if _input_format(one) == key]

        def expected_dice(seen: Array) -> float:
            expected = []
            for member in members:
                logits = self.logits_of(member, [{key: channels_first(seen)}])[0]
                probabilities = to_probabilities(logits, *logits.shape[1:])
                mask = to_labels(probabilities, self.members[member].description.threshold)
                expected.append(1 - measure_uncertainty(probabilities, mask))
            return float(np.mean(expected))

        return choose_range(found, view, expected_dice)

    def out_of_distribution(self, seen: Mapping[InputFormat, Array]) -> str:
        """In what an image, (h, w, C) of uint8 of each format, differs from the training images of every network."""
        differences = [
            known.out_of_distribution(seen[_input_format(one)])
            for one in self.members
            if (known := one.description.image_statistics) is not None
        ]
        return differences[0] if differences and all(differences) else ""

    def logits_of(self, member: int, images: Sequence[Mapping[InputFormat, Array]]) -> Array:
        """Parts of N images, (C, h, w) of uint8 of each format, to logits of one network (N, num_classes, h, w)."""
        one = self.members[member]
        views = [image[_input_format(one)] for image in images]
        batch = np.stack(views) if len(views) > 1 else views[0][None]  # no copy of a large image
        with self._at_work:
            return compute_logits(one.runtime, batch, tta=self.tta, allowed=one.description.flips, tiling=self.tiling)

    def logits(self, views: Mapping[InputFormat, Array]) -> Array:
        """A part of an image to the logits of all networks, (networks, num_classes, h, w)."""
        return np.stack([self.logits_of(member, [views])[0] for member in range(len(self))])

    def probabilities(self, logits: Array, height: int, width: int, box: Box | None = None) -> Array:
        """Logits of all networks, or a box of them, to the mean of their probabilities (num_classes, height, width)."""
        total = to_probabilities(logits[0], height, width, box)
        for one in logits[1:]:
            total += to_probabilities(one, height, width, box)
        total /= np.float32(len(logits))
        return total


def _input_format(member: Member) -> InputFormat:
    return member.description.preprocessing.input_format
