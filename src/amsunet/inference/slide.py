"""Images too large for memory to masks: read, predicted, blended and written tile by tile."""

from __future__ import annotations

import logging
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from amsunet.atomic_io import as_input_error
from amsunet.data.channels import channel_names
from amsunet.data.images import Array
from amsunet.data.preprocessing import InputFormat, channels_first
from amsunet.data.slide_view import SlideView
from amsunet.data.slides import Slide, SlideError, open_slide
from amsunet.errors import InputError
from amsunet.inference.forward import are_numbers, to_labels
from amsunet.inference.image_scale import refuse_enlarged
from amsunet.inference.outputs import mask_paths, place_below
from amsunet.inference.predictor import Predictor
from amsunet.inference.prepared_image import describe_polarity
from amsunet.inference.segmentation import NO_NUMBERS, describe_no_numbers
from amsunet.inference.slide_state import Scratch
from amsunet.inference.sliding_window import Tiling
from amsunet.inference.tile_blending import Blend, BlendAxis
from amsunet.inference.tiled_mask import drop_small, largest_size, write_masks
from amsunet.inference.uncertainty import ReviewItem, Uncertainty, review_reasons_of
from amsunet.memory import large_pieces_returned
from amsunet.progress import report
from amsunet.wording import setting

logger = logging.getLogger(__name__)

_LABELLED = 1024
"""Pixels of the image, on a side, that get their labels at once."""

Views = dict[InputFormat, Array]


