"""Seconds of a training step, or of greedy decoding, of the Object Relation Transformer in PyTorch: what
`lacuna bench step|decode --model ort --peer` measures itself against.

A step is forward, cross-entropy, backward, value clipping at 0.1 and Adam (betas 0.9 and 0.98, eps 1e-9) of the model
of models/ort.lua, written again from its equations the way its published program is built: the box embedding once per
batch, one linear map of it per head and layer, encoder rows repeated for the captions of an image, a norm with the
sample deviation, a softmax over masked scores, caches of keys and values that grow by concatenation. With --masks every
masked weight is drawn once per pass (each is used once): sigmoid, Bernoulli, product, a straight-through gradient, a
loss on sparsity and an Adam group of their own for the logits.

What the published program leaves on the table can be switched on, so that it is measured at its best: --repeat memory
makes keys and values once per image; --attention fused uses scaled_dot_product_attention where there is no geometry and,
with the geometry as an additive mask, where there is.

The protocol is peer.py's.
"""
import argparse
import math
import os

parser = argparse.ArgumentParser()
for name, value in (("vocab", 10001), ("size", 512), ("inner", 2048), ("layers", 6), ("heads", 8), ("features", 2048),
                    ("regions", 36), ("images", 15), ("captions", 5), ("time", 17), ("threads", 2), ("warmup", 1),
                    ("steps", 0), ("decode", 0)):
    parser.add_argument("--" + name, type=int, default=value)
parser.add_argument("--dropout", type=float, default=0.5)
parser.add_argument("--inner-dropout", type=float, default=0.1)
parser.add_argument("--masks", choices=("none", "step", "forward"), default="none")
parser.add_argument("--repeat", choices=("encoder", "memory"), default="encoder",
                    help="what is repeated for the captions of an image: the encoder's rows, as published, or keys and values")
parser.add_argument("--attention", choices=("plain", "fused"), default="plain")
parser.add_argument("--adam", choices=("fused", "foreach", "loop"), default="fused")
args = parser.parse_args()
os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))

import torch  # noqa: E402: threads are set first
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from peer import Bernoulli, Round, serve, sparsity_loss  # noqa: E402

torch.set_num_threads(args.threads)
torch.manual_seed(1)


class Masked(nn.Module):
    """A weight with a logit per element where there are masks."""

    def __init__(self, *shape):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(*shape))
        nn.init.xavier_uniform_(self.weight)
        self.logits = nn.Parameter(torch.full(shape, 5.0)) if args.masks != "none" else None

    def masked(self):
        if self.logits is None:
            return self.weight
        p = torch.sigmoid(self.logits)
        return (Bernoulli.apply(p) if self.training else Round.apply(p)) * self.weight


class Linear(Masked):
    def __init__(self, inputs, outputs):
        super().__init__(outputs, inputs)
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-(inputs ** -0.5), inputs ** -0.5))

    def forward(self, x):
        return F.linear(x, self.masked(), self.bias)


class Embedding(Masked):
    def forward(self, ids):
        return F.embedding(ids, self.masked())


class LayerNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.a_2, self.b_2 = nn.Parameter(torch.ones(args.size)), nn.Parameter(torch.zeros(args.size))

    def forward(self, x):
        mean, std = x.mean(-1, keepdim=True), x.std(-1, keepdim=True)
        return self.a_2 * (x - mean) / (std + 1e-6) + self.b_2


def split(x):
    """[rows, length, size] -> [rows, heads, length, size of a head]"""
    return x.view(x.size(0), x.size(1), args.heads, -1).transpose(1, 2)


