"""Seconds of a training step of Up-Down in PyTorch: what `lacuna bench step --peer` measures itself against.

Forward, cross-entropy, backward, value clipping at 0.1 and Adam (rate 0.01, eps 0.01) of the model of
models/updown.lua, written again from its equations the way its published programs are built: features are
repeated for the captions of an image, an LSTMCell on concatenated inputs at every time step. With --masks
step every call of a masked layer draws: sigmoid, Bernoulli, product, a straight-through gradient, a loss on
sparsity and an Adam of their own for the logits; with --masks forward one draw serves a whole pass.

With --loss scst a step draws captions, the graph kept, and weights their log-probabilities by advantages: a single pass
as in the published program, or with --pass two drawing without a graph and then teacher forcing. Captions end after 7 to
14 words, as in lua/cli/workload.lua. The advantages are there already: nothing is scored.

The protocol is peer.py's.
"""
import argparse
import os

parser = argparse.ArgumentParser()
for name, value in (("vocab", 10001), ("embed", 1000), ("hidden", 1000), ("attention", 512), ("features", 2048),
                    ("regions", 36), ("images", 10), ("captions", 5), ("time", 17), ("threads", 2),
                    ("warmup", 1), ("steps", 0)):
    parser.add_argument("--" + name, type=int, default=value)
parser.add_argument("--dropout", type=float, default=0.5)
parser.add_argument("--masks", choices=("none", "step", "forward"), default="none")
parser.add_argument("--loss", choices=("xent", "scst"), default="xent")
parser.add_argument("--pass", dest="passes", choices=("single", "two"), default="single")
parser.add_argument("--logits", choices=("step", "all"), default="step",
                    help="the classifier at every time step, as published, or once for all")
parser.add_argument("--adam", choices=("fused", "foreach", "loop"), default="fused")
args = parser.parse_args()
os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))

import torch  # noqa: E402: threads are set first
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from peer import Bernoulli, serve, sparsity_loss  # noqa: E402

torch.set_num_threads(args.threads)
torch.manual_seed(1)


class Masked(nn.Module):
    """What masked layers share: a logit per weight, and weights under a fresh mask."""

    def __init__(self):
        super().__init__()
        self.logits, self.held = nn.ParameterDict(), {}

    def add_logits(self, *names):
        if args.masks != "none":
            for name in names:
                self.logits[name] = nn.Parameter(torch.full_like(getattr(self, name), 5.0))

    def weights(self, name):
        if args.masks == "none":
            return getattr(self, name)
        if args.masks == "forward" and name in self.held:
            return self.held[name]
        masked = Bernoulli.apply(torch.sigmoid(self.logits[name])) * getattr(self, name)
        self.held[name] = masked if args.masks == "forward" else None
        return masked


class Linear(Masked):
    def __init__(self, inputs, outputs):
        super().__init__()
        bound = inputs ** -0.5
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))
        self.add_logits("weight")

    def forward(self, x):
        return F.linear(x, self.weights("weight"), self.bias)


class Embedding(Masked):
    def __init__(self, count, size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(count, size))
        self.add_logits("weight")

    def forward(self, ids):
        return F.embedding(ids, self.weights("weight"))


class LSTMCell(Masked):
    def __init__(self, inputs, hidden):
        super().__init__()
        bound = hidden ** -0.5
        for name, shape in (("weight_ih", (4 * hidden, inputs)), ("weight_hh", (4 * hidden, hidden)),
                            ("bias_ih", (4 * hidden,)), ("bias_hh", (4 * hidden,))):
            setattr(self, name, nn.Parameter(torch.empty(*shape).uniform_(-bound, bound)))
        self.add_logits("weight_ih", "weight_hh")

    def forward(self, x, state):
        return torch.lstm_cell(x, state, self.weights("weight_ih"), self.weights("weight_hh"), self.bias_ih,
                               self.bias_hh)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.h2att = Linear(args.hidden, args.attention)
        self.alpha_net = Linear(args.attention, 1)

    def forward(self, h, values, keys):
        scores = self.alpha_net(torch.tanh(keys + self.h2att(h).unsqueeze(1))).squeeze(2)
        return torch.bmm(torch.softmax(scores, 1).unsqueeze(1), values).squeeze(1)


