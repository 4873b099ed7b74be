"""Data sets as they are published, in small: each is found rightly, or refused in a sentence that is true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amsunet.data.discovery.layout import Layout, find_samples
from amsunet.errors import InputError

Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write tiny files: ``i`` an image, ``m`` a mask, anything else as text."""

    def make(files: dict[str, str]) -> Path:
        for number, (name, kind) in enumerate(files.items()):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "i":
                pixels = np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)
                Image.fromarray(pixels).save(path)
            elif kind == "m":
                mask = np.zeros((8, 8), np.uint8)
                mask[number % 5 : number % 5 + 2, number % 7] = 255
                Image.fromarray(mask).save(path)
            else:
                path.write_text(kind)
        return tmp_path

    return make


def _files(images: list[str], masks: list[str], others: list[str] | None = None) -> dict[str, str]:
    return dict.fromkeys(images, "i") | dict.fromkeys(masks, "m") | dict.fromkeys(others or [], "i")


def _pairs(layout: Layout, root: Path) -> dict[str, str]:
    return {
        sample.image.relative_to(root).as_posix(): next(iter(sample.masks.values())).relative_to(root).as_posix()
        for sample in layout.samples
    }


ONE_MASK = {
    "Kvasir-SEG": (["images/cju0.jpg", "images/cju1.jpg"], ["masks/cju0.jpg", "masks/cju1.jpg"]),
    "CVC-ClinicDB": (["Original/1.tif", "Original/2.tif"], ["Ground Truth/1.tif", "Ground Truth/2.tif"]),
    "CVC-ClinicDB in PNG": (["PNG/Original/1.png", "PNG/Original/2.png"],
                            ["PNG/Ground Truth/1.png", "PNG/Ground Truth/2.png"]),
    "ISIC 2017": (
        ["ISIC-2017_Training_Data/ISIC_0000000.jpg", "ISIC-2017_Test_v2_Data/ISIC_0012086.jpg"],
        ["ISIC-2017_Training_Part1_GroundTruth/ISIC_0000000_segmentation.png",
         "ISIC-2017_Test_v2_Part1_GroundTruth/ISIC_0012086_segmentation.png"],
    ),
    "Carvana": (["train/a_01.jpg", "train/a_02.jpg"], ["train_masks/a_01_mask.gif", "train_masks/a_02_mask.gif"]),
    "CamVid": (["train/0001.png", "test/0002.png"], ["trainannot/0001.png", "testannot/0002.png"]),
    "CamVid with labels": (["train/0001TP_1.png", "train/0001TP_2.png"],
                           ["train_labels/0001TP_1_L.png", "train_labels/0001TP_2_L.png"]),
    "TNBC": (["Slide_01/01_1.png", "Slide_01/01_2.png", "Slide_02/02_1.png"],
             ["GT_01/01_1.png", "GT_01/01_2.png", "GT_02/02_1.png"]),
    "LGG": ([f"TCGA_{p}/TCGA_{p}_{n}.tif" for p in "AB" for n in (1, 2)],
            [f"TCGA_{p}/TCGA_{p}_{n}_mask.tif" for p in "AB" for n in (1, 2)]),
    "Cityscapes": ([f"leftImg8bit/{s}/{c}/{c}_01_leftImg8bit.png" for s, c in (("train", "a"), ("val", "b"))],
                   [f"gtFine/{s}/{c}/{c}_01_gtFine_labelIds.png" for s, c in (("train", "a"), ("val", "b"))]),
    "PASCAL VOC": (["JPEGImages/2007_01.jpg", "JPEGImages/2007_02.jpg"],
                   ["SegmentationClass/2007_01.png", "SegmentationClass/2007_02.png"]),
    "GlaS as released": (["train_1.bmp", "train_2.bmp", "testA_1.bmp"],
                         ["train_1_anno.bmp", "train_2_anno.bmp", "testA_1_anno.bmp"]),
    "PH2": ([f"PH2 Dataset images/{n}/{n}_Dermoscopic_Image/{n}.bmp" for n in ("IMD002", "IMD003")],
            [f"PH2 Dataset images/{n}/{n}_lesion/{n}_lesion.bmp" for n in ("IMD002", "IMD003")]),
    "patients, names repeat": ([f"images/P{p}/{n}.png" for p in (1, 2) for n in (1, 2)],
                               [f"masks/P{p}/{n}.png" for p in (1, 2) for n in (1, 2)]),
    "two branches": (["data/pictures/site1/1.png", "data/pictures/site2/1.png"],
                     ["truth/gt/site1/1_gt.png", "truth/gt/site2/1_gt.png"]),
    "one folder an image": (["7/image.png", "8/image.png"], ["7/mask.png", "8/mask.png"]),
    "another suffix": (["001.bmp", "002.bmp"], ["001.png", "002.png"]),
    "JPEG beside PNG": (["set/a.jpg", "set/b.jpg"], ["set/a.png", "set/b.png"]),
    "unknown words": (["photograph/a1.png", "photograph/a2.png"], ["tumours/a1.png", "tumours/a2.png"]),
    "unknown ends": (["c1_a.png", "c2_a.png"], ["c1_b.png", "c2_b.png"]),
    "an unknown folder beside images": (["images/1.png", "images/2.png"], ["tumour/1.png", "tumour/2.png"]),
    "a class folder called valve": (["images/1.png", "images/2.png"], ["masks/valve/1.png", "masks/valve/2.png"]),
    "capital letters": (["Images/A1.PNG", "Images/A2.PNG"], ["Masks/a1.png", "Masks/a2.png"]),
    "HAM10000": (["HAM10000_images_part_1/ISIC_1.jpg", "HAM10000_images_part_2/ISIC_2.jpg"],
                 [f"HAM10000_segmentations_lesion_tschandl/ISIC_{n}_segmentation.png" for n in (1, 2)]),
    "Shenzhen": (["CXR_png/CHNCXR_0001_0.png", "CXR_png/CHNCXR_0002_1.png"],
                 ["mask/CHNCXR_0001_0_mask.png", "mask/CHNCXR_0002_1_mask.png"]),
    "FIVES": ([f"{s}/Original/1_A.png" for s in ("train", "test")],
              [f"{s}/Ground truth/1_A.png" for s in ("train", "test")]),
    "Cell Tracking Challenge": (["01/t000.tif", "02/t000.tif"],
                                ["01_GT/SEG/man_seg000.tif", "02_GT/SEG/man_seg000.tif"]),
    "words without a separator": (["images/img001.png", "images/img002.png"],
                                  ["masks/mask001.png", "masks/mask002.png"]),
    "words without a separator in one folder": (["img001.png", "img002.png"], ["mask001.png", "mask002.png"]),
    "nnU-Net": (["imagesTr/case_001_0000.png", "imagesTs/case_011_0000.png"],
                ["labelsTr/case_001.png", "labelsTs/case_011.png"]),
    "REFUGE": (["Training400/Glaucoma/g0001.jpg", "Training400/Non-Glaucoma/n0001.jpg"],
               ["Annotation-Training400/Disc_Cup_Masks/Glaucoma/g0001.bmp",
                "Annotation-Training400/Disc_Cup_Masks/Non-Glaucoma/n0001.bmp"]),
    "BBBC006": (["BBBC006_v1_images/mcf_a01_w1ab1.tif", "BBBC006_v1_images/mcf_a02_w1cd2.tif"],
                ["BBBC006_v1_labels/mcf_a01.png", "BBBC006_v1_labels/mcf_a02.png"]),
    "a folder named by its task": (["lesion_segmentation/1.png", "lesion_segmentation/2.png"],
                                   ["lesion_segmentation/1_mask.png", "lesion_segmentation/2_mask.png"]),
    "other languages": (["Bilder/1.png", "Bilder/2.png"], ["Masken/1.png", "Masken/2.png"]),
    "X_train and y_train": (["X_train/1.png", "X_test/1.png"], ["y_train/1.png", "y_test/1.png"]),
    "masks of site B below": (["images/1.png", "images/B/2.png"], ["masks/1.png", "masks/B/2.png"]),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_MASK)
