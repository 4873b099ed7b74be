"""A worker of Ray: what it knows of a prediction, what it does with a share of images, and what it sends back."""

from __future__ import annotations

import json
import os
import platform
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amsunet.errors import InputError
from amsunet.inference.inputs import InputImage
from amsunet.inference.prediction_options import PredictionOptions
from amsunet.inference.prediction_plan import Planner, PredictionPlan
from amsunet.inference.prediction_record import Prediction, PredictionRecord
from amsunet.inference.prediction_results import Results
from amsunet.inference.predictor import Predictor
from amsunet.inference.process_engine import predict_here
from amsunet.inference.staging import Staging
from amsunet.inference.stores import is_url
from amsunet.memory import keep_freed_memory
from amsunet.text_files import parse_json
from amsunet.wording import Place, setting, spelled, spelled_for


@dataclass(frozen=True)
class Setup:
    """What a worker needs to know, beside its shares."""

    model: str
    options: Any
    model_file: str | None
    tiling: Any
    network: str
    """``Predictor.checksum`` of what masks are to be made by."""
    out: Path
    wanted: PredictionOptions
    folder: Path
    """What relative paths begin at."""
    place: Place
    """What messages are worded for."""
    store: str = ""
    """Where masks go, if that is the address of a store; ``out`` is the folder of the record then."""

    @classmethod
    def of(cls, planner: Planner, store: str = "") -> Setup:
        """Take it from a planner, and the address of a store where masks are to go to one."""
        predictor = planner.predictor
        model, options, model_file = predictor.opened
        return cls(
            model.absolute,
            options,
            model_file and str(Path(model_file).absolute()),
            predictor.tiling,
            predictor.checksum(),
            planner.record.folder,
            # Whether files may be replaced was decided when the work was planned.
            replace(planner.options, overwrite=True, resume=False),
            Path.cwd(),
            spelled(),
            store,
        )


@dataclass(frozen=True)
class Reply:
    """What came of a share."""

    predictions: list[Prediction]
    sizes: Counter[tuple[int, int]]

    def write(self) -> str:
        """As JSON."""
        predictions = [one.model_dump(exclude_defaults=True) for one in self.predictions]
        return json.dumps({"predictions": predictions, "sizes": [*self.sizes.items()]})

    @classmethod
    def read(cls, text: str) -> Reply:
        """Of JSON.

        Raises:
            InputError: That of the worker.
            RuntimeError: With any other error of the worker.
        """
        content = parse_json(text)
        if "input_error" in content:
            raise InputError(content["input_error"], code=content["code"])
        if "error" in content:
            raise RuntimeError(f"a worker failed:\n{content['error']}")
        predictions = [Prediction.model_validate(one) for one in content["predictions"]]
        return cls(predictions, Counter({tuple(size): count for size, count in content["sizes"]}))


class Collected(Results):
    """Results that are handed on: nothing is written but the masks themselves."""

    def __init__(self, record: PredictionRecord, network: str) -> None:
        super().__init__(record, network)
        self.predictions: list[Prediction] = []

    def begin(self, names: Sequence[str]) -> None:
        """Nothing: that they are begun was noted when they were handed out."""

    def note(self, prediction: Prediction) -> None:
        """Keep what came of an image; threads may call it."""
        self.predictions.append(prediction)


class Worker:
    """Predicts share after share with one network; an actor of Ray.

    Args:
        setup: What it needs to know.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._planner: Planner | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Do shares; an error is part of the reply, and ends the command and not the worker."""
        return {"reply": [self._reply(str(share)) for share in batch["share"]]}

    def _reply(self, share: str) -> str:
        with spelled_for(self._setup.place):
            try:
                return self._do([(place, name) for place, name in parse_json(share)]).write()
            except InputError as error:
                return json.dumps({"input_error": str(error), "code": error.code})
            except Exception:
                return json.dumps({"error": traceback.format_exc()})

    def _do(self, images: list[tuple[str, str]]) -> Reply:
        """Predict images, given as places and names."""
        if self._planner is None:
            self._planner = self._start()
        if self._setup.store or any(is_url(place) for place, _ in images):
            with Staging(self._setup.store, self._setup.network) as staging:
                planner = replace(self._planner, record=PredictionRecord(staging.out)) if staging.out else self._planner
                reply = self._predict(planner, staging.fetch(images))
                return replace(reply, predictions=staging.deliver(reply.predictions))
        return self._predict(self._planner, [InputImage(Path(place), name) for place, name in images])

    def _predict(self, planner: Planner, inputs: list[InputImage]) -> Reply:
        plan = PredictionPlan()
        planner.add_tasks(plan, inputs)
        planner.refuse_views_of_slides(plan)
        results = Collected(planner.record, self._setup.network)
        predict_here(planner, plan, results)
        return Reply(results.predictions, results.outcome.sizes)

    def _start(self) -> Planner:
        """Load the network, once."""
        setup = self._setup
        keep_freed_memory()
        if setup.folder.is_dir():
            os.chdir(setup.folder)
        elif not setup.store:
            raise InputError(
                f"{setup.folder} is not found on {platform.node()}: all machines must see the same folders"
            )
        predictor = Predictor(setup.model, setup.options, model_file=setup.model_file, tiling=setup.tiling)
        if predictor.checksum() != setup.network:
            raise InputError(
                f"{setup.model} on {platform.node()} is another network than here, or computes in another precision: "
                f"copy it there, or set {setting('precision')}"
            )
        return Planner(predictor, PredictionRecord(setup.out), setup.wanted)
