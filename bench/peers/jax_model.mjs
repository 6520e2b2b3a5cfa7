// jax-js as a peer: the routed layer and the language model, with AdamW, each step one compiled function. Runs in Node and in
// a page. In: the library and the arrays of the exchange. Out: functions that do a check or a number of steps.
// Two formulations, of which the better counts: `dense` computes every expert for every token, as one product over all
// experts, and masks by weight; `grouped` moves rows to experts and back by products with one-hot matrices, as GShard does, up
// to a capacity (that of the fullest expert, known from outside). Gathers have no compiled gradient in this library.
// Arrays are counted: an argument is used up unless passed as `.ref`. While a function is traced it does no harm to keep one more.

const experts = 8;
const beta1 = 0.9;
const beta2 = 0.95;

/** `capacity`: rows of the fullest expert, for the layer and for the language model. */
export function jaxPeer(jax, arrays, capacity) {
  const { numpy: np, nn, lax, jit, valueAndGrad, tree } = jax;
  const array = (name, shape) =>
    np.array(arrays.get(name).values.slice()).reshape(shape ?? arrays.get(name).shape);

  /** [experts, a, b] as [a, experts * b]: one product for all experts. */
  const side = (name) => {
    const { shape, values } = arrays.get(name);
    const [E, A, B] = shape;
    const out = new Float32Array(values.length);
    for (let e = 0; e < E; e++)
      for (let a = 0; a < A; a++)
        out.set(values.subarray((e * A + a) * B, (e * A + a + 1) * B), (a * E + e) * B);
    return np.array(out).reshape([A, E * B]);
  };
  const pool = (router, path, form) =>
    form === "dense"
      ? { router: array(router), gate: side(`${path}.gate`), up: side(`${path}.up`), down: flatDown(path) }
      : {
          router: array(router),
          gate: array(`${path}.gate`),
          up: array(`${path}.up`),
          down: array(`${path}.down`),
        };
  const flatDown = (path) => {
    const [E, H, D] = arrays.get(`${path}.down`).shape;
    return array(`${path}.down`, [E * H, D]);
  };

  /** Softmax, the two best, summing to 1; zeros elsewhere. */
  const gates = (p, x) => {
    const share = nn.softmax(np.matmul(x.ref, p.router.ref), -1);
    const best = np.max(share.ref, -1, { keepdims: true });
    const others = np.where(share.ref.less(best.ref), share.ref, 0);
    const second = lax.stopGradient(np.max(others, -1, { keepdims: true }));
    const kept = np.where(share.ref.less(second), 0, share);
    return kept.ref.div(np.sum(kept, -1, { keepdims: true }));
  };

  const routedDense = (p, x) => {
    const tokens = x.shape[0];
    const weight = gates(p, x);
    const h = nn.silu(np.matmul(x.ref, p.gate.ref)).mul(np.matmul(x.ref, p.up.ref));
    const hidden = h.shape[1] / experts;
    const weighted = h.reshape([tokens, experts, hidden]).mul(weight.reshape([tokens, experts, 1]));
    return np.matmul(weighted.reshape([tokens, experts * hidden]), p.down.ref);
  };

  const routedGrouped = (room) => (p, x) => {
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
  const routed = (form, room) => (form === "dense" ? routedDense : routedGrouped(room));

  const norm = (x, gain) =>
    x.ref.div(np.sqrt(np.mean(np.square(x.ref), -1, { keepdims: true }).add(1e-6))).mul(gain.ref);

  /** Turns the halves of each head. */
  const turn = (x, cos, sin) => {
    const half = x.shape[3] / 2;
    const first = x.ref.slice([], [], [], [0, half]);
    const second = x.slice([], [], [], [half]);
    return np.concatenate(
      [first.ref.mul(cos.ref).sub(second.ref.mul(sin.ref)), second.mul(cos.ref).add(first.mul(sin.ref))],
      3,
    );
  };

  const attention = (p, x, batch, heads, angles) => {
    const [rows, width] = x.shape;
    const length = rows / batch;
    const each = width / heads;
    const project = (w) => np.matmul(x.ref, w.ref).reshape([batch, length, heads, each]);
    const q = turn(project(p.query), angles.cos, angles.sin).transpose([0, 2, 1, 3]);
    const kt = turn(project(p.key), angles.cos, angles.sin).transpose([0, 2, 3, 1]);
    const v = project(p.value).transpose([0, 2, 1, 3]);
    const score = np
      .matmul(q, kt)
      .mul(1 / Math.sqrt(each))
      .add(angles.mask.ref);
    const mixed = np.matmul(nn.softmax(score, -1), v).transpose([0, 2, 1, 3]).reshape([rows, width]);
    return np.matmul(mixed, p.out.ref);
  };

  /** Parameters, their moments, and a compiled step. */
  const trainer = (params, lossOf, inputs) => {
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
    return async () => {
      done++;
      const scalars = [1 - beta1 ** done, 1 - beta2 ** done].map((each) => np.array(each));
      const result = step(state, ...scalars, ...inputs.map((each) => each.ref));
      state = result.state;
      await jax.blockUntilReady(state);
      return (await result.loss.data())[0];
    };
  };

  const layer = (form) => {
    const f = routed(form, capacity.layer);
    const params = pool("layer.router.w", "layer.pool", form);
    const inputs = [array("layer.x"), array("layer.target")];
    const forward = jit((p, x) => f(p, x));
    const loss = (p, x, target) => np.mean(np.square(f(p, x).sub(target.ref)));
    const output = async () => (await forward(tree.ref(params), inputs[0].ref)).data();
    return { output, params, step: () => trainer(params, loss, inputs) };
  };

  const language = (form) => {
    const [batch, length] = arrays.get("language.text").shape;
    const [vocab, width] = arrays.get("language.table").shape;
    const heads = 4;
    const each = width / heads;
    const f = routed(form, capacity.language);
    const layers = [0, 1, 2, 3].map((i) => {
      const path = `language.block.${i}`;
      return {
        norm0: array(`${path}.rmsnorm.0.gain`),
        norm1: array(`${path}.rmsnorm.1.gain`),
        query: array(`${path}.causalattention.query`),
        key: array(`${path}.causalattention.key`),
        value: array(`${path}.causalattention.value`),
        out: array(`${path}.causalattention.out`),
        pool: pool(`${path}.experts.router.w`, `${path}.experts.routed`, form),
      };
    });
    const params = {
      table: array("language.table"),
      head: array("language.head"),
      final: array("language.rmsnorm.gain"),
      layers,
    };
    const angle = Array.from({ length }, (_, t) =>
      Array.from({ length: each / 2 }, (_, c) => t / 10000 ** ((2 * c) / each)),
    ).flat();
    const wave = (of) => np.array(Float32Array.from(angle, of)).reshape([1, length, 1, each / 2]);
    const hidden = Float32Array.from({ length: length * length }, (_, i) =>
      i % length > Math.floor(i / length) ? -1e9 : 0,
    );
    const constants = [wave(Math.cos), wave(Math.sin), np.array(hidden).reshape([1, 1, length, length])];
    // A row of a table by a product with the choice of it, so that its gradient is a product too.
    const loss = (p, text, next, cos, sin, mask) => {
      let x = np.matmul(nn.oneHot(text.ref, vocab), p.table.ref);
      for (const l of p.layers) {
        x = x.ref.add(attention(l, norm(x, l.norm0), batch, heads, { cos, sin, mask }));
        x = x.ref.add(f(l.pool, norm(x, l.norm1)));
      }
      const logits = np.matmul(norm(x, p.final), p.head.ref);
      const chosen = nn.logSoftmax(logits, -1).mul(nn.oneHot(next.ref, vocab));
      return np.sum(chosen).mul(-1 / (batch * length));
    };
    const ids = (name) => array(name, [batch * length]);
    return {
      params,
      step: () => trainer(params, loss, [ids("language.text"), ids("language.text.next"), ...constants]),
    };
  };

  const made = new Map();
  const stepOf = (name) => {
    const [what, form] = name.split(".");
    if (!made.has(name)) made.set(name, (what === "layer" ? layer(form) : language(form)).step());
    return made.get(name);
  };

  return {
    async check(form) {
      const one = layer(form);
      const expected = arrays.get("layer.logits").values;
      const out = await one.output();
      const largest = expected.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
      const away = out.reduce((most, each, i) => Math.max(most, Math.abs(each - expected[i])), 0);
      const losses = async (step) => [await step(), await step(), await step()];
      return {
        difference: away / largest,
        layer: await losses(stepOf(`layer.${form}`)),
        language: await losses(stepOf(`language.${form}`)),
      };
    },
    async time(name, runs) {
      const step = stepOf(name);
      let best = Infinity;
      for (let i = 0; i < runs; i++) {
        const start = performance.now();
        await step();
        best = Math.min(best, (performance.now() - start) / 1000);
      }
      return best;
    },
  };
}
