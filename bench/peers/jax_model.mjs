// jax-js as a peer: the routed layer and the language model, with AdamW, each step one compiled function. Runs in Node and in
// a page. In: the library and the arrays of the exchange. Out: functions that do a check or a number of steps.
// Of its two formulations (jax_layer.mjs) the better counts.

import { layerParameters, routedLayer, trainer } from "./jax_layer.mjs";

const experts = 8;
const k = 2;

/** `capacity`: rows of the fullest expert, for the layer and for the language model. */
export function jaxPeer(jax, arrays, capacity) {
  const { numpy: np, nn, jit, tree } = jax;
  const array = (name, shape) =>
    np.array(arrays.get(name).values.slice()).reshape(shape ?? arrays.get(name).shape);

  const pool = (router, path, form) =>
    layerParameters(jax, (name) => arrays.get(name === "router" ? router : `${path}.${name}`), form);
  const routed = (form, room) => routedLayer(jax, { experts, k, room }, form);

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

  const layer = (form) => {
    const f = routed(form, capacity.layer);
    const params = pool("layer.router.w", "layer.pool", form);
    const inputs = [array("layer.x"), array("layer.target")];
    const forward = jit((p, x) => f(p, x));
    const loss = (p, x, target) => np.mean(np.square(f(p, x).sub(target.ref)));
    const output = async () => (await forward(tree.ref(params), inputs[0].ref)).data();
    return { output, params, step: () => trainer(jax, params, loss, inputs) };
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
      step: () => trainer(jax, params, loss, [ids("language.text"), ids("language.text.next"), ...constants]),
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
