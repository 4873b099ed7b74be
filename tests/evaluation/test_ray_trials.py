"""Trials that Ray hands out: the study is the one that this machine alone would make, whatever becomes of them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from made_device import CPU
from made_networks import FAILING

from amsunet.errors import InputError
from amsunet.evaluation.compare import compare
from amsunet.evaluation.ray_trials import RayTrials
from amsunet.evaluation.study import Study, StudyDesign, read_study, study_file
from amsunet.evaluation.trial import STOPPED
from amsunet.evaluation.trial_process import TrialHost
from amsunet.evaluation.trial_queue import _reason, run_trials
from amsunet.evaluation.variant import Variant
from amsunet.ray_cluster import connected
from amsunet.training.checkpoint import has_checkpoint

SETTINGS = {"crop": (64, 64), "batch_size": 4, "steps_per_epoch": 2, "epochs": 1}
UNET = Variant(name="unet", model="unet", options={"base_channels": 4})
ONCE = StudyDesign(seeds=1, jobs=2)


@pytest.fixture(scope="module")
def ray() -> Iterator[object]:
    """Two processors of Ray for all tests, as a host has them that started Ray itself."""
    module = pytest.importorskip("ray", reason='needs Ray: pip install "amsunet[cluster]"')
    with connected(processors=2):
        yield module


def test_the_table_is_that_of_one_machine(ray, tmp_path, trials_here, said):
    """A network and one that fails; then the same folder without Ray, where nothing is left to do but the failure."""
    (tmp_path / "failing.py").write_text(FAILING)
    two = [UNET, Variant(name="failing", model=f"{tmp_path / 'failing.py'}:build")]
    with_ray = compare("sample:nuclei", two, SETTINGS, out=tmp_path / "ray", design=ONCE, device=CPU, engine="ray")
    with trials_here():
        alone = compare("sample:nuclei", [UNET], SETTINGS, out=tmp_path / "alone", design=ONCE, device=CPU)
    assert [row.variant.name for row in with_ray.rows] == ["unet"]
    assert with_ray.rows[0].scores["dice"].mean == pytest.approx(alone.rows[0].scores["dice"].mean, abs=1e-6)
    assert "memory ran out in this trial" in with_ray.failures["failing-seed0"]
    assert "trainings are handed out to workers of Ray, on this machine" in said
    (study,) = {read_study(tmp_path / name).plan["epochs"] for name in ("ray", "alone")}
    assert study == 1
    with trials_here():
        again = compare("sample:nuclei", [UNET], SETTINGS, out=tmp_path / "ray", design=ONCE, device=CPU)
    assert not again.failures and any("1 trainings, 1 done already" in line for line in said)


@pytest.mark.torture
def test_a_trial_is_stopped_lost_and_gone_on_with(ray, tmp_path, monkeypatch):
    """Ctrl-C lets it save; a worker that is killed is a failure with a sentence, and both leave what they reached."""
    out = tmp_path / "out"
    long = {**SETTINGS, "epochs": 500}

    def interrupt(folder, study, waiting, jobs, start):
        trial = waiting[0]
        running = start(folder, trial, study.threads)
        _wait_for(lambda: has_checkpoint(folder / "cells" / trial.name) or running.poll() is not None)
        assert running.returncode is None, _reason(folder, trial, running)
        running.stop()
        assert running.wait() == STOPPED and not running.reason
        running = start(folder, trial, study.threads)
        ray.kill(running._host)
        assert running.wait() and running.reason.startswith("the worker that it ran in was lost (")
        assert _reason(folder, trial, running).endswith("): the same command goes on")
        raise KeyboardInterrupt

    monkeypatch.setattr("amsunet.evaluation.compare.run_trials", interrupt)
    with pytest.raises(KeyboardInterrupt):
        compare("sample:nuclei", [UNET], long, out=out, design=ONCE, device=CPU, engine=RayTrials())
    assert has_checkpoint(out / "cells" / "unet-seed0")


def test_the_end_of_the_queue_stops_what_runs(tmp_path, monkeypatch):
    """Whatever started it: Ctrl-C stops all trials, and then waits for each."""
    done: list[str] = []

    class Endless:
        returncode, reason = None, ""

        def poll(self):
            raise KeyboardInterrupt

        def stop(self):
            done.append("stop")

        def wait(self):
            done.append("wait")
            return STOPPED

    variants = [UNET, UNET.model_copy(update={"name": "other"})]
    study = _study(variants)
    with pytest.raises(KeyboardInterrupt):
        run_trials(tmp_path, study, study.trials(), 2, lambda *_: Endless())
    assert done == ["stop", "stop", "wait", "wait"]


def test_a_machine_that_does_not_see_the_folder_says_so(tmp_path):
    code, reason = TrialHost(study_file(tmp_path / "elsewhere"), "unet-seed0", 1, "python").run()
    assert code and "elsewhere is not found on " in reason and "all machines must see the same folders" in reason
    assert not [*tmp_path.iterdir()]


def test_what_waits_for_a_training_loads_none_of_its_libraries():
    """It lies beside each training of a cluster."""
    code = "import sys, amsunet.evaluation.trial_process; print({'torch', 'numpy', 'monai'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_what_cannot_be_is_refused(ray, tmp_path):
    with pytest.raises(InputError, match="engine 'spark' is unknown: choose process or ray"):
        compare("sample:nuclei", [UNET], SETTINGS, out=tmp_path / "out", device=CPU, engine="spark")
    for changes, message in (
        ({"threads": 99}, "a training of 99 threads fits on no machine of the cluster: the largest has 2 processors"),
        ({"device": "cuda"}, "no machine of the cluster has a GPU: set device='cpu'"),
    ):
        study = _study([UNET]).model_copy(update=changes)
        with pytest.raises(InputError, match=message), RayTrials(address="auto").started(study, None):
            pass
    with RayTrials(address="auto").started(_study([UNET]), None) as (_, jobs):
        assert jobs == 2, "as many as there are processors for"
    assert not (tmp_path / "out").exists()


def _study(variants):
    fields = {"title": "", "source": "", "group": None, "skip_broken": False, "mask_options": None, "checksums": {}}
    plan = {"epochs": 1, "steps_per_epoch": 2}
    return Study(**fields, splits=[{}], folds=None, plan=plan, device="cpu", precision="float32", threads=1,
                 variants=tuple(variants), seeds=1)  # fmt: skip


def _wait_for(condition, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.5)
