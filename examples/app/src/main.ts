// Trains a compiled model on a string, says how it goes, and lets it speak. The model is an import like any other.
import small from "../model/small.js";

const text = "the cat sat on the mat. the dog sat on the log. ".repeat(40);

const model = await small.load();
const { train, held } = await model.data({ text });

for (let step = 0; step < 120; step++) {
  const { loss, accuracy, learningRate } = await model.trainStep(train.batch(step));
  if (step % 20 === 0)
    console.log(
      `step ${step}: loss ${loss.toFixed(3)}, accuracy ${accuracy.toFixed(2)}, rate ${learningRate.toFixed(4)}`,
    );
}

const { loss, accuracy } = await model.evaluate(held.batch(0));
console.log(`held out: loss ${loss.toFixed(3)}, accuracy ${accuracy.toFixed(2)}`);

for (const [router, { load }] of Object.entries(await model.routes(held.batch(0))))
  console.log(`${router}: ${load.values.join(", ")}`);

process.stdout.write("the cat ");
for await (const piece of model.generate("the cat ", { tokens: 40, temperature: 0, seed: 1 }))
  process.stdout.write(piece);
process.stdout.write("\n");

// What it has learned, as a safetensors file: `small.load({ weights })` takes it, and so do other tools.
const weights = await model.saveWeights();
console.log(`${weights.length} bytes of weights`);
model.dispose();
