"""Faults in what files of weights mean, read or written: names, sizes, activations, scales, and what is left unsaid."""

from __future__ import annotations

M, X = "tests/harness/model/test_trained.py::", "tests/harness/export/"
REFERENCE = M + "test_features_are_those_of_the_reference"
ALONE = M + "test_a_trained_model_is_measured_as_it_is_and_nothing_is_trained_on_it"
FORM = "tests/harness/model/test_forms.py::test_features_are_those_of_the_library_that_wrote_it"
HF = "tests/harness/model/test_forms.py::test_hugging_face_in_every_layout[folder]"
WIDE = "tests/harness/model/test_forms.py::test_a_file_of_384x128_is_read_off_its_position_table"
CLIP, QUICK = X + "test_open_clip.py::", X + "test_open_clip.py::test_features_are_ours[lora-quick_gelu]"
NAMED = CLIP + "test_what_does_not_fold_is_named"
HUG, OURS = X + "test_huggingface.py::", X + "test_huggingface.py::test_features_are_ours[lora-quick_gelu]"
WORDS, SQUARE = HUG + "test_words_and_pixels_are_ours", HUG + "test_images_that_are_not_square_are_refused"
PEFT = X + "test_peft.py::test_features_are_ours"
UP = X + "test_upbench.py::"
BACK, REFUSED = UP + "test_every_method_comes_back", UP + "test_what_cannot_be_asked_is_one_line"
CALL = "tests/harness/cli/test_export.py::"
STUDY = "tests/studies/test_released.py::test_files_of_the_released_form_score_what_they_score_in_memory"

TRAINED, FORMS, CARRIED = "harness/model/trained.py", "harness/model/forms.py", "harness/adaptation/carried.py"
EXPORTED, WEIGHTS, RESOLVE = "harness/model/exported.py", "harness/model/weights.py", "harness/trial/resolve.py"
MODEL, OPEN, HUGGING = "harness/export/model.py", "harness/export/open_clip.py", "harness/export/huggingface.py"
ADAPTER, OWN, EXPORT = "harness/export/peft.py", "harness/export/upbench.py", "harness/export/export.py"
OF_TRIAL = "harness/retrieval/of_trial.py"
TOKENIZER = "harness/model/tokenizer.py"