class SlideTask:
    """A slide and the mask it is to get, as tiled TIFF: ``out/NAME.tif``, or one in the folder of each class.

    What was reached lies in the hidden folder ``.NAME.partial`` beside it until the mask is whole; the same task goes
    on from there. Memory depends on the tile and not on the slide.

    Args:
        level: Of a pyramid, the one whose pixels are those of an image; the mask has its size.
    """

    def __init__(
        self, predictor: Predictor, path: Path, out: Path, name: str, *, level: int = 0, overwrite: bool = False
    ) -> None:
        self._predictor, self.path, self._level, self._overwrite = predictor, path, level, overwrite
        self._description = predictor.description
        self.name = name
        self.targets = mask_paths(out, name, self._description.convention, ".tif")
        self._folder = place_below(out, str(Path(name).with_name(f".{Path(name).name}.partial") / "state.json")).parent

    def check(self) -> None:
        """Refuse what stands against the task before work starts.

        Raises:
            SlideError: If the slide cannot be read.
            InputError: If the mask is there already or has no room on the disk.
        """
        with open_slide(self.path) as slide:
            self._lay_out(self._view(slide))

    def run(self) -> ReviewItem:
        """Segment the slide; progress counts the tiles of this call.

        Returns:
            How sure the mask is, and why it is to be checked, if it is; its uncertainty is that before small objects
            are left out.

        Raises:
            SlideError: As ``check``, and where the network gives no numbers.
            InputError: As ``check``, and if the mask is being made by another process.
        """
        with open_slide(self.path) as slide:
            self._check_channels(slide)
            view = self._view(slide)
            rows, columns, carries = self._lay_out(view)
            ranges = view.choose_ranges(self._predictor.networks.choose_range)
            out_of_distribution = "; ".join(
                filter(None, (view.guess, self._predictor.networks.out_of_distribution(view.sample())))
            )
            with (
                as_input_error(self.targets[0]),
                Scratch(self._folder, self._job(), view.image_size, carries) as scratch,
            ):
                logger.info(_describe(self.path, view, len(rows) * len(columns)))
                self._note_limits(view)
                if scratch.rows_done:
                    logger.info(
                        f"going on where it was stopped: {scratch.rows_done} of {len(rows)} rows of tiles are done"
                    )
                try:
                    with large_pieces_returned():
                        uncertainty = _fill(self.path, scratch, self._predictor, view, Blend(rows, columns, scratch))
                except SlideError:  # another copy of the file begins anew
                    scratch.remove()
                    raise
                if smallest := self._smallest_object(view):
                    drop_small(scratch.labels, smallest)
                made = [scratch.folder / f"mask{number}.tif" for number in range(len(self.targets))]
                write_masks(made, scratch.labels, self._description.convention, view.spacing)
                for one, target in zip(made, self.targets, strict=True):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    one.replace(target)
                scratch.remove()
        polarity = next((describe_polarity(*pair) for pair in ranges), "")
        reasons = review_reasons_of(uncertainty, self._description.uncertainty_limit, out_of_distribution, polarity)
        return ReviewItem(str(self.path), uncertainty, "; ".join(reasons), out_of_distribution, polarity)

    def _note_limits(self, view: SlideView) -> None:
        """Log in what the mask is not that of a small image."""
        known = self._description.preprocessing
        if known.image_scale == "size" and None in (known.spacing, view.spacing):
            logger.info(
                f"{self.path} is a slide: scaled by {known.scale:g} and not brought to the training's size; "
                f"{setting('level')} or {setting('image_scale')} sets another"
            )
        if self._description.convention.kind == "instances" and self._description.separation:
            logger.info(f"{self.path} is a slide: objects that touch have one number in its mask")

    def _view(self, slide: Slide) -> SlideView:
        view = SlideView(slide, self._predictor.networks.preprocessings, self._level, self._predictor.spacing)
        refuse_enlarged(self.path, self._description.preprocessing, view.image_size, view.spacing)
        return view

    def _smallest_object(self, view: SlideView) -> int:
        """Pixels of the slide below which objects are left out, of two classes: as many of those that networks see."""
        if self._description.convention.num_classes != 2:
            return 0
        known = self._description.preprocessing.by_factor()
        return round(known.share(*view.image_size, view.spacing) * self._description.smallest_object)

    def _check_channels(self, slide: Slide) -> None:
        """Raise SlideError if the slide has other channels than the networks take."""
        count = slide.read(len(slide.sizes) - 1, slice(0, 1), slice(0, 1)).shape[2]
        try:
            self._predictor.check_channels(str(self.path), count, channel_names(self.path, count))
        except InputError as error:
            raise SlideError(str(error)) from None

    def _lay_out(self, view: SlideView) -> tuple[BlendAxis, BlendAxis, list[tuple[int, int, int]]]:
        """Lay out the tiles, and refuse what stands against them.

        Returns:
            Rows, columns, and for each row the shape of the sums that it takes over.
        """
        convention = self._description.convention
        for target in self.targets:
            if target.resolve() == self.path.resolve():
                raise InputError(f"the mask of {self.path} would take its place: choose another {setting('out')}")
            if target.exists() and not (self._overwrite or Scratch.is_of(self._folder, self._job())):
                raise InputError(
                    f"{target} is there already: choose another {setting('out')}, or set {setting(overwrite=True)}"
                )
        tiling = self._predictor.tiling
        tiling = tiling if tiling.cuts(*view.size) else Tiling(tile=max(view.size))
        rows, columns = (BlendAxis(*sides, tiling) for sides in zip(view.size, view.image_size, strict=True))
        planes = len(self._predictor) * convention.num_classes
        carries = [(planes, height, view.size[1]) for height in rows.carried()]
        room = Scratch.largest_size(view.image_size, carries) + largest_size(convention, *view.image_size)
        self._refuse_without_room(room)
        return rows, columns, carries

    def _refuse_without_room(self, room: int) -> None:
        """Raise InputError unless there is room for the labels, the sums and an uncompressed result."""
        there = next(parent for parent in self._folder.resolve().parents if parent.exists())
        begun = sum(getattr(file.stat(), "st_blocks", 0) * 512 for file in self._folder.glob("*"))
        free = shutil.disk_usage(there).free + begun
        if room > free:
            raise InputError(
                f"the mask of {self.path} may need {room / 1e6:,.0f} MB in {self._folder.parent} while it is made, "
                f"where {free / 1e6:,.0f} MB are free: free some space, choose another {setting('out')}, or of a "
                f"pyramid a coarser {setting('level')}"
            )

    @property
    def network(self) -> str:
        """What the mask depends on beside the slide."""
        return self.network_of(self._predictor, self._level)

    @staticmethod
    def network_of(predictor: Predictor, level: int) -> str:
        """As ``network``, of any slide."""
        return f"{predictor.checksum()} level {level}"

    def _job(self) -> dict[str, Any]:
        """What the mask depends on: what was begun for another one is not gone on with."""
        file = self.path.stat()
        return {
            "slide": [str(self.path.resolve()), file.st_size, file.st_mtime_ns, self._level],
            "networks": self._predictor.checksum(),
        }


