"""A NIfTI file: its header, where its voxels lie in the patient, and its values as slices."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from amsunet.atomic_io import atomic_write
from amsunet.data.image_header import DEFLATE, NEVER_MANY, NO_MEMORY
from amsunet.data.readers.unpacked import Unpacked
from amsunet.errors import InputError, first_line
from amsunet.memory import free_memory
from amsunet.optional import require
from amsunet.process_state import quiet
from amsunet.regular_file import refuse_irregular

Array = npt.NDArray[Any]
Axis = Literal["x", "y", "z"]
AXES: tuple[Axis, ...] = ("x", "y", "z")
_SAME = 1.01
"""Factor up to which spacings count as equal: of equal ones, slices are axial."""
_APART = 0.1
"""Voxels by which the corners of two volumes may be apart that lie at the same place."""
_VECTOR = 1007
"""Code of the intent of values that are vectors: channels of each voxel."""
_MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
_UNPACKED = Unpacked()


@dataclass(frozen=True)
class Volume:
    """What the header of a file says; values are read when they are asked for."""

    file: Path
    image: Any
    """As nibabel opened it."""
    shape: tuple[int, int, int]
    """In the order of the file."""
    entries: int
    """Of the fourth dimension; 1 where there is none."""
    is_vector: bool
    """Whether the file itself says that the fourth dimension is channels."""
    order: tuple[int, int, int]
    """The axis of the file that runs along each of x, y and z."""
    reversed: tuple[bool, bool, bool]
    """Whether it runs the other way."""
    spacing: tuple[float, float, float] | None
    """Millimetres a voxel along x, y and z, where the header has them."""

    @property
    def sides(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        x, y, z = (self.shape[one] for one in self.order)
        return x, y, z

    @property
    def axis(self) -> Axis:
        """The axis across which slices have the finest pixels; ``z`` where several do."""
        if 1 in self.sides:
            return "z" if self.sides[2] == 1 else AXES[self.sides.index(1)]
        if self.spacing is None or self.spacing[2] * _SAME >= max(self.spacing):
            return "z"
        return AXES[int(np.argmax(self.spacing))]

    @property
    def voxels(self) -> str:
        """How many there are, as text."""
        return " x ".join(map(str, self.shape))

    def slices(self, axis: Axis) -> int:
        """How many there are along an axis."""
        return self.sides[AXES.index(axis)]

    def size(self, axis: Axis) -> tuple[int, int]:
        """Rows and columns of a slice."""
        return _in_plane(self.sides, axis)

    def pixel(self, axis: Axis) -> tuple[float, float] | None:
        """Millimetres a pixel of a slice (rows, columns)."""
        return None if self.spacing is None else _in_plane(self.spacing, axis)

    def distance(self, axis: Axis) -> float | None:
        """Millimetres from a slice to the next."""
        return None if self.spacing is None else self.spacing[AXES.index(axis)]

    def in_space(self, points: Array, axis: Axis) -> Array:
        """Where points in slice, row and column, (n, 3), lie in space: millimetres to the right, front and head.

        As the affine has it: other programs show the same numbers.
        """
        in_file = np.zeros(points.shape)
        for at, count in enumerate(self.shape):
            along = np.arange(count).reshape([-1 if one == at else 1 for one in range(3)])
            places = self.stack(np.broadcast_to(along, self.shape), axis)
            first = int(places[0, 0, 0])
            steps = [int(np.moveaxis(places, one, 0)[:2, 0, 0][-1]) - first for one in range(3)]
            in_file[:, at] = first + points @ np.array(steps)
        unit = _MILLIMETRES[self.image.header.get_xyzt_units()[0]]
        affine = np.asarray(self.image.affine, float)
        found: Array = unit * (in_file @ affine[:3, :3].T + affine[:3, 3])
        return found

    def stack(self, array: Array, axis: Axis) -> Array:
        """A view of an array that lies as the file, (X, Y, Z, ...), as slices (n, rows, columns, ...)."""
        further = range(3, array.ndim)
        turned = tuple(slice(None, None, -1 if one else 1) for one in self.reversed)
        patient = array.transpose(*self.order, *further)[turned]
        if axis == "z":
            return patient.transpose(2, 1, 0, *further)
        upright = patient[:, :, ::-1]
        return upright.transpose(0, 2, 1, *further) if axis == "x" else upright.transpose(1, 2, 0, *further)

    def read(self, axis: Axis, index: int, entry: int | None = None) -> Array:
        """A slice in the values that the header defines, (rows, columns), or (rows, columns, channels).

        Args:
            axis: That it is cut across.
            index: Which slice.
            entry: Of the fourth dimension; without one all of it are channels.
        """
        stored = self._values().reshape(*self.shape, self.entries)
        chosen = self.stack(stored, axis)[index]
        plane = chosen[..., 0 if entry is None and self.entries == 1 else slice(None) if entry is None else entry]
        if plane.dtype.names:  # of colours
            plane = np.stack([plane[name] for name in plane.dtype.names], axis=-1)
        slope, inter = self.image.dataobj.slope, self.image.dataobj.inter
        if (slope, inter) != (1, 0):
            return np.asarray(plane * slope + inter)
        return np.array(plane, plane.dtype.newbyteorder("="))

    def _values(self) -> Array:
        """All values as stored: of a file that is not packed as they lie on the disk."""
        if not _is_packed(self.file):
            return np.asanyarray(self.image.dataobj.get_unscaled())
        return _UNPACKED.get(_key(self.file), self._unpack)

    def _unpack(self) -> Array:
        size = math.prod(self.image.shape) * self.image.get_data_dtype().itemsize
        if size > free_memory():
            raise InputError(
                f"{self.file} does not fit into memory ({size / 1e9:.1f} GB unpacked): unpack it to a .nii file, which "
                "is read slice by slice",
                code=NO_MEMORY,
            )
        proxy = self.image.dataobj
        values = bytearray(size)
        with gzip.open(self.file) as opened:
            opened.seek(proxy.offset)
            if opened.readinto(values) < size:
                raise EOFError("it ends before its last voxel")
            while opened.read(1 << 20):  # at its end stands the checksum, which nibabel does not get to
                pass
        return np.frombuffer(values, proxy.dtype).reshape(proxy.shape, order="F")


def open_volume(file: Path) -> Volume:
    """Read the header of a file.

    Raises:
        InputError: If it is none of NIfTI, or of more dimensions than slices have.
    """
    return _open(_key(file))


def describe_apart(image: Path, mask: Path) -> str:
    """In what two files are not of the same volume, as the end of a sentence; empty if they are."""
    one, other = open_volume(image), open_volume(mask)
    if one.sides != other.sides:
        return f"have {one.voxels} and {other.voxels} voxels"
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    corners[:, :3] *= np.array(one.sides) - 1
    apart = np.linalg.norm(corners @ (_placed(one) - _placed(other)).T[:, :3], axis=1).max()
    if not apart <= _APART * min(one.spacing or (1.0,)):
        return f"lie {apart:.3g} mm apart in space (by their affines)"
    return ""


def write_like(volume: Volume, path: Path, slices: Array, axis: Axis) -> None:
    """Write a mask of a volume as .nii.gz, with its affine; what its header tells of the patient stays behind.

    Args:
        volume: What the mask is of.
        path: Where it goes.
        slices: (n, rows, columns) of uint8.
        axis: That the slices are cut across.
    """
    nibabel = require("nibabel")
    values = np.zeros(volume.shape, np.uint8, order="F")
    volume.stack(values, axis)[:] = slices
    header = volume.image.header.copy()
    header.extensions.clear()
    header.set_data_dtype(np.uint8)
    header.set_slope_inter(1, 0)
    header.set_intent("none")
    for name in ("cal_min", "cal_max"):
        header[name] = 0
    for name in ("descrip", "db_name", "aux_file"):
        if name in header:
            header[name] = b""
    kind = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
    made = kind(values, volume.image.affine, header)
    with atomic_write(path) as temporary:
        temporary.write_bytes(gzip.compress(made.to_bytes(), 6, mtime=0))


@contextmanager
def quietly() -> Iterator[None]:
    """What nibabel finds odd in a header, it would log."""
    with quiet("nibabel.global", level=100), np.errstate(all="ignore"):
        yield


_Key = tuple[str, int, int]


def _key(file: Path) -> _Key:
    """A file as it is now, which nibabel opens by its path: a pipe would keep it waiting."""
    found = refuse_irregular(file)
    return str(file), found.st_size, found.st_mtime_ns


@lru_cache(64)
def _open(key: _Key) -> Volume:
    file = Path(key[0])
    nibabel = require("nibabel")
    with quietly():
        try:
            image = nibabel.load(file)
        except nibabel.filebasedimages.ImageFileError:
            raise InputError(f"{file} is not a NIfTI file, despite its suffix: remove it or save it again") from None
        except (FileNotFoundError, PermissionError):
            raise
        except Exception as error:  # a header that is no longer what was written makes nibabel raise anything
            raise InputError(
                f"{file} is damaged ({first_line(error)}): copy it again from where it came", code="damaged"
            ) from None
        if not isinstance(image, nibabel.Nifti1Pair):
            raise InputError(f"{file} is not a NIfTI file, despite its suffix: remove it or save it again")
        shape = tuple(int(side) for side in image.shape)
        if not shape or min(shape) < 1:
            raise InputError(f"{file} holds no voxels: remove it or save it again")
        _refuse_impossible(file, image)
        further = [side for side in shape[3:] if side > 1]
        if len(further) > 1:
            raise InputError(
                f"{file} has {len(shape)} dimensions ({' x '.join(map(str, shape))}): save one volume a file, of three "
                "or four dimensions"
            )
        x, y, z = (*shape[:3], 1, 1)[:3]
        is_vector = len(shape) > 4 and int(image.header["intent_code"]) == _VECTOR
        order, turned = _orientation(nibabel, image.affine)
        sides = _spacing(image, order)
    return Volume(file, image, (x, y, z), math.prod(further), is_vector, order, turned, sides)


def _refuse_impossible(file: Path, image: Any) -> None:
    """Raise InputError where a header claims more than a file of its size can hold, packed or not."""
    held = file.stat().st_size
    claimed = math.prod(map(int, image.shape)) * image.get_data_dtype().itemsize
    if claimed > NEVER_MANY + held * (DEFLATE if _is_packed(file) else 1):
        voxels = " x ".join(map(str, image.shape))
        raise InputError(
            f"{file} is damaged (it claims {voxels} voxels, more than {held:,} bytes can hold): copy it again from "
            "where it came",
            code="damaged",
        )


def _is_packed(file: Path) -> bool:
    return file.name.lower().endswith(".gz")


def _orientation(nibabel: Any, affine: Array) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """The axis of the file along each axis of the patient, and whether it runs the other way; as it lies, where the
    affine names none.
    """
    known = np.isfinite(affine).all()
    # Of each axis of the file that of right, front and head.
    found = np.asarray(nibabel.io_orientation(affine) if known else np.nan)
    if not np.isfinite(found).all():
        return (0, 1, 2), (True, True, False)
    order = [int(np.flatnonzero(found[:, 0] == one)[0]) for one in range(3)]
    # The patient's axes run to the left and to the back here, those of NIfTI to the right and to the front.
    turned = [bool((found[at, 1] > 0) == (one < 2)) for one, at in enumerate(order)]
    return (order[0], order[1], order[2]), (turned[0], turned[1], turned[2])


def _spacing(image: Any, order: tuple[int, int, int]) -> tuple[float, float, float] | None:
    unit = _MILLIMETRES.get(image.header.get_xyzt_units()[0])
    sides = np.linalg.norm(np.asarray(image.affine)[:3, :3], axis=0)
    if unit is None or not np.isfinite(sides).all() or not (sides > 0).all():
        return None
    x, y, z = (float(sides[one]) * unit for one in order)
    return x, y, z


def _placed(volume: Volume) -> Array:
    """From voxels along x, y and z to the place in space, (4, 4)."""
    placed = np.eye(4)
    affine = np.asarray(volume.image.affine, float)
    placed[:3, 3] = affine[:3, 3]
    for column, (at, turned) in enumerate(zip(volume.order, volume.reversed, strict=True)):
        placed[:3, column] = -affine[:3, at] if turned else affine[:3, at]
        placed[:3, 3] += affine[:3, at] * (volume.shape[at] - 1) * turned
    return placed


def _in_plane(sides: tuple[Any, Any, Any], axis: Axis) -> tuple[Any, Any]:
    """Of what is known along x, y and z, that along the rows and columns of a slice."""
    x, y, z = sides
    return {"x": (z, y), "y": (z, x), "z": (y, x)}[axis]
