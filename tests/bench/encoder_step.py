"""Seconds of an encoder of pictures in PyTorch: what `lacuna bench encoder --peer` measures itself against.

torchvision's network with random weights: logits in inference (no_grad), or with --train forward and backward of the
sum of their squares in training mode, dropout and auxiliary classifiers left out. MobileNet-V1, which torchvision does
not have, is put together here. --layout last has pictures channels-last, which PyTorch computes faster with.

The protocol is peer.py's.
"""
import argparse
import os

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=("googlenet", "mobilenet_v1", "mobilenet_v2"), default="googlenet")
for name, value in (("images", 8), ("threads", 2), ("warmup", 1), ("steps", 0)):
    parser.add_argument("--" + name, type=int, default=value)
parser.add_argument("--train", action="store_true")
parser.add_argument("--layout", choices=("first", "last"), default="first")
args = parser.parse_args()
os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))

import torch  # noqa: E402: threads are set first
import torchvision  # noqa: E402
from torch import nn  # noqa: E402

from peer import serve  # noqa: E402

torch.set_num_threads(args.threads)
torch.manual_seed(1)


def mobilenet_v1():
    def block(inputs, outputs, size, stride=1, groups=1):
        return [nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
                nn.BatchNorm2d(outputs, eps=1e-3), nn.ReLU6(inplace=True)]

    layers, channels = block(3, 32, 3, 2), 32
    for outputs, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
                            (512, 1), (512, 1), (1024, 2), (1024, 1)):
        layers += block(channels, channels, 3, stride, channels) + block(channels, outputs, 1)
        channels = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000))


def make():
    if args.model == "googlenet":
        return torchvision.models.googlenet(weights=None, aux_logits=False, init_weights=False)
    return torchvision.models.mobilenet_v2() if args.model == "mobilenet_v2" else mobilenet_v1()


model, pictures = make(), torch.rand(args.images, 3, 224, 224)
for module in model.modules():
    if isinstance(module, nn.Dropout):
        module.p = 0.0
if args.layout == "last":
    model, pictures = (x.to(memory_format=torch.channels_last) for x in (model, pictures))
model.train(args.train)


def step():
    if not args.train:
        with torch.no_grad():
            return model(pictures)
    model.zero_grad(set_to_none=True)
    model(pictures).square().sum().backward()


serve(step, args.warmup, args.steps)
