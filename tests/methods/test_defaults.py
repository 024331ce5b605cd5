"""Default options of every method, with their sources. "ours" where a source says nothing or treats another backbone.

Sources beside the entry hold for its line. `towers: both` and all blocks (`depth: None`) are ours unless said.
"""

from __future__ import annotations

from dataclasses import fields

import pytest

from harness import registry
from harness.adaptation.method import defaults

ALL = {"towers": "both", "depth": None}  # ours: both towers whole
IMAGE = {"towers": "image", "depth": None}  # the paper treats image towers only
LORA = {"rank": 4, "alpha": 8.0, "targets": ("q", "v"), "scaling": "alpha"}
UP_PERSON = "UP-Person (arXiv 2504.10084), settings for CUHK-PEDES"
LIU = "Liu et al., released code"

# name -> [(source, options)]
PUBLISHED: dict[str, list[tuple[str, dict]]] = {
    "adapter": [
        ("Houlsby et al. 2019: 64 of their sizes 8 to 256, both sub-layers, sequential", {"width": 64}),
        ("Houlsby et al. 2019, section 2", {"form": "sequential", "sites": ("attn", "mlp")}),
        ("He et al. 2022: s = 1 is no scale", {"scale": 1.0}),
        ("ours", ALL),
    ],
    "adaptformer": [("Chen et al. 2022, section 4.1", {"width": 64, "scale": 0.1}), ("ours", ALL)],
    "bitfit": [("ours", ALL)],
    "clip_adapter": [
        ("Gao et al. 2021, released code: e / 4, ratio 0.2", {"reduction": 4, "ratio": 0.2}),
        ("ours: `reduction` gives it", {"width": None}),
        ("Gao et al. 2021, equations 4 and 5", {"towers": "both"}),
    ],
    "convpass": [
        ("Jie and Deng 2022: h = 8, both sub-layers", {"width": 8, "sites": ("attn", "mlp")}),
        ("ours: searched per data set in the paper", {"scale": 1.0}),
        ("a grid is needed", IMAGE),
    ],
    "coop": [("Zhou et al. 2022: M = 16", {"length": 16, "towers": "text"})],
    "cskt": [
        (f"{LIU}: n_ctx 4, reduction 8, depth 12", {"length": 4, "reduction": 8, **ALL}),
        (f"{LIU}: scale of images and of texts", {"scale_image": 0.1, "scale_text": 4.0}),
        ("ours: `reduction` gives it", {"width": None}),
    ],
    "dm_adapter": [
        (f"{LIU}: 6 experts, top-2, reduction 8, loss weight 0.5", {"experts": 6, "active": 2, "reduction": 8}),
        (f"{LIU}: sdm + 0.5 aux", {"balance": 0.5}),
        (f"{LIU}: scale of images and of texts", {"scale_image": 0.1, "scale_text": 4.0}),
        ("ours: `reduction` gives it", {"width": None}),
        ("ours: there without a use", {"coupled": False}),
        (LIU, ALL),
    ],
    "dora": [("as LoRA here", LORA), ("ours", ALL)],
    "fact": [
        ("Jie and Deng 2023: rank up to 16 with FacT-TT", {"rank": 16, "form": "tt"}),
        ("Jie and Deng 2023: attention and MLP", {"targets": ("q", "k", "v", "out", "fc1", "fc2")}),
        ("ours: searched per data set in the paper", {"scale": 1.0}),
        ("ours", ALL),
    ],
    "full": [("all is trained", {"towers": "both"})],
    "full_image": [("the mirror of LiT", {"towers": "image"})],
    "full_text": [("LiT, Zhai et al. 2022", {"towers": "text"})],
    "head": [("ours", {"towers": "both"})],
    "ia3": [("Liu et al. 2022, section 3.3", {"sites": ("k", "v", "mlp")}), ("ours", ALL)],
    "l_adapter": [
        (UP_PERSON, {"reduction": 8, "sites": ("ln1", "ln2"), **ALL}),
        ("ours: `reduction` gives it", {"width": None}),
    ],
    "layer_norm": [("ours", ALL)],
    "lora": [
        ("Hu et al. 2022, section 7.1: q and v, alpha / r", {"targets": ("q", "v"), "scaling": "alpha"}),
        ("Hu et al. 2022, section 7.2: r = 4 suffices", {"rank": 4}),
        ("ours: alpha / r = 2", {"alpha": 8.0}),
        ("ours", ALL),
    ],
    "mam": [("He et al. 2022, section 4.6", {"length": 30, "width": 512, "scale": 4.0}), ("ours", ALL)],
    "maple": [
        (
            "Khattak et al. 2023, section 4.1: n = 2, None is 9 of 12 blocks",
            {"length": 2, "depth": None},
        ),
        ("Khattak et al. 2023", {"towers": "both"}),
    ],
    "mona": [
        ("Yin et al. 2025, released code: 64, behind both sub-layers", {"width": 64, "sites": ("attn", "mlp")}),
        ("a grid is needed", IMAGE),
    ],
    "pissa": [("as LoRA here", {"rank": 4, "targets": ("q", "v")}), ("ours", ALL)],
    "prefix": [
        ("Li and Liang 2021, table to text", {"length": 10}),
        ("Li and Liang 2021: none of UP-Person's scales", {"scale": 1.0, "learn_scale": False, "bank_scalars": False}),
        ("ours", ALL),
    ],
    "rep_adapter": [
        ("Luo et al. 2023, released code", {"width": 8, "groups": 2, "scale": 1.0, "sites": ("attn", "mlp")}),
        ("ours", ALL),
    ],
    "s_prefix": [
        (f"{UP_PERSON}: l = 10, S_p from 10", {"length": 10, "scale": 10.0}),
        ("UP-Person, released code", {"learn_scale": True, "bank_scalars": True, **ALL}),
    ],
    "ssf": [("Lian et al. 2022, released code", {"std": 0.02}), ("ours", ALL)],
    "union": [("ours", {"spend": "all"})],
    "unipelt": [
        ("Mao et al. 2022, section 3.1: adapter 48, prefix 10, LoRA 8", {"rank": 8, "length": 10, "width": 48}),
        ("ours", ALL),
    ],
    "up_person": [
        (f"{UP_PERSON}: r = 32, l = 10, b = 8, S_p from 10", {"rank": 32, "length": 10, "reduction": 8, "scale": 10.0}),
        ("ours: `reduction` gives it", {"width": None}),
        (UP_PERSON, ALL),
    ],
    "vera": [
        ("Kopiczko et al. 2024: d from 0.1", {"initial": 0.1}),
        ("Kopiczko et al. 2024: r = 256 for large models", {"rank": 256}),
        ("ours: as UP-Person's LoRA", {"targets": ("k", "v")}),
        ("ours", {"seed": 0, **ALL}),
    ],
    "vpt": [("Jia et al. 2022: deep, images", {"deep": True, **IMAGE}), ("ours: 10 of their 1 to 200", {"length": 10})],
    "zero_shot": [],
}


def test_every_method_is_in_the_table():
    assert set(PUBLISHED) == set(registry.names("methods"))


@pytest.mark.parametrize("name", PUBLISHED)
def test_defaults_are_the_published_ones(name):
    known = {key: value for source, values in PUBLISHED[name] for key, value in values.items() if source}
    method = registry.find("methods", name).Method
    ours = {key: value for key, value in defaults(method).items() if (key, value) != ("more", ())}
    assert known == ours
    assert {field.name for field in fields(method)} - {*known, "more"} == ({"parts"} if name == "union" else set())
    assert {key: type(value) for key, value in known.items()} == {key: type(value) for key, value in ours.items()}
