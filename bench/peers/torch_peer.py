"""PyTorch on a CPU as a peer: a routed SwiGLU layer and a byte-level language model, float32, two threads.

In: a folder with manifest.json and data.bin (weights, inputs, expected results), then one JSON object a line on standard
input: {"do": "check", "form": "loop" | "padded"} or {"do": "layer.step.loop", "runs": n}. Out: one JSON object a line. The best of two formulations counts: a loop over
experts with index_select and index_add, and one batched product over experts padded to the fullest one.
"""

import json
import math
import sys
import time

import numpy as np
import torch
from torch.nn.functional import cross_entropy, silu

torch.set_num_threads(2)
torch.manual_seed(0)
folder = sys.argv[1]
manifest = json.load(open(f"{folder}/manifest.json"))
data = np.fromfile(f"{folder}/data.bin", dtype=np.uint8)


def value(name):
    entry = manifest[name]
    kind = np.float32 if entry["type"] == "f32" else np.int32
    count = math.prod(entry["shape"])
    start = entry["offset"]
    array = data[start : start + 4 * count].view(kind).reshape(entry["shape"])
    tensor = torch.from_numpy(array.copy())
    return tensor if entry["type"] == "f32" else tensor.long()


def parameter(tensor):
    return tensor.contiguous().clone().requires_grad_(True)


class Routed:
    """Gate and up side by side, so that they are one product; for the loop, each expert has tensors of its own."""

    def __init__(self, router, path, padded, k=2):
        self.router = parameter(value(router))
        inner = torch.cat([value(f"{path}.gate"), value(f"{path}.up")], dim=2)
        down = value(f"{path}.down")
        self.k, self.padded, self.experts = k, padded, inner.shape[0]
        self.inner = parameter(inner) if padded else [parameter(each) for each in inner]
        self.down = parameter(down) if padded else [parameter(each) for each in down]

    def parameters(self):
        pool = [self.inner, self.down] if self.padded else [*self.inner, *self.down]
        return [self.router, *pool]

    def __call__(self, x):
        share = torch.softmax(x @ self.router, dim=-1)
        weight, picks = torch.topk(share, self.k, dim=-1)
        weight = weight / weight.sum(dim=-1, keepdim=True)
        flat = picks.reshape(-1)
        order = torch.argsort(flat, stable=True)
        load = torch.bincount(flat, minlength=self.experts)
        token = torch.div(order, self.k, rounding_mode="floor")
        rows = weight.reshape(-1).index_select(0, order).unsqueeze(1)
        join = self.join_padded if self.padded else self.join_loop
        return join(x, token, rows, load, flat.index_select(0, order))

    def join_loop(self, x, token, weight, load, _):
        out = torch.zeros_like(x)
        at = 0
        for expert, count in enumerate(load.tolist()):
            if count == 0:
                continue
            mine = token[at : at + count]
            gate, up = (x.index_select(0, mine) @ self.inner[expert]).chunk(2, dim=-1)
            y = (silu(gate) * up) @ self.down[expert]
            out = out.index_add(0, mine, y * weight[at : at + count])
            at += count
        return out

    def join_padded(self, x, token, weight, load, expert):
        most = int(load.max())
        first = torch.cumsum(load, 0) - load
        slot = expert * most + torch.arange(expert.numel()) - first.index_select(0, expert)
        padded = x.new_zeros(self.experts * most, x.shape[1]).index_copy(0, slot, x.index_select(0, token))
        gate, up = torch.bmm(padded.view(self.experts, most, -1), self.inner).chunk(2, dim=-1)
        y = torch.bmm(silu(gate) * up, self.down).view(self.experts * most, -1)
        return torch.zeros_like(x).index_add(0, token, y.index_select(0, slot) * weight)


def optimiser(parameters):
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, foreach=True)


class Layer:
    def __init__(self, padded):
        self.pool = Routed("layer.router.w", "layer.pool", padded)
        self.x, self.target = value("layer.x"), value("layer.target")
        self.optimiser = optimiser(self.pool.parameters())

    def forward(self):
        with torch.no_grad():
            return self.pool(self.x)

    def step(self):
        loss = torch.mean((self.pool(self.x) - self.target) ** 2)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return loss.item()


