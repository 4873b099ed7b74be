"""``amsunet predict``: segment images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from amsunet.choices import EngineName
from amsunet.cli.options import engine_options, model_options, refuse_settings_of, separation_option, view_options
from amsunet.console import echo
from amsunet.inference.runtime_options import RuntimeName, RuntimeOptions

if TYPE_CHECKING:
    from amsunet.inference.model_ref import ModelRef


@click.command()
@model_options(view_options, separation_option)
@click.argument("images", nargs=-1, required=True)
@click.option("--out", type=click.Path(), required=True, help="Folder for the masks.")
@click.option("--overlay", is_flag=True, help="Also write the images with outlines.")
@click.option("--probability", is_flag=True, help="Also write probability maps (16-bit PNG).")
@click.option(
    "--also",
    default="",
    metavar="FORM[,FORM]",
    help="Also write each result for other programs, in a folder of the form's name: labels (TIFF of object numbers), "
    "geojson (QuPath), rois (ImageJ), coco, objects and counts (CSV), seg (DICOM SEG), nifti.",
)
@click.option(
    "--objects",
    is_flag=True,
    help="Also write tables, CSV: a row an object (objects.csv) and a row an image and class (counts.csv); as --also "
    "objects,counts.",
)
@click.option("--overwrite", is_flag=True, help="Replace masks that are there already.")
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with what was predicted into the folder: keep masks that this network made of these images.",
)
@click.option(
    "--runtime",
    type=click.Choice(get_args(RuntimeName)),
    help="What runs the network (default: torch, or what an exported file is for); of onnx and openvino --precision "
    "may be float16 or int8 too.",
)
@click.option(
    "--level",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of a pyramid, the level whose pixels are as large as those trained on.",
)
@click.option(
    "--largest-component",
    is_flag=True,
    help="Of volumes, keep the largest component of each class alone, found across slices.",
)
@click.option(
    "--axes",
    metavar="AXES",
    help="Of TIFF files that hold several pages, as ZYX (slices), TYX (moments), CYX (channels) or ZCYX; every slice "
    "and moment is an image.",
)
@engine_options("images")
@click.option("--workers", type=click.IntRange(1), help="Of Ray (default: a worker a processor, or a GPU).")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Processors of each worker.")
@click.option(
    "--record",
    type=click.Path(),
    help="Of --engine ray with masks that go to a store (s3://...): folder for the record and the lists.",
)
@click.option("--compile", is_flag=True, help="Run torch.compile: minutes at first, faster thereafter.")
def predict(
    model: ModelRef,
    images: tuple[str, ...],
    out: str,
    overlay: bool,
    probability: bool,
    also: str,
    objects: bool,
    overwrite: bool,
    resume: bool,
    level: int,
    largest_component: bool,
    axes: str | None,
    engine: EngineName,
    address: str | None,
    workers: int | None,
    threads: int,
    record: str | None,
    options: RuntimeOptions,
    model_file: str | None,
) -> None:
    """Segment IMAGES: files, folders, patterns, or lists (.txt, one path a line); slides are read tile by tile, volumes
    (.nii, .nii.gz) slice by slice. With --engine ray, IMAGES and --out may be in stores, as s3://bucket/folder.

    RUN is a run folder, a network of amsunet zoo (zoo:NAME), or a file that amsunet export made.
    """
    from amsunet.inference.outcome import FAILURES, REVIEW_LIST  # noqa: PLC0415
    from amsunet.inference.predict_stored import find_images  # noqa: PLC0415
    from amsunet.inference.prediction_options import PredictionOptions  # noqa: PLC0415
    from amsunet.inference.predictor import load  # noqa: PLC0415
    from amsunet.inference.process_engine import Engine, predict_here  # noqa: PLC0415
    from amsunet.inference.stores import as_path  # noqa: PLC0415
    from amsunet.inference.uncertainty import describe_out_of_distribution, describe_polarity_in_doubt  # noqa: PLC0415
    from amsunet.process_state import terminated_like_interrupted  # noqa: PLC0415

    if engine == "ray":
        from amsunet.inference.ray_engine import RayEngine  # noqa: PLC0415

        do: Engine = RayEngine(address, workers, threads, record)
    else:
        refuse_settings_of(click.get_current_context(), ("address", "workers", "threads", "record"), "--engine ray")
        do = predict_here
    predict_them = find_images(images, out, do)
    wanted = PredictionOptions(
        overlay=overlay,
        probability=probability,
        overwrite=overwrite,
        resume=resume,
        also=f"{also},objects,counts" if objects else also,
        level=level,
        largest_component=largest_component,
        axes=axes,
    )
    predictor = load(model, options, model_file=model_file)
    echo(f"on {predictor}")
    with terminated_like_interrupted():
        outcome = predict_them(predictor, options=wanted)
    lists = Path(record or as_path(out))
    masks = outcome.written + outcome.passed_over
    before = f", and {outcome.passed_over} that were there" if outcome.passed_over else ""
    echo(f"{outcome.written} masks in {out if record else lists}{before}, {outcome.pace}")
    if out_of_distribution := describe_out_of_distribution(
        [(one.image, one.out_of_distribution) for one in outcome.review if one.out_of_distribution], masks
    ):
        echo(f"warning: {out_of_distribution}: check the masks", err=True)
    if unclear := describe_polarity_in_doubt([(one.image, one.polarity) for one in outcome.review if one.polarity]):
        echo(f"warning: {unclear}", err=True)
    if outcome.sizes or (outcome.written and predictor.description.preprocessing.spacing):
        scaling = predictor.scaling(outcome.sizes)
        echo(scaling.line)
        if scaling.note:
            echo(f"note: {scaling.note}")
        if scaling.warning:
            echo(f"warning: {scaling.warning}", err=True)
    if outcome.review:
        echo(f"{len(outcome.review)} of {masks} masks are to be checked: {lists / REVIEW_LIST}", err=True)
    for message in outcome.failures.values():
        echo(f"failed: {message}", err=True)
    if outcome.failures:
        count = masks + len(outcome.failures)  # joined channels and slices apart are other than files
        echo(f"{len(outcome.failures)} of {count} failed, listed in {lists / FAILURES}", err=True)
        raise SystemExit(1)