def _fill(path: Path, scratch: Scratch, predictor: Predictor, view: SlideView, blend: Blend) -> float:
    """Predict the rows of tiles that are not done yet and write their labels.

    One tile is read and another one finished while the network is at a third. A tile counts once it is finished.

    Returns:
        The uncertainty of the whole mask.
    """
    rows, columns = blend.rows, blend.columns
    uncertainty = Uncertainty(predictor.description.convention.num_classes, scratch.sums)
    tiles = [(row, column) for row in range(scratch.rows_done, len(rows)) for column in range(len(columns))]

    def read(tile: tuple[int, int]) -> Views:
        views = view.read(rows.place(tile[0]), columns.place(tile[1]))
        return {kind: channels_first(one) for kind, one in views.items()}

    def finish(tile: tuple[int, int], logits: Array) -> None:
        row, column = tile
        means = blend.add(row, column, logits.reshape(-1, *logits.shape[2:]))
        means = means.reshape(*logits.shape[:2], *means.shape[1:])
        for y in _pieces(rows.image(row)):
            for x in _pieces(columns.image(column)):
                size = y.stop - y.start, x.stop - x.start
                probabilities = predictor.networks.probabilities(means, *size, blend.box(row, column, y, x))
                labels = to_labels(probabilities, predictor.description.threshold)
                uncertainty.add(probabilities, labels)
                scratch.labels.write(y, x, labels)
        if column + 1 == len(columns):
            scratch.finish_row(row, uncertainty.sums())

    def wait(done: int) -> None:
        if finished:
            finished.result()
            report(done, len(tiles), "tile")

    with ThreadPoolExecutor(1) as pool:
        finished: Future[None] | None = None
        for done, (tile, views) in enumerate(_read_ahead(read, tiles)):
            logits = predictor.networks.logits(views)
            if not are_numbers(logits):
                raise SlideError(describe_no_numbers(path), code=NO_NUMBERS)
            wait(done)
            finished = pool.submit(finish, tile, logits)
        wait(len(tiles))
    return uncertainty.value()


def _read_ahead(
    read: Callable[[tuple[int, int]], Views], tiles: list[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], Views]]:
    """Read one tile while the one before it is worked on."""
    waiting: deque[tuple[tuple[int, int], Future[Views]]] = deque()
    with ThreadPoolExecutor(1) as pool:
        for tile in tiles:
            waiting.append((tile, pool.submit(read, tile)))
            if len(waiting) > 1:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def _pieces(whole: slice) -> Iterator[slice]:
    for start in range(whole.start, whole.stop, _LABELLED):
        yield slice(start, min(start + _LABELLED, whole.stop))


def _describe(path: Path, view: SlideView, tiles: int) -> str:
    def pixels(size: tuple[int, int]) -> str:
        return f"{size[1]:,} x {size[0]:,}"

    seen = "" if view.size == view.image_size else f", which the network sees as {pixels(view.size)}"
    source = f", read from level {view.source}" if view.source else ""
    return f"{path}: {pixels(view.image_size)} pixels{seen}{source}, in {tiles:,} tile{'s' * (tiles > 1)}"