PLANTED: list[tuple[str, str, str, str, str]] = [
    # UP-Person's release
    ("form", REFERENCE + "[all]", TRAINED, "'kv'[int(index)]", "'vk'[int(index)]"),
    ("form", REFERENCE + "[all]", TRAINED, '"key.tokens": "keys"', '"key.tokens": "values"'),
    ("form", REFERENCE + "[all]", TRAINED, '"val.scaler.scale": "value_scalar"', '"val.scaler.scale": "key_scalar"'),
    ("form", REFERENCE + "[all]", TRAINED, '"msa": "beside_ln1"', '"msa": "beside_ln2"'),
    ("form", REFERENCE + "[all]", TRAINED, '"1": "beside_ln1"', '"1": "beside_ln2"'),
    ("form", REFERENCE + "[all]", TRAINED, '    "scale_to_grad": "scale",\n', ""),
    ("form", REFERENCE + "[all]", TRAINED, '"vit": "image"', '"vit": "text"'),
    ("form", REFERENCE + "[all_depth_lora1]", TRAINED, '"scaling": "learned"}', '"scaling": "alpha"}'),
    ("form", REFERENCE + "[all_depth_lora1]", TRAINED, "        return count\n", "        return count + 1\n"),
    ("form", REFERENCE + "[adapter_depth1]", TRAINED, "return -count if", "return count if"),
    ("form", REFERENCE + "[all]", TRAINED, "        return found\n", "        return found + 1\n"),
    ("form", REFERENCE + "[all]", TRAINED, "else len(value)\n", "else value.shape[1]\n"),
    (
        "form",
        M + "test_names_of_data_parallel_and_of_prefixes_that_ran",
        TRAINED,
        " | {name for name in state if AGAIN.match(name)}",
        "",
    ),
    ("form", REFERENCE + "[all]", FORMS, "return Form(family, found, True,", "return Form(family, found, False,"),
    ("form", REFERENCE + "[all]", CARRIED, "            restore(backbone, trained.state)\n", "            pass\n"),
    ("form", REFERENCE + "[all]", CARRIED, "    return backbone.requires_grad_(False).eval()", "    return backbone"),
    ("form", ALONE, CARRIED, "if trained is not None and method.parameters(shape)", "if trained and not method"),
    ("form", M + "test_its_code_names_the_trial", RESOLVE, "    parts += carried.names(carried.of(source))\n", ""),
    ("form", ALONE, RESOLVE, "    total += carried.added(trained_before, sizes)\n", ""),
    # Other files that are read
    ("form", HF, FORMS, 'for letter in "qkv"', 'for letter in "vkq"'),
    ("form", HF, FORMS, 'value.T if name.endswith("projection.weight") else value', "value"),
    ("form", HF, FORMS, 'None if activation is None else activation == "quick_gelu"', "True"),
    ("form", FORM + "[IRRA]", FORMS, 'CONTAINERS = ("state_dict", "model", ', 'CONTAINERS = ("state_dict", '),
    ("form", FORM + "[OpenAI]", FORMS, 'if "input_resolution" in state', 'if "resolution" in state'),
    ("form", WIDE, WEIGHTS, "for k in (1, 3, 2)", "for k in (1, 2)"),
    # open_clip
    ("form", QUICK, OPEN, '"quick_gelu": sizes.quick_gelu', '"quick_gelu": False'),
    (
        "form",
        CLIP + "test_features_are_ours[lora-gelu]",
        OPEN,
        '"embed_dim": image.embed,\n        "quick_gelu": sizes.quick_gelu',
        '"embed_dim": image.embed,\n        "quick_gelu": True',
    ),
    ("form", QUICK, OPEN, "[rows * image.patch, columns * image.patch]", "[columns * image.patch, rows * image.patch]"),
    ("form", QUICK, OPEN, '"layers": text.layers', '"layers": text.layers - 1'),
    ("form", QUICK, OPEN, "image.width // image.heads", "64 // image.heads"),
    ("form", QUICK, OPEN, '"interpolation": "bilinear"', '"interpolation": "bicubic"'),
    ("form", QUICK, OPEN, '"mean": list(images["mean"])', '"mean": list(images["std"])'),
    ("form", QUICK, MODEL, "    merge(backbone)\n", ""),
    ("form", QUICK, MODEL, "SCALE = math.log(100)", "SCALE = 100.0"),
    ("form", NAMED + "[unipelt]", MODEL, " or type(module) is not type(plain[name])", ""),
    ("form", CLIP + "test_a_vocabulary_of_its_own_goes_along", OPEN, "shutil.copyfile(own, folder / own.name)", "pass"),
    # Hugging Face
    ("form", OURS, HUGGING, 'zip("qkv",', 'zip("vkq",'),
    ("form", OURS, HUGGING, "value.T.contiguous() if old in", "value.contiguous() if old in"),
    ("form", OURS, HUGGING, '"quick_gelu" if sizes.quick_gelu else "gelu"', '"gelu"'),
    ("form", OURS, HUGGING, '"eos_token_id": sizes.text.vocabulary - 1', '"eos_token_id": sizes.text.vocabulary - 2'),
    ("form", OURS, HUGGING, '"num_attention_heads": tower.heads', '"num_attention_heads": 1'),
    ("form", OURS, HUGGING, '"num_hidden_layers": tower.layers', '"num_hidden_layers": tower.layers + 1'),
    ("form", OURS, HUGGING, '"intermediate_size": tower.mlp', '"intermediate_size": 2 * tower.mlp'),
    ("form", OURS, HUGGING, '"image_size": pixels(model)["size"][0]', '"image_size": 64'),
    ("form", SQUARE, HUGGING, "    if rows != columns:", "    if False:"),
    ("form", WORDS, HUGGING, '"do_resize": True', '"do_resize": False'),
    ("form", WORDS, HUGGING, "BILINEAR = 2", "BILINEAR = 0"),
    ("form", WORDS, HUGGING, '"image_mean": list(images["mean"])', '"image_mean": list(images["std"])'),
    ("form", WORDS, HUGGING, '"model_max_length": model.backbone.shape.text.tokens', '"model_max_length": 78'),
    ("form", WORDS, TOKENIZER, 'spelt = {START: "<|startoftext|>", END: "<|endoftext|>"}', "spelt = {}"),
    ("form", WORDS, TOKENIZER, ", key=lambda pair: bpe.bpe_ranks[pair])", ")"),
    # peft
    ("form", PEFT + "[lora]", ADAPTER, "int(alpha) if alpha == int(alpha) else alpha", "rank"),
    ("form", PEFT + "[rslora]", ADAPTER, 'use_rslora=method.scaling == "rslora"', "use_rslora=False"),
    ("form", PEFT + "[learned]", ADAPTER, "module.scale * module.b if learned else module.b", "module.b"),
    ("form", PEFT + "[dora]", ADAPTER, "dora.Decomposed, use_dora=True", "dora.Decomposed"),
    ("form", PEFT + "[pissa]", ADAPTER, "torch.cat([module.b, -b], dim=1)", "torch.cat([module.b, 0 * b], dim=1)"),
    ("form", PEFT + "[pissa]", ADAPTER, "2 * rank, 2 * rank, paths", "2 * rank, rank, paths"),
    (
        "form",
        PEFT + "[ia3]",
        ADAPTER,
        '"feedforward_modules": _targets(model, [path for path, _ in inputs])',
        '"feedforward_modules": []',
    ),
    ("form", PEFT + "[vera]", ADAPTER, "d[start : start + len(module.d)]", "d[: len(module.d)]"),
    ("form", PEFT + "[lora]", ADAPTER, '"q": "q_proj"', '"q": "k_proj"'),
    (
        "form",
        PEFT + "[lora]",
        ADAPTER,
        "'vision' if tower == 'image' else 'text'",
        "'text' if tower == 'image' else 'vision'",
    ),
    (
        "form",
        X + "test_peft.py::test_the_files_say_what_peft_needs",
        ADAPTER,
        "return ends if len(paths) == len(ends) * blocks else sorted(paths)",
        "return ends",
    ),
    ("form", PEFT + "[lora]", ADAPTER, "replaced(model, model.base())", "replaced(model, model.backbone)"),
    (
        "form",
        X + "test_peft.py::test_weights_of_openai_are_on_the_hub",
        ADAPTER,
        " and source.image in (None, (side, side))",
        "",
    ),
    # upbench
    ("form", BACK + "[up_person-reference]", OWN, '"options": model.options', '"options": {}'),
    ("form", BACK + "[up_person-merged]", CARRIED, "            merge(backbone)\n", ""),
    ("form", BACK + "[up_person-merged]", EXPORTED, "    return (folder / MERGED).is_file()", "    return False"),
    (
        "form",
        UP + "test_a_released_model_and_an_exported_one_are_exported_again[merged]",
        OWN,
        " or (inside is",
        " and (inside is",
    ),
    (
        "form",
        UP + "test_a_released_model_and_an_exported_one_are_exported_again[reference]",
        MODEL,
        "        found.method,\n",
        '        "zero_shot",\n',
    ),
    ("form", BACK + "[maple-merged]", OWN, ".contiguous().clone()", ".contiguous()"),
    ("form", UP + "test_what_is_written_is_the_method_alone", OWN, '{"image": weights.pixels(source)["size"]}', "{}"),
    (
        "form",
        UP + "test_the_backbone_below_must_be_the_same",
        WEIGHTS,
        'if said.get("hash") != identity(own):',
        "if False:",
    ),
    ("form", UP + "test_another_trained_state_is_another_backbone", WEIGHTS, "{exported.digest(folder)}", ""),
    ("form", REFUSED, EXPORT, "or any(place.iterdir())", ""),
    ("form", REFUSED, EXPORT, "        shutil.rmtree(beside, ignore_errors=True)\n", "        pass\n"),
    ("form", REFUSED, EXPORT, 'if merge and form == "peft":', "if False:"),
    # Kept models and released ones
    (
        "form",
        CALL + "test_open_clip_has_its_features_and_the_temperature_it_was_trained_at",
        OF_TRIAL,
        '-math.log(of.trial["recipe"]["temperature"])',
        'math.log(of.trial["recipe"]["temperature"])',
    ),
    (
        "form",
        CALL + "test_digits_that_several_trials_begin_with",
        "harness/trial/kept/model.py",
        "    if len(found) > 1:\n",
        "    if not given:\n",
    ),
    (
        "form",
        CALL + "test_loaded_again_it_is_the_model_of_the_trial[lora-reference]",
        OF_TRIAL,
        'trial=of.row["id"]',
        "trial=None",
    ),
    (
        "form",
        STUDY + "[irra]",
        "studies/released/irra.yaml",
        "weights/irra/rstpreid.pth",
        "weights/irra/icfg_pedes.pth",
    ),
    ("form", STUDY + "[up_person]", FORMS, '"LORA_learner": UP_PERSON', '"LORA_learner": "IRRA"'),
]
