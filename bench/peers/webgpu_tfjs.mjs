// TensorFlow.js as a peer on WebGPU: the layer of its operators, as a user would write it. `loop` reads the picks back, sorts rows by
// expert in JavaScript and does three products for each expert that has any; `dense` computes every expert for every token in batched
// products, and masks by weight. A step of training: gradients by its tape, AdamW in its operators (it has Adam without decay).
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import "@tensorflow/tfjs-backend-webgpu";

const names = ["router", "gate", "up", "down"];
const [rate, beta1, beta2, decay] = [1e-3, 0.9, 0.95, 0.1];

export const forms = () => ["loop", "dense"];

export async function open({ width, experts, k, tokens, weights, x, target }, form, task) {
  if (!(await tf.setBackend("webgpu"))) throw new Error("it finds no WebGPU here");
  await tf.ready();
  const variables = names.map((name) => tf.variable(tf.tensor(weights[name].values, weights[name].shape)));
  const rows = (values) => tf.tensor2d(values, [tokens, width]);
  const swiglu = (given, gate, up, down) => {
    const g = tf.matMul(given, gate);
    return tf.matMul(tf.mul(tf.mul(g, tf.sigmoid(g)), tf.matMul(given, up)), down);
  };
  const dense = (least) => (given, router, gate, up, down) => {
    const share = tf.softmax(tf.matMul(given, router));
    const kept = tf.where(tf.greaterEqual(share, least), share, tf.zerosLike(share));
    const weight = tf.div(kept, tf.sum(kept, 1, true));
    const every = tf.tile(tf.expandDims(given, 0), [experts, 1, 1]);
    return tf.sum(tf.mul(swiglu(every, gate, up, down), tf.expandDims(tf.transpose(weight), 2)), 0);
  };
  const loop = (picks) => (given, router, gate, up, down) => {
    const share = tf.softmax(tf.matMul(given, router));
    const chosen = tf.cast(tf.oneHot(tf.tensor2d(picks, [tokens, k], "int32"), experts), "float32");
    const best = tf.sum(tf.mul(chosen, tf.expandDims(share, 1)), 2);
    const weight = tf.div(best, tf.sum(best, 1, true));
    const place = new Int32Array(tokens * k);
    const byExpert = Array.from({ length: experts }, () => []);
    picks.forEach((expert, pick) => byExpert[expert].push(pick));
    let done = 0;
    const results = byExpert.flatMap((mine, expert) => {
      if (mine.length === 0) return [];
      for (const pick of mine) place[pick] = done++;
      const token = tf.tensor1d(
        mine.map((pick) => Math.floor(pick / k)),
        "int32",
      );
      const part = (stack) => tf.squeeze(tf.slice(stack, [expert, 0, 0], [1, -1, -1]), [0]);
      return [swiglu(tf.gather(given, token), part(gate), part(up), part(down))];
    });
    const back = tf.gather(tf.concat(results), tf.tensor1d(place, "int32"));
    return tf.sum(tf.mul(tf.reshape(back, [tokens, k, width]), tf.expandDims(weight, 2)), 1);
  };
  /** The layer for these tokens. Their choice is made before: it has no gradient. */
  const layer = async (given) => {
    const best = tf.tidy(() => {
      const { values, indices } = tf.topk(tf.softmax(tf.matMul(given, variables[0])), k);
      return form === "dense" ? tf.slice(values, [0, k - 1], [tokens, 1]) : indices;
    });
    if (form === "dense") return { of: dense(best), done: () => best.dispose() };
    const picks = await best.data();
    best.dispose();
    return { of: loop(picks), done: () => undefined };
  };
  const free = (list) => list.forEach((each) => each.dispose());
  if (task === "forward")
    return {
      async forward() {
        const given = rows(x);
        const { of, done } = await layer(given);
        const y = tf.tidy(() => of(given, ...variables));
        const values = await y.data();
        done();
        free([given, y]);
        return values;
      },
      dispose: () => free(variables),
    };
  const moments = variables.map(({ shape }) => [0, 1].map(() => tf.variable(tf.zeros(shape))));
  let done = 0;
  return {
    async step() {
      done++;
      const [given, wanted] = [rows(x), rows(target)];
      const { of, done: settled } = await layer(given);
      const loss = tf.tidy(() => {
        const lossOf = (...all) => tf.mean(tf.square(tf.sub(of(given, ...all), wanted)));
        const { value, grads } = tf.valueAndGrads(lossOf)(variables);
        variables.forEach((variable, i) => {
          const [m, v] = moments[i];
          m.assign(tf.add(tf.mul(m, beta1), tf.mul(grads[i], 1 - beta1)));
          v.assign(tf.add(tf.mul(v, beta2), tf.mul(tf.square(grads[i]), 1 - beta2)));
          const change = tf.div(
            tf.div(m, 1 - beta1 ** done),
            tf.add(tf.sqrt(tf.div(v, 1 - beta2 ** done)), 1e-8),
          );
          variable.assign(tf.sub(variable, tf.mul(tf.add(change, tf.mul(variable, decay)), rate)));
        });
        return value;
      });
      const [number] = await loss.data();
      // The loss is there before the optimiser has run.
      const last = tf.slice(variables[3], [0, 0, 0], [1, 1, 1]);
      await last.data();
      settled();
      free([given, wanted, loss, last]);
      return number;
    },
    dispose: () => free([...variables, ...moments.flat()]),
  };
}
