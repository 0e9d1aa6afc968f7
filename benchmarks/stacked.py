"""The textbook model, several copies trained as one by torch.func: what packing gives by itself.

Parameters are stacked along a first axis, `vmap` maps the unchanged module over them, and one fused AdamW steps the
stacks; every copy has its own batches. It is what horizontally fused training (HFTA, arXiv:2102.02344) does, with
torch's own means. Every token attends, and there are no term tables. Attention is computed as two products: the fused
kernel has no batching rule on a CPU, so that vmap would call it once for each copy, which measures slower.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.textbook import Clip, adamw_of, warm_up
from lrsym.config.training import OptimConfig
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.training.contrastive import MAX_LOG_SCALE


def losses(models: Sequence[Clip], optim: OptimConfig, data: PackData, batches: Iterator[Tensor]) -> Iterator[Tensor]:
    """Train `models` on the scenes in the rows of `batches`, without end; yields their losses before each step."""
    images, captions = data.scenes, data.captions[data.captions_of[:, 0]]
    stacked, buffers = stack_module_state([*models])
    skeleton = copy.deepcopy(models[0]).to("meta")

    def loss_of(parameters: dict[str, Any], buffers: dict[str, Any], images: Tensor, captions: Tensor) -> Tensor:
        return functional_call(skeleton, (parameters, buffers), (images, captions))

    adamw = adamw_of(stacked.items(), optim)
    for step, batch in enumerate(batches, start=1):
        warm_up(adamw, optim, step=step)
        with sdpa_kernel(SDPBackend.MATH):
            loss = vmap(loss_of)(stacked, buffers, images[batch], captions[batch])
        adamw.zero_grad()
        loss.sum().backward()
        adamw.step()
        with torch.no_grad():
            stacked["log_scale"].clamp_(max=MAX_LOG_SCALE)
        yield loss.detach()
