"""Is this data set what it should be: counts, files, pictures, captions, duplicates, and how hard it is.

`check` never stops at the first fault: it says what it found and whether the data can be used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from harness import registry
from harness.data import annotations as reading
from harness.data.files import missing
from harness.data.quality import captions, duplicates, faults, overlap
from harness.data.quality import messages as told
from harness.data.quality.faults import Finding
from harness.data.split import Split
from harness.errors import DataError

TOLD = 30  # faults of records that are told one by one
CONTEXT = 77  # tokens that CLIP reads, start and end included


@dataclass(frozen=True)
class Report:
    """What `check` found out."""

    name: str
    root: str
    counts: dict[str, dict[str, int]] = field(default_factory=dict)  # split -> ids, images, captions
    published: dict[str, dict[str, int]] | None = None
    val: str | None = None  # where val comes from, if the data set has none of its own
    tokens: dict[str, dict[str, float]] = field(default_factory=dict)  # split -> mean, p99, max, over
    unit: str = "words"  # of `tokens`
    ladder: dict[str, dict[str, float]] = field(default_factory=dict)  # oracle -> metric -> percent
    findings: tuple[Finding, ...] = ()
    pairs: tuple[dict, ...] = ()  # of its own images that are one; see `alike.Pair.json`
    against: dict[str, tuple[dict, ...]] = field(default_factory=dict)  # other data set -> pairs with its images

    @property
    def usable(self) -> bool:
        """Whether nothing was found that forbids using the data."""
        return not any(finding.level == "error" for finding in self.findings)

    def rows(self) -> list[tuple[str, str, str]]:
        """Lines for a table: section, what, value."""
        rows = []
        for split, count in self.counts.items():
            of = f" ({self.val})" if split == "val" and self.val else ""
            text = f"{count['ids']:,} identities, {count['images']:,} images, {count['captions']:,} captions{of}"
            rows.append(("counts", split, text))
        for split, length in self.tokens.items():
            text = f"mean {length['mean']:.1f}, p99 {length['p99']:.0f}, max {length['max']:.0f}"
            over = f", {100 * length['over']:.2f} % over {CONTEXT}" if self.unit == "tokens" else ""
            rows.append((self.unit, split, text + over))
        for oracle, values in self.ladder.items():
            rows.append(("oracle", oracle, "  ".join(f"{metric} {value:.1f}" for metric, value in values.items())))
        for finding in self.findings:
            more = f": {', '.join(finding.examples)}" if finding.examples else ""
            rows.append((finding.level, "", finding.what + more))
        rows.append(("usable", "", "yes" if self.usable else "no"))
        return rows

    def json(self) -> dict:
        """All of it as JSON values."""
        return asdict(self) | {"usable": self.usable}


def check(
    name: str,
    root: Path,
    options: Mapping[str, object] | None = None,
    tokens: Callable[[str], int] | None = None,
    decode: bool = False,
    against: Mapping[str, Path] | None = None,
    near: int = duplicates.NEAR,
    progress: Callable[[str], AbstractContextManager[Callable[[int, int], None] | None]] = lambda part: nullcontext(),
) -> Report:
    """Check a data set.

    Args:
        name: Of the data set, as registered.
        root: Its folder, or the one that contains it.
        options: Options of its loader.
        tokens: Counts the tokens of a caption, start and end included; None: words are counted.
        decode: Decode every picture, not only its header and its end.
        against: Other data sets by name with their folders, to look for the same pictures in.
        near: Bits of the perceptual hash in which pictures that look alike may differ, 0 to `alike.MOST`.
        progress: Gives, for the name of a data set, a context with what counts its files looked at.
    """
    module = registry.find("datasets", name)
    options = dict(options or {})
    val = getattr(module, "VAL", None)
    published = getattr(module, "STATISTICS", None)
    findings: list[Finding] = []
    with told.collecting() as refused:
        try:
            splits = module.load(root, **{**options, "check_files": False})
            present = _present(splits, findings)
        except DataError as error:
            refused.append(error)
            splits = None
    findings += _refused(refused)
    if splits is None:
        return Report(name, str(root), published=published, findings=tuple(findings))
    counts = {part: _count(split) for part, split in splits.items()}
    if published:
        findings += _compare(counts, published, val)
    with progress(name) as step:
        pictures, unreadable = faults.look(present, decode, step)
    pairs = duplicates.within(pictures, near)
    findings += unreadable + faults.doubled(pairs) + captions.look(splits) + _listed_twice(splits)
    others = {}
    for other, place in (against or {}).items():
        others[other], missed = _against(other, place, pictures, near, progress)
        findings += missed + faults.shared(other, others[other])
    if others:
        findings += [Finding("warning", note) for other in others if (note := overlap.between(name, other))]
    ladder = {}
    if hasattr(module, "ladder"):
        known = {key: options[key] for key in options if key != "check_files"}
        ladder = module.ladder(root, **known)
    length = tokens or (lambda caption: len(caption.split()))
    lengths = {part: np.array([length(caption) for caption in split.captions]) for part, split in splits.items()}
    findings += _long(lengths) if tokens else []
    return Report(
        name=name,
        root=str(root),
        counts=counts,
        published=published,
        val=val,
        tokens={part: _lengths(counts) for part, counts in lengths.items()},
        unit="tokens" if tokens else "words",
        ladder=ladder,
        findings=tuple(findings),
        pairs=tuple(pair.json() for pair in pairs),
        against={other: tuple(pair.json() for pair in found) for other, found in others.items()},
    )


def _against(
    name: str, root: Path, pictures: list[duplicates.Picture], near: int, progress: Callable
) -> tuple[list[duplicates.Pair], list[Finding]]:
    """Pairs with the pictures of another data set, and whether some of its files could not be compared."""
    splits = registry.find("datasets", name).load(root, check_files=False)
    findings: list[Finding] = []
    with progress(name) as step:
        others, unreadable = faults.look(_present(splits, findings), False, step)
    told = findings + [finding for finding in unreadable if finding.level == "error"]
    return duplicates.between(pictures, others, near), [Finding("warning", f"{name}: {found.what}") for found in told]


def _refused(faults_told: Sequence[DataError]) -> list[Finding]:
    """Errors for what the loader would refuse, the first `TOLD` of them one by one."""
    findings = [Finding("error", str(fault)) for fault in faults_told[:TOLD]]
    if len(faults_told) > TOLD:
        findings.append(Finding("error", f"{len(faults_told) - TOLD:,} more of this kind"))
    return findings


def _present(splits: dict[str, Split], findings: list[Finding]) -> dict[str, list[tuple[Path, str]]]:
    """Path and identity of the images that are there, by split; missing ones become a finding."""
    every = [image for split in splits.values() for image in split.images]
    absent = missing(next(iter(splits.values())).root, every)
    if absent:
        findings.append(Finding("error", reading.report_missing(every, absent)))
    return {
        part: [
            (split.path(i), split.persons[split.image_person[i]])
            for i, image in enumerate(split.images)
            if image not in absent
        ]
        for part, split in splits.items()
    }


def _count(split: Split) -> dict[str, int]:
    return {"ids": len(split.persons), "images": len(split.images), "captions": len(split.captions)}


def _compare(counts: dict, published: dict, val: str | None) -> list[Finding]:
    """Differences from the published sizes; a val cut off train is counted with train."""
    have = {part: dict(count) for part, count in counts.items()}
    if val and "val" not in published:
        extra = have.pop("val")
        have["train"] = {key: value + extra[key] for key, value in have["train"].items()}
    return [
        Finding("warning", f"{part} has {have.get(part, {}).get(key, 0):,} {key}, published {value:,}")
        for part, sizes in published.items()
        for key, value in sizes.items()
        if have.get(part, {}).get(key, 0) != value
    ]


def _listed_twice(splits: dict[str, Split]) -> list[Finding]:
    return [
        Finding("warning", f"{double:,} images of {part} are listed more than once")
        for part, split in splits.items()
        if (double := len(split.images) - len(set(split.images)))
    ]


def _lengths(counts: np.ndarray) -> dict[str, float]:
    return {
        "mean": float(counts.mean()),
        "p99": float(np.percentile(counts, 99)),
        "max": float(counts.max()),
        "over": float((counts > CONTEXT).mean()),
    }


def _long(lengths: Mapping[str, np.ndarray]) -> list[Finding]:
    return [
        Finding("warning", f"{over:,} captions of {part} have more than {CONTEXT} tokens and are cut")
        for part, counts in lengths.items()
        if (over := int((counts > CONTEXT).sum()))
    ]