class Heads(nn.Module):
    def __init__(self, geometry=False):
        super().__init__()
        self.linears = nn.ModuleList(Linear(args.size, args.size) for _ in range(4))
        self.WGs = nn.ModuleList(Linear(64, 1) for _ in range(args.heads)) if geometry else None
        self.drop = nn.Dropout(args.inner_dropout)

    def memory(self, x):
        return split(self.linears[1](x)), split(self.linears[2](x))

    def geometry(self, relations):
        flat = relations.view(-1, 64)
        shape = relations.shape[:3]
        weights = [torch.relu(linear(flat)).view(shape).unsqueeze(1) for linear in self.WGs]
        return torch.log(torch.clamp(torch.cat(weights, 1), min=1e-6))

    def look(self, query, keys, values, mask=None, bias=None):
        query = split(self.linears[0](query))
        if args.attention == "fused":
            add = bias
            if mask is not None:
                away = torch.zeros(mask.shape).masked_fill(mask == 0, -1e9)
                add = away if add is None else add + away
            p = args.inner_dropout if self.training else 0.0
            x = F.scaled_dot_product_attention(query, keys, values, attn_mask=add, dropout_p=p)
        else:
            scores = torch.matmul(query, keys.transpose(-2, -1)) / math.sqrt(query.size(-1))
            if mask is not None:
                scores = scores.masked_fill(mask == 0, -1e9)
            if bias is not None:
                scores = bias + scores
            x = torch.matmul(self.drop(torch.softmax(scores, -1)), values)
        x = x.transpose(1, 2).contiguous().view(x.size(0), -1, args.size)
        return self.linears[3](x)


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.w_1, self.w_2 = Linear(args.size, args.inner), Linear(args.inner, args.size)
        self.drop = nn.Dropout(args.inner_dropout)

    def forward(self, x):
        return self.w_2(self.drop(torch.relu(self.w_1(x))))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.drop = LayerNorm(), nn.Dropout(args.inner_dropout)

    def forward(self, x, f):
        return x + self.drop(f(self.norm(x)))


class EncoderLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.self_attn, self.feed_forward = Heads(geometry=True), FeedForward()
        self.sublayer = nn.ModuleList(Residual() for _ in range(2))

    def forward(self, x, mask, relations):
        bias = self.self_attn.geometry(relations)
        x = self.sublayer[0](x, lambda y: self.self_attn.look(y, *self.self_attn.memory(y), mask, bias))
        return self.sublayer[1](x, self.feed_forward)


class DecoderLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.self_attn, self.src_attn, self.feed_forward = Heads(), Heads(), FeedForward()
        self.sublayer = nn.ModuleList(Residual() for _ in range(3))
        self.cache = self.source = None

    def own(self, y, mask, step_by_step):
        keys, values = self.self_attn.memory(y)
        if step_by_step:
            if self.cache is not None:
                keys, values = torch.cat([self.cache[0], keys], 2), torch.cat([self.cache[1], values], 2)
            self.cache = keys, values
        return self.self_attn.look(y, keys, values, mask)

    def seen(self, y, memory, source_mask, each, step_by_step):
        if self.source is None or not step_by_step:
            keys, values = self.src_attn.memory(memory)
            if each > 1 and args.repeat == "memory":
                keys, values = keys.repeat_interleave(each, 0), values.repeat_interleave(each, 0)
            self.source = (keys, values) if step_by_step else None
        else:
            keys, values = self.source
        return self.src_attn.look(y, keys, values, source_mask)

    def forward(self, x, memory, source_mask, mask, each, step_by_step=False):
        x = self.sublayer[0](x, lambda y: self.own(y, mask, step_by_step))
        x = self.sublayer[1](x, lambda y: self.seen(y, memory, source_mask, each, step_by_step))
        return self.sublayer[2](x, self.feed_forward)


def box_relations(boxes):
    """[images, regions, 4] -> [images, regions, regions, 64]"""
    x0, y0, x1, y1 = boxes.chunk(4, -1)
    cx, cy, w, h = 0.5 * (x0 + x1), 0.5 * (y0 + y1), x1 - x0 + 1.0, y1 - y0 + 1.0
    parts = [torch.log(torch.clamp(torch.abs(cx - cx.transpose(1, 2)) / w, min=1e-3)),
             torch.log(torch.clamp(torch.abs(cy - cy.transpose(1, 2)) / h, min=1e-3)),
             torch.log(w / w.transpose(1, 2)), torch.log(h / h.transpose(1, 2))]
    waves = 1.0 / (1000 ** (torch.arange(8) / 8))
    angles = (100.0 * torch.stack(parts, -1).unsqueeze(-1) * waves).flatten(-2)
    return torch.cat([torch.sin(angles), torch.cos(angles)], -1)


