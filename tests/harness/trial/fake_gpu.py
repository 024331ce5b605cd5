"""A GPU that is not there: tensors on it have shapes and no values, and the waits of the host are written down."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GPU = torch.device("meta")
# These need to know values, be it to give one to the host or to know how large their result is.
LARGE = 1 << 20  # what every value is
VALUES = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "equal", "bincount"}


class FakeGpu(TorchDispatchMode):
    """Watches every operation.

    Attributes:
        waits: Operations for which the host waits until the device has come to them.
        sent: Operations that copy from the host.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []
        self.sent: list[str] = []
        self.pinned: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), func.overloadpacket.__name__
        pin, there = kwargs.pop("pin_memory", None), self._there(kwargs.get("device"))
        if name in ("_to_copy", "copy_"):
            source = args[1] if name == "copy_" else args[0]
            target = args[0].device if name == "copy_" else kwargs.get("device") or source.device
            free = kwargs.get("non_blocking", False) or args[2:] == (True,)
            if self._there(source.device) != self._there(target):
                host = args[0] if name == "copy_" and self._there(source.device) else source
                self._crossed(name, host, free, self._there(target))
                if not self._there(target):
                    return args[0] if name == "copy_" else torch.zeros(source.shape, dtype=source.dtype)
        elif any(isinstance(x, Tensor) and self._there(x.device) for x in tree_leaves((args, kwargs))):
            masks = args[1] if name == "index" else ()
            if name in VALUES or any(x is not None and x.dtype is torch.bool for x in masks):
                self.waits.append(name)
                if name == "_local_scalar_dense":
                    return LARGE
            if name == "_fused_adam_":
                return None
        result = func(*args, **kwargs)
        if pin and not there:
            self.pinned.add(result.untyped_storage().data_ptr())
        return result

    def _crossed(self, name: str, host: Tensor, free: bool, sent: bool) -> None:
        """A copy between the two; only one from or to pinned memory is not waited for."""
        if not (free and not self._there(host.device) and host.untyped_storage().data_ptr() in self.pinned):
            self.waits.append(name)
        if sent:
            self.sent.append(name)

    @staticmethod
    def _there(device: object) -> bool:
        return device is not None and torch.device(device).type == GPU.type


def _made(
    build: Callable[..., Tensor], data: object, *given: object, device: torch.device | None = None, **settings: object
) -> Tensor:
    """A tensor from values: on a GPU they are copied there, which a device without values leaves out."""
    made = build(data, *given, **settings)
    return made if device is None else made.to(device)


@contextmanager
def fake_gpu(monkeypatch, free: int) -> Iterator[FakeGpu]:
    """The device `GPU` with so many bytes of free memory."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    monkeypatch.setitem(
        vars(sys.modules[Optimizer.__module__]), "_get_fused_kernels_supported_devices", lambda: [GPU.type]
    )
    for name in ("tensor", "as_tensor"):
        monkeypatch.setattr(torch, name, functools.partial(_made, getattr(torch, name)))
    with FakeGpu() as gpu:
        yield gpu