def rms_norm(x, gain):
    return x * torch.rsqrt(torch.mean(x * x, dim=-1, keepdim=True) + 1e-6) * gain


class Language:
    def __init__(self, padded, layers=4, heads=4):
        self.table, self.head = parameter(value("language.table")), parameter(value("language.head"))
        self.final = parameter(value("language.rmsnorm.gain"))
        self.heads, self.layers = heads, []
        for i in range(layers):
            path = f"language.block.{i}"
            attention = [value(f"{path}.causalattention.{each}") for each in ("query", "key", "value")]
            self.layers.append(
                {
                    "norm0": parameter(value(f"{path}.rmsnorm.0.gain")),
                    "norm1": parameter(value(f"{path}.rmsnorm.1.gain")),
                    "qkv": parameter(torch.cat(attention, dim=1)),
                    "out": parameter(value(f"{path}.causalattention.out")),
                    "pool": Routed(f"{path}.experts.router.w", f"{path}.experts.routed", padded),
                }
            )
        self.text, self.next = value("language.text"), value("language.text.next").reshape(-1)
        length, each = self.text.shape[1], self.table.shape[1] // heads
        angle = torch.arange(length).unsqueeze(1) / 10000 ** (2 * torch.arange(each // 2) / each)
        self.cos, self.sin = torch.cos(angle).unsqueeze(1), torch.sin(angle).unsqueeze(1)
        self.mask = torch.full((length, length), -math.inf).triu(1)
        parameters = [self.table, self.head, self.final]
        for layer in self.layers:
            parameters += [layer["norm0"], layer["norm1"], layer["qkv"], layer["out"], *layer["pool"].parameters()]
        self.optimiser = optimiser(parameters)

    def turn(self, x):
        first, second = x.chunk(2, dim=-1)
        return torch.cat([first * self.cos - second * self.sin, second * self.cos + first * self.sin], dim=-1)

    def attention(self, x, layer):
        batch, length, width = x.shape
        split = (batch, length, self.heads, width // self.heads)
        q, k, v = ((each.reshape(split)) for each in (x @ layer["qkv"]).chunk(3, dim=-1))
        q, k = self.turn(q).transpose(1, 2), self.turn(k).transpose(1, 2)
        score = q @ k.transpose(2, 3) / math.sqrt(split[3]) + self.mask
        mixed = torch.softmax(score, dim=-1) @ v.transpose(1, 2)
        return mixed.transpose(1, 2).reshape(batch, length, width) @ layer["out"]

    def forward(self):
        x = torch.nn.functional.embedding(self.text, self.table)
        width = x.shape[-1]
        for layer in self.layers:
            x = x + self.attention(rms_norm(x, layer["norm0"]), layer)
            x = x + layer["pool"](rms_norm(x, layer["norm1"]).reshape(-1, width)).view_as(x)
        return (rms_norm(x, self.final) @ self.head).reshape(-1, self.head.shape[1])

    def step(self):
        loss = cross_entropy(self.forward(), self.next)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return loss.item()


def check(form):
    """The output, and the losses of the first steps."""
    expected = value("layer.logits")
    layer, language = Layer(form == "padded"), Language(form == "padded")
    difference = (layer.forward() - expected).abs().max() / expected.abs().max()
    return {
        "difference": difference.item(),
        "layer": [layer.step() for _ in range(3)],
        "language": [language.step() for _ in range(3)],
    }


def timed(run, runs):
    best = math.inf
    for _ in range(runs):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


made = {}


def variant(name):
    what, entry, form = name.split(".")
    key = f"{what}.{form}"
    if key not in made:
        made[key] = (Layer if what == "layer" else Language)(form == "padded")
    return getattr(made[key], entry)


blas = "generic"
try:
    with open("/proc/self/maps") as file:
        maps = file.read()
    blas = next((each for each in ("openblas", "mkl", "blis", "atlas") if each in maps), "reference BLAS")
except OSError:
    pass
print(json.dumps({"version": torch.__version__, "blas": blas, "threads": torch.get_num_threads()}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "check":
        reply = check(request["form"])
    else:
        reply = {"seconds": timed(variant(request["do"]), request["runs"])}
    print(json.dumps(reply), flush=True)
