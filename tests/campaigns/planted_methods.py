"""Starts and defaults of methods and recipes, each changed alone: kind, test that must notice, file, text, new text."""

from __future__ import annotations

DRAWN = "tests/methods/test_promises.py::test_promise[{}-starts]"
DECLARED = "tests/methods/test_starts.py::test_declared_as_published[{}]"
COMPUTED = "tests/methods/test_starts.py::test_computed_starts_are_what_the_papers_say"
OPTION = "tests/methods/test_defaults.py::test_defaults_are_the_published_ones[{}]"
RECIPE = "tests/harness/training/test_recipe_defaults.py::test_values_of_a_named_recipe[{}]"
RECIPES = "tests/harness/training/test_recipe_defaults.py::test_defaults_of_recipes"
A = "nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))"

PLANTED: list[tuple[str, str, str, str, str]] = [
    # a start in the code
    ("kind 4", DRAWN.format("lora"), "methods/lora.py", A, "nn.init.kaiming_uniform_(self.a)"),
    ("kind 4", DRAWN.format("unipelt"), "methods/unipelt.py", A, "nn.init.kaiming_uniform_(self.a)"),
    (
        "kind 4",
        DRAWN.format("adapter"),
        "methods/adapter.py",
        "kaiming_uniform_(self.down.weight, a=math.sqrt(5))",
        "xavier_uniform_(self.down.weight)",
    ),
    ("kind 4", DRAWN.format("prefix"), "methods/prefix.py", "part.clone(), 0.0, 0.01", "part.clone(), 0.0, 0.1"),
    ("kind 4", DRAWN.format("unipelt"), "methods/unipelt.py", "(self.linear.weight, std=0.02)", "(self.linear.weight)"),
    ("kind 4", DRAWN.format("dm_adapter"), "methods/_mixture.py", "width), std=0.02)", "width), std=0.2)"),
    ("kind 4", DRAWN.format("dm_adapter"), "methods/_mixture.py", "new_empty(width)))", "new_empty(width), std=0.1))"),
    ("kind 4", DRAWN.format("dm_adapter"), "methods/_mixture.py", "new_full((), 0.5)", "new_full((), 0.05)"),
    (
        "kind 4",
        DRAWN.format("coop"),
        "methods/_tokens.py",
        "width: int, std: float = 0.02",
        "width: int, std: float = 0.2",
    ),
    ("kind 4", DRAWN.format("cskt"), "methods/cskt.py", "STD = 0.02", "STD = 0.05"),
    ("kind 4", DRAWN.format("vpt"), "methods/vpt.py", "-bound(tower.shape), bound(tower.shape)", "-0.5, 0.5"),
    ("kind 4", DRAWN.format("mona"), "methods/mona.py", "linear.weight, std=0.02", "linear.weight, std=0.2"),
    (
        "kind 4",
        DRAWN.format("mona"),
        "methods/mona.py",
        "like.new_full((width,), 1e-6)",
        "like.new_full((width,), 1e-5)",
    ),
    (
        "kind 4",
        DRAWN.format("fact"),
        "methods/fact.py",
        "bound = (self.ins * rank) ** -0.5",
        "bound = 0.1 * rank**-0.5",
    ),
    ("kind 4", DRAWN.format("clip_adapter"), "methods/clip_adapter.py", "weight, a=math.sqrt(5))", "weight)"),
    ("kind 4", DRAWN.format("convpass"), "methods/convpass.py", "xavier_uniform_(self", "kaiming_uniform_(self"),
    ("kind 4", DRAWN.format("ssf"), "methods/ssf.py", "empty_like(bias), 0.0, std", "empty_like(bias), 0.0, 5 * std"),
    (
        "kind 4",
        DRAWN.format("vera"),
        "methods/vera.py",
        "new_full((len(shared.a),), initial)",
        "new_full((len(shared.a),), 3 * initial)",
    ),
    # a start in the declaration
    ("kind 4", DECLARED.format("lora"), "methods/lora.py", '"a": FAN_IN', '"a": ZERO'),
    ("kind 4", DECLARED.format("coop"), "methods/coop.py", '"tokens": Normal(0.02)', '"tokens": Normal(0.2)'),
    (
        "kind 4",
        DECLARED.format("unipelt"),
        "methods/unipelt.py",
        '"linear.weight": Normal(0.02)',
        '"linear.weight": Normal(0.2)',
    ),
    ("kind 4", DECLARED.format("vpt"), "methods/vpt.py", "math.sqrt(6 / (3 *", "math.sqrt(60 / (3 *"),
    ("kind 4", COMPUTED, "methods/pissa.py", "right[:rank], left", "right[:rank] * 2.4, left"),
    (
        "kind 4",
        DECLARED.format("adapter"),
        "harness/adaptation/starts.py",
        "within(place.fans[0] ** -0.5)",
        "within(place.fans[1] ** -0.5)",
    ),
    # a default option
    ("kind 5", OPTION.format("s_prefix"), "methods/s_prefix.py", "= 10.0", "= 100.0"),
    ("kind 5", OPTION.format("adaptformer"), "methods/adaptformer.py", "Field(gt=0)] = 0.1", "Field(gt=0)] = 1.0"),
    ("kind 5", OPTION.format("dm_adapter"), "methods/dm_adapter.py", "= 0.5  # weight", "= 0.05  # weight"),
    ("kind 5", OPTION.format("mam"), "methods/mam.py", "Field(gt=0)] = 4.0", "Field(gt=0)] = 1.0"),
    ("kind 5", OPTION.format("up_person"), "methods/up_person.py", "Field(ge=1)] = 32", "Field(ge=1)] = 64"),
    # a value of a recipe
    ("kind 5", RECIPE.format("irra"), "harness/training/recipes/irra.yaml", "bias: 2.0", "bias: 5.0"),
    ("kind 5", RECIPE.format("irra"), "harness/training/recipes/irra.yaml", "\nbatch: 64", "\nbatch: 128"),
    (
        "kind 5",
        RECIPE.format("tbps_clip"),
        "harness/training/recipes/tbps_clip.yaml",
        "warmup_epochs: 1",
        "warmup_epochs: 3",
    ),
    ("kind 5", RECIPES, "harness/training/recipe.py", "lr: Positive = 1e-3", "lr: Positive = 1e-4"),
    ("kind 5", RECIPES, "harness/training/recipe.py", "warmup_factor: Share = 0.1", "warmup_factor: Share = 0.01"),
]
