"""What the PyTorch peers of `lacuna bench` share: masks with straight-through gradients, and the protocol.

lua/cli/bench.lua starts a peer, which writes "ready" once warm, answers each line "step" with the seconds of one step
and those its threads computed, and "end" with its peak of resident memory in bytes. With --steps N it prints times.
"""
import resource
import statistics
import sys
import time

import torch


class Bernoulli(torch.autograd.Function):
    """b with probability p; the gradient passes straight through."""

    @staticmethod
    def forward(ctx, p):
        return torch.bernoulli(p)

    @staticmethod
    def backward(ctx, grad):
        return grad


class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, p):
        return torch.round(p)

    @staticmethod
    def backward(ctx, grad):
        return grad


def sparsity_loss(logits, target=0.975, weight=20.0, anneal=0.5):
    kept = sum(Round.apply(torch.sigmoid(x)).sum() for x in logits)
    return weight * (1 - anneal) * torch.abs(target - (1 - kept / sum(x.numel() for x in logits)))


def timed(step):
    start, busy = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - start, time.process_time() - busy


def serve(step, warmup, steps):
    """Warm up, then time `steps` steps, or without them do as the bench says."""
    for _ in range(warmup):
        step()
    if steps:
        times, busy = zip(*[timed(step) for _ in range(steps)])
        print("%.3f s median of %d, %.3f to %.3f, busy %.3f" % (
            statistics.median(times), len(times), min(times), max(times), statistics.median(busy)))
        return
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() != "step":
            break
        print("%.6f %.6f" % timed(step), flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, flush=True)
