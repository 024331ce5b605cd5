"""A domain on disk: images, annotation file, facts and manifest, made once and visible only when complete."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from filelock import FileLock

from harness.datasets.synthetic import VERSION
from harness.datasets.synthetic.domains import DOMAINS, SIZES, Domain
from harness.datasets.synthetic.families import population
from harness.datasets.synthetic.layouts import LAYOUTS
from harness.datasets.synthetic.people import Person, as_facts
from harness.datasets.synthetic.picture.camera import camera, nearest_colour
from harness.datasets.synthetic.picture.draw import Wardrobe, picture
from harness.datasets.synthetic.picture.scene import backdrop
from harness.datasets.synthetic.streams import between, shuffled, stream, weighted
from harness.datasets.synthetic.text.captions import stated
from harness.datasets.synthetic.text.styles import caption
from harness.datasets.synthetic.view import shoot, visible
from harness.errors import UserError, nearest

MANIFEST, FACTS = "upbench.json", "facts.json"


def ensure(name: str, root: Path, size: str = "demo", seed: int = 0, **knobs: float | None) -> Path:
    """The folder of a drawn data set below `root`, drawn first if it is not there.

    Args:
        name: Domain: broad, cuhk, icfg or rstp.
        root: Where data sets lie, or the finished folder itself.
        size: tiny, demo, wide or standard.
        seed: Everything follows from it and from the version.
        **knobs: `density`, `completeness` (see `captions.Writing`) and `noise` (share of exchanged training captions);
            None leaves the domain's own value.

    Raises:
        UserError: unknown size, or a knob outside 0..1.
    """
    if size not in SIZES:
        raise UserError(f"unknown size '{size}'", f"synth_{name}", f"one of {', '.join(SIZES)}", nearest(size, SIZES))
    root = Path(root)
    if (root / MANIFEST).is_file():
        return root
    domain = DOMAINS[name]
    set_knobs = {key: float(value) for key, value in knobs.items() if value is not None}
    for key, value in set_knobs.items():
        if not 0 <= value <= 1:
            raise UserError(f"{key} is {value}", f"synth_{name}", "a share between 0 and 1")
    writing: dict[str, Any] = {k: v for k, v in set_knobs.items() if k != "noise"}
    changed = replace(domain, writing=replace(domain.writing, **writing), noise=set_knobs.get("noise", 0.0))
    marks = [f"{key}{value:g}" for key, value in sorted(set_knobs.items()) if _default(domain, key) != value]
    folder = root / "-".join([f"synth_{name}", f"v{VERSION}", size, f"seed{seed}", *marks])
    if not (folder / MANIFEST).is_file():
        root.mkdir(parents=True, exist_ok=True)
        # One process draws, the others wait; what a killed one left behind is removed by the next.
        with FileLock(root / f".{folder.name}.lock"):
            if not (folder / MANIFEST).is_file():
                unfinished = root / f".{folder.name}.unfinished"
                shutil.rmtree(unfinished, ignore_errors=True)
                _write(changed, size, seed, unfinished)
                unfinished.rename(folder)
    return folder


def _default(domain: Domain, knob: str) -> float:
    return getattr(domain if knob == "noise" else domain.writing, knob)


def _write(domain: Domain, size: str, seed: int, folder: Path) -> None:
    layout = LAYOUTS[domain.layout]
    images = folder / layout.folder / "imgs"
    sums: dict[str, str] = {}

    def put(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        sums[path.relative_to(folder).as_posix()] = hashlib.sha256(content).hexdigest()

    records, persons, seen, said = [], {}, {}, {}
    for identity, (split, person) in enumerate(_people(domain, size, seed)):
        number = str(identity + 1 if domain.layout == "cuhk" else identity)
        persons[number] = as_facts(person) | {"held_out": person.held_out}
        for path, content, texts, facts, about in _images(domain, size, seed, identity, split, person, layout.path):
            put(images / path, content)
            records.append(layout.record(identity, split, path, texts))
            seen[path], said[path] = about, facts
    exchanged = _exchange(records, said, domain, seed)
    put(folder / layout.folder / layout.annotation, _json(records))
    put(folder / FACTS, _json({"persons": persons, "images": seen, "captions": said, "exchanged": exchanged}))
    manifest = {
        "schema": 1, "name": f"synth_{domain.name}", "version": VERSION, "size": size, "seed": seed,
        "folder": layout.folder, "domain": asdict(domain) | {"sizes": None}, "drawn": asdict(domain.sizes[size]),
        # The bytes of a JPEG depend on the encoder, so the manifest says which one wrote them.
        "made_with": {"pillow": PIL.__version__, "numpy": np.__version__}, "files": sums,
    }  # fmt: skip
    (folder / MANIFEST).write_bytes(_json(manifest, indent=1))


def _json(value: object, indent: int | None = None) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=indent).encode()


def _people(domain: Domain, size: str, seed: int) -> Iterator[tuple[str, Person]]:
    people = population(seed, domain.name, domain.sizes[size].identities, domain.tilt, domain.families)
    for split, members in people.items():
        for person in members:
            yield split, person


def _images(
    domain: Domain, size: str, seed: int, identity: int, split: str, person: Person, path_of
) -> Iterator[tuple[str, bytes, list[str], list[dict], dict]]:
    """Path, JPEG, captions, stated facts, and what is seen, for every image of one identity."""
    drawn = domain.sizes[size]
    rng = stream(seed, domain.name, "identity", split, identity)
    wardrobe = Wardrobe.of(rng, person)
    count = weighted(rng, drawn.images[split])
    order = shuffled(rng, range(domain.cameras))
    for number in range(count):
        rng = stream(seed, domain.name, "image", identity, number)
        shot = shoot(rng, order[number % domain.cameras], domain.framing, domain.occlusion)
        stretch = between(rng, 1 - domain.jitter, 1 + domain.jitter)
        pixels = (round(drawn.height * stretch), round(drawn.width * stretch * between(rng, 0.96, 1.04)))
        back = backdrop(seed, domain.name, shot.camera, domain.places)
        lens = camera(seed, domain.name, shot.camera, domain.look)
        image = picture(rng, pixels, person, wardrobe, shot, back, lens, domain.clutter, domain.elevation)
        jpeg = io.BytesIO()
        image.save(jpeg, "JPEG", quality=lens.quality)
        facts = visible(person, shot)
        rendered = {
            f"{garment}_colour": nearest_colour(lens.seen(colour))
            for garment, colour in wardrobe.colours.items()
            if garment != "hair"
        }
        texts, said = [], []
        for writer in range(weighted(rng, domain.captions)):
            words = stream(seed, domain.name, "caption", identity, number, writer)
            said.append(stated(words, facts, rendered, domain.writing))
            texts.append(caption(words, said[-1], shot, back.place, domain.writing))
        hidden = [slot for slot in as_facts(person) if slot not in facts]
        about = {"view": shot.view, "camera": shot.camera, "action": shot.action, "hidden": hidden}
        yield path_of(identity, shot.camera, number), jpeg.getvalue(), texts, said, about


def _exchange(records: list[dict], said: dict[str, list[dict]], domain: Domain, seed: int) -> list[list]:
    """Give a share of the training captions to other images (noisy correspondence); returns [path, caption] pairs."""
    if not domain.noise:
        return []
    key = "img_path" if domain.layout == "rstp" else "file_path"
    places = [(r, k) for r in records if r["split"] == "train" for k in range(len(r["captions"]))]
    rng = stream(seed, domain.name, "exchange")
    chosen = [places[i] for i in sorted(rng.permutation(len(places))[: round(domain.noise * len(places))])]
    texts = [(r["captions"][k], said[r[key]][k]) for r, k in chosen]
    for (record, k), (text, facts) in zip(chosen, texts[1:] + texts[:1], strict=True):
        record["captions"][k], said[record[key]][k] = text, facts
    for record in {id(r): r for r, _ in chosen}.values():
        if "processed_tokens" in record:
            record["processed_tokens"] = LAYOUTS[domain.layout].record(0, "", "", record["captions"])[
                "processed_tokens"
            ]
    return [[r[key], k] for r, k in chosen]
