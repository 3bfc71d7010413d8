#!/usr/bin/env python3
"""Write what PyTorch makes of convolution, pooling, normalisation and resizing.

    python3 tests/golden/convolution.py

Written with PyTorch 2.15.0 on the CPU; needs nothing else. tests/layers/test_golden_maps.lua reads it.

convolution.json has the cases: the operation, its options, and the shape, phase, scale and shift of its inputs, see
values(). convolution.safetensors has NAME/y, the gradients NAME/gx, NAME/gweight, ... of sum(y * gy) with gy =
values(shape of y, 2, 1, 0), and the running statistics NAME/mean and NAME/variance after training. Maps are stored
channels-last, weights as PyTorch has them.
"""
import json
import math
import os
import struct
import sys

import torch
import torch.nn.functional as F

CONVOLUTIONS = {  # x [n, h, w, c], weight, stride, padding (top, bottom, left, right), dilation, groups
    "pixel": ((2, 5, 4, 6), (8, 6, 1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1),
    "pixel_stride": ((2, 7, 6, 5), (4, 5, 1, 1), (2, 2), (0, 0, 0, 0), (1, 1), 1),
    "same": ((2, 7, 6, 17), (20, 17, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
    "first": ((1, 19, 17, 3), (16, 3, 7, 7), (2, 2), (3, 3, 3, 3), (1, 1), 1),
    "dilated": ((1, 9, 8, 4), (6, 4, 3, 2), (1, 1), (2, 2, 1, 1), (2, 2), 1),
    "groups": ((2, 8, 7, 6), (4, 3, 3, 3), (2, 1), (1, 1, 1, 1), (1, 1), 2),
    "sides": ((1, 8, 8, 3), (5, 3, 3, 3), (2, 2), (0, 1, 0, 1), (1, 1), 1),
    "depthwise": ((2, 7, 6, 19), (19, 1, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 19),
    "depthwise_stride": ((1, 8, 9, 6), (12, 1, 3, 3), (2, 2), (0, 1, 1, 0), (1, 1), 6),
    "wide": ((1, 4, 5, 70), (40, 70, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
}
POOLS = {  # x, largest, size, stride, padding (rows, columns), dilation, ceil, count_padding
    "max": ((2, 7, 8, 5), True, (3, 3), (2, 2), (0, 0), (1, 1), True, True),
    "max_same": ((1, 6, 5, 18), True, (3, 3), (1, 1), (1, 1), (1, 1), False, True),
    "max_dilated": ((1, 9, 8, 3), True, (2, 3), (2, 1), (1, 1), (3, 2), True, True),
    "mean": ((2, 7, 8, 5), False, (3, 2), (2, 2), (1, 1), (1, 1), True, True),
    "mean_inside": ((1, 6, 7, 4), False, (3, 3), (2, 2), (1, 1), (1, 1), True, False),
}
RESIZES = {"up": ((1, 4, 5, 3), (9, 7), False), "down": ((2, 9, 8, 2), (4, 3), False),
           "corners": ((1, 4, 5, 2), (9, 3), True)}


def values(shape, phase, scale=1.0, shift=0.0):
    """Numbers that are all different, by a rule that the test knows too."""
    i = torch.arange(math.prod(shape), dtype=torch.float64)
    return (shift + scale * torch.sin(1.3 * i + 0.01 * i * i + phase)).float().reshape(shape)


def inner(x):  # channels-last to PyTorch's order
    return x.permute(0, 3, 1, 2)


def outer(x):
    return x.permute(0, 2, 3, 1).contiguous()


tensors, cases = {}, {}


def case(name, op, options, inputs, run):
    """inputs: name -> arguments of values(); run(named leaves) gives y, channels-last."""
    leaves = {k: values(*v).requires_grad_(k not in ("mean", "variance")) for k, v in inputs.items()}
    y = run(leaves)
    (y * values(y.shape, 2.0)).sum().backward()
    tensors[f"{name}/y"] = y.detach()
    for k, v in leaves.items():
        if v.requires_grad:
            tensors[f"{name}/g{k}"] = v.grad
        else:
            tensors[f"{name}/{k}"] = v
    cases[name] = {"op": op, "options": options, "inputs": {k: list(v) for k, v in inputs.items()}}


def convolutions():
    for name, (xs, ws, stride, pad, dilation, groups) in CONVOLUTIONS.items():
        top, bottom, left, right = pad

        def run(t):
            x = F.pad(inner(t["x"]), (left, right, top, bottom))
            return outer(F.conv2d(x, t["weight"], t["bias"], stride, 0, dilation, groups))
        case("conv_" + name, "conv2d", {"stride": stride, "padding": pad, "dilation": dilation, "groups": groups},
             {"x": (xs, 0.0), "weight": (ws, 1.0, 0.5), "bias": (ws[:1], 3.0)}, run)


def pools():
    for name, (xs, largest, size, stride, pad, dilation, ceil, count) in POOLS.items():
        options = {"size": size, "stride": stride, "padding": pad, "ceil": ceil}
        if largest:
            options["dilation"] = dilation
        else:
            options["count_padding"] = count

        def run(t):
            x = inner(t["x"])
            if largest:
                return outer(F.max_pool2d(x, size, stride, pad, dilation, ceil))
            return outer(F.avg_pool2d(x, size, stride, pad, ceil, count))
        case("pool_" + name, "max_pool" if largest else "average_pool", options, {"x": (xs, 0.5)}, run)


def norms():
    for name, training in (("frozen", False), ("training", True)):
        def run(t):
            return outer(F.batch_norm(inner(t["x"]), t["mean"], t["variance"], t["gain"], t["offset"], training, 0.1, 1e-3))
        case("norm_" + name, "batch_norm", {"training": training, "momentum": 0.1, "eps": 1e-3},
             {"x": ((3, 5, 6, 21), 0.0, 2.0, 0.7), "gain": ((21,), 1.0), "offset": ((21,), 2.0),
              "mean": ((21,), 4.0, 0.2), "variance": ((21,), 5.0, 0.3, 1.0)}, run)
    case("norm_response", "local_response_norm", {"size": 5, "alpha": 0.3, "beta": 0.75, "k": 1.5},
         {"x": ((2, 3, 3, 9), 0.0, 2.0)},
         lambda t: outer(F.local_response_norm(inner(t["x"]), 5, 0.3, 0.75, 1.5)))


def resizes():
    for name, (xs, size, corners) in RESIZES.items():
        case("resize_" + name, "resize",
             {"height": size[0], "width": size[1], "grid": "corners" if corners else "half_pixel"},
             {"x": (xs, 0.0)},
             lambda t: outer(F.interpolate(inner(t["x"]), size, mode="bilinear", align_corners=corners)))


def write(path):
    header, at, blobs = {}, 0, []
    for name in sorted(tensors):
        t = tensors[name].contiguous()
        data = struct.pack(f"<{t.numel()}f", *t.flatten().tolist())
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
        blobs.append(data)
    text = json.dumps(header, sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


if __name__ == "__main__":
    torch.set_num_threads(1)
    convolutions()
    pools()
    norms()
    resizes()
    here = os.path.dirname(os.path.abspath(__file__))
    write(os.path.join(here, "convolution.safetensors"))
    with open(os.path.join(here, "convolution.json"), "w") as out:
        out.write("{\n" + ",\n".join(f'"{k}": {json.dumps(cases[k], sort_keys=True)}' for k in sorted(cases)) + "\n}\n")
