"""Images of a store on this machine's disk while they are predicted, and their masks until the store has them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from amsunet.atomic_io import printable
from amsunet.data.discovery.other_formats import suffix_of
from amsunet.errors import InputError
from amsunet.inference.inputs import InputImage
from amsunet.inference.prediction_record import Prediction
from amsunet.inference.stores import UNREADABLE, Store, is_url

_AT_ONCE = 8
"""Objects that travel at a time: each waits for the store, not for this machine."""


class Staging:
    """A temporary folder: objects become files in it, which are opened as any file is, and what is written goes out.

    Whatever is said meanwhile of the files names the objects. A context manager; the folder is gone at its end.

    Args:
        store: The address that masks go to; empty if they go to a disk.
        network: ``Predictor.checksum``, for images that cannot be fetched.
    """

    def __init__(self, store: str, network: str) -> None:
        self._store, self._network = store.rstrip("/"), network
        self._files: dict[str, str] = {}
        """Addresses, by the files that they are fetched to."""

    def __enter__(self) -> Staging:
        self._temporary = tempfile.TemporaryDirectory(prefix="amsunet-")
        self._folder = Path(self._temporary.name)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._temporary.cleanup()
        if isinstance(error, InputError):
            raise InputError(self._named(str(error)), code=error.code) from None

    @property
    def out(self) -> Path | None:
        """Where masks are to be written, if they go to a store."""
        return self._folder / "out" if self._store else None

    def fetch(self, images: Sequence[tuple[str, str]]) -> list[InputImage]:
        """Fetch objects; paths stay as they are.

        Args:
            images: Places and names.

        Returns:
            What could be fetched; for the others there are failures.

        Raises:
            InputError: If the disk is full, or a package for the store is missing.
        """
        self._places = {printable(name): place for place, name in images}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = [*pool.map(self._fetch, range(len(images)), *zip(*images, strict=True))]
        self._failures = [one for one in found if isinstance(one, Prediction)]
        return [one for one in found if isinstance(one, InputImage)]

    def _fetch(self, number: int, place: str, name: str) -> InputImage | Prediction:
        if not is_url(place):
            return InputImage(Path(place), name)
        path = self._folder / f"{number}{suffix_of(Path(place))}"
        self._files[str(path)] = place
        try:
            Store(place).fetch(path)
        except InputError as error:
            if error.code != UNREADABLE:
                raise
            return Prediction(name=printable(name), image=place, network=self._network, failure=str(error))
        return InputImage(path, name)

    def deliver(self, predictions: Sequence[Prediction]) -> list[Prediction]:
        """Write what was made to the store, if it is to go there.

        Returns:
            What came of all images, under their own names.

        Raises:
            InputError: If the store does not take it.
        """
        if self._store:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                _ = [*pool.map(self._put, (output for one in predictions for output in one.outputs))]
        made = [
            one.model_copy(
                update={
                    "image": printable(self._places[one.name]),
                    "failure": self._named(one.failure),
                    "reason": self._named(one.reason),
                }
            )
            for one in predictions
        ]
        return [*made, *self._failures]

    def _put(self, output: str) -> None:
        Store(f"{self._store}/{output}").put(self._folder / "out" / output)

    def _named(self, text: str) -> str:
        for path, address in self._files.items():
            text = text.replace(path, address)
        return text