def positions(count):
    place = torch.arange(count).unsqueeze(1)
    rate = torch.exp(torch.arange(0, args.size, 2) * -(math.log(10000.0) / args.size))
    table = torch.zeros(count, args.size)
    table[:, 0::2], table[:, 1::2] = torch.sin(place * rate), torch.cos(place * rate)
    return table


class Ort(nn.Module):
    def __init__(self):
        super().__init__()
        self.att_embed = nn.Sequential(Linear(args.features, args.size), nn.ReLU(), nn.Dropout(args.dropout))
        self.encoder = nn.ModuleList(EncoderLayer() for _ in range(args.layers))
        self.decoder = nn.ModuleList(DecoderLayer() for _ in range(args.layers))
        self.encoder_norm, self.decoder_norm = LayerNorm(), LayerNorm()
        self.lut, self.drop = Embedding(args.vocab, args.size), nn.Dropout(args.inner_dropout)
        self.generator = Linear(args.size, args.vocab)
        self.register_buffer("pe", positions(5000))

    def encode(self, att, boxes, mask):
        x, relations = self.att_embed(att), box_relations(boxes)
        for layer in self.encoder:
            x = layer(x, mask, relations)
        return self.encoder_norm(x)

    def decode(self, words, first, memory, source_mask, mask, each, step_by_step=False):
        x = self.lut(words) * math.sqrt(args.size) + self.pe[first:first + words.size(1)]
        x = self.drop(x)
        for layer in self.decoder:
            x = layer(x, memory, source_mask, mask, each, step_by_step)
        return torch.log_softmax(self.generator(self.decoder_norm(x)), -1)

    def forward(self, att, boxes, mask, words):
        each, mask = args.captions, mask.view(mask.size(0), 1, 1, -1)
        memory = self.encode(att, boxes, mask)
        if args.repeat == "encoder":
            memory = memory.repeat_interleave(each, 0)
        causal = torch.tril(torch.ones(words.size(1), words.size(1), dtype=torch.long))
        own = ((words != 0).unsqueeze(1) & causal.bool().unsqueeze(0)).unsqueeze(1)
        return self.decode(words, 0, memory, mask.repeat_interleave(each, 0), own, each)

    @torch.no_grad()
    def greedy(self, att, boxes, mask):
        mask = mask.view(mask.size(0), 1, 1, -1)
        memory = self.encode(att, boxes, mask)
        for layer in self.decoder:
            layer.cache = layer.source = None
        words, out = torch.full((att.size(0), 1), 2), []
        for t in range(args.time):
            words = self.decode(words, t, memory, mask, None, 1, step_by_step=True)[:, -1].argmax(-1, keepdim=True)
            out.append(words)
        return torch.cat(out, 1).tolist()


def make_images(count):
    corners = 0.5 * torch.rand(count, args.regions, 2)
    boxes = torch.cat([corners, corners + 0.1 + 0.4 * torch.rand(count, args.regions, 2)], -1)
    return torch.randn(count, args.regions, args.features), boxes, torch.ones(count, args.regions)


def build_decoding(model):
    images = make_images(args.decode)
    model.eval()
    return lambda: model.greedy(*images)


def build_training(model):
    masks = [p for name, p in model.named_parameters() if name.endswith(".logits")]
    weights = [p for name, p in model.named_parameters() if not name.endswith(".logits")]
    groups = [{"params": weights, "lr": 1e-4}] + ([{"params": masks, "lr": 100.0, "eps": 1e-2}] if masks else [])
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.98), eps=1e-9, fused=args.adam == "fused",
                                 foreach=args.adam == "foreach")
    images, rows = make_images(args.images), args.images * args.captions
    words = torch.randint(1, args.vocab, (rows, args.time))
    targets = torch.randint(0, args.vocab, (rows, args.time))

    def step():
        optimiser.zero_grad(set_to_none=True)
        logp = model(*images, words)
        loss = -logp.gather(2, targets.unsqueeze(2)).mean()
        if masks:
            loss = loss + sparsity_loss(masks)
        loss.backward()
        nn.utils.clip_grad_value_(weights + masks, 0.1)
        optimiser.step()
        return loss.item()

    return step


model = Ort()
serve(build_decoding(model) if args.decode else build_training(model), args.warmup, args.steps)
