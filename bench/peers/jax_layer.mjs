// A routed layer in jax-js, and training with AdamW as one compiled function. In: the library; how many experts, how many picks. Out:
// functions of arrays, in two formulations: `dense` computes every expert for every token, as one product over all experts, and
// masks by weight; `grouped` moves rows to experts and back by products with one-hot matrices, as GShard does, up to a capacity.
// Gathers have no compiled gradient in this library. Arrays are counted: an argument is used up unless passed as `.ref`. While a
// function is traced it does no harm to keep one more.

const beta1 = 0.9;
const beta2 = 0.95;

/** Of each expert's matrices, [experts, a, b] as [a, experts * b]: one product for all experts. */
export function sideBySide({ shape, values }) {
  const [E, A, B] = shape;
  const out = new Float32Array(values.length);
  for (let e = 0; e < E; e++)
    for (let a = 0; a < A; a++)
      out.set(values.subarray((e * A + a) * B, (e * A + a + 1) * B), (a * E + e) * B);
  return { shape: [A, E * B], values: out };
}

/** The layer's parameters as a formulation wants them; `read` gives a matrix or a stack by name. */
export function layerParameters({ numpy: np }, read, form) {
  const array = ({ shape, values }) => np.array(values.slice()).reshape(shape);
  const [router, gate, up, down] = ["router", "gate", "up", "down"].map(read);
  if (form !== "dense") return { router: array(router), gate: array(gate), up: array(up), down: array(down) };
  const [E, H, D] = down.shape;
  return {
    router: array(router),
    gate: array(sideBySide(gate)),
    up: array(sideBySide(up)),
    down: array({ shape: [E * H, D], values: down.values }),
  };
}

/** The layer in a formulation; `room`: rows of the fullest expert, which `grouped` is told beforehand. */
export function routedLayer({ numpy: np, nn, lax }, { experts, k, room }, form) {
  /** Softmax, the k best, summing to 1; zeros elsewhere. */
  const gates = (p, x) => {
    const share = nn.softmax(np.matmul(x.ref, p.router.ref), -1);
    let rest = share.ref;
    for (let better = 1; better < k; better++) {
      const best = np.max(rest.ref, -1, { keepdims: true });
      rest = np.where(rest.ref.less(best), rest, 0);
    }
    const least = lax.stopGradient(np.max(rest, -1, { keepdims: true }));
    const kept = np.where(share.ref.less(least), 0, share);
    return kept.ref.div(np.sum(kept, -1, { keepdims: true }));
  };

  const dense = (p, x) => {
    const tokens = x.shape[0];
    const weight = gates(p, x);
    const h = nn.silu(np.matmul(x.ref, p.gate.ref)).mul(np.matmul(x.ref, p.up.ref));
    const hidden = h.shape[1] / experts;
    const weighted = h.reshape([tokens, experts, hidden]).mul(weight.reshape([tokens, experts, 1]));
    return np.matmul(weighted.reshape([tokens, experts * hidden]), p.down.ref);
  };

  const grouped = (p, x) => {
    const [tokens, width] = x.shape;
    const weight = gates(p, x);
    const chosen = lax.stopGradient(np.where(np.equal(weight.ref, 0), 0, 1));
    // How many tokens before have taken the expert: a product with a triangle of ones.
    const rank = np.matmul(np.tri(tokens, tokens, -1), chosen.ref);
    const byExpert = (each) => each.transpose([1, 0]).reshape([experts, 1, tokens]);
    const places = np.arange(room).astype(np.float32).reshape([1, room, 1]);
    const dispatch = lax.stopGradient(np.where(np.equal(byExpert(rank), places), byExpert(chosen), 0));
    const combine = dispatch.ref.mul(byExpert(weight)).reshape([experts * room, tokens]);
    const rows = np.matmul(dispatch.reshape([experts * room, tokens]), x.ref).reshape([experts, room, width]);
    const h = nn.silu(np.matmul(rows.ref, p.gate.ref)).mul(np.matmul(rows, p.up.ref));
    const y = np.matmul(h, p.down.ref).reshape([experts * room, width]);
    return np.matmul(combine.transpose([1, 0]), y);
  };
  return form === "dense" ? dense : grouped;
}

/** Parameters, their moments, and a compiled step, which gives its loss; `dispose` gives all of them back. */
export function trainer(jax, params, lossOf, inputs) {
  const { numpy: np, jit, valueAndGrad, tree } = jax;
  const zeros = (p) => tree.map((each) => np.zeros(each.shape), p);
  let state = { params, m: zeros(params), v: zeros(params) };
  const step = jit((state, c1, c2, ...given) => {
    const [loss, gradient] = valueAndGrad((p) => lossOf(p, ...given))(tree.ref(state.params));
    const m = tree.map((m, g) => m.ref.mul(beta1).add(g.ref.mul(1 - beta1)), state.m, gradient);
    const v = tree.map((v, g) => v.ref.mul(beta2).add(np.square(g.ref).mul(1 - beta2)), state.v, gradient);
    const next = tree.map(
      (p, m, v) => {
        const change = m.ref.div(c1.ref).div(np.sqrt(v.ref.div(c2.ref)).add(1e-8));
        const whole = p.shape.length >= 2 ? change.add(p.ref.mul(0.1)) : change;
        return p.ref.sub(whole.mul(1e-3));
      },
      state.params,
      m,
      v,
    );
    return { loss, state: { params: next, m, v } };
  });
  let done = 0;
  const run = async () => {
    done++;
    const scalars = [1 - beta1 ** done, 1 - beta2 ** done].map((each) => np.array(each));
    const result = step(state, ...scalars, ...inputs.map((each) => each.ref));
    state = result.state;
    await jax.blockUntilReady(state);
    return (await result.loss.data())[0];
  };
  return Object.assign(run, { dispose: () => tree.dispose(state) });
}
