// ONNX files: nodes, tensors and ports as bytes. ONNX is protobuf: a message is a row of fields, each a key (number * 8 + wire
// type) and a number or a length with bytes. Only what the bench's models need. Field numbers are those of onnx.proto.

const text = new TextEncoder();

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
}

export type Message = readonly Uint8Array[];

const integer = (field: number, value: number): Uint8Array =>
  Uint8Array.from([...varint(field * 8), ...varint(value)]);
const bytes = (field: number, value: Uint8Array): Message => [
  Uint8Array.from([...varint(field * 8 + 2), ...varint(value.length)]),
  value,
];
const string = (field: number, value: string): Message => bytes(field, text.encode(value));
const message = (field: number, parts: readonly (Uint8Array | Message)[]): Message =>
  bytes(field, joined(parts));
const float = (field: number, value: number): Uint8Array =>
  Uint8Array.from([...varint(field * 8 + 5), ...new Uint8Array(Float32Array.of(value).buffer)]);

function joined(parts: readonly (Uint8Array | Message)[]): Uint8Array {
  const flat = parts.flatMap((part) => (part instanceof Uint8Array ? [part] : part));
  const whole = new Uint8Array(flat.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of flat) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const floatType = 1;
const longType = 7;

/** Whole numbers must not be negative. */
export type Attribute = number | string | { readonly float: number };

const attribute = (name: string, value: Attribute): Message => {
  const [field, type] =
    typeof value === "string"
      ? [bytes(4, text.encode(value)), 3]
      : typeof value === "number"
        ? [integer(3, value), 2]
        : [float(2, value.float), 1];
  return message(5, [string(1, name), field, integer(20, type)]);
};

/** An operator with the names of its inputs and outputs; of `domain`, else of ONNX. */
export const node = (
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
  domain?: string,
): Message =>
  message(1, [
    ...inputs.map((name) => string(1, name)),
    ...outputs.map((name) => string(2, name)),
    string(4, operator),
    ...(domain === undefined ? [] : [string(7, domain)]),
    ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  ]);

const head = (name: string, shape: readonly number[], type: number): (Uint8Array | Message)[] => [
  ...shape.map((size) => integer(1, size)),
  integer(2, type),
  string(8, name),
];

export const tensor = (name: string, shape: readonly number[], values: Float32Array): Message =>
  message(5, [
    ...head(name, shape, floatType),
    bytes(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  ]);

/** Whole numbers, which must not be negative. */
export const longs = (name: string, shape: readonly number[], values: readonly number[]): Message =>
  message(5, [...head(name, shape, longType), ...values.map((value) => integer(7, value))]);

/** Numbers that lie in a file beside the model's. */
export const outside = (
  name: string,
  shape: readonly number[],
  file: string,
  place: { readonly offset: number; readonly length: number },
): Message =>
  message(5, [
    ...head(name, shape, floatType),
    ...Object.entries({ location: file, ...place }).map(([key, value]) =>
      message(13, [string(1, key), string(2, String(value))]),
    ),
    integer(14, 1),
  ]);

const port = (field: number, name: string, shape: readonly number[]): Message =>
  message(field, [
    string(1, name),
    message(2, [
      message(1, [
        integer(1, floatType),
        message(
          2,
          shape.map((size) => message(1, [integer(1, size)])),
        ),
      ]),
    ]),
  ]);

const operatorSet = (domain: string, version: number): Message =>
  message(8, [string(1, domain), integer(2, version)]);

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly Message[];
  readonly tensors: readonly Message[];
  /** Shapes, by name; all of f32. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
}

/** The bytes of a model file. */
export function onnxFile({ name, nodes, tensors, inputs, outputs }: OnnxGraph): Uint8Array {
  const ports = (field: number, shapes: Readonly<Record<string, readonly number[]>>): Message[] =>
    Object.entries(shapes).map(([named, shape]) => port(field, named, shape));
  const graph = message(7, [
    ...nodes,
    string(2, name),
    ...tensors,
    ...ports(11, inputs),
    ...ports(12, outputs),
  ]);
  return joined([integer(1, 9), graph, operatorSet("", 17), operatorSet("com.microsoft", 1)]);
}
