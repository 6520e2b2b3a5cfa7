// jax-js as a peer on WebGPU: the layer compiled whole, and a compiled step of training.
import * as jax from "@jax-js/jax";
import { layerParameters, routedLayer, trainer } from "./jax_layer.mjs";

export const forms = () => ["dense", "grouped"];

export async function open({ width, experts, k, tokens, fullest, weights, x, target }, form, task) {
  if (!(await jax.init("webgpu")).includes("webgpu")) throw new Error("it finds no WebGPU here");
  jax.defaultDevice("webgpu");
  const { numpy: np, jit, tree } = jax;
  const rows = (values) => np.array(values.slice()).reshape([tokens, width]);
  const layer = routedLayer(jax, { experts, k, room: fullest }, form);
  const params = layerParameters(jax, (name) => weights[name], form);
  if (task === "step") {
    const loss = (p, given, wanted) => np.mean(np.square(layer(p, given).sub(wanted.ref)));
    const inputs = [rows(x), rows(target)];
    const step = trainer(jax, params, loss, inputs);
    return {
      step,
      dispose: () => {
        step.dispose();
        tree.dispose(inputs);
      },
    };
  }
  const forward = jit((p, given) => layer(p, given));
  return {
    async forward() {
      const y = forward(tree.ref(params), rows(x));
      return y.data();
    },
    dispose: () => tree.dispose(params),
  };
}
