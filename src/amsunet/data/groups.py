"""Patients: read from paths by the user's pattern, proposed from file names, and checked for crossing splits."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from amsunet.data.discovery.layout import Sample, Split
from amsunet.data.discovery.words import splits_of
from amsunet.errors import InputError
from amsunet.wording import setting

SPLIT_WORDS: dict[Split, str] = {"train": "training", "val": "validation", "test": "test"}
_PERSONS = (
    *("patient", "patients", "subject", "subj", "sub", "case", "pat", "pid", "volunteer", "donor"),
    *("animal", "mouse", "rat", "dog", "video", "volume", "vol"),
)
_NO_PERSON = re.compile(
    # Numbered things that are not patients: splits, parts of a data set or an image, grades, magnifications, dates.
    r"(?:train|training|test|testing|val|validation|images?|masks?|labels?|imgs?|fold|batch|part|set|subset|split|"
    r"site|cent(?:er|re)|class|stage|version|v|level|grade|type|x|y|slice|frame|z|t|tile|patch|crop)[A-Z]?[_\- ]?\d*|"
    r"\d+x|(?:19|20)\d\d(?:[_\-]?[01]\d(?:[_\-]?[0-3]\d)?)?",
    re.IGNORECASE,
)
_OTHER_PERSONS = frozenset(["dr", "g", "h", "amd", "normal", "healthy", "glaucoma", "benign", "malignant"])
"""Behind a number these words mean another patient, not another image of the same: ``01_dr`` and ``01_h`` of HRF."""
_LONGEST_HEAD = 5
"""Words at the start of a name that may name a patient."""
_TILE = 16
"""Multiples of it are the positions of tiles in an image."""
_FEWEST_AGAIN = 0.1
"""Smallest share of images that have their patient in common with others, for groups to be patients."""
_SHOWN = 3
_MOVE = "move all images of a patient to one split, or scores are too good"


@dataclass(frozen=True)
class Proposal:
    """A pattern for the setting ``group``, and the samples with the groups that it finds."""

    pattern: str
    samples: list[Sample]

    @property
    def option(self) -> str:
        """The setting as the user writes it."""
        return setting(group=self.pattern)


def with_groups(samples: list[Sample], pattern: str | None, source: Path) -> list[Sample]:
    """Give every sample the group that a pattern finds in its image's path.

    Args:
        samples: The samples of a data set.
        pattern: Regular expression whose first group is the patient; None changes nothing.
        source: The data set's folder; paths are matched from there on.

    Returns:
        The samples with their groups.

    Raises:
        InputError: If the pattern is not valid, has no group, or does not match a path.
    """
    if pattern is None:
        return samples
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"{setting('group')} {pattern!r} is not a regular expression ({error}): fix it") from None
    if compiled.groups < 1:
        raise InputError(
            f"{setting('group')} {pattern!r} has no group: put round brackets around the part that names the patient"
        )
    out: list[Sample] = []
    spelled: dict[str, str] = {}
    for sample in samples:
        searched = _searched(sample, source)
        match = compiled.search(searched)
        if match is None or not match[1]:
            raise InputError(f"{setting('group')} {pattern!r} does not match {searched} (in {source}): fix the pattern")
        # A pattern that ignores case takes P1 and p1 for one patient.
        same = match[1].casefold() if compiled.flags & re.IGNORECASE else match[1]
        out.append(replace(sample, group=spelled.setdefault(same, match[1])))
    return out


def propose_groups(samples: Sequence[Sample], source: Path) -> Proposal | None:
    """Propose a pattern for the setting ``group`` from file names.

    Args:
        samples: The samples of a data set.
        source: The data set's folder.

    Returns:
        A pattern that matches every path and finds several images of many patients; None if there is none.
    """
    paths = [_searched(sample, source) for sample in samples]
    for pattern, sure in _candidates(paths):
        search = re.compile(pattern).search
        found = [match[1].casefold() for match in itertools.takewhile(bool, map(search, paths)) if match and match[1]]
        if len(found) == len(paths) and _are_patients(Counter(found), sure):
            return Proposal(pattern, with_groups([*samples], pattern, source))
    return None


def without_patients(named: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """Replace the name of each patient by that of the first image, so that results can be grouped without names.

    Args:
        named: The name of each image and of its patient, if known.

    Returns:
        The replacement by image; empty if the patient is not known.
    """
    patient_of = dict(named)
    first: dict[str, str] = {}
    for image in sorted(patient_of):
        first.setdefault(patient_of[image] or "", image)
    return {image: first[patient] if patient else "" for image, patient in patient_of.items()}


def warn_of_groups(
    samples: Sequence[Sample],
    splits: Mapping[str, Split],
    source: Path,
    cut: Callable[[Sequence[Sample]], Mapping[str, Split]],
) -> list[str]:
    """Warn of patients with images in several splits: known patients, or those that file names propose.

    Args:
        samples: The samples of a data set.
        splits: Split by sample name.
        source: The data set's folder.
        cut: Gives every sample a split; what is advised is tried with it first.

    Returns:
        Sentences with counts, examples and advice.
    """
    if any(sample.group for sample in samples):
        found = _crossings(samples, splits)
        warnings = [f"{'; '.join(found)}: {_MOVE}"] if found else []
        if {*splits.values()} <= {"train", "val"} and not _free(samples):
            warnings.append("no test images can be cut, for every patient has validation images")
        return warnings
    proposal = propose_groups(samples, source)
    if proposal is None:
        return []
    patients = sorted({str(sample.group) for sample in proposal.samples}, key=_natural)
    message = f"names look like {len(samples)} images of {len(patients)} patients ({_some(patients)})"
    found = _crossings(proposal.samples, splits)
    message += f"; with them {'; '.join(found)}" if found else ", none of them in two splits"
    new = cut(proposal.samples)
    if not {"train", "val"} <= {*new.values()}:
        return [
            f"{message}: if they are patients, scores are too good, and there are too few to split: add some, or name "
            "the splits"
        ]
    message += f": if they are patients, set {proposal.option}, which keeps each in one split"
    return [f"{message}; in the data set's own splits, {_MOVE}" if _crossings(proposal.samples, new) else message]


def _crossings(samples: Sequence[Sample], splits: Mapping[str, Split]) -> list[str]:
    """For each pair of splits, how many patients have images in both, with examples."""
    of: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        if sample.group:
            of[splits[sample.name]].add(sample.group)
    total = len(set().union(*of.values()))
    both = {pair: of[pair[0]] & of[pair[1]] for pair in itertools.combinations(SPLIT_WORDS, 2)}
    return [
        f"{len(groups)} of {total} patients lie in both {SPLIT_WORDS[a]} and {SPLIT_WORDS[b]} "
        f"({_some(sorted(groups, key=_natural))})"
        for (a, b), groups in both.items()
        if groups
    ]


def _free(samples: Sequence[Sample]) -> bool:
    """Whether a patient has no image among the validation images that the data set names."""
    validating = {sample.group for sample in samples if sample.split == "val"}
    return any(sample.group is None or sample.group not in validating for sample in samples)


def _candidates(paths: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Patterns that may find patients, best first, each with whether its words are specific enough to be sure."""
    yield r"(TCGA[-_]\w\w[-_]\w{4})", True
    for person in _PERSONS:
        yield rf"(?i)(?:^|[^a-z])({person}[_\- ]?\d+)", True
    yield from _folders(paths)
    stems = [path.rpartition("/")[2].rpartition(".")[0] for path in paths]
    # Names that repeat in every folder identify patients only together with the folder.
    into = "" if len(set(stems)) == len(stems) else "(?:.*/)?"
    if not _tails(stems) & _OTHER_PERSONS:
        separators = "".join(sorted({sign for stem in stems for sign in stem if sign in "_- "}))
        if separators:
            yield from _heads(separators.replace("-", r"\-"), into)
        yield rf"({into}[^/]*\d)[A-Za-z]\.\w+$", True
        yield rf"({into}[A-Za-z]+\d+)[A-Za-z]+\d+\.\w+$", False
        yield r"(?i)(?:^|/)(?:left|right|od|os|l|r)[_\- ]?([^/]+)\.\w+$", True


