"""torchvision's GoogLeNet and MobileNet-V2 against ours; needs torch, torchvision and numpy, no download of weights.

    python3 tests/golden/encoders.py                              # writes tests/golden/encoders.safetensors
    python3 tests/golden/encoders.py --check build/bin/lacuna     # the full networks, imported from a .pth

The golden file (made with torchvision 0.29 and torch 2.15) holds, for small pictures: logits in inference, and in
training for the loss sum(logits * probe) of every parameter the norm of its gradient and its product with a probe,
and running statistics after that step, computed in float64. Weights, pictures and probes are not in it: both sides
compute them by the rule of `rule` below. pictures7 are such that PyTorch in float32 is within 5e-4 of float64.

The check prints the largest difference of logits (it fails above 1e-4) and the relative differences of gradients and
running statistics from PyTorch in float64 (it fails above 1e-3), for PyTorch's own random weights, 8 pictures of 32x32,
and for weights that keep away from the kinks of the activations, 2 pictures of 96x96.

In training mode rounding turns over which of two nearly equal numbers a pool takes and which units are on, each of
which moves a gradient for good. In pictures of 224x224 there are so many that no program in float32 comes below 1e-3
with random weights. So pictures are drawn until PyTorch's own float32 is within 5e-4 of its float64, with weights moved
by their last bit, too: a few draws with 100,000 units. With 2 pictures of 224x224 PyTorch's own float32 is measured, and
ours may be twice as far.
"""
import argparse
import copy
import json
import os
import struct
import subprocess
import sys
import tempfile
import warnings

import numpy
import torch
import torchvision

HERE = os.path.dirname(os.path.abspath(__file__))
PERIOD = 4093


def pattern():
    values, s = numpy.empty(PERIOD, numpy.float64), 1
    for i in range(PERIOD):
        s = (s * 1103515245 + 12345) % 2**31
        values[i] = s / 2**30 - 1
    return values


PATTERN = pattern()


def rule(name, shape, scale=1.0, shift=0.0):
    """Element j is PATTERN[(start + j) mod PERIOD] * scale + shift; start is a sum over the bytes of the name."""
    start = sum((i + 1) * byte for i, byte in enumerate(name.encode())) % PERIOD
    size = int(numpy.prod(shape, dtype=int))
    values = PATTERN[(start + numpy.arange(size)) % PERIOD] * scale + shift
    return torch.from_numpy(values.astype(numpy.float32).reshape(shape))


def away(x):
    """From -1 to 1 -> from 1 to 1.2, and every fourth from -1.2 to -1: some channels are on, others off."""
    y = 1.1 + 0.1 * x
    y[3::4] *= -1
    return y


def fill(model):
    """Weights by the rule: kernels in +-sqrt(6 / fan), statistics near mean 0 and variance 1, normalisation away from the
    kinks of the activations."""
    state = {}
    for name, x in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            state[name] = x
        elif name.endswith("running_var"):
            state[name] = rule(name, x.shape, 0.5, 1)
        elif name.endswith("weight") and x.dim() == 1:
            state[name] = rule(name, x.shape, 0.05, 0.2)
        elif name[:-4] + "weight" in state and state[name[:-4] + "weight"].dim() == 1:
            state[name] = away(rule(name, x.shape))
        elif x.dim() == 1:
            state[name] = rule(name, x.shape, 0.2)
        else:
            state[name] = rule(name, x.shape, (6 / x[0].numel()) ** 0.5)
    model.load_state_dict(state)


def save(path, tensors):
    """A .safetensors file of float32."""
    header, parts, at = {}, [], 0
    for name, x in tensors.items():
        data = x.detach().to(torch.float32).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


def googlenet(classes, aux):
    return torchvision.models.googlenet(weights=None, num_classes=classes, aux_logits=aux, init_weights=False)


def normalised(kind, pictures):
    """Pictures [n, h, w, 3] from 0 to 1 as the network takes them, [n, 3, h, w]."""
    x = pictures.permute(0, 3, 1, 2)
    if kind == "googlenet":
        return x * 2 - 1
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    return (x - mean) / std


def logits_of(model, x):
    y = model(x)
    return y.logits if hasattr(y, "logits") else y


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def train(model, x, probe):
    """Gradients of sum(logits * probe) in training mode, and the buffers after it."""
    model = copy.deepcopy(model).train()
    (logits_of(model, x) * probe).sum().backward()
    found = {"gradient/" + name: p.grad.double() for name, p in model.named_parameters() if p.grad is not None}
    for name, b in model.named_buffers():
        if not name.startswith("aux") and not name.endswith("num_batches_tracked"):
            found["after/" + name] = b.double()
    return found