class UpDown(nn.Module):
    def __init__(self):
        super().__init__()
        hidden, drop = args.hidden, nn.Dropout(args.dropout)
        self.embed = nn.Sequential(Embedding(args.vocab, args.embed), nn.ReLU(), drop)
        self.fc_embed = nn.Sequential(Linear(args.features, hidden), nn.ReLU(), drop)
        self.att_embed = nn.Sequential(Linear(args.features, hidden), nn.ReLU(), drop)
        self.ctx2att = Linear(hidden, args.attention)
        self.att_lstm = LSTMCell(2 * hidden + args.embed, hidden)
        self.lang_lstm = LSTMCell(2 * hidden, hidden)
        self.attention = Attention()
        self.logit, self.drop = Linear(hidden, args.vocab), drop

    def look(self, fc, att):
        each = args.captions
        fc, values = self.fc_embed(fc), self.att_embed(att)
        keys = self.ctx2att(values)
        seen = [x.repeat_interleave(each, 0) for x in (fc, values, keys)]
        zeros = fc.new_zeros(seen[0].size(0), args.hidden)
        return seen, ((zeros, zeros), (zeros, zeros))

    def advance(self, seen, state, words):
        (fc, values, keys), (one, two) = seen, state
        one = self.att_lstm(torch.cat([two[0], fc, self.embed(words)], 1), one)
        two = self.lang_lstm(torch.cat([self.attention(one[0], values, keys), one[0]], 1), two)
        return self.drop(two[0]), (one, two)

    def forward(self, fc, att, words):
        seen, state = self.look(fc, att)
        out = []
        for t in range(words.size(1)):
            h, state = self.advance(seen, state, words[:, t])
            out.append(h if args.logits == "all" else torch.log_softmax(self.logit(h), 1))
        out = torch.stack(out, 1)
        return torch.log_softmax(self.logit(out), 2) if args.logits == "all" else out

    def sample(self, fc, att):
        """Words drawn step by step and their log-probabilities, both [captions, time]."""
        seen, state = self.look(fc, att)
        word, words, chosen = torch.full((seen[0].size(0),), 2), [], []
        for _ in range(args.time):
            h, state = self.advance(seen, state, word)
            logp = torch.log_softmax(self.logit(h), 1)
            word = torch.multinomial(logp.detach().exp(), 1).squeeze(1)
            words.append(word)
            chosen.append(logp.gather(1, word.unsqueeze(1)).squeeze(1))
        return torch.stack(words, 1), torch.stack(chosen, 1)


def build_step():
    model = UpDown()
    masks = [p for name, p in model.named_parameters() if ".logits." in name]
    weights = [p for name, p in model.named_parameters() if ".logits." not in name]
    groups = [{"params": weights, "lr": 0.01}] + ([{"params": masks, "lr": 100.0}] if masks else [])
    optimiser = torch.optim.Adam(groups, eps=1e-2, fused=args.adam == "fused", foreach=args.adam == "foreach")
    rows = args.images * args.captions
    fc, att = torch.randn(args.images, args.features), torch.randn(args.images, args.regions, args.features)
    words = torch.randint(0, args.vocab, (rows, args.time))
    targets = torch.randint(0, args.vocab, (rows, args.time))
    holders = [m for m in model.modules() if isinstance(m, Masked)]
    shortest = 7
    ends = torch.tensor([shortest + 7 * r % (args.time - shortest + 1) for r in range(1, rows + 1)])
    said = (torch.arange(args.time) < ends.unsqueeze(1)).float()
    advantages = torch.randn(rows, 1)

    def caption_loss():
        if args.loss == "xent":
            return -model(fc, att, words).gather(2, targets.unsqueeze(2)).mean()
        if args.passes == "single":
            chosen = model.sample(fc, att)[1]
        else:
            with torch.no_grad():
                drawn = model.sample(fc, att)[0]
            fed = torch.cat([torch.full((rows, 1), 2), drawn[:, :-1]], 1)
            chosen = model(fc, att, fed).gather(2, drawn.unsqueeze(2)).squeeze(2)
        return -(chosen * advantages * said).sum() / said.sum()

    def step():
        for holder in holders:
            holder.held.clear()
        optimiser.zero_grad(set_to_none=True)
        loss = caption_loss()
        if masks:
            loss = loss + sparsity_loss(masks)
        loss.backward()
        nn.utils.clip_grad_value_(weights + masks, 0.1)
        optimiser.step()
        return loss.item()

    return step


serve(build_step(), args.warmup, args.steps)
