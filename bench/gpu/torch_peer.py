"""PyTorch on a GPU as a peer: a routed SwiGLU layer, forward and a step of training, as a grouped product and as a loop over experts.

In: `probe`, or JSON: {"width", "hidden", "experts", "k", "tokens": [...], "type": "float32" | "bfloat16"}. Out: JSON: `probe` says which
PyTorch and GPU there are and how many operations a second its own square product reaches; else a line for each number of tokens as soon
as it is known, with milliseconds by form, null for a form that this PyTorch does not have. A form that fails says so and is null. Timed
by events over runs that follow each other.
"""

import json
import sys

import torch
from torch.nn.functional import silu


def milliseconds(run, least=200.0):
    run()
    torch.cuda.synchronize()

    def of(count):
        first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        first.record()
        for _ in range(count):
            run()
        last.record()
        torch.cuda.synchronize()
        return first.elapsed_time(last) / count

    once = of(3)
    return of(max(3, min(2000, int(least / max(once, 1e-3)))))


def square(kind, side=8192):
    a, b = (torch.rand(side, side, device="cuda", dtype=torch.float32).sub(0.5).to(kind) for _ in range(2))
    return 2 * side**3 / (milliseconds(lambda: a @ b) / 1e3)


def probe():
    torch.backends.cuda.matmul.allow_tf32 = False
    return {
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(),
        "float32": square(torch.float32),
        "bfloat16": square(torch.bfloat16),
    }


grouped_product = getattr(torch.nn.functional, "grouped_mm", None) or getattr(torch, "_grouped_mm", None)


class Layer:
    def __init__(self, width, hidden, experts, k, kind):
        torch.manual_seed(0)
        made = lambda *shape: torch.randn(*shape, device="cuda").mul(shape[-2] ** -0.5).to(kind).requires_grad_(True)
        # Scores stay f32, as they do in the layer that this is compared with.
        self.router = torch.randn(width, experts, device="cuda").mul(width**-0.5).requires_grad_(True)
        self.inner, self.down = made(experts, width, 2 * hidden), made(experts, hidden, width)
        # With a parameter before it the layer has to hand on the gradient of what it gets.
        self.gain = torch.ones(width, device="cuda", dtype=kind, requires_grad=True)
        self.experts, self.k = experts, k
        self.tensors = [self.gain, self.router, self.inner, self.down]

    def routed(self, x):
        share = torch.softmax(x.float() @ self.router, dim=-1)
        weight, picks = torch.topk(share, self.k, dim=-1)
        weight = weight / weight.sum(dim=-1, keepdim=True)
        flat = picks.reshape(-1)
        order = torch.argsort(flat, stable=True)
        return flat, order, order // self.k, weight.reshape(-1)[order].to(x.dtype)

    def merged(self, x, rows, token, weight):
        return torch.zeros_like(x).index_add(0, token, rows * weight[:, None])

    def grouped(self, x):
        flat, order, token, weight = self.routed(x)
        ends = torch.bincount(flat, minlength=self.experts).cumsum(0).to(torch.int32)
        gate, up = grouped_product(x[token], self.inner, offs=ends).chunk(2, dim=-1)
        return self.merged(x, grouped_product(silu(gate) * up, self.down, offs=ends), token, weight)

    def loop(self, x):
        flat, order, token, weight = self.routed(x)
        # The host must know how many rows each expert has: it waits for the device here.
        counts = torch.bincount(flat, minlength=self.experts).tolist()
        rows = []
        for expert, part in enumerate(x[token].split(counts)):
            if part.shape[0] > 0:
                gate, up = (part @ self.inner[expert]).chunk(2, dim=-1)
                rows.append((silu(gate) * up) @ self.down[expert])
        return self.merged(x, torch.cat(rows), token, weight)


def times(made, tokens, kind):
    x = (torch.rand(tokens, made.gain.shape[0], device="cuda") * 2 - 1).to(kind)
    found = {"tokens": tokens}
    for form in ("grouped", "loop"):
        if form == "grouped" and grouped_product is None:
            found[form] = None
            continue
        run = getattr(made, form)

        def step():
            for tensor in made.tensors:
                tensor.grad = None
            run(x * made.gain).float().square().mean().backward()
            with torch.no_grad():
                for tensor in made.tensors:
                    tensor -= 0.0 * tensor.grad

        def forward():
            with torch.no_grad():
                run(x * made.gain)

        try:
            found[form] = {"forward": milliseconds(forward), "step": milliseconds(step)}
        except (RuntimeError, TypeError, ValueError) as error:
            found[form] = None
            print(f"{form}: {str(error).splitlines()[0]}", file=sys.stderr)
    return found


def layer(request):
    kind = getattr(torch, request["type"])
    torch.backends.cuda.matmul.allow_tf32 = False
    made = Layer(request["width"], request["hidden"], request["experts"], request["k"], kind)
    for tokens in request["tokens"]:
        print(json.dumps(times(made, tokens, kind)), flush=True)


if __name__ == "__main__":
    if not torch.cuda.is_available():
        sys.exit(3)
    if sys.argv[1] == "probe":
        print(json.dumps(probe()))
    else:
        layer(json.loads(sys.argv[1]))
