"""The training loop that most trainings share: progress, checkpoints, resuming, and several processes under torchrun."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, distributed, nn

from ..atomic import replacing, write_bytes

CHECKPOINT_EVERY = 200  # steps


def arguments(
    name: str, description: str, out: Path, steps: int, batch: int, lr: float, data: bool = True
) -> argparse.ArgumentParser:
    """A parser with the options that all trainings have; ``data``: whether ``--data`` is required."""
    ap = argparse.ArgumentParser(f"python -m flow_core.train {name}", description=description)
    ap.add_argument("--data", type=Path, required=data, help="folder of the training faces")
    ap.add_argument("--out", type=Path, default=out, help=f"where the weights go (default {out.name} of the package)")
    ap.add_argument("--checkpoint", type=Path, default=Path(f"out/train/{name}.pt"))
    ap.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    ap.add_argument("--validate", action="store_true", help="only print the table for the weights at --out")
    ap.add_argument("--steps", type=int, default=steps)
    ap.add_argument("--batch", type=int, default=batch, help="faces a step, in each process")
    ap.add_argument("--lr", type=float, default=lr)
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--device", default="cpu")
    return ap


def rank() -> int:
    """Number of this process, 0 for the only or the first one."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def processes() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def join(device: str) -> None:
    """Join the process group, if ``torchrun`` started this process."""
    if "RANK" in os.environ and not distributed.is_initialized():
        cuda = device.startswith("cuda")
        if cuda:  # each process of a machine has a GPU of its own, which ``cuda`` then means
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        distributed.init_process_group("nccl" if cuda else "gloo")


def wait() -> None:
    """Wait until all processes get here."""
    if distributed.is_initialized():
        distributed.barrier()


def fit(
    objective: nn.Module,
    batch: Callable[[int], tuple],
    o: argparse.Namespace,
    check: Callable[[int], None] | None = None,
) -> float:
    """Train ``objective`` in place.

    Under ``torchrun`` every process draws batches of its own and gradients are averaged (DistributedDataParallel; NCCL
    on GPUs, Gloo on CPUs).

    Args:
        objective: called with a batch, it returns named losses, whose sum is made small.
        batch: makes a batch from a random seed, which differs for every step and process.
        o: from :func:`arguments`.
        check: called by the first process with the number of steps done, at every checkpoint; ``objective`` is in
            evaluation mode then.

    Returns:
        seconds that this run took.
    """
    join(o.device)
    params = [p for p in objective.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in params if p.ndim > 1]}, {"params": [p for p in params if p.ndim < 2], "weight_decay": 0.0}],
        lr=o.lr, weight_decay=0.02, betas=(0.9, 0.98), fused=True,
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, o.lr, total_steps=o.steps + 1, pct_start=0.15)
    kept = {"objective": objective, "optimizer": optimizer, "schedule": schedule}
    start = 0
    if o.resume:
        state = torch.load(o.checkpoint, weights_only=True, map_location=o.device)
        for name, thing in kept.items():
            thing.load_state_dict(state[name])
        start = state["step"]
    parallel = nn.parallel.DistributedDataParallel(objective) if processes() > 1 else objective
    objective.train()
    clock, shown = time.time(), {}
    for step in range(start, o.steps):
        losses: dict[str, Tensor] = parallel(*batch((o.seed * 1_000_003 + step) * processes() + rank()))
        optimizer.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        schedule.step()
        done = step + 1
        for name, value in losses.items():
            shown[name] = shown.get(name, 0.0) + value.item()
        if rank() == 0 and (done % 100 == 0 or done == o.steps):
            count = (done - 1) % 100 + 1
            left = (time.time() - clock) / (done - start) * (o.steps - done)
            parts = "  ".join(f"{name} {value / count:.4f}" for name, value in shown.items())
            print(f"step {done}/{o.steps}  {parts}  {left:.0f} s left", flush=True)
        if done % 100 == 0:
            shown.clear()
        if rank() == 0 and (done % CHECKPOINT_EVERY == 0 or done == o.steps):
            with replacing(o.checkpoint) as partial:  # a stop in the middle of writing must not cost the training
                torch.save({name: thing.state_dict() for name, thing in kept.items()} | {"step": done}, partial)
            if check is not None:
                objective.eval()
                check(done)
                objective.train()
    objective.eval()
    return time.time() - clock


def save(model: nn.Module, path: Path, about: dict[str, str]) -> None:
    """Write weights in half precision, except running statistics, which may exceed its range."""
    from safetensors.torch import save as serialized

    state = {
        name: (value.half() if value.is_floating_point() and "running_" not in name else value).contiguous()
        for name, value in model.state_dict().items()
    }
    write_bytes(path, serialized(state, metadata={"licence": "Apache-2.0", **about}))
    print(f"saved {path} ({path.stat().st_size / 1e6:.1f} MB)", flush=True)
