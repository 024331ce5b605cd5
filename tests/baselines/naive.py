"""The straightforward way to do what the harness does fast: baselines for ratios, written from the definitions.

Nothing here is used by a trial.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms as T


def metrics(queries: Tensor, gallery: Tensor, query_person: Tensor, gallery_person: Tensor) -> dict[str, float]:
    """R@1, R@5, R@10, mAP and mINP in percent: the whole gallery sorted for all queries, then a loop over them.

    Ties fall as the sort leaves them; every query must have a match.
    """
    unit = torch.nn.functional.normalize
    return metrics_of_scores(unit(queries) @ unit(gallery).T, query_person, gallery_person)


def metrics_of_scores(scores: Tensor, query_person: Tensor, gallery_person: Tensor) -> dict[str, float]:
    """`metrics` of given scores [Q, G]."""
    order = torch.argsort(scores, dim=1, descending=True)
    matches = gallery_person[order] == query_person[:, None]
    found = matches.cumsum(dim=1)
    place = torch.arange(1, scores.shape[1] + 1, device=scores.device)
    precision = found / place
    result = {f"R{k}": (found[:, k - 1] > 0).float().mean().item() * 100 for k in (1, 5, 10)}
    ap, inp = [], []
    for row, values in zip(matches, precision, strict=True):
        at = row.nonzero().flatten()
        ap.append(values[at].mean())
        inp.append(values[at[-1]])
    return {**result, "mAP": torch.stack(ap).mean().item() * 100, "mINP": torch.stack(inp).mean().item() * 100}


def loader(
    paths: Sequence[Path],
    size: tuple[int, int],
    mean: Sequence[float],
    std: Sequence[float],
    batch: int,
    erase: bool = True,
) -> Iterator[Tensor]:
    """Batches float32 [B, 3, H, W]: every image decoded, resized and augmented by itself, every time it is used."""
    transform = T.Compose(
        [
            T.Resize(size),
            T.RandomHorizontalFlip(0.5),
            T.Pad(10),
            T.RandomCrop(size),
            T.ToTensor(),
            T.Normalize(mean, std),
            *([T.RandomErasing(p=0.5, scale=(0.02, 0.4), value=list(mean))] if erase else []),
        ]
    )
    for start in range(0, len(paths), batch):
        yield torch.stack([transform(Image.open(p).convert("RGB")) for p in paths[start : start + batch]])


def lora_projection(weight: Tensor, down: Sequence[Tensor], up: Sequence[Tensor], scale: Sequence[Tensor]) -> Tensor:
    """Joint projection weight [3d, d] of attention with LoRA on keys and values as a dense matrix.

    Args:
        weight: [3d, d], frozen: queries, keys, values.
        down: A for keys and values, each [r, d].
        up: B for keys and values, each [d, r].
        scale: Learned factors of both.
    """
    delta = [s * (b @ a) for a, b, s in zip(down, up, scale, strict=True)]
    return weight + torch.cat([torch.zeros_like(delta[0]), *delta])


def prefix_attention(
    x: Tensor,
    in_weight: Tensor,
    in_bias: Tensor,
    out_weight: Tensor,
    out_bias: Tensor,
    heads: int,
    prefix_key: Tensor,
    prefix_value: Tensor,
    prefix_scale: Tensor | float,
    causal: bool = False,
) -> Tensor:
    """Multi-head attention with S-Prefix, all attention maps kept: softmax, then the prefix columns times the scale.

    The prefix is in front of every token and never masked; probabilities are not normalised again after scaling.

    Args:
        x: [B, T, d].
        in_weight: [3d, d]; in_bias: [3d]; out_weight: [d, d]; out_bias: [d].
        in_bias: See in_weight.
        out_weight: See in_weight.
        out_bias: See in_weight.
        heads: Number of heads.
        prefix_key: [P, d], shared by the batch.
        prefix_value: [P, d].
        prefix_scale: Of the prefix columns.
        causal: Whether a token sees only itself and the tokens before it (and the prefix).
    """
    (count, length, width), prefix = x.shape, len(prefix_key)
    q, k, v = (x @ in_weight.T + in_bias).chunk(3, dim=-1)
    k = torch.cat([prefix_key.expand(count, -1, -1), k], dim=1)
    v = torch.cat([prefix_value.expand(count, -1, -1), v], dim=1)
    q, k, v = (t.reshape(count, t.shape[1], heads, width // heads).transpose(1, 2) for t in (q, k, v))
    logits = q @ k.transpose(2, 3) / (width // heads) ** 0.5
    if causal:
        mask = torch.full((length, length), float("-inf")).triu(1)
        logits = logits + torch.cat([torch.zeros(length, prefix), mask], dim=1).to(x.device)
    probabilities = logits.softmax(dim=-1)
    factor = torch.ones(prefix + length, device=x.device)
    factor = torch.cat([prefix_scale * factor[:prefix], factor[prefix:]])
    mixed = (probabilities * factor) @ v
    return mixed.transpose(1, 2).reshape(count, length, width) @ out_weight.T + out_bias


def block(part: torch.nn.Module, x: Tensor, causal: bool) -> Tensor:
    """A block of the harness with UP-Person attached, from its parameters: dense LoRA, maps kept, every token."""
    h = part.ln1(x) + sum(site(x) for site in part.beside_ln1)
    a = part.attn
    frozen = torch.cat([a.q.weight, a.k.frozen.weight, a.v.frozen.weight])
    weight = lora_projection(frozen, [a.k.a, a.v.a], [a.k.b, a.v.b], [a.k.scale, a.v.scale])
    bias = torch.cat([a.q.bias, a.k.frozen.bias, a.v.frozen.bias])
    (prefix,) = a.prefix
    keys, values = prefix.key_scalar * prefix.keys, prefix.value_scalar * prefix.values
    x = x + prefix_attention(h, weight, bias, a.out.weight, a.out.bias, a.heads, keys, values, prefix.scale, causal)
    h = part.mlp.fc1(part.ln2(x) + sum(site(x) for site in part.beside_ln2))
    return x + part.mlp.fc2(h * torch.sigmoid(1.702 * h))


def features(backbone: torch.nn.Module, images: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Features [B, embed] of images [B, 3, H, W] and of captions [B, context] that are not cut."""
    tower = backbone.image
    x = tower.conv(images).flatten(2).transpose(1, 2)
    x = tower.ln_first(torch.cat([tower.class_token.expand(len(x), 1, -1), x], dim=1) + tower.position)
    for part in tower.blocks:
        x = block(part, x, False)
    image = tower.proj(tower.ln_final(x))[:, 0]
    tower = backbone.text
    x = tower.embedding(ids) + tower.position[: ids.shape[1]]
    for part in tower.blocks:
        x = block(part, x, True)
    return image, tower.proj(tower.ln_final(x))[torch.arange(len(ids)), ids.argmax(dim=1)]
