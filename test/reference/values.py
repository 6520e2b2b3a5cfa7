"""Reference values of the standard library in NumPy, in double precision, apart from the compiler and from the tests' own formulas.

In: nothing; the numbers are sines. Out: values.json beside this file: for each case the tensors by name, and what comes out.
The steps follow the released implementations, named at each case, where they differ in form from what std writes.
Run: python3 test/reference/values.py
"""

import json
from math import erf
from pathlib import Path

import numpy as np


def numbers(start, *shape):
    """Numbers that 32-bit floats hold exactly, so that all sides start from the same."""
    count = int(np.prod(shape))
    return np.sin(start + 0.7 * np.arange(count)).astype(np.float32).astype(np.float64).reshape(shape)


def softmax(z, axis=-1):
    power = np.exp(z - z.max(axis=axis, keepdims=True))
    return power / power.sum(axis=axis, keepdims=True)


def case(tensors, **wanted):
    flat = lambda value: np.asarray(value, dtype=np.float64).ravel().tolist()
    return {
        "tensors": {name: flat(value) for name, value in tensors.items()},
        "wanted": {name: flat(value) for name, value in wanted.items()},
    }


def shifted_windows():
    """microsoft/Swin-Transformer, swin_transformer_moe.py: roll, regions, partition, attention under a mask of -100, roll back."""
    H, W, D, heads, A, shift, hidden = 6, 9, 4, 2, 3, 1, 5
    C = D // heads
    x = numbers(1, H, W, D)
    enter, enter_bias = numbers(2, D, 3 * D), numbers(3, 3 * D)
    leave, leave_bias = numbers(4, D, D), numbers(5, D)
    into, into_bias, say = numbers(6, 2, hidden), numbers(7, hidden), numbers(8, hidden, heads)

    def windows(grid):
        cut = grid.reshape(H // A, A, W // A, A, -1).transpose(0, 2, 1, 3, 4)
        return cut.reshape(-1, A * A, grid.shape[-1])

    rolled = np.roll(x, (-shift, -shift), axis=(0, 1))
    region = np.zeros((H, W, 1))
    for r, rows in enumerate((slice(0, -A), slice(-A, -shift), slice(-shift, None))):
        for c, columns in enumerate((slice(0, -A), slice(-A, -shift), slice(-shift, None))):
            region[rows, columns] = 3 * r + c
    parts = windows(region)[..., 0]
    mask = np.where(parts[:, :, None] == parts[:, None, :], 0.0, -100.0)

    offsets = np.arange(-(A - 1), A) * 8.0 / (A - 1)
    table = np.stack(np.meshgrid(offsets, offsets, indexing="ij"), -1)
    table = np.sign(table) * np.log2(np.abs(table) + 1) / np.log2(8)
    table = np.maximum(table @ into + into_bias, 0) @ say
    place = np.stack(np.meshgrid(np.arange(A), np.arange(A), indexing="ij"), -1).reshape(-1, 2)
    apart = place[:, None] - place[None] + A - 1
    bias = table[apart[..., 0], apart[..., 1]].transpose(2, 0, 1)

    three = (windows(rolled) @ enter + enter_bias).reshape(-1, A * A, 3, heads, C).transpose(2, 0, 3, 1, 4)
    score = three[0] @ three[1].swapaxes(-1, -2) / np.sqrt(C) + bias + mask[:, None]
    mixed = (softmax(score) @ three[2]).transpose(0, 2, 1, 3).reshape(-1, A * A, D)
    said = (mixed @ leave + leave_bias).reshape(H // A, W // A, A, A, D).transpose(0, 2, 1, 3, 4)
    out = np.roll(said.reshape(H, W, D), (shift, shift), axis=(0, 1))
    return case(
        {
            "x": x,
            "windowedattention.enter": enter,
            "windowedattention.enter_bias": enter_bias,
            "leave": leave,
            "leave_bias": leave_bias,
            "distancebias.enter": into,
            "distancebias.enter_bias": into_bias,
            "say": say,
        },
        out=out,
    )


def cosine(independent):
    """X-MoE, arXiv 2204.09179, eq. 7 to 10: both sides of unit length, one of N, N / B times a sum for the balance."""
    T, D, N, alpha = 6, 5, 4, 0.01
    x, project, point = numbers(1, T, D), numbers(2, D, N // 2), numbers(3, N // 2, N)
    temperature, fixed = 0.25, 0.07 if independent else 0.3
    h = x @ project
    s = (h / np.linalg.norm(h, axis=1, keepdims=True)) @ (point / np.linalg.norm(point, axis=0))
    best = s.argmax(axis=1)
    gate = 1 / (1 + np.exp(-s / temperature)) if independent else softmax(s / temperature)
    weight = np.where(np.arange(N) == best[:, None], gate, 0)
    frequency = np.bincount(best, minlength=N) / T
    balance = alpha * N / T * (frequency * softmax(s / fixed)).sum()
    return case(
        {"x": x, "project": project, "expert_point": point, "temperature": temperature}, out=weight, balance=balance
    )


def patches(weighted):
    """Union of Experts, arXiv 2503.02495: gather c of m patches for each part, in batches of one product, add at their places."""
    B, T, D, P, N, H = 2, 8, 3, 2, 2, 2
    m, c, k = T // P, T // P // 2, N // 2
    x = numbers(1, B, T, D)
    gate, gate_bias = numbers(2, P * D, N), numbers(3, N)
    up, up_bias = numbers(4, N, D, H), numbers(5, N, H)
    down, down_bias = numbers(6, N, H, D), numbers(7, N, D)
    gelu = np.vectorize(lambda z: z * (1 + erf(z / np.sqrt(2))) / 2)
    cut = x.reshape(B, m, P, D)
    p = softmax(cut.reshape(B, m, P * D) @ gate + gate_bias)
    kept = np.where(p >= np.sort(p, axis=-1)[..., -k][..., None], p, 0)
    route = kept / (kept.sum(axis=0, keepdims=True) + 1e-8)
    out = np.zeros_like(cut)
    for b in range(B):
        for e in range(N):
            ids = np.sort(np.argsort(-route[b, :, e], kind="stable")[:c])
            said = gelu(cut[b, ids] @ up[e] + up_bias[e]) @ down[e] + down_bias[e]
            out[b, ids] += said * (p[b, ids, e][:, None, None] if weighted else 1)
    return case(
        {
            "x": x,
            "router.w": gate,
            "router.bias": gate_bias,
            "pool.up": up,
            "pool.up_bias": up_bias,
            "pool.down": down,
            "pool.down_bias": down_bias,
        },
        out=out,
    )


def worth():
    """HITsz-TMG/Uni-MoE, load balancing with weights of tokens: counts and shares, each a sum by weight over the sum of weights."""
    T, N, S, threshold = 6, 4, 2, 0.7
    x = numbers(1, T, N + S)
    z = x[:, :N]
    value = np.where(x[:, 0] > 0, 10.0, 1.0)
    probability = softmax(z)
    count = (np.cumsum(-np.sort(-probability, axis=1), axis=1) < threshold).sum(axis=1) + 1
    rank = np.argsort(np.argsort(-z, axis=1, kind="stable"), axis=1)
    mask = rank < count[:, None]
    among = softmax(np.where(mask, z, -np.inf))
    tokens = (mask * value[:, None]).sum(axis=0) / value.sum()
    share = (among * value[:, None]).sum(axis=0) / value.sum()
    weight = softmax(np.concatenate([np.where(mask, z, -np.inf), x[:, N:]], axis=1))[:, :N]
    return case({"x": x}, out=weight, balance=0.025 * N * (tokens * share).sum())


values = {
    "shifted windows": shifted_windows(),
    "cosine, softmax": cosine(False),
    "cosine, sigmoid": cosine(True),
    "patches": patches(False),
    "patches, weighted": patches(True),
    "worth": worth(),
}
Path(__file__).with_name("values.json").write_text(json.dumps(values, indent=1) + "\n")