def test_every_image_finds_its_mask(name: str, write: Write) -> None:
    images, masks = ONE_MASK[name]
    root = write(_files(images, masks))
    layout = find_samples(root)
    assert _pairs(layout, root) == dict(zip(images, masks, strict=True))
    assert not layout.images_without_mask and not layout.masks_without_image
    assert not any(sample.more_masks for sample in layout.samples)
    assert len({sample.name for sample in layout.samples}) == len(images)


LEFT_ALONE = {
    "overlays": ["overlays/1.png", "overlays/2.png"],
    "PolypGen": ["bbox_image/1.png", "bbox_image/2.png"],
    "previews of another size": ["preview/1.jpg"],
    "label images": ["label_images/1.png", "label_images/2.png"],
    "object numbers": ["SegmentationObject/1.png"],
    "a folder of no known name": ["figures/1.png", "figures/fig1.png"],
    "a stray picture": ["example.png"],
    "masks in colour": ["masks/1_color.png", "masks/2_color.png"],
    "raw images": ["raw/1.png", "raw/2.png"],
    "images made brighter": ["images_bright/1.png", "images_bright/2.png"],
    "superpixels": ["images/1_superpixels.png"],
    "lines around objects": ["GT_Edge/1.png", "GT_Edge/2.png"],
    "lines beside masks": ["masks/1_boundary.png", "masks/2_boundary.png"],
    "what labelme shows": ["masks/1_viz.png"],
    "markers of the Cell Tracking Challenge": ["masks/man_track001.png", "masks/man_track002.png"],
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_other_pictures_beside_a_clear_pair_are_left_out_with_a_warning(name: str, write: Write) -> None:
    root = write(_files(["images/1.png", "images/2.png"], ["masks/1.png", "masks/2.png"], LEFT_ALONE[name]))
    layout = find_samples(root)
    assert _pairs(layout, root) == {"images/1.png": "masks/1.png", "images/2.png": "masks/2.png"}
    assert not layout.images_without_mask and not layout.masks_without_image
    assert any("not used" in warning and LEFT_ALONE[name][0] in warning for warning in layout.warnings)


SPLITS = {
    "GlaS as released": (["train_1", "train_2", "testA_1", "testB_1"], ["test", "test", "train", "train"]),
    "names that only begin so": (["train_1", "testis_2", "valve_3", "4"], [None] * 4),
    "folders of organs": ([f"{organ}/1" for organ in ("kidney", "testis", "valve", "trainee")], [None] * 4),
    "usual words": ([f"{split}/1" for split in ("Train_Set1", "testA", "test_B", "valid")],
                    ["train", "test", "test", "val"]),
    "words in front": (["stage1_train/1", "stage1_test/1"], ["test", "train"]),
    "a test among others": (["blood_test/1", "urine/1"], [None, None]),
}  # fmt: skip


@pytest.mark.parametrize("name", SPLITS)
def test_splits_are_whole_words(name: str, write: Write) -> None:
    stems, splits = SPLITS[name]
    layout = find_samples(write(_files([f"{stem}.png" for stem in stems], [f"{stem}_mask.png" for stem in stems])))
    assert [sample.split for sample in layout.samples] == splits
    if any(splits):
        assert any("split" in note for note in layout.notes)


def test_several_masks_of_an_image_are_kept_together(write: Write) -> None:
    root = write(
        _files(
            ["benign/benign (1).png", "benign/benign (2).png"],
            ["benign/benign (1)_mask.png", "benign/benign (1)_mask_1.png", "benign/benign (1)_mask_2.png",
             "benign/benign (2)_mask.png"],
        )
    )  # fmt: skip
    first, second = find_samples(root).samples
    assert [path.name for path in (first.masks[""], *first.more_masks[""])] == [
        "benign (1)_mask.png", "benign (1)_mask_1.png", "benign (1)_mask_2.png",
    ]  # fmt: skip
    assert not second.more_masks


@pytest.mark.parametrize("folders", ["stage1_train/{0}/images/{0}.png stage1_train/{0}/masks/{1}.png",
                                     "images/{0}.png masks/{0}/{1}.png"])  # fmt: skip
def test_a_mask_a_nucleus_is_found_by_the_folder_of_the_image(folders: str, write: Write) -> None:
    images, masks = folders.split()
    names = {"0a1f": ("e1", "e2", "e3"), "77b2": ("f1",)}
    root = write(
        _files(
            [images.format(name) for name in names],
            [masks.format(name, one) for name, several in names.items() for one in several],
        )
    )
    layout = find_samples(root)
    assert [(s.name, 1 + len(s.more_masks.get("", ()))) for s in layout.samples] == [("0a1f", 3), ("77b2", 1)]
    assert not layout.class_names and not layout.masks_without_image
    assert any("joined" in note for note in layout.notes)


OBSERVERS = {
    "CHASE_DB1": ("Image_01L.jpg", "Image_01L_1stHO.png", "Image_01L_2ndHO.png"),
    "STARE": ("stare-images/im0001.ppm", "labels-ah/im0001.ah.ppm", "labels-vk/im0001.vk.ppm"),
    "STARE in one folder": ("im0001.ppm", "im0001.ah.ppm", "im0001.vk.ppm"),
    "DRIVE": ("test/images/01_test.tif", "test/1st_manual/01_manual1.gif", "test/2nd_manual/01_manual2.gif"),
    "ends of two graders": ("1.png", "1_grader1.png", "1_grader2.png"),
    "folders of radiologists": ("images/1.png", "masks/radiologist_1/1.png", "masks/radiologist_2/1.png"),
    "folders of annotators": ("images/1.png", "annotator_1/1.png", "annotator_2/1.png"),
}


@pytest.mark.parametrize("name", OBSERVERS)
def test_a_second_observer_is_kept_apart(name: str, write: Write) -> None:
    image, first, second = OBSERVERS[name]
    root = write(_files([image], [first, second]))
    layout = find_samples(root)
    (sample,) = layout.samples
    assert (sample.image, sample.masks, sample.other_observer) == (root / image, {"": root / first}, root / second)
    assert any("second observer" in note for note in layout.notes)


def test_hrf_has_its_field_of_view(write: Write) -> None:
    root = write(_files(["images/01_dr.JPG"], ["manual1/01_dr.tif", "mask/01_dr_mask.tif"]))
    (sample,) = find_samples(root).samples
    assert (sample.masks[""].parent.name, sample.roi) == ("manual1", root / "mask/01_dr_mask.tif")


CLASSES = {
    "Montgomery": ("CXR_png/{}.png", "ManualMask/leftMask/{}.png", "ManualMask/rightMask/{}.png"),
    "IDRiD": ("A. Segmentation/1. Original Images/a. Training Set/{}.jpg",
              "A. Segmentation/2. All Segmentation Groundtruths/a. Training Set/1. Microaneurysms/{}_MA.tif",
              "A. Segmentation/2. All Segmentation Groundtruths/a. Training Set/2. Haemorrhages/{}_HE.tif"),
    "folders beside": ("images/{}.png", "masks_left/{}.png", "masks_right/{}.png"),
    "patients": ("images/P1/{}.png", "masks/P1/cup/{}.png", "masks/P1/disc/{}.png"),
    "numbers": ("images/{}.png", "masks/1/{}.png", "masks/2/{}.png"),
    "splits": ("train/images/{}.png", "train/masks/cup/{}.png", "train/masks/disc/{}.png"),
}  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_a_folder_a_class(name: str, write: Write) -> None:
    image, *masks = CLASSES[name]
    root = write(
        _files([image.format(n) for n in ("a1", "a2", "a3")], [m.format(n) for m in masks for n in ("a1", "a2")])
    )
    layout = find_samples(root)
    assert layout.class_names == tuple(Path(mask).parent.name for mask in masks)
    assert [set(sample.masks) for sample in layout.samples] == [set(layout.class_names)] * 2
    assert [path.stem for path in layout.images_without_mask] == ["a3"]


def test_a_class_that_is_absent_from_an_image_is_warned_of(write: Write) -> None:
    root = write(_files(["images/1.png", "images/2.png"], ["masks/cup/1.png", "masks/cup/2.png", "masks/disc/2.png"]))
    layout = find_samples(root)
    assert [set(sample.masks) for sample in layout.samples] == [{"cup"}, {"cup", "disc"}]
    assert any("1 of 2 images have no file for the class disc" in warning for warning in layout.warnings)


REFUSED = {
    "MoNuSeg": ({"Tissue Images/a.tif": "i", "Annotations/a.xml": "<x/>"}, r"1 images but no masks .*a\.xml.*outlines"),
    "a COCO export": ({"train/a.jpg": "i", "train/_annotations.coco.json": "{}"}, r"coco.json is no data set of COCO"),
    "images and fields of view": (_files(["images/1.png"], ["roi/1.png"]), r"neither: .*roi/1\.png"),
    "two kinds of masks in the folder of each image": (
        _files(["1/image.png", "2/image.png"], [f"{n}/mask_{c}.png" for n in (1, 2) for c in ("liver", "tumour")]),
        r"mask_liver\.png and mask_tumour\.png.*masks/CLASS"),
    "two formats of one image": (_files(["images/1.jpg", "images/1.png"], ["masks/1.png"]),
                                 r"1\.jpg and .*1\.png have the same name"),
    "two folders of few values": (_files(["images/1.png", "images/2.png"],
                                         [f"{c}/{n}.png" for c in ("heart", "lung") for n in (1, 2)]),
                                  r"heart and .*lung both hold files of few values"),
    "volumes": ({"imagesTr/a.nrrd": "x", "labelsTr/a.nrrd": "x"}, r"2 \.nrrd files.*a volume"),
    "images alone": ({"a.png": "i", "b.png": "i"}, r"2 images but no masks .*a\.png"),
    "two folders of masks": (
        _files(["images/1.png"], ["gt/1.png", "labels/1.png"]), r"gt and .*labels hold masks of the same images"),
    "folders that say how masks are stored": (
        _files(["images/1.png", "images/2.png"], [f"{kind}/{n}.png" for kind in ("label_masks_modify", "masks_binary")
                                                  for n in (1, 2)]),
        r"label_masks_modify and .*masks_binary hold masks of the same images"),
    "COD10K": (_files(["Image/1.png", "Image/2.png"], [f"GT_{kind}/{n}.png" for kind in ("Edge", "Instance", "Object")
                                                       for n in (1, 2)]),
               r"GT_Instance and .*GT_Object hold masks of the same images, as of .*1\.png: keep one"),
    "images of two sequences": (_files([f"images/{kind}/{n}.png" for kind in ("T1", "T2") for n in (1, 2)],
                                       ["masks/1.png", "masks/2.png"]),
                                r"T1 and .*T2 hold images of the same names, and .*masks/1\.png may be"),
    "outlines of VIA": ({"a.png": "i", "b.png": "i", "via_region_data.json": '{"a": 1}'},
                        r"via_region_data\.json holds no outlines of a kind that is read"),
    "masks among results": (_files(["images/1.png", "images/2.png"], [f"{above}masks/{n}.png" for n in (1, 2)
                                                                      for above in ("", "results/unet/")]),
                            r"masks and .*results/unet/masks hold masks of the same images"),
    "masks of no common word in the folder of each image": (
        {f"{n}/{name}.png": "i" if name == "img" else "m" for n in (1, 2) for name in ("img", "lv", "rv")},
        r"1/img\.png has the masks lv\.png and rv\.png.*masks/CLASS"),
    "masks alone": (_files([], ["masks/1.png", "masks/2.png"]), r"holds 0 images.*masks/1\.png"),
    "names of two worlds": (_files(["images/a1.png", "images/a2.png"], ["masks/z8.png", "masks/z9.png"]),
                            r"images: .*a1\.png; masks: .*z8\.png.*--write-manifest"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_found_is_refused_with_an_example(name: str, write: Write) -> None:
    files, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        find_samples(write(files))


def test_ph2_leaves_its_regions_of_colour_alone(write: Write) -> None:
    files: dict[str, str] = {}
    for name in ("IMD002", "IMD003"):
        files |= _files([f"{name}/{name}_Dermoscopic_Image/{name}.bmp"], [f"{name}/{name}_lesion/{name}_lesion.bmp"])
        files |= _files([], [f"{name}/{name}_roi/{name}_R{n}_Label{n + 2}.bmp" for n in (1, 2)])
    root = write(files)
    layout = find_samples(root)
    assert [sample.masks[""].name for sample in layout.samples] == ["IMD002_lesion.bmp", "IMD003_lesion.bmp"]
    assert not layout.masks_without_image and not any(sample.roi or sample.more_masks for sample in layout.samples)
    assert any("not used" in warning and "_roi" in warning for warning in layout.warnings)


@pytest.mark.parametrize("truth", ["GT", "vessel-segmentations"])
def test_a_field_of_view_called_mask_is_not_taken_for_the_truth(truth: str, write: Write) -> None:
    root = write(_files([f"image/{n}.png" for n in (1, 2)], [f"{truth}/{n}.png" for n in (1, 2)]))
    (root / "mask").mkdir()
    for n in (1, 2):
        Image.fromarray(np.pad(np.full((6, 6), 255, np.uint8), 1)).save(root / f"mask/{n}.png")
    with pytest.raises(InputError, match=rf"mask and .*{truth} hold masks .* cover 56% .*rename mask to fov"):
        find_samples(root)
    (root / "mask").rename(root / "fov")
    assert [(s.masks[""].parent.name, s.roi is not None) for s in find_samples(root).samples] == [(truth, True)] * 2


def test_classes_in_the_names_of_masks_in_the_folder_of_each_image(write: Write) -> None:
    """As in Drishti-GS."""
    names = ("drishtiGS_001", "drishtiGS_002")
    masks = [f"GT/{n}/SoftMap/{n}_{part}segSoftmap.png" for n in names for part in ("OD", "cup")]
    layout = find_samples(write(_files([f"Images/{n}.png" for n in names], masks)))
    assert layout.class_names == ("ODsegSoftmap", "cupsegSoftmap") and len(layout.samples) == 2


def test_splits_that_only_folders_of_masks_name_are_noted(write: Write) -> None:
    layout = find_samples(write(_files(["images/1.png", "images/2.png"], ["masks/train/1.png", "masks/test/2.png"])))
    assert [sample.split for sample in layout.samples] == ["train", "test"]
    assert "folders name the splits (test: test; train: train)" in layout.notes


def test_letters_that_count_pieces_are_no_classes(write: Write) -> None:
    root = write(_files([f"images/{n}.png" for n in range(4)], [f"masks/{n}_a.png" for n in range(4)]
                        + [f"masks/{n}_b.png" for n in (1, 2)]))  # fmt: skip
    layout = find_samples(root)
    assert not layout.class_names and {path.name for path in layout.in_doubt} == {"1.png", "2.png"}


def test_test_images_without_masks_are_left_out_with_a_warning(write: Write) -> None:
    root = write(_files(["train/1.jpg", "test/2.jpg"], ["train_masks/1_mask.gif"]))
    layout = find_samples(root)
    assert [sample.name for sample in layout.samples] == ["1"] and not layout.images_without_mask
    assert any("1 pictures are left out" in warning and "2.jpg" in warning for warning in layout.warnings)


def test_names_that_repeat_are_not_paired_across_patients(write: Write) -> None:
    root = write(
        _files(["images/P1/1.png", "images/P2/1.png", "images/P2/2.png"], ["masks/P1/1.png", "masks/P2/2.png"])
    )
    layout = find_samples(root)
    assert _pairs(layout, root) == {"images/P1/1.png": "masks/P1/1.png", "images/P2/2.png": "masks/P2/2.png"}
    assert layout.images_without_mask == [root / "images/P2/1.png"]
