"""What came of each image, noted at once: in the record of its folder, in the lists and in the outcome."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from amsunet.atomic_io import printable
from amsunet.errors import InputError
from amsunet.inference.outcome import Lists, Outcome
from amsunet.inference.prediction_plan import ImageTask, relative_name, size_of
from amsunet.inference.prediction_record import FileStamp, Prediction, PredictionRecord, stamp
from amsunet.inference.slide import SlideTask
from amsunet.inference.uncertainty import ReviewItem
from amsunet.inference.volume import VolumeTask


class Results:
    """Takes what came of the images of one command.

    Args:
        record: Of the folder of the masks.
        network: ``Predictor.checksum`` of what makes the masks.
    """

    def __init__(self, record: PredictionRecord, network: str) -> None:
        self.record, self.network = record, network
        self.lists, self.outcome = Lists(record), Outcome()

    def pass_over(self, image: str | Path, prediction: Prediction) -> None:
        """Note an image whose mask is there already."""
        self.outcome.passed_over += 1
        self.lists.pass_over(image, prediction.review)

    def begin(self, names: Sequence[str]) -> None:
        """Note that files of these names are about to be written."""
        self.record.begin(names)

    def keep(
        self, task: ImageTask | SlideTask | VolumeTask, item: ReviewItem, file: FileStamp | None, checksum: str = ""
    ) -> None:
        """Note an image whose files are written. Threads may call it; the outcome is for ``count``."""
        image, targets, network = self._of(task)
        self.note(
            Prediction(
                name=printable(task.name),
                image=printable(str(image)),
                file=file,
                checksum=checksum,
                network=network,
                outputs={relative_name(target, self.record.folder): size_of(target) or 0 for target in targets},
                uncertainty=item.uncertainty,
                reason=item.reason,
                out_of_distribution=item.out_of_distribution,
                polarity=item.polarity,
            )
        )

    def count(self, task: ImageTask | SlideTask | VolumeTask, found: ReviewItem | InputError) -> None:
        """Count what came of an image, and note a failure."""
        image, _, network = self._of(task)
        if isinstance(found, ReviewItem):
            self.outcome.written += 1
            return
        self.outcome.failures[str(image)] = str(found)
        self.note(
            Prediction(
                name=printable(task.name),
                image=printable(str(image)),
                file=stamp(image),
                network=network,
                failure=printable(str(found)),
            )
        )

    def note(self, prediction: Prediction) -> None:
        """Add what came of an image to the lists and to the record."""
        self.lists.add(prediction.image, prediction.review, prediction.failure)
        self.record.add(self._with_earlier(prediction))

    def take(self, prediction: Prediction) -> None:
        """Count and note what another process made of an image."""
        if prediction.failure:
            self.outcome.failures[prediction.image] = prediction.failure
        else:
            self.outcome.written += 1
        self.note(prediction)

    def close(self, seconds: float) -> None:
        """Put the lists in order; also where the work was stopped.

        Args:
            seconds: What the work took.
        """
        self.outcome.seconds = seconds
        self.outcome.review = self.lists.close()

    def _with_earlier(self, prediction: Prediction) -> Prediction:
        """With the other forms that an earlier command wrote, if the same network made them of the same image."""
        earlier = self.record.find(prediction.name)
        if earlier is None or not prediction.checksum:
            return prediction
        if (earlier.checksum, earlier.network) != (prediction.checksum, prediction.network):
            return prediction
        kept = {name: size for name, size in earlier.outputs.items() if size_of(self.record.folder / name) == size}
        return prediction.model_copy(update={"outputs": {**kept, **prediction.outputs}})

    def _of(self, task: ImageTask | SlideTask | VolumeTask) -> tuple[Path, Iterable[Path], str]:
        if isinstance(task, SlideTask | VolumeTask):
            return task.path, task.targets, task.network
        return task.image, task.outputs, self.network
