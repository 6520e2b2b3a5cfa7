// ONNX Runtime web as a peer on WebGPU: the layer in standard operators, because its own operator MoE runs on its CPU provider only,
// which the form `MoE` shows (QMoE, which WebGPU has, takes weights of 4 or 8 bits). Forward only: it does not train. Its files are
// served under /onnx/.
import * as ort from "onnxruntime-web/webgpu";
import { routedModel } from "./onnx-model.ts";
import { standardModel, weightFile, weightOrder } from "./onnx-standard.ts";

/** So many tokens still have their experts' matrices gathered. */
const fewTokens = 2;

export const forms = ({ tokens }) => ["dense", "loop", ...(tokens <= fewTokens ? ["chosen"] : []), "MoE"];

export async function open({ width, hidden, experts, k, tokens, weights, x }, form) {
  ort.env.wasm.wasmPaths = "/onnx/";
  ort.env.logLevel = "fatal";
  const sizes = { width, hidden, experts, k, tokens };
  // Operators without kernels on WebGPU would run on the CPU unsaid. Only where picks are sorted and looked up they may.
  const whole = form === "dense" || form === "MoE";
  const strictly = whole ? { extra: { session: { disable_cpu_ep_fallback: "1" } } } : {};
  const options = { executionProviders: ["webgpu"], ...strictly };
  const numbers = (name) => weights[name].values;
  const session =
    form === "MoE"
      ? await ort.InferenceSession.create(
          routedModel({
            ...sizes,
            ...Object.fromEntries(weightOrder.map((name) => [name, numbers(name)])),
          }),
          options,
        )
      : await ort.InferenceSession.create(standardModel(sizes, form), {
          ...options,
          externalData: [{ path: weightFile, data: joined(weightOrder.map(numbers)) }],
        });
  return {
    async forward() {
      const { y } = await session.run({ x: new ort.Tensor("float32", x, [tokens, width]) });
      const values = await y.getData(true);
      return values;
    },
    dispose: () => session.release(),
  };
}

function joined(arrays) {
  const whole = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    whole.set(array, at);
    at += array.length;
  }
  return new Uint8Array(whole.buffer);
}
