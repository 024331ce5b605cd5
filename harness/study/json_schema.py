"""A JSON Schema of study files, with which an editor completes keys, names and options and marks faults.

It says what a file may look like; whether budgets can be met and values go together is said by `upbench plan`.
"""

from __future__ import annotations

import copy
from typing import Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

from harness import registry
from harness.data.pipeline.presets import PRESETS
from harness.study.faults import SEARCHED, SETTABLE
from harness.study.study import Study
from harness.training.recipe import Recipe
from harness.trial.spec import Backbone

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def schema() -> Schema:
    """The whole language, shorthand forms included; names and options are those of this installation."""
    found = Study.model_json_schema()
    definitions: Schema = found["$defs"]
    options = {name: _options(name, definitions) for name in registry.names("methods")}
    definitions["Recipe"] = _recipe(definitions)
    definitions["recipe"] = {"$ref": "#/$defs/Recipe"}
    fields = found["properties"]
    fields["extends"] = {"type": "string", "description": "another study beside this one, under which this one lies"}
    fields["recipe"] = definitions["recipe"]
    fields["backbone"] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Backbone"}]}
    definitions["dataset"] = _dataset()
    for name in ("datasets", "evaluate_on"):
        fields[name]["items"] = {"$ref": "#/$defs/dataset"}
    definitions["method"] = _method(options, definitions["Entry"])
    fields["methods"]["items"] = {"$ref": "#/$defs/method"}
    for name in ("grid", "zip"):
        fields[name] = _axes(SETTABLE, definitions)
    fields["tune"] = _axes(SEARCHED, definitions)
    rule = definitions["Rule"]["properties"]
    rule["set"] = _axes(SETTABLE, definitions, lists=False)
    definitions["Rule"] |= {"oneOf": [{"required": ["set"]}, {"required": ["drop"]}]}
    needed = found.pop("required")
    found["anyOf"] = [{"required": ["extends"]}, {"required": needed}]
    return {"$schema": DRAFT, "title": "upbench study", **{k: v for k, v in found.items() if k != "title"}}


def _recipe(definitions: Schema) -> Schema:
    recipe = Recipe.model_json_schema()
    definitions |= recipe.pop("$defs", {})
    recipe["properties"] |= _found(recipe["properties"])
    return recipe


def _found(fields: Schema) -> Schema:
    """Fields of a recipe whose values are names of files."""
    losses = {**fields["losses"], "items": {"enum": registry.names("losses")}}
    augmentation = {**fields["augmentation"], "enum": list(PRESETS)}
    name = {"enum": registry.names("recipes"), "description": "what the others differ from"}
    return {"name": name, "losses": losses, "augmentation": augmentation}


def _dataset() -> Schema:
    names = registry.names("datasets")
    options = {"type": ["object", "null"]}
    return {
        "anyOf": [
            {"enum": names},
            _single({name: options for name in names}),
            {
                "type": "object",
                "properties": {"dataset": {"enum": names}, "options": {"type": "object"}},
                "required": ["dataset"],
                "additionalProperties": False,
            },
        ]
    }


def _method(options: dict[str, Schema], entry: Schema) -> Schema:
    file = {"type": "string", "pattern": r"\.py$"}
    parts = {"type": "array", "items": {"$ref": "#/$defs/method"}}
    named = {name: {"anyOf": [given, {"type": "null"}]} for name, given in options.items()}
    named["union"] = {"anyOf": [parts, options["union"]]}
    full = copy.deepcopy(entry)
    full["properties"]["method"] = {"anyOf": [{"enum": list(options)}, file]}
    full["properties"]["recipe"] = {"$ref": "#/$defs/recipe"}
    full["properties"]["tune"] = {"anyOf": [_axes(SEARCHED, {}), {"type": "null"}]}
    full["allOf"] = [
        {
            "if": {"properties": {"method": {"const": name}}, "required": ["method"]},
            "then": {"properties": {"options": given}},
        }
        for name, given in options.items()
    ]
    own = {"type": "object", "patternProperties": {r"\.py$": {"type": ["object", "null"]}}, "maxProperties": 1}
    return {
        "anyOf": [{"enum": list(options)}, file, _single(named), {**own, "additionalProperties": False}, full],
        "description": "a name, {name: options}, {union: [parts]}, or {method: name, options: ..., recipe: ..., ...}",
    }


def _single(properties: Schema) -> Schema:
    """An object with one of these keys."""
    about = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**about, "minProperties": 1, "maxProperties": 1}


def _options(name: str, definitions: Schema) -> Schema:
    """The options of a method; any, where its types have no schema."""
    kind = registry.find("methods", name).Method
    try:
        found = TypeAdapter(kind).json_schema()
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
        return {"type": "object"}
    for key, value in found.pop("$defs", {}).items():
        definitions.setdefault(key, value)
    return {**found, "title": f"options of {name}", "description": registry.summary("methods", name)}


def _axes(first: tuple[str, ...], definitions: Schema, lists: bool = True) -> Schema:
    """An object of dotted keys, with lists of values or single ones."""

    def values(of: Schema) -> Schema:
        return {"type": "array", "items": of, "minItems": 1} if lists else of

    fields: Schema = {}
    for head, kind in (("recipe", Recipe), ("backbone", Backbone)):
        own = kind.model_json_schema()
        definitions |= own.get("$defs", {})
        known = own["properties"] | (_found(own["properties"]) if kind is Recipe else {})
        fields |= {f"{head}.{name}": values(of) for name, of in known.items()}
    fields |= {name: values({}) for name in first if name in ("budget", "selection", "label", "device", "threads")}
    patterns = {r"^options\..": values({}), r"^recipe\.lr_factors\..": values({"type": "number"})}
    if "dataset" in first:
        patterns[r"^dataset\.(dataset$|options\..)"] = values({})
    return {"type": "object", "properties": fields, "patternProperties": patterns, "additionalProperties": False}
