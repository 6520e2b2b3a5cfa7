// Reads what exchange.ts wrote. In: the manifest and the bytes. Out: a map of names to shapes and values. Runs in a page too.
export function exchange(manifest, bytes) {
  const whole = new Uint8Array(bytes).buffer;
  return new Map(
    Object.entries(manifest).map(([name, { type, shape, offset }]) => {
      const count = shape.reduce((a, b) => a * b, 1);
      const values =
        type === "f32" ? new Float32Array(whole, offset, count) : new Int32Array(whole, offset, count);
      return [name, { shape, values }];
    }),
  );
}