def _folders(paths: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Patterns for folders from the top; for numbers that repeat, as 00 at two sites, with the folders above."""
    for depth in range(min(path.count("/") for path in paths)):
        places = {tuple(path.split("/")[: depth + 1]) for path in paths}
        names = {place[-1] for place in places}
        named = splits_of(names)
        if len(named) == len(names) <= 2 * len({*named.values()}):
            continue  # folders of splits: ISIC-2017_Training_Data, ISIC-2017_Validation_Data
        above = f"(?:[^/]+/){{{depth}}}" if depth else ""
        anew = len(places) > len(names) and all(name.isdecimal() for name in names)
        yield (f"^({above}[^/]+)/" if anew else f"^{above}([^/]+)/"), False


def _heads(separators: str, into: str) -> Iterator[tuple[str, bool]]:
    """Patterns for the start of a name: up to the first separator, then the second, ..."""
    word = f"[^/{separators}]+"
    for further in range(_LONGEST_HEAD):
        more = f"(?:[{separators}]{word}){{0,{further}}}" if further else ""
        yield rf"({into}{word}{more})[^/]*\.\w+$", False


def _are_patients(images: Counter[str], sure: bool) -> bool:
    """Whether groups look like patients: several numbered groups, many of them with more than one image."""
    again = sum(count for count in images.values() if count > 1)
    if not 1 < len(images) < images.total() or again < max(2, _FEWEST_AGAIN * images.total()):
        return False
    if sure:
        return True
    names = [group.rpartition("/")[2] for group in images]
    words = {word for name in names for word in (name, re.split(r"[_\- ]", name)[-1])}
    numbered = all(re.search(r"\d", name) for name in names)
    places = all(name.isdecimal() and int(name) % _TILE == 0 for name in names)
    return len(images) > 2 and numbered and not places and not any(map(_NO_PERSON.fullmatch, words))


def _tails(stems: Sequence[str]) -> set[str]:
    """The words behind a number at the end of names."""
    return {match[1].lower() for stem in stems if (match := re.search(r"\d[_\- ]([A-Za-z]+)$", stem))}


def _searched(sample: Sample, source: Path) -> str:
    """An image's path below the data set's folder, the same from any working directory."""
    path, home = sample.image.absolute(), (source if source.is_dir() else source.parent).absolute()
    return (path.relative_to(home) if path.is_relative_to(home) else path).as_posix()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _natural(name: str) -> list[tuple[int, str]]:
    """A sort key that puts P2 before P10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
