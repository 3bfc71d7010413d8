"""Write the tensors of a .safetensors file as torch.save writes a state dict (protocol 2, one storage per tensor).

    python3 tests/pth.py IN.safetensors OUT.pth [NAME=OTHER ...] [NAME@STEPSxSIZE ...]

NAME=OTHER adds tensor NAME with the storage of tensor OTHER, as weights that are used at several places are saved;
NAME@STEPSxSIZE adds the sines and cosines of positions. Needs no PyTorch: its names are all that a pickle holds of it.
"""
import array
import collections
import io
import json
import math
import pickle
import struct
import sys
import types
import zipfile

torch = types.ModuleType("torch")
torch._utils = types.ModuleType("torch._utils")
sys.modules["torch"], sys.modules["torch._utils"] = torch, torch._utils


def _rebuild_tensor_v2(*args):
    raise NotImplementedError


class FloatStorage:
    pass


_rebuild_tensor_v2.__module__, FloatStorage.__module__ = "torch._utils", "torch"
torch._utils._rebuild_tensor_v2, torch.FloatStorage = _rebuild_tensor_v2, FloatStorage


class Storage:
    def __init__(self, key, count):
        self.id = ("storage", FloatStorage, str(key), "cuda:0", count)


class Tensor:
    def __init__(self, storage, shape):
        strides, step = [], 1
        for size in reversed(shape):
            strides.insert(0, step)
            step *= size
        self.args = (storage, 0, tuple(shape), tuple(strides), False, collections.OrderedDict())

    def __reduce__(self):
        return _rebuild_tensor_v2, self.args


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return value.id if isinstance(value, Storage) else None


class State(collections.OrderedDict):
    """An OrderedDict with the attribute _metadata, as module.state_dict() gives."""

    def __reduce__(self):
        return collections.OrderedDict, (), {"_metadata": collections.OrderedDict()}, None, iter(self.items())


data = open(sys.argv[1], "rb").read()
length = struct.unpack("<Q", data[:8])[0]
state, payloads = State(), []


def add(name, shape, payload):
    state[name] = Tensor(Storage(len(payloads), len(payload) // 4), shape)
    payloads.append(payload)


header = json.loads(data[8:8 + length])
for name, entry in sorted(header.items(), key=lambda item: item[1].get("data_offsets", [0])[0]):
    if name != "__metadata__":
        first, last = entry["data_offsets"]
        add(name, entry["shape"], data[8 + length + first:8 + length + last])
for word in sys.argv[3:]:
    if "@" in word:
        name, steps, size = word.split("@")[0], *map(int, word.split("@")[1].split("x"))
        values = array.array("f", (
            (math.cos if i % 2 else math.sin)(t * math.exp(-(i - i % 2) * math.log(10000) / size))
            for t in range(steps) for i in range(size)))
        add(name, (1, steps, size), values.tobytes())
    else:
        name, other = word.split("=")
        state[name] = Tensor(state[other].args[0], state[other].args[2])
text = io.BytesIO()
Pickler(text, protocol=2).dump(state)
with zipfile.ZipFile(sys.argv[2], "w") as archive:
    archive.writestr("archive/data.pkl", text.getvalue())
    for key, payload in enumerate(payloads):
        archive.writestr("archive/data/%d" % key, payload)
    archive.writestr("archive/version", "3\n")