def train_exactly(model, x, probe):
    return train(copy.deepcopy(model).double(), x.double(), probe.double())


def golden():
    out, n, size = {}, 2, 96
    for kind, model in (("googlenet", googlenet(10, False)),
                        ("mobilenet_v2", torchvision.models.mobilenet_v2(num_classes=10, width_mult=0.25))):
        without_dropout(model)
        fill(model)
        x = normalised(kind, rule(kind + "/pictures7", (n, size, size, 3), 0.5, 0.5))
        out[kind + "/logits"] = model.eval()(x)
        for name, value in train_exactly(model, x, rule(kind + "/probe", (n, 10))).items():
            if name.startswith("gradient/"):
                value = torch.stack([value.norm(), (value * rule(name, value.shape).double()).sum()])
                out[kind + "/" + name] = value
            elif name.startswith(("after/conv1.", "after/inception5b.branch2.1.", "after/features.0.",
                                  "after/features.17.")):
                out[kind + "/" + name] = value
    path = os.path.join(HERE, "encoders.safetensors")
    save(path, out)
    print(path, os.path.getsize(path), "bytes")


def settle(model, x):
    """Running statistics of real maps, so that numbers stay of order 1 in inference."""
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for m in norms:
        m.momentum = 1.0
    with torch.no_grad():
        model.train()(x)
    for m in norms:
        m.momentum = 0.1


def relative(got, want):
    """Per parameter the norm of the difference over the norm, or over a small share of all gradients' norm."""
    names = [name for name in want if name.startswith("gradient/")]
    least = 1e-4 * sum(want[name].norm() ** 2 for name in names) ** 0.5
    return [((got[name] - want[name]).norm() / max(least, want[name].norm())).item() for name in names]


def nudged(model):
    """The same with weights moved by about their last bit."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1 + 1.2e-7 * torch.randint(-1, 2, p.shape))
    return model


def draw(kind, model, n, size, enough):
    """Pictures and a probe at which PyTorch itself is as near as this to float64, three times nudged as well."""
    for _ in range(200):
        pictures, probe = torch.rand(n, size, size, 3), torch.randn(n, 1000) / 1000
        x = normalised(kind, pictures)
        want = train_exactly(model, x, probe)
        own = relative(train(model, x, probe), want)
        if max(own) <= enough and (enough >= 1 or all(
                max(relative(train(nudged(model), x, probe), want)) <= enough for _ in range(3))):
            return pictures, probe, want, own
    sys.exit("%s: none of 200 draws of pictures is within %g" % (kind, enough))


def check_one(lacuna, kind, model, n, size, enough):
    settle(model, normalised(kind, torch.rand(n, size, size, 3)))
    pictures, probe, want, own = draw(kind, model, n, size, enough)
    print("%s: PyTorch in float32 from PyTorch in float64: mean %.2g, at most %.2g" % (
        kind, sum(own) / len(own), max(own)), flush=True)
    out = {"pictures": pictures, "probe": probe, "logits": model.eval()(normalised(kind, pictures)),
           "own": torch.tensor([max(own)])}
    out.update(want)
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), folder + "/" + kind + ".pth")
        save(folder + "/expected.safetensors", out)
        subprocess.run([lacuna, "import", folder + "/" + kind + ".pth", "-o", folder + "/encoder.h5", "--size",
                        str(size)], check=True)
        subprocess.run([lacuna, "run", "--trust", os.path.join(HERE, "compare_encoder.lua"), folder], check=True)


def check(lacuna):
    for kind, make in (("googlenet", lambda: googlenet(1000, True)), ("mobilenet_v2", torchvision.models.mobilenet_v2)):
        model = without_dropout(make())
        for n, size, enough in (2, 224, 1), (8, 32, 5e-4):
            print("%s, random weights, %d pictures of %dx%d" % (kind, n, size, size))
            check_one(lacuna, kind, model, n, size, enough)
        print("%s, weights away from the kinks of the activations, 2 pictures of 96x96" % kind)
        fill(model)
        check_one(lacuna, kind, model, 2, 96, 5e-4)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", metavar="LACUNA", help="compare the full networks with this program")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.manual_seed(1)
    torch.set_num_threads(2)
    sys.exit(check(args.check) if args.check else golden())
