"""How far features are from the library's that wrote a file, or that reads one of ours: the table of docs/models.md.

    python -m tests.harness.model.errors_of_forms

Small random models, float32, one thread; the largest difference over images and captions, over the largest value.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import open_clip
import torch
from torch import Tensor

from harness import registry
from harness.adaptation import carried
from harness.adaptation.method import make, written_out
from harness.adaptation.probe import SMALL, disturb
from harness.export.export import export
from harness.export.model import Model
from harness.model import weights
from harness.model.source import Source
from tests.harness.export.conftest import SQUARE, kept
from tests.harness.export.test_huggingface import features, loaded
from tests.harness.model import test_forms, test_trained

Pair = tuple[Tensor, Tensor] | list[Tensor]
READ = {
    "OpenAI": "OpenAI's state dict",
    "open_clip": "open_clip's, `state_dict` from DDP",
    "IRRA": "IRRA",
    "RDE": "RDE (global features)",
    "IRRA's family": "MLLM4Text-ReID, from DDP",
    "a training script": "`net` with `clip.` before the names",
    "model_state_dict": "`model_state_dict`",
}
PEFT = {"lora": {}, "lora, rslora": {"scaling": "rslora"}, "lora, learned": {"scaling": "learned"}}
PEFT |= {"dora": {}, "pissa": {}, "ia3": {}, "vera": {}}


def off(ours: Pair, theirs: Pair) -> float:
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(ours, theirs, strict=True))


def images(side: tuple[int, int]) -> Tensor:
    return torch.randn(4, 3, *side, generator=torch.Generator().manual_seed(2))


def captions() -> Tensor:
    ids = torch.randint(1, 77, (4, 24), generator=torch.Generator().manual_seed(1))
    ids[:, 0] = 78
    for row, end in zip(ids, (23, 9, 4, 15), strict=True):
        row[end], row[end + 1 :] = 79, 0
    return ids


@torch.no_grad()
def read(place: Path) -> Iterator[tuple[str, float]]:
    """Files of others, read by us."""
    model, pair = test_forms.random_clip(), (images((64, 32)), captions())
    sizes = place / "sizes"
    sizes.mkdir()
    (sizes / "open_clip_config.json").write_text(json.dumps({"model_cfg": test_forms.CONFIG}))
    theirs = model.encode_image(pair[0]), model.encode_text(pair[1])
    test_forms.archive(model, place / "archive.pt")
    backbone = weights.load(Source(str(sizes), str(place / "archive.pt")))
    yield "OpenAI's TorchScript archive", off((backbone.image(pair[0]), backbone.text(pair[1])), theirs)
    for form, words in READ.items():
        torch.save(test_forms.written(form, model), place / "weights.pth")
        backbone = weights.load(Source(str(sizes), str(place / "weights.pth"), activation="quick_gelu"))
        yield words, off((backbone.image(pair[0]), backbone.text(pair[1])), theirs)
    square = place / "square"
    square.mkdir()
    vision = {**test_forms.CONFIG["vision_cfg"], "image_size": 64}
    config = {**test_forms.CONFIG, "vision_cfg": vision}
    (square / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    other, pair = test_forms.random_hugging_face(), (images((64, 64)), captions())
    for words, most in (("Hugging Face's folder", "1GB"), ("Hugging Face's folder, sharded", "200KB")):
        folder = place / most
        other.save_pretrained(folder, max_shard_size=most)
        backbone = weights.load(Source(str(square), str(folder), activation="gelu"))
        yield words, off((backbone.image(pair[0]), backbone.text(pair[1])), features(other, *pair))
    with np.load(test_trained.ORACLE / "tiny_a_io.npz") as file:
        whole = {name: torch.from_numpy(file[name]) for name in file}
    given = {name: value.float() if value.is_floating_point() else value.long() for name, value in whole.items()}
    (place / "oracle").mkdir()
    (place / "oracle" / "sizes").mkdir()
    about = json.dumps({"model_cfg": test_trained.CONFIG})
    (place / "oracle" / "sizes" / "open_clip_config.json").write_text(about)
    source = test_trained.saved(test_trained.released(given), place / "oracle" / "best.pth")
    yield "UP-Person, with its method", test_trained.error(source, given, "all")


def trained(place: Path, name: str, options: dict, square: bool) -> Model:
    sizes = SQUARE if square else SMALL
    source = Source(str(kept(sizes, place / f"backbone-{square}")))
    backbone, method = weights.load(source), make(registry.find("methods", name), options)
    torch.manual_seed(1)
    method.attach(backbone)
    disturb(backbone)
    return Model(backbone.requires_grad_(False).eval(), source, name, written_out(method))


@torch.no_grad()
def written(place: Path) -> Iterator[tuple[str, float]]:
    """Files of ours, read by others."""
    model = trained(place, "lora", {}, False)
    pair = images((64, 32)), captions()
    ours = model.backbone.image(pair[0]), model.backbone.text(pair[1])
    export(model, place / "open_clip", "open_clip")
    theirs = open_clip.create_model(f"local-dir:{place / 'open_clip'}").eval()
    yield "`--as open_clip`", off((theirs.encode_image(pair[0]), theirs.encode_text(pair[1])), ours)
    square, pair = trained(place, "lora", {}, True), (images((48, 48)), captions())
    export(square, place / "huggingface", "huggingface")
    ours = square.backbone.image(pair[0]), square.backbone.text(pair[1])
    yield "`--as huggingface`", off(features(loaded(place / "huggingface"), *pair), ours)
    for case, options in PEFT.items():
        from peft import PeftModel

        square = trained(place, case.split(",")[0], options, True)
        folder = place / f"peft-{case}"
        export(square, folder, "peft")
        ours = square.backbone.image(pair[0]), square.backbone.text(pair[1])
        base = PeftModel.from_pretrained(loaded(folder / "base"), folder)
        yield f"`--as peft`, {case}", off(features(base, *pair), ours)
    pair, largest = (images((64, 32)), captions()), {False: 0.0, True: 0.0}
    for name in registry.names("methods"):
        if name not in ("union", "zero_shot"):
            given = {"depth": 2} if name in ("maple", "cskt") else {}
            model = trained(place, name, given, False)
            ours = model.backbone.image(pair[0]), model.backbone.text(pair[1])
            for merge in largest:
                export(model, place / f"{name}-{merge}", "upbench", merge)
                again = carried.load(Source(str(place / f"{name}-{merge}")))
                largest[merge] = max(largest[merge], off((again.image(pair[0]), again.text(pair[1])), ours))
    yield "`--as upbench`, every method", largest[False]
    yield "`--as upbench --merge`, every method", largest[True]


def table() -> str:
    with tempfile.TemporaryDirectory() as folder:
        rows = [("read", *row) for row in read(Path(folder))]
    with tempfile.TemporaryDirectory() as folder:
        rows += [("written", *row) for row in written(Path(folder))]
    lines = ["| | form | largest error |", "|---|---|---:|"]
    return "\n".join([*lines, *(f"| {side} | {form} | {error:.0e} |" for side, form, error in rows)])


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(table())
