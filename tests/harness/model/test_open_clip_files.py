"""What is read without importing open_clip is what open_clip gives."""

from __future__ import annotations

import subprocess
import sys

from harness.model import open_clip_files

ALONE = """
import sys
from harness.model import tokenizer, weights
source = weights.Source("ViT-B-16", image=(384, 128))
print(weights.shape(source).image.tokens, tokenizer.tokenizer(source)(["a man, walking"])[0][0].tolist())
weights.load(weights.Source("tiny"))
# Drawing an embedding on the meta device would import torch's compiler.
print(*{"open_clip", "torch._dynamo"} & set(sys.modules))
"""


def test_models_and_tokens_are_those_of_open_clip():
    import open_clip

    assert set(open_clip_files.models()) == set(open_clip.list_models())
    for name in ("ViT-B-16", "ViT-L-14", "ViT-B-16-quickgelu", "RN50"):
        assert open_clip_files.config(name) == open_clip.get_model_config(name)
    for name in ("ViT-B-17", "../model_configs/ViT-B-16", ""):
        assert open_clip_files.config(name) is None


def test_neither_open_clip_nor_a_compiler_is_imported_for_sizes_tokens_and_weights():
    from open_clip.tokenizer import SimpleTokenizer

    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True)
    assert done.stdout == f"193 {SimpleTokenizer()('a man, walking')[0].tolist()}\n\n", done.stderr
