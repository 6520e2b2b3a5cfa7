// runtime/size.ts
var constant = (value) => value === 0 ? [] : [{ coefficient: value, factors: [] }];
var named = (name) => [{ coefficient: 1, factors: [name] }];
var one = constant(1);
var factorKey = (factor) => typeof factor === "string" ? factor : `${factor.fn}(${sizeKey(factor.of)}, ${sizeKey(factor.by)})`;
var termKey = (factors) => factors.map(factorKey).join("*");
function sizeKey(size) {
  if (size.length === 0) return "0";
  return size.map(
    ({ coefficient, factors }) => factors.length === 0 ? String(coefficient) : coefficient === 1 ? termKey(factors) : `${coefficient}*${termKey(factors)}`
  ).join(" + ").replaceAll("+ -", "- ");
}
var sizeEquals = (a2, b2) => a2 === b2 || sizeKey(a2) === sizeKey(b2);
function normalise(terms) {
  const sums = /* @__PURE__ */ new Map();
  for (const term of terms) {
    const factors = [...term.factors].sort((a2, b2) => factorKey(a2) < factorKey(b2) ? -1 : 1);
    const key = termKey(factors);
    const before = sums.get(key);
    sums.set(key, { coefficient: term.coefficient + (before?.coefficient ?? 0), factors });
  }
  return [...sums.entries()].filter(([, term]) => term.coefficient !== 0).sort(([a2], [b2]) => a2 === "" ? 1 : b2 === "" ? -1 : a2 < b2 ? -1 : 1).map(([, term]) => term);
}
var add = (a2, b2) => normalise([...a2, ...b2]);
var negate = (a2) => a2.map((term) => ({ ...term, coefficient: -term.coefficient }));
var subtract = (a2, b2) => add(a2, negate(b2));
var multiply = (a2, b2) => normalise(
  a2.flatMap(
    (x) => b2.map((y) => ({ coefficient: x.coefficient * y.coefficient, factors: [...x.factors, ...y.factors] }))
  )
);
var product = (sizes) => sizes.reduce(multiply, one);
function known(size) {
  if (size.length === 0) return 0;
  const first = size[0];
  return size.length === 1 && first.factors.length === 0 ? first.coefficient : void 0;
}
function divideExactly(a2, b2) {
  const divisor2 = b2[0];
  if (divisor2 === void 0 || b2.length !== 1) return sizeEquals(a2, b2) ? one : void 0;
  const terms = [];
  for (const term of a2) {
    const rest = term.factors.map(factorKey);
    const factors = [...term.factors];
    for (const factor of divisor2.factors) {
      const at = rest.indexOf(factorKey(factor));
      if (at < 0) return void 0;
      rest.splice(at, 1);
      factors.splice(at, 1);
    }
    if (term.coefficient % divisor2.coefficient !== 0) return void 0;
    terms.push({ coefficient: term.coefficient / divisor2.coefficient, factors });
  }
  return normalise(terms);
}
function rounded(fn, a2, b2) {
  const exact = divideExactly(a2, b2);
  if (exact !== void 0) return exact;
  const x = known(a2);
  const y = known(b2);
  if (x !== void 0 && y !== void 0) return constant(fn === "ceil" ? Math.ceil(x / y) : Math.floor(x / y));
  return [{ coefficient: 1, factors: [{ fn, of: a2, by: b2 }] }];
}
var ceilDivide = (a2, b2) => rounded("ceil", a2, b2);
function extreme(fn, a2, b2) {
  if (sizeEquals(a2, b2)) return a2;
  const x = known(a2);
  const y = known(b2);
  if (x !== void 0 && y !== void 0) return constant(fn === "min" ? Math.min(x, y) : Math.max(x, y));
  const [of, by] = sizeKey(a2) < sizeKey(b2) ? [a2, b2] : [b2, a2];
  return [{ coefficient: 1, factors: [{ fn, of, by }] }];
}
var minimum = (a2, b2) => extreme("min", a2, b2);
var maximum = (a2, b2) => extreme("max", a2, b2);
function namesOf(size, into = /* @__PURE__ */ new Set()) {
  for (const { factors } of size)
    for (const factor of factors) {
      if (typeof factor === "string") into.add(factor);
      else {
        namesOf(factor.of, into);
        namesOf(factor.by, into);
      }
    }
  return into;
}
function evaluate(size, sizes) {
  let sum = 0;
  for (const { coefficient, factors } of size) {
    let term = coefficient;
    for (const factor of factors) {
      if (typeof factor === "string") {
        const value = sizes[factor];
        if (value === void 0) throw new Error(`internal: the size ${factor} has no value`);
        term *= value;
      } else {
        const of = evaluate(factor.of, sizes);
        const by = evaluate(factor.by, sizes);
        term *= { ceil: Math.ceil(of / by), floor: Math.floor(of / by), min: Math.min(of, by), max: Math.max(of, by) }[factor.fn];
      }
    }
    sum += term;
  }
  return sum;
}

// compiler/wasm/lower-kernel.ts
var aligned = (bytes) => Math.ceil(bytes / 16) * 16;
var scratchBytes = (kernel) => kernel.scratch.reduce((sum, { length }) => sum + aligned(4 * length), 0);

// compiler/diagnostics/suggest.ts
import { distance } from "fastest-levenshtein";
function suggestions(name, known3) {
  const limit2 = Math.max(1, Math.floor(name.length / 3));
  const lower = name.toLowerCase();
  return [...new Set(known3)].filter((each) => each !== name).map((each) => ({ each, far: Math.min(distance(name, each), distance(lower, each.toLowerCase())) })).filter(({ far }) => far <= limit2).sort((a2, b2) => a2.far - b2.far || (a2.each < b2.each ? -1 : 1)).slice(0, 3).map(({ each }) => each);
}
function didYouMean(name, known3, otherwise2) {
  const near = suggestions(name, known3).map((each) => `\`${each}\``);
  if (near.length === 0) return otherwise2;
  const last = near.pop();
  return `did you mean ${near.length === 0 ? last : `${near.join(", ")} or ${last}`}?`;
}

// compiler/graph-axis.ts
var knownAxes = /* @__PURE__ */ new Map();
function dense(size) {
  if (typeof size !== "number") return { kind: "dense", size };
  let axis = knownAxes.get(size);
  if (axis === void 0) knownAxes.set(size, axis = { kind: "dense", size: constant(size) });
  return axis;
}
var isDense = (axis) => axis.kind === "dense";
var raggedBy = (route) => ({ kind: "ragged", size: route.bound, by: route });
var toAxis = (axis) => typeof axis === "number" || Array.isArray(axis) ? dense(axis) : axis;
var isShape = (shape) => shape.every((axis) => typeof axis !== "number" && !Array.isArray(axis));
var toShape = (shape) => isShape(shape) ? shape : shape.map(toAxis);
var sizeKeys = /* @__PURE__ */ new WeakMap();
function keyOfSize(size) {
  let key = sizeKeys.get(size);
  if (key === void 0) sizeKeys.set(size, key = sizeKey(size));
  return key;
}
var sameSize = (a2, b2) => a2 === b2 || keyOfSize(a2) === keyOfSize(b2);
var axisKey = (axis) => axis.kind === "dense" ? keyOfSize(axis.size) : `@${axis.by.id}`;
var shapeKeys = /* @__PURE__ */ new WeakMap();
function shapeKey(shape) {
  let key = shapeKeys.get(shape);
  if (key === void 0) shapeKeys.set(shape, key = shape.map(axisKey).join(","));
  return key;
}
var sameAxis = (a2, b2) => a2 === b2 || (a2.kind === "dense" ? b2.kind === "dense" && sameSize(a2.size, b2.size) : b2.kind === "ragged" && a2.by === b2.by);
var sameShape = (a2, b2) => a2 === b2 || a2.length === b2.length && a2.every((axis, i) => sameAxis(axis, b2[i]));
var printAxis = (axis) => axis.kind === "dense" ? keyOfSize(axis.size) : `R<=${keyOfSize(axis.size)}@${axis.by.id}`;
var printShape = (shape) => shape.map(printAxis).join(", ");
var isOne = (axis) => axis.kind === "dense" && known(axis.size) === 1;
var surelyPositive = (size) => size.length > 0 && size.every(
  ({ coefficient, factors }) => coefficient > 0 && factors.every(
    (factor) => typeof factor === "string" || factor.fn === "ceil" && surelyPositive(factor.of) || factor.fn === "min" && surelyPositive(factor.of) && surelyPositive(factor.by) || factor.fn === "max" && (surelyPositive(factor.of) || surelyPositive(factor.by))
  )
);

// compiler/elaborate/value.ts
var broken = { kind: "broken" };
var isBroken = (value) => value.kind === "broken" || value.kind === "unknown";
var truth = (value) => value === void 0 ? { kind: "truth" } : { kind: "truth", value };
var tensor = (element, hidden, axes, node) => ({ kind: "tensor", element, hidden, axes, ...node === void 0 ? {} : { node } });
var asTensor = (value) => value.kind === "tensor" ? value : value.kind === "modality" ? value.tensor : void 0;
function describe(value) {
  switch (value.kind) {
    case "number":
      return "a number";
    case "truth":
      return "a truth value";
    case "text":
      return "a text";
    case "tensor":
    case "modality":
      return "a tensor";
    case "index":
      return "an index";
    case "definition":
    case "instance":
      return `${/^[aeiou]/.test(value.definition.kind) ? "an" : "a"} ${value.definition.kind}`;
    case "pool":
      return "a pool of experts";
    case "gates":
      return "gates";
    case "null":
      return "null experts";
    case "list":
      return "a list";
    case "unknown":
    case "broken":
      return "unknown";
    default:
      return value;
  }
}

// compiler/elaborate/elaboration.ts
var checking = (of) => of.builder === void 0;
var frameOf = (of) => {
  const frame = of.frames.at(-1);
  if (frame === void 0) throw new Error("internal: nothing is being elaborated");
  return frame;
};
function report(of, code, span, message, { label: label2, related = [], help } = {}) {
  const frame = frameOf(of);
  const calls = checking(of) ? [] : of.frames.filter((each) => each.call !== void 0).map((each) => each.call).reverse().slice(0, 3);
  const diagnostic = {
    code,
    severity: "error",
    message,
    at: { module: frame.module.path, span, label: label2 ?? "" },
    related: [...related, ...calls],
    ...help === void 0 ? {} : { help }
  };
  const same = of.diagnostics.some(
    (each) => each.code === code && each.at.module === frame.module.path && each.at.span.start === span.start && each.at.span.end === span.end
  );
  if (!same) of.diagnostics.push(diagnostic);
  return broken;
}
function build(of, operands, make) {
  const { builder } = of;
  if (builder === void 0) return void 0;
  const nodes = [];
  for (const operand2 of operands) {
    if (operand2 === void 0) continue;
    if (operand2.node === void 0)
      throw new Error("internal: a tensor without a node while a graph is being built");
    nodes.push(operand2.node);
  }
  return make(builder, ...nodes);
}
var placeOf = (of, span, label2) => ({
  module: frameOf(of).module.path,
  span,
  label: label2
});
var hiddenAxis = (of, kind, size, name, more = {}) => ({
  kind,
  order: of.nextOrder++,
  size,
  name,
  ...more
});
function nextName(of, base) {
  const frame = frameOf(of);
  const index = frame.counters.get(base) ?? 0;
  frame.counters.set(base, index + 1);
  return frame.repeated.has(base) ? `${base}.${index}` : base;
}
var join = (path, name) => path === "" ? name : `${path}.${name}`;

// compiler/elaborate/number.ts
var number = (value) => ({ kind: "number", poly: constant(value) });
var ofSize = (poly, name) => name === void 0 ? { kind: "number", poly } : { kind: "number", poly, name };
var symbol = (name) => ofSize(named(name), name);
var unknownNumber = { kind: "number" };
var tidy = (poly) => poly.some(({ coefficient }) => !Number.isInteger(coefficient)) ? poly.map((term) => {
  const near = Math.round(term.coefficient);
  const close = near !== 0 && Math.abs(term.coefficient - near) < 1e-9 * Math.max(1, Math.abs(near));
  return close ? { ...term, coefficient: near } : term;
}) : poly;
var lift = (fn) => (a2, b2) => {
  if (a2.poly === void 0 || b2.poly === void 0) return unknownNumber;
  const poly = fn(a2.poly, b2.poly);
  return poly === void 0 ? unknownNumber : ofSize(tidy(poly));
};
var addNumbers = lift(add);
var subtractNumbers = lift((a2, b2) => add(a2, negate(b2)));
var multiplyNumbers = lift((a2, b2) => {
  const [x, y] = [known(a2), known(b2)];
  if (x !== void 0 && y !== void 0) return constant(x * y);
  return multiply(a2, b2);
});
var minNumbers = lift(minimum);
var maxNumbers = lift(maximum);
var valueOf = (of) => of.poly === void 0 ? void 0 : known(of.poly);
function ratio(a2, b2) {
  const [x, y] = [known(a2), known(b2)];
  if (y !== void 0)
    return x !== void 0 ? constant(x / y) : a2.map((term) => ({ ...term, coefficient: term.coefficient / y }));
  const scale3 = b2.length === 1 ? b2[0].coefficient : 1;
  const bare2 = b2.length === 1 ? [{ ...b2[0], coefficient: 1 }] : b2;
  const shrunk = a2.map((term) => ({ ...term, coefficient: term.coefficient / scale3 }));
  const exact = divideExactly(shrunk, bare2);
  if (exact !== void 0) return exact;
  if (shrunk.length === 1) {
    const [term] = shrunk;
    return [
      {
        coefficient: term.coefficient,
        factors: [{ fn: "floor", of: [{ ...term, coefficient: 1 }], by: bare2 }]
      }
    ];
  }
  return [{ coefficient: 1, factors: [{ fn: "floor", of: shrunk, by: bare2 }] }];
}
var divideNumbers = lift((a2, b2) => known(b2) === 0 ? void 0 : tidy(ratio(a2, b2)));
function powerNumbers(a2, b2) {
  const [x, y] = [valueOf(a2), valueOf(b2)];
  if (x !== void 0 && y !== void 0) return number(x ** y);
  if (a2.poly !== void 0 && y !== void 0 && Number.isInteger(y) && y >= 0 && y <= 8) {
    let poly = constant(1);
    for (let i = 0; i < y; i++) poly = multiply(poly, a2.poly);
    return ofSize(poly);
  }
  return unknownNumber;
}
var hasRatio = (poly) => poly.some(({ factors }) => factors.some((factor) => typeof factor !== "string"));
function standIn(name, salt) {
  let hash = 2166136261 ^ salt;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  return 1 + (hash >>> 0) % 99991 / 99991;
}
function realValue(poly, salt) {
  let sum = 0;
  for (const { coefficient, factors } of poly) {
    let term = coefficient;
    for (const factor of factors) {
      if (typeof factor === "string") {
        term *= standIn(factor, salt);
        continue;
      }
      const [of, by] = [realValue(factor.of, salt), realValue(factor.by, salt)];
      term *= factor.fn === "min" ? Math.min(of, by) : factor.fn === "max" ? Math.max(of, by) : of / by;
    }
    sum += term;
  }
  return sum;
}
function sameSizes(a2, b2) {
  if (a2 === b2) return true;
  const [x, y] = [known(a2), known(b2)];
  if (x !== void 0 && y !== void 0) return x === y;
  if (sizeKey(a2) === sizeKey(b2)) return true;
  const fractional = (poly) => poly.some(({ coefficient }) => !Number.isInteger(coefficient));
  if (!hasRatio(a2) && !hasRatio(b2) && !fractional(a2) && !fractional(b2)) return false;
  return [1, 2, 3].every((salt) => {
    const [left, right] = [realValue(a2, salt), realValue(b2, salt)];
    return Math.abs(left - right) < 1e-9 * Math.max(1, Math.abs(left));
  });
}
var factorText = (factor) => {
  if (typeof factor === "string") return factor;
  const [of, by] = [showSize(factor.of), showSize(factor.by)];
  const wrap = (text) => /[ ]/.test(text) ? `(${text})` : text;
  return factor.fn === "floor" || factor.fn === "ceil" ? `${wrap(of)} / ${wrap(by)}` : `${factor.fn}(${of}, ${by})`;
};
var round = (value) => String(Number(value.toPrecision(6)));
function termText({ coefficient, factors }) {
  if (factors.length === 0) return round(coefficient);
  const text = factors.map(factorText).join(" * ");
  if (coefficient === 1) return text;
  const inverse = 1 / coefficient;
  if (Math.abs(coefficient) < 1 && Math.abs(inverse - Math.round(inverse)) < 1e-9)
    return `${text} / ${Math.round(inverse)}`;
  return `${round(coefficient)} * ${text}`;
}
var showSize = (size) => size.length === 0 ? "0" : size.map(termText).join(" + ").replaceAll("+ -", "- ");
var showShape = (axes) => `[${axes.map(({ size, name }) => {
  const text = showSize(size);
  return name === void 0 || name === text ? text : `${name} = ${text}`;
}).join(", ")}]`;
function asSize(of, checking2) {
  if (of.poly === void 0) return { kind: "unknown" };
  const value = known(of.poly);
  if (value !== void 0) {
    if (!Number.isFinite(value) || Math.abs(value - Math.round(value)) > 1e-9)
      return { kind: "not whole", text: round(value) };
    return value < 0 ? { kind: "negative", text: round(value) } : { kind: "size", size: constant(Math.round(value)) };
  }
  if (checking2) return { kind: "size", size: of.poly };
  const fractional = of.poly.some(({ coefficient }) => !Number.isInteger(coefficient));
  const ratios = of.poly.some(
    ({ factors }) => factors.some(
      (factor) => typeof factor !== "string" && factor.fn === "floor" && known(factor.by) === void 0
    )
  );
  return fractional || ratios ? { kind: "not whole", text: showSize(of.poly) } : { kind: "size", size: of.poly };
}
function roundSize(of, fn) {
  if (of.poly === void 0) return unknownNumber;
  const value = known(of.poly);
  if (value !== void 0) return number(fn === "ceil" ? Math.ceil(value - 1e-9) : Math.floor(value + 1e-9));
  let denominator = 1;
  const whole = (by) => of.poly.every(
    ({ coefficient }) => Math.abs(coefficient * by - Math.round(coefficient * by)) < 1e-9 * by
  );
  while (denominator < 1 << 20 && !whole(denominator))
    denominator = denominator < 1e3 ? denominator + 1 : denominator * 2;
  const scaled = of.poly.map((term) => ({
    ...term,
    coefficient: Math.round(term.coefficient * denominator)
  }));
  const only = scaled.length === 1 && scaled[0].factors.length === 1 ? scaled[0] : void 0;
  const factor = only?.factors[0];
  if (only !== void 0 && factor !== void 0 && typeof factor !== "string" && factor.fn === "floor")
    return ofSize([
      {
        coefficient: 1,
        factors: [
          {
            fn,
            of: multiply(factor.of, constant(only.coefficient)),
            by: multiply(factor.by, constant(denominator))
          }
        ]
      }
    ]);
  if (denominator === 1) return ofSize(of.poly);
  return ofSize([{ coefficient: 1, factors: [{ fn, of: scaled, by: constant(denominator) }] }]);
}

// compiler/elaborate/align.ts
function hiddenShape(hidden) {
  return hidden.map((axis) => {
    if (axis.kind !== "rows") return dense(axis.size);
    if (axis.route === void 0) throw new Error("internal: rows without a routing");
    return raggedBy(axis.route);
  });
}
var shapeOf = (hidden, axes) => [
  ...hiddenShape(hidden),
  ...axes.map(({ size }) => dense(size))
];
function unionHidden(tensors2) {
  let widest = [];
  for (const { hidden } of tensors2) if (hidden.length > widest.length) widest = hidden;
  if (widest.every((axis, i) => i === 0 || widest[i - 1].order <= axis.order) && tensors2.every(
    ({ hidden }) => hidden === widest || hidden.length === 0 || hidden.every((axis, i) => axis === widest[i])
  ))
    return widest;
  const all2 = new Set(tensors2.flatMap(({ hidden }) => hidden));
  return [...all2].filter((axis) => axis.kind !== "group" || !all2.has(axis.rows)).sort((a2, b2) => a2.order - b2.order);
}
var mergeAxis = (a2, b2) => {
  const name = a2.name ?? b2.name;
  const valid = a2.valid ?? b2.valid;
  const pieces = a2.pieces ?? b2.pieces;
  return {
    size: a2.size,
    ...name === void 0 ? {} : { name },
    ...valid === void 0 ? {} : { valid },
    ...pieces === void 0 ? {} : { pieces }
  };
};
function unionAxes(tensors2) {
  let merged2 = [];
  for (const { axes } of tensors2) {
    const [long, short] = axes.length > merged2.length ? [axes, merged2] : [merged2, axes];
    const offset = long.length - short.length;
    const next = [];
    for (const [i, axis] of long.entries()) {
      const other = short[i - offset];
      if (other === void 0) next.push(axis);
      else if (sameSizes(axis.size, other.size)) next.push(mergeAxis(axis, other));
      else return long === axes ? { left: other, right: axis } : { left: axis, right: other };
    }
    merged2 = next;
  }
  return merged2;
}
function takeGroups(builder, node, at, group) {
  const route = group.rows?.route;
  if (route === void 0) throw new Error("internal: groups without a routing");
  const rank = node.shape.length;
  const front = [at, ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== at)];
  const taken = builder.take(builder.permute(node, front), builder.part(route, "group"));
  const back = front.map((_, i) => front.indexOf(i));
  return builder.permute(taken, back);
}
function expandTo(of, value, hidden, axes) {
  if (value.hidden.length === hidden.length && value.axes.length === axes.length && value.hidden.every((each, i) => each === hidden[i]))
    return value;
  const node = build(of, [value], (builder, from) => {
    let at = from;
    const positions2 = [];
    for (const [i, axis] of value.hidden.entries()) {
      let position = hidden.indexOf(axis);
      if (position < 0 && axis.kind === "group") {
        position = hidden.indexOf(axis.rows);
        at = takeGroups(builder, at, i, axis);
      }
      if (position < 0) throw new Error(`internal: a tensor loses its axis ${axis.name}`);
      positions2.push(position);
    }
    const offset = hidden.length + axes.length - value.axes.length;
    value.axes.forEach((_, i) => positions2.push(offset + i));
    return builder.broadcastTo(at, shapeOf(hidden, axes), positions2);
  });
  return tensor(value.element, hidden, axes, node);
}
function align(of, tensors2) {
  const axes = unionAxes(tensors2);
  if ("left" in axes) return axes;
  const hidden = unionHidden(tensors2);
  return tensors2.map((each) => expandTo(of, each, hidden, axes));
}
function numberNode(builder, poly) {
  const value = known(poly);
  if (value !== void 0) return builder.constant(value);
  const plain = (size) => size.every(
    ({ coefficient, factors }) => Number.isInteger(coefficient) && factors.every(
      (factor) => typeof factor === "string" || factor.fn === "min" || factor.fn === "max" || known(factor.by) !== void 0 || factor.fn === "ceil"
    )
  );
  if (plain(poly)) return builder.cast(builder.size(poly), "f32");
  let sum;
  for (const { coefficient, factors } of poly) {
    let term = builder.constant(coefficient);
    for (const factor of factors)
      term = typeof factor === "string" || factor.fn !== "floor" ? builder.mul(term, builder.cast(builder.size([{ coefficient: 1, factors: [factor] }]), "f32")) : builder.mul(term, builder.div(numberNode(builder, factor.of), numberNode(builder, factor.by)));
    sum = sum === void 0 ? term : builder.add(sum, term);
  }
  return sum;
}
function scalarOf(of, value, want = "number") {
  const size = value.poly;
  const whole = size !== void 0 && (known(size) === void 0 ? size.every(
    ({ coefficient, factors }) => Number.isInteger(coefficient) && factors.every((factor) => typeof factor === "string")
  ) : Number.isInteger(known(size)));
  if (want === "int" && whole)
    return tensor(
      "int",
      [],
      [],
      known(size) === void 0 ? of.builder?.size(size) : of.builder?.constant(known(size), "i32")
    );
  const node = of.builder === void 0 || size === void 0 ? void 0 : numberNode(of.builder, size);
  if (of.builder !== void 0 && node === void 0)
    throw new Error("internal: a number without a value while a graph is being built");
  return tensor("number", [], [], node);
}
var isLength = (of, size) => size.length === 1 && size[0].coefficient === 1 && size[0].factors.length === 1 && typeof size[0].factors[0] === "string" && of.lengths.has(size[0].factors[0]);
function positions(of, axis) {
  const node = of.builder === void 0 ? void 0 : of.decode !== void 0 && isLength(of, axis.size) ? of.builder.map("add", of.builder.index(axis.size), of.builder.input("$position", "i32")) : of.builder.index(axis.size);
  return tensor("int", [axis], [], node);
}
function toTensor(of, value, want) {
  switch (value.kind) {
    case "tensor":
      return value;
    case "modality":
      return value.tensor;
    case "number":
      return scalarOf(of, value, want);
    case "truth":
      return tensor("bool", [], [], of.builder?.constant(value.value ?? false));
    case "index":
      return value.axis === void 0 ? void 0 : positions(of, value.axis);
    default:
      return void 0;
  }
}
function castTo(of, value, element) {
  if (value.element === element) return value;
  if (element === "bool") throw new Error("internal: nothing is cast to a truth value");
  const node = build(of, [value], (builder, from) => builder.cast(from, element === "int" ? "i32" : "f32"));
  return tensor(element, value.hidden, value.axes, node);
}
var sizeOne = constant(1);

// compiler/elaborate/instance.ts
var signature = ({ name, statics, inputs: inputs2 }) => {
  const list = statics.map((each) => each.name.text).join(", ");
  const types = inputs2.map((each) => each.name.text).join(", ");
  return `${name.text}${statics.length > 0 ? `(${list})` : ""}${inputs2.length > 0 ? `(${types})` : ""}`;
};
var asInstance = (value, span) => value.kind === "instance" ? value : {
  kind: "instance",
  definition: value.definition,
  module: value.module,
  statics: /* @__PURE__ */ new Map(),
  span,
  base: value.base
};
function withStatics(of, value, given, span) {
  const instance = asInstance(value, span);
  const { definition } = instance;
  const statics = new Map(instance.statics);
  const places2 = definition.statics.filter(({ name }) => !statics.has(name.text));
  let next = 0;
  for (const { argument, value: each } of given) {
    if (asTensor(each) !== void 0 || each.kind === "gates" || each.kind === "index" || each.kind === "list") {
      const type = asTensor(each);
      return report(
        of,
        "M0203",
        argument.span,
        `a static of \`${definition.name.text}\` must be known when the model is compiled`,
        {
          label: type === void 0 ? `this is ${describe(each)}` : `this is a tensor ${showShape(type.axes)}`,
          help: `give tensors in a second list: \`${signature(definition)}\``
        }
      );
    }
    if (argument.name === void 0) {
      const place2 = places2[next++];
      if (place2 === void 0)
        return report(
          of,
          "M0204",
          argument.span,
          `\`${definition.name.text}\` takes ${places2.length === 0 ? "no more statics" : places2.length === 1 ? "one static" : `${places2.length} statics`}`,
          {
            label: "one too many",
            help: `its signature is \`${signature(definition)}\``
          }
        );
      statics.set(place2.name.text, each);
      continue;
    }
    const name = argument.name.text;
    const known3 = definition.statics.map((other) => other.name.text);
    if (!known3.includes(name))
      return report(
        of,
        "M0103",
        argument.name.span,
        `\`${definition.name.text}\` has no static \`${name}\``,
        {
          label: "not one of its statics",
          help: didYouMean(
            name,
            known3,
            known3.length === 0 ? "it takes none" : `it has ${known3.map((other) => `\`${other}\``).join(", ")}`
          )
        }
      );
    statics.set(name, each);
  }
  return { ...instance, statics };
}
function evaluateArguments(of, list, scope) {
  return list.map((argument) => ({ argument, value: of.parts.evaluate(of, argument.value, scope) }));
}
function areInputs(value, given) {
  const { definition } = value;
  if (given.some(
    ({ value: each }) => asTensor(each) !== void 0 || each.kind === "gates" || each.kind === "index"
  ))
    return true;
  if (given.some(({ argument }) => argument.name !== void 0)) return false;
  const taken = value.kind === "instance" ? value.statics.size : 0;
  if (definition.statics.length === 0 || taken >= definition.statics.length) return true;
  if (given.length === 0) return definition.inputs.length === 0;
  return false;
}
var notDefinable = (of, span, value) => isBroken(value) ? broken : report(of, "M0205", span, `${describe(value)} cannot be called`, {
  label: `this is ${describe(value)}`,
  help: "call an expert, a layer, a router, a function or a pool"
});

// compiler/elaborate/modality-mask.ts
function inModality(builder, place2, axis, modality) {
  let start = constant(0);
  let inside;
  for (const piece of axis.pieces ?? []) {
    const end = add(start, piece.size);
    if (piece.modality === modality) {
      const within = builder.map(
        "and",
        builder.map("le", builder.size(start), place2),
        builder.map("lt", place2, builder.size(end))
      );
      inside = inside === void 0 ? within : builder.map("or", inside, within);
    }
    start = end;
  }
  return inside ?? builder.broadcastTo(builder.constant(false), place2.shape, []);
}
function openMask(of, pool, x, all2) {
  const limited = pool.segments.find(({ modality }) => modality !== void 0);
  if (limited === void 0 || x === void 0) return void 0;
  const axis = x.hidden.findLast(({ pieces }) => pieces !== void 0);
  const count = all2.poly;
  if (of.builder === void 0 || count === void 0) return void 0;
  if (axis === void 0) {
    report(of, "M0516", limited.span, `which tokens are \`${limited.modality}\` is not known here`, {
      label: "open to one modality only",
      help: "route a sequence that is made of modalities with `concat`"
    });
    return void 0;
  }
  const { builder } = of;
  const place2 = positions(of, axis).node;
  const axes = [{ size: count, name: "N" }];
  const wide2 = (value) => expandTo(of, value, [axis], axes).node;
  const expert = wide2(tensor("int", [], axes, builder.index(count)));
  const at = (value) => builder.constant(value, "i32");
  let mask;
  let first = 0;
  for (const { count: many, modality } of pool.segments) {
    const next = first + (known(many.poly ?? []) ?? 0);
    if (modality !== void 0) {
      const outside = builder.map(
        "or",
        builder.map("lt", expert, at(first)),
        builder.map("le", at(next), expert)
      );
      const flags = builder.broadcastTo(inModality(builder, place2, axis, modality), outside.shape, [0]);
      const open = builder.map("or", outside, flags);
      mask = mask === void 0 ? open : builder.map("and", mask, open);
    }
    first = next;
  }
  return tensor("bool", [axis], axes, mask);
}

// compiler/elaborate/arithmetic.ts
var maps = {
  "+": { fn: "add" },
  "-": { fn: "sub" },
  "*": { fn: "mul" },
  "/": { fn: "div" },
  "^": { fn: "pow" },
  "<": { fn: "lt" },
  "<=": { fn: "le" },
  ">": { fn: "lt", swap: true },
  ">=": { fn: "le", swap: true },
  "==": { fn: "eq" },
  "!=": { fn: "ne" }
};
var isComparison = (operator) => ["<", "<=", ">", ">=", "==", "!="].includes(operator);
function reportMisfit(of, span, { left, right }, tensors2, what) {
  const shapes = tensors2.map(({ axes }) => showShape(axes)).join(" and ");
  return report(
    of,
    "M0301",
    span,
    `${what} do not fit: \`${showSize(left.size)}\` meets \`${showSize(right.size)}\``,
    {
      label: shapes,
      help: "give both the same size, or reduce the axis that one of them lacks"
    }
  );
}
function elementWise(of, span, fn, operands, element, what = "the operands") {
  const aligned2 = align(of, operands);
  if ("left" in aligned2) return reportMisfit(of, span, aligned2, operands, what);
  const [first] = aligned2;
  const valid = first.axes;
  const axes = aligned2.reduce(
    (best, { axes: each }) => each.some((axis) => axis.valid !== void 0) ? each : best,
    valid
  );
  return tensor(
    element,
    first.hidden,
    axes,
    build(of, aligned2, (builder, ...nodes) => builder.map(fn, ...nodes))
  );
}
function staticBinary(of, span, operator, a2, b2) {
  const [x, y] = [valueOf(a2), valueOf(b2)];
  switch (operator) {
    case "+":
      return addNumbers(a2, b2);
    case "-":
      return subtractNumbers(a2, b2);
    case "*":
      return multiplyNumbers(a2, b2);
    case "/":
      if (y === 0)
        return report(of, "M0404", span, "division by zero", {
          label: "the divisor is 0",
          help: "divide by something else"
        });
      return divideNumbers(a2, b2);
    case "^": {
      const power = powerNumbers(a2, b2);
      return power.poly === void 0 && !checking(of) ? void 0 : power;
    }
    case "<":
    case "<=":
    case ">":
    case ">=":
    case "==":
    case "!=":
      if (x === void 0 || y === void 0) return checking(of) ? truth(void 0) : void 0;
      return truth(
        { "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y, "==": x === y, "!=": x !== y }[operator]
      );
    case "and":
    case "or":
      return void 0;
    default:
      return operator;
  }
}
function logical(of, span, operator, a2, b2) {
  if (a2.kind === "truth" && b2.kind === "truth") {
    if (operator === "and")
      return truth(
        a2.value === false || b2.value === false ? false : a2.value === void 0 ? void 0 : b2.value
      );
    return truth(a2.value === true || b2.value === true ? true : a2.value === void 0 ? void 0 : b2.value);
  }
  const [x, y] = [toTensor(of, a2), toTensor(of, b2)];
  if (x?.element !== "bool" || y?.element !== "bool")
    return report(of, "M0402", span, `\`${operator}\` joins truth values`, {
      label: `${describe(a2)} and ${describe(b2)}`,
      help: "compare first: `a > 0 and b > 0`"
    });
  return elementWise(of, span, operator, [x, y], "bool");
}
function reportNotNumber(of, span, value, where) {
  if (value.kind === "index")
    return report(of, "M0307", span, `nothing bounds the index \`${value.name}\``, {
      label: "its range is not known",
      help: `give it on the left: \`${value.name}: T\``
    });
  return report(of, "M0201", span, `${where} takes numbers and tensors, not ${describe(value)}`, {
    label: `this is ${describe(value)}`,
    help: value.kind === "instance" || value.kind === "definition" ? "apply it to its inputs first: `Name(statics)(inputs)`" : value.kind === "gates" ? "read `.weight`, `.picks`, `.chosen` or `.load` of the gates" : "write a number or a tensor"
  });
}
function promote(of, a2, b2) {
  const [left, right] = [toTensor(of, a2, "int"), toTensor(of, b2, "int")];
  if (left === void 0 || right === void 0) return void 0;
  if (left.element === right.element) {
    if (a2.kind === "number" && b2.kind === "number") return [toTensor(of, a2), toTensor(of, b2)];
    return [left, right];
  }
  if (left.element === "bool" || right.element === "bool") return [left, right];
  return [
    castTo(of, a2.kind === "number" ? toTensor(of, a2) : left, "number"),
    castTo(of, b2.kind === "number" ? toTensor(of, b2) : right, "number")
  ];
}
function binary(of, span, operator, a2, b2) {
  if (isBroken(a2) || isBroken(b2)) return broken;
  if (operator === "and" || operator === "or") return logical(of, span, operator, a2, b2);
  if (a2.kind === "number" && b2.kind === "number") {
    const value = staticBinary(of, span, operator, a2, b2);
    if (value !== void 0) return value;
  }
  if (a2.kind === "truth" && b2.kind === "truth" && (operator === "==" || operator === "!=")) {
    if (a2.value === void 0 || b2.value === void 0) return truth(void 0);
    return truth(a2.value === b2.value === (operator === "=="));
  }
  const pair = promote(of, a2, b2);
  if (pair === void 0) {
    const wrong2 = toTensor(of, a2) === void 0 ? a2 : b2;
    return reportNotNumber(of, span, wrong2, `\`${operator}\``);
  }
  if (operator === "/" && b2.kind === "number" && valueOf(b2) === 0)
    return staticBinary(of, span, operator, number(1), b2) ?? broken;
  let [left, right] = pair;
  const comparison = isComparison(operator);
  const equality = operator === "==" || operator === "!=";
  if ((left.element === "bool" || right.element === "bool") && !(equality && left.element === right.element))
    return report(of, "M0401", span, `\`${operator}\` takes numbers, not truth values`, {
      label: "one side is a truth value",
      help: "write `if x then 1 else 0` to count with it"
    });
  if (operator === "/" || operator === "^")
    [left, right] = [castTo(of, left, "number"), castTo(of, right, "number")];
  if (operator === "/" && frameOf(of).router?.restricted === true) right = divisorOfChosen(of, right);
  if (operator === "^" && b2.kind === "number" && valueOf(b2) === 2)
    return elementWise(of, span, "mul", [left, left], "number");
  if (operator === "^" && b2.kind === "number" && valueOf(b2) === 1) return left;
  const { fn, swap } = maps[operator];
  return elementWise(
    of,
    span,
    fn,
    swap === true ? [right, left] : [left, right],
    comparison ? "bool" : left.element
  );
}
function divisorOfChosen(of, divisor2) {
  const router = frameOf(of).router;
  const valid = router?.before?.axes.at(-1)?.valid;
  if (router?.mayBeEmpty !== true || valid === void 0 || divisor2.axes.length > 0 || divisor2.hidden.length === 0)
    return divisor2;
  const hidden = unionHidden([divisor2, valid]);
  const some = build(
    of,
    [valid],
    (builder, node) => builder.map("lt", 0, builder.reduce("max", builder.cast(node, "f32"), [-1]))
  );
  const any = expandTo(of, tensor("bool", valid.hidden, [], some), hidden, []);
  const wide2 = expandTo(of, divisor2, hidden, []);
  return tensor(
    "number",
    hidden,
    [],
    build(of, [any, wide2], (builder, is, node) => builder.select(is, node, 1))
  );
}
function negate2(of, span, value) {
  if (isBroken(value)) return broken;
  if (value.kind === "number") return multiplyNumbers(number(-1), value);
  const operand2 = toTensor(of, value);
  if (operand2 === void 0 || operand2.element === "bool") return reportNotNumber(of, span, value, "`-`");
  return elementWise(of, span, "neg", [operand2], operand2.element);
}
function not(of, span, value) {
  if (isBroken(value)) return broken;
  if (value.kind === "truth") return truth(value.value === void 0 ? void 0 : !value.value);
  const operand2 = toTensor(of, value);
  if (operand2?.element !== "bool")
    return report(of, "M0402", span, "`not` takes a truth value", {
      label: operand2 === void 0 ? `this is ${describe(value)}` : "these are numbers",
      help: "compare first: `not (a > 0)`"
    });
  return elementWise(of, span, "not", [operand2], "bool");
}
function choice(of, span, condition, a2, b2) {
  if (isBroken(condition) || isBroken(a2) || isBroken(b2)) return broken;
  const test = toTensor(of, condition);
  if (test?.element !== "bool")
    return report(of, "M0402", span, "the condition of `if` is no truth value", {
      label: test === void 0 ? `this is ${describe(condition)}` : "these are numbers",
      help: "compare: `if x > 0 then ... else ...`"
    });
  const pair = promote(of, a2, b2);
  if (pair === void 0) return reportNotNumber(of, span, toTensor(of, a2) === void 0 ? a2 : b2, "`if`");
  const [left, right] = pair;
  if (left.element !== right.element)
    return report(of, "M0401", span, "the branches of `if` differ in type", {
      label: `${left.element} and ${right.element}`,
      help: "make both numbers or both truth values"
    });
  return elementWise(of, span, "select", [test, left, right], left.element, "the condition and the branches");
}

// compiler/elaborate/pool.ts
function countsOf(pool) {
  const sum = (list) => list.reduce((total, { count }) => addNumbers(total, count), ofSize(constant(0)));
  const [experts, nulls] = [sum(pool.segments), sum(pool.nulls)];
  return { experts, nulls, all: addNumbers(experts, nulls) };
}
function poolArithmetic(of, span, operator, a2, b2) {
  const part = (value) => ["definition", "instance", "pool", "null"].includes(value.kind);
  if (!part(a2) && !part(b2)) return void 0;
  const numeric = (value) => ["tensor", "modality", "index", "truth", "gates", "text"].includes(value.kind);
  if (numeric(a2) || numeric(b2)) return void 0;
  if (operator === "*") {
    const [what, times2] = part(a2) ? [a2, b2] : [b2, a2];
    if (isBroken(times2)) return broken;
    if (times2.kind !== "number" || what.kind === "pool")
      return report(of, "M0208", span, "a pool counts its experts with a number", {
        label: `${describe(a2)} * ${describe(b2)}`,
        help: "write `SwiGLU(D, H) * 64`"
      });
    const count = asSize(times2, checking(of));
    if (count.kind === "negative" || count.kind === "not whole" || count.kind === "size" && known(count.size) === 0)
      return report(of, "M0504", span, "the number of experts must be a whole number of at least 1", {
        label: count.kind === "size" ? "this is 0" : `this is ${count.text}`,
        help: "write a number, or a static that is one"
      });
    if (count.kind === "size" && known(count.size) === void 0 && !checking(of))
      return report(of, "M0504", span, "the number of experts must be known when the model is compiled", {
        label: showSize(count.size),
        help: "write a number, or a static that is one"
      });
    return poolOf(of, what, times2, span);
  }
  if (operator !== "+") return void 0;
  const left = poolOf(of, a2, ofSize(constant(1)), span);
  const right = poolOf(of, b2, ofSize(constant(1)), span);
  if (left.kind !== "pool" || right.kind !== "pool") return broken;
  return {
    kind: "pool",
    segments: [...left.segments, ...right.segments],
    nulls: [...left.nulls, ...right.nulls]
  };
}
function poolOf(of, value, count, span) {
  if (value.kind === "pool") return value;
  if (value.kind === "null")
    return { kind: "pool", segments: [], nulls: [{ kind: value.which, count, span }] };
  if (isBroken(value)) return broken;
  if (value.kind !== "definition" && value.kind !== "instance")
    return report(of, "M0208", span, `a pool is made of experts, not of ${describe(value)}`, {
      label: `this is ${describe(value)}`,
      help: "write `SwiGLU(D, H) * 64`"
    });
  const { kind, name } = value.definition;
  if (kind !== "expert" && kind !== "layer" && kind !== "moe" && kind !== "chain")
    return report(of, "M0208", span, `a pool is made of experts, not of ${describe(value)}`, {
      label: `\`${name.text}\` is ${describe(value)}`,
      help: "put an expert here"
    });
  const instance = value.kind === "instance" ? value : {
    kind: "instance",
    definition: value.definition,
    module: value.module,
    statics: /* @__PURE__ */ new Map(),
    span,
    base: value.base
  };
  return { kind: "pool", segments: [{ instance, count, span }], nulls: [] };
}
var asSizeOf = (count) => count.poly ?? constant(1);
function scaleBy(of, value, weight) {
  if (weight === void 0) return value;
  const factor = toTensor(of, weight);
  if (factor === void 0) return value;
  const hidden = unionHidden([value, factor]);
  const [a2, b2] = [expandTo(of, value, hidden, value.axes), expandTo(of, { ...factor, axes: [] }, hidden, [])];
  const node = build(
    of,
    [a2, b2],
    (builder, x, w) => builder.mul(
      x,
      builder.broadcastTo(
        w,
        x.shape,
        hidden.map((_, i) => i)
      )
    )
  );
  return tensor("number", hidden, value.axes, node);
}
function addAll(of, span, parts5, what) {
  const [first, ...rest] = parts5;
  if (first === void 0) return void 0;
  let sum = first;
  for (const part of rest) {
    const axes = unionAxes([sum, part]);
    if ("left" in axes || sum.axes.length !== part.axes.length) {
      reportMisfit(
        of,
        span,
        "left" in axes ? axes : { left: sum.axes[0] ?? { size: constant(1) }, right: part.axes[0] ?? { size: constant(1) } },
        [sum, part],
        what
      );
      return void 0;
    }
    const hidden = unionHidden([sum, part]);
    const [a2, b2] = [expandTo(of, sum, hidden, axes), expandTo(of, part, hidden, axes)];
    sum = tensor(
      "number",
      hidden,
      axes,
      build(of, [a2, b2], (builder, x, y) => builder.add(x, y))
    );
  }
  return sum;
}
function sameSignature(of, pool, results) {
  const [first] = results;
  for (const [i, result] of results.entries()) {
    const fits = result.axes.length === first.axes.length && result.axes.every((axis, j) => sameSizes(axis.size, first.axes[j].size));
    if (fits) continue;
    const [a2, b2] = [pool.segments[0], pool.segments[i]];
    report(of, "M0510", b2.span, "experts of one pool return different sizes", {
      label: `\`${b2.instance.definition.name.text}\` returns ${showShape(result.axes)}`,
      related: [
        {
          module: frameOf(of).module.path,
          span: a2.span,
          label: `\`${a2.instance.definition.name.text}\` returns ${showShape(first.axes)}`
        }
      ],
      help: "end both with the same size"
    });
    return false;
  }
  return true;
}
function inputsOf(of, span, instance, inputs2) {
  const wants = instance.definition.inputs.length;
  if (wants <= inputs2.length) return inputs2.slice(0, wants);
  report(
    of,
    "M0204",
    span,
    `\`${instance.definition.name.text}\` takes ${wants} inputs, and ${inputs2.length === 1 ? "one is" : `${inputs2.length} are`} there`,
    {
      label: "one input too few",
      help: "give the further inputs to the pool: `pool(x, other)`"
    }
  );
  return void 0;
}

// compiler/elaborate/scope.ts
var openScope = (outer) => ({ names: /* @__PURE__ */ new Map(), outer });
function lookUp(scope, name) {
  for (let at = scope; at !== void 0; at = at.outer) {
    const value = at.names.get(name);
    if (value !== void 0) return value;
  }
  return void 0;
}
function bind(scope, name, value) {
  scope.names.set(name, value);
}
function namesInSight(scope) {
  const names = [];
  for (let at = scope; at !== void 0; at = at.outer) names.push(...at.names.keys());
  return names;
}
function carryOver(block, outside) {
  for (const [name, value] of block.names)
    if (lookUp(outside, name) !== void 0) outside.names.set(name, value);
}

// compiler/elaborate/tensors.ts
function declareTensor(of, { name, path, role, element, axes, init, span, doc, shared }) {
  const groups = shared === true ? [] : frameOf(of).groups;
  if (of.builder === void 0) return tensor(element, groups, axes, void 0);
  const shape = [];
  for (const { size } of [...groups, ...axes]) {
    const value = known(size);
    if (value === void 0) {
      report(of, "M0309", span, `the size of \`${name}\` must be known when the model is compiled`, {
        label: `\`${showSize(size)}\` is known only when it runs`,
        help: "give it sizes that are statics or `dim`s"
      });
      return void 0;
    }
    shape.push(value);
  }
  const before = of.collected.tensors.get(path);
  if (before === void 0)
    of.collected.tensors.set(path, {
      name: path,
      role,
      type: element === "number" ? "f32" : "i32",
      shape,
      init,
      ...doc === void 0 ? {} : { doc }
    });
  else if (before.shape.join() !== shape.join()) {
    report(of, "M0310", span, `\`${name}\` is shared by applications that need different sizes`, {
      label: `[${before.shape.join(", ")}] before, [${shape.join(", ")}] here`,
      help: "bind one instance for each size"
    });
    return void 0;
  }
  return tensor(
    element,
    groups,
    axes,
    of.builder.tensor(path, shapeOf(groups, axes), element === "number" ? "f32" : "i32")
  );
}
var initialisers = {
  normal: ["deviation"],
  uniform: ["low", "high"],
  orthogonal: ["gain"],
  identity: [],
  copy: ["of"]
};
function defaultInit(axes) {
  const first = axes[0] === void 0 ? void 0 : known(axes[0].size);
  return axes.length >= 2 && first !== void 0 ? { kind: "normal", deviation: 1 / Math.sqrt(Math.max(1, first)) } : { kind: "constant", value: 0 };
}
function numberIn(of, expression, scope, what) {
  const value = of.parts.evaluate(of, expression, scope);
  if (isBroken(value)) return checking(of) ? 0 : void 0;
  const found2 = value.kind === "number" ? valueOf(value) : void 0;
  if (found2 === void 0 && checking(of) && (value.kind === "number" || value.kind === "tensor")) {
    if (value.kind === "number") return 0;
  }
  if (found2 === void 0) {
    report(
      of,
      "M0209",
      expression.span,
      `${what} must be a number that is known when the model is compiled`,
      { label: `this is ${describe(value)}`, help: "write a number or a static" }
    );
    return void 0;
  }
  return found2;
}
function readCopy(of, call2, scope) {
  const [source, ...options] = call2.arguments;
  const named2 = source?.value.node === "name" ? source.value.text : void 0;
  const path = named2 === void 0 ? void 0 : frameOf(of).stored.get(named2)?.path;
  if (source === void 0 || path === void 0) {
    const exists = named2 !== void 0 && lookUp(scope, named2) !== void 0;
    report(
      of,
      "M0210",
      source?.span ?? call2.span,
      "`copy` takes a parameter of this definition that stands above",
      {
        label: exists ? "this is no parameter" : "not declared above",
        help: "name a `param` or a `state` above this one"
      }
    );
    return void 0;
  }
  let init = { kind: "copy", from: path };
  for (const { name, value } of options) {
    const number3 = numberIn(of, value, scope, "an option of `copy`");
    if (number3 === void 0) return void 0;
    if (name?.text === "noise") init = { ...init, noise: number3 };
    else if (name?.text === "keep") init = { ...init, keep: number3 };
    else {
      report(of, "M0210", value.span, "`copy` knows `noise` and `keep`", {
        label: name === void 0 ? "without a name" : `\`${name.text}\``,
        help: "write `copy(other, noise = 0.01)` or `copy(other, keep = 0.5)`"
      });
      return void 0;
    }
  }
  return init;
}
function readInit(of, expression, axes, scope) {
  const call2 = expression.node === "group" ? expression.inner : expression;
  if (call2.node === "call" && call2.callee.node === "name" && initialisers[call2.callee.text] !== void 0) {
    const name = call2.callee.text;
    if (name === "copy") return readCopy(of, call2, scope);
    const known3 = initialisers[name];
    const numbers3 = [];
    for (const argument of call2.arguments) {
      const number3 = numberIn(of, argument.value, scope, `an argument of \`${name}\``);
      if (number3 === void 0) return void 0;
      numbers3.push(number3);
    }
    const optional = name === "orthogonal" ? 1 : 0;
    if (numbers3.length > known3.length || numbers3.length < known3.length - optional) {
      report(
        of,
        "M0210",
        call2.span,
        `\`${name}\` takes ${known3.length === 0 ? "nothing" : known3.join(" and ")}`,
        { label: `${numbers3.length} given`, help: `write \`${name}(${known3.join(", ")})\`` }
      );
      return void 0;
    }
    const [first = 1, second = 1] = numbers3;
    if ((name === "orthogonal" || name === "identity") && axes.length < 2) {
      report(of, "M0210", call2.span, `\`${name}\` is for matrices`, {
        label: `this has the axes ${showShape(axes)}`,
        help: "use `normal(0.02)` or a number"
      });
      return void 0;
    }
    switch (name) {
      case "normal":
        return { kind: "normal", deviation: first };
      case "uniform":
        return { kind: "uniform", low: first, high: second };
      case "orthogonal":
        return { kind: "orthogonal", gain: first };
      default:
        return { kind: "identity" };
    }
  }
  if (expression.node === "list") {
    const values = [];
    for (const item of expression.items) {
      const value2 = numberIn(of, item, scope, "an initial value");
      if (value2 === void 0) return void 0;
      values.push(value2);
    }
    const size = axes.length === 1 ? known(axes[0].size) : void 0;
    if (axes.length !== 1 || size !== void 0 && size !== values.length) {
      report(of, "M0210", expression.span, `${values.length} initial values do not fit ${showShape(axes)}`, {
        label: `${values.length} values`,
        help: "give one value for each entry of a vector"
      });
      return void 0;
    }
    return { kind: "values", values };
  }
  const value = numberIn(of, expression, scope, "an initial value");
  return value === void 0 ? void 0 : { kind: "constant", value };
}
function declare(of, statement, scope) {
  const frame = frameOf(of);
  const { name, type } = statement;
  if (type.element === "gates" || type.element === "bool" || type.element === "int" && statement.node === "param") {
    report(of, "M0406", type.span, `a ${statement.node} holds numbers`, {
      label: `not ${type.element === "gates" ? "gates" : type.element === "bool" ? "truth values" : "integers"}`,
      help: "write `[D, H]`"
    });
    bind(scope, name.text, { kind: "broken" });
    return;
  }
  const axes = of.parts.axesOf(of, type, scope);
  const path = join(frame.path, nextName(of, name.text));
  const init = axes === void 0 ? void 0 : statement.init === void 0 ? statement.node === "state" ? { kind: "constant", value: 0 } : defaultInit(axes) : readInit(of, statement.init, axes, scope);
  const declared = axes === void 0 ? void 0 : declareTensor(of, {
    name: name.text,
    path,
    role: statement.node === "param" ? "parameter" : "state",
    element: type.element,
    axes,
    init: init ?? { kind: "constant", value: 0 },
    span: statement.span,
    ...statement.doc === void 0 ? {} : { doc: statement.doc }
  });
  bind(scope, name.text, declared ?? { kind: "broken" });
  if (declared !== void 0)
    frame.stored.set(name.text, {
      path,
      role: statement.node === "param" ? "parameter" : "state",
      tensor: declared
    });
}

// compiler/elaborate/tokens.ts
function flatten(of, value, tokens, axes) {
  const all2 = unionHidden([value, { hidden: tokens.hidden }]);
  const wide2 = expandTo(of, value, all2, axes);
  const others = all2.filter((axis) => !tokens.hidden.includes(axis));
  const node = build(of, [wide2], (builder, from) => {
    const rank = all2.length;
    const moved = builder.permute(from, [
      ...tokens.hidden.map((axis) => all2.indexOf(axis)),
      ...others.map((axis) => all2.indexOf(axis)),
      ...axes.map((_, i) => rank + i)
    ]);
    return builder.reshape(moved, [tokens.count, ...moved.shape.slice(tokens.hidden.length)]);
  });
  return { node, others };
}
function unflatten(of, node, tokens, others, axes) {
  const { builder } = of;
  if (builder === void 0) throw new Error("internal: no graph is being built");
  const split2 = builder.reshape(node, [...hiddenShape(tokens.hidden), ...node.shape.slice(1)]);
  const order = [...tokens.hidden, ...others];
  const all2 = unionHidden([{ hidden: order }]);
  const moved = builder.permute(split2, [
    ...all2.map((axis) => order.indexOf(axis)),
    ...axes.map((_, i) => all2.length + i)
  ]);
  return tensor("number", all2, axes, moved);
}
function localPicks(builder, picks, first, count, whole) {
  if (whole || first === 0) return picks;
  const at = (value) => builder.constant(value, "i32");
  const inside = builder.map(
    "and",
    builder.map("le", at(first), picks),
    builder.map("lt", picks, at(first + count))
  );
  return builder.select(inside, builder.sub(picks, at(first)), at(-1));
}
function weightIn(builder, picks, weight, first, count) {
  const at = (value) => builder.constant(value, "i32");
  const inside = builder.map(
    "and",
    builder.map("le", at(first), picks),
    builder.map("lt", picks, at(first + count))
  );
  return builder.sum(builder.select(inside, weight, 0), [-1]);
}
var zeros = (builder, count) => builder.broadcastTo(builder.constant(0), [count], []);
function scaleTokens(of, x, share2, tokens) {
  const { node, others } = flatten(of, x, tokens, x.axes);
  if (node === void 0 || share2 === void 0 || of.builder === void 0)
    return tensor("number", unionHidden([x, { hidden: tokens.hidden }]), x.axes, void 0);
  return unflatten(
    of,
    of.builder.mul(node, of.builder.broadcastTo(share2, node.shape, [0])),
    tokens,
    others,
    x.axes
  );
}

// compiler/elaborate/run-pool.ts
function runSegment(of, segment, first, whole, inputs2, routed, base, path) {
  const { builder } = of;
  const { tokens } = routed;
  const count = known(asSizeOf(segment.count));
  let route;
  if (builder !== void 0) {
    if (routed.picks === void 0 || count === void 0)
      throw new Error("internal: a routing without picks");
    route = builder.route(localPicks(builder, routed.picks, first, count, whole), count, routed.bound);
  }
  const order = Math.min(
    ...tokens.hidden.map((axis) => axis.order),
    ...inputs2.flatMap(({ hidden }) => hidden.map((axis) => axis.order)),
    of.nextOrder
  ) - 0.5;
  const rows2 = {
    kind: "rows",
    order,
    size: route?.bound ?? constant(1),
    name: "rows",
    ...route === void 0 ? {} : { route }
  };
  const group = { kind: "group", order, size: asSizeOf(segment.count), name: "experts", rows: rows2 };
  const given = inputs2.slice(0, segment.instance.definition.inputs.length).map((input) => {
    if (!input.hidden.some((axis) => tokens.hidden.includes(axis)) && tokens.hidden.length > 0) return input;
    const { node, others: others2 } = flatten(of, input, tokens, input.axes);
    const dispatched2 = node === void 0 || builder === void 0 || route === void 0 ? void 0 : builder.dispatch(node, route);
    return tensor(input.element, [rows2, ...others2], input.axes, dispatched2);
  });
  const result = of.parts.apply(of, segment.instance, given, segment.span, {
    base,
    exact: true,
    groups: [group],
    ...path === void 0 ? {} : { path }
  });
  const value = toTensor(of, result);
  if (isBroken(result) || value === void 0) return void 0;
  const all2 = unionHidden([value, { hidden: [rows2] }]);
  const wide2 = expandTo(of, value, all2, value.axes);
  const others = all2.slice(1);
  if (builder === void 0 || route === void 0 || wide2.node === void 0 || routed.weight === void 0)
    return tensor("number", [...tokens.hidden, ...others], value.axes, void 0);
  const share2 = builder.dispatch(routed.weight, route, "pick");
  const weighted = builder.mul(wide2.node, builder.broadcastTo(share2, wide2.node.shape, [0]));
  const merged2 = unflatten(of, builder.combine(weighted, route), tokens, others, value.axes);
  return scaleBy(of, merged2, segment.weight);
}
function runPool(of, span, pool, inputs2, gates, names) {
  const { builder } = of;
  const tokens = {
    hidden: gates.picks.hidden,
    count: product(gates.picks.hidden.map(({ size }) => size))
  };
  if (tokens.hidden.some(({ kind }) => kind === "rows"))
    return report(of, "M0511", span, "a routed expert cannot route again by itself", {
      label: "inside a routed expert",
      help: "route in a layer or a chain around the experts"
    });
  const experts = known(countsOf(pool).all.poly ?? gates.count);
  const gated = known(gates.count);
  if (experts !== void 0 && gated !== void 0 && experts !== gated)
    return report(of, "M0521", span, `the gates choose among ${gated}, and the pool has ${experts} experts`, {
      label: "null experts count",
      help: `give the router \`N = ${experts}\`, or write it after \`by\``
    });
  const flatPicks = flatten(of, gates.picks, tokens, gates.picks.axes).node;
  const weights = flatten(of, gates.weight, tokens, gates.weight.axes);
  const routed = { tokens, picks: flatPicks, weight: weights.node, bound: gates.bound };
  const results = [];
  let first = 0;
  for (const [i, segment] of pool.segments.entries()) {
    const base = names.unique && pool.segments.length === 1 ? names.base : `${names.base}.${i}`;
    const path = names.path === void 0 ? void 0 : pool.segments.length === 1 ? names.path : `${names.path}.${i}`;
    const whole = pool.segments.length === 1;
    const result = runSegment(of, segment, first, whole, inputs2, routed, base, path);
    first += known(asSizeOf(segment.count)) ?? 1;
    if (result === void 0) return broken;
    results.push(result);
  }
  if (results.length > 0 && !sameSignature(of, pool, results)) return broken;
  const parts5 = [...results];
  const [x] = inputs2;
  for (const { kind, count, span: place2 } of pool.nulls) {
    const size = known(asSizeOf(count)) ?? 1;
    const from = first;
    first += size;
    if (kind === "zero") continue;
    const like = results[0];
    if (kind === "copy") {
      if (x === void 0 || like !== void 0 && (like.axes.length !== x.axes.length || !like.axes.every((axis, i) => sameSizes(axis.size, x.axes[i].size))))
        return report(of, "M0512", place2, "a null expert that copies must return what the experts return", {
          label: `the input is ${showShape(x?.axes ?? [])}, the experts return ${like === void 0 ? "nothing" : showShape(like.axes)}`,
          help: "use `zero` or `constant`"
        });
      const share2 = builder === void 0 ? void 0 : weightIn(builder, flatPicks, weights.node, from, size);
      parts5.push(scaleTokens(of, x, share2, tokens));
      continue;
    }
    const axes = like?.axes ?? x?.axes ?? [];
    const table = declareTensor(of, {
      name: "constant",
      path: names.path === void 0 ? join(frameOf(of).path, "constant") : `${names.path}.constant`,
      role: "parameter",
      element: "number",
      axes: [{ size: asSizeOf(count) }, ...axes],
      init: { kind: "constant", value: 0 },
      span: place2,
      shared: true
    });
    if (table === void 0) return broken;
    const node = build(of, [table], (b2, vectors) => {
      const ids = localPicks(b2, flatPicks, from, size, false);
      const own = b2.map("lt", ids, b2.constant(size, "i32"));
      const taken = b2.take(vectors, b2.select(own, ids, b2.constant(-1, "i32")));
      const share2 = b2.broadcastTo(weights.node, taken.shape, [0, 1]);
      return b2.sum(b2.mul(taken, share2), [1]);
    });
    parts5.push(
      node === void 0 ? tensor("number", tokens.hidden, axes, void 0) : unflatten(of, node, tokens, [], axes)
    );
  }
  return addAll(of, span, parts5, "the results of the pool") ?? (x === void 0 ? broken : scaleTokens(of, x, builder === void 0 ? void 0 : zeros(builder, tokens.count), tokens));
}
function applyPool(of, span, pool, given, gates) {
  const expert = pool.segments[0]?.instance.definition;
  if (given.some(isBroken)) return broken;
  const inputs2 = [];
  for (const value of given) {
    const found2 = toTensor(of, value);
    if (found2 === void 0) return reportNotNumber(of, span, value, "a pool");
    inputs2.push(found2);
  }
  for (const { instance, span: place2 } of pool.segments)
    if (inputsOf(of, place2, instance, inputs2) === void 0) return broken;
  const extraOf = (input, i) => input.axes.length - (expert?.inputs[i]?.type.axes.length ?? 1);
  const widest = Math.max(0, ...inputs2.map(extraOf));
  const gateAxes = gates.picks.axes.slice(0, -1);
  const long = inputs2.find((input, i) => extraOf(input, i) === widest);
  const front = (long?.axes ?? []).slice(0, widest);
  const fits = gateAxes.length <= front.length && gateAxes.every((axis, i) => sameSizes(axis.size, front[i].size));
  if (!fits)
    return report(of, "M0513", span, "the gates are for other tokens than the experts", {
      label: `gates for ${showShape(gateAxes)}, experts run over ${showShape(front)}`,
      help: "let the router read a tensor with the same axes in front, one vector for each thing that is routed"
    });
  const lifted = front.map((axis) => ({
    kind: "lead",
    order: of.nextOrder++,
    size: axis.size,
    name: axis.name ?? showSize(axis.size),
    ...axis.pieces === void 0 ? {} : { pieces: axis.pieces }
  }));
  const hide2 = (value, extra, axes) => tensor(value.element, [...value.hidden, ...axes], value.axes.slice(extra), value.node);
  const inner = inputs2.map((input, i) => {
    const extra = Math.max(0, extraOf(input, i));
    return hide2(input, extra, lifted.slice(lifted.length - extra));
  });
  const own = lifted.slice(0, gateAxes.length);
  const hidden = {
    ...gates,
    picks: hide2(gates.picks, own.length, own),
    weight: hide2(gates.weight, own.length, own),
    chosen: hide2(gates.chosen, own.length, own)
  };
  const result = runPool(of, span, pool, inner, hidden, {
    base: "pool",
    unique: true,
    ...pool.path === void 0 ? {} : { path: pool.path }
  });
  if (result.kind !== "tensor") return result;
  const all2 = unionHidden([result, { hidden: lifted }]);
  const wide2 = expandTo(of, result, all2, result.axes);
  return tensor(
    "number",
    all2.filter((axis) => !lifted.includes(axis)),
    [...front, ...wide2.axes],
    wide2.node
  );
}

// compiler/elaborate/by.ts
var bare = (expression) => expression.node === "group" ? bare(expression.inner) : expression;
function gatesFor(of, expression, pool, inputs2, scope, base) {
  const { all: all2, nulls } = countsOf(pool);
  const [x] = inputs2;
  const open = x === void 0 ? void 0 : openMask(of, pool, toTensor(of, x), all2);
  const hints = { count: all2, nulls, base, ...open === void 0 ? {} : { open } };
  const span = expression.span;
  const inner = bare(expression);
  let value;
  if (inner.node === "call") {
    const callee = of.parts.evaluate(of, inner.callee, scope);
    if (callee.kind === "definition" || callee.kind === "instance") {
      const given = evaluateArguments(of, inner.arguments, scope);
      if (callee.definition.kind === "router" && areInputs(callee, given)) {
        value = of.parts.apply(
          of,
          asInstance(callee, span),
          given.map((each) => each.value),
          span,
          hints
        );
        return gatesOrReport(of, value, span);
      }
    }
  }
  value = of.parts.evaluate(of, expression, scope);
  if (value.kind === "definition" || value.kind === "instance") {
    if (value.definition.kind !== "router") {
      report(of, "M0515", span, `${describe(value)} stands where a router is wanted`, {
        label: `\`${value.definition.name.text}\` is ${describe(value)}`,
        help: "name a router, such as `TopK { k = 2 }`"
      });
      return void 0;
    }
    const wants = value.definition.inputs.length;
    if (wants > inputs2.length) {
      report(
        of,
        "M0204",
        span,
        `\`${value.definition.name.text}\` takes ${wants} inputs, and the pool has ${inputs2.length}`,
        { label: "too few inputs", help: "apply the router to its inputs: `router Name(x, z)`" }
      );
      return void 0;
    }
    value = of.parts.apply(of, asInstance(value, span), inputs2.slice(0, wants), span, hints);
  }
  return gatesOrReport(of, value, span);
}
function gatesOrReport(of, value, span) {
  if (value.kind === "gates") return value;
  if (!isBroken(value))
    report(of, "M0515", span, `${describe(value)} stands where a router is wanted`, {
      label: `this is ${describe(value)}`,
      help: "name a router, such as `TopK { k = 2 }`, or give gates"
    });
  return void 0;
}
function routePool(of, expression, scope) {
  const call2 = bare(expression.of);
  if (call2.node !== "call")
    return report(of, "M0514", expression.span, "`by` routes a pool that is applied", {
      label: "not applied to anything",
      help: "write `pool(x) by TopK { k = 2 }`"
    });
  const callee = of.parts.evaluate(of, call2.callee, scope);
  const given = evaluateArguments(of, call2.arguments, scope);
  if (isBroken(callee)) return broken;
  if (callee.kind !== "pool")
    return report(of, "M0514", call2.callee.span, `\`by\` routes a pool, not ${describe(callee)}`, {
      label: `this is ${describe(callee)}`,
      help: "make a pool: `pool = SwiGLU(D, H) * 64`"
    });
  if (given.some(({ value }) => isBroken(value))) return broken;
  const inputs2 = given.map(({ value }) => value);
  if (inputs2.length === 0)
    return report(of, "M0204", call2.span, "a pool takes what its experts take", {
      label: "nothing is given",
      help: "write `pool(x) by ...`"
    });
  const gates = gatesFor(of, expression.router, callee, inputs2, scope, "router");
  if (gates === void 0) return broken;
  return applyPool(of, expression.span, callee, inputs2, gates);
}

// compiler/elaborate/moe.ts
var poolFrame = (of) => {
  const { pool } = frameOf(of);
  if (pool === void 0) throw new Error("internal: not in a moe");
  return pool;
};
function weightOf(of, statement, scope) {
  if (statement.weight === void 0) return void 0;
  const value = of.parts.evaluate(of, statement.weight, scope);
  if (isBroken(value)) return void 0;
  const found2 = toTensor(of, value);
  if (found2 !== void 0 && found2.axes.length === 0 && found2.element !== "bool") return value;
  report(of, "M0517", statement.weight.span, "the weight of experts is one number for each token", {
    label: `this is ${describe(value)}`,
    help: "write a number, or something like `sigmoid(x @ w)` with `param w: [D]`"
  });
  return void 0;
}
function sharedExperts(of, statement, scope) {
  const pool = poolOf(of, of.parts.evaluate(of, statement.pool, scope), number(1), statement.pool.span);
  if (pool.kind !== "pool") return;
  if (pool.nulls.length > 0) {
    report(of, "M0518", statement.pool.span, "null experts cannot be shared", {
      label: "every token would do nothing",
      help: "write `null zero * 8` for experts that do nothing"
    });
    return;
  }
  const weight = weightOf(of, statement, scope);
  poolFrame(of).shared.push({ pool, span: statement.span, ...weight === void 0 ? {} : { weight } });
}
function routedExperts(of, statement, scope) {
  const pool = poolOf(of, of.parts.evaluate(of, statement.pool, scope), number(1), statement.pool.span);
  if (pool.kind !== "pool") return;
  const weight = weightOf(of, statement, scope);
  const modality = statement.modality?.text;
  const frame = poolFrame(of);
  for (const segment of pool.segments)
    frame.segments.push({
      ...segment,
      ...modality === void 0 ? {} : { modality },
      ...weight === void 0 ? {} : { weight }
    });
  frame.nulls.push(...pool.nulls);
}
function nullExperts(of, statement, scope) {
  const count = statement.count === void 0 ? number(1) : of.parts.evaluate(of, statement.count, scope);
  if (isBroken(count)) return;
  const size = count.kind === "number" ? asSize(count, checking(of)) : void 0;
  const value = size?.kind === "size" ? known(size.size) : void 0;
  if (count.kind !== "number" || size?.kind === "not whole" || size?.kind === "negative" || value === void 0 && !checking(of)) {
    report(
      of,
      "M0504",
      statement.count?.span ?? statement.span,
      "the number of experts must be a whole number of at least 1",
      {
        label: size === void 0 ? `this is ${describe(count)}` : size.kind === "size" ? showSize(size.size) : size.kind === "unknown" ? "not known" : `this is ${size.text}`,
        help: "write a number, or a static that is one"
      }
    );
    return;
  }
  if (value !== 0) poolFrame(of).nulls.push({ kind: statement.kind, count, span: statement.span });
}
function routerStatement(of, statement, scope) {
  const frame = poolFrame(of);
  if (frame.router !== void 0 && !checking(of)) {
    report(of, "M0519", statement.span, "a pool has one router", {
      label: "a second one",
      help: "keep one, or end them with `in training` and `in inference`"
    });
    return;
  }
  frame.router = { expression: statement.router, scope };
}
function finishMoe(of, scope) {
  const { definition } = frameOf(of);
  const { shared, segments, nulls, router } = poolFrame(of);
  if (shared.length + segments.length + nulls.length === 0 && router === void 0) return void 0;
  const span = definition.name.span;
  const given = definition.inputs.map(({ name }) => scope.names.get(name.text) ?? broken);
  if (given.some(isBroken)) return broken;
  const inputs2 = [];
  for (const value of given) {
    const found2 = toTensor(of, value);
    if (found2 !== void 0) inputs2.push(found2);
  }
  const parts5 = [];
  const pool = { kind: "pool", segments, nulls };
  if (segments.length + nulls.length > 0) {
    if (router === void 0)
      return report(of, "M0514", (segments[0] ?? nulls[0]).span, "a pool needs a router", {
        label: "nothing says which experts to take",
        help: "write `router TopK { k = 2 }`"
      });
    for (const { instance, span: place2 } of segments)
      if (inputsOf(of, place2, instance, inputs2) === void 0) return broken;
    const gates = gatesFor(of, router.expression, pool, inputs2, router.scope, "router");
    if (gates === void 0) return broken;
    if (gates.picks.axes.length > 1)
      return report(of, "M0513", router.expression.span, "the gates are for other tokens than the layer", {
        label: "more than one set of gates for each input",
        help: "let the router read a tensor without further axes"
      });
    const routed = runPool(of, span, pool, inputs2, gates, { base: "routed", unique: true });
    if (routed.kind !== "tensor") return broken;
    parts5.push(routed);
  } else if (router !== void 0)
    return report(of, "M0514", router.expression.span, "a router needs a pool", {
      label: "nothing to route to",
      help: "write `routed SwiGLU(D, H) * 64`"
    });
  for (const { pool: always2, weight, span: place2 } of shared)
    for (const { instance, count } of always2.segments) {
      const times2 = known(count.poly ?? []) ?? 1;
      const wanted = inputsOf(of, place2, instance, inputs2);
      if (wanted === void 0) return broken;
      const several = times2 > 1 || shared.length > 1 || always2.segments.length > 1;
      for (let i = 0; i < times2; i++) {
        const counters = frameOf(of).counters;
        const index = counters.get("shared") ?? 0;
        counters.set("shared", index + 1);
        const result = of.parts.apply(of, instance, wanted, place2, {
          base: several ? `shared.${index}` : "shared",
          exact: true
        });
        const value = toTensor(of, result);
        if (isBroken(result) || value === void 0) return broken;
        parts5.push(scaleBy(of, value, weight));
      }
    }
  const sum = addAll(of, span, parts5, "shared and routed experts");
  if (sum === void 0) return broken;
  return { ...sum, hidden: unionHidden([sum]) };
}

// compiler/build/capacity.ts
function dropLast(builder, picks, experts, capacity, inner) {
  const rank = picks.shape.length;
  const outer = rank - 1 - inner;
  const width = picks.shape[rank - 1].size;
  const tokens = product(picks.shape.slice(outer, rank - 1).map((axis) => axis.size));
  const outers = product(picks.shape.slice(0, outer).map((axis) => axis.size));
  const flat2 = builder.reshape(picks, [outers, multiply(tokens, width)]);
  const hits = builder.cast(builder.oneHot(flat2, experts), "f32");
  const before = builder.scan(hits, 1, { exclusive: true });
  const rankOf2 = builder.take(before, builder.reshape(flat2, [outers, multiply(tokens, width), 1]), 2);
  const place2 = builder.reshape(rankOf2, picks.shape);
  const limit2 = builder.broadcastTo(builder.cast(capacity, "f32"), picks.shape, []);
  return builder.select(builder.map("lt", place2, limit2), picks, -1);
}
function dropLowest(builder, picks, chosen, score, capacity, inner) {
  const rank = score.shape.length;
  const outer = rank - 1 - inner;
  const experts = score.shape[rank - 1];
  const tokens = product(score.shape.slice(outer, rank - 1).map((axis) => axis.size));
  const standing = builder.select(builder.map("lt", 0, chosen), builder.stop(score), -Infinity);
  const flat2 = builder.reshape(standing, [...score.shape.slice(0, outer), tokens, experts]);
  const kept = builder.transpose(builder.choose(builder.transpose(flat2), capacity, "mask"));
  const keep = builder.cast(builder.reshape(kept, score.shape), "f32");
  const atPick = builder.take(keep, picks, rank - 1);
  return builder.select(builder.map("lt", 0, atPick), picks, -1);
}

// compiler/build/gates.ts
var isPicked = (builder, picks) => builder.map("le", builder.constant(0, "i32"), picks);
function atPicks(builder, value, picks, fill = 0) {
  const batch = value.shape.length - 1;
  const taken = builder.take(value, picks, batch);
  if (fill === 0) return taken;
  return builder.select(isPicked(builder, picks), taken, fill);
}
function chosenOf(builder, picks, experts) {
  const hits = builder.oneHot(picks, experts);
  return builder.sum(builder.cast(hits, "f32"), [-2]);
}
function loadOf(builder, picks, experts) {
  const rank = picks.shape.length;
  const tokens = picks.shape.slice(0, -1);
  const flat2 = rank === 2 ? picks : builder.reshape(picks, [
    tokens.map((axis) => axis.size).reduce((a2, b2) => multiply(a2, b2)),
    picks.shape[rank - 1]
  ]);
  const offsets = builder.part(builder.route(flat2, experts), "offsets");
  const ends = builder.slice(offsets, 0, 1, experts);
  const starts = builder.slice(offsets, 0, 0, experts);
  return builder.cast(builder.sub(ends, starts), "f32");
}

// compiler/build/choose.ts
var lastSize = (node) => node.shape[node.shape.length - 1].size;
var masked = (builder, score, only) => only === void 0 ? score : builder.select(only, score, -Infinity);
var chooseTop = (builder, score, k) => builder.choose(builder.stop(score), k);
function grouped(builder, score, groups) {
  const width = divideExactly(lastSize(score), constant(groups));
  if (width === void 0) throw new Error("internal: groups do not divide the experts");
  return builder.reshape(score, [...score.shape.slice(0, -1), groups, width]);
}
function chooseEach(builder, score, k, groups) {
  const parts5 = grouped(builder, builder.stop(score), groups);
  const width = known(lastSize(parts5));
  const local3 = builder.choose(parts5, k);
  const first = builder.map("mul", builder.index(groups), builder.constant(width, "i32"));
  const rank = local3.shape.length;
  const start = builder.broadcastTo(first, local3.shape, [rank - 2]);
  const empty = builder.map("lt", local3, builder.constant(0, "i32"));
  const ids = builder.select(empty, local3, builder.add(local3, start));
  return builder.reshape(ids, [...score.shape.slice(0, -1), groups * k]);
}
function chooseBest(builder, score, k, best, groups, by) {
  const parts5 = grouped(builder, builder.stop(by.score), groups);
  const rank = parts5.shape.length;
  const of = by.top === 1 ? builder.reduce("max", parts5, [-1]) : sumOfBest(builder, parts5, by.top);
  const kept = builder.choose(of, best, "mask");
  const open = builder.broadcastTo(
    kept,
    parts5.shape,
    kept.shape.map((_, axis) => axis)
  );
  if (rank !== score.shape.length + 1) throw new Error("internal: group scores of another rank");
  const mask = builder.reshape(open, score.shape);
  return builder.choose(masked(builder, builder.stop(score), mask), k);
}
function sumOfBest(builder, parts5, count) {
  const ids = builder.choose(parts5, count);
  const values = builder.take(parts5, ids, parts5.shape.length - 1);
  const sum = builder.sum(values, [-1]);
  const any = builder.map("lt", -Infinity, builder.reduce("max", parts5, [-1]));
  return builder.select(any, sum, -Infinity);
}
function chooseUntil(builder, summed, threshold, strict, by, most) {
  const order = builder.choose(builder.stop(by), most ?? lastSize(by));
  const rank = by.shape.length;
  const values = builder.take(builder.stop(summed), order, rank - 1);
  const before = builder.scan(values, rank - 1, { exclusive: true });
  const wide2 = threshold.shape.length === 0 ? builder.broadcastTo(threshold, before.shape, []) : builder.broadcastTo(
    threshold,
    before.shape,
    threshold.shape.map((_, axis) => axis)
  );
  const going = builder.map(strict ? "le" : "lt", before, builder.stop(wide2));
  const place2 = builder.broadcastTo(builder.index(before.shape[rank - 1]), before.shape, [rank - 1]);
  const first = builder.map("eq", place2, builder.constant(0, "i32"));
  return builder.select(builder.map("or", first, going), order, -1);
}
function chooseWhere(builder, condition, most, by) {
  if (most !== void 0 && by !== void 0)
    return builder.choose(masked(builder, builder.stop(by), condition), most);
  return builder.select(condition, everyExpert(builder, condition), -1);
}
var chooseAll = (builder, like, only) => only === void 0 ? everyExpert(builder, like) : chooseWhere(builder, only);
function everyExpert(builder, like) {
  const rank = like.shape.length;
  return builder.broadcastTo(builder.index(like.shape[rank - 1]), like.shape, [rank - 1]);
}
function chooseTokens(builder, score, count, axes) {
  const rank = score.shape.length;
  const outer = rank - 1 - axes;
  const tokens = score.shape.slice(outer, rank - 1).map((axis) => axis.size);
  const outerShape = score.shape.slice(0, outer);
  const experts = score.shape[rank - 1];
  const flat2 = axes === 1 ? score : builder.reshape(score, [...outerShape, product(tokens), experts]);
  const byExpert = builder.transpose(builder.stop(flat2));
  const taken = builder.transpose(builder.choose(byExpert, count, "mask"));
  return chooseWhere(builder, axes === 1 ? taken : builder.reshape(taken, score.shape));
}

// compiler/elaborate/scores.ts
var routerOf = (of) => {
  const { router } = frameOf(of);
  if (router === void 0) throw new Error("internal: no router is being elaborated");
  return router;
};
var expertsOf = (of) => routerOf(of).count.poly ?? named("N");
var expertAxis = (of) => ({
  size: expertsOf(of),
  name: routerOf(of).axisName
});
var tokensOf = (of, tensors2) => unionHidden([...tensors2, { hidden: frameOf(of).lead }]).filter(({ kind }) => kind !== "group");
function overExperts(of, expression, scope, element, what) {
  const value = of.parts.evaluate(of, expression, scope);
  if (isBroken(value)) return void 0;
  const found2 = toTensor(of, value);
  const size = expertsOf(of);
  if (found2 === void 0 || found2.axes.length !== 1 || !sameSizes(found2.axes[0].size, size)) {
    report(
      of,
      "M0502",
      expression.span,
      `${what} must have one entry for each expert: \`[${showSize(size)}]\``,
      {
        label: found2 === void 0 ? `this is ${describe(value)}` : `this is ${showShape(found2.axes)}`,
        help: "score the experts, for example with `x @ w` and `param w: [D, N]`"
      }
    );
    return void 0;
  }
  if (element === "bool" !== (found2.element === "bool")) {
    report(
      of,
      "M0503",
      expression.span,
      `${what} must be ${element === "bool" ? "truth values" : "numbers"}`,
      {
        label: `these are ${found2.element === "bool" ? "truth values" : "numbers"}`,
        help: element === "bool" ? "compare: `score > 0`" : "write `if x then 1 else 0`"
      }
    );
    return void 0;
  }
  return element === "number" ? castTo(of, found2, "number") : found2;
}
function countOf(of, expression, scope, what) {
  const value = of.parts.evaluate(of, expression, scope);
  if (isBroken(value)) return checking(of) ? "unknown" : void 0;
  const count = value.kind === "number" ? valueOf(value) : void 0;
  if (value.kind === "number" && count === void 0 && checking(of)) return "unknown";
  if (count === void 0 || !Number.isInteger(count) || count < 1) {
    report(of, "M0504", expression.span, `${what} must be a whole number of at least 1`, {
      label: count === void 0 ? value.kind === "number" ? "not known when the model is compiled" : `this is ${describe(value)}` : `this is ${count}`,
      help: "write a number, or a static that is one"
    });
    return void 0;
  }
  return count;
}
var sizeFrom = (count, name) => count === "unknown" ? named(name) : constant(count);
function atMost(of, span, count, limit2, what, of_) {
  const bound = known(limit2);
  if (count === "unknown" || bound === void 0 || count <= bound) return true;
  report(of, "M0501", span, `cannot choose ${count} of ${bound} ${what}`, {
    label: of_,
    help: `choose at most ${bound}, or have more ${what}`
  });
  return false;
}

// compiler/elaborate/choices.ts
function divides(of, span, groups) {
  const experts = known(expertsOf(of));
  if (groups === "unknown" || experts === void 0 || experts % groups === 0) return true;
  report(of, "M0505", span, `${groups} groups do not divide ${experts} experts`, {
    label: `${experts} / ${groups} is not whole`,
    help: "choose a number of groups that divides the experts"
  });
  return false;
}
var summedOf = (expression) => expression.node === "call" && expression.callee.node === "name" && expression.callee.text === "sum" && expression.arguments[0] !== void 0 ? expression.arguments[0].value : expression;
var alone = (of, ids) => {
  const axes = [{ size: constant(1) }];
  return tensor(
    ids.element,
    ids.hidden,
    axes,
    build(of, [ids], (builder, node) => builder.reshape(node, [...node.shape, 1]))
  );
};
function choiceOf(of, choice2, scope) {
  const experts = expertsOf(of);
  switch (choice2.form) {
    case "top": {
      const k = countOf(of, choice2.count, scope, "the number of picks");
      const score = overExperts(of, choice2.score, scope, "number", "the score");
      if (k === void 0 || score === void 0 || !atMost(of, choice2.count.span, k, experts, "experts", "too many"))
        return void 0;
      return {
        tensors: [score],
        width: sizeFrom(k, "k"),
        score,
        empty: false,
        make: (builder, [s], only) => chooseTop(builder, masked(builder, s, only), k)
      };
    }
    case "each": {
      const k = countOf(of, choice2.count, scope, "the number of picks");
      const groups = countOf(of, choice2.groups, scope, "the number of groups");
      const score = overExperts(of, choice2.score, scope, "number", "the score");
      if (k === void 0 || groups === void 0 || score === void 0 || !divides(of, choice2.groups.span, groups))
        return void 0;
      const inGroup = known(experts);
      if (inGroup !== void 0 && groups !== "unknown" && !atMost(
        of,
        choice2.count.span,
        k,
        constant(inGroup / groups),
        "experts of a group",
        "too many for one group"
      ))
        return void 0;
      const width = k === "unknown" || groups === "unknown" ? named("k") : constant(k * groups);
      return {
        tensors: [score],
        width,
        score,
        empty: false,
        make: (builder, [s], only) => chooseEach(builder, masked(builder, s, only), k, groups)
      };
    }
    case "best": {
      const k = countOf(of, choice2.count, scope, "the number of picks");
      const best = countOf(of, choice2.best, scope, "the number of best groups");
      const groups = countOf(of, choice2.groups, scope, "the number of groups");
      const top = choice2.by.top === void 0 ? choice2.by.reduce.text === "max" ? 1 : "all" : countOf(of, choice2.by.top, scope, "the number summed in a group");
      const score = overExperts(of, choice2.score, scope, "number", "the score");
      const by = overExperts(of, choice2.by.score, scope, "number", "the score of the groups");
      if (k === void 0 || best === void 0 || groups === void 0 || top === void 0 || score === void 0 || by === void 0)
        return void 0;
      if (choice2.by.reduce.text !== "sum" && choice2.by.reduce.text !== "max") {
        report(of, "M0506", choice2.by.reduce.span, "groups are ranked by `sum` or `max`", {
          label: `not by \`${choice2.by.reduce.text}\``,
          help: "write `by max(q)` or `by sum(top 2 of q)`"
        });
        return void 0;
      }
      if (!divides(of, choice2.groups.span, groups)) return void 0;
      if (groups !== "unknown" && !atMost(of, choice2.best.span, best, constant(groups), "groups", "too many"))
        return void 0;
      const total = known(experts);
      if (total !== void 0 && groups !== "unknown") {
        const inGroup = total / groups;
        if (best !== "unknown" && !atMost(
          of,
          choice2.count.span,
          k,
          constant(inGroup * best),
          "experts of the best groups",
          "too many"
        ))
          return void 0;
        if (top !== "all" && choice2.by.top !== void 0 && !atMost(of, choice2.by.top.span, top, constant(inGroup), "experts of a group", "too many"))
          return void 0;
      }
      return {
        tensors: [score, by],
        width: sizeFrom(k, "k"),
        score,
        empty: false,
        make: (builder, [s, g], only) => chooseBest(builder, masked(builder, s, only), k, best, groups, {
          score: masked(builder, g, only),
          top: top === "all" ? known(experts) / groups : top
        })
      };
    }
    case "until": {
      const summed = overExperts(of, summedOf(choice2.summed), scope, "number", "what is summed");
      const by = overExperts(of, choice2.by, scope, "number", "the score");
      const limit2 = of.parts.evaluate(of, choice2.threshold, scope);
      const most = choice2.most === void 0 ? void 0 : countOf(of, choice2.most, scope, "the number of picks");
      if (summed === void 0 || by === void 0 || isBroken(limit2) || choice2.most !== void 0 && most === void 0)
        return void 0;
      const threshold = toTensor(of, limit2);
      if (threshold === void 0 || threshold.axes.length > 0 || threshold.element === "bool") {
        report(of, "M0506", choice2.threshold.span, "the threshold must be one number", {
          label: `this is ${describe(limit2)}`,
          help: "write a number: `until sum(p) > 0.4 by p`"
        });
        return void 0;
      }
      if (most !== void 0 && !atMost(of, choice2.most.span, most, experts, "experts", "too many"))
        return void 0;
      const bare2 = threshold.hidden.length === 0;
      return {
        tensors: bare2 ? [summed, by] : [summed, by, castTo(of, threshold, "number")],
        width: most === void 0 ? experts : sizeFrom(most, "k"),
        score: by,
        empty: false,
        make: (builder, [s, b2, t], only) => chooseUntil(
          builder,
          s,
          bare2 ? castTo(of, threshold, "number").node : t,
          choice2.strict,
          masked(builder, b2, only),
          most === "unknown" ? void 0 : most
        )
      };
    }
    case "where": {
      const condition = overExperts(of, choice2.condition, scope, "bool", "the condition");
      const most = choice2.most === void 0 ? void 0 : countOf(of, choice2.most, scope, "the number of picks");
      const by = choice2.by === void 0 ? void 0 : overExperts(of, choice2.by, scope, "number", "the score");
      if (condition === void 0 || choice2.most !== void 0 && most === void 0 || choice2.by !== void 0 && by === void 0)
        return void 0;
      if (most === void 0 !== (by === void 0)) {
        report(of, "M0506", choice2.span, "`at most` and `by` go together", {
          label: most === void 0 ? "`by` without `at most`" : "`at most` without `by`",
          help: "write `choose where score > 0 at most 4 by score`"
        });
        return void 0;
      }
      if (most !== void 0 && !atMost(of, choice2.most.span, most, experts, "experts", "too many"))
        return void 0;
      return {
        tensors: by === void 0 ? [condition] : [condition, by],
        width: most === void 0 ? experts : sizeFrom(most, "k"),
        empty: true,
        make: (builder, [c2, b2], only) => chooseWhere(
          builder,
          only === void 0 ? c2 : builder.map("and", c2, only),
          most === "unknown" ? void 0 : most,
          b2
        )
      };
    }
    case "all":
      return {
        tensors: [
          tensor(
            "bool",
            [],
            [expertAxis(of)],
            of.builder === void 0 ? void 0 : of.builder.broadcastTo(of.builder.constant(true), [experts], [])
          )
        ],
        width: experts,
        empty: false,
        make: (builder, [like], only) => chooseAll(builder, like, only)
      };
    case "tokens": {
      const score = overExperts(of, choice2.score, scope, "number", "the score");
      const value = of.parts.evaluate(of, choice2.count, scope);
      if (score === void 0 || isBroken(value)) return void 0;
      if (value.kind !== "number") {
        report(of, "M0504", choice2.count.span, "the number of tokens must be a number or a size", {
          label: `this is ${describe(value)}`,
          help: "write a size: `choose top ceil(2 * sequence / N) tokens of ...`"
        });
        return void 0;
      }
      if (of.decode !== void 0)
        of.collected.undecodable.add(`${frameOf(of).path}: experts choose among all tokens of the text`);
      const rounded2 = asSize(roundSize(value, "ceil"), checking(of));
      const count = rounded2.kind === "size" ? rounded2.size : void 0;
      if (count === void 0 && !checking(of)) {
        report(of, "M0504", choice2.count.span, "the number of tokens must be a size", {
          label: "not a size",
          help: "write whole numbers and sizes"
        });
        return void 0;
      }
      const tokens = tokensOf(of, [score]);
      const axes = choice2.scope === "sequence" ? Math.min(1, tokens.length) : tokens.length;
      const outer = product(tokens.slice(0, tokens.length - axes).map(({ size }) => size));
      return {
        tensors: [score],
        width: experts,
        score,
        empty: true,
        ...count === void 0 ? {} : { bound: multiply(multiply(count, experts), outer) },
        make: (builder, [s], only) => chooseTokens(builder, masked(builder, s, only), count, axes)
      };
    }
    case "given": {
      const route = of.parts.evaluate(of, choice2.route, scope);
      if (isBroken(route)) return void 0;
      const given = route.kind === "gates" ? route.picks : toTensor(of, route);
      const picks = given?.axes.length === 0 ? alone(of, given) : given;
      if (picks === void 0 || picks.element !== "int" || picks.axes.length !== 1) {
        report(of, "M0506", choice2.route.span, "`choose given` takes gates or integers `int [K]`", {
          label: picks === void 0 ? `this is ${describe(route)}` : `this is ${picks.element} ${showShape(picks.axes)}`,
          help: "give gates, or the experts of each token"
        });
        return void 0;
      }
      return {
        tensors: [picks],
        width: picks.axes[0].size,
        empty: true,
        make: (builder, [p], only) => {
          if (only === void 0) return p;
          const open = builder.take(builder.cast(only, "i32"), p, p.shape.length - 1);
          return builder.select(builder.map("lt", builder.constant(0, "i32"), open), p, -1);
        }
      };
    }
    default:
      return choice2;
  }
}

// compiler/elaborate/router.ts
function choose(of, statement, scope) {
  const router = routerOf(of);
  if (router.before !== void 0 && !checking(of)) {
    report(of, "M0507", statement.span, "a router chooses once", {
      label: "again here",
      help: "keep one `choose`"
    });
    return;
  }
  const made = choiceOf(of, statement.choice, scope);
  const only = statement.only === void 0 ? void 0 : overExperts(of, statement.only, scope, "bool", "the mask");
  if (made === void 0 || statement.only !== void 0 && only === void 0) {
    router.failed = true;
    return;
  }
  const masks = [only, router.open].filter((each) => each !== void 0);
  const tokens = tokensOf(of, [...made.tensors, ...masks]);
  const wide2 = made.tensors.map((each) => expandTo(of, each, tokens, each.axes));
  const shut = masks.map((each) => expandTo(of, each, tokens, each.axes));
  const node = build(of, [...wide2, ...shut], (builder, ...nodes) => {
    const mask = nodes.slice(wide2.length).reduce((a2, b2) => a2 === void 0 ? b2 : builder.map("and", a2, b2), void 0);
    return made.make(builder, nodes.slice(0, wide2.length), mask);
  });
  const bare2 = tensor("int", tokens, [{ size: made.width }], node);
  const valid = tensor("bool", tokens, [{ size: made.width }], build(of, [bare2], isPicked));
  router.before = { ...bare2, axes: [{ size: made.width, name: "picks", valid }] };
  if (made.score !== void 0) router.score = made.score;
  if (made.bound !== void 0) router.bound = made.bound;
  router.mayBeEmpty = made.empty || masks.length > 0;
}
function limit(of, statement, scope) {
  const router = routerOf(of);
  const value = of.parts.evaluate(of, statement.value, scope);
  if (isBroken(value)) return;
  if (value.kind !== "number") {
    report(of, "M0508", statement.value.span, "a capacity must be a number or a size", {
      label: `this is ${describe(value)}`,
      help: "write tokens per expert: `capacity 1.25 * k * tokens / N`"
    });
    return;
  }
  const { before, score } = router;
  if (before === void 0) {
    if (router.failed === true) return;
    report(of, "M0508", statement.span, "`capacity` stands before `choose`", {
      label: "nothing has been chosen yet",
      help: "move it below `choose`"
    });
    return;
  }
  if (statement.drop === "lowest" && score === void 0) {
    report(of, "M0508", statement.span, "`drop lowest` needs a choice by score", {
      label: "nothing says which picks are lowest",
      help: "write `drop last`, or choose by a score"
    });
    return;
  }
  const inner = statement.scope === "sequence" ? Math.min(1, before.hidden.length) : before.hidden.length;
  const experts = expertsOf(of);
  const wide2 = score === void 0 ? void 0 : expandTo(of, score, before.hidden, score.axes);
  const node = build(of, [before], (builder, picks) => {
    const count = known(experts);
    if (statement.drop === "last")
      return dropLast(builder, picks, count, numberNode(builder, value.poly), inner);
    const rounded2 = roundSize(value, "ceil").poly;
    return dropLowest(builder, picks, chosenOf(builder, picks, experts), wide2.node, rounded2, inner);
  });
  router.after = tensor("int", before.hidden, [{ size: before.axes[0].size }], node);
}
function restrict(of, value) {
  const router = frameOf(of).router;
  if (router?.restricted !== true || router.before === void 0 || value.kind !== "tensor" || value.axes.length !== 1)
    return value;
  const [axis] = value.axes;
  if (axis.valid !== void 0 || !sameSizes(axis.size, expertsOf(of))) return value;
  if (axis.name !== void 0 && axis.name !== router.axisName) return value;
  const { before } = router;
  const wide2 = value.hidden.length === 0 ? value : expandTo(of, value, unionHidden([value, before]), value.axes);
  return tensor(
    value.element,
    before.hidden,
    before.axes,
    build(of, [wide2, before], (builder, table, picks) => atPicks(builder, table, picks))
  );
}
function weigh(of, statement, scope) {
  const router = routerOf(of);
  if (router.before === void 0) {
    if (router.failed !== true)
      report(of, "M0509", statement.span, "`weight` stands before `choose`", {
        label: "nothing has been chosen yet",
        help: "move it below `choose`"
      });
    return;
  }
  router.restricted = true;
  const value = of.parts.evaluate(of, statement.value, scope);
  router.restricted = false;
  if (isBroken(value)) return;
  const found2 = toTensor(of, value);
  const picks = router.before.axes[0];
  if (found2 === void 0 || found2.element === "bool" || found2.axes.length > 1 || found2.axes[0] !== void 0 && !sameSizes(found2.axes[0].size, picks.size)) {
    report(of, "M0509", statement.value.span, "a weight must be one number for each chosen expert", {
      label: found2 === void 0 ? `this is ${describe(value)}` : `this is ${found2.element} ${showShape(found2.axes)}`,
      help: "write an expression of `[N]` tensors, such as `score / sum(score)`"
    });
    return;
  }
  router.weight = castTo(of, found2, "number");
}
function finishGates(of) {
  const router = routerOf(of);
  const { before } = router;
  if (before === void 0) return void 0;
  const experts = expertsOf(of);
  const picks = router.after ?? tensor("int", before.hidden, [{ size: before.axes[0].size }], before.node);
  const given = router.weight ?? (router.score === void 0 ? void 0 : (() => {
    router.restricted = true;
    const chosen2 = restrict(of, { ...router.score, axes: [{ size: experts }] });
    router.restricted = false;
    return chosen2;
  })());
  const hidden = given === void 0 ? before.hidden : unionHidden([given, before]);
  const wide2 = given === void 0 ? void 0 : expandTo(of, given, hidden, before.axes);
  const at = expandTo(of, picks, hidden, picks.axes);
  const weight = tensor(
    "number",
    hidden,
    picks.axes,
    build(
      of,
      [at, wide2],
      (builder, ids, values) => builder.select(
        isPicked(builder, ids),
        values ?? builder.broadcastTo(builder.constant(1), ids.shape, []),
        0
      )
    )
  );
  const axis = expertAxis(of);
  const chosen = tensor(
    "number",
    picks.hidden,
    [axis],
    build(of, [picks], (builder, ids) => chosenOf(builder, ids, experts))
  );
  const load = tensor(
    "number",
    [],
    [axis],
    build(
      of,
      [picks],
      (builder, ids) => loadOf(
        builder,
        ids.shape.length === 1 ? builder.reshape(ids, [1, ...ids.shape]) : ids,
        known(experts)
      )
    )
  );
  const gates = {
    kind: "gates",
    picks,
    weight,
    chosen,
    load,
    count: experts,
    ...router.bound === void 0 ? {} : { bound: router.bound }
  };
  return gates;
}
function routerName(of, name) {
  const { router, lead } = frameOf(of);
  if (router === void 0) return void 0;
  switch (name) {
    case "load":
    case "chosen": {
      const gates = finishGates(of);
      if (gates === void 0) return void 0;
      return name === "load" ? gates.load : gates.chosen;
    }
    case "is_null": {
      const nulls = router.nulls.poly ?? [];
      const axis = expertAxis(of);
      const node = of.builder === void 0 ? void 0 : of.builder.map(
        "le",
        of.builder.constant(known(axis.size) - known(nulls), "i32"),
        of.builder.index(axis.size)
      );
      return tensor("bool", [], [axis], node);
    }
    case "experts": {
      const [count, nulls] = [router.count.poly, router.nulls.poly];
      if (count === void 0 || nulls === void 0) return { kind: "number" };
      return checking(of) ? { kind: "number", poly: named("experts"), name: "experts" } : { kind: "number", poly: constant(known(count) - known(nulls)), name: "experts" };
    }
    case "tokens":
      return {
        kind: "number",
        poly: checking(of) ? named("tokens") : product(lead.map(({ size }) => size)),
        name: "tokens"
      };
    case "sequence":
      return {
        kind: "number",
        poly: checking(of) ? named("sequence") : lead.at(-1)?.size ?? constant(1),
        name: "sequence"
      };
    default:
      return void 0;
  }
}
var routerNames = ["load", "chosen", "is_null", "experts", "tokens", "sequence"];
function returnGates(of) {
  const frame = frameOf(of);
  const gates = finishGates(of);
  if (gates === void 0) return broken;
  const { picks, load } = gates;
  const width = known(picks.axes[0].size);
  if (picks.node !== void 0 && load.node !== void 0 && width !== void 0) {
    const nulls = known(frame.router.nulls.poly ?? []) ?? 0;
    of.collected.routers.push({
      name: frame.path,
      experts: known(gates.count) - nulls,
      nulls,
      picks: picks.node,
      load: load.node,
      width,
      dropping: frame.router.after !== void 0
    });
  }
  return gates;
}

// compiler/elaborate/body.ts
var resultSpan = (definition) => {
  const last = definition.body.at(-1);
  return last === void 0 ? definition.name.span : last.node === "result" ? last.value.span : last.span;
};
function lastBound(statements, scope) {
  const last = statements.findLast(
    ({ node }) => !["loss", "metric", "after", "state", "param"].includes(node)
  );
  if (last?.node === "bind") return lookUp(scope, last.name.text);
  if (last?.node === "repeat") return lastBound(last.body, scope);
  return void 0;
}
function checkResult(of, definition, value, scope) {
  const { result, name } = definition;
  if (isBroken(value) || result === void 0) return value;
  const span = resultSpan(definition);
  const declared = { module: frameOf(of).module.path, span: result.span, label: "declared here" };
  if (result.element === "gates") {
    if (value.kind === "gates") return value;
    return report(of, "M0207", span, `\`${name.text}\` returns gates, and this is ${describe(value)}`, {
      label: `this is ${describe(value)}`,
      related: [declared],
      help: "end with `choose` and `weight`"
    });
  }
  const found2 = toTensor(of, value, result.element);
  if (found2 === void 0)
    return report(of, "M0214", span, `\`${name.text}\` returns a tensor, and this is ${describe(value)}`, {
      label: `this is ${describe(value)}`,
      related: [declared],
      help: "end with an expression of the declared type"
    });
  const axes = of.parts.axesOf(of, result, scope);
  if (axes === void 0) return broken;
  const fits = axes.length === found2.axes.length && axes.every((axis, i) => sameSizes(axis.size, found2.axes[i].size));
  if (!fits)
    return report(of, "M0312", span, `\`${name.text}\` returns another shape than it declares`, {
      label: `this is ${showShape(found2.axes)}`,
      related: [{ ...declared, label: `declared as [${axes.map(({ size }) => showSize(size)).join(", ")}]` }],
      help: "change the result, or the declared type"
    });
  if (found2.element !== result.element && !(result.element === "number" && found2.element === "int"))
    return report(
      of,
      "M0405",
      span,
      `\`${name.text}\` returns ${found2.element === "bool" ? "truth values" : found2.element === "int" ? "integers" : "numbers"}, and declares ${result.element === "number" ? "numbers" : result.element}`,
      {
        label: found2.element,
        related: [declared],
        help: "change the result, or the declared type"
      }
    );
  return castTo(of, found2, result.element);
}
function runBody(of, definition, scope) {
  const before = of.diagnostics.length;
  const ran = of.parts.run(of, definition.body, scope);
  const quiet = of.diagnostics.length > before;
  if (definition.kind === "router") {
    if (frameOf(of).router?.before !== void 0) return checkResult(of, definition, returnGates(of), scope);
    if (ran !== void 0) return checkResult(of, definition, ran, scope);
    const chooses = definition.body.some(({ node }) => node === "choose");
    return quiet || chooses ? broken : report(of, "M0507", definition.name.span, `the router \`${definition.name.text}\` never chooses`, {
      label: "no `choose`",
      help: "write `choose top 2 of score`"
    });
  }
  if (definition.kind === "moe") {
    const pooled = finishMoe(of, scope);
    if (pooled !== void 0) {
      if (ran !== void 0 && !isBroken(ran) && !isBroken(pooled))
        return report(
          of,
          "M0520",
          resultSpan(definition),
          "a `moe` with a pool returns the sum of its experts",
          { label: "an expression besides", help: "put it into a layer around the `moe`" }
        );
      return checkResult(of, definition, pooled, scope);
    }
  }
  const value = ran ?? lastBound(definition.body, scope);
  if (value === void 0)
    return quiet ? broken : report(of, "M0214", definition.name.span, `\`${definition.name.text}\` returns nothing`, {
      label: "no expression at the end",
      help: "end the body with an expression"
    });
  return checkResult(of, definition, value, scope);
}

// compiler/elaborate/bind-sizes.ts
function bindSizes(of, instance, inputs2, frame, scope, span, hints) {
  const { definition, module } = instance;
  const later = [];
  const disagree = (input, wanted, axis) => {
    const declared = definition.inputs.find((each) => each.name.text === input);
    report(
      of,
      "M0301",
      span,
      `\`${input}\` of \`${definition.name.text}\` has \`${showSize(axis.size)}\` where \`${wanted}\` is declared`,
      {
        label: `\`${showSize(axis.size)}\` here`,
        related: [{ module: module.path, span: declared.type.span, label: `\`${wanted}\` is declared here` }],
        help: "give an input of the declared size, or another static"
      }
    );
    return false;
  };
  const visible = inputs2.map((value, i) => {
    const { type } = definition.inputs[i];
    if (value.kind === "gates") return [{ size: value.count }];
    return value.axes.slice(value.axes.length - type.axes.length);
  });
  for (const [i, axes] of visible.entries()) {
    const { type, name: input } = definition.inputs[i];
    for (const [j, expression] of type.axes.entries()) {
      const axis = axes[j];
      if (axis === void 0) continue;
      const declaredDim = expression.node === "name" && !definition.statics.some(({ name }) => name.text === expression.text) && module.names.get(expression.text)?.kind === "dim";
      if (expression.node !== "name" || declaredDim) {
        later.push({ expression, axis, input: input.text });
        continue;
      }
      const before = scope.names.get(expression.text);
      if (before === void 0) {
        scope.names.set(expression.text, {
          ...ofSize(axis.size, axis.name),
          ...axis.pieces === void 0 ? {} : { pieces: axis.pieces }
        });
        continue;
      }
      if (isBroken(before) || before.kind !== "number" || before.poly === void 0) continue;
      if (!sameSizes(before.poly, axis.size))
        return disagree(
          input.text,
          expression.text === showSize(before.poly) ? expression.text : `${expression.text} = ${showSize(before.poly)}`,
          axis
        );
    }
  }
  if (hints.count !== void 0 && definition.result?.element === "gates") {
    const [count] = definition.result.axes;
    if (count?.node === "name" && !scope.names.has(count.text)) scope.names.set(count.text, hints.count);
  }
  of.frames.push(frame);
  try {
    for (const { name, value } of definition.statics) {
      if (scope.names.has(name.text)) continue;
      if (value === void 0) {
        of.frames.pop();
        const asked = report(
          of,
          "M0206",
          span,
          `\`${name.text}\` of \`${definition.name.text}\` is not given`,
          {
            label: "nothing here says what it is",
            related: [{ module: module.path, span: name.span, label: "declared here, without a default" }],
            help: definition.result?.element === "gates" && name.text === "N" ? `give it: \`{ N = 8 }\`, or use the router in a pool` : `give it: \`${definition.name.text} { ${name.text} = ... }\``
          }
        );
        of.frames.push(frame);
        return asked.kind !== "broken";
      }
      scope.names.set(name.text, nameStatic(of.parts.evaluate(of, value, scope), frame.path, name.text));
    }
    for (const { expression, axis, input } of later) {
      const wanted = of.parts.evaluate(of, expression, scope);
      if (isBroken(wanted)) continue;
      const size = wanted.kind === "number" ? asSize(wanted, checking(of)) : void 0;
      if (size?.kind === "unknown") continue;
      if (size?.kind !== "size" || !sameSizes(size.size, axis.size)) {
        of.frames.pop();
        const text = size?.kind === "size" ? showSize(size.size) : describe(wanted);
        disagree(input, text, axis);
        of.frames.push(frame);
        return false;
      }
    }
  } finally {
    of.frames.pop();
  }
  return true;
}
var nameStatic = (value, path, name) => value.kind === "instance" || value.kind === "pool" ? value.path === void 0 ? { ...value, path: join(path, name.toLowerCase()) } : value : value.kind === "definition" ? { ...value, base: name.toLowerCase() } : value;

// compiler/elaborate/lift.ts
function hide(value, rank, lifted) {
  const extra = value.axes.length - rank;
  if (extra <= 0) return value;
  return tensor(
    value.element,
    [...value.hidden, ...lifted.slice(lifted.length - extra)],
    value.axes.slice(extra),
    value.node
  );
}
function unhide(of, value, lifted, names = []) {
  if (lifted.length === 0) return value;
  const hidden = unionHidden([value, { hidden: lifted }]);
  const wide2 = expandTo(of, value, hidden, value.axes);
  const shown = lifted.map((axis, i) => ({
    size: axis.size,
    ...names[i] === void 0 ? {} : { name: names[i] },
    ...axis.pieces === void 0 ? {} : { pieces: axis.pieces }
  }));
  return tensor(
    value.element,
    hidden.filter((axis) => !lifted.includes(axis)),
    [...shown, ...wide2.axes],
    wide2.node
  );
}
var unhideGates = (of, gates, lifted) => lifted.length === 0 ? gates : {
  ...gates,
  picks: unhide(of, gates.picks, lifted),
  weight: unhide(of, gates.weight, lifted),
  chosen: unhide(of, gates.chosen, lifted)
};
function lift2(of, definition, inputs2, span) {
  let longest = [];
  for (const [i, value] of inputs2.entries()) {
    const declared = definition.inputs[i];
    const rank = declared.type.element === "gates" ? 1 : declared.type.axes.length;
    const axes = value.kind === "gates" ? value.picks.axes : value.axes;
    if (axes.length < rank) {
      report(
        of,
        "M0302",
        span,
        `\`${definition.name.text}\` takes \`${declared.name.text}: [${declared.type.axes.map(axisText).join(", ")}]\``,
        {
          label: `this is ${showShape(axes)}`,
          help: "give an input with at least as many axes"
        }
      );
      return void 0;
    }
    const extra = axes.slice(0, axes.length - rank);
    const [long, short] = extra.length > longest.length ? [extra, longest] : [longest, extra];
    const misfit2 = short.findIndex(
      (axis, j) => !sameSizes(axis.size, long[long.length - short.length + j].size)
    );
    if (misfit2 >= 0) {
      report(of, "M0301", span, `the inputs of \`${definition.name.text}\` are lifted over different axes`, {
        label: `\`${showSize(short[misfit2].size)}\` and \`${showSize(long[long.length - short.length + misfit2].size)}\``,
        help: "give inputs with the same axes in front, or without them"
      });
      return void 0;
    }
    longest = long;
  }
  return longest.map(
    (axis) => hiddenAxis(
      of,
      "lead",
      axis.size,
      axis.name ?? showSize(axis.size),
      axis.pieces === void 0 ? {} : { pieces: axis.pieces }
    )
  );
}
var axisText = (axis) => axis.node === "name" ? axis.text : "...";

// compiler/elaborate/repeated.ts
var known2 = /* @__PURE__ */ new WeakMap();
function repeatedNames(definition) {
  const before = known2.get(definition);
  if (before !== void 0) return before;
  const bound = /* @__PURE__ */ new Map();
  const mentioned = /* @__PURE__ */ new Map();
  const count = (into, name, times2) => {
    const base = name.toLowerCase();
    into.set(base, (into.get(base) ?? 0) + times2);
  };
  const mention = (value, times2) => {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) return value.forEach((each) => mention(each, times2));
    const node = value;
    if (node.node === "name" && typeof node.text === "string") count(mentioned, node.text, times2);
    if (node.node === "by") count(mentioned, "router", times2);
    Object.values(value).forEach((each) => mention(each, times2));
  };
  const visit = (list, times2) => {
    for (const statement of list) {
      if (statement.node === "repeat") {
        visit(statement.body, 2);
        continue;
      }
      if (statement.node === "if") {
        visit(statement.then, times2);
        visit(statement.otherwise, times2);
        continue;
      }
      if (statement.node === "bind" || statement.node === "param" || statement.node === "state")
        count(bound, statement.name.text, times2);
      mention(Object.values(statement), times2);
    }
  };
  visit(definition.body, 1);
  const repeated = /* @__PURE__ */ new Set();
  for (const [name, times2] of bound) if (times2 > 1) repeated.add(name);
  for (const [name, times2] of mentioned) if (times2 > 1 && !bound.has(name)) repeated.add(name);
  for (const node of ["shared", "routed"])
    if (definition.body.filter((statement) => statement.node === node).length > 1) repeated.add(node);
  known2.set(definition, repeated);
  return repeated;
}

// compiler/elaborate/apply.ts
function reportArity(of, definition, given, span) {
  const wants = definition.inputs.length;
  return report(
    of,
    "M0204",
    span,
    `\`${definition.name.text}\` takes ${wants === 1 ? "one input" : wants === 0 ? "no inputs" : `${wants} inputs`}, not ${given}`,
    {
      label: `${given === 1 ? "one is" : `${given} are`} given`,
      help: `its signature is \`${signature(definition)}\``
    }
  );
}
var nothing = /* @__PURE__ */ new Set();
function frameFor(of, instance, span, hints) {
  const { definition, module } = instance;
  const parent = frameOf(of);
  const groups = [...parent.groups, ...hints.groups ?? []];
  const path = hints.path ?? instance.path ?? (definition.kind === "function" ? parent.path : join(
    parent.path,
    hints.exact === true ? hints.base ?? instance.base : nextName(of, hints.base ?? instance.base)
  ));
  return {
    definition,
    module,
    path,
    call: placeOf(of, span, `\`${definition.name.text}\` is used here`),
    lead: [],
    groups,
    repeated: checking(of) ? nothing : repeatedNames(definition),
    counters: /* @__PURE__ */ new Map(),
    stored: /* @__PURE__ */ new Map()
  };
}
function readInputs(of, definition, inputs2, span) {
  const read3 = [];
  for (const [i, value] of inputs2.entries()) {
    const { type, name } = definition.inputs[i];
    if (isBroken(value)) return void 0;
    if (type.element === "gates") {
      if (value.kind !== "gates") {
        report(
          of,
          "M0207",
          span,
          `\`${name.text}\` of \`${definition.name.text}\` is gates, not ${describe(value)}`,
          { label: `this is ${describe(value)}`, help: "give what a router returns" }
        );
        return void 0;
      }
      read3.push(value);
      continue;
    }
    const given = toTensor(of, value, type.element);
    if (given === void 0) {
      reportNotNumber(of, span, value, `\`${definition.name.text}\``);
      return void 0;
    }
    const fits = given.element === type.element || type.element === "number" && given.element === "int";
    if (!fits) {
      report(
        of,
        "M0405",
        span,
        `\`${name.text}\` of \`${definition.name.text}\` is ${elementName(type.element)}, not ${elementName(given.element)}`,
        {
          label: elementName(given.element),
          help: given.element === "bool" ? "write `if x then 1 else 0`" : `give ${elementName(type.element)}, or declare \`${name.text}: ${given.element === "number" ? "" : `${given.element} `}[...]\``
        }
      );
      return void 0;
    }
    read3.push(type.element === "number" && given.element === "int" ? castToNumber(of, given) : given);
  }
  return read3;
}
var elementName = (element) => ({ number: "numbers", int: "integers", bool: "truth values" })[element];
var castToNumber = (of, value) => tensor(
  "number",
  value.hidden,
  value.axes,
  value.node === void 0 || of.builder === void 0 ? void 0 : of.builder.cast(value.node, "f32")
);
var deepest = 40;
function apply(of, instance, inputs2, span, hints = {}) {
  const { definition } = instance;
  if (definition.kind === "model")
    return report(of, "M0205", span, "a model cannot be part of a definition", {
      label: `\`${definition.name.text}\` is a model`,
      help: "make a layer of what both need"
    });
  if (inputs2.length !== definition.inputs.length) return reportArity(of, definition, inputs2.length, span);
  if (of.frames.filter((each) => each.definition === definition).length >= (checking(of) ? 1 : deepest)) {
    if (checking(of) && definition.result !== void 0) {
    } else
      return report(of, "M0104", span, `\`${definition.name.text}\` contains itself`, {
        label: "here again",
        help: "write a `repeat`, or pass the inner definition as a static"
      });
  }
  if (of.frames.length > deepest && of.diagnostics.length > 0) return broken;
  const read3 = readInputs(of, definition, inputs2, span);
  if (read3 === void 0) return broken;
  const lifted = lift2(of, definition, read3, span);
  if (lifted === void 0) return broken;
  const frame = frameFor(of, instance, span, hints);
  const scope = openScope();
  for (const [name, value] of instance.statics) scope.names.set(name, nameStatic(value, frame.path, name));
  if (!bindSizes(of, instance, read3, frame, scope, span, hints)) return broken;
  const hidden = read3.map((value, i) => {
    const { type } = definition.inputs[i];
    if (value.kind === "gates")
      return {
        ...value,
        picks: hide(value.picks, 1, lifted),
        weight: hide(value.weight, 1, lifted),
        chosen: hide(value.chosen, 1, lifted)
      };
    const inner = hide(value, type.axes.length, lifted);
    return {
      ...inner,
      axes: inner.axes.map((axis, j) => {
        const declared = type.axes[j];
        const { name: _, ...rest } = axis;
        return declared?.node === "name" ? { ...rest, name: declared.text } : rest;
      })
    };
  });
  definition.inputs.forEach(({ name }, i) => scope.names.set(name.text, hidden[i]));
  const lead = unionHidden(
    hidden.map((value) => value.kind === "gates" ? value.picks : value).concat(lifted.length > 0 ? [tensor("number", lifted, [], void 0)] : [])
  ).filter(({ kind }) => kind !== "group");
  const inside = {
    ...frame,
    lead,
    ...definition.kind === "router" ? { router: routerFrame(definition, scope, hints) } : {},
    ...definition.kind === "moe" ? { pool: { shared: [], segments: [], nulls: [] } } : {}
  };
  of.frames.push(inside);
  let result;
  try {
    result = checking(of) && definition.result !== void 0 ? declaredResult(of, definition, scope, lead) : runBody(of, definition, scope);
  } finally {
    of.frames.pop();
  }
  if (result.kind === "gates") return unhideGates(of, result, lifted);
  if (result.kind !== "tensor") return result;
  const named2 = {
    ...result,
    axes: result.axes.map((axis, i) => renameAxis(axis, definition, i, scope))
  };
  return unhide(
    of,
    named2,
    lifted,
    lifted.map(({ name }) => name)
  );
}
function renameAxis(axis, definition, at, scope) {
  const declared = definition.result?.axes[at];
  const { name: _, ...rest } = axis;
  if (declared?.node !== "name") return rest;
  const bound = scope.names.get(declared.text);
  return bound?.kind === "number" && bound.name !== void 0 ? { ...rest, name: bound.name } : rest;
}
function routerFrame(definition, scope, hints) {
  const name = definition.result?.axes[0];
  const bound = name?.node === "name" ? scope.names.get(name.text) : void 0;
  const count = hints.count ?? (bound?.kind === "number" ? bound : symbol("N"));
  return {
    count,
    axisName: name?.node === "name" ? name.text : "N",
    nulls: hints.nulls ?? ofSize(constant(0)),
    ...hints.open === void 0 ? {} : { open: hints.open }
  };
}
function declaredResult(of, definition, scope, lead) {
  const { result } = definition;
  if (result === void 0) throw new Error("internal: no declared result");
  const axes = of.parts.axesOf(of, result, scope);
  if (axes === void 0) return broken;
  if (result.element !== "gates") return tensor(result.element, lead, axes, void 0);
  const count = axes[0]?.size ?? named("N");
  const picks = tensor("int", lead, [{ size: named("K") }], void 0);
  return {
    kind: "gates",
    picks,
    weight: { ...picks, element: "number" },
    chosen: tensor("number", lead, [{ size: count }], void 0),
    load: tensor("number", [], [{ size: count }], void 0),
    count
  };
}

// compiler/elaborate/sequence-notes.ts
function noteMixing(of, size, reason) {
  if (of.decode !== void 0 && isLength(of, size) && !of.afterStep)
    of.collected.undecodable.add(`${frameOf(of).path}: ${reason}`);
}

// compiler/elaborate/contract.ts
var letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
function maskInvalid(of, value, axis) {
  const valid = value.axes[axis]?.valid;
  if (valid === void 0) return value;
  if (axis !== value.axes.length - 1) return value;
  const hidden = unionHidden([value, valid]);
  const wide2 = expandTo(of, value, hidden, value.axes);
  const mask = expandTo(of, valid, hidden, value.axes);
  return tensor(
    "number",
    hidden,
    value.axes,
    build(of, [mask, wide2], (builder, is, node) => builder.select(is, node, 0))
  );
}
function contract(of, span, a2, b2) {
  if (isBroken(a2) || isBroken(b2)) return broken;
  const [x, y] = [toTensor(of, a2), toTensor(of, b2)];
  if (x === void 0 || y === void 0) return reportNotNumber(of, span, x === void 0 ? a2 : b2, "`@`");
  const last = x.axes.at(-1);
  const first = y.axes[0];
  if (last === void 0 || first === void 0)
    return report(of, "M0302", span, "`@` needs an axis on both sides", {
      label: `${showShape(x.axes)} @ ${showShape(y.axes)}`,
      help: "use `*` for numbers"
    });
  if (x.element === "bool" || y.element === "bool")
    return report(of, "M0401", span, "`@` takes numbers, not truth values", {
      label: "one side is a truth value",
      help: "write `if x then 1 else 0`"
    });
  if (!sameSizes(last.size, first.size))
    return report(
      of,
      "M0301",
      span,
      `\`@\` contracts \`${showSize(last.size)}\` with \`${showSize(first.size)}\``,
      {
        label: `${showShape(x.axes)} @ ${showShape(y.axes)}`,
        help: "make the last axis of the left side the first of the right"
      }
    );
  noteMixing(of, last.size, "`@` sums over the positions of the text");
  const left = maskInvalid(of, castTo(of, x, "number"), x.axes.length - 1);
  const right = castTo(of, y, "number");
  const hidden = unionHidden([left, right]);
  const axes = [...x.axes.slice(0, -1), ...y.axes.slice(1)];
  const node = build(of, [left, right], (builder, l, r) => {
    const names = /* @__PURE__ */ new Map();
    const letter = (key) => {
      const before = names.get(key);
      if (before !== void 0) return before;
      const next = letters[names.size];
      if (next === void 0) throw new Error("internal: a contraction of more than 52 axes");
      names.set(key, next);
      return next;
    };
    const rank = { left: x.axes.length, right: y.axes.length };
    const labelsOf = (value, side) => value.hidden.map(letter).join("") + value.axes.map(
      (_, i) => letter(
        side === "left" && i === rank.left - 1 || side === "right" && i === 0 ? "sum" : `${side}${i}`
      )
    ).join("");
    const labels2 = { a: labelsOf(left, "left"), b: labelsOf(right, "right") };
    const visible = [
      ...x.axes.slice(0, -1).map((_, i) => letter(`left${i}`)),
      ...y.axes.slice(1).map((_, i) => letter(`right${i + 1}`))
    ];
    const out = hidden.map(letter).join("") + visible.join("");
    const group = [...left.hidden, ...right.hidden].find(
      (axis) => axis.kind === "group" && !hidden.includes(axis)
    );
    const ragged = group === void 0 ? void 0 : { row: letter(group.rows), group: letter(group) };
    return builder.contract(l, r, `${labels2.a},${labels2.b}->${out}`, ragged);
  });
  return tensor("number", hidden, axes, node);
}

// compiler/elaborate/bare-routing.ts
var rowsOf = /* @__PURE__ */ new WeakMap();
function read(of, { name, span, given }) {
  const [value, gates] = given.map((each) => each.value);
  if (value === void 0 || gates === void 0 || given.length !== 2) {
    report(of, "M0204", span, `\`${name}\` takes a tensor and gates`, {
      label: `${given.length} given`,
      help: `write \`${name}(x, g)\``
    });
    return void 0;
  }
  if (isBroken(value) || isBroken(gates)) return void 0;
  if (gates.kind !== "gates") {
    report(of, "M0207", given[1].argument.span, `\`${name}\` takes gates, not ${describe(gates)}`, {
      label: `this is ${describe(gates)}`,
      help: "give what a router returns"
    });
    return void 0;
  }
  const found2 = toTensor(of, value);
  if (found2 === void 0) {
    reportNotNumber(of, given[0].argument.span, value, `\`${name}\``);
    return void 0;
  }
  return { value: found2, gates };
}
function rows(of, gates, tokens) {
  const before = rowsOf.get(gates.picks);
  if (before !== void 0) return before;
  const route = of.builder === void 0 || gates.picks.node === void 0 ? void 0 : of.builder.route(
    of.builder.reshape(gates.picks.node, [tokens, gates.picks.axes.at(-1).size]),
    known(gates.count),
    gates.bound
  );
  const axis = {
    kind: "rows",
    order: -1,
    size: route?.bound ?? constant(1),
    name: "rows",
    ...route === void 0 ? {} : { route }
  };
  rowsOf.set(gates.picks, axis);
  return axis;
}
function dispatchTokens(of, call2) {
  const both2 = read(of, call2);
  if (both2 === void 0) return broken;
  const { value, gates } = both2;
  const front = gates.picks.axes.slice(0, -1);
  if (front.length > value.axes.length || !front.every((axis2, i) => sameSizes(axis2.size, value.axes[i].size)))
    return report(of, "M0513", call2.span, "the gates are for other tokens", {
      label: `gates for ${showShape(front)}, the tensor is ${showShape(value.axes)}`,
      help: "dispatch what the router read"
    });
  const tokens = product([...gates.picks.hidden, ...front].map(({ size }) => size));
  const axis = rows(of, gates, tokens);
  const hidden = unionHidden([value, gates.picks]);
  const wide2 = expandTo(of, value, hidden, value.axes);
  if (hidden.length !== gates.picks.hidden.length)
    return report(of, "M0513", call2.span, "the gates are for other tokens", {
      label: "the tensor varies along more axes",
      help: "dispatch what the router read"
    });
  const node = build(
    of,
    [wide2],
    (builder, from) => builder.dispatch(
      builder.reshape(from, [tokens, ...from.shape.slice(hidden.length + front.length)]),
      axis.route
    )
  );
  return tensor(value.element, [axis], value.axes.slice(front.length), node);
}
function combineRows(of, call2) {
  const both2 = read(of, call2);
  if (both2 === void 0) return broken;
  const { value, gates } = both2;
  const axis = rowsOf.get(gates.picks);
  if (axis === void 0 || !value.hidden.includes(axis) || value.hidden.length !== 1)
    return report(of, "M0513", call2.span, "`combine` takes rows that `dispatch` made with the same gates", {
      label: "not rows of these gates",
      help: "write `combine(f(dispatch(x, g)), g)`"
    });
  const front = gates.picks.axes.slice(0, -1);
  const tokens = product([...gates.picks.hidden, ...front].map(({ size }) => size));
  const node = build(of, [value], (builder, from) => {
    const weight = builder.reshape(gates.weight.node, [tokens, gates.weight.axes.at(-1).size]);
    const share2 = builder.dispatch(weight, axis.route, "pick");
    const sum = builder.combine(
      builder.mul(builder.cast(from, "f32"), builder.broadcastTo(share2, from.shape, [0])),
      axis.route
    );
    return builder.reshape(sum, [
      ...hiddenShape(gates.picks.hidden),
      ...front.map(({ size }) => size),
      ...sum.shape.slice(1)
    ]);
  });
  return tensor("number", gates.picks.hidden, [...front, ...value.axes], node);
}

// compiler/graph-scalar.ts
function erf(x) {
  if (Number.isNaN(x)) return NaN;
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= 2 * x * x / (2 * n + 1);
    sum += term;
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}
function roundEven(x) {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}
var truncate = (x) => Number.isNaN(x) ? 0 : Math.min(2147483647, Math.max(-2147483648, Math.trunc(x)));
var least = (a2, b2) => Number.isNaN(a2) ? b2 : Number.isNaN(b2) ? a2 : Math.min(a2, b2);
var greatest = (a2, b2) => Number.isNaN(a2) ? b2 : Number.isNaN(b2) ? a2 : Math.max(a2, b2);
function evaluateMap(fn, dtype, a2, b2, c2) {
  const whole = dtype === "i32";
  switch (fn) {
    case "neg":
      return whole ? -a2 | 0 : -a2;
    case "abs":
      return whole ? Math.abs(a2) | 0 : Math.abs(a2);
    case "sign":
      return Math.sign(a2);
    case "exp":
      return Math.exp(a2);
    case "log":
      return Math.log(a2);
    case "sqrt":
      return Math.sqrt(a2);
    case "tanh":
      return Math.tanh(a2);
    case "sin":
      return Math.sin(a2);
    case "cos":
      return Math.cos(a2);
    case "erf":
      return erf(a2);
    case "sigmoid":
      return 1 / (1 + Math.exp(-a2));
    case "floor":
      return Math.floor(a2);
    case "ceil":
      return Math.ceil(a2);
    case "round":
      return roundEven(a2);
    case "not":
      return a2 === 0 ? 1 : 0;
    case "isnan":
      return Number.isNaN(a2) ? 1 : 0;
    case "stop":
    case "f32":
      return a2;
    case "i32":
      return truncate(a2);
    case "add":
      return whole ? a2 + b2 | 0 : a2 + b2;
    case "sub":
      return whole ? a2 - b2 | 0 : a2 - b2;
    case "mul":
      return whole ? Math.imul(a2, b2) : a2 * b2;
    case "div":
      return whole ? b2 === 0 ? 0 : Math.trunc(a2 / b2) | 0 : a2 / b2;
    case "mod":
      return whole ? b2 === 0 ? 0 : a2 % b2 | 0 : a2 % b2;
    case "min":
      return least(a2, b2);
    case "max":
      return greatest(a2, b2);
    case "pow":
      return Math.pow(a2, b2);
    case "lt":
      return a2 < b2 ? 1 : 0;
    case "le":
      return a2 <= b2 ? 1 : 0;
    case "eq":
      return a2 === b2 ? 1 : 0;
    case "ne":
      return a2 !== b2 ? 1 : 0;
    case "and":
      return a2 & b2;
    case "or":
      return a2 | b2;
    case "xor":
      return a2 ^ b2;
    case "select":
      return a2 !== 0 ? b2 : c2;
    default:
      return fn;
  }
}

// compiler/elaborate/element-wise.ts
var unary = (fn, number3) => ({
  node: (builder, x) => builder.map(fn, x),
  number: number3
});
var sigmoid = (x) => 1 / (1 + Math.exp(-x));
var formulas = {
  exp: unary("exp", Math.exp),
  log: unary("log", Math.log),
  sqrt: unary("sqrt", Math.sqrt),
  abs: unary("abs", Math.abs),
  sign: unary("sign", Math.sign),
  floor: unary("floor", Math.floor),
  ceil: unary("ceil", Math.ceil),
  round: unary("round", Math.round),
  sin: unary("sin", Math.sin),
  cos: unary("cos", Math.cos),
  tanh: unary("tanh", Math.tanh),
  sigmoid: unary("sigmoid", sigmoid),
  erf: unary("erf", erf),
  silu: { node: (builder, x) => builder.silu(x), number: (x) => x * sigmoid(x) },
  /** x / 2 * (1 + erf(x / sqrt 2)): exact, not the approximation by tanh. */
  gelu: {
    node: (builder, x) => builder.mul(builder.mul(x, 0.5), builder.add(builder.map("erf", builder.mul(x, Math.SQRT1_2)), 1)),
    number: (x) => x / 2 * (1 + erf(x * Math.SQRT1_2))
  },
  relu: {
    node: (builder, x) => builder.select(builder.map("lt", 0, x), x, 0),
    number: (x) => Math.max(0, x)
  },
  /** max(x, 0) + log(1 + exp(-|x|)): no overflow. */
  softplus: {
    node: (builder, x) => builder.add(
      builder.map("max", x, 0),
      builder.map("log", builder.add(builder.map("exp", builder.neg(builder.map("abs", x))), 1))
    ),
    number: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
  },
  square: { node: (builder, x) => builder.square(x), number: (x) => x * x }
};
var keepsIntegers = /* @__PURE__ */ new Set(["abs", "sign", "square", "floor", "ceil", "round"]);
function formula(of, { name, span, given }) {
  const value = given[0].value;
  if (isBroken(value)) return broken;
  if (value.kind === "number") {
    if (name === "ceil" || name === "floor") return roundSize(value, name);
    const x2 = valueOf(value);
    if (x2 !== void 0 && name === "round") return number(Math.round(x2));
    if (x2 !== void 0) return number(formulas[name].number(x2));
    if (checking(of)) return unknownNumber;
  }
  const operand2 = toTensor(of, value);
  if (operand2 === void 0 || operand2.element === "bool")
    return reportNotNumber(of, span, value, `\`${name}\``);
  if (operand2.element === "int" && keepsIntegers.has(name)) {
    if (name === "floor" || name === "ceil" || name === "round") return operand2;
    if (name === "square") return elementWise(of, span, "mul", [operand2, operand2], "int");
    return elementWise(of, span, name, [operand2], "int");
  }
  const x = castTo(of, operand2, "number");
  return tensor("number", x.hidden, x.axes, build(of, [x], formulas[name].node));
}

// compiler/elaborate/reduce.ts
var reductions = [
  "sum",
  "mean",
  "max",
  "min",
  "any",
  "all",
  "softmax",
  "log_softmax",
  "logsumexp",
  "rms",
  "cumsum",
  "argmax"
];
var isReduction = (name) => reductions.includes(name);
function overOne(of, scope, name, value) {
  const lead = frameOf(of).lead;
  if (name.text === "tokens") return { hidden: lead, visible: [] };
  if (name.text === "sequence") return { hidden: lead.slice(-1), visible: [] };
  if (name.text === "batch") return { hidden: lead.slice(0, -1), visible: [] };
  const meaning = lookUp(scope, name.text);
  if (meaning?.kind === "index" && meaning.axis !== void 0) return { hidden: [meaning.axis], visible: [] };
  const named2 = value.axes.flatMap((axis, i) => axis.name === name.text ? [i] : []);
  if (named2.length > 0) return { hidden: [], visible: [named2.at(-1)] };
  if (meaning?.kind === "number" && meaning.poly !== void 0) {
    const sized = value.axes.flatMap((axis, i) => sameSizes(axis.size, meaning.poly) ? [i] : []);
    if (sized.length > 0) return { hidden: [], visible: [sized.at(-1)] };
  }
  return void 0;
}
function along(of, scope, span, fn, value, over) {
  if (over.length === 0) {
    if (value.axes.length === 1) return { hidden: [], visible: [0] };
    const lead = frameOf(of).lead.length > 0 || value.axes.length === 0;
    report(of, "M0303", span, `\`${fn}\` needs to know over which axis`, {
      label: value.axes.length === 0 ? "a single number for each token" : `its argument is ${showShape(value.axes)}`,
      help: value.axes.length === 0 && lead ? `write \`${fn}(... over tokens)\`` : `write \`${fn}(... over ${value.axes.at(-1)?.name ?? "D"})\``
    });
    return void 0;
  }
  const hidden = /* @__PURE__ */ new Set();
  const visible = /* @__PURE__ */ new Set();
  for (const name of over) {
    const found2 = overOne(of, scope, name, value);
    if (found2 === void 0) {
      report(of, "M0304", name.span, `there is no axis \`${name.text}\` to go over`, {
        label: `the argument is ${showShape(value.axes)}`,
        help: "name a size or an index of the argument, or write tokens, sequence or batch"
      });
      return void 0;
    }
    found2.hidden.forEach((axis) => hidden.add(axis));
    found2.visible.forEach((axis) => visible.add(axis));
  }
  return {
    hidden: [...hidden].sort((a2, b2) => a2.order - b2.order),
    visible: [...visible].sort((a2, b2) => a2 - b2)
  };
}
function prepare(of, value, { hidden, visible }) {
  const all2 = unionHidden([value, { hidden }]);
  const wide2 = expandTo(of, value, all2, value.axes);
  return {
    wide: wide2,
    axes: [...hidden.map((axis) => all2.indexOf(axis)), ...visible.map((axis) => all2.length + axis)]
  };
}
function validOf(of, wide2, { visible }) {
  const last = wide2.axes.length - 1;
  const valid = visible.includes(last) ? wide2.axes[last]?.valid : void 0;
  if (valid === void 0) return void 0;
  return expandTo(of, valid, unionHidden([wide2, valid]), wide2.axes);
}
function countOf2(builder, wide2, over) {
  const dense2 = over.hidden.filter((axis) => axis.kind !== "rows").map(({ size }) => size);
  const sizes = [...dense2, ...over.visible.map((axis) => wide2.axes[axis].size)];
  let count = numberNode(builder, product(sizes));
  for (const axis of over.hidden) {
    if (axis.kind !== "rows") continue;
    const offsets = builder.part(axis.route, "offsets");
    const rows2 = builder.reshape(builder.slice(offsets, 0, axis.route.groups, 1), []);
    count = builder.mul(count, builder.map("max", builder.cast(rows2, "f32"), 1));
  }
  return count;
}
function widen(builder, node, like, axes) {
  const kept = like.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  return builder.broadcastTo(node, like.shape, kept);
}
var scale = (builder, node, by) => builder.div(node, builder.broadcastTo(by, node.shape, []));
function reduceNode(builder, fn, wide2, axes, over, mask) {
  const node = wide2.node;
  const masked2 = (value, otherwise2) => mask === void 0 ? value : builder.select(mask, value, otherwise2);
  const sorted2 = [...axes].sort((a2, b2) => a2 - b2);
  const sum = (value) => builder.reduce("sum", masked2(value, 0), sorted2);
  const count = () => countOf2(builder, wide2, over);
  const mean = (value) => {
    if (mask === void 0) return scale(builder, sum(value), count());
    const some = builder.reduce("sum", builder.cast(mask, "f32"), sorted2);
    return builder.div(sum(value), builder.map("max", some, 1));
  };
  const exponentials = () => {
    const highest = builder.stop(builder.reduce("max", masked2(node, -Infinity), sorted2));
    const max = mask === void 0 ? highest : builder.select(builder.map("lt", -Infinity, highest), highest, 0);
    return { shifted: builder.sub(masked2(node, -Infinity), widen(builder, max, node, sorted2)), max };
  };
  switch (fn) {
    case "sum":
      return sum(node);
    case "mean":
      return mean(node);
    case "rms":
      return builder.map("sqrt", mean(builder.square(node)));
    case "max":
      return builder.reduce("max", masked2(node, -Infinity), sorted2);
    case "min":
      return builder.reduce("min", masked2(node, Infinity), sorted2);
    case "any":
      return builder.map("lt", 0, builder.reduce("max", masked2(builder.cast(node, "f32"), 0), sorted2));
    case "all":
      return builder.map("lt", 0, builder.reduce("min", masked2(builder.cast(node, "f32"), 1), sorted2));
    case "softmax": {
      const exp = builder.map("exp", exponentials().shifted);
      const total = builder.reduce("sum", exp, sorted2);
      const safe = mask === void 0 ? total : builder.select(builder.map("lt", 0, total), total, 1);
      return builder.div(exp, widen(builder, safe, node, sorted2));
    }
    case "logsumexp": {
      const { shifted: shifted2, max } = exponentials();
      return builder.add(max, builder.map("log", builder.reduce("sum", builder.map("exp", shifted2), sorted2)));
    }
    case "log_softmax": {
      const { shifted: shifted2 } = exponentials();
      const log = builder.map("log", builder.reduce("sum", builder.map("exp", shifted2), sorted2));
      return builder.sub(shifted2, widen(builder, log, node, sorted2));
    }
    case "cumsum":
      return builder.scan(masked2(node, 0), sorted2[0]);
    case "argmax": {
      const axis = sorted2[0];
      const rest = node.shape.map((_, i) => i).filter((i) => i !== axis);
      const ids = builder.choose(builder.stop(masked2(builder.permute(node, [...rest, axis]), -Infinity)), 1);
      return builder.reshape(ids, ids.shape.slice(0, -1));
    }
    default:
      return fn;
  }
}
var keeps = (fn) => fn === "softmax" || fn === "log_softmax" || fn === "cumsum";
function reduce(of, scope, span, fn, operand2, over) {
  const logical2 = fn === "any" || fn === "all";
  if (logical2 && operand2.element !== "bool")
    return report(of, "M0402", span, `\`${fn}\` takes truth values`, {
      label: `this is ${operand2.element}`,
      help: `compare first: \`${fn}(x > 0)\``
    });
  const value = logical2 || operand2.element === "int" && (fn === "sum" || fn === "max" || fn === "min" || fn === "cumsum") ? operand2 : castTo(of, operand2, "number");
  const axes = along(of, scope, span, fn, value, over);
  if (axes === void 0) return { kind: "broken" };
  if (axes.hidden.length + axes.visible.length === 0) return value;
  if ((fn === "cumsum" || fn === "argmax") && axes.hidden.length + axes.visible.length !== 1)
    return report(of, "M0303", span, `\`${fn}\` runs along one axis`, {
      label: "more than one",
      help: "name one axis after `over`"
    });
  return reduceAlong(of, fn, value, axes);
}
function reduceAlong(of, fn, value, axes) {
  const { wide: wide2, axes: positions2 } = prepare(of, value, axes);
  for (const axis of [...axes.hidden, ...axes.visible.map((i) => wide2.axes[i])])
    noteMixing(of, axis.size, `\`${fn}\` runs over the positions of the text`);
  const mask = validOf(of, wide2, axes);
  const full = mask === void 0 ? wide2 : expandTo(of, wide2, mask.hidden, wide2.axes);
  const hidden = full.hidden;
  const at = full === wide2 ? positions2 : positions2.map(
    (axis) => axis >= wide2.hidden.length ? axis - wide2.hidden.length + hidden.length : hidden.indexOf(wide2.hidden[axis])
  );
  const node = build(of, [full], (builder) => reduceNode(builder, fn, full, at, axes, mask?.node));
  const element = fn === "argmax" ? "int" : fn === "any" || fn === "all" ? "bool" : value.element;
  if (keeps(fn)) return tensor(element, hidden, full.axes, node);
  return tensor(
    element,
    hidden.filter((axis) => !axes.hidden.includes(axis)),
    full.axes.filter((_, i) => !axes.visible.includes(i)),
    node
  );
}
function meanOfAll(of, value) {
  const numbers3 = castTo(of, value, "number");
  if (numbers3.hidden.length + numbers3.axes.length === 0) return numbers3;
  return reduceAlong(of, "mean", numbers3, { hidden: numbers3.hidden, visible: numbers3.axes.map((_, i) => i) });
}

// compiler/elaborate/sequence.ts
function cached(of, value) {
  const { builder, decode } = of;
  if (builder === void 0 || decode === void 0) throw new Error("internal: no decoding");
  const frame = frameOf(of);
  let index = 0;
  const pathAt = (i) => `cache.${join(frame.path, String(i))}`;
  while (of.collected.tensors.has(pathAt(index))) index++;
  const path = pathAt(index);
  const axes = [
    { size: constant(decode.context), name: "context" },
    ...value.axes.slice(1)
  ];
  const sizes = [...value.hidden, ...axes].map(
    ({ size }) => size.length === 1 && size[0].factors.length === 0 ? size[0].coefficient : size.length === 0 ? 0 : void 0
  );
  if (value.hidden.some(({ kind }) => kind !== "lead") || sizes.includes(void 0)) {
    of.collected.undecodable.add(`${frame.path}: the size of what \`context\` keeps is not known`);
    return void 0;
  }
  const dtype = value.element === "number" ? "f32" : "i32";
  of.collected.tensors.set(path, {
    name: path,
    role: "state",
    type: dtype,
    shape: sizes,
    init: { kind: "constant", value: 0 }
  });
  const shape = shapeOf(value.hidden, axes);
  const old = builder.tensor(path, shape, dtype);
  const h = value.hidden.length;
  const node = build(of, [value], (b2, fresh) => {
    const position = b2.input("$position", "i32");
    const place2 = b2.sub(b2.index(constant(decode.context)), position);
    const ids = b2.broadcastTo(place2, shape.slice(0, h + 1), [h]);
    const arrived = b2.take(fresh, ids, h);
    const length = b2.size(value.axes[0].size);
    const inside = b2.map("and", b2.map("le", b2.constant(0, "i32"), place2), b2.map("lt", place2, length));
    return b2.select(b2.broadcastTo(inside, shape, [h]), arrived, old);
  });
  const updated = tensor(value.element, value.hidden, axes, node);
  of.collected.updates.set(path, updated);
  return updated;
}
function context(of, span, value) {
  const [first] = value.axes;
  if (first === void 0)
    return report(of, "M0302", span, "`context` takes a sequence", {
      label: `this is ${showShape(value.axes)}`,
      help: "give it a tensor whose first axis is the sequence, such as `[T, D]`"
    });
  if (checking(of))
    return tensor(
      value.element,
      value.hidden,
      [{ size: named("context"), name: "context" }, ...value.axes.slice(1)],
      void 0
    );
  if (of.decode === void 0 || !isLength(of, first.size))
    return tensor(
      value.element,
      value.hidden,
      [{ ...first, name: "context" }, ...value.axes.slice(1)],
      value.node
    );
  return cached(of, value) ?? { kind: "broken" };
}
function shifted(builder, node, axis, by) {
  const size = node.shape[axis].size;
  return builder.slice(builder.pad(node, axis, constant(by), constant(0)), axis, constant(0), size);
}
function previous(of, span, value, by) {
  const visible = value.axes.findIndex(({ size }) => isLength(of, size));
  const hidden = value.hidden.findLastIndex(
    ({ kind, size }) => kind === "lead" && (isLength(of, size) || visible < 0)
  );
  const lead = value.hidden.findLastIndex(({ kind, size }) => kind === "lead" && isLength(of, size));
  const axis = visible >= 0 ? value.hidden.length + visible : lead >= 0 ? lead : value.axes.length >= 2 ? value.hidden.length : hidden;
  if (checking(of)) return value;
  if (axis < 0)
    return report(of, "M0302", span, "`previous` takes a sequence", {
      label: `this is ${showShape(value.axes)}`,
      help: "give it a tensor with an axis of positions"
    });
  if (value.hidden[axis]?.kind === "rows")
    return report(of, "M0302", span, "`previous` cannot look past the rows of a routing", {
      label: "inside a routed expert",
      help: "shift before routing"
    });
  if (by === 0) return value;
  if (of.decode === void 0) {
    const node2 = build(of, [value], (builder, from) => shifted(builder, from, axis, by));
    return tensor(value.element, value.hidden, value.axes, node2);
  }
  const sequence = axis < value.hidden.length ? value.hidden[axis] : value.axes[axis - value.hidden.length];
  const rank = value.hidden.length + value.axes.length;
  const others = value.hidden.filter((each) => each !== sequence);
  const rest = value.axes.filter((each) => each !== sequence);
  const all2 = [...value.hidden, ...value.axes];
  const order = [...others, sequence, ...rest].map((each) => all2.indexOf(each));
  const moved = build(of, [value], (builder, from) => builder.permute(from, order));
  const front = tensor(value.element, others, [{ size: sequence.size }, ...rest], moved);
  const memory = cached(of, front);
  if (memory === void 0) return { kind: "broken" };
  const node = build(of, [memory], (builder, from) => {
    const h = others.length;
    const places2 = builder.add(
      builder.index(sequence.size),
      builder.sub(builder.input("$position", "i32"), builder.constant(by, "i32"))
    );
    const shape = [...shapeOf(others, []), ...shapeOf([], [{ size: sequence.size }])];
    const taken = builder.take(from, builder.broadcastTo(places2, shape, [h]), h);
    const back = Array.from({ length: rank }, (_, i) => order.indexOf(i));
    return builder.permute(taken, back);
  });
  return tensor(value.element, value.hidden, value.axes, node);
}

// compiler/elaborate/functions.ts
function arity(of, { name, span, given }, least2, most = least2) {
  if (given.length >= least2 && given.length <= most && given.every(({ argument }) => argument.name === void 0))
    return true;
  const named2 = given.find(({ argument }) => argument.name !== void 0);
  report(
    of,
    "M0204",
    named2?.argument.span ?? span,
    named2 === void 0 ? `\`${name}\` takes ${least2 === most ? least2 === 1 ? "one argument" : `${least2} arguments` : `${least2} to ${most} arguments`}, not ${given.length}` : `\`${name}\` takes its arguments by position`,
    {
      label: named2 === void 0 ? `${given.length} given` : "has a name",
      help: "see the reference for what it takes"
    }
  );
  return false;
}
function numbersOf(of, call2, at) {
  const { value, argument } = call2.given[at];
  if (isBroken(value)) return void 0;
  const found2 = toTensor(of, value);
  if (found2 === void 0 || found2.element === "bool") {
    reportNotNumber(of, argument.span, value, `\`${call2.name}\``);
    return void 0;
  }
  return castTo(of, found2, "number");
}
function extreme2(fn) {
  return (of, call2) => {
    if (!arity(of, call2, 2)) return broken;
    const [a2, b2] = [call2.given[0].value, call2.given[1].value];
    if (isBroken(a2) || isBroken(b2)) return broken;
    if (a2.kind === "number" && b2.kind === "number") {
      const [x, y] = [valueOf(a2), valueOf(b2)];
      if (fn === "max") return maxNumbers(a2, b2);
      if (fn === "min") return minNumbers(a2, b2);
      if (x !== void 0 && y !== void 0 && y !== 0) return number(x % y);
      if (checking(of)) return unknownNumber;
    }
    const pair = promote(of, a2, b2);
    if (pair === void 0 || pair[0].element === "bool" || pair[1].element === "bool")
      return reportNotNumber(
        of,
        call2.span,
        toTensor(of, a2) === void 0 || asTensor(a2)?.element === "bool" ? a2 : b2,
        `\`${fn}\``
      );
    return elementWise(of, call2.span, fn, pair, pair[0].element);
  };
}
var pairwise = {
  max: extreme2("max"),
  min: extreme2("min")
};
function draw(of, builder, like) {
  return builder.random(of.nextStream++, like.shape);
}
var positive = (builder, node) => builder.map("max", node, 2 ** -25);
function random(make) {
  return (of, call2) => {
    if (!arity(of, call2, 1)) return broken;
    const like = numbersOf(of, call2, 0);
    if (like === void 0) return broken;
    if (like.hidden.some(({ kind }) => kind === "rows"))
      return report(of, "M0407", call2.span, "randomness cannot be drawn inside a routed expert", {
        label: "rows of a routing",
        help: "draw it before routing and give it to the pool: `pool(x, noise)`"
      });
    return tensor(
      "number",
      like.hidden,
      like.axes,
      build(of, [like], (builder, node) => make(of, builder, node))
    );
  };
}
function transpose(of, call2) {
  if (!arity(of, call2, 1)) return broken;
  const value = call2.given[0].value;
  if (isBroken(value)) return broken;
  const found2 = toTensor(of, value);
  if (found2 === void 0 || found2.axes.length < 2)
    return report(of, "M0302", call2.span, "`transpose` takes a matrix", {
      label: found2 === void 0 ? `this is ${describe(value)}` : `this is ${showShape(found2.axes)}`,
      help: "give it a tensor with two axes or more"
    });
  const axes = [...found2.axes.slice(0, -2), found2.axes.at(-1), found2.axes.at(-2)];
  return tensor(
    found2.element,
    found2.hidden,
    axes,
    build(of, [found2], (builder, node) => builder.transpose(node))
  );
}
function concat(of, call2) {
  if (call2.given.length < 1) return arity(of, call2, 1) ? broken : broken;
  const parts5 = [];
  for (const { value, argument } of call2.given) {
    if (isBroken(value)) return broken;
    const found2 = toTensor(of, value);
    if (found2 === void 0) return reportNotNumber(of, argument.span, value, "`concat`");
    parts5.push(found2);
  }
  const [first] = parts5;
  const rank = Math.max(...parts5.map(({ axes: axes2 }) => axes2.length));
  if (rank === 0)
    return report(of, "M0302", call2.span, "`concat` joins along an axis", {
      label: "these are single numbers",
      help: "give it vectors"
    });
  const at = call2.over.length === 0 ? rank - 1 : along(of, call2.scope, call2.span, "concat", first, call2.over)?.visible[0];
  if (at === void 0) return broken;
  const element = parts5.some((part) => part.element === "number") ? "number" : first.element;
  const same = parts5.map((part) => ({
    ...castTo(of, part, element),
    axes: part.axes.map((axis, i) => i === at ? { size: constant(1) } : axis)
  }));
  const axes = unionAxes(same);
  if ("left" in axes || parts5.some((part) => part.axes.length !== rank)) {
    const misfit2 = "left" in axes ? axes : {
      left: first.axes[0] ?? { size: constant(1) },
      right: parts5[1]?.axes[0] ?? { size: constant(1) }
    };
    return reportMisfit(of, call2.span, misfit2, parts5, "what `concat` joins");
  }
  const hidden = unionHidden(parts5);
  const wide2 = parts5.map((part) => expandTo(of, castTo(of, part, element), hidden, part.axes));
  const size = parts5.map((part) => part.axes[at].size).reduce(add);
  const pieces = parts5.every((part) => part.axes[at].pieces !== void 0) ? parts5.flatMap((part) => [...part.axes[at].pieces]) : void 0;
  const joined = { size, ...pieces === void 0 ? {} : { pieces } };
  const node = build(of, wide2, (builder, ...nodes) => builder.concat(nodes, hidden.length + at));
  return tensor(
    element,
    hidden,
    axes.map((axis, i) => i === at ? joined : axis),
    node
  );
}
function stop(of, call2) {
  if (!arity(of, call2, 1)) return broken;
  const value = call2.given[0].value;
  if (isBroken(value)) return broken;
  const found2 = toTensor(of, value);
  if (found2 === void 0) return reportNotNumber(of, call2.span, value, "`stop`");
  return tensor(
    found2.element,
    found2.hidden,
    found2.axes,
    build(of, [found2], (builder, node) => builder.stop(node))
  );
}
function straightThrough(of, call2) {
  if (!arity(of, call2, 2)) return broken;
  const [value, gradient] = [numbersOf(of, call2, 0), numbersOf(of, call2, 1)];
  if (value === void 0 || gradient === void 0) return broken;
  const aligned2 = align(of, [value, gradient]);
  if ("left" in aligned2)
    return reportMisfit(of, call2.span, aligned2, [value, gradient], "the value and the gradient");
  const [a2, b2] = aligned2;
  return tensor(
    "number",
    a2.hidden,
    a2.axes,
    build(of, [a2, b2], (builder, x, g) => builder.add(g, builder.stop(builder.sub(x, g))))
  );
}
function oneHot(of, call2) {
  if (!arity(of, call2, 2)) return broken;
  const [ids, count] = [call2.given[0].value, call2.given[1].value];
  if (isBroken(ids) || isBroken(count)) return broken;
  const found2 = toTensor(of, ids, "int");
  const size = count.kind === "number" ? asSize(count, checking(of)) : void 0;
  if (found2?.element !== "int")
    return report(of, "M0403", call2.span, "`one_hot` takes integers", {
      label: `this is ${describe(ids)}`,
      help: "give it a tensor of integers and a size"
    });
  if (size?.kind !== "size")
    return size?.kind === "unknown" ? broken : report(of, "M0303", call2.given[1].argument.span, "`one_hot` needs a size", {
      label: `this is ${describe(count)}`,
      help: "write `one_hot(ids, N)`"
    });
  const axis = {
    size: size.size,
    ...count.kind === "number" && count.name !== void 0 ? { name: count.name } : {}
  };
  return tensor(
    "number",
    found2.hidden,
    [...found2.axes, axis],
    build(of, [found2], (builder, node) => builder.cast(builder.oneHot(node, size.size), "f32"))
  );
}
function crossEntropy(of, call2) {
  if (!arity(of, call2, 2)) return broken;
  const logits = numbersOf(of, call2, 0);
  const given = call2.given[1].value;
  if (logits === void 0 || isBroken(given)) return broken;
  const ids = toTensor(of, given, "int");
  if (ids?.element !== "int")
    return report(
      of,
      "M0403",
      call2.given[1].argument.span,
      "`cross_entropy` compares logits with integers",
      {
        label: `this is ${describe(given)}`,
        help: "give the right classes as integers: `cross_entropy(logits, text.next)`"
      }
    );
  if (logits.axes.length !== ids.axes.length + 1)
    return report(of, "M0301", call2.span, "`cross_entropy` takes logits with one axis more than the ids", {
      label: `logits ${showShape(logits.axes)}, ids ${showShape(ids.axes)}`,
      help: "the last axis of the logits is the classes"
    });
  const outer = { ...logits, axes: logits.axes.slice(0, -1) };
  const merged2 = unionAxes([outer, ids]);
  if ("left" in merged2) return reportMisfit(of, call2.span, merged2, [outer, ids], "logits and ids");
  const highest = logits.axes.length - 1;
  const log = reduceAlong(of, "logsumexp", logits, { hidden: [], visible: [highest] });
  const hidden = unionHidden([logits, ids]);
  const [wide2, total, at] = [
    expandTo(of, logits, hidden, logits.axes),
    expandTo(of, log, hidden, merged2),
    expandTo(of, ids, hidden, merged2)
  ];
  const each = tensor(
    "number",
    hidden,
    merged2,
    build(
      of,
      [wide2, total, at],
      (builder, z, sum, id) => builder.sub(sum, builder.take(z, id, id.shape.length))
    )
  );
  return meanOfAll(of, each);
}
function clamp(of, call2) {
  if (!arity(of, call2, 3)) return broken;
  const [x, low, high] = call2.given.map(({ value }) => value);
  if (call2.given.some(({ value }) => isBroken(value))) return broken;
  const give = (value) => ({ argument: call2.given[0].argument, value });
  const raised = extreme2("max")(of, { ...call2, given: [give(x), give(low)] });
  return extreme2("min")(of, { ...call2, given: [give(raised), give(high)] });
}
function contextOf(of, call2) {
  if (!arity(of, call2, 1)) return broken;
  const value = call2.given[0].value;
  if (isBroken(value)) return broken;
  const found2 = toTensor(of, value);
  return found2 === void 0 ? reportNotNumber(of, call2.span, value, "`context`") : context(of, call2.span, found2);
}
function previousOf(of, call2) {
  if (!arity(of, call2, 1, 2)) return broken;
  const [value, by] = [call2.given[0].value, call2.given[1]?.value ?? number(1)];
  if (isBroken(value) || isBroken(by)) return broken;
  const found2 = toTensor(of, value);
  if (found2 === void 0) return reportNotNumber(of, call2.span, value, "`previous`");
  const n = by.kind === "number" ? valueOf(by) : void 0;
  if (n === void 0 && checking(of) && by.kind === "number") return found2;
  if (n === void 0 || !Number.isInteger(n) || n < 0)
    return report(
      of,
      "M0209",
      call2.given[1]?.argument.span ?? call2.span,
      "`previous` counts whole positions",
      { label: n === void 0 ? `this is ${describe(by)}` : `this is ${n}`, help: "write `previous(x, 1)`" }
    );
  return previous(of, call2.span, found2, n);
}
var handlers = {
  ...Object.fromEntries(
    Object.keys(formulas).map((name) => [
      name,
      (of, call2) => arity(of, call2, 1) ? formula(of, call2) : broken
    ])
  ),
  mod: extreme2("mod"),
  clamp,
  transpose,
  concat,
  stop,
  straight_through: straightThrough,
  one_hot: oneHot,
  cross_entropy: crossEntropy,
  context: contextOf,
  previous: previousOf,
  uniform: random(draw),
  /** -log(-log u) */
  gumbel: random((of, builder, like) => {
    const u = positive(builder, draw(of, builder, like));
    return builder.neg(builder.map("log", positive(builder, builder.neg(builder.map("log", u)))));
  }),
  /** Box-Muller: sqrt(-2 log u) cos(2 pi v). */
  normal: random((of, builder, like) => {
    const u = positive(builder, draw(of, builder, like));
    const v = draw(of, builder, like);
    const radius = builder.map("sqrt", builder.mul(builder.map("log", u), -2));
    return builder.mul(radius, builder.map("cos", builder.mul(v, 2 * Math.PI)));
  })
};
var builtinNames = Object.keys(handlers);
var callBuiltin = (of, call2) => Object.hasOwn(handlers, call2.name) ? handlers[call2.name](of, call2) : void 0;

// compiler/elaborate/indices.ts
var newIndex = (of, name) => ({
  kind: "index",
  name,
  order: of.nextOrder++,
  axis: void 0
});
function boundAxis(of, index, axis, span) {
  if (index.axis === void 0) {
    index.axis = {
      kind: "index",
      order: index.order,
      size: axis.size,
      name: index.name,
      ...axis.pieces === void 0 ? {} : { pieces: axis.pieces }
    };
    return index.axis;
  }
  if (sameSizes(index.axis.size, axis.size)) return index.axis;
  report(
    of,
    "M0305",
    span,
    `the index \`${index.name}\` runs over \`${showSize(index.axis.size)}\` and over \`${showSize(axis.size)}\``,
    {
      label: `\`${showSize(axis.size)}\` here`,
      help: "use another index for this axis"
    }
  );
  return void 0;
}
var indexings = /* @__PURE__ */ new WeakMap();
function indexingsIn(expression) {
  const before = indexings.get(expression);
  if (before !== void 0) return before;
  const found2 = [];
  const collect = (value) => {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) return value.forEach(collect);
    if (value.node === "index") found2.push(value);
    Object.values(value).forEach(collect);
  };
  collect(expression);
  indexings.set(expression, found2);
  return found2;
}
function boundIndices(of, expression, scope) {
  for (const { of: indexed, indices } of indexingsIn(expression)) {
    if (indexed.node !== "name") continue;
    const value = lookUp(scope, indexed.text);
    const bounding = value === void 0 ? void 0 : asTensor(value);
    if (bounding === void 0) continue;
    indices.forEach((index, i) => {
      const axis = bounding.axes[i];
      if (index.node !== "name" || axis === void 0) return;
      const meaning = lookUp(scope, index.text);
      if (meaning?.kind === "index" && meaning.axis === void 0) boundAxis(of, meaning, axis, index.span);
    });
  }
}
function overScope(of, over, inner, scope) {
  if (over.length === 0) return scope;
  const used = /* @__PURE__ */ new Set();
  for (const { indices } of indexingsIn(inner))
    for (const index of indices) if (index.node === "name") used.add(index.text);
  const fresh = over.filter(({ text }) => used.has(text) && lookUp(scope, text)?.kind !== "index");
  if (fresh.length === 0) return scope;
  const inside = openScope(scope);
  for (const { text } of fresh) inside.names.set(text, newIndex(of, text));
  boundIndices(of, inner, inside);
  return inside;
}
function label(of, value, labels2) {
  if (labels2.size === 0) return value;
  const added = [...labels2.values()];
  const hidden = unionHidden([value, { hidden: added }]);
  const rest = value.axes.map((_, i) => i).filter((i) => !labels2.has(i));
  const node = build(of, [value], (builder, from) => {
    const place2 = new Map(value.hidden.map((axis, i) => [axis, i]));
    labels2.forEach((axis, i) => place2.set(axis, value.hidden.length + i));
    return builder.permute(from, [
      ...hidden.map((axis) => place2.get(axis)),
      ...rest.map((i) => value.hidden.length + i)
    ]);
  });
  return tensor(
    value.element,
    hidden,
    rest.map((i) => value.axes[i]),
    node
  );
}
function lookUpAt(of, table, axis, ids) {
  noteMixing(of, table.axes[axis].size, "a lookup at other positions of the text");
  const hidden = unionHidden([table, ids]);
  const grouped2 = table.hidden.findIndex((each) => each.kind === "group" && !hidden.includes(each));
  if (grouped2 >= 0)
    return lookUpAt(
      of,
      expandTo(of, table, unionHidden([table, { hidden: [table.hidden[grouped2].rows] }]), table.axes),
      axis,
      ids
    );
  const before = table.axes.slice(0, axis);
  const after2 = table.axes.slice(axis + 1);
  const axes = [...before, ...ids.axes, ...after2];
  const node = build(of, [table, ids], (builder, from, at) => {
    const shared = table.hidden;
    const others = hidden.filter((each) => !shared.includes(each));
    const wide2 = expandTo(of, { ...ids, node: at }, hidden, ids.axes).node;
    const order = [...shared, ...others];
    const rank = hidden.length;
    const moved = builder.permute(wide2, [
      ...order.map((each) => hidden.indexOf(each)),
      ...ids.axes.map((_, i) => rank + i)
    ]);
    const s = shared.length;
    const front = [
      ...shared.map((_, i) => i),
      s + axis,
      ...table.axes.flatMap((_, i) => i === axis ? [] : [s + i])
    ];
    const taken = builder.take(builder.permute(from, front), moved, s);
    const visible = rank + ids.axes.length;
    return builder.permute(taken, [
      ...hidden.map((each) => order.indexOf(each)),
      ...before.map((_, i) => visible + i),
      ...ids.axes.map((_, i) => rank + i),
      ...after2.map((_, i) => visible + before.length + i)
    ]);
  });
  return tensor(table.element, hidden, axes, node);
}
function placeNode(builder, from, axis, at) {
  const sliced = builder.slice(from, axis, constant(at), one);
  return builder.reshape(
    sliced,
    sliced.shape.filter((_, i) => i !== axis)
  );
}
function indexInto(of, span, value, indices, scope) {
  if (isBroken(value)) return broken;
  const base = asTensor(value);
  if (base === void 0)
    return report(of, "M0202", span, `only tensors can be indexed, not ${describe(value)}`, {
      label: `this is ${describe(value)}`,
      help: "index a tensor"
    });
  if (indices.length > base.axes.length)
    return report(
      of,
      "M0302",
      span,
      `${indices.length} indices for ${base.axes.length === 1 ? "one axis" : `${base.axes.length} axes`}`,
      {
        label: `the tensor is ${showShape(base.axes)}`,
        help: "give one index for each axis, from the left"
      }
    );
  const labels2 = /* @__PURE__ */ new Map();
  const places2 = /* @__PURE__ */ new Map();
  const lookups = /* @__PURE__ */ new Map();
  for (const [i, index] of indices.entries()) {
    const axis = base.axes[i];
    const meaning = index.node === "name" ? lookUp(scope, index.text) : void 0;
    if (meaning?.kind === "index") {
      const hidden = boundAxis(of, meaning, axis, index.span);
      if (hidden === void 0) return broken;
      if ([...labels2.values()].includes(hidden) || base.hidden.includes(hidden))
        return report(of, "M0306", index.span, `the index \`${meaning.name}\` stands twice in one tensor`, {
          label: "again here",
          help: "use two indices and compare them: `if i == j then ... else 0`"
        });
      labels2.set(i, hidden);
      continue;
    }
    const at = of.parts.evaluate(of, index, scope);
    if (isBroken(at)) return broken;
    if (at.kind === "number") {
      const place2 = valueOf(at);
      if (place2 === void 0 && !checking(of))
        return report(
          of,
          "M0306",
          index.span,
          "a place must be a number that is known when the model is compiled",
          {
            label: "not known",
            help: "use an index, or a tensor of integers"
          }
        );
      const size = known(axis.size);
      if (place2 !== void 0 && (!Number.isInteger(place2) || place2 < 0 || size !== void 0 && place2 >= size))
        return report(
          of,
          "M0306",
          index.span,
          `there is no place ${place2} on an axis of \`${showSize(axis.size)}\``,
          {
            label: "counted from 0",
            help: size === void 0 ? "write a whole number from 0" : `write 0 to ${size - 1}`
          }
        );
      places2.set(i, place2 ?? 0);
      continue;
    }
    const ids = toTensor(of, at);
    if (ids?.element !== "int")
      return report(
        of,
        "M0403",
        index.span,
        `an axis is indexed by integers, not by ${ids === void 0 ? describe(at) : ids.element === "bool" ? "truth values" : "numbers"}`,
        {
          label: ids === void 0 ? `this is ${describe(at)}` : showShape(ids.axes),
          help: "use an index, a place, or a tensor of integers"
        }
      );
    lookups.set(i, ids);
  }
  let current = base;
  const left = base.axes.map((_, i) => i);
  for (const [i, at] of [...places2].sort(([a2], [b2]) => b2 - a2)) {
    const position = left.indexOf(i);
    const axis = current.hidden.length + position;
    noteMixing(of, current.axes[position].size, "one position of the text is picked out");
    const node = build(of, [current], (builder, from) => placeNode(builder, from, axis, at));
    current = tensor(
      current.element,
      current.hidden,
      current.axes.filter((_, j) => j !== position),
      node
    );
    left.splice(position, 1);
  }
  const labelled = new Map([...labels2].map(([i, axis]) => [left.indexOf(i), axis]));
  current = label(of, current, labelled);
  const remaining = left.filter((i) => !labels2.has(i));
  for (const [i, ids] of [...lookups].sort(([a2], [b2]) => b2 - a2))
    current = lookUpAt(of, current, remaining.indexOf(i), ids);
  return current;
}
function binderScope(of, binders, scope) {
  const inside = openScope(scope);
  const indices = [];
  for (const { name, size } of binders) {
    if (inside.names.has(name.text)) {
      report(of, "M0102", name.span, `the index \`${name.text}\` stands twice`, {
        label: "again here",
        help: "give every axis an index of its own"
      });
      return void 0;
    }
    const index = newIndex(of, name.text);
    if (size !== void 0) {
      const range4 = of.parts.evaluate(of, size, scope);
      if (isBroken(range4)) return void 0;
      const whole = range4.kind === "number" ? asSize(range4, checking(of)) : void 0;
      if (whole?.kind === "unknown") return void 0;
      if (whole?.kind !== "size") {
        report(of, "M0303", size.span, `the range of \`${name.text}\` is no size`, {
          label: whole === void 0 ? `this is ${describe(range4)}` : `this is ${whole.text}`,
          help: "write a size: `t: T`"
        });
        return void 0;
      }
      index.axis = { kind: "index", order: index.order, size: whole.size, name: name.text };
    }
    inside.names.set(name.text, index);
    indices.push(index);
  }
  return { scope: inside, indices };
}
function showIndices(of, span, value, indices) {
  const unbound = indices.find(({ axis }) => axis === void 0);
  if (unbound !== void 0)
    return report(of, "M0307", span, `nothing bounds the index \`${unbound.name}\``, {
      label: "its range is not known",
      help: `give it on the left: \`${unbound.name}: T\``
    });
  const axes = indices.map(({ axis }) => axis);
  const extra = value.hidden.find(
    (axis) => axis.kind === "index" && !axes.includes(axis) && axis.order > Math.min(...indices.map(({ order }) => order))
  );
  if (extra !== void 0)
    return report(of, "M0308", span, `the index \`${extra.name}\` is not on the left`, {
      label: "left over on the right",
      help: `reduce it: \`sum(... over ${extra.name})\`, or name it on the left`
    });
  const all2 = unionHidden([value, { hidden: axes }]);
  const wide2 = expandTo(of, value, all2, value.axes);
  const hidden = all2.filter((axis) => !axes.includes(axis));
  const visible = axes.map(({ size, name, pieces }) => ({
    size,
    name,
    ...pieces === void 0 ? {} : { pieces }
  }));
  const node = build(
    of,
    [wide2],
    (builder, from) => builder.permute(from, [
      ...hidden.map((axis) => all2.indexOf(axis)),
      ...axes.map((axis) => all2.indexOf(axis)),
      ...value.axes.map((_, i) => all2.length + i)
    ])
  );
  return tensor(value.element, hidden, [...visible, ...value.axes], node);
}

// compiler/build/schedule.ts
var clamp2 = (builder, value, low, high) => builder.map("min", builder.map("max", value, low), high);
function rise(builder, clock, warmup) {
  if (warmup <= 0) return 1;
  return builder.map("min", builder.div(builder.add(clock.step, 1), warmup), 1);
}
var share = (builder, clock, start, end) => clamp2(builder, builder.div(builder.sub(clock.step, start), Math.max(1, end - start)), 0, 1);
var constantRate = (builder, clock, peak, warmup = 0) => builder.mul(lift3(builder, peak), rise(builder, clock, warmup));
function cosine(builder, clock, peak, warmup = 0, floor = 0) {
  const angle = builder.mul(share(builder, clock, warmup, clock.steps), Math.PI);
  const bell = builder.mul(builder.add(builder.map("cos", angle), 1), 0.5);
  const decayed = builder.add(builder.mul(bell, builder.sub(lift3(builder, peak), floor)), floor);
  return builder.mul(decayed, rise(builder, clock, warmup));
}
function linear(builder, clock, from, to, over = clock.steps) {
  const part = share(builder, clock, 0, over);
  return builder.add(builder.mul(part, builder.sub(lift3(builder, to), from)), from);
}
function exponential(builder, clock, from, to, over = clock.steps) {
  const part = share(builder, clock, 0, over);
  return builder.mul(builder.map("exp", builder.mul(part, Math.log(to / from))), from);
}
function warmupStableDecay(builder, clock, peak, warmup = 0, decay = 0.2, floor = 0) {
  const start = Math.floor(clock.steps * (1 - decay));
  const fall = share(builder, clock, start, clock.steps);
  const top = lift3(builder, peak);
  return builder.mul(
    builder.sub(top, builder.mul(fall, builder.sub(top, floor))),
    rise(builder, clock, warmup)
  );
}
var lift3 = (builder, value) => typeof value === "number" ? builder.constant(value) : value;

// compiler/elaborate/schedules.ts
var parameters = {
  cosine: [{ name: "peak" }, { name: "warmup", default: 0 }, { name: "floor", default: 0 }],
  linear: [{ name: "from" }, { name: "to" }, { name: "over", default: "steps" }],
  exponential: [{ name: "from" }, { name: "to" }, { name: "over", default: "steps" }],
  wsd: [
    { name: "peak" },
    { name: "warmup", default: 0 },
    { name: "decay", default: 0.2 },
    { name: "floor", default: 0 }
  ],
  constant: [{ name: "rate" }, { name: "warmup", default: 0 }]
};
var scheduleNames = Object.keys(parameters);
var isSchedule = (name) => Object.hasOwn(parameters, name);
var otherwise = 1e3;
var clockOf = (of, builder) => ({
  step: builder.cast(builder.input("$step", "i32"), "f32"),
  steps: of.steps ?? otherwise
});
function callSchedule(of, { name, span, given }) {
  const list = parameters[name];
  const values = /* @__PURE__ */ new Map();
  let next = 0;
  let known3 = true;
  for (const { argument, value: value2 } of given) {
    if (isBroken(value2)) return broken;
    const parameter = argument.name === void 0 ? list[next++]?.name : argument.name.text;
    if (parameter === void 0 || !list.some((each2) => each2.name === parameter))
      return report(
        of,
        "M0204",
        argument.span,
        parameter === void 0 ? `\`${name}\` takes ${list.length} arguments` : `\`${name}\` has no argument \`${parameter}\``,
        {
          label: parameter === void 0 ? "one too many" : "not one of its arguments",
          help: didYouMean(
            parameter ?? "",
            list.map((each2) => each2.name),
            `it has ${list.map((each2) => `\`${each2.name}\``).join(", ")}`
          )
        }
      );
    const each = value2.kind === "number" ? valueOf(value2) : void 0;
    if (each === void 0 && !(checking(of) && value2.kind === "number"))
      return report(
        of,
        "M0209",
        argument.span,
        `an argument of \`${name}\` must be a number that is known when the model is compiled`,
        { label: `this is ${describe(value2)}`, help: "write a number or a static" }
      );
    if (each === void 0) known3 = false;
    else values.set(parameter, each);
  }
  const missing = known3 ? list.find((each) => each.default === void 0 && !values.has(each.name)) : void 0;
  if (missing !== void 0)
    return report(of, "M0204", span, `\`${name}\` needs \`${missing.name}\``, {
      label: "not given",
      help: `write \`${name}(${list.map((each) => each.name).join(", ")})\``
    });
  if (of.builder === void 0) return tensor("number", [], [], void 0);
  const { builder } = of;
  const clock = clockOf(of, builder);
  const value = (key) => {
    const fallback = list.find((each) => each.name === key).default;
    return values.get(key) ?? (fallback === "steps" ? clock.steps : fallback ?? 0);
  };
  const node = (() => {
    switch (name) {
      case "cosine":
        return cosine(builder, clock, value("peak"), value("warmup"), value("floor"));
      case "linear":
        return linear(builder, clock, value("from"), value("to"), value("over"));
      case "exponential":
        return exponential(builder, clock, value("from"), value("to"), value("over"));
      case "wsd":
        return warmupStableDecay(
          builder,
          clock,
          value("peak"),
          value("warmup"),
          value("decay"),
          value("floor")
        );
      default:
        return constantRate(builder, clock, value("rate"), value("warmup"));
    }
  })();
  return tensor("number", [], [], node);
}
function clockName(of, name) {
  const { builder } = of;
  if (name === "steps")
    return of.steps === void 0 ? checking(of) ? unknownNumber : number(otherwise) : number(of.steps);
  if (name !== "step" && name !== "progress") return void 0;
  if (builder === void 0) return tensor("number", [], [], void 0);
  const { step, steps } = clockOf(of, builder);
  return tensor("number", [], [], name === "step" ? step : builder.div(step, Math.max(1, steps)));
}

// compiler/elaborate/names.ts
var evaluatingDims = /* @__PURE__ */ new WeakMap();
var circles = /* @__PURE__ */ new WeakMap();
function moduleDim(of, declaration, module) {
  const open = evaluatingDims.get(of) ?? /* @__PURE__ */ new Set();
  evaluatingDims.set(of, open);
  const reported = circles.get(of.diagnostics) ?? /* @__PURE__ */ new Set();
  circles.set(of.diagnostics, reported);
  if (reported.has(declaration)) return broken;
  if (open.has(declaration)) open.forEach((each) => reported.add(each));
  if (open.has(declaration))
    return report(of, "M0104", declaration.name.span, `\`${declaration.name.text}\` is defined by itself`, {
      label: "in a circle",
      help: "give it a value that does not need itself"
    });
  open.add(declaration);
  const { router: _, pool: __, ...frame } = frameOf(of);
  of.frames.push({ ...frame, module, lead: [], counters: /* @__PURE__ */ new Map(), stored: /* @__PURE__ */ new Map() });
  try {
    const value = of.parts.evaluate(of, declaration.value, openScope());
    return value.kind === "number" ? { ...value, name: declaration.name.text } : value;
  } finally {
    of.frames.pop();
    open.delete(declaration);
  }
}
function namesInReach(of, scope) {
  const { module, router } = frameOf(of);
  return [
    ...namesInSight(scope),
    ...module.names.keys(),
    ...router === void 0 ? [] : routerNames,
    ...builtinNames,
    ...reductions,
    ...scheduleNames,
    "training",
    "inference",
    "true",
    "false",
    "step",
    "steps",
    "progress",
    "inf",
    "pi"
  ];
}
var isBuiltin = (name) => builtinNames.includes(name) || isReduction(name) || isSchedule(name) || name === "dispatch" || name === "combine";
function moduleName(of, text) {
  const { module } = frameOf(of);
  const entity = module.names.get(text);
  if (entity === void 0) return module.missing.has(text) ? broken : void 0;
  if (entity.kind === "dim") return moduleDim(of, entity.declaration, entity.module);
  return {
    kind: "definition",
    definition: entity.definition,
    module: entity.module,
    base: text.toLowerCase()
  };
}
function meaningOf(of, text, scope) {
  const bound = lookUp(scope, text);
  if (bound !== void 0) {
    if (of.afterStep) {
      const stored = frameOf(of).stored.get(text);
      const updated = stored === void 0 || bound !== stored.tensor ? void 0 : of.collected.updates.get(stored.path);
      if (updated !== void 0) return updated;
    }
    return bound.kind === "number" && bound.poly !== void 0 ? { ...bound, name: text } : bound;
  }
  const known3 = routerName(of, text);
  if (known3 !== void 0) return known3;
  switch (text) {
    case "training":
    case "inference":
      return truth(checking(of) ? void 0 : of.mode === "training" === (text === "training"));
    case "true":
    case "false":
      return truth(text === "true");
    case "inf":
      return number(Infinity);
    case "pi":
      return number(Math.PI);
    default:
  }
  const declared = moduleName(of, text);
  if (declared !== void 0) return declared;
  if (text === "zero" || text === "copy" || text === "constant") return { kind: "null", which: text };
  return clockName(of, text);
}
function readName(of, text, span, scope) {
  const value = meaningOf(of, text, scope);
  if (value !== void 0) return value;
  const { router } = frameOf(of);
  if (router !== void 0 && (text === "load" || text === "chosen"))
    return router.failed === true ? broken : report(of, "M0507", span, `\`${text}\` stands before \`choose\``, {
      label: "nothing has been chosen yet",
      help: "move it below `choose`"
    });
  if (isBuiltin(text))
    return report(of, "M0101", span, `\`${text}\` is a function`, {
      label: "not applied",
      help: `write \`${text}(...)\``
    });
  return report(of, "M0101", span, `there is no \`${text}\` here`, {
    label: "not found",
    help: didYouMean(text, namesInReach(of, scope), "bind it, declare it, or import it")
  });
}

// compiler/elaborate/expression.ts
function axesOf(of, type, scope) {
  const axes = [];
  let whole = true;
  for (const expression of type.axes) {
    const value = of.parts.evaluate(of, expression, scope);
    if (isBroken(value)) {
      whole = false;
      continue;
    }
    const size = value.kind === "number" ? asSize(value, checking(of)) : void 0;
    if (size?.kind === "unknown") {
      whole = false;
      continue;
    }
    if (size?.kind !== "size") {
      whole = false;
      report(
        of,
        "M0303",
        expression.span,
        size === void 0 ? `a size is a number, not ${describe(value)}` : `\`${showText(expression)}\` is no whole size`,
        {
          label: size === void 0 ? `this is ${describe(value)}` : `this is ${size.text}`,
          help: size?.kind === "negative" ? "make it positive" : size === void 0 ? "write a size" : "choose numbers that divide without rest"
        }
      );
      continue;
    }
    const name = expression.node === "name" ? expression.text : void 0;
    const pieces = value.kind === "number" ? value.pieces : void 0;
    axes.push({
      size: size.size,
      ...name === void 0 ? {} : { name },
      ...pieces === void 0 ? {} : { pieces }
    });
  }
  return whole ? axes : void 0;
}
function showText(expression) {
  switch (expression.node) {
    case "name":
      return expression.text;
    case "number":
      return String(expression.value);
    case "binary":
      return `${showText(expression.left)} ${expression.operator} ${showText(expression.right)}`;
    case "group":
      return `(${showText(expression.inner)})`;
    default:
      return "...";
  }
}
function reshape(of, expression, scope) {
  const value = of.parts.evaluate(of, expression.of, scope);
  const axes = axesOf(of, expression.type, scope);
  if (isBroken(value) || axes === void 0) return broken;
  const found2 = toTensor(of, value);
  if (found2 === void 0) return reportNotNumber(of, expression.of.span, value, "`as`");
  const [before, after2] = [
    product(found2.axes.map(({ size }) => size)),
    product(axes.map(({ size }) => size))
  ];
  if (!sameSizes(before, after2))
    return report(
      of,
      "M0311",
      expression.span,
      `\`${showShape(found2.axes)}\` does not have as many elements as \`${showShape(axes)}\``,
      {
        label: `${showSize(before)} and ${showSize(after2)}`,
        help: "give sizes whose product is the same"
      }
    );
  const kept = axes.findIndex(
    (axis, i) => found2.axes[i] === void 0 || !sameSizes(axis.size, found2.axes[i].size)
  );
  const same = kept < 0 ? axes.length : kept;
  found2.axes.slice(same).forEach(({ size }) => noteMixing(of, size, "`as` merges the positions of the text with other axes"));
  const single = found2.axes.find(({ pieces }) => pieces?.length === 1)?.pieces?.[0]?.modality;
  const shown = axes.map((axis, i) => {
    const pieces = i < same ? found2.axes[i].pieces : single === void 0 ? void 0 : [{ modality: single, size: axis.size }];
    return pieces === void 0 ? axis : { ...axis, pieces };
  });
  return tensor(
    found2.element,
    found2.hidden,
    shown,
    build(of, [found2], (builder, node) => builder.reshape(node, shapeOf(found2.hidden, shown)))
  );
}
function member(of, expression, scope) {
  const value = of.parts.evaluate(of, expression.of, scope);
  if (isBroken(value)) return broken;
  const { name } = expression;
  if (value.kind === "modality") {
    const found2 = value.members.get(name.text);
    if (found2 !== void 0) return found2;
    const known3 = [...value.members.keys()];
    return report(of, "M0105", name.span, `the modality \`${value.name}\` has no \`${name.text}\``, {
      label: "not one of its members",
      help: didYouMean(
        name.text,
        known3,
        known3.length === 0 ? "it has no members" : `it has ${known3.map((each) => `\`.${each}\``).join(", ")}`
      )
    });
  }
  if (value.kind === "gates") {
    if (name.text === "weight" || name.text === "picks" || name.text === "chosen" || name.text === "load")
      return value[name.text];
    return report(of, "M0105", name.span, `gates have no \`${name.text}\``, {
      label: "not one of their members",
      help: didYouMean(
        name.text,
        ["weight", "picks", "chosen", "load"],
        "they have `.weight`, `.picks`, `.chosen`, `.load`"
      )
    });
  }
  return report(of, "M0105", name.span, `${describe(value)} has no members`, {
    label: `this is ${describe(value)}`,
    help: "read members of modalities and of gates"
  });
}
function callValue(of, expression, callee, scope) {
  const given = evaluateArguments(of, expression.arguments, scope);
  if (isBroken(callee) || given.some(({ value }) => value.kind === "broken")) return broken;
  if (callee.kind === "pool")
    return report(of, "M0514", expression.span, "a pool needs a router", {
      label: "nothing says which experts to take",
      help: "write `pool(x) by TopK { k = 2 }`"
    });
  if (callee.kind !== "definition" && callee.kind !== "instance")
    return notDefinable(of, expression.callee.span, callee);
  if (expression.over.length > 0)
    return report(of, "M0304", expression.over[0].span, "`over` belongs to reductions", {
      label: `\`${callee.definition.name.text}\` is ${describe(callee)}`,
      help: "remove it"
    });
  if (!areInputs(callee, given)) return withStatics(of, callee, given, expression.span);
  const named2 = given.find(({ argument }) => argument.name !== void 0);
  if (named2 !== void 0)
    return report(of, "M0204", named2.argument.span, "inputs are given by position", {
      label: "has a name",
      help: "give statics in braces: `Name { k = 2 }(x)`"
    });
  return of.parts.apply(
    of,
    asInstance(callee, expression.span),
    given.map(({ value }) => value),
    expression.span
  );
}
function call(of, expression, scope) {
  const { callee, over, span } = expression;
  const builtin = callee.node === "name" && lookUp(scope, callee.text) === void 0 && isBuiltin(callee.text) && moduleName(of, callee.text) === void 0;
  if (!builtin) return callValue(of, expression, of.parts.evaluate(of, callee, scope), scope);
  const name = callee.text;
  const inside = overScope(of, over, expression.arguments, scope);
  const given = evaluateArguments(of, expression.arguments, inside);
  const asked = { name, span, given, over, scope: inside };
  if (isReduction(name)) {
    if ((name === "max" || name === "min") && given.length === 2 && over.length === 0)
      return pairwise[name](of, asked);
    return callReduction(of, asked, name);
  }
  if (over.length > 0 && name !== "concat")
    return report(of, "M0304", over[0].span, `\`${name}\` does not go over an axis`, {
      label: "not for this function",
      help: "remove it"
    });
  if (isSchedule(name)) return callSchedule(of, asked);
  if (name === "dispatch") return dispatchTokens(of, asked);
  if (name === "combine") return combineRows(of, asked);
  return callBuiltin(of, asked) ?? broken;
}
function callReduction(of, { span, given, over, scope }, name) {
  const [only, ...more] = given;
  if (only === void 0 || more.length > 0 || only.argument.name !== void 0)
    return report(
      of,
      "M0204",
      span,
      `\`${name}\` takes one tensor${name === "max" || name === "min" ? " or two" : ""}`,
      { label: `${given.length} given`, help: `write \`${name}(x)\` or \`${name}(x over D)\`` }
    );
  if (isBroken(only.value)) return broken;
  const operand2 = toTensor(of, only.value);
  if (operand2 === void 0) return reportNotNumber(of, only.argument.span, only.value, `\`${name}\``);
  const logical2 = name === "any" || name === "all";
  if (operand2.element === "bool" && !logical2 && name !== "sum" && name !== "mean")
    return reportNotNumber(of, only.argument.span, only.value, `\`${name}\``);
  return reduce(of, scope, span, name, operand2, over);
}
function evaluateList(of, items, scope) {
  return { kind: "list", items: items.map((item) => of.parts.evaluate(of, item, scope)) };
}
function conditional(of, expression, scope) {
  const condition = of.parts.evaluate(of, expression.condition, scope);
  if (condition.kind === "truth" && condition.value !== void 0)
    return of.parts.evaluate(of, condition.value ? expression.then : expression.otherwise, scope);
  const then = of.parts.evaluate(of, expression.then, scope);
  const otherwise2 = of.parts.evaluate(of, expression.otherwise, scope);
  if (condition.kind !== "truth") return choice(of, expression.span, condition, then, otherwise2);
  if (isBroken(then) || isBroken(otherwise2)) return broken;
  const [a2, b2] = [asTensor(then), asTensor(otherwise2)];
  if (a2 !== void 0 && b2 !== void 0 && a2.element === b2.element && a2.axes.length === b2.axes.length && a2.axes.every((axis, i) => sameSizes(axis.size, b2.axes[i].size)))
    return tensor(a2.element, unionHidden([a2, b2]), a2.axes, void 0);
  return then.kind === otherwise2.kind && then.kind === "number" ? { kind: "number" } : { kind: "unknown" };
}
function evaluate2(of, expression, scope) {
  const value = evaluateWhole(of, expression, scope);
  return frameOf(of).router?.restricted === true ? restrict(of, value) : value;
}
function evaluateWhole(of, expression, scope) {
  switch (expression.node) {
    case "number":
      return number(expression.value);
    case "string":
      return { kind: "text", value: expression.value };
    case "name":
      return readName(of, expression.text, expression.span, scope);
    case "list":
      return evaluateList(of, expression.items, scope);
    case "group":
      return evaluate2(of, expression.inner, scope);
    case "unary": {
      const operand2 = evaluate2(of, expression.operand, scope);
      return expression.operator === "-" ? negate2(of, expression.span, operand2) : not(of, expression.span, operand2);
    }
    case "binary": {
      const left = evaluate2(of, expression.left, scope);
      const right = evaluate2(of, expression.right, scope);
      if (expression.operator === "@") return contract(of, expression.span, left, right);
      return poolArithmetic(of, expression.span, expression.operator, left, right) ?? binary(of, expression.span, expression.operator, left, right);
    }
    case "if":
      return conditional(of, expression, scope);
    case "call":
      return call(of, expression, scope);
    case "configure": {
      const callee = evaluate2(of, expression.callee, scope);
      const given = evaluateArguments(of, expression.options, scope);
      if (isBroken(callee)) return broken;
      if (callee.kind !== "definition" && callee.kind !== "instance")
        return notDefinable(of, expression.callee.span, callee);
      return withStatics(of, callee, given, expression.span);
    }
    case "index":
      return indexInto(of, expression.span, evaluate2(of, expression.of, scope), expression.indices, scope);
    case "member":
      return member(of, expression, scope);
    case "by":
      return routePool(of, expression, scope);
    case "as":
      return reshape(of, expression, scope);
    case "broken":
      return broken;
    default:
      return expression;
  }
}
function evaluateIndexed(of, expression, scope) {
  boundIndices(of, expression, scope);
  return evaluate2(of, expression, scope);
}

// compiler/elaborate/modality.ts
var kinds = ["tokens", "image", "category", "features", "number"];
var isKind = (name) => kinds.includes(name);
var examples = {
  tokens: "tokens(vocab = 256)",
  image: "image(28, 28)",
  category: "category(10)",
  features: "features(13)",
  number: "number"
};
function numbersOf2(of, kind, expression, scope) {
  const list = expression.node === "call" ? expression.arguments : [];
  const [least2, most] = kind === "image" ? [2, 3] : kind === "number" ? [0, 0] : [1, 1];
  const misnamed = list.find(
    ({ name }) => name !== void 0 && !(kind === "tokens" && name.text === "vocab")
  );
  if (list.length < least2 || list.length > most || misnamed !== void 0) {
    report(of, "M0603", misnamed?.span ?? expression.span, `\`${kind}\` is written \`${examples[kind]}\``, {
      label: misnamed === void 0 ? `${list.length} given` : "not known",
      help: `write \`${examples[kind]}\``
    });
    return void 0;
  }
  const values = [];
  for (const { value } of list) {
    const found2 = of.parts.evaluate(of, value, scope);
    if (isBroken(found2)) return void 0;
    const size = found2.kind === "number" ? valueOf(found2) : void 0;
    if (found2.kind === "number" && size === void 0 && checking(of)) values.push(void 0);
    else if (size === void 0 || !Number.isInteger(size) || size < 1) {
      report(of, "M0603", value.span, "a modality's size must be a whole number of at least 1", {
        label: size === void 0 ? "not a known number" : `this is ${size}`,
        help: `write \`${examples[kind]}\``
      });
      return void 0;
    } else values.push(size);
  }
  return values;
}
function lengthName(of, name) {
  const tokens = frameOf(of).definition.body.filter(
    (each) => each.node === "modality" && (each.value.node === "call" ? each.value.callee.node === "name" && each.value.callee.text === "tokens" : false)
  );
  return tokens.length > 1 ? `T_${name}` : "T";
}
function declareModality(of, statement, scope) {
  const { name, value: expression } = statement;
  const callee = expression.node === "call" ? expression.callee : expression;
  const kind = callee.node === "name" ? callee.text : "";
  if (!isKind(kind)) {
    report(of, "M0603", expression.span, "a modality is tokens, image, category, features or number", {
      label: "not one of them",
      help: didYouMean(kind, kinds, "write `tokens(vocab = 256)`")
    });
    return bind(scope, name.text, broken);
  }
  const sizes = numbersOf2(of, kind, expression, scope);
  if (sizes === void 0) return bind(scope, name.text, broken);
  const batch = frameOf(of).lead.slice(0, 1);
  const axis = (size, label2) => ({
    size: size === void 0 ? named(label2) : constant(size),
    name: label2,
    pieces: [{ modality: name.text, size: size === void 0 ? named(label2) : constant(size) }]
  });
  const port = (port2, element2, axes2) => tensor(
    element2,
    batch,
    axes2,
    of.builder?.input(port2, element2 === "number" ? "f32" : "i32", shapeOf(batch, axes2))
  );
  const members = /* @__PURE__ */ new Map();
  const ports = [name.text];
  let about = {};
  let axes = [];
  let element = "number";
  const [first] = sizes;
  switch (kind) {
    case "tokens": {
      const length = lengthName(of, name.text);
      of.lengths.add(length);
      const size = named(length);
      axes = [{ size, name: length, pieces: [{ modality: name.text, size }] }];
      element = "int";
      ports.push(`${name.text}.next`);
      members.set("next", port(`${name.text}.next`, "int", axes));
      members.set("vocab", first === void 0 ? { kind: "number" } : { ...number(first), name: "vocab" });
      members.set("length", ofSize(size, length));
      about = { length, ...first === void 0 ? {} : { count: first } };
      break;
    }
    case "image":
      axes = sizes.map((each, i) => axis(each, ["height", "width", "channels"][i]));
      about = { shape: [...sizes.map((each) => each ?? 1), ...sizes.length === 2 ? [1] : []] };
      break;
    case "category":
      element = "int";
      members.set("count", first === void 0 ? { kind: "number" } : number(first));
      about = first === void 0 ? {} : { count: first };
      break;
    case "features":
      axes = [axis(first, "features")];
      about = first === void 0 ? {} : { count: first };
      break;
    case "number":
      break;
    default:
      return kind;
  }
  const entered = port(name.text, element, axes);
  if (entered.kind !== "tensor") throw new Error("internal: an input that is no tensor");
  of.collected.modalities.push({ name: name.text, kind, ...about, ports });
  bind(scope, name.text, { kind: "modality", name: name.text, tensor: entered, members });
}

// compiler/elaborate/statement.ts
var turnsChecked = 3;
var mostWork = 1e5;
function merge(a2, b2) {
  if (a2 === b2 && a2 !== void 0) return a2;
  const [x, y] = [a2 && asTensor(a2), b2 && asTensor(b2)];
  if (x !== void 0 && y !== void 0 && x.element === y.element && x.axes.length === y.axes.length && x.axes.every((axis, i) => sameSizes(axis.size, y.axes[i].size)))
    return x;
  if (a2?.kind === "number" && b2?.kind === "number" && valueOf(a2) === valueOf(b2)) return a2;
  return { kind: "unknown" };
}
function branch(of, statement, scope) {
  const condition = of.parts.evaluate(of, statement.condition, scope);
  if (condition.kind === "truth" && condition.value !== void 0)
    return of.parts.run(of, condition.value ? statement.then : statement.otherwise, scope);
  if (!isBroken(condition) && condition.kind !== "truth") {
    report(
      of,
      "M0211",
      statement.condition.span,
      "the condition of an `if` statement must be known when the model is compiled",
      {
        label: `this is ${describe(condition)}`,
        help: "choose element by element with `if ... then ... else ...`"
      }
    );
    return broken;
  }
  if (!checking(of)) return broken;
  const [then, otherwise2] = [openScope(scope), openScope(scope)];
  const results = [of.parts.run(of, statement.then, then), of.parts.run(of, statement.otherwise, otherwise2)];
  for (const name of /* @__PURE__ */ new Set([...then.names.keys(), ...otherwise2.names.keys()]))
    bind(
      scope,
      name,
      merge(then.names.get(name) ?? lookUp(scope, name), otherwise2.names.get(name) ?? lookUp(scope, name))
    );
  return results[0] === void 0 && results[1] === void 0 ? void 0 : merge(results[0], results[1]);
}
function repeat(of, statement, scope) {
  const value = of.parts.evaluate(of, statement.count, scope);
  if (isBroken(value)) return;
  const count = value.kind === "number" ? valueOf(value) : void 0;
  if (value.kind !== "number" || count === void 0 && !checking(of) || count !== void 0 && (!Number.isInteger(count) || count < 0)) {
    report(
      of,
      "M0212",
      statement.count.span,
      "`repeat` counts with a whole number that is known when the model is compiled",
      {
        label: count === void 0 ? `this is ${value.kind === "number" ? "not known yet" : describe(value)}` : `this is ${count}`,
        help: "write a number, or a static that is one"
      }
    );
    return;
  }
  const turns = checking(of) ? Math.min(count ?? 1, turnsChecked) : count;
  if (turns > 1e4) {
    report(of, "M0212", statement.count.span, "`repeat` makes more than 10000 copies", {
      label: `${turns} turns`,
      help: "repeat less often"
    });
    return;
  }
  for (let turn = 0; turn < turns; turn++) {
    const inside = openScope(scope);
    if (statement.index !== void 0)
      bind(inside, statement.index.text, checking(of) ? { kind: "number" } : number(turn));
    of.parts.run(of, statement.body, inside);
    inside.names.delete(statement.index?.text ?? "");
    carryOver(inside, scope);
  }
}
function binding(of, statement, scope) {
  const { name, indices, operator, span } = statement;
  let value;
  if (indices !== void 0) {
    const binders = binderScope(of, indices, scope);
    if (binders === void 0) return bind(scope, name.text, broken);
    const right = evaluateIndexed(of, statement.value, binders.scope);
    const found2 = isBroken(right) ? void 0 : toTensor(of, right);
    if (found2 === void 0 && !isBroken(right))
      reportNotNumber(of, statement.value.span, right, "a binding by indices");
    value = found2 === void 0 ? broken : showIndices(of, span, found2, binders.indices);
  } else value = of.parts.evaluate(of, statement.value, scope);
  if (operator !== "=") {
    const before = of.parts.evaluate(of, { node: "name", text: name.text, span: name.span }, scope);
    value = binary(of, span, operator[0], before, value);
  }
  if (of.afterStep) return assign(of, statement, value, scope);
  if ((value.kind === "instance" || value.kind === "pool") && value.path === void 0)
    value = { ...value, path: join(frameOf(of).path, nextName(of, name.text)) };
  if (value.kind === "definition") value = { ...value, base: name.text.toLowerCase() };
  bind(scope, name.text, value);
}
function assign(of, statement, value, scope) {
  const { name } = statement;
  const stored = frameOf(of).stored.get(name.text);
  if (stored === void 0 || lookUp(scope, name.text) !== stored.tensor) {
    bind(scope, name.text, value);
    return;
  }
  if (stored.role !== "state") {
    report(of, "M0601", name.span, `\`${name.text}\` is a parameter`, {
      label: "trained by the optimiser, not by a rule",
      help: `declare it as \`state ${name.text}\``
    });
    return;
  }
  if (isBroken(value)) return;
  const found2 = toTensor(of, value, stored.tensor.element);
  if (found2 === void 0 || found2.element === "bool") {
    reportNotNumber(of, statement.value.span, value, "a state");
    return;
  }
  const axes = unionAxes([stored.tensor, found2]);
  if ("left" in axes || axes.length !== stored.tensor.axes.length) {
    report(
      of,
      "M0301",
      statement.span,
      `\`${name.text}\` is ${showShape(stored.tensor.axes)} and its new value is not`,
      { label: showShape(found2.axes), help: "reduce the new value to the state's shape" }
    );
    return;
  }
  const wide2 = expandTo(of, castTo(of, found2, stored.tensor.element), found2.hidden, stored.tensor.axes);
  if (found2.hidden.length > stored.tensor.hidden.length) {
    report(of, "M0602", statement.span, `\`${name.text}\` has one value, and this has one for each token`, {
      label: "not reduced over tokens",
      help: "reduce it: `mean(... over tokens)`"
    });
    return;
  }
  of.collected.updates.set(stored.path, expandTo(of, wide2, stored.tensor.hidden, stored.tensor.axes));
}
function after(of, body, scope) {
  if (of.mode !== "training" && !checking(of)) return;
  if (of.decode !== void 0) return;
  of.afterStep = true;
  try {
    of.parts.run(of, body, openScope(scope));
  } finally {
    of.afterStep = false;
  }
}
function takenBy(of, node, name) {
  if (["loss", "rate", "norm", "logits"].includes(name)) return "the report itself";
  const others = node === "loss" ? of.collected.metrics : of.collected.losses;
  return others.some((each) => each.name === name) ? node === "loss" ? "a metric" : "a loss" : void 0;
}
function measure(of, statement, scope) {
  if (of.decode !== void 0) return;
  const value = of.parts.evaluate(of, statement.value, scope);
  if (isBroken(value)) return;
  let found2 = toTensor(of, value);
  if (found2 === void 0) {
    reportNotNumber(of, statement.value.span, value, `\`${statement.node}\``);
    return;
  }
  if (found2.element === "bool") {
    if (statement.node === "loss") {
      report(of, "M0401", statement.value.span, "a loss is a number, not a truth value", {
        label: "a truth value has no gradient",
        help: "write `if x then 1 else 0`, or make it a metric"
      });
      return;
    }
    found2 = castTo(of, found2, "number");
  }
  const { node } = meanOfAll(of, found2);
  const { path } = frameOf(of);
  const name = statement.name?.text;
  const taken = name === void 0 ? void 0 : takenBy(of, statement.node, name);
  if (taken !== void 0) {
    report(of, "M0613", statement.name.span, `the name \`${name}\` is taken by ${taken}`, {
      label: "would be reported twice",
      help: "choose another name"
    });
    return;
  }
  if (statement.node === "loss")
    of.collected.losses.push({
      path,
      ...name === void 0 ? {} : { name },
      ...node === void 0 ? {} : { node }
    });
  else
    of.collected.metrics.push({
      path,
      name: statement.name.text,
      ...node === void 0 ? {} : { node },
      ...statement.doc === void 0 ? {} : { doc: statement.doc }
    });
}
function runOne(of, statement, scope) {
  switch (statement.node) {
    case "dim": {
      const value = of.parts.evaluate(of, statement.value, scope);
      const fits = isBroken(value) || value.kind === "number" || value.kind === "truth";
      if (!fits)
        report(
          of,
          "M0213",
          statement.value.span,
          "a `dim` is a number that is known when the model is compiled",
          {
            label: `this is ${describe(value)}`,
            help: `write \`${statement.name.text} = ...\` without \`dim\``
          }
        );
      bind(scope, statement.name.text, fits ? value : broken);
      return void 0;
    }
    case "param":
    case "state":
      declare(of, statement, scope);
      return void 0;
    case "modality":
      declareModality(of, statement, scope);
      return void 0;
    case "bind":
      binding(of, statement, scope);
      return void 0;
    case "choose":
      choose(of, statement, scope);
      return void 0;
    case "weight":
      weigh(of, statement, scope);
      return void 0;
    case "capacity":
      limit(of, statement, scope);
      return void 0;
    case "loss":
    case "metric":
      measure(of, statement, scope);
      return void 0;
    case "after":
      after(of, statement.body, scope);
      return void 0;
    case "repeat":
      repeat(of, statement, scope);
      return void 0;
    case "if":
      return branch(of, statement, scope);
    case "shared":
      sharedExperts(of, statement, scope);
      return void 0;
    case "routed":
      routedExperts(of, statement, scope);
      return void 0;
    case "null":
      nullExperts(of, statement, scope);
      return void 0;
    case "router":
      routerStatement(of, statement, scope);
      return void 0;
    case "result":
      return of.parts.evaluate(of, statement.value, scope);
    default:
      return statement;
  }
}
function run(of, statements, scope) {
  let result;
  for (const statement of statements) {
    if (statement.mode !== void 0 && statement.mode !== of.mode && !checking(of)) continue;
    if (++of.work > mostWork) {
      if (of.work === mostWork + 1)
        report(of, "M0218", statement.span, "the model has too many parts", {
          label: `more than ${mostWork} statements by here`,
          help: "repeat less often"
        });
      return broken;
    }
    const { path, module } = frameOf(of);
    const origin = { path, span: statement.span, module: module.path };
    const value = of.builder === void 0 ? runOne(of, statement, scope) : of.builder.at(origin, () => runOne(of, statement, scope));
    if (value !== void 0) result = value;
  }
  return result;
}

// compiler/elaborate/elaborator.ts
var parts = { evaluate: evaluate2, run, apply, axesOf };
var startElaboration = ({
  builder,
  mode,
  decode,
  steps,
  diagnostics: diagnostics2 = []
}) => ({
  parts,
  builder,
  mode,
  decode,
  steps,
  collected: {
    tensors: /* @__PURE__ */ new Map(),
    losses: [],
    metrics: [],
    updates: /* @__PURE__ */ new Map(),
    routers: [],
    modalities: [],
    undecodable: /* @__PURE__ */ new Set()
  },
  diagnostics: diagnostics2,
  frames: [],
  nextOrder: 0,
  nextStream: 0,
  lengths: /* @__PURE__ */ new Set(),
  work: 0,
  afterStep: false
});

// compiler/graph-walk.ts
var none = [];
function operandsOf(node) {
  switch (node.op) {
    case "input":
    case "tensor":
    case "const":
    case "size":
    case "index":
    case "random":
      return none;
    case "map":
      return node.inputs;
    case "view":
    case "reduce":
    case "scan":
      return [node.input];
    case "contract":
      return [node.a, node.b];
    case "choose":
      return [node.score];
    case "route":
      return [node.picks];
    case "part":
      return [node.route];
    case "dispatch":
    case "combine":
      return [node.input, node.route];
    case "take":
      return [node.table, node.ids];
    default:
      return node;
  }
}
function routesOf(shape) {
  const routes = [];
  for (const axis of shape) if (axis.kind === "ragged" && !routes.includes(axis.by)) routes.push(axis.by);
  return routes;
}
function dependenciesOf(node) {
  const operands = operandsOf(node);
  if (node.shape.every((axis) => axis.kind === "dense")) return operands;
  const routes = routesOf(node.shape).filter((route) => !operands.includes(route));
  return routes.length === 0 ? operands : [...operands, ...routes];
}
var rootsOf = (graph) => [
  ...graph.outputs.map(({ node }) => node),
  ...graph.updates.map(({ node }) => node)
];
function nodesOf(roots) {
  const seen = [];
  const stack = [...roots];
  for (let node = stack.pop(); node !== void 0; node = stack.pop()) {
    const before = seen[node.id];
    if (before === node) continue;
    if (before !== void 0)
      throw new Error(`internal: nodes of two builders in one graph share id ${node.id}`);
    seen[node.id] = node;
    for (const dependency of dependenciesOf(node)) stack.push(dependency);
  }
  return seen.filter((node) => node !== void 0);
}
function countUses(graph, nodes = nodesOf(rootsOf(graph))) {
  const uses = /* @__PURE__ */ new Map();
  const use = (node) => void uses.set(node, (uses.get(node) ?? 0) + 1);
  for (const root of rootsOf(graph)) use(root);
  for (const node of nodes) operandsOf(node).forEach(use);
  return uses;
}

// compiler/print-graph.ts
function printView(view) {
  switch (view.kind) {
    case "permute":
      return `permute ${view.axes.join(",")}`;
    case "reshape":
      return "reshape";
    case "broadcast":
      return `broadcast ${view.axes.length === 0 ? "scalar" : view.axes.join(",")}`;
    case "slice":
      return `slice axis ${view.axis} from ${keyOfSize(view.start)}`;
    case "pad":
      return `pad axis ${view.axis} by ${keyOfSize(view.before)} and ${keyOfSize(view.after)}`;
    default:
      return view;
  }
}
function printOperation(node) {
  switch (node.op) {
    case "input":
    case "tensor":
      return `${node.op} ${node.name}`;
    case "const":
      return `const ${node.value}`;
    case "size":
      return `size ${keyOfSize(node.size)}`;
    case "index":
      return "index";
    case "map":
      return node.fn;
    case "view":
      return printView(node.view);
    case "reduce":
      return `reduce ${node.fn} ${node.axes.join(",")}${node.groups ? " groups" : ""}`;
    case "scan":
      return `scan axis ${node.axis}${node.exclusive ? " exclusive" : ""}${node.reverse ? " reverse" : ""}`;
    case "contract": {
      const { a: a2, b: b2, out } = node.labels;
      const ragged = node.ragged === void 0 ? "" : ` (${node.ragged.group} of ${node.ragged.row})`;
      return `contract ${a2},${b2}->${out}${ragged}`;
    }
    case "choose":
      return `choose ${keyOfSize(node.count)} as ${node.as}`;
    case "route":
      return `route to ${node.groups} within ${keyOfSize(node.bound)}`;
    case "part":
      return `part ${node.part}`;
    case "dispatch":
    case "combine":
      return `${node.op} per ${node.per}`;
    case "take":
      return `take${node.batch === 0 ? "" : ` batch ${node.batch}`}`;
    case "random":
      return `random stream ${node.stream}`;
    default:
      return node;
  }
}
var printType = (node) => node.shape.length === 0 ? node.dtype : `${node.dtype}[${printShape(node.shape)}]`;
function printNode(node) {
  const operands = operandsOf(node).map((operand2) => ` %${operand2.id}`);
  return `%${node.id} = ${printOperation(node)}${operands.join("")} : ${printType(node)}`;
}
function printGraph(graph) {
  const lines = [`graph ${graph.name}`];
  let path = "";
  for (const node of nodesOf(rootsOf(graph))) {
    const place2 = node.origin.path === path ? "" : `  // ${node.origin.path}`;
    path = node.origin.path;
    lines.push(`  ${printNode(node)}${place2}`);
  }
  for (const { name, node } of graph.outputs) lines.push(`  output ${name} = %${node.id}`);
  for (const { tensor: tensor2, node } of graph.updates) lines.push(`  update ${tensor2} = %${node.id}`);
  return lines.join("\n") + "\n";
}

// compiler/graph-infer.ts
function misuse(draft, why) {
  const node = draft;
  const operands = operandsOf(node).map((operand2) => `%${operand2.id}: ${printType(operand2)}`);
  throw new Error(`internal: ${why}, in ${printOperation(node)}(${operands.join(", ")})`);
}
var accepts = {
  number: ["f32", "i32"],
  f32: ["f32"],
  bool: ["bool"],
  bits: ["bool", "i32"],
  any: ["f32", "i32", "bool"]
};
var unary2 = {
  neg: ["number", "same"],
  abs: ["number", "same"],
  sign: ["number", "same"],
  exp: ["f32", "f32"],
  log: ["f32", "f32"],
  sqrt: ["f32", "f32"],
  tanh: ["f32", "f32"],
  sin: ["f32", "f32"],
  cos: ["f32", "f32"],
  erf: ["f32", "f32"],
  sigmoid: ["f32", "f32"],
  floor: ["f32", "f32"],
  ceil: ["f32", "f32"],
  round: ["f32", "f32"],
  not: ["bool", "bool"],
  isnan: ["f32", "bool"],
  stop: ["any", "same"],
  f32: ["any", "f32"],
  i32: ["any", "i32"]
};
var binary2 = {
  add: ["number", "same"],
  sub: ["number", "same"],
  mul: ["number", "same"],
  div: ["number", "same"],
  mod: ["number", "same"],
  min: ["number", "same"],
  max: ["number", "same"],
  pow: ["f32", "f32"],
  lt: ["number", "bool"],
  le: ["number", "bool"],
  eq: ["any", "bool"],
  ne: ["any", "bool"],
  and: ["bits", "same"],
  or: ["bits", "same"],
  xor: ["bits", "same"]
};
var isUnary = (fn) => fn in unary2;
function inferMap(draft) {
  const { fn, inputs: inputs2 } = draft;
  const arity2 = fn === "select" ? 3 : isUnary(fn) ? 1 : 2;
  if (inputs2.length !== arity2) misuse(draft, `${fn} takes ${arity2} operands`);
  const shape = inputs2[0].shape;
  if (!inputs2.every((input) => sameShape(input.shape, shape))) misuse(draft, "operands differ in shape");
  const values = fn === "select" ? inputs2.slice(1) : inputs2;
  const dtype = values[0].dtype;
  if (!values.every((input) => input.dtype === dtype)) misuse(draft, "operands differ in dtype");
  if (fn === "select") {
    if (inputs2[0].dtype !== "bool") misuse(draft, "the condition is not bool");
    return { dtype, shape };
  }
  const [family, result] = isUnary(fn) ? unary2[fn] : binary2[fn];
  if (!accepts[family].includes(dtype)) misuse(draft, `${fn} does not take ${dtype}`);
  return { dtype: result === "same" ? dtype : result, shape };
}
function reshapeFits(from, to) {
  const segments = (shape) => {
    const result = { ragged: [], dense: [[]] };
    for (const axis of shape) {
      if (axis.kind === "dense") result.dense.at(-1).push(axis);
      else {
        result.ragged.push(axis);
        result.dense.push([]);
      }
    }
    return result;
  };
  const a2 = segments(from);
  const b2 = segments(to);
  const count = (axes) => product(axes.map((axis) => axis.size));
  return sameShape(a2.ragged, b2.ragged) && a2.dense.every((axes, i) => sameSize(count(axes), count(b2.dense[i])));
}
var increasing = (axes) => axes.every((axis, i) => i === 0 || axis > axes[i - 1]);
function inferView(draft, asked) {
  const { view, input } = draft;
  const from = input.shape;
  const { dtype } = input;
  switch (view.kind) {
    case "permute": {
      const sorted2 = [...view.axes].sort((a2, b2) => a2 - b2);
      if (sorted2.length !== from.length || sorted2.some((axis, i) => axis !== i))
        misuse(draft, "not a permutation of the axes");
      return { dtype, shape: view.axes.map((axis) => from[axis]) };
    }
    case "reshape":
      if (asked === void 0 || !reshapeFits(from, asked))
        return misuse(draft, `cannot reshape to [${printShape(asked ?? [])}]`);
      return { dtype, shape: asked };
    case "broadcast":
      if (asked === void 0 || view.axes.length !== from.length || !increasing(view.axes) || !view.axes.every((axis, i) => asked[axis] !== void 0 && sameAxis(asked[axis], from[i])))
        return misuse(draft, `cannot broadcast to [${printShape(asked ?? [])}]`);
      return { dtype, shape: asked };
    case "slice": {
      const axis = from[view.axis];
      const to = asked?.[view.axis];
      if (axis?.kind !== "dense" || to?.kind !== "dense") return misuse(draft, "slices a dense axis only");
      const rest = known(subtract(axis.size, add(view.start, to.size)));
      const start = known(view.start);
      const size = known(to.size);
      if ((rest ?? 0) < 0 || (start ?? 0) < 0 || (size ?? 0) < 0)
        misuse(draft, `the slice is not within ${printAxis(axis)}`);
      return { dtype, shape: from.map((each, i) => i === view.axis ? to : each) };
    }
    case "pad": {
      const axis = from[view.axis];
      if (axis?.kind !== "dense") return misuse(draft, "pads a dense axis only");
      if ((known(view.before) ?? 0) < 0 || (known(view.after) ?? 0) < 0)
        misuse(draft, "pads by less than nothing");
      const padded = dense(add(add(view.before, axis.size), view.after));
      return { dtype, shape: from.map((each, i) => i === view.axis ? padded : each) };
    }
    default:
      return view;
  }
}
function inferReduce(draft) {
  const { axes, groups, input } = draft;
  if (input.dtype === "bool") misuse(draft, "reduces numbers only");
  if (!increasing(axes) || axes.some((axis2) => axis2 < 0 || axis2 >= input.shape.length))
    misuse(draft, "axes are not increasing axes of the operand");
  if (!groups) return { dtype: input.dtype, shape: input.shape.filter((_, i) => !axes.includes(i)) };
  const axis = axes.length === 1 ? input.shape[axes[0]] : void 0;
  if (axis?.kind !== "ragged") return misuse(draft, "groups need one ragged axis");
  return {
    dtype: input.dtype,
    // by place: one axis may be there twice
    shape: input.shape.map((each, i) => i === axes[0] ? dense(axis.by.groups) : each)
  };
}
function inferContract(draft) {
  const { a: a2, b: b2, labels: labels2, ragged } = draft;
  if (a2.dtype !== "f32" || b2.dtype !== "f32") misuse(draft, "contracts f32 only");
  const axes = /* @__PURE__ */ new Map();
  for (const [node, text] of [
    [a2, labels2.a],
    [b2, labels2.b]
  ]) {
    if (text.length !== node.shape.length) misuse(draft, `${text} has not one letter per axis`);
    if (new Set(text).size !== text.length) misuse(draft, `${text} repeats a label`);
    node.shape.forEach((axis, i) => {
      const before = axes.get(text[i]);
      if (before !== void 0 && !sameAxis(before, axis))
        misuse(draft, `${text[i]} is ${printAxis(before)} and ${printAxis(axis)}`);
      axes.set(text[i], axis);
    });
  }
  if (new Set(labels2.out).size !== labels2.out.length) misuse(draft, `${labels2.out} repeats a label`);
  if (ragged !== void 0) {
    const row = axes.get(ragged.row);
    if (row?.kind !== "ragged") return misuse(draft, `${ragged.row} labels no ragged axis`);
    const group = axes.get(ragged.group);
    if (group !== void 0 && !sameAxis(group, dense(row.by.groups)))
      misuse(draft, `${ragged.group} is not the axis of the ${row.by.groups} groups`);
    for (const text of [labels2.a, labels2.b, labels2.out])
      if (text.includes(ragged.row) && text.includes(ragged.group))
        misuse(draft, "one tensor has both the rows and their groups");
    axes.set(ragged.group, dense(row.by.groups));
  }
  const shape = [...labels2.out].map(
    (label2) => axes.get(label2) ?? misuse(draft, `nothing has the label ${label2}`)
  );
  return { dtype: "f32", shape };
}
function inferRouted(draft) {
  const { op, per, input, route } = draft;
  const routed = route.picks.shape.slice(0, per === "token" ? 1 : 2);
  const rows2 = [raggedBy(route)];
  const [from, to] = op === "dispatch" ? [routed, rows2] : [rows2, routed];
  if (!sameShape(input.shape.slice(0, from.length), from))
    misuse(draft, `the operand does not begin with [${printShape(from)}]`);
  if (op === "combine" && per === "token" && input.dtype === "bool") misuse(draft, "sums numbers only");
  return { dtype: input.dtype, shape: [...to, ...input.shape.slice(from.length)] };
}
function infer(draft, asked) {
  switch (draft.op) {
    case "input":
    case "tensor":
      if (asked.dtype === void 0 || asked.shape === void 0) return misuse(draft, "has no type");
      return { dtype: asked.dtype, shape: asked.shape };
    case "const":
      if (asked.dtype === void 0) return misuse(draft, "has no dtype");
      if (asked.dtype !== "f32" && !Number.isInteger(draft.value)) misuse(draft, `is no ${asked.dtype}`);
      return { dtype: asked.dtype, shape: [] };
    case "size":
      return { dtype: "i32", shape: [] };
    case "index":
      if (asked.shape?.length !== 1) return misuse(draft, "counts along one axis");
      return { dtype: "i32", shape: asked.shape };
    case "random":
      if (asked.shape === void 0 || asked.shape.some((axis) => axis.kind === "ragged"))
        return misuse(draft, "is drawn for dense axes only");
      return { dtype: "f32", shape: asked.shape };
    case "map":
      return inferMap(draft);
    case "view":
      return inferView(draft, asked.shape);
    case "reduce":
      return inferReduce(draft);
    case "scan":
      if (draft.input.dtype === "bool") misuse(draft, "sums numbers only");
      if (draft.input.shape[draft.axis] === void 0) misuse(draft, "has no such axis");
      return { dtype: draft.input.dtype, shape: draft.input.shape };
    case "contract":
      return inferContract(draft);
    case "choose": {
      const { score, count, as } = draft;
      if (score.dtype !== "f32" || score.shape.at(-1)?.kind !== "dense")
        misuse(draft, "chooses by f32 along a dense last axis");
      if (as === "mask") return { dtype: "bool", shape: score.shape };
      return { dtype: "i32", shape: [...score.shape.slice(0, -1), dense(count)] };
    }
    case "route": {
      const { picks, groups, bound } = draft;
      if (picks.dtype !== "i32" || picks.shape.length !== 2 || picks.shape[1].kind !== "dense")
        misuse(draft, "picks are i32 [tokens, K]");
      if (!Number.isInteger(groups) || groups < 1) misuse(draft, "has no groups");
      return { dtype: "i32", shape: [dense(bound)] };
    }
    case "part": {
      const { part, route } = draft;
      if (part === "slot") return { dtype: "i32", shape: route.picks.shape };
      const axis = part === "offsets" ? dense(constant(route.groups + 1)) : raggedBy(route);
      return { dtype: "i32", shape: [axis] };
    }
    case "dispatch":
    case "combine":
      return inferRouted(draft);
    case "take": {
      const { table, ids, batch } = draft;
      if (ids.dtype !== "i32") misuse(draft, "ids are i32");
      if (table.shape[batch]?.kind !== "dense") misuse(draft, "takes along a dense axis");
      if (!sameShape(table.shape.slice(0, batch), ids.shape.slice(0, batch)))
        misuse(draft, "shared axes differ");
      return { dtype: table.dtype, shape: [...ids.shape, ...table.shape.slice(batch + 1)] };
    }
    default:
      return draft;
  }
}

// compiler/graph-builder.ts
var sizeOf = (size) => typeof size === "number" ? constant(size) : size;
function canonicalLabels({ labels: labels2, ragged }) {
  const letters3 = /* @__PURE__ */ new Map();
  const canonical2 = (text) => [...text].map((label2) => {
    if (!letters3.has(label2)) letters3.set(label2, String.fromCharCode(97 + letters3.size));
    return letters3.get(label2);
  }).join("");
  const { a: a2, b: b2, out } = labels2;
  const texts = [a2, b2, out, ragged?.row ?? "", ragged?.group ?? ""];
  return texts.map(canonical2).join(",");
}
function keyOf(draft) {
  switch (draft.op) {
    case "input":
    case "tensor":
      return `${draft.op} ${draft.name}`;
    case "const":
      return Object.is(draft.value, -0) ? "const -0" : `const ${draft.value}`;
    case "size":
      return `size ${keyOfSize(draft.size)}`;
    case "index":
      return "index";
    case "map":
      return `${draft.fn} ${draft.inputs.map((input) => input.id).join(" ")}`;
    case "view": {
      const { view } = draft;
      const how = view.kind === "permute" || view.kind === "broadcast" ? view.axes.join(" ") : view.kind === "reshape" ? "" : view.kind === "slice" ? `${view.axis} ${keyOfSize(view.start)}` : `${view.axis} ${keyOfSize(view.before)} ${keyOfSize(view.after)}`;
      return `${view.kind} ${how} of ${draft.input.id}`;
    }
    case "reduce":
      return `reduce ${draft.fn} ${draft.axes.join(" ")} ${draft.groups} of ${draft.input.id}`;
    case "scan":
      return `scan ${draft.axis} ${draft.exclusive} ${draft.reverse} of ${draft.input.id}`;
    case "contract":
      return `contract ${canonicalLabels(draft)} of ${draft.a.id} ${draft.b.id}`;
    case "choose":
      return `choose ${keyOfSize(draft.count)} ${draft.as} of ${draft.score.id}`;
    case "route":
      return `route ${draft.groups} ${keyOfSize(draft.bound)} of ${draft.picks.id}`;
    case "part":
      return `part ${draft.part} of ${draft.route.id}`;
    case "dispatch":
    case "combine":
      return `${draft.op} ${draft.per} of ${draft.input.id} ${draft.route.id}`;
    case "take":
      return `take ${draft.batch} of ${draft.table.id} ${draft.ids.id}`;
    case "random":
      return `random ${draft.stream}`;
    default:
      return draft;
  }
}
var GraphBuilder = class {
  /** Given to every node made from now on. */
  origin = { path: "" };
  nodes = /* @__PURE__ */ new Map();
  next = 0;
  /** What a new node becomes: itself when undefined. Used by simplify. */
  rewrite;
  constructor(rewrite) {
    this.rewrite = rewrite;
  }
  /** Runs with another origin. */
  at(origin, make) {
    const before = this.origin;
    this.origin = origin;
    try {
      return make();
    } finally {
      this.origin = before;
    }
  }
  /** The node of a draft: the one made before, or a new one. */
  make(draft, asked = {}) {
    const type = asked.shape === void 0 ? "" : shapeKey(asked.shape);
    const key = `${keyOf(draft)} : ${asked.dtype ?? ""}[${type}]`;
    const before = this.nodes.get(key);
    if (before !== void 0) return before;
    const { dtype, shape } = infer(draft, asked);
    const node = { id: this.next++, dtype, shape, origin: this.origin, ...draft };
    this.nodes.set(key, node);
    const result = this.rewrite?.(node) ?? node;
    if (result !== node) this.nodes.set(key, result);
    return result;
  }
  // Sources
  input(name, dtype, shape = []) {
    return this.make({ op: "input", name }, { dtype, shape: toShape(shape) });
  }
  tensor(name, shape, dtype = "f32") {
    return this.make({ op: "tensor", name }, { dtype, shape: toShape(shape) });
  }
  constant(value, dtype = typeof value === "boolean" ? "bool" : "f32") {
    return this.make({ op: "const", value: Number(value) }, { dtype });
  }
  /** A size as an i32 scalar. */
  size(size) {
    return this.make({ op: "size", size: sizeOf(size) });
  }
  /** i32 [size]: 0, 1, 2, ... */
  index(size) {
    return this.make({ op: "index" }, { shape: [toAxis(size)] });
  }
  random(stream, shape) {
    return this.make({ op: "random", stream }, { shape: toShape(shape) });
  }
  // Element-wise
  /** Applies `fn`. Numbers and scalars are repeated to the shape of the other operands. */
  map(fn, ...inputs2) {
    const nodes = inputs2.filter((input) => typeof input !== "number");
    const typed = fn === "select" ? inputs2.slice(1).find((input) => typeof input !== "number") : nodes[0];
    const dtype = typeof typed === "object" ? typed.dtype : "f32";
    const shape = nodes.reduce(
      (longest, { shape: shape2 }) => shape2.length > longest.length ? shape2 : longest,
      []
    );
    const operands = inputs2.map((input) => {
      const node = typeof input === "number" ? this.constant(input, dtype) : input;
      return node.shape.length === 0 ? this.broadcastTo(node, shape, []) : node;
    });
    if ((fn === "f32" || fn === "i32") && operands[0].dtype === fn) return operands[0];
    return this.make({ op: "map", fn, inputs: operands });
  }
  add(a2, b2) {
    return this.map("add", a2, b2);
  }
  sub(a2, b2) {
    return this.map("sub", a2, b2);
  }
  mul(a2, b2) {
    return this.map("mul", a2, b2);
  }
  div(a2, b2) {
    return this.map("div", a2, b2);
  }
  select(condition, a2, b2) {
    return this.map("select", condition, a2, b2);
  }
  /** Cast to a number. */
  cast(node, dtype) {
    return this.map(dtype, node);
  }
  // Views
  view(view, input, shape) {
    return this.make({ op: "view", view, input }, shape === void 0 ? {} : { shape });
  }
  /** out axis i is input axis axes[i]. */
  permute(node, axes) {
    if (axes.length === node.shape.length && axes.every((axis, i) => axis === i)) return node;
    return this.view({ kind: "permute", axes }, node);
  }
  reshape(node, shape) {
    const to = toShape(shape);
    return sameShape(node.shape, to) ? node : this.view({ kind: "reshape" }, node, to);
  }
  /** Input axis i becomes axis axes[i] of `shape`; the other axes repeat. */
  broadcastTo(node, shape, axes = []) {
    const to = toShape(shape);
    if (axes.length === to.length && sameShape(node.shape, to)) return node;
    return this.view({ kind: "broadcast", axes }, node, to);
  }
  slice(node, axis, start, size) {
    const to = dense(sizeOf(size));
    const at = sizeOf(start);
    if (known(at) === 0 && node.shape[axis] !== void 0 && sameAxis(node.shape[axis], to)) return node;
    const shape = node.shape.map((each, i) => i === axis ? to : each);
    return this.view({ kind: "slice", axis, start: at }, node, shape);
  }
  pad(node, axis, before, after2) {
    const [first, last] = [sizeOf(before), sizeOf(after2)];
    if (known(first) === 0 && known(last) === 0) return node;
    return this.view({ kind: "pad", axis, before: first, after: last }, node);
  }
  // Reductions, scans, contractions
  /** Removes `axes` (all when not given); negative axes count from the end. */
  reduce(fn, input, axes) {
    const rank = input.shape.length;
    const positive2 = axes?.map((axis) => axis < 0 ? rank + axis : axis) ?? input.shape.map((_, i) => i);
    if (positive2.length === 0) return input;
    return this.make({ op: "reduce", fn, axes: [...positive2].sort((a2, b2) => a2 - b2), groups: false, input });
  }
  /** The ragged axis becomes the dense axis of its routing's groups. */
  reduceGroups(fn, input, axis = 0) {
    return this.make({ op: "reduce", fn, axes: [axis], groups: true, input });
  }
  scan(input, axis, { exclusive = false, reverse = false } = {}) {
    return this.make({
      op: "scan",
      axis: axis < 0 ? input.shape.length + axis : axis,
      exclusive,
      reverse,
      input
    });
  }
  /** `contract(x, w, "rk,ekn->rn", { row: "r", group: "e" })`. */
  contract(a2, b2, formula2, ragged) {
    const [left, right, out] = formula2.replaceAll(" ", "").split(/,|->/);
    if (left === void 0 || right === void 0 || out === void 0)
      throw new Error(`internal: ${formula2} is no contraction`);
    const labels2 = { a: left, b: right, out };
    return this.make({ op: "contract", a: a2, b: b2, labels: labels2, ...ragged === void 0 ? {} : { ragged } });
  }
  // Routing
  choose(score, count, as = "ids") {
    return this.make({ op: "choose", score, count: sizeOf(count), as });
  }
  /** `bound` is the static bound on rows; tokens * K when not given. */
  route(picks, groups, bound) {
    const all2 = () => {
      const [tokens, picksPerToken2] = picks.shape;
      if (tokens === void 0 || picksPerToken2 === void 0)
        throw new Error("internal: picks are [tokens, K]");
      return multiply(tokens.size, picksPerToken2.size);
    };
    return this.make({ op: "route", picks, groups, bound: bound ?? all2() });
  }
  part(route, part) {
    return this.make({ op: "part", part, route });
  }
  dispatch(input, route, per = "token") {
    return this.make({ op: "dispatch", per, input, route });
  }
  combine(input, route, per = "token") {
    return this.make({ op: "combine", per, input, route });
  }
  take(table, ids, batch = 0) {
    return this.make({ op: "take", table, ids, batch });
  }
  // Compositions
  sum(node, axes) {
    return this.reduce("sum", node, axes);
  }
  /** Over dense axes, whose size is known before it runs; rows of a routing are counted by `part offsets`. */
  mean(node, axes) {
    const rank = node.shape.length;
    const reduced = axes?.map((axis) => node.shape[axis < 0 ? rank + axis : axis]) ?? node.shape;
    if (reduced.some((axis) => axis.kind === "ragged"))
      throw new Error("internal: the mean over a ragged axis");
    const count = this.cast(this.size(product(reduced.map((axis) => axis.size))), "f32");
    return this.div(this.sum(node, axes), count);
  }
  neg(node) {
    return this.map("neg", node);
  }
  square(node) {
    return this.mul(node, node);
  }
  /** Its gradient is zero. */
  stop(node) {
    return this.map("stop", node);
  }
  silu(node) {
    return this.mul(node, this.map("sigmoid", node));
  }
  /** A new axis before axis `at`, along which the node repeats. */
  insertAxis(node, at, axis) {
    const shape = [...node.shape.slice(0, at), toAxis(axis), ...node.shape.slice(at)];
    const axes = node.shape.map((_, i) => i < at ? i : i + 1);
    return this.broadcastTo(node, shape, axes);
  }
  /** Undoes a reduction of `axis`: the node repeats along it, in the shape of `like`. */
  expand(node, like, axis) {
    const at = axis < 0 ? like.length + axis : axis;
    return this.insertAxis(node, at, like[at]);
  }
  transpose(node, a2 = -1, b2 = -2) {
    const rank = node.shape.length;
    const [first, second] = [a2 < 0 ? rank + a2 : a2, b2 < 0 ? rank + b2 : b2];
    const swap = (axis) => axis === first ? second : axis === second ? first : axis;
    return this.permute(
      node,
      node.shape.map((_, i) => swap(i))
    );
  }
  /** exp(x - max x) and the max, shared by the softmax family. The max is stopped: it cancels out of the gradient. */
  exponentials(node, axis) {
    const max = this.stop(this.reduce("max", node, [axis]));
    return { max, exp: this.map("exp", this.sub(node, this.expand(max, node.shape, axis))) };
  }
  /** exp(x - max x) / sum exp(x - max x). All -inf gives NaN: mask the result where a whole row may be masked. */
  softmax(node, axis = -1) {
    const { exp } = this.exponentials(node, axis);
    return this.div(exp, this.expand(this.sum(exp, [axis]), node.shape, axis));
  }
  /** log sum exp(x), without overflow. */
  logsumexp(node, axis = -1) {
    const { max, exp } = this.exponentials(node, axis);
    return this.add(max, this.map("log", this.sum(exp, [axis])));
  }
  logSoftmax(node, axis = -1) {
    return this.sub(node, this.expand(this.logsumexp(node, axis), node.shape, axis));
  }
  /** bool [..., size]: whether the id is that index. An id outside matches nothing. */
  oneHot(ids, size) {
    const shape = [...ids.shape, toAxis(size)];
    const rank = ids.shape.length;
    const wide2 = this.broadcastTo(
      ids,
      shape,
      ids.shape.map((_, i) => i)
    );
    return this.map("eq", wide2, this.broadcastTo(this.index(size), shape, [rank]));
  }
  /** Side by side along one axis: each part padded to the whole, then added (bool: or). */
  concat(nodes, axis) {
    const first = nodes[0];
    if (first === void 0) throw new Error("internal: concat of nothing");
    const at = axis < 0 ? first.shape.length + axis : axis;
    const sizes = nodes.map((node) => node.shape[at].size);
    const sum = (some) => some.reduce(add, constant(0));
    const wide2 = nodes.map((node, i) => this.pad(node, at, sum(sizes.slice(0, i)), sum(sizes.slice(i + 1))));
    return wide2.reduce((a2, b2) => this.map(first.dtype === "bool" ? "or" : "add", a2, b2));
  }
};

// compiler/model.ts
var hasErrors = (diagnostics2) => diagnostics2.some((diagnostic) => diagnostic.severity === "error");
var definitionsOf = (module) => module.syntax.declarations.filter((each) => each.node === "definition");

// compiler/build/newton-schulz.ts
var [a, b, c] = [3.4445, -4.775, 2.0315];
var iterations = 5;
function orthogonalise(builder, matrix) {
  const rank = matrix.shape.length;
  const stack = "efgh".slice(0, rank - 2);
  const [rows2, columns] = matrix.shape.slice(-2);
  const wide2 = Number(rows2.size[0]?.coefficient ?? 0) <= Number(columns.size[0]?.coefficient ?? 0);
  const length = builder.map("sqrt", builder.sum(builder.square(matrix), [rank - 2, rank - 1]));
  const axes = length.shape.map((_, axis) => axis);
  let x = builder.div(matrix, builder.broadcastTo(builder.add(length, 1e-7), matrix.shape, axes));
  if (!wide2) x = builder.transpose(x);
  for (let i = 0; i < iterations; i++) {
    const square = builder.contract(x, x, `${stack}rk,${stack}sk->${stack}rs`);
    const fourth = builder.contract(square, square, `${stack}rk,${stack}ks->${stack}rs`);
    const polynomial = builder.add(builder.mul(square, b), builder.mul(fourth, c));
    x = builder.add(builder.mul(x, a), builder.contract(polynomial, x, `${stack}rk,${stack}ks->${stack}rs`));
  }
  return wide2 ? x : builder.transpose(x);
}

// compiler/build/optimizer.ts
var optimizerDefaults = {
  adamw: { rate: void 0, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, decay: 0.1 },
  sgd: { rate: void 0, momentum: 0.9, nesterov: 0, decay: 0 },
  lion: { rate: void 0, beta1: 0.9, beta2: 0.99, decay: 0.1 },
  muon: { rate: void 0, momentum: 0.95, decay: 0.1, adam_rate: 3e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8 }
};
var decays = (trained) => trained.tensor.shape.length >= 2;
var isHidden = (trained) => trained.tensor.shape.length >= 2 && !/(^|\.)(table|embed\w*|unembed\w*|head)$/.test(trained.tensor.name);
var beside = (trained, what) => ({
  name: `${what}.${trained.tensor.name}`,
  role: "optimiser",
  type: "f32",
  shape: trained.tensor.shape,
  init: { kind: "constant", value: 0 }
});
function optimise(builder, name, given, parameters2, step) {
  const updates = [];
  const tensors2 = [];
  const option = (key) => {
    const value = given[key] ?? optimizerDefaults[name][key];
    if (value === void 0) throw new Error(`internal: ${name} without ${key}`);
    return value;
  };
  const state = (trained, what) => {
    const tensor2 = beside(trained, what);
    tensors2.push(tensor2);
    return builder.tensor(tensor2.name, tensor2.shape);
  };
  const set = (tensor2, node) => void updates.push({ tensor: tensor2, node });
  const move = (trained, rate, change) => {
    const scaled = trained.factor === 1 ? rate : builder.mul(lift4(builder, rate), trained.factor);
    const whole = decays(trained) ? builder.add(change, builder.mul(trained.value, option("decay"))) : change;
    set(trained.tensor.name, builder.sub(trained.value, builder.mul(whole, scaled)));
  };
  const adam = (trained, rate) => {
    const [beta1, beta2] = [option("beta1"), option("beta2")];
    const first = mix(builder, state(trained, "adam.first"), trained.gradient, beta1);
    const second = mix(builder, state(trained, "adam.second"), builder.square(trained.gradient), beta2);
    set(`adam.first.${trained.tensor.name}`, first);
    set(`adam.second.${trained.tensor.name}`, second);
    const done = builder.add(step, 1);
    const correct = (beta) => builder.sub(builder.constant(1), builder.map("pow", lift4(builder, beta), done));
    const mean = builder.div(first, correct(beta1));
    const size = builder.map("sqrt", builder.div(second, correct(beta2)));
    move(trained, rate, builder.div(mean, builder.add(size, option("epsilon"))));
  };
  for (const trained of parameters2)
    switch (name) {
      case "adamw":
        adam(trained, option("rate"));
        break;
      case "sgd": {
        const momentum = option("momentum");
        const velocity = builder.add(builder.mul(state(trained, "sgd.velocity"), momentum), trained.gradient);
        set(`sgd.velocity.${trained.tensor.name}`, velocity);
        const nesterov = builder.add(trained.gradient, builder.mul(velocity, momentum));
        move(trained, option("rate"), option("nesterov") === 0 ? velocity : nesterov);
        break;
      }
      case "lion": {
        const memory = state(trained, "lion.memory");
        const direction = builder.map("sign", mix(builder, memory, trained.gradient, option("beta1")));
        set(`lion.memory.${trained.tensor.name}`, mix(builder, memory, trained.gradient, option("beta2")));
        move(trained, option("rate"), direction);
        break;
      }
      case "muon": {
        if (!isHidden(trained)) {
          adam(trained, option("adam_rate"));
          break;
        }
        const momentum = option("momentum");
        const velocity = mix(builder, state(trained, "muon.velocity"), trained.gradient, momentum);
        set(`muon.velocity.${trained.tensor.name}`, velocity);
        const ahead = mix(builder, velocity, trained.gradient, momentum);
        const [rows2, columns] = trained.tensor.shape.slice(-2);
        const scale3 = Math.sqrt(Math.max(1, rows2 / columns));
        move(trained, option("rate"), builder.mul(orthogonalise(builder, ahead), scale3));
        break;
      }
      default:
        name;
    }
  return { updates, tensors: tensors2 };
}
var lift4 = (builder, value) => typeof value === "number" ? builder.constant(value) : value;
var mix = (builder, a2, b2, beta) => builder.add(builder.mul(a2, beta), builder.mul(b2, builder.sub(builder.constant(1), beta)));
function clipping(builder, gradients, limit2) {
  const squares = gradients.map((gradient) => builder.sum(builder.square(gradient)));
  const norm = builder.map("sqrt", squares.reduce((a2, b2) => builder.add(a2, b2)));
  if (limit2 === void 0) return { norm, factor: void 0 };
  return { norm, factor: builder.map("min", builder.div(builder.constant(limit2), builder.add(norm, 1e-12)), 1) };
}

// compiler/elaborate/training.ts
var readers = ["bytes", "characters", "pairs", "csv", "jsonl", "idx"];
var isReader = (name) => readers.includes(name);
function numberOf(of, expression, { what, whole = false, least: least2, most = Infinity }) {
  const value = of.parts.evaluate(of, expression, openScope());
  if (isBroken(value)) return void 0;
  const found2 = value.kind === "number" ? valueOf(value) : void 0;
  if (found2 !== void 0 && found2 >= least2 && found2 <= most && (!whole || Number.isInteger(found2)))
    return found2;
  report(
    of,
    "M0606",
    expression.span,
    `${what} must be ${whole ? "a whole number" : "a number"} ${most === Infinity ? `of at least ${least2}` : `from ${least2} to ${most}`}`,
    {
      label: found2 === void 0 ? `this is ${describe(value)}` : `this is ${found2}`,
      help: "change the number"
    }
  );
  return void 0;
}
function textOf(of, expression, what) {
  if (expression.node === "string") return expression.value;
  report(of, "M0607", expression.span, `${what} is written in quotes`, {
    label: "not a text",
    help: 'write it like "corpus/*.txt"'
  });
  return void 0;
}
function sourceOf(of, modality, expression) {
  if (expression.node === "string") return { modality, reader: "bytes", path: expression.value };
  const callee = expression.node === "call" && expression.callee.node === "name" ? expression.callee.text : void 0;
  if (expression.node !== "call" || callee === void 0 || !isReader(callee)) {
    report(of, "M0608", expression.span, "data is read by bytes, characters, pairs, csv, jsonl or idx", {
      label: "not one of them",
      help: didYouMean(callee ?? "", readers, 'write `bytes("corpus/*.txt")`')
    });
    return void 0;
  }
  const [path, ...columns] = expression.arguments;
  const file = path === void 0 ? void 0 : textOf(of, path.value, "the path of a file");
  if (path === void 0)
    report(of, "M0608", expression.span, `\`${callee}\` needs a file`, {
      label: "no path",
      help: `write \`${callee}("path")\``
    });
  if (file === void 0) return void 0;
  const names = [];
  for (const { value } of columns) {
    const column = value.node === "name" ? value.text : textOf(of, value, "the name of a column");
    if (column === void 0) return void 0;
    names.push(column);
  }
  if ((callee === "csv" || callee === "jsonl") && names.length === 0) {
    report(of, "M0608", expression.span, `\`${callee}\` needs a column`, {
      label: "no column",
      help: `write \`${callee}("file", "column")\``
    });
    return void 0;
  }
  return { modality, reader: callee, path: file, ...names.length === 0 ? {} : { columns: names } };
}
function optimizerOf(of, setting) {
  const { name, options, span } = setting;
  if (!Object.hasOwn(optimizerDefaults, name.text)) {
    const known3 = Object.keys(optimizerDefaults);
    report(of, "M0609", name.span, `there is no optimiser \`${name.text}\``, {
      label: "not known",
      help: didYouMean(name.text, known3, `write one of ${known3.join(", ")}`)
    });
    return void 0;
  }
  const optimizer = name.text;
  const defaults = optimizerDefaults[optimizer];
  const nodes = {};
  const shown = [];
  for (const { name: option, value } of options) {
    const key = option?.text ?? "rate";
    if (!Object.hasOwn(defaults, key)) {
      report(of, "M0103", option?.span ?? value.span, `\`${optimizer}\` has no option \`${key}\``, {
        label: "not one of its options",
        help: didYouMean(key, Object.keys(defaults), `it has ${Object.keys(defaults).join(", ")}`)
      });
      continue;
    }
    const found2 = of.parts.evaluate(of, value, openScope());
    if (isBroken(found2)) continue;
    if (found2.kind === "truth" && found2.value !== void 0) {
      if (of.builder !== void 0) nodes[key] = of.builder.constant(found2.value ? 1 : 0);
      shown.push(`${key} = ${String(found2.value)}`);
      continue;
    }
    const number3 = toTensor(of, found2);
    if (number3 === void 0 || number3.axes.length > 0 || number3.element === "bool") {
      report(of, "M0606", value.span, `\`${key}\` must be a number or a schedule`, {
        label: `this is ${describe(found2)}`,
        help: "write a number, or `cosine(3e-3, warmup = 100)`"
      });
      continue;
    }
    const node = castTo(of, number3, "number").node;
    if (node !== void 0) nodes[key] = node;
    const known3 = found2.kind === "number" ? valueOf(found2) : void 0;
    shown.push(`${key} = ${known3 ?? textFrom(value)}`);
  }
  if (options.every(({ name: option }) => (option?.text ?? "rate") !== "rate"))
    report(of, "M0606", span, `\`${optimizer}\` needs a learning rate`, {
      label: "no `rate`",
      help: `write \`optimizer ${optimizer} { rate = 1e-3 }\``
    });
  return { name: optimizer, options: nodes, text: `${optimizer} { ${shown.join(", ")} }` };
}
function textFrom(expression) {
  switch (expression.node) {
    case "number":
      return String(expression.value);
    case "name":
      return expression.text;
    case "call":
      return `${textFrom(expression.callee)}(${expression.arguments.map(({ name, value }) => `${name === void 0 ? "" : `${name.text} = `}${textFrom(value)}`).join(", ")})`;
    case "binary":
      return `${textFrom(expression.left)} ${expression.operator} ${textFrom(expression.right)}`;
    case "group":
      return `(${textFrom(expression.inner)})`;
    case "unary":
      return `${expression.operator}${textFrom(expression.operand)}`;
    default:
      return "...";
  }
}
function readTraining(of, train) {
  const data = [];
  const freeze = [];
  const rates = [];
  const plain = { steps: 1e3, accumulate: 1, seed: 1, clip: 0 };
  let batch = 8;
  let length;
  let evaluateEvery = 100;
  let holdOut = 0.05;
  let checkpointEvery;
  let patience = 0;
  let optimizer;
  const seen = /* @__PURE__ */ new Map();
  for (const setting of train.settings) {
    const several = setting.setting === "data" || setting.setting === "freeze" || setting.setting === "rate";
    const before = seen.get(setting.setting);
    if (!several && before !== void 0)
      report(of, "M0610", setting.span, `\`${setting.setting}\` is set twice`, {
        label: "again here",
        related: [{ module: frameOf(of).module.path, span: before, label: "first here" }],
        help: "keep one"
      });
    seen.set(setting.setting, setting.span);
    switch (setting.setting) {
      case "data": {
        const source = sourceOf(of, setting.modality.text, setting.source);
        const again = data.some(({ modality }) => modality === setting.modality.text);
        if (again)
          report(of, "M0610", setting.span, `\`${setting.modality.text}\` has data twice`, {
            label: "again here",
            help: "keep one"
          });
        const known3 = of.collected.modalities.map(({ name }) => name);
        if (known3.length > 0 && !known3.includes(setting.modality.text))
          report(
            of,
            "M0611",
            setting.modality.span,
            `the model has no modality \`${setting.modality.text}\``,
            {
              label: "not one of its modalities",
              help: didYouMean(
                setting.modality.text,
                known3,
                `it has ${known3.map((name) => `\`${name}\``).join(", ")}`
              )
            }
          );
        if (source !== void 0 && !again) data.push(source);
        break;
      }
      case "batch":
        batch = numberOf(of, setting.size, { what: "a batch", whole: true, least: 1 }) ?? batch;
        if (setting.length !== void 0)
          length = numberOf(of, setting.length, { what: "a length", whole: true, least: 1 });
        break;
      case "optimizer":
        optimizer = optimizerOf(of, setting);
        break;
      case "evaluate":
        evaluateEvery = numberOf(of, setting.every, { what: "the steps between evaluations", whole: true, least: 1 }) ?? evaluateEvery;
        if (setting.share !== void 0)
          holdOut = numberOf(of, setting.share, { what: "the share that is held out", least: 0, most: 0.9 }) ?? holdOut;
        break;
      case "checkpoint":
        checkpointEvery = numberOf(of, setting.every, {
          what: "the steps between checkpoints",
          whole: true,
          least: 1
        });
        break;
      case "stop":
        patience = numberOf(of, setting.after, { what: "the evaluations to wait", whole: true, least: 1 }) ?? patience;
        break;
      case "freeze": {
        const pattern = textOf(of, setting.pattern, "a pattern of names");
        if (pattern !== void 0) freeze.push(pattern);
        break;
      }
      case "rate": {
        const pattern = textOf(of, setting.pattern, "a pattern of names");
        const factor = numberOf(of, setting.factor, { what: "a factor on the rate", least: 0 });
        if (pattern !== void 0 && factor !== void 0) rates.push({ pattern, factor });
        break;
      }
      case "steps":
      case "accumulate":
        plain[setting.setting] = numberOf(of, setting.value, { what: `\`${setting.setting}\``, whole: true, least: 1 }) ?? plain[setting.setting];
        break;
      case "seed":
        plain.seed = numberOf(of, setting.value, { what: "a seed", whole: true, least: 0, most: 2147483647 }) ?? plain.seed;
        break;
      case "clip":
        plain.clip = numberOf(of, setting.value, { what: "the norm that is kept", least: 1e-12 }) ?? 0;
        break;
      default:
        setting;
    }
  }
  checkData(of, train, data);
  const tokens = of.collected.modalities.some(({ kind }) => kind === "tokens");
  const { clip, ...numbers3 } = plain;
  const fallback = {
    name: "adamw",
    options: of.builder === void 0 ? {} : { rate: of.builder.constant(1e-3) },
    text: "adamw { rate = 0.001 }"
  };
  const { text, ...rest } = optimizer ?? fallback;
  return {
    training: {
      data,
      batch,
      ...length !== void 0 ? { length } : tokens ? { length: 128 } : {},
      ...numbers3,
      evaluateEvery,
      holdOut,
      checkpointEvery: checkpointEvery ?? evaluateEvery,
      patience,
      metrics: ["loss"],
      optimiser: text,
      rate: "rate",
      norm: "norm"
    },
    optimizer: rest,
    ...clip > 0 ? { clip } : {},
    freeze,
    rates
  };
}
function checkData(of, train, data) {
  const missing = of.collected.modalities.filter(
    ({ name }) => !data.some(({ modality }) => modality === name)
  );
  const [first] = missing;
  if (first !== void 0 && !train.settings.some((setting) => setting.setting === "data" && setting.modality.text === first.name))
    report(of, "M0611", train.model.span, `there is no data for \`${first.name}\``, {
      label: "nothing to train on",
      help: `write \`data ${first.name} = ${first.kind === "tokens" ? 'bytes("corpus/*.txt")' : first.kind === "image" ? 'idx("images.idx.gz")' : `csv("data.csv", "${first.name}")`}\``
    });
  if (of.collected.modalities.length > 0 && of.decode === void 0 && of.collected.losses.length === 0 && (checking(of) || of.mode === "training")) {
    if (!of.diagnostics.some(({ severity }) => severity === "error"))
      report(of, "M0612", train.model.span, "the model has no loss to train on", {
        label: "nothing to make small",
        help: "write `loss cross_entropy(logits, text.next)` in the model"
      });
  }
}

// compiler/elaborate/model.ts
var modelsOf = (model) => definitionsOf(model.main).filter(({ kind }) => kind === "model");
function modelFrame(definition, module, lead) {
  return {
    definition,
    module,
    path: "",
    lead,
    groups: [],
    repeated: repeatedNames(definition),
    counters: /* @__PURE__ */ new Map(),
    stored: /* @__PURE__ */ new Map()
  };
}
function merged(builder, list, mean) {
  const byName = /* @__PURE__ */ new Map();
  for (const { name, node, doc } of list) {
    if (node === void 0) continue;
    const entry2 = byName.get(name) ?? { nodes: [], doc };
    entry2.nodes.push(node);
    byName.set(name, entry2);
  }
  return [...byName].map(([name, { nodes, doc }]) => {
    const sum = nodes.reduce((a2, b2) => builder.add(a2, b2));
    const node = mean && nodes.length > 1 ? builder.div(sum, nodes.length) : sum;
    return { name, node, ...doc === void 0 ? {} : { doc } };
  });
}
function sizesOf(modalities, training) {
  const lengths = modalities.flatMap(
    ({ kind, name, length }) => kind === "tokens" && length !== void 0 ? [
      {
        name: length,
        doc: `Positions of \`${name}\` in one sequence.`,
        default: training?.training.length ?? 128
      }
    ] : []
  );
  return [
    { name: "B", doc: "Sequences or examples in one batch.", default: training?.training.batch ?? 8 },
    ...lengths
  ];
}
function outputOf(of, definition, last, scope) {
  const value = lookUp(scope, "logits") ?? last;
  if (value === void 0) {
    if (of.diagnostics.length === 0)
      report(of, "M0604", definition.name.span, `the model \`${definition.name.text}\` has no output`, {
        label: "neither `logits` nor a last expression",
        help: "bind `logits = ...`"
      });
    return void 0;
  }
  if (isBroken(value)) return void 0;
  const found2 = toTensor(of, value);
  if (found2 === void 0) {
    report(of, "M0604", definition.name.span, `the output of \`${definition.name.text}\` is no tensor`, {
      label: "not a tensor",
      help: "bind `logits = ...` to a tensor"
    });
    return void 0;
  }
  const node = castTo(of, found2, found2.element === "bool" ? "bool" : found2.element).node;
  return node === void 0 ? void 0 : { name: "logits", node };
}
var trainOf = (module, name) => module.trains.find(({ model }) => model.text === name);
function elaborateModel(model, name, { mode, builder, decode }) {
  const diagnostics2 = [];
  const definition = modelsOf(model).find((each) => each.name.text === name);
  if (definition === void 0) {
    const known3 = modelsOf(model).map((each) => `\`${each.name.text}\``);
    return {
      diagnostics: [
        {
          code: "M0605",
          severity: "error",
          message: `there is no model \`${name}\``,
          at: { module: model.main.path, span: { start: 0, end: 0 }, label: "" },
          related: [],
          help: known3.length === 0 ? "write a `model`" : `the file has ${known3.join(", ")}`
        }
      ]
    };
  }
  const train = trainOf(model.main, name);
  const steps = train === void 0 ? void 0 : stepsOf(model.main, definition, train, diagnostics2);
  const of = startElaboration({ builder, mode, decode, steps, diagnostics: diagnostics2 });
  const batch = hiddenAxis(of, "lead", decode === void 0 ? named("B") : constant(decode.batch), "batch");
  of.frames.push(modelFrame(definition, model.main, [batch]));
  const scope = openScope();
  const last = of.parts.run(of, definition.body, scope);
  const output = outputOf(of, definition, last, scope);
  const training = train === void 0 ? void 0 : readTraining(of, train);
  const { collected } = of;
  if (diagnostics2.some(({ severity }) => severity === "error") || output === void 0)
    return { diagnostics: diagnostics2 };
  const losses = collected.losses.flatMap(
    ({ node, ...rest }) => node === void 0 ? [] : [{ ...rest, node }]
  );
  const namedLosses = losses.flatMap(
    ({ name: label2, node }) => label2 === void 0 ? [] : [{ name: label2, node }]
  );
  const metrics = [...merged(builder, namedLosses, false), ...merged(builder, collected.metrics, true)];
  const updates = [...collected.updates].flatMap(
    ([tensor2, { node }]) => node === void 0 ? [] : [{ tensor: tensor2, node }]
  );
  return {
    built: {
      name,
      ...definition.doc === void 0 ? {} : { doc: definition.doc },
      outputs: [output],
      losses,
      metrics,
      updates,
      routers: collected.routers,
      tensors: [...collected.tensors.values()],
      modalities: collected.modalities,
      sizes: sizesOf(collected.modalities, training),
      ...training === void 0 ? {} : {
        training: {
          ...training,
          training: { ...training.training, metrics: ["loss", ...metrics.map((each) => each.name)] }
        }
      },
      undecodable: [...collected.undecodable]
    },
    diagnostics: diagnostics2
  };
}
function stepsOf(module, definition, train, diagnostics2) {
  const of = startElaboration({ builder: new GraphBuilder(), mode: "training", diagnostics: diagnostics2 });
  of.frames.push(modelFrame(definition, module, []));
  return readTraining(of, train).training.steps;
}

// compiler/check/structure.ts
var places = {
  choose: ["router"],
  weight: ["router"],
  capacity: ["router"],
  shared: ["moe"],
  routed: ["moe"],
  null: ["moe"],
  router: ["moe"],
  modality: ["model"],
  param: ["expert", "router", "moe", "layer", "chain", "model"],
  state: ["expert", "router", "moe", "layer", "chain", "model"]
};
var article = (kind) => /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`;
function checkStructure(definition, module, diagnostics2) {
  let sound = true;
  const error3 = (code, message, span, label2, help) => {
    diagnostics2.push({
      code,
      severity: "error",
      message,
      at: { module: module.path, span, label: label2 },
      related: [],
      help
    });
    sound = false;
  };
  const visit = (statements, nested) => {
    for (const statement of statements) {
      const kinds2 = places[statement.node];
      if (kinds2 !== void 0 && !kinds2.includes(definition.kind))
        error3(
          "M0215",
          `\`${statement.node}\` does not belong in ${article(definition.kind)}`,
          statement.span,
          `\`${definition.name.text}\` is ${article(definition.kind)}`,
          kinds2.length === 1 ? `move it into ${article(kinds2[0])}` : "make it a layer"
        );
      else if (nested && statement.node === "modality")
        error3(
          "M0215",
          "a modality stands at the top of a model",
          statement.span,
          "inside a block",
          "move it out of the block"
        );
      if (statement.node === "repeat") visit(statement.body, true);
      if (statement.node === "if") {
        visit(statement.then, true);
        visit(statement.otherwise, true);
      }
    }
  };
  visit(definition.body, false);
  if (definition.kind === "router" && definition.result !== void 0 && definition.result.element !== "gates")
    error3(
      "M0216",
      `the router \`${definition.name.text}\` must return gates`,
      definition.result.span,
      "not gates",
      "write `-> gates[N]`"
    );
  if (definition.kind !== "router" && definition.kind !== "function" && definition.kind !== "layer" && definition.result?.element === "gates")
    error3(
      "M0216",
      `${article(definition.kind)} returns a tensor, not gates`,
      definition.result.span,
      "gates",
      "make it a router"
    );
  if (definition.kind === "model" && definition.inputs.length > 0)
    error3(
      "M0217",
      "a model has no inputs: what enters it are its modalities",
      definition.inputs[0].span,
      "an input",
      "write `modality text = tokens(vocab = 256)` in the body"
    );
  if (definition.kind !== "model" && definition.kind !== "function" && definition.inputs.length === 0)
    error3(
      "M0217",
      `${article(definition.kind)} needs an input`,
      definition.name.span,
      "no inputs",
      `write \`${definition.name.text}(x: [D]) -> [D]\``
    );
  return sound;
}

// compiler/check/check.ts
function usedAs(definition, name) {
  let found2 = "number";
  const isName = (value) => value?.node === "name" && value.text === name;
  const visit = (value) => {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) return value.forEach(visit);
    const node = value;
    if ((node["node"] === "call" || node["node"] === "configure") && isName(node["callee"]))
      found2 = "definition";
    if ((node["node"] === "shared" || node["node"] === "routed") && isName(node["pool"]))
      found2 = "definition";
    if (node["node"] === "router" && isName(node["router"])) found2 = "definition";
    if (node["node"] === "by" && isName(node["router"])) found2 = "definition";
    if (node["node"] === "if" && isName(node["condition"])) found2 = "truth";
    Object.values(node).forEach(visit);
  };
  visit(definition.body);
  return found2;
}
function symbolicStatic(of, definition, name, value, scope) {
  const fallback = value === void 0 ? void 0 : of.parts.evaluate(of, value, scope);
  if (fallback === void 0 || fallback.kind === "broken") {
    const use = usedAs(definition, name);
    if (fallback !== void 0) return { kind: "unknown" };
    return use === "definition" ? { kind: "unknown" } : use === "truth" ? truth(void 0) : symbol(name);
  }
  if (fallback.kind === "truth") return truth(void 0);
  if (fallback.kind !== "number") return fallback;
  const fraction = fallback.poly !== void 0 && fallback.poly.some(({ coefficient }) => !Number.isInteger(coefficient));
  return fraction ? { kind: "number", name } : symbol(name);
}
function checkDefinition(definition, module, diagnostics2) {
  const of = startElaboration({ mode: "training", diagnostics: diagnostics2 });
  const frame = modelFrame(definition, module, []);
  const scope = openScope();
  of.frames.push(frame);
  const seen = /* @__PURE__ */ new Set();
  for (const { name, value } of definition.statics) {
    if (seen.has(name.text))
      report(of, "M0102", name.span, `the static \`${name.text}\` is declared twice`, {
        label: "again here",
        help: "rename one of them"
      });
    seen.add(name.text);
    scope.names.set(name.text, symbolicStatic(of, definition, name.text, value, scope));
  }
  for (const { type } of definition.inputs)
    for (const axis of type.axes)
      if (axis.node === "name" && !scope.names.has(axis.text) && module.names.get(axis.text)?.kind !== "dim")
        scope.names.set(axis.text, symbol(axis.text));
  for (const { name, type } of definition.inputs) {
    if (seen.has(name.text))
      report(of, "M0102", name.span, `\`${name.text}\` is declared twice`, {
        label: "again here",
        help: "rename one of them"
      });
    seen.add(name.text);
    const axes = of.parts.axesOf(of, type, scope);
    scope.names.set(name.text, axes === void 0 ? { kind: "broken" } : inputOf(type.element, axes));
  }
  of.frames.pop();
  const count = definition.result?.element === "gates" ? definition.result.axes[0] : void 0;
  if (count?.node === "name" && !scope.names.has(count.text)) scope.names.set(count.text, symbol(count.text));
  const bound = count?.node === "name" ? scope.names.get(count.text) : void 0;
  const inside = {
    ...frame,
    ...definition.kind === "router" ? {
      router: {
        count: bound?.kind === "number" ? bound : ofSize(named("N")),
        nulls: ofSize(named("nulls")),
        axisName: count?.node === "name" ? count.text : "N"
      }
    } : {},
    ...definition.kind === "moe" ? { pool: { shared: [], segments: [], nulls: [] } } : {}
  };
  of.frames.push(inside);
  runBody(of, definition, scope);
}
function inputOf(element, axes) {
  if (element !== "gates") return tensor(element, [], axes, void 0);
  const count = axes[0]?.size ?? named("N");
  const picks = tensor("int", [], [{ size: named("K") }], void 0);
  return {
    kind: "gates",
    picks,
    weight: { ...picks, element: "number" },
    chosen: tensor("number", [], axes, void 0),
    load: tensor("number", [], axes, void 0),
    count
  };
}
function checkModelDefinition(definition, module, diagnostics2) {
  const of = startElaboration({ mode: "training", diagnostics: diagnostics2 });
  of.frames.push(modelFrame(definition, module, []));
  const scope = openScope();
  const before = diagnostics2.length;
  const last = of.parts.run(of, definition.body, scope);
  if (last === void 0 && !scope.names.has("logits") && diagnostics2.length === before)
    report(of, "M0604", definition.name.span, `the model \`${definition.name.text}\` has no output`, {
      label: "neither `logits` nor a last expression",
      help: "bind `logits = ...`"
    });
  for (const train of module.trains) if (train.model.text === definition.name.text) readTraining(of, train);
}
function checkTrains(module, diagnostics2) {
  const models = definitionsOf(module).filter(({ kind }) => kind === "model").map(({ name }) => name.text);
  const seen = /* @__PURE__ */ new Set();
  for (const { model } of module.trains) {
    const error3 = (code, message, label2, help) => {
      diagnostics2.push({
        code,
        severity: "error",
        message,
        at: { module: module.path, span: model.span, label: label2 },
        related: [],
        help
      });
    };
    if (!models.includes(model.text))
      error3(
        "M0605",
        `there is no model \`${model.text}\``,
        "no such model in this file",
        didYouMean(
          model.text,
          models,
          models.length === 0 ? "write a `model` first" : `the file has ${models.map((name) => `\`${name}\``).join(", ")}`
        )
      );
    else if (seen.has(model.text))
      error3("M0610", `\`${model.text}\` has two recipes`, "a second `train` block", "keep one");
    seen.add(model.text);
  }
}
function checkDims(module, diagnostics2) {
  for (const declaration of module.syntax.declarations) {
    if (declaration.node !== "dim") continue;
    const of = startElaboration({ mode: "training", diagnostics: diagnostics2 });
    const statement = {
      node: "result",
      value: { node: "name", text: declaration.name.text, span: declaration.name.span },
      span: declaration.span
    };
    const definition = {
      node: "definition",
      kind: "function",
      name: declaration.name,
      statics: [],
      inputs: [],
      body: [statement],
      span: declaration.span
    };
    of.frames.push(modelFrame(definition, module, []));
    const value = of.parts.evaluate(of, statement.value, openScope());
    if (value.kind !== "number" && value.kind !== "truth" && value.kind !== "broken")
      report(
        of,
        "M0213",
        declaration.value.span,
        "a `dim` is a number that is known when the model is compiled",
        { label: "not a number", help: "write a number, or an expression of other `dim`s" }
      );
  }
}
function checkModel(model) {
  const diagnostics2 = [];
  for (const module of model.modules.values()) {
    checkDims(module, diagnostics2);
    for (const definition of definitionsOf(module)) {
      if (!checkStructure(definition, module, diagnostics2)) continue;
      if (definition.kind === "model") checkModelDefinition(definition, module, diagnostics2);
      else checkDefinition(definition, module, diagnostics2);
    }
    checkTrains(module, diagnostics2);
  }
  return diagnostics2;
}

// compiler/graph-rebuild.ts
function rebuildShape(shape, of) {
  if (shape.every((axis) => axis.kind === "dense")) return shape;
  return shape.map((axis) => axis.kind === "dense" ? axis : { ...axis, by: of(axis.by) });
}
function rebuild(builder, node, of) {
  switch (node.op) {
    case "input":
    case "tensor":
      return builder.make(
        { op: node.op, name: node.name },
        { dtype: node.dtype, shape: rebuildShape(node.shape, of) }
      );
    case "const":
      return builder.constant(node.value, node.dtype);
    case "size":
      return builder.size(node.size);
    case "index":
      return builder.index(rebuildShape(node.shape, of)[0]);
    case "random":
      return builder.random(node.stream, node.shape);
    case "map":
      return builder.map(node.fn, ...node.inputs.map(of));
    case "view": {
      const { view } = node;
      const input = of(node.input);
      switch (view.kind) {
        case "permute":
          return builder.permute(input, view.axes);
        case "reshape":
          return builder.reshape(input, rebuildShape(node.shape, of));
        case "broadcast":
          return builder.broadcastTo(input, rebuildShape(node.shape, of), view.axes);
        case "slice":
          return builder.slice(input, view.axis, view.start, node.shape[view.axis].size);
        case "pad":
          return builder.pad(input, view.axis, view.before, view.after);
        default:
          return view;
      }
    }
    case "reduce":
      return node.groups ? builder.reduceGroups(node.fn, of(node.input), node.axes[0]) : builder.reduce(node.fn, of(node.input), node.axes);
    case "scan":
      return builder.scan(of(node.input), node.axis, node);
    case "contract": {
      const { labels: labels2, ragged } = node;
      return builder.contract(of(node.a), of(node.b), `${labels2.a},${labels2.b}->${labels2.out}`, ragged);
    }
    case "choose":
      return builder.choose(of(node.score), node.count, node.as);
    case "route":
      return builder.route(of(node.picks), node.groups, node.bound);
    case "part":
      return builder.part(of(node.route), node.part);
    case "dispatch":
    case "combine":
      return builder[node.op](of(node.input), of(node.route), node.per);
    case "take":
      return builder.take(of(node.table), of(node.ids), node.batch);
    default:
      return node;
  }
}

// compiler/build/statistics.ts
var Carrier = class {
  tensors = [];
  /** For the train graph: the carried tensors take their values. */
  fills = [];
  /** For the update graph: emptied again, when several micro-batches add up. */
  resets = [];
  builder;
  accumulate;
  readers = /* @__PURE__ */ new Map();
  constructor(builder, accumulate2) {
    this.builder = builder;
    this.accumulate = accumulate2;
  }
  /** The node's sum over the micro-batches, as the update reads it. */
  sum(name, node) {
    const before = this.readers.get(node);
    if (before !== void 0) return before;
    const { builder } = this;
    const shape = node.shape.map((axis) => {
      const size = known(axis.size);
      if (size === void 0) throw new Error(`internal: ${name} has no static shape, it cannot be carried`);
      return size;
    });
    if (node.dtype === "bool") throw new Error(`internal: ${name} is no number, it cannot be carried`);
    const reader = builder.tensor(name, shape, node.dtype);
    this.readers.set(node, reader);
    this.tensors.push({ name, role: "carry", type: node.dtype, shape, init: { kind: "constant", value: 0 } });
    this.fills.push({ tensor: name, node: this.accumulate === 1 ? node : builder.add(reader, node) });
    if (this.accumulate > 1)
      this.resets.push({ tensor: name, node: builder.broadcastTo(builder.constant(0, node.dtype), shape) });
    return reader;
  }
  /** An `after step` value with everything that depends on the batch read from carried tensors. `loads` are summed. */
  afterStep(name, value, loads) {
    const { builder } = this;
    const nodes = nodesOf([value]);
    const varies2 = /* @__PURE__ */ new Set();
    for (const node of nodes)
      if (node.op === "random" || node.op === "input" && !node.name.startsWith("$") || dependenciesOf(node).some((operand2) => varies2.has(operand2)))
        varies2.add(node);
    const replaced = /* @__PURE__ */ new Map();
    let count = 0;
    const resolve = (node) => {
      const before = replaced.get(node);
      if (before !== void 0) return before;
      const result = this.resolved(node, varies2, loads, resolve, () => `statistic.${name}.${count++}`);
      replaced.set(node, result);
      return result;
    };
    return builder.at(value.origin, () => resolve(value));
  }
  resolved(node, varies2, loads, resolve, name) {
    if (!varies2.has(node)) return node;
    const load = loads.get(node);
    if (load !== void 0) return this.sum(`sum.${load}`, node);
    const small = node.shape.every((axis) => axis.kind === "dense" && known(axis.size) !== void 0);
    const formula2 = node.op === "map" || node.op === "view";
    if (small && !(formula2 && dependenciesOf(node).every((each) => isSmall(each)))) {
      const sum = this.sum(name(), node);
      return this.accumulate === 1 ? sum : this.builder.div(sum, this.accumulate);
    }
    return rebuild(this.builder, node, resolve);
  }
};
var isSmall = (node) => node.shape.every((axis) => axis.kind === "dense" && known(axis.size) !== void 0);

// compiler/graph-sign.ts
var depthLimit = 10;
function below(node) {
  let inner = node;
  for (; ; ) {
    if (inner.op === "view" && inner.view.kind === "broadcast") inner = inner.input;
    else if (inner.op === "map" && inner.fn === "stop") inner = inner.inputs[0];
    else return inner;
  }
}
function sumsToOneOrMore(node) {
  if (node.op !== "reduce" || node.fn !== "sum" || node.groups) return false;
  const exp = node.input;
  if (exp.op !== "map" || exp.fn !== "exp") return false;
  const difference = exp.inputs[0];
  if (difference.op !== "map" || difference.fn !== "sub") return false;
  const [x, shift2] = difference.inputs;
  const max = below(shift2);
  return max.op === "reduce" && max.fn === "max" && !max.groups && max.input === x && max.axes.join() === node.axes.join();
}
function signOf(node, depth = 0) {
  if (depth > depthLimit) return "any";
  const of = (inner) => signOf(inner, depth + 1);
  switch (node.op) {
    case "const":
      return node.value > 0 ? "positive" : node.value === 0 ? "not negative" : "any";
    case "size":
      return surelyPositive(node.size) ? "positive" : "any";
    case "index":
    case "random":
      return "not negative";
    case "view":
      return node.view.kind !== "pad" ? of(node.input) : of(node.input) === "any" ? "any" : "not negative";
    case "reduce": {
      if (sumsToOneOrMore(node)) return "positive";
      if (of(node.input) === "any") return "any";
      const reduced = node.axes.map((axis) => node.input.shape[axis]);
      const filled2 = !node.groups && reduced.every((axis) => axis.kind === "dense" && surelyPositive(axis.size));
      if (filled2) return of(node.input);
      return node.fn === "sum" ? "not negative" : "any";
    }
    case "map": {
      const [a2, b2, c2] = node.inputs;
      switch (node.fn) {
        case "exp":
        case "abs":
        case "sigmoid":
        case "not":
        case "isnan":
          return "not negative";
        case "stop":
        case "sqrt":
        case "f32":
          return a2.dtype === "bool" ? "not negative" : of(a2);
        case "add": {
          const [x, y] = [of(a2), of(b2)];
          if (x === "any" || y === "any") return "any";
          return x === "positive" || y === "positive" ? "positive" : "not negative";
        }
        case "mul":
        case "div": {
          if (node.fn === "mul" && a2 === b2) return of(a2) === "positive" ? "positive" : "not negative";
          const [x, y] = [of(a2), of(b2)];
          if (x === "any" || y === "any") return "any";
          return x === "positive" && y === "positive" ? "positive" : "not negative";
        }
        case "max": {
          const both2 = [of(a2), of(b2)];
          return both2.includes("positive") ? "positive" : both2.includes("not negative") ? "not negative" : "any";
        }
        case "min":
        case "select": {
          const both2 = node.fn === "min" ? [of(a2), of(b2)] : [of(b2), of(c2)];
          return both2.includes("any") ? "any" : both2.includes("not negative") ? "not negative" : "positive";
        }
        default:
          return "any";
      }
    }
    default:
      return "any";
  }
}

// compiler/differentiate-map.ts
var flat = () => {
};
var unlessZero = ({ builder }, gradient, divisor2, value) => signOf(divisor2) === "positive" ? value : builder.select(builder.map("eq", gradient, 0), 0, value);
function normalises(divisor2, node) {
  if (divisor2.op !== "view" || divisor2.view.kind !== "broadcast") return void 0;
  const sum = divisor2.input;
  if (sum.op !== "reduce" || sum.fn !== "sum" || sum.groups || sum.input !== node) return void 0;
  const kept = divisor2.view.axes;
  return kept.some((axis) => sum.axes.includes(axis)) ? void 0 : sum.axes;
}
var unary3 = (rule) => (back, node, gradient) => back.give(node.inputs[0], rule(back, node.inputs[0], node, gradient));
var extreme3 = (taken) => (back, node, gradient) => {
  const { builder: b2 } = back;
  const [first, second] = node.inputs;
  if (first === second) return back.give(first, gradient);
  const wanting = [first, second].filter(back.wants);
  for (const mine of wanting) {
    const other = mine === first ? second : first;
    if (wanting.length === 1) {
      const wins = taken === "lt" ? b2.map("lt", other, mine) : b2.map("lt", mine, other);
      back.give(mine, b2.select(wins, gradient, 0));
    } else {
      const shared = b2.select(b2.map("eq", first, second), b2.mul(gradient, 0.5), gradient);
      back.give(mine, b2.select(b2.map("eq", node, mine), shared, 0));
    }
  }
};
var mapRules = {
  neg: unary3(({ builder }, _x, _y, g) => builder.neg(g)),
  abs: unary3(({ builder }, x, _y, g) => builder.mul(g, builder.map("sign", x))),
  exp: unary3(({ builder }, _x, y, g) => {
    const [numerator, divisor2] = g.op === "map" && g.fn === "div" ? g.inputs : [];
    if (numerator !== void 0 && divisor2 !== void 0 && normalises(divisor2, y) !== void 0)
      return builder.mul(numerator, builder.div(y, divisor2));
    return builder.mul(g, y);
  }),
  log: unary3((back, x, _y, g) => unlessZero(back, g, x, back.builder.div(g, x))),
  sqrt: unary3((back, _x, y, g) => unlessZero(back, g, y, back.builder.div(back.builder.mul(g, 0.5), y))),
  tanh: unary3(({ builder: b2 }, _x, y, g) => b2.mul(g, b2.sub(1, b2.square(y)))),
  sin: unary3(({ builder: b2 }, x, _y, g) => b2.mul(g, b2.map("cos", x))),
  cos: unary3(({ builder: b2 }, x, _y, g) => b2.neg(b2.mul(g, b2.map("sin", x)))),
  // erf' x = 2 / sqrt(pi) exp(-x^2)
  erf: unary3(
    ({ builder: b2 }, x, _y, g) => b2.mul(g, b2.mul(b2.map("exp", b2.neg(b2.square(x))), 2 / Math.sqrt(Math.PI)))
  ),
  sigmoid: unary3(({ builder: b2 }, _x, y, g) => b2.mul(g, b2.mul(y, b2.sub(1, y)))),
  floor: flat,
  ceil: flat,
  round: flat,
  sign: flat,
  not: flat,
  isnan: flat,
  stop: flat,
  f32: flat,
  i32: flat,
  add: (back, node, gradient) => {
    for (const input of node.inputs) back.give(input, gradient);
  },
  sub: (back, node, gradient) => {
    const [a2, b2] = node.inputs;
    back.give(a2, gradient);
    if (back.wants(b2)) back.give(b2, back.builder.neg(gradient));
  },
  mul: (back, node, gradient) => {
    const { builder } = back;
    const [a2, b2] = node.inputs;
    if (a2 === b2) return back.give(a2, builder.mul(builder.mul(gradient, a2), 2));
    if (back.wants(a2)) back.give(a2, builder.mul(gradient, b2));
    if (back.wants(b2)) back.give(b2, builder.mul(gradient, a2));
  },
  div: (back, node, gradient) => {
    const { builder } = back;
    const [a2, b2] = node.inputs;
    const axes = normalises(b2, a2);
    if (axes !== void 0 && b2.op === "view" && b2.view.kind === "broadcast") {
      const common = builder.sum(builder.mul(gradient, node), axes);
      const rest = builder.sub(gradient, builder.broadcastTo(common, b2.shape, b2.view.axes));
      const slope = builder.div(rest, b2);
      return back.give(
        a2,
        signOf(b2) === "positive" ? slope : builder.select(builder.map("eq", b2, 0), 0, slope)
      );
    }
    const quotient = builder.div(gradient, b2);
    if (back.wants(a2)) back.give(a2, unlessZero(back, gradient, b2, quotient));
    if (back.wants(b2)) back.give(b2, unlessZero(back, gradient, b2, builder.neg(builder.mul(quotient, node))));
  },
  // x mod y = x - y trunc(x / y)
  mod: (back, node, gradient) => {
    const { builder } = back;
    const [a2, b2] = node.inputs;
    back.give(a2, gradient);
    if (!back.wants(b2)) return;
    const times2 = builder.div(builder.sub(a2, node), b2);
    back.give(
      b2,
      unlessZero(back, gradient, b2, builder.neg(builder.mul(gradient, builder.map("round", times2))))
    );
  },
  min: extreme3("gt"),
  max: extreme3("lt"),
  pow: (back, node, gradient) => {
    const { builder } = back;
    const [x, y] = node.inputs;
    if (back.wants(x)) {
      const slope = builder.mul(builder.mul(gradient, y), builder.map("pow", x, builder.sub(y, 1)));
      back.give(x, unlessZero(back, gradient, x, slope));
    }
    if (back.wants(y)) {
      const slope = builder.mul(builder.mul(gradient, node), builder.map("log", x));
      back.give(y, builder.select(builder.map("lt", 0, x), slope, 0));
    }
  },
  lt: flat,
  le: flat,
  eq: flat,
  ne: flat,
  and: flat,
  or: flat,
  xor: flat,
  select: (back, node, gradient) => {
    const { builder } = back;
    const [condition, a2, b2] = node.inputs;
    if (back.wants(a2)) back.give(a2, builder.select(condition, gradient, 0));
    if (back.wants(b2)) back.give(b2, builder.select(condition, 0, gradient));
  }
};

// compiler/differentiate-take.ts
var labels = (from, count) => Array.from({ length: count }, (_, i) => String.fromCharCode(97 + from + i)).join("");
var range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
var sizesOf2 = (axes) => product(axes.map((axis) => axis.size));
function byRouting(builder, ids, gradient, groups) {
  const rank = ids.shape.length;
  const rest = gradient.shape.slice(rank);
  const ragged = ids.shape.findIndex((axis) => !isDense(axis));
  if (ragged < 0) {
    const places2 = sizesOf2(ids.shape);
    const route2 = builder.route(builder.reshape(ids, [places2, 1]), groups, places2);
    return builder.reduceGroups("sum", builder.dispatch(builder.reshape(gradient, [places2, ...rest]), route2));
  }
  const front = [ragged, ...range(0, rank).filter((axis) => axis !== ragged)];
  const rows2 = ids.shape[ragged];
  const perRow = sizesOf2(ids.shape.filter(isDense));
  const picks = builder.reshape(builder.permute(ids, front), [rows2, perRow]);
  const moved = builder.permute(gradient, [...front, ...range(rank, gradient.shape.length)]);
  const route = builder.route(picks, groups);
  return builder.reduceGroups(
    "sum",
    builder.dispatch(builder.reshape(moved, [rows2, perRow, ...rest]), route, "pick")
  );
}
function byComparison(builder, node, gradient) {
  const { table, ids, batch } = node;
  const rank = ids.shape.length;
  const length = table.shape[batch];
  const hit = builder.oneHot(ids, length);
  const more = range(batch, rank);
  if (gradient.shape.length === rank) {
    const wide2 = builder.broadcastTo(gradient, hit.shape, range(0, rank));
    return builder.reduce("sum", builder.select(hit, wide2, 0), more);
  }
  const valid = builder.map(
    "and",
    builder.map("le", 0, ids),
    builder.map("lt", ids, builder.broadcastTo(builder.size(length.size), ids.shape))
  );
  const masked2 = builder.select(builder.broadcastTo(valid, gradient.shape, range(0, rank)), gradient, 0);
  const [shared, taken] = [labels(0, batch), labels(batch, more.length)];
  const row = labels(rank, 1);
  const rest = labels(rank + 1, gradient.shape.length - rank);
  return builder.contract(
    builder.cast(hit, "f32"),
    masked2,
    `${shared}${taken}${row},${shared}${taken}${rest}->${shared}${row}${rest}`
  );
}
function gradientOfTable(builder, node, gradient) {
  const { table, ids, batch } = node;
  const length = table.shape[batch].size;
  if (batch > 0) return byComparison(builder, node, gradient);
  if (ids.op === "part" && ids.part === "group" && sameSize(length, constant(ids.route.groups)))
    return builder.reduceGroups("sum", gradient);
  const groups = known(length);
  const ragged = ids.shape.filter((axis) => !isDense(axis)).length;
  if (groups === void 0 || groups < 1 || ragged > 1) return byComparison(builder, node, gradient);
  return byRouting(builder, ids, gradient, groups);
}

// compiler/differentiate.ts
var nothing2 = () => {
};
var range2 = (length) => Array.from({ length }, (_, i) => i);
function gradientOfView({ builder }, node, gradient) {
  const { view, input } = node;
  switch (view.kind) {
    case "permute":
      return builder.permute(
        gradient,
        range2(view.axes.length).map((axis) => view.axes.indexOf(axis))
      );
    case "reshape":
      return builder.reshape(gradient, input.shape);
    case "broadcast":
      return builder.sum(
        gradient,
        range2(node.shape.length).filter((axis) => !view.axes.includes(axis))
      );
    case "slice": {
      const size = node.shape[view.axis].size;
      const after2 = subtract(subtract(input.shape[view.axis].size, view.start), size);
      return builder.pad(gradient, view.axis, view.start, after2);
    }
    case "pad":
      return builder.slice(gradient, view.axis, view.before, input.shape[view.axis].size);
    default:
      return view;
  }
}
function rowsFromGroups(builder, node, axis, route) {
  const front = [axis, ...range2(node.shape.length).filter((each) => each !== axis)];
  const taken = builder.take(builder.permute(node, front), builder.part(route, "group"));
  return builder.permute(
    taken,
    range2(front.length).map((each) => front.indexOf(each))
  );
}
function gradientOfReduce({ builder: b2 }, node, gradient) {
  const { input, axes } = node;
  const axis = input.shape[axes[0]];
  const spread = (reduced) => node.groups && axis.kind === "ragged" ? rowsFromGroups(b2, reduced, axes[0], axis.by) : b2.broadcastTo(
    reduced,
    input.shape,
    range2(input.shape.length).filter((each) => !axes.includes(each))
  );
  if (node.fn === "sum") return spread(gradient);
  const extremal = b2.map("eq", input, spread(node));
  const ones = b2.cast(extremal, "f32");
  const count = node.groups ? b2.reduceGroups("sum", ones, axes[0]) : b2.sum(ones, axes);
  return b2.select(extremal, spread(b2.div(gradient, b2.map("max", count, 1))), 0);
}
function gradientOfFactor(builder, node, side, gradient) {
  const { labels: labels2, ragged } = node;
  const factor = node[side];
  const [other, otherLabels] = side === "a" ? [node.b, labels2.b] : [node.a, labels2.a];
  const mine = labels2[side];
  const present = new Set(labels2.out + otherLabels);
  const formula2 = (out) => `${labels2.out},${otherLabels}->${out}`;
  if (ragged !== void 0 && !present.has(ragged.row) && mine.includes(ragged.row) && present.has(ragged.group)) {
    const byGroup = [...mine].map((label2) => label2 === ragged.row ? ragged.group : label2);
    const available2 = byGroup.filter((label2) => present.has(label2));
    const groups = builder.contract(gradient, other, formula2(available2.join("")));
    const row = factor.shape[mine.indexOf(ragged.row)];
    if (row.kind !== "ragged") throw new Error(`internal: rows without a routing: ${printNode(node)}`);
    const rows2 = rowsFromGroups(builder, groups, available2.indexOf(ragged.group), row.by);
    return builder.broadcastTo(
      rows2,
      factor.shape,
      available2.map((label2) => byGroup.indexOf(label2))
    );
  }
  if (ragged !== void 0 && present.has(ragged.row)) present.add(ragged.group);
  const available = [...mine].filter((label2) => present.has(label2));
  const grouped2 = ragged !== void 0 && present.has(ragged.row) && (labels2.out + otherLabels + mine).includes(ragged.group);
  const small = builder.contract(gradient, other, formula2(available.join("")), grouped2 ? ragged : void 0);
  return builder.broadcastTo(
    small,
    factor.shape,
    available.map((label2) => mine.indexOf(label2))
  );
}
var rules = {
  input: nothing2,
  tensor: nothing2,
  const: nothing2,
  size: nothing2,
  index: nothing2,
  random: nothing2,
  choose: nothing2,
  route: nothing2,
  part: nothing2,
  map: (back, node, gradient) => mapRules[node.fn](back, node, gradient),
  view: (back, node, gradient) => back.give(node.input, gradientOfView(back, node, gradient)),
  reduce: (back, node, gradient) => back.give(node.input, gradientOfReduce(back, node, gradient)),
  scan: (back, { input, axis, exclusive, reverse }, gradient) => back.give(input, back.builder.scan(gradient, axis, { exclusive, reverse: !reverse })),
  contract: (back, node, gradient) => {
    for (const side of ["a", "b"])
      if (back.wants(node[side])) back.give(node[side], gradientOfFactor(back.builder, node, side, gradient));
  },
  dispatch: (back, { input, route, per }, gradient) => back.give(input, back.builder.combine(gradient, route, per)),
  combine: (back, { input, route, per }, gradient) => back.give(input, back.builder.dispatch(gradient, route, per)),
  take: (back, node, gradient) => back.give(node.table, gradientOfTable(back.builder, node, gradient))
};
var ruleOf = (node) => rules[node.op];
function differentiate(builder, loss, wrt) {
  if (loss.dtype !== "f32" || loss.shape.length > 0)
    throw new Error(`internal: the loss is no f32 scalar: ${printNode(loss)}`);
  const nodes = nodesOf([loss]);
  const asked = new Set(wrt);
  const carries = /* @__PURE__ */ new Set();
  for (const node of nodes)
    if (asked.has(node) || node.dtype === "f32" && operandsOf(node).some((operand2) => carries.has(operand2)))
      carries.add(node);
  const sums = /* @__PURE__ */ new Map([[loss, builder.constant(1)]]);
  const back = {
    builder,
    wants: (operand2) => operand2.dtype === "f32" && carries.has(operand2),
    give: (operand2, gradient) => {
      if (!back.wants(operand2)) return;
      const before = sums.get(operand2);
      sums.set(operand2, before === void 0 ? gradient : builder.add(before, gradient));
    }
  };
  for (const node of [...nodes].reverse()) {
    const gradient = sums.get(node);
    if (gradient === void 0 || !carries.has(node)) continue;
    const origin = { ...node.origin, path: `${node.origin.path}'` };
    builder.at(origin, () => ruleOf(node)(back, node, gradient));
  }
  return new Map(
    wrt.map((node) => {
      const zero2 = () => builder.broadcastTo(builder.constant(0), node.shape);
      return [node, sums.get(node) ?? zero2()];
    })
  );
}

// compiler/entries.ts
function scalars(builder, built) {
  const losses = built.losses.map(({ node }) => node);
  const total = losses.reduce((a2, b2) => builder.add(a2, b2), builder.constant(0));
  return [{ name: "loss", node: total }, ...built.metrics];
}
var loadPort = (router) => `load.${router}`;
var picksPort = (router) => `picks.${router}`;
var forwardGraph = (built) => ({
  name: "forward",
  outputs: built.outputs,
  updates: []
});
var decodeGraph = (built) => ({
  name: "decode",
  outputs: built.outputs,
  updates: built.updates
});
var evaluateGraph = (builder, built) => ({
  name: "evaluate",
  outputs: [
    ...scalars(builder, built),
    ...built.routers.flatMap(({ name, load, picks }) => [
      { name: loadPort(name), node: load },
      { name: picksPort(name), node: picks }
    ])
  ],
  updates: []
});
function trainingGraphs(builder, built, recipe, step) {
  const { accumulate: accumulate2 } = recipe.training;
  const outputs = scalars(builder, built);
  const carrier = new Carrier(builder, accumulate2);
  const parameters2 = built.tensors.filter(
    (tensor2) => tensor2.role === "parameter" && !recipe.frozen(tensor2.name)
  );
  const values = parameters2.map((tensor2) => builder.tensor(tensor2.name, tensor2.shape));
  const gradients = differentiate(builder, outputs[0].node, values);
  const sums = parameters2.map((tensor2, i) => carrier.sum(`gradient.${tensor2.name}`, gradients.get(values[i])));
  const means = accumulate2 === 1 ? sums : sums.map((sum) => builder.div(sum, accumulate2));
  const { norm, factor } = means.length === 0 ? { norm: builder.constant(0), factor: void 0 } : clipping(builder, means, recipe.clip);
  const trained = parameters2.map(
    (tensor2, i) => ({
      tensor: tensor2,
      value: values[i],
      gradient: factor === void 0 ? means[i] : builder.mul(means[i], factor),
      factor: recipe.factor(tensor2.name)
    })
  );
  const { name, options } = recipe.optimizer;
  const optimised = optimise(builder, name, options, trained, step);
  const loads = new Map(built.routers.map(({ name: name2, load }) => [load, loadPort(name2)]));
  const states = built.updates.map(({ tensor: tensor2, node }) => ({
    tensor: tensor2,
    node: carrier.afterStep(tensor2, node, loads)
  }));
  const rate = options["rate"] ?? 0;
  return {
    train: {
      name: "train",
      outputs: [...outputs, ...built.routers.map(({ name: name2, load }) => ({ name: loadPort(name2), node: load }))],
      updates: carrier.fills
    },
    update: {
      name: "update",
      outputs: [
        { name: "rate", node: typeof rate === "number" ? builder.constant(rate) : rate },
        { name: "norm", node: norm }
      ],
      updates: [...optimised.updates, ...states, ...carrier.resets]
    },
    tensors: [...optimised.tensors, ...carrier.tensors]
  };
}

// compiler/lower/expr.ts
var integer = (value) => ({ op: "literal", type: "i32", value });
var float = (value) => ({ op: "literal", type: "f32", value });
var local = (name, type) => ({ op: "local", type, name });
function sizeExpr(size) {
  const value = known(size);
  return value === void 0 ? { op: "size", type: "i32", size } : integer(value);
}
var scalarOf2 = (type) => type === "f32" || type === "f32x4" ? "f32" : type === "i32" || type === "i32x4" ? "i32" : "bool";
var vectorOf = (type) => `${type}x4`;
var isVector = (type) => type.endsWith("x4");
var withLanes = (type, lanes2) => lanes2 === 4 ? vectorOf(type) : type;
var literal = (type, value, lanes2 = 1) => {
  const scalar = { op: "literal", type, value };
  return lanes2 === 4 ? splat(scalar) : scalar;
};
function splat(a2) {
  if (isVector(a2.type)) return a2;
  return { op: "splat", type: vectorOf(scalarOf2(a2.type)), a: a2 };
}
var unary4 = (fn, a2) => ({
  op: "unary",
  type: fn === "isnan" ? withLanes("bool", isVector(a2.type) ? 4 : 1) : a2.type,
  fn,
  a: a2
});
var comparisons = /* @__PURE__ */ new Set(["lt", "le", "eq", "ne"]);
function binary3(fn, a2, b2) {
  const type = comparisons.has(fn) ? withLanes("bool", isVector(a2.type) ? 4 : 1) : a2.type;
  if (a2.op === "literal" && b2.op === "literal" && a2.type === "i32") {
    if (fn === "add") return integer(a2.value + b2.value);
    if (fn === "sub") return integer(a2.value - b2.value);
    if (fn === "mul") return integer(Math.imul(a2.value, b2.value));
  }
  if (a2.type === "i32") {
    if ((fn === "add" || fn === "sub") && b2.op === "literal" && b2.value === 0) return a2;
    if (fn === "add" && a2.op === "literal" && a2.value === 0) return b2;
    if (fn === "mul" && b2.op === "literal" && b2.value === 1) return a2;
    if (fn === "mul" && a2.op === "literal" && a2.value === 1) return b2;
  }
  return { op: "binary", type, fn, a: a2, b: b2 };
}
var select = (condition, a2, b2) => ({
  op: "select",
  type: a2.type,
  condition,
  a: a2,
  b: b2
});
var cast = (type, a2) => a2.type === type ? a2 : { op: "cast", type, a: a2 };
var extract = (a2, lane) => ({
  op: "extract",
  type: scalarOf2(a2.type) === "i32" ? "i32" : "f32",
  a: a2,
  lane
});
var lowerOf = (a2, b2) => binary3("min", a2, b2);
var upperOf = (a2, b2) => binary3("max", a2, b2);
var isAtomic = (a2) => a2.op === "literal" || a2.op === "local" || a2.op === "size" || a2.op === "workgroup" || a2.op === "splat" && a2.a.op === "literal";

// compiler/lower/map-functions.ts
function worksOnLanes(node) {
  const integers = node.inputs.some(({ dtype }) => dtype === "i32");
  return !(integers && (node.fn === "div" || node.fn === "mod" || node.fn === "pow"));
}
function emitMap(node, inputs2, name) {
  const a2 = inputs2[0];
  const b2 = inputs2[1];
  const lanes2 = isVector(a2.type) ? 4 : 1;
  const { fn } = node;
  switch (fn) {
    case "stop":
      return a2;
    case "f32":
      return cast(withLanes("f32", lanes2), a2);
    case "i32":
      return cast(withLanes("i32", lanes2), a2);
    case "sigmoid": {
      const one2 = literal("f32", 1, lanes2);
      return binary3("div", one2, binary3("add", one2, unary4("exp", unary4("neg", a2))));
    }
    case "neg":
    case "abs":
    case "exp":
    case "log":
    case "sqrt":
    case "tanh":
    case "sin":
    case "cos":
    case "erf":
    case "floor":
    case "ceil":
    case "round":
    case "sign":
    case "not":
    case "isnan":
      return unary4(fn, a2);
    case "mod":
      if (node.dtype === "f32") {
        const x = name(a2);
        const y = name(b2);
        const quotient = name(binary3("div", x, y));
        const zero2 = literal("f32", 0, lanes2);
        const whole = select(binary3("lt", quotient, zero2), unary4("ceil", quotient), unary4("floor", quotient));
        return binary3("sub", x, binary3("mul", y, whole));
      }
      return binary3(fn, a2, b2);
    case "eq":
    case "ne":
    case "xor":
    case "lt":
    case "le":
      if (a2.type === "bool" || a2.type === "boolx4") {
        const type = withLanes("i32", lanes2);
        return binary3(fn === "xor" ? "ne" : fn, cast(type, a2), cast(type, b2));
      }
      return binary3(fn, a2, b2);
    case "add":
    case "sub":
    case "mul":
    case "div":
    case "min":
    case "max":
    case "pow":
    case "and":
    case "or":
      return binary3(fn, a2, b2);
    case "select":
      return select(a2, b2, inputs2[2]);
    default:
      return fn;
  }
}
function workOf(fn) {
  switch (fn) {
    case "exp":
    case "log":
    case "sigmoid":
      return 12;
    case "tanh":
    case "sin":
    case "cos":
    case "erf":
      return 16;
    case "pow":
      return 30;
    case "div":
    case "sqrt":
    case "mod":
      return 4;
    case "stop":
      return 0;
    case "neg":
    case "abs":
    case "floor":
    case "ceil":
    case "round":
    case "sign":
    case "not":
    case "isnan":
    case "f32":
    case "i32":
    case "add":
    case "sub":
    case "mul":
    case "min":
    case "max":
    case "lt":
    case "le":
    case "eq":
    case "ne":
    case "and":
    case "or":
    case "xor":
    case "select":
      return 1;
    default:
      return fn;
  }
}

// compiler/lower/affine.ts
var numbers = /* @__PURE__ */ new Map();
function number2(value) {
  let size = numbers.get(value);
  if (size === void 0) numbers.set(value, size = constant(value));
  return size;
}
var plus = (a2, b2) => {
  if (a2.length === 0) return b2;
  if (b2.length === 0) return a2;
  const x = known(a2);
  const y = known(b2);
  return x !== void 0 && y !== void 0 ? number2(x + y) : add(a2, b2);
};
var times = (a2, b2) => {
  const x = known(a2);
  const y = known(b2);
  if (x === 1) return b2;
  if (y === 1) return a2;
  return x !== void 0 && y !== void 0 ? number2(x * y) : symbolicProduct(a2, b2);
};
var keys = /* @__PURE__ */ new WeakMap();
var keyOfSize2 = (size) => {
  const value = known(size);
  if (value !== void 0) return String(value);
  let key = keys.get(size);
  if (key === void 0) keys.set(size, key = `(${sizeKey(size)})`);
  return key;
};
var products = /* @__PURE__ */ new WeakMap();
function symbolicProduct(a2, b2) {
  let row = products.get(a2);
  if (row === void 0) products.set(a2, row = /* @__PURE__ */ new WeakMap());
  let product2 = row.get(b2);
  if (product2 === void 0) row.set(b2, product2 = multiply(a2, b2));
  return product2;
}
var Form = class {
  terms;
  offset;
  text;
  constructor(terms, offset) {
    this.terms = terms;
    this.offset = offset;
  }
  get key() {
    if (this.text !== void 0) return this.text;
    let text = "";
    for (const { atom, coefficient } of this.terms) {
      if (text !== "") text += "+";
      text += known(coefficient) === 1 ? atom.key : `${keyOfSize2(coefficient)}*${atom.key}`;
    }
    if (this.offset.length > 0 || text === "") text += `${text === "" ? "" : "+"}${keyOfSize2(this.offset)}`;
    return this.text = text;
  }
};
var affine = (terms, offset) => new Form(terms, offset);
var fixed = (offset) => affine([], offset);
var zero = fixed(number2(0));
var ofAtom = (atom) => affine([{ atom, coefficient: number2(1) }], number2(0));
var variable = (name, level, about = {}) => ofAtom({
  kind: "variable",
  key: name,
  name,
  level,
  multiple: about.multiple ?? 1,
  bound: about.bound,
  vector: about.vector ?? false
});
function add2(a2, b2) {
  if (a2.terms.length === 0 && a2.offset.length === 0) return b2;
  if (b2.terms.length === 0 && b2.offset.length === 0) return a2;
  const terms = [];
  let i = 0;
  let j = 0;
  while (i < a2.terms.length || j < b2.terms.length) {
    const x = a2.terms[i];
    const y = b2.terms[j];
    if (y === void 0 || x !== void 0 && x.atom.key < y.atom.key) {
      terms.push(x);
      i++;
    } else if (x === void 0 || y.atom.key < x.atom.key) {
      terms.push(y);
      j++;
    } else {
      const coefficient = plus(x.coefficient, y.coefficient);
      if (coefficient.length > 0) terms.push({ atom: x.atom, coefficient });
      i++;
      j++;
    }
  }
  return affine(terms, plus(a2.offset, b2.offset));
}
function scale2(a2, by) {
  const value = known(by);
  if (value === 1) return a2;
  if (value === 0) return zero;
  return affine(
    a2.terms.map(({ atom, coefficient }) => ({ atom, coefficient: times(coefficient, by) })),
    a2.offset.length === 0 ? a2.offset : times(a2.offset, by)
  );
}
var subtract2 = (a2, b2) => add2(a2, scale2(b2, number2(-1)));
var shift = (a2, by) => by.length === 0 ? a2 : affine(a2.terms, plus(a2.offset, by));
var levelOf = (a2) => a2.terms.reduce((level, { atom }) => Math.max(level, atom.level), 0);
var levelOfAll = (at) => at.reduce((level, a2) => Math.max(level, levelOf(a2)), 0);
var atomVaries = (atom) => atom.kind === "variable" ? atom.vector : atom.varying;
var varies = (a2) => a2.terms.some(({ atom }) => atomVaries(atom));
function stepOf(a2) {
  let step = 0;
  for (const { atom, coefficient } of a2.terms) {
    if (!atomVaries(atom)) continue;
    if (atom.kind !== "variable") return void 0;
    const value = known(coefficient);
    if (value === void 0) return void 0;
    step += value;
  }
  return step;
}
function laneOf(a2, lane) {
  if (lane === 0 || !varies(a2)) return a2;
  let sum = affine(
    a2.terms.filter(({ atom }) => !atomVaries(atom) || atom.kind === "variable"),
    a2.offset
  );
  for (const { atom, coefficient } of a2.terms) {
    if (!atomVaries(atom)) continue;
    if (atom.kind === "variable") sum = shift(sum, times(coefficient, number2(lane)));
    else if (atom.kind === "quotient")
      sum = add2(sum, scale2(divide(laneOf(atom.of, lane), atom.by).quotient, coefficient));
    else
      sum = add2(
        sum,
        scale2(
          read2(
            atom.node,
            atom.at.map((x) => laneOf(x, lane)),
            atom.limit
          ),
          coefficient
        )
      );
  }
  return sum;
}
function read2(node, at, limit2) {
  return ofAtom({
    kind: "read",
    key: `%${node.id}[${at.map((a2) => a2.key).join(",")}${limit2 === void 0 ? "" : `<${keyOfSize2(limit2)}`}]`,
    node,
    at,
    limit: limit2,
    level: levelOfAll(at),
    varying: at.some(varies)
  });
}
var multipleOfSize = (size) => size.reduce((gcd, { coefficient }) => divisor(gcd, coefficient), 0);
var divisor = (a2, b2) => b2 === 0 ? Math.abs(a2) : divisor(b2, a2 % b2);
function multipleOf(a2) {
  let gcd = multipleOfSize(a2.offset);
  for (const { atom, coefficient } of a2.terms)
    gcd = divisor(gcd, multipleOfSize(coefficient) * (atom.kind === "variable" ? atom.multiple : 1));
  return gcd;
}
var nonNegative = (size) => size.every(({ coefficient }) => coefficient >= 0);
function isBelow(a2, limit2) {
  for (const { atom, coefficient } of a2.terms)
    if (atom.kind === "quotient" && sizeEquals(negate(coefficient), atom.by)) {
      const rest = add2(a2, scale2(ofAtom(atom), atom.by));
      if (rest.key === atom.of.key) return nonNegative(subtract(limit2, atom.by));
    }
  if (!nonNegative(a2.offset)) return false;
  let top = plus(a2.offset, number2(1));
  for (const { atom, coefficient } of a2.terms) {
    if (!nonNegative(coefficient)) return false;
    const bound = atom.kind === "variable" ? atom.bound : atom.kind === "read" ? atom.limit : void 0;
    if (bound === void 0) return false;
    top = plus(top, times(coefficient, subtract(bound, number2(1))));
  }
  return nonNegative(subtract(limit2, top));
}
function divide(a2, by) {
  if (known(by) === 1) return { quotient: a2, remainder: zero };
  const parts5 = splitExactly(a2, by);
  const { whole, rest } = isNatural(parts5.rest) ? parts5 : { whole: zero, rest: a2 };
  if (isZero(rest) || isBelow(rest, by)) return { quotient: whole, remainder: rest };
  const atom = {
    kind: "quotient",
    key: `[${rest.key}/${keyOfSize2(by)}]`,
    of: rest,
    by,
    level: levelOf(rest),
    varying: varies(rest) && !uniformQuotient(rest, known(by))
  };
  return { quotient: add2(whole, ofAtom(atom)), remainder: subtract2(rest, scale2(ofAtom(atom), by)) };
}
var isZero = (a2) => a2.terms.length === 0 && a2.offset.length === 0;
function splitExactly(a2, by) {
  const whole = [];
  const rest = [];
  for (const term of a2.terms) {
    const exact2 = divideExactly(term.coefficient, by);
    if (exact2 === void 0) rest.push(term);
    else whole.push({ atom: term.atom, coefficient: exact2 });
  }
  const [offset, value] = [known(a2.offset), known(by)];
  if (offset !== void 0 && value !== void 0) {
    const floor = Math.floor(offset / value);
    return { whole: affine(whole, number2(floor)), rest: affine(rest, number2(offset - floor * value)) };
  }
  const exact = divideExactly(a2.offset, by);
  if (exact === void 0) return { whole: affine(whole, number2(0)), rest: affine(rest, a2.offset) };
  return { whole: affine(whole, exact), rest: affine(rest, number2(0)) };
}
function isNatural(a2) {
  let rest = a2;
  for (const { atom, coefficient } of a2.terms) {
    if (nonNegative(coefficient)) continue;
    if (atom.kind !== "quotient" || !sizeEquals(negate(coefficient), atom.by)) return false;
    rest = subtract2(add2(rest, scale2(ofAtom(atom), atom.by)), atom.of);
  }
  return nonNegative(rest.offset) && rest.terms.every(({ coefficient }) => nonNegative(coefficient));
}
function uniformQuotient(of, by) {
  return by !== void 0 && by % 4 === 0 && stepOf(of) === 1 && multipleOf(of) % 4 === 0;
}

// compiler/lower/parts.ts
var parts2 = /* @__PURE__ */ new WeakMap();
function partOf(route, part) {
  let known3 = parts2.get(route);
  if (known3 === void 0) parts2.set(route, known3 = /* @__PURE__ */ new Map());
  let node = known3.get(part);
  if (node === void 0) {
    const rows2 = { kind: "ragged", size: route.bound, by: route };
    const shape = part === "offsets" ? [{ kind: "dense", size: number2(route.groups + 1) }] : part === "slot" ? route.picks.shape : [rows2];
    const order = { offsets: 1, source: 2, group: 3, slot: 4 }[part];
    node = {
      op: "part",
      part,
      route,
      dtype: "i32",
      shape,
      id: -(route.id * 8 + order),
      origin: route.origin
    };
    known3.set(part, node);
  }
  return node;
}
var canonical = (node) => node.op === "part" ? partOf(node.route, node.part) : node;
var picksPerToken = (route) => route.picks.shape.at(-1).size;
function dispatched(node, at) {
  const [row, ...rest] = at;
  const { token, pick } = sourceOf2(node.route, row);
  return node.per === "token" ? [token, ...rest] : [token, pick, ...rest];
}
function sourceOf2(route, row) {
  const atom = row.terms.length === 1 && row.offset.length === 0 ? row.terms[0].atom : void 0;
  if (atom?.kind === "read" && atom.node === partOf(route, "slot"))
    return { token: atom.at[0], pick: atom.at[1] };
  const source = read2(partOf(route, "source"), [row]);
  const { quotient, remainder } = divide(source, picksPerToken(route));
  return { token: quotient, pick: remainder };
}
var inputs = /* @__PURE__ */ new Map();
function inputBuffer(name) {
  let buffer = inputs.get(name);
  if (buffer === void 0) inputs.set(name, buffer = { kind: "input", name });
  return buffer;
}

// compiler/fuse-cost.ts
var nominal = 64;
var readCost = 5;
var writeCost = 10;
var padWork = 6;
var stagedBlock = 128;
var estimates = /* @__PURE__ */ new WeakMap();
function estimate(size) {
  const value = known(size);
  if (value !== void 0) return value;
  let found2 = estimates.get(size);
  if (found2 === void 0) {
    const names = Object.fromEntries([...namesOf(size)].map((name) => [name, nominal]));
    estimates.set(size, found2 = Math.max(1, evaluate(size, names)));
  }
  return found2;
}
var elements = (shape) => shape.reduce((count, axis) => count * estimate(axis.size), 1);
var isVirtual = (node) => {
  switch (node.op) {
    case "const":
    case "size":
    case "index":
    case "map":
    case "view":
    case "dispatch":
    case "take":
    case "random":
      return true;
    case "combine":
      return node.per === "pick";
    case "input":
    case "tensor":
    case "reduce":
    case "scan":
    case "contract":
    case "choose":
    case "route":
    case "part":
      return false;
    default:
      return node;
  }
};
var mayStore = (node) => node.op === "map" || node.op === "take" || node.op === "random";
function chooseStored(nodes, users, mostLeaves) {
  const stored = /* @__PURE__ */ new Set();
  for (const node of nodes) {
    if (node.op === "input" || node.op === "tensor" || node.op === "part") continue;
    if (!isVirtual(node) || users.isRoot(node)) stored.add(node);
  }
  for (const node of nodes)
    if (node.op === "contract" || node.op === "combine" && node.per === "token") {
      const join2 = joinOf(node, users);
      if (join2 !== void 0) stored.add(join2);
    }
  limitLeaves(nodes, stored, mostLeaves);
  storeRepeated(nodes, users, stored);
  limitLeaves(nodes, stored, mostLeaves);
  return stored;
}
function joinOf(root, users) {
  let join2;
  const open = /* @__PURE__ */ new Map();
  const enqueue = (node) => {
    for (const user of users.of(node)) {
      if (user.op !== "map" || !sameShape(user.shape, root.shape)) return false;
      open.set(user.id, user);
    }
    return !users.isRoot(node);
  };
  if (!enqueue(root)) return void 0;
  for (let steps = 0; open.size > 0 && steps < 48; steps++) {
    const first = Math.min(...open.keys());
    const node = open.get(first);
    open.delete(first);
    if (open.size === 0) join2 = node;
    if (!enqueue(node)) return join2;
  }
  return join2;
}
function limitLeaves(nodes, stored, most) {
  const leaves = /* @__PURE__ */ new Map();
  const none2 = /* @__PURE__ */ new Set();
  const of = (given) => {
    const node = canonical(given);
    return isVirtual(node) && !stored.has(node) ? leaves.get(node) ?? none2 : /* @__PURE__ */ new Set([node]);
  };
  for (const node of nodes) {
    const inputs2 = operandsOf(node).filter(({ op }) => op !== "route");
    const all2 = () => {
      const union2 = /* @__PURE__ */ new Set();
      for (const input of inputs2) for (const leaf of of(input)) union2.add(leaf);
      if (node.op === "dispatch") union2.add(node.route);
      return union2;
    };
    let union = all2();
    while (union.size > most) {
      const largest = inputs2.map(belowViews).filter((input) => mayStore(input) && !stored.has(input) && of(input).size > 1).sort((a2, b2) => of(b2).size - of(a2).size)[0];
      if (largest === void 0) break;
      stored.add(largest);
      refresh(largest, inputs2, leaves, of);
      union = all2();
    }
    leaves.set(node, union);
  }
}
function belowViews(node) {
  let at = node;
  while (at.op === "view" || at.op === "dispatch") at = at.input;
  return at;
}
function refresh(stored, inputs2, leaves, of) {
  for (const input of inputs2) {
    const path = [];
    let at = input;
    while (at.op === "view" || at.op === "dispatch") {
      path.unshift(at);
      at = at.input;
    }
    if (at !== stored) continue;
    let below2 = of(stored);
    for (const node of path) {
      if (node.op === "dispatch") below2 = /* @__PURE__ */ new Set([...below2, node.route]);
      leaves.set(node, below2);
    }
  }
}
function storeRepeated(nodes, users, stored) {
  const work = /* @__PURE__ */ new Map();
  for (const [node, { arithmetic, reads }] of costsOf(nodes, stored)) {
    let sum = arithmetic;
    for (const share2 of reads.values()) sum += share2 * readCost;
    work.set(node, Math.min(sum, 1e6));
  }
  const latest = latestMakers(nodes);
  const sinks = /* @__PURE__ */ new Map();
  const perRow = /* @__PURE__ */ new Set();
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    if (!isVirtual(node) || stored.has(node)) continue;
    const own = /* @__PURE__ */ new Map();
    for (const user of users.of(node)) addSinks(own, user, node, { stored, sinks, latest });
    let count = 0;
    for (const times2 of own.values()) count += times2;
    const inRows = [...own.keys()].every((anchor) => isRowWise(anchor, latest));
    const [read3, write] = inRows ? [1, 1] : [readCost, writeCost];
    const once2 = work.get(node) ?? 0;
    if (users.of(node).every((user) => repeatsInside(user) || perRow.has(user))) perRow.add(node);
    else if (mayStore(node) && count > 1 && once2 * (count - 1) > write + read3 * count) {
      stored.add(node);
      continue;
    }
    sinks.set(node, own);
  }
}
function costsOf(nodes, stored) {
  const costs = /* @__PURE__ */ new Map();
  for (const node of nodes) {
    if (!isVirtual(node)) continue;
    let arithmetic = ownWork(node);
    const reads = /* @__PURE__ */ new Map();
    const inputs2 = operandsOf(node).filter(({ op }) => op !== "route");
    for (const input of new Set(inputs2)) {
      const share2 = isPad(node) ? 1 : Math.min(1, elements(input.shape) / elements(node.shape));
      const inner = stored.has(input) ? void 0 : costs.get(input);
      if (inner === void 0) {
        reads.set(input, Math.max(reads.get(input) ?? 0, share2));
        continue;
      }
      arithmetic += inner.arithmetic * share2;
      for (const [leaf, part] of inner.reads) reads.set(leaf, Math.max(reads.get(leaf) ?? 0, part * share2));
    }
    costs.set(node, { arithmetic, reads });
  }
  return costs;
}
var isPad = (node) => node.op === "view" && node.view.kind === "pad";
function ownWork(node) {
  if (node.op === "map") return workOf(node.fn);
  if (node.op === "random") return 60;
  if (node.op === "take") return 2;
  return isPad(node) ? padWork : 0;
}
var mostSinks = 12;
var isRowWise = (node, latest) => {
  const { op } = isVirtual(node) ? latest.get(node) ?? node : node;
  return op === "reduce" || op === "choose" || op === "scan";
};
function latestMakers(nodes) {
  const latest = /* @__PURE__ */ new Map();
  for (const node of nodes) {
    if (!isVirtual(node)) continue;
    let last;
    for (const input of operandsOf(node)) {
      const maker = isVirtual(input) ? latest.get(input) : input;
      if (maker !== void 0 && (last === void 0 || maker.id > last.id)) last = maker;
    }
    if (last !== void 0) latest.set(node, last);
  }
  return latest;
}
function addSinks(into, user, node, about) {
  const times2 = readsBy(user, node);
  const theirs = about.sinks.get(user);
  const add4 = (anchor, count) => void into.set(anchor, Math.max(into.get(anchor) ?? 0, count));
  if (theirs !== void 0 && theirs.size <= mostSinks)
    for (const [anchor, count] of theirs) add4(anchor, count * times2);
  else if (theirs !== void 0) add4(user, times2 * mostSinks);
  else {
    const maker = isVirtual(user) ? about.latest.get(user) : void 0;
    add4(maker !== void 0 && (maker.op === "contract" || maker.op === "combine") ? maker : user, times2);
  }
}
function readsBy(user, node) {
  switch (user.op) {
    case "view":
      return user.view.kind === "broadcast" ? repetition(user.view.axes, user.shape) : 1;
    case "dispatch":
    case "take":
      return elements(user.shape) / Math.max(1, elements(node.shape));
    case "contract": {
      const other = user.a === node ? user.labels.b : user.labels.a;
      const own = user.a === node ? user.labels.a : user.labels.b;
      let free = 1;
      for (const [i, label2] of [...user.labels.out].entries())
        if (other.includes(label2) && !own.includes(label2)) free *= estimate(user.shape[i].size);
      return Math.max(1, free / stagedBlock);
    }
    case "choose":
    case "route":
      return 2;
    case "input":
    case "tensor":
    case "const":
    case "size":
    case "index":
    case "map":
    case "reduce":
    case "scan":
    case "part":
    case "combine":
    case "random":
      return 1;
    default:
      return user;
  }
}
var repeatsInside = (user) => user.op === "view" && user.view.kind === "broadcast" && (user.view.axes.at(-1) ?? -1) < user.shape.length - 1;
function repetition(axes, shape) {
  const last = axes.at(-1) ?? -1;
  let count = 1;
  for (let axis = 0; axis < last; axis++) if (!axes.includes(axis)) count *= estimate(shape[axis].size);
  return count;
}

// compiler/lower/signature.ts
function signatureOf(roots, about) {
  const numbers3 = /* @__PURE__ */ new Map();
  const nodes = [];
  const own = new Set(roots);
  let key = "";
  const shapeText = (shape) => {
    let text = "";
    for (const axis of shape)
      text += axis.kind === "dense" ? `${keyOfSize(axis.size)},` : `@${visit(axis.by)},`;
    return text;
  };
  const textOf2 = (node) => {
    if (node.op === "route" && !own.has(node))
      return `route ${node.groups} ${keyOfSize(node.bound)} [${shapeText(node.picks.shape)}] ${about.route?.(node) ?? ""}`;
    if (node.op === "part")
      return `part ${node.part} ${visit(node.route)} ${about.leaf(node) ?? ""}`;
    const leaf = own.has(node) ? void 0 : about.leaf(node);
    if (leaf !== void 0) return `leaf ${leaf} ${node.dtype}[${shapeText(node.shape)}]`;
    let text = node.op === "const" && Object.is(node.value, -0) ? "const -0" : printOperation(node);
    for (const operand2 of operandsOf(node)) text += ` %${visit(operand2)}`;
    const shape = node.op === "route" ? "" : shapeText(node.shape);
    return `${text} ${node.dtype}[${shape}] ${about.inner?.(node) ?? ""}`;
  };
  const visit = (given) => {
    const node = canonical(given);
    const before = numbers3.get(node);
    if (before !== void 0) return before;
    const text = textOf2(node);
    const number3 = nodes.length;
    numbers3.set(node, number3);
    nodes.push(node);
    key += `${text};`;
    return number3;
  };
  const order = roots.map(visit).join(",");
  return { key: `${key}${order}`, nodes };
}

// compiler/lower/contract-roles.ts
var found = /* @__PURE__ */ new WeakMap();
function contractRoles(node) {
  let entry2 = found.get(node);
  if (entry2 === void 0) found.set(node, entry2 = { roles: findRoles(node) });
  return entry2.roles;
}
function axisOfLabel(node, label2) {
  const at = node.labels.a.indexOf(label2);
  return at >= 0 ? node.a.shape[at] : node.b.shape[node.labels.b.indexOf(label2)];
}
function findRoles(node) {
  const { labels: labels2 } = node;
  const last = labels2.out.at(-1);
  if (last === void 0) return void 0;
  const all2 = [.../* @__PURE__ */ new Set([...labels2.a, ...labels2.b])];
  const ragged = all2.filter((label2) => axisOfLabel(node, label2).kind === "ragged");
  const row = node.ragged?.row ?? ragged[0];
  const group = node.ragged?.group;
  if (ragged.some((label2) => label2 !== row)) return void 0;
  let left = labels2.a.includes(last) && !labels2.b.includes(last) ? "b" : "a";
  const rows2 = row !== void 0 && labels2.out.includes(row);
  if (row !== void 0 && rows2) {
    if (labels2.a.includes(row) === labels2.b.includes(row)) return void 0;
    left = labels2.a.includes(row) ? "a" : "b";
  }
  const mine = left === "a" ? labels2.a : labels2.b;
  const theirs = left === "a" ? labels2.b : labels2.a;
  const out = [...labels2.out].filter((label2) => label2 !== group);
  const m = out.filter((label2) => mine.includes(label2) && !theirs.includes(label2));
  const n = out.filter((label2) => theirs.includes(label2) && !mine.includes(label2));
  const batch = out.filter((label2) => theirs.includes(label2) && mine.includes(label2));
  const k = all2.filter((label2) => !labels2.out.includes(label2) && label2 !== group);
  if (m.length === 0 || n.length === 0 || k.length === 0) return void 0;
  if (row === void 0) return { left, batch, m, n, k };
  const about = { row, ...group === void 0 ? {} : { group } };
  if (rows2) {
    if (group !== void 0 && (!theirs.includes(group) || mine.includes(group))) return void 0;
    const others = m.filter((label2) => label2 !== row);
    return { left, batch: [...batch, ...others], m: [row], n, k, ragged: { kind: "rows", ...about } };
  }
  if (group !== void 0 && (!labels2.out.includes(group) || mine.includes(group) || theirs.includes(group)))
    return void 0;
  if (k.length !== 1 || k[0] !== row || !mine.includes(row) || !theirs.includes(row)) return void 0;
  return { left, batch, m, n, k, ragged: { kind: "reduction", ...about } };
}

// compiler/lower/reduction.ts
var isReduction2 = (node) => node.op === "reduce" || node.op === "contract";
var reductionOf = (node) => node.op === "reduce" ? ofReduce(node) : ofContract(node);
function ofReduce(node) {
  const { shape } = node.input;
  const trailing = !node.groups && node.axes.every((axis, i) => axis === shape.length - node.axes.length + i);
  const value = (values, out, inner2, lanes2) => {
    const at = [];
    let kept = 0;
    let reduced = 0;
    for (const axis of shape.keys()) {
      const isReduced = node.axes.includes(axis);
      if (isReduced && node.groups) kept++;
      at.push(isReduced ? inner2[reduced++] : out[kept++]);
    }
    return values.value(node.input, at, lanes2);
  };
  const inner = node.axes.map((axis) => shape[axis]);
  if (!node.groups) return { node, fn: node.fn, inner, value, trailing };
  const ragged = inner[0];
  if (ragged.kind !== "ragged") throw new Error("internal: a reduction by groups of a dense axis");
  return { node, fn: node.fn, inner, value, trailing, groups: { route: ragged.by, axis: node.axes[0] } };
}
function ofContract(node) {
  const { labels: labels2, ragged } = node;
  const axisOf = (label2) => {
    const at = labels2.a.indexOf(label2);
    return at >= 0 ? node.a.shape[at] : node.b.shape[labels2.b.indexOf(label2)];
  };
  const grouped2 = ragged !== void 0 && labels2.out.includes(ragged.group) && !labels2.out.includes(ragged.row);
  const innerLabels = [.../* @__PURE__ */ new Set([...labels2.a, ...labels2.b])].filter((label2) => !labels2.out.includes(label2) && label2 !== ragged?.group).sort((a2, b2) => Number(b2 === ragged?.row) - Number(a2 === ragged?.row));
  const value = (values, out, inner2, lanes2) => {
    const of = (label2) => {
      const kept = labels2.out.indexOf(label2);
      if (kept >= 0) return out[kept];
      const reduced = innerLabels.indexOf(label2);
      if (reduced >= 0) return inner2[reduced];
      const row2 = axisOf(ragged.row);
      if (row2.kind !== "ragged") throw new Error("internal: the row label is not ragged");
      return read2(partOf(row2.by, "group"), [of(ragged.row)], axisOf(label2).size);
    };
    const a2 = values.value(node.a, [...labels2.a].map(of), lanes2);
    const b2 = values.value(node.b, [...labels2.b].map(of), lanes2);
    return binary3("mul", a2, b2);
  };
  const isInner = (label2) => label2 === void 0 || innerLabels.includes(label2);
  const inner = innerLabels.map(axisOf);
  const trailing = !grouped2 && inner.length > 0 && isInner(labels2.a.at(-1)) && isInner(labels2.b.at(-1)) && inner.every(({ kind }) => kind === "dense");
  const base = { node, fn: "sum", inner, value, trailing };
  if (!grouped2) return base;
  const row = axisOf(ragged.row);
  if (row.kind !== "ragged") throw new Error("internal: the row label is not ragged");
  return { ...base, groups: { route: row.by, axis: labels2.out.indexOf(ragged.group) } };
}

// compiler/lower/emitter.ts
var KernelEmitter = class {
  bindings = /* @__PURE__ */ new Map();
  scratches = [];
  counters = /* @__PURE__ */ new Map();
  blocks = [{ statements: [], computed: /* @__PURE__ */ new Map() }];
  /** Blocks below this depth are closed to hoisting: a schedule holds them. */
  closed = 0;
  /** Depth of the innermost block. */
  get depth() {
    return this.blocks.length - 1;
  }
  fresh = (hint) => {
    const count = this.counters.get(hint) ?? 0;
    this.counters.set(hint, count + 1);
    return `${hint}${count}`;
  };
  push(statement) {
    this.blocks.at(-1).statements.push(statement);
  }
  /** What a key stands for, when some open block has computed it. */
  recall(key) {
    for (let depth = this.depth; depth >= 0; depth--) {
      const found2 = this.blocks[depth].computed.get(key);
      if (found2 !== void 0) return found2;
    }
    return void 0;
  }
  remember(key, level, value) {
    this.blocks[Math.min(this.depth, Math.max(level, this.closed))].computed.set(key, value);
  }
  /** Names a value in the outermost block where it is known. */
  name(value, level, hint = "v") {
    if (isAtomic(value)) return value;
    const name = this.fresh(hint);
    const block = this.blocks[Math.min(this.depth, Math.max(level, this.closed))];
    block.statements.push({ op: "let", name, value });
    return local(name, value.type);
  }
  /** Names a value in the innermost block. */
  let(value, hint = "v") {
    return this.name(value, this.depth, hint);
  }
  /** A local that changes, declared in the innermost block. */
  var(value, hint = "a") {
    const name = this.fresh(hint);
    this.push({ op: "var", name, value });
    return { get: local(name, value.type), set: (next) => this.push({ op: "set", name, value: next }) };
  }
  /** Runs `fill` with a new innermost block and returns its statements. */
  block(fill, statements = []) {
    this.blocks.push({ statements, computed: /* @__PURE__ */ new Map() });
    fill();
    this.blocks.pop();
    return statements;
  }
  /** Runs `fill` on statement lists that someone else holds, outermost first; only the last `open` of them take hoisted values. */
  within(lists, open, fill) {
    const { blocks, closed } = this;
    this.blocks = [...lists];
    this.closed = lists.length - open;
    const result = fill();
    this.blocks = blocks;
    this.closed = closed;
    return result;
  }
  if(condition, then, otherwise2) {
    const statement = {
      op: "if",
      condition,
      then: this.block(then),
      otherwise: otherwise2 === void 0 ? [] : this.block(otherwise2)
    };
    this.push(statement);
  }
  for(range4, body) {
    const name = this.fresh(range4.hint ?? "i");
    const statements = this.block(
      () => body(
        variable(name, this.depth, {
          multiple: range4.multiple ?? 1,
          bound: range4.bound,
          vector: range4.vector ?? false
        })
      )
    );
    this.push({
      op: "for",
      name,
      from: range4.from ?? integer(0),
      to: range4.to,
      step: range4.step ?? 1,
      body: statements
    });
  }
  /** All of 0 .. extent - 1: four at a time, then one at a time where the extent may not be a multiple of 4. */
  lanes(extent, body) {
    const value = known(extent);
    if (value !== void 0 && value < 4) {
      for (let i = 0; i < value; i++) body(fixed(number2(i)), 1);
      return;
    }
    const whole = extent.every(({ coefficient }) => coefficient % 4 === 0);
    const end = whole ? sizeExpr(extent) : value !== void 0 ? integer(value - value % 4) : this.let(binary3("sub", sizeExpr(extent), binary3("mod", sizeExpr(extent), integer(4))), "e");
    this.for({ to: end, step: 4, multiple: 4, bound: extent, vector: true }, (index) => body(index, 4));
    if (whole || value !== void 0 && value % 4 === 0) return;
    if (value !== void 0 && value % 4 === 1) body(fixed(number2(value - 1)), 1);
    else this.for({ from: end, to: sizeExpr(extent), bound: extent }, (index) => body(index, 1));
  }
  /** From `first` (a multiple of 4) to `end`, four at a time and then one at a time. With `anyEnd` the end may be no
   * multiple of 4 even where the bound is one. */
  lanesFrom(first, end, bound, body, anyEnd = false) {
    const stop2 = this.let(
      binary3("add", first, binary3("mul", binary3("div", binary3("sub", end, first), integer(4)), integer(4))),
      "e"
    );
    this.for({ from: first, to: stop2, step: 4, multiple: 4, bound, vector: true }, (index) => body(index, 4));
    if (!anyEnd && bound.every(({ coefficient }) => coefficient % 4 === 0)) return;
    this.for({ from: stop2, to: end, bound }, (index) => body(index, 1));
  }
  scratch(type, length) {
    const name = this.fresh("s");
    this.scratches.push({ name, type, length });
    return name;
  }
  addScratch(scratch) {
    this.scratches.push(...scratch);
  }
  binding(memory) {
    let binding2 = this.bindings.get(memory.key);
    if (binding2 === void 0) {
      binding2 = { memory, name: `p${this.bindings.size}`, read: false, written: false };
      this.bindings.set(memory.key, binding2);
    }
    return binding2;
  }
  load(memory, index, lanes2 = 1) {
    const binding2 = this.binding(memory);
    binding2.read = true;
    return { op: "load", type: lanes2 === 4 ? `${memory.type}x4` : memory.type, buffer: binding2.name, index };
  }
  store(memory, index, value) {
    const binding2 = this.binding(memory);
    binding2.written = true;
    this.push({ op: "store", buffer: binding2.name, index, value });
  }
  /** An affine index as an expression; atoms are computed where they are first known. */
  index(a2, atomValue) {
    let sum;
    const negative = [];
    for (const { atom, coefficient } of a2.terms) {
      const value = atomValue(atom);
      const count = known(coefficient);
      if (count !== void 0 && count < 0) {
        negative.push(binary3("mul", value, integer(-count)));
        continue;
      }
      const part = binary3("mul", value, sizeExpr(coefficient));
      sum = sum === void 0 ? part : binary3("add", sum, part);
    }
    const offset = sizeExpr(a2.offset);
    sum = sum === void 0 ? offset : binary3("add", sum, offset);
    for (const part of negative) sum = binary3("sub", sum, part);
    return sum;
  }
  /** The locals of an expression as an affine variable of the innermost block. */
  given(value, about = {}) {
    if (value.op === "literal" && about.vector !== true) return fixed(number2(value.value));
    if (value.op === "size" && about.vector !== true) return fixed(value.size);
    if (value.op === "local") return variable(value.name, this.depth, about);
    const name = this.fresh("x");
    this.push({ op: "let", name, value });
    return variable(name, this.depth, about);
  }
  finish(about) {
    const buffers = [];
    const names = /* @__PURE__ */ new Set();
    for (const { memory, name, read: read3, written } of this.bindings.values()) {
      buffers.push({
        name,
        type: memory.type,
        access: written ? read3 ? "update" : "write" : "read",
        length: memory.length
      });
      namesOf(memory.length, names);
    }
    const body = this.blocks[0].statements;
    namesInBody(body, names);
    return {
      kernel: {
        name: about.name,
        buffers,
        sizes: [...names].sort(),
        grid: about.grid,
        workgroup: 1,
        scratch: this.scratches,
        body,
        ...about.multiplyAdds === void 0 ? {} : { multiplyAdds: about.multiplyAdds }
      },
      buffers: [...this.bindings.values()].map(({ memory }) => memory.buffer)
    };
  }
};
function namesInBody(body, names) {
  for (const statement of body)
    switch (statement.op) {
      case "let":
      case "var":
      case "set":
        namesIn(statement.value, names);
        break;
      case "store":
        namesIn(statement.index, names);
        namesIn(statement.value, names);
        break;
      case "for":
        namesIn(statement.from, names);
        namesIn(statement.to, names);
        namesInBody(statement.body, names);
        break;
      case "if":
        namesIn(statement.condition, names);
        namesInBody(statement.then, names);
        namesInBody(statement.otherwise, names);
        break;
      case "barrier":
      case "comment":
        break;
      default:
        statement;
    }
}
function namesIn(value, names) {
  switch (value.op) {
    case "size":
      namesOf(value.size, names);
      break;
    case "load":
      namesIn(value.index, names);
      break;
    case "unary":
    case "splat":
    case "extract":
    case "cast":
      namesIn(value.a, names);
      break;
    case "binary":
      namesIn(value.a, names);
      namesIn(value.b, names);
      break;
    case "fma":
      namesIn(value.a, names);
      namesIn(value.b, names);
      namesIn(value.c, names);
      break;
    case "select":
      namesIn(value.condition, names);
      namesIn(value.a, names);
      namesIn(value.b, names);
      break;
    case "vector":
      for (const lane of value.lanes) namesIn(lane, names);
      break;
    case "random":
      namesIn(value.key0, names);
      namesIn(value.key1, names);
      namesIn(value.counter, names);
      break;
    case "literal":
    case "local":
    case "workgroup":
    case "invocation":
      break;
    default:
      value;
  }
}

// compiler/lower/layout.ts
var stridesOf = /* @__PURE__ */ new WeakMap();
function rowStrides(shape) {
  let strides = stridesOf.get(shape);
  if (strides === void 0) stridesOf.set(shape, strides = findStrides(shape));
  return strides;
}
function findStrides(shape) {
  const strides = [];
  let stride = number2(1);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride = times(stride, shape[axis].size);
  }
  return strides;
}
function flatIndex(shape, at) {
  let flat2 = fixed(number2(0));
  const strides = rowStrides(shape);
  for (const [axis, coordinate] of at.entries()) flat2 = add2(flat2, scale2(coordinate, strides[axis]));
  return flat2;
}
function reshaped(to, from, at) {
  const result = [];
  let i = 0;
  let j = 0;
  while (i < to.length || j < from.length) {
    let left = number2(1);
    let right = number2(1);
    const startOut = i;
    const startIn = j;
    if (i < to.length) left = to[i++].size;
    if (j < from.length) right = from[j++].size;
    while (sizeKey(left) !== sizeKey(right)) {
      const growLeft = i < to.length && (j >= from.length || isSmaller(left, right));
      if (growLeft) left = times(left, to[i++].size);
      else if (j < from.length) right = times(right, from[j++].size);
      else throw new Error("internal: a reshape changes the number of elements");
    }
    let flat2 = fixed(number2(0));
    for (let axis = startOut; axis < i; axis++) flat2 = add2(scale2(flat2, to[axis].size), at[axis]);
    for (let axis = j - 1; axis > startIn; axis--) {
      const { quotient, remainder } = divide(flat2, from[axis].size);
      result[axis] = remainder;
      flat2 = quotient;
    }
    if (startIn < j) result[startIn] = sizeKey(from[startIn].size) === "1" ? fixed(number2(0)) : flat2;
  }
  return result;
}
function isSmaller(left, right) {
  const degree = (size) => Math.max(0, ...size.map(({ factors }) => factors.length));
  const a2 = degree(left);
  const b2 = degree(right);
  if (a2 !== b2) return a2 < b2;
  const top = (size) => Math.max(0, ...size.map(({ coefficient }) => coefficient));
  return top(left) < top(right);
}

// compiler/lower/value.ts
var Values = class {
  emitter;
  sources;
  bindings = /* @__PURE__ */ new Map();
  constructor(emitter, sources) {
    this.emitter = emitter;
    this.sources = sources;
  }
  /** From now on, until unbound, a node's elements are what `get` returns. */
  bind(node, get) {
    this.bindings.set(node, get);
  }
  unbind(node) {
    this.bindings.delete(node);
  }
  memoryOf(node) {
    const memory = this.sources.memoryOf(canonical(node));
    if (memory === void 0) throw new Error(`internal: ${describe2(node)} has no memory`);
    return memory;
  }
  value(given, at, lanes2) {
    const node = canonical(given);
    if (node.op === "const") return literal(node.dtype, node.value, lanes2);
    const bound = this.bindings.get(node);
    if (bound !== void 0) {
      this.sources.trace?.bound?.(node, at);
      return bound(at, lanes2);
    }
    if (node.op === "view" && this.sources.memoryOf(node) === void 0) return this.view(node, at, lanes2);
    const key = `${node.id}|${lanes2}|${at.map((a2) => a2.key).join(",")}`;
    const before = this.emitter.recall(key);
    if (before !== void 0) return before;
    const level = levelOfAll(at);
    let value = lanes2 === 4 && !at.some(varies) ? splat(this.value(node, at, 1)) : this.compute(node, at, lanes2);
    if (!isAtomic(value) && (level < this.emitter.depth || this.sources.usesOf(node) > 1)) {
      value = this.emitter.name(value, level);
      this.emitter.remember(key, level, value);
    }
    return value;
  }
  /** An index as an i32 expression. */
  index(a2) {
    return this.emitter.index(a2, this.atom);
  }
  store(memory, at, value) {
    const flat2 = memory.offset === void 0 ? at : shift(at, memory.offset);
    const stored = value.type === "bool" ? cast("i32", value) : value.type === "boolx4" ? cast("i32x4", value) : value;
    if (!isVector(stored.type) || stepOf(flat2) === 1) {
      this.emitter.store(memory, this.index(flat2), stored);
      return;
    }
    const named2 = this.emitter.let(stored);
    for (const lane of [0, 1, 2, 3])
      this.emitter.store(memory, this.index(laneOf(flat2, lane)), extract(named2, lane));
  }
  atom = (atom) => {
    if (atom.kind === "variable") return { op: "local", type: "i32", name: atom.name };
    const before = this.emitter.recall(atom.key);
    if (before !== void 0) return before;
    let value;
    if (atom.kind === "quotient") {
      this.sources.trace?.index?.(atom.of);
      value = binary3("div", this.index(atom.of), sizeExpr(atom.by));
    } else {
      value = this.value(atom.node, atom.at, 1);
      if (atom.limit !== void 0)
        value = upperOf(integer(0), lowerOf(value, binary3("sub", sizeExpr(atom.limit), integer(1))));
    }
    value = this.emitter.name(value, atom.level, "x");
    this.emitter.remember(atom.key, atom.level, value);
    return value;
  };
  compute(node, at, lanes2) {
    const memory = this.sources.memoryOf(node);
    if (memory !== void 0) return this.load(node, memory, at, lanes2);
    switch (node.op) {
      case "const":
        return literal(node.dtype, node.value, lanes2);
      case "size":
        return lanes2 === 4 ? splat(sizeExpr(node.size)) : sizeExpr(node.size);
      case "index":
        return this.position(at[0], lanes2);
      case "map":
        return this.map(node, at, lanes2);
      case "view":
        return this.view(node, at, lanes2);
      case "dispatch":
        return this.value(node.input, dispatched(node, at), lanes2);
      case "combine":
        if (node.per === "pick") {
          const slot = partOf(node.route, "slot");
          const row = read2(slot, at.slice(0, 2), node.route.bound);
          return this.guarded(
            at,
            lanes2,
            () => binary3("le", integer(0), this.value(slot, at.slice(0, 2), 1)),
            at.slice(0, 2).some(varies),
            () => this.value(node.input, [row, ...at.slice(2)], lanes2),
            node
          );
        }
        break;
      case "take":
        return this.take(node, at, lanes2);
      case "random":
        if (lanes2 === 4) return this.byLane(node, at);
        return this.random(node.stream, flatIndex(node.shape, at));
      case "input":
      case "tensor":
      case "reduce":
      case "scan":
      case "contract":
      case "choose":
      case "route":
      case "part":
        break;
      default:
        return node;
    }
    throw new Error(`internal: ${describe2(node)} is read inside a kernel but has no memory`);
  }
  load(node, memory, at, lanes2) {
    const flat2 = flatIndex(node.shape, at);
    this.sources.trace?.load?.(node, at, flat2);
    const from = memory.offset === void 0 ? flat2 : shift(flat2, memory.offset);
    const value = this.loadAt(
      from,
      lanes2,
      (index, width) => this.emitter.load(memory, index, width),
      memory.type
    );
    return node.dtype === "bool" ? binary3("ne", value, literal("i32", 0, lanes2)) : value;
  }
  /** One element, four neighbours, one in all lanes, or four apart: whatever the step of the index says. */
  loadAt(flat2, lanes2, load, type) {
    if (lanes2 === 1) return load(this.index(flat2), 1);
    const step = stepOf(flat2);
    if (step === 1) return load(this.index(flat2), 4);
    if (step === 0) return splat(load(this.index(flat2), 1));
    const lane = (i) => load(this.index(laneOf(flat2, i)), 1);
    return { op: "vector", type: `${type}x4`, lanes: [lane(0), lane(1), lane(2), lane(3)] };
  }
  /** Four scalar evaluations as one vector. */
  byLane(node, at) {
    const lane = (i) => {
      const value2 = this.value(
        node,
        at.map((a2) => laneOf(a2, i)),
        1
      );
      return node.dtype === "bool" ? cast("i32", value2) : value2;
    };
    const type = node.dtype === "f32" ? "f32x4" : "i32x4";
    const value = { op: "vector", type, lanes: [lane(0), lane(1), lane(2), lane(3)] };
    return node.dtype === "bool" ? binary3("ne", value, literal("i32", 0, 4)) : value;
  }
  position(at, lanes2) {
    this.sources.trace?.index?.(at);
    if (lanes2 === 1) return this.index(at);
    const step = stepOf(at);
    if (step === void 0) {
      const lane = (i) => this.index(laneOf(at, i));
      return { op: "vector", type: "i32x4", lanes: [lane(0), lane(1), lane(2), lane(3)] };
    }
    const first = splat(this.index(at));
    if (step === 0) return first;
    return binary3("add", first, {
      op: "vector",
      type: "i32x4",
      lanes: [integer(0), integer(step), integer(2 * step), integer(3 * step)]
    });
  }
  map(node, at, lanes2) {
    if (lanes2 === 4 && !worksOnLanes(node)) return this.byLane(node, at);
    return emitMap(
      node,
      node.inputs.map((input) => this.value(input, at, lanes2)),
      (value) => this.emitter.let(value)
    );
  }
  view(node, at, lanes2) {
    const { view, input } = node;
    switch (view.kind) {
      case "permute": {
        const from = [];
        for (const [axis, source] of view.axes.entries()) from[source] = at[axis];
        return this.value(input, from, lanes2);
      }
      case "broadcast":
        return this.value(
          input,
          view.axes.map((axis) => at[axis]),
          lanes2
        );
      case "reshape":
        return this.value(input, reshaped(node.shape, input.shape, at), lanes2);
      case "slice":
        return this.value(
          input,
          at.map((a2, axis) => axis === view.axis ? shift(a2, view.start) : a2),
          lanes2
        );
      case "pad": {
        const extent = input.shape[view.axis].size;
        const moved = subtract2(at[view.axis], fixed(view.before));
        const whole = known(extent) !== void 0 && known(extent) % 4 === 0;
        const together = whole && stepOf(moved) === 1 && multipleOf(moved) % 4 === 0;
        if (lanes2 === 4 && varies(moved) && !together) return this.byLane(node, at);
        const vector = lanes2 === 4 && together;
        this.sources.trace?.index?.(moved);
        return this.guarded(
          at,
          lanes2,
          () => binary3(
            "and",
            binary3("le", integer(0), this.index(moved)),
            binary3("lt", this.index(moved), sizeExpr(extent))
          ),
          false,
          () => {
            const clamped = upperOf(
              integer(0),
              lowerOf(this.index(moved), binary3("sub", sizeExpr(extent), integer(vector ? 4 : 1)))
            );
            const inside = this.clamped(moved, clamped, extent, vector);
            return this.value(
              input,
              at.map((a2, axis) => axis === view.axis ? inside : a2),
              lanes2
            );
          },
          node
        );
      }
      default:
        return view;
    }
  }
  clamped(a2, value, bound, vector) {
    const key = `clamp(${a2.key};${sizeKey(bound)}${vector ? ";4" : ""})`;
    const before = this.emitter.recall(key);
    const named2 = before ?? this.emitter.name(value, levelOf(a2), "x");
    this.emitter.remember(key, levelOf(a2), named2);
    if (named2.op !== "local") return fixed(number2(named2.op === "literal" ? named2.value : 0));
    return ofAtom({
      kind: "variable",
      key: named2.name,
      name: named2.name,
      level: levelOf(a2),
      multiple: vector ? 4 : 1,
      bound,
      vector,
      clamped: a2
    });
  }
  /** `inside` where the condition holds, else 0; `inside` is computed anyway and must stay in bounds. */
  guarded(at, lanes2, condition, conditionVaries, inside, node) {
    if (lanes2 === 4 && conditionVaries) return this.byLane(node, at);
    const test = condition();
    const value = inside();
    const vector = isVector(value.type);
    const zero2 = literal(node.dtype, 0, vector ? 4 : 1);
    return select(vector ? splat(test) : test, value, zero2);
  }
  take(node, at, lanes2) {
    const { ids, table, batch } = node;
    const idsAt = at.slice(0, ids.shape.length);
    const count = table.shape[batch].size;
    const id = read2(ids, idsAt, count);
    return this.guarded(
      at,
      lanes2,
      () => {
        const raw = this.value(ids, idsAt, 1);
        return binary3("and", binary3("le", integer(0), raw), binary3("lt", raw, sizeExpr(count)));
      },
      idsAt.some(varies),
      () => this.value(table, [...idsAt.slice(0, batch), id, ...at.slice(ids.shape.length)], lanes2),
      node
    );
  }
  random(stream, counter) {
    this.sources.trace?.index?.(counter);
    const scalar = (name) => {
      const memory = {
        key: `input:${name}`,
        type: "i32",
        length: number2(1),
        buffer: inputBuffer(name)
      };
      const before = this.emitter.recall(memory.key);
      if (before !== void 0) return before;
      const value = this.emitter.name(this.emitter.load(memory, integer(0)), 0);
      this.emitter.remember(memory.key, 0, value);
      return value;
    };
    return {
      op: "random",
      type: "f32",
      key0: scalar("$seed"),
      key1: scalar("$draw"),
      counter: this.index(counter),
      stream
    };
  }
};
var describe2 = (node) => `%${node.id} ${node.op} of ${node.origin.path}`;

// compiler/fuse-trace.ts
var axisName = (axis) => `i${axis}`;
var identity = (shape, prefix = "i") => shape.map((axis, i) => variable(`${prefix}${i}`, 0, { bound: axis.size }));
var nowhere = (key, type) => ({
  key,
  type,
  length: number2(1),
  buffer: { kind: "temporary", label: "", type, length: number2(1) }
});
var nowhereOf = (node) => nowhere(`%${node.id}`, node.dtype === "f32" ? "f32" : "i32");
var isSource = (node) => node.op === "input" || node.op === "tensor";
var parts3 = ["offsets", "source", "group", "slot"];
function readsOf(root, isStored, memo) {
  const { key, nodes } = signatureOf([root], {
    leaf: (node) => isSource(node) || isStored(node) ? "" : void 0
  });
  const before = memo.get(key);
  if (before !== void 0)
    return before.map(({ node, part, at }) => ({ node: nodeOf(nodes[node], part), at }));
  const numbers3 = /* @__PURE__ */ new Map();
  for (const [i, node] of nodes.entries()) {
    numbers3.set(`${node.id}`, `${i}`);
    if (node.op === "route")
      for (const part of parts3) numbers3.set(`${partOf(node, part).id}`, `${i} ${part}`);
  }
  const reads = traceReads(root, isStored).map(({ node, at }) => ({
    node,
    at: at.map((text) => text.replace(/%(-?\d+)/g, (_, id) => `%#${numbers3.get(id)}`))
  }));
  memo.set(
    key,
    reads.map(
      ({ node, at }) => node.op === "part" ? { node: nodes.indexOf(node.route), part: node.part, at } : { node: nodes.indexOf(node), part: void 0, at }
    )
  );
  return reads;
}
function nodeOf(node, part) {
  if (part !== void 0 && node?.op === "route") return partOf(node, part);
  if (node === void 0 || part !== void 0) throw new Error("internal: a signature without what it reads");
  return node;
}
function traceReads(root, isStored) {
  const reads = /* @__PURE__ */ new Map();
  const note = (node, at) => {
    const keys2 = at.map(({ key }) => key);
    reads.set(`${node.id}[${keys2.join(",")}]`, { node, at: keys2 });
  };
  const values = new Values(new KernelEmitter(), {
    memoryOf: (node) => {
      if (node === root) return void 0;
      return node.op === "part" || isSource(node) || isStored(node) ? nowhereOf(node) : void 0;
    },
    usesOf: () => 2,
    trace: { load: (node, at) => note(node, at) }
  });
  for (const axis of root.shape)
    if (axis.kind === "ragged" && root.op !== "route") note(partOf(axis.by, "offsets"), []);
  traceRoot(root, values, note);
  return [...reads.values()];
}
function traceRoot(root, values, note) {
  switch (root.op) {
    case "reduce":
    case "contract": {
      const reduction = reductionOf(root);
      for (const axis of reduction.inner) if (axis.kind === "ragged") note(partOf(axis.by, "offsets"), []);
      if (reduction.groups !== void 0) note(partOf(reduction.groups.route, "offsets"), []);
      const roles = root.op === "contract" ? contractRoles(root) : void 0;
      const [out, inner] = [identity(root.shape), identity(reduction.inner, "r")];
      if (roles === void 0 || root.op !== "contract") reduction.value(values, out, inner, 1);
      else traceContract(root, values);
      return;
    }
    case "scan":
      values.value(root.input, identity(root.shape), 1);
      return;
    case "choose":
      values.value(root.score, identity(root.score.shape), 1);
      return;
    case "route":
      values.value(root.picks, identity(root.picks.shape), 1);
      return;
    case "combine":
      if (root.per === "token") {
        const [token, ...rest] = identity(root.shape);
        const slot = partOf(root.route, "slot");
        const at = [token, variable("k", 0, { bound: slot.shape[1].size })];
        values.value(root.input, [read2(slot, at, root.route.bound), ...rest], 1);
        values.value(slot, at, 1);
        return;
      }
      break;
    case "part":
    case "input":
    case "tensor":
      note(canonical(root), identity(root.shape));
      return;
    case "const":
    case "size":
    case "index":
    case "map":
    case "view":
    case "dispatch":
    case "take":
    case "random":
      break;
    default:
      return root;
  }
  values.value(root, identity(root.shape), 1);
}
function traceContract(node, values) {
  const { labels: labels2 } = node;
  const at = (text, shape) => [...text].map((label2, i) => {
    const axis = labels2.out.indexOf(label2);
    return variable(axis >= 0 ? axisName(axis) : `r${label2}`, 0, { bound: shape[i].size });
  });
  values.value(node.a, at(labels2.a, node.a.shape), 1);
  values.value(node.b, at(labels2.b, node.b.shape), 1);
}

// compiler/fuse.ts
var defaultBindings = 8;
var mostRowElements = 16384;
var mostSiblings = 3;
var mostScratch = 4096;
var mostRowUpdate = 64;
var mostSmall = 4096;
function fuse(graph, options = {}) {
  const bindings = options.bindings ?? defaultBindings;
  const roots = new Set(rootsOf(graph));
  const nodes = nodesOf([...roots]);
  const users = /* @__PURE__ */ new Map();
  const uses = /* @__PURE__ */ new Map();
  for (const root of roots) uses.set(root, 1);
  for (const node of nodes)
    for (const operand2 of operandsOf(node)) {
      const key = canonical(operand2);
      uses.set(key, (uses.get(key) ?? 0) + 1);
      const list = users.get(key);
      if (list === void 0) users.set(key, [node]);
      else if (list.at(-1) !== node) list.push(node);
    }
  const whole = options.fuse === false;
  const stored = whole ? new Set(
    nodes.filter(
      (node) => !isSource(node) && node.op !== "part" && (node.op !== "const" || roots.has(node))
    )
  ) : chooseStored(
    nodes,
    { of: (node) => users.get(node) ?? [], isRoot: (node) => roots.has(node) },
    Math.max(2, bindings - 3)
  );
  const replaced = replacements(graph);
  const maker = new ClusterMaker({ stored, roots, replaced, bindings, whole }, options.traces ?? /* @__PURE__ */ new Map());
  for (const node of nodes) if (stored.has(node)) maker.place(node);
  return { clusters: maker.finish(), refusals: maker.refusals, nodes, uses, reads: maker.reads, replaced };
}
function replacements(graph) {
  const outputs = new Set(graph.outputs.map(({ node }) => node));
  const copied = /* @__PURE__ */ new Set();
  const used = /* @__PURE__ */ new Map();
  for (const node of [...outputs, ...graph.updates.map((update) => update.node)])
    if (node.op === "tensor") copied.add(node.name);
  for (const { node } of graph.updates) used.set(node, (used.get(node) ?? 0) + 1);
  const replaced = /* @__PURE__ */ new Map();
  for (const { tensor: tensor2, node } of graph.updates)
    if (!outputs.has(node) && !copied.has(tensor2) && used.get(node) === 1) replaced.set(node, tensor2);
  return replaced;
}
var titleOf = (node) => node.op === "map" ? node.fn : node.op;
var ClusterMaker = class {
  refusals = [];
  drafts = [];
  clusterOf = /* @__PURE__ */ new Map();
  reads = /* @__PURE__ */ new Map();
  /** Stored nodes that read a node. */
  readers = /* @__PURE__ */ new Map();
  tensorReaders = /* @__PURE__ */ new Map();
  draftsReading = /* @__PURE__ */ new Map();
  siblings = /* @__PURE__ */ new Map();
  roots;
  replaced;
  bindings;
  whole;
  constructor({ stored, roots, replaced, bindings, whole }, traces) {
    this.roots = roots;
    this.replaced = replaced;
    this.bindings = bindings;
    this.whole = whole;
    for (const node of stored) {
      const reads = readsOf(node, (other) => stored.has(other), traces);
      this.reads.set(node, reads);
      for (const { node: leaf } of reads) {
        const maker = makerOf(leaf);
        const readers2 = this.readers.get(maker);
        if (readers2 === void 0) this.readers.set(maker, /* @__PURE__ */ new Set([node]));
        else readers2.add(node);
        if (leaf.op !== "tensor") continue;
        const tensorReaders = this.tensorReaders.get(leaf.name);
        if (tensorReaders === void 0) this.tensorReaders.set(leaf.name, /* @__PURE__ */ new Set([node]));
        else tensorReaders.add(node);
      }
    }
  }
  place(node) {
    const draft = (this.whole ? void 0 : this.join(node)) ?? this.open(node);
    draft.members.push(node);
    this.clusterOf.set(node, draft);
    for (const { node: leaf } of this.reads.get(node)) {
      if (this.clusterOf.get(makerOf(leaf)) === draft) continue;
      if (draft.reads.has(leaf)) continue;
      draft.reads.add(leaf);
      const list = this.draftsReading.get(leaf);
      if (list === void 0) this.draftsReading.set(leaf, [draft]);
      else list.push(draft);
    }
  }
  open(node) {
    const draft = {
      kind: kindOf(node),
      index: this.drafts.length,
      members: [],
      reads: /* @__PURE__ */ new Set(),
      rank: rowRankOf(node)
    };
    this.drafts.push(draft);
    if (node.op === "contract" && draft.kind === "contract") this.siblings.set(siblingKey(node), draft);
    return draft;
  }
  join(node) {
    const kind = kindOf(node);
    if (kind === "contract") return this.joinSibling(node);
    if (kind !== "map" && kind !== "row") return void 0;
    let last = -1;
    for (const { node: leaf } of this.reads.get(node))
      last = Math.max(last, this.clusterOf.get(makerOf(leaf))?.index ?? -1);
    const producer = this.drafts[last];
    if (producer !== void 0) {
      const reason = this.fits(node, producer);
      if (reason === void 0) return producer;
      if (reason !== "") this.refuse(node, producer, reason);
    }
    for (const { node: leaf } of this.reads.get(node)) {
      const candidates = this.draftsReading.get(leaf) ?? [];
      for (let i = candidates.length - 1; i >= Math.max(0, candidates.length - 4); i--) {
        const candidate = candidates[i];
        if (candidate.index <= last || candidate.kind !== kind) continue;
        if (this.fits(node, candidate) === void 0 && this.readsAlike(node, candidate, leaf))
          return candidate;
      }
    }
    return void 0;
  }
  joinSibling(node) {
    const draft = this.siblings.get(siblingKey(node));
    if (draft === void 0 || draft.members.some((member2) => member2.op !== "contract")) return void 0;
    if (draft.members.length >= mostSiblings) return void 0;
    for (const { node: leaf } of this.reads.get(node))
      if ((this.clusterOf.get(makerOf(leaf))?.index ?? -1) >= draft.index) return void 0;
    const count = this.countBindings(draft, node);
    if (count <= this.bindings) return draft;
    this.refuse(node, draft, `${count} bindings, at most ${this.bindings}`);
    return void 0;
  }
  /** Why a node may not join a cluster: undefined when it may, "" when there is nothing to tell. */
  fits(node, draft) {
    const members = new Set(draft.members);
    const first = draft.members[0];
    const kind = kindOf(node);
    if (draft.kind === "map" || draft.kind === "contract") {
      if (kind !== "map" || !sameShape(node.shape, first.shape)) return "";
      for (const { node: leaf, at } of this.reads.get(node))
        if (members.has(leaf) && !at.every((key, axis) => key === axisName(axis)))
          return `it reads ${titleOf(leaf)} at other places than its own`;
      if (draft.kind === "contract" && node.op === "combine") return "";
    } else if (draft.kind === "row") {
      const { rank } = draft;
      if (node.op === "combine" || kind === "row" && rowRankOf(node) < rank) return "";
      if (node.shape.length < rank || !sameShape(node.shape.slice(0, rank), first.shape.slice(0, rank)))
        return "";
      if (kind === "row" && rowRankOf(node) !== rank && !(isReduction2(node) && isSmallReduction(node, rank)))
        return "";
      for (const { node: leaf, at } of this.reads.get(node))
        if (members.has(leaf) && !at.slice(0, rank).every((key, axis) => key === axisName(axis)))
          return `it reads ${titleOf(leaf)} of other rows than its own`;
      if (this.replaced.has(node) && elements(node.shape) > mostRowUpdate) return "";
      const inner = elements(node.shape.slice(rank));
      if (inner > mostRowElements || elements(node.shape.slice(0, rank)) < 16 && inner > 1024)
        return `its rows of ${inner} elements need more parallelism than one row at a time`;
    } else return "";
    const count = this.countBindings(draft, node);
    return count <= this.bindings ? void 0 : `${count} bindings, at most ${this.bindings}`;
  }
  readsAlike(node, draft, leaf) {
    if (elements(leaf.shape) < 64) return false;
    const of = (reader) => new Set(
      this.reads.get(reader).filter((read3) => read3.node === leaf).map(({ at }) => at.slice(0, draft.kind === "row" ? draft.rank : at.length).join(","))
    );
    const own = of(node);
    return draft.members.some((member2) => [...of(member2)].some((key) => own.has(key)));
  }
  countBindings(draft, extra) {
    const members = /* @__PURE__ */ new Set([...draft.members, extra]);
    const bound = /* @__PURE__ */ new Set();
    const bind2 = (node, maker) => void bound.add(
      isPacked(maker.kind, node) && !this.roots.has(node) ? `results of ${maker.index}` : node
    );
    const over = this.replacedBy(draft, members);
    const read3 = (leaf) => {
      if (members.has(makerOf(leaf)) || leaf.op === "tensor" && over.has(leaf.name)) return;
      const maker = this.clusterOf.get(leaf);
      if (maker === void 0) bound.add(leaf);
      else bind2(leaf, maker);
    };
    draft.reads.forEach(read3);
    for (const { node: leaf } of this.reads.get(extra)) read3(leaf);
    for (const member2 of members) if (this.isOutput(member2, members, draft)) bind2(member2, draft);
    return bound.size;
  }
  /** Tensors that members of an element-wise cluster will overwrite: nobody else reads them later, and members read them
   * where they write them. */
  replacedBy(draft, members) {
    const names = /* @__PURE__ */ new Set();
    if (draft.kind !== "map") return names;
    for (const member2 of members) {
      const tensor2 = this.replaced.get(member2);
      if (tensor2 === void 0) continue;
      const safe = [...this.tensorReaders.get(tensor2) ?? []].every(
        (reader) => members.has(reader) ? readsInPlace(this.reads.get(reader), tensor2, member2) : (this.clusterOf.get(reader)?.index ?? Infinity) < draft.index
      );
      if (safe) names.add(tensor2);
    }
    return names;
  }
  isOutput(node, members, { kind, rank }) {
    if (this.roots.has(node) || kind === "row" && isWideArray(node, rank)) return true;
    for (const reader of this.readers.get(node) ?? []) if (!members.has(reader)) return true;
    return false;
  }
  refuse(node, draft, reason) {
    const other = draft.members.map(titleOf).join(", ");
    this.refusals.push(`${node.origin.path}: ${titleOf(node)} not joined with ${other}: ${reason}`);
  }
  finish() {
    return this.drafts.map((draft) => {
      const { kind, members, rank } = draft;
      const all2 = new Set(members);
      return { kind, members, rank, outputs: members.filter((member2) => this.isOutput(member2, all2, draft)) };
    });
  }
};
var isPacked = (kind, node) => kind === "contract" && node.dtype === "f32";
var readsInPlace = (reads, tensor2, node) => reads.every(
  (read3) => read3.node.op !== "tensor" || read3.node.name !== tensor2 || sameShape(read3.node.shape, node.shape) && read3.at.every((key, axis) => key === axisName(axis))
);
var makerOf = (node) => node.op === "part" ? node.route : node;
function kindOf(node) {
  switch (node.op) {
    case "reduce":
      return reductionOf(node).trailing || isSmallReduction(node, rowRankOf(node)) ? "row" : "column";
    case "choose":
      return "row";
    case "scan":
      return node.axis === node.shape.length - 1 ? "row" : "scan";
    case "contract":
      if (contractRoles(node) !== void 0) return "contract";
      return reductionOf(node).trailing || isSmallReduction(node, rowRankOf(node)) ? "row" : "column";
    case "route":
      return "route";
    case "combine":
    case "map":
    case "view":
    case "const":
    case "size":
    case "index":
    case "dispatch":
    case "take":
    case "random":
    case "input":
    case "tensor":
    case "part":
      return "map";
    default:
      return node;
  }
}
function rowRankOf(node) {
  if (node.op === "reduce") return reductionOf(node).trailing ? node.shape.length : node.axes[0];
  if (node.op === "contract") return reductionOf(node).trailing ? node.shape.length : node.shape.length - 1;
  if (node.op === "choose" || node.op === "scan") return node.shape.length - 1;
  return 0;
}
function isWideArray(node, rank) {
  if (node.op === "map" || node.shape.length === rank) return false;
  const count = known(product(node.shape.slice(rank).map(({ size }) => size)));
  return count === void 0 || count > mostScratch;
}
function isSmallReduction(node, rank) {
  const { inner, groups } = reductionOf(node);
  if (rank === 0 || groups !== void 0 || inner.some(({ kind }) => kind === "ragged")) return false;
  if (node.op === "reduce" && node.axes[0] < rank) return false;
  const array = node.shape.slice(rank);
  if (array.some(({ kind }) => kind === "ragged")) return false;
  return elements(node.shape.slice(0, rank)) >= 64 && elements(array) * elements(inner) <= mostSmall;
}
function siblingKey(node) {
  const roles = contractRoles(node);
  const left = roles.left === "a" ? node.a : node.b;
  const shape = node.shape.map((axis) => sizeKey(axis.size)).join(",");
  return `${left.id} ${roles.left} ${node.labels.a},${node.labels.b}->${node.labels.out} ${node.ragged?.row ?? ""} ${shape}`;
}

// compiler/lower/context.ts
var elementOf = (node) => node.dtype === "f32" ? "f32" : "i32";
var temporaries = 0;
function temporary(label2, type, length) {
  const buffer = { kind: "temporary", label: label2, type, length };
  return { key: `temporary:${temporaries++}`, type, length, buffer };
}
function sourceMemory(node) {
  if (node.op !== "input" && node.op !== "tensor") return void 0;
  const length = node.shape.reduce((size, axis) => times(size, axis.size), number2(1));
  if (node.op === "input")
    return { key: `input:${node.name}`, type: elementOf(node), length, buffer: inputBuffer(node.name) };
  return { key: `tensor:${node.name}`, type: elementOf(node), length, buffer: tensorBuffer(node.name) };
}
var tensors = /* @__PURE__ */ new Map();
function tensorBuffer(name) {
  let buffer = tensors.get(name);
  if (buffer === void 0) tensors.set(name, buffer = { kind: "tensor", name });
  return buffer;
}
var ClusterKernel = class {
  emitter = new KernelEmitter();
  values;
  context;
  cluster;
  hidden;
  constructor(context2, cluster, trace) {
    this.context = context2;
    this.cluster = cluster;
    this.hidden = new Set(cluster.members);
    this.values = new Values(this.emitter, {
      memoryOf: (node) => this.hidden.has(node) ? void 0 : context2.memories.get(node),
      usesOf: (node) => context2.fusion.uses.get(node) ?? 1,
      ...trace === void 0 ? {} : { trace }
    });
  }
  /** From now on the node is read from its memory. */
  reveal(node) {
    this.hidden.delete(node);
  }
  memoryOf(node) {
    const memory = this.context.memories.get(node);
    if (memory === void 0) throw new Error(`internal: %${node.id} ${node.op} has no memory to write`);
    return memory;
  }
  /** Rows of a routing that are really there. */
  rowCount(route) {
    return this.values.value(partOf(route, "offsets"), [fixed(number2(route.groups))], 1);
  }
  finish(what, grid, multiplyAdds) {
    const first = this.cluster.members[0];
    const { kernel, buffers } = this.emitter.finish({
      name: kernelName(first.origin.path, what),
      grid,
      ...multiplyAdds === void 0 ? {} : { multiplyAdds }
    });
    this.context.made.push({ kernel, buffers, title: what });
  }
};
function kernelName(path, what) {
  const parts5 = [...path.split("."), what].filter((part) => part !== "" && !/^\d+$/.test(part));
  return parts5.join("_").replaceAll(/[^A-Za-z0-9_]+/g, "_").slice(0, 64);
}
function titleOf2(cluster) {
  const counts = /* @__PURE__ */ new Map();
  for (const member2 of cluster.members) {
    const title = member2.op === "map" ? member2.fn : member2.op === "reduce" ? member2.fn : member2.op;
    counts.set(title, (counts.get(title) ?? 0) + 1);
  }
  const titles = [...counts].map(([title, count]) => count === 1 ? title : `${title} x${count}`);
  return titles.slice(0, 6).join(", ");
}

// compiler/lower/accumulate.ts
var identityOf = (fn) => fn === "sum" ? 0 : fn === "max" ? -Infinity : Infinity;
var combineOf = (fn) => fn === "sum" ? "add" : fn;
var initialOf = (fn, type, lanes2) => literal(
  type,
  type === "i32" && fn !== "sum" ? fn === "max" ? -2147483648 : 2147483647 : identityOf(fn),
  lanes2
);
function accumulate(kernel, fn, type, loop2) {
  const { emitter } = kernel;
  const vector = emitter.var(initialOf(fn, type, 4));
  const scalar = emitter.var(initialOf(fn, type, 1));
  const used = { 1: false, 4: false };
  loop2((value, lanes3) => {
    used[lanes3] = true;
    const into = lanes3 === 4 ? vector : scalar;
    into.set(binary3(combineOf(fn), into.get, value));
  });
  if (!used[4]) return emitter.let(scalar.get);
  const join2 = (a2, b2) => binary3(combineOf(fn), a2, b2);
  const lanes2 = join2(
    join2(extract(vector.get, 0), extract(vector.get, 1)),
    join2(extract(vector.get, 2), extract(vector.get, 3))
  );
  return emitter.let(used[1] ? join2(lanes2, scalar.get) : lanes2);
}

// compiler/lower/space.ts
var sizeOf2 = (shape) => shape.reduce((size, axis) => times(size, axis.size), number2(1));
var taskElements = 8192;
function joinable(shape, names, indices) {
  if (shape.length === 0) return 0;
  let count = 1;
  for (let axis = shape.length - 2; axis >= 0; axis--, count++) {
    if (shape[axis].kind === "ragged" || shape[axis + 1].kind === "ragged") return count;
    const [outer, inner] = [names[axis], names[axis + 1]];
    const size = shape[axis + 1].size;
    for (const index of indices) {
      const next = sizeKey(times(coefficientOf(index, inner), size));
      if (sizeKey(coefficientOf(index, outer)) !== next) return count;
    }
  }
  return count;
}
var coefficientOf = (index, name) => index.terms.find(({ atom }) => atom.key === name)?.coefficient ?? [];
function split(shape, flat2) {
  const at = [];
  let rest = flat2;
  for (let axis = shape.length - 1; axis > 0; axis--) {
    const { quotient, remainder } = divide(rest, shape[axis].size);
    at[axis] = remainder;
    rest = quotient;
  }
  if (shape.length > 0) at[0] = rest;
  return at;
}
function overRows(kernel, shape, rowsPerTask, body) {
  const { emitter } = kernel;
  const rows2 = sizeOf2(shape);
  if (shape.length === 0) {
    body([]);
    return number2(1);
  }
  const first = shape[0];
  let limit2 = sizeExpr(rows2);
  if (first.kind === "ragged") {
    const others = sizeOf2(shape.slice(1));
    limit2 = emitter.let(binary3("mul", kernel.rowCount(first.by), sizeExpr(others)), "n");
  }
  const walk2 = (flat2) => guardRows(kernel, shape, flat2, 1, body);
  const count = known(rows2);
  const perTask = count === void 0 ? rowsPerTask : Math.min(rowsPerTask, count);
  if (perTask === 1) {
    const name = emitter.fresh("i");
    emitter.push({ op: "let", name, value: { op: "workgroup", type: "i32" } });
    const row = () => walk2(variable(name, emitter.depth, { bound: rows2 }));
    if (first.kind === "ragged") emitter.if(binary3("lt", { op: "local", type: "i32", name }, limit2), row);
    else row();
    return rows2;
  }
  const grid = ceilDivide(rows2, number2(perTask));
  const from = emitter.let(binary3("mul", { op: "workgroup", type: "i32" }, integer(perTask)), "f");
  const to = lowerOf(binary3("add", from, integer(perTask)), limit2);
  emitter.for({ from, to, bound: rows2 }, walk2);
  return grid;
}
function guardRows(kernel, shape, flat2, from, body) {
  const { emitter, values } = kernel;
  const at = split(shape, flat2);
  let inside;
  for (let axis = from; axis < shape.length; axis++) {
    const each = shape[axis];
    if (each.kind !== "ragged") continue;
    const test = binary3("lt", values.index(at[axis]), kernel.rowCount(each.by));
    inside = inside === void 0 ? test : binary3("and", inside, test);
  }
  if (inside === void 0) return body(at);
  emitter.if(inside, () => {
    const name = emitter.fresh("i");
    emitter.push({ op: "let", name, value: values.index(flat2) });
    body(split(shape, variable(name, emitter.depth, { bound: sizeOf2(shape) })));
  });
}
function rowsForTask(inner, work = 1) {
  return Math.max(1, Math.floor(taskElements / Math.max(1, inner * work)));
}
function overInner(kernel, shape, joined, body) {
  const { emitter } = kernel;
  const nest = (axis, at) => {
    if (axis < shape.length - joined) {
      const each2 = shape[axis];
      emitter.for(
        { to: extentOf(kernel, each2), bound: each2.size },
        (index) => nest(axis + 1, [...at, index])
      );
      return;
    }
    const last = shape.slice(axis);
    if (last.length === 0) {
      body(at, 1);
      return;
    }
    const size = sizeOf2(last);
    const each = (flat2, lanes2) => body([...at, ...split(last, flat2)], lanes2);
    if (last[0].kind === "ragged")
      emitter.lanesFrom(integer(0), extentOf(kernel, last[0]), size, each, true);
    else emitter.lanes(size, each);
  };
  nest(0, []);
}
function extentOf(kernel, axis) {
  return axis.kind === "ragged" ? kernel.rowCount(axis.by) : sizeExpr(axis.size);
}
var elementsOf = (shape) => shape.reduce((count, axis) => count * estimate(axis.size), 1);

// compiler/lower/column.ts
var wide = 4;
function lowerColumn(context2, cluster) {
  const node = cluster.members[0];
  if (!isReduction2(node)) throw new Error(`internal: a column cluster of ${node.op}`);
  const reduction = reductionOf(node);
  const kernel = new ClusterKernel(context2, cluster);
  const { shape } = node;
  const depth = elementsOf(reduction.inner) / Math.max(1, reduction.groups?.route.groups ?? 1);
  const last = shape.at(-1);
  const vector = last !== void 0 && last.kind === "dense" && reduction.groups?.axis !== shape.length - 1 && (known(last.size) ?? 4) >= 4;
  if (!vector) {
    const grid = overRows(kernel, shape, rowsForTask(depth), (at) => reduceAt(kernel, reduction, at, [0], 1));
    kernel.finish(titleOf2(cluster), grid);
    return;
  }
  const outer = shape.slice(0, -1);
  const columns = known(last.size);
  const step = columns !== void 0 && columns % (4 * wide) === 0 ? 4 * wide : 4;
  const offsets = Array.from({ length: step / 4 }, (_, i) => 4 * i);
  const perTask = Math.max(step, Math.ceil(taskElements / depth / step) * step);
  if (columns === void 0 || columns <= perTask) {
    const grid = overRows(kernel, outer, rowsForTask(depth * (columns ?? 64)), (at) => {
      if (step > 4)
        kernel.emitter.for(
          { to: sizeExpr(last.size), step, multiple: step, bound: last.size, vector: true },
          (index) => reduceAt(kernel, reduction, [...at, index], offsets, 4)
        );
      else
        kernel.emitter.lanes(
          last.size,
          (index, lanes2) => reduceAt(kernel, reduction, [...at, index], [0], lanes2)
        );
    });
    kernel.finish(titleOf2(cluster), grid);
    return;
  }
  columnBlocks(kernel, cluster, reduction, { outer, columns, perTask, step, offsets });
}
function columnBlocks(kernel, cluster, reduction, about) {
  const { outer, columns, perTask, step, offsets } = about;
  const { emitter } = kernel;
  const blocks = Math.ceil(columns / perTask);
  const task = { op: "workgroup", type: "i32" };
  const block = emitter.let(binary3("mod", task, integer(blocks)), "f");
  const from = emitter.let(binary3("mul", block, integer(perTask)), "f");
  const to = emitter.let(lowerOf(binary3("add", from, integer(perTask)), integer(columns)), "e");
  const body = (at) => {
    if (step > 4)
      emitter.for(
        { from, to, step, multiple: 4, bound: number2(columns), vector: true },
        (index) => reduceAt(kernel, reduction, [...at, index], offsets, 4)
      );
    else
      emitter.lanesFrom(
        from,
        to,
        number2(columns),
        (index, lanes2) => reduceAt(kernel, reduction, [...at, index], [0], lanes2)
      );
  };
  const rows2 = sizeOf2(outer);
  const row = emitter.let(binary3("div", task, integer(blocks)), "i");
  guardRows(kernel, outer, emitter.given(row, { bound: rows2 }), 0, body);
  kernel.finish(titleOf2(cluster), multiply(rows2, number2(blocks)));
}
function reduceAt(kernel, reduction, at, offsets, lanes2) {
  const { node, fn, inner, groups } = reduction;
  const { emitter, values } = kernel;
  const type = elementOf(node);
  const sums = offsets.map(() => emitter.var(initialOf(fn, type, lanes2)));
  const placeOf3 = (offset) => offset === 0 ? at : [...at.slice(0, -1), shift(at.at(-1), number2(offset))];
  const nest = (axis, reduced) => {
    const each = inner[axis];
    if (each === void 0) {
      for (const [i, offset] of offsets.entries()) {
        const value = reduction.value(values, placeOf3(offset), reduced, lanes2);
        sums[i].set(binary3(combineOf(fn), sums[i].get, value));
      }
      return;
    }
    const range4 = axis === 0 && groups !== void 0 ? groupRange(kernel, groups, at) : { from: integer(0), to: extentOf(kernel, each) };
    emitter.for({ ...range4, bound: each.size, hint: "r" }, (index) => nest(axis + 1, [...reduced, index]));
  };
  nest(0, []);
  for (const [i, offset] of offsets.entries())
    values.store(kernel.memoryOf(node), flatIndex(node.shape, placeOf3(offset)), sums[i].get);
}
function groupRange(kernel, groups, at) {
  const offsets = partOf(groups.route, "offsets");
  const group = at[groups.axis];
  const read3 = (index) => kernel.values.value(offsets, [index], 1);
  return { from: read3(group), to: read3(shift(group, number2(1))) };
}

// compiler/schedule/expr.ts
var int = (value) => ({ op: "literal", type: "i32", value });
var float2 = (value) => ({ op: "literal", type: "f32", value });
var zero4 = { op: "splat", type: "f32x4", a: float2(0) };
function sizeOf3(size) {
  const value = known(size);
  return value === void 0 ? { op: "size", type: "i32", size } : int(value);
}
var literalOf = (a2) => a2.op === "literal" ? a2.value : void 0;
var binary4 = (fn, a2, b2) => ({
  op: "binary",
  type: "i32",
  fn,
  a: a2,
  b: b2
});
function splitSum(a2) {
  if (a2.op === "literal") return { rest: void 0, constant: a2.value };
  if (a2.op === "binary" && a2.fn === "add" && a2.type === "i32" && a2.b.op === "literal")
    return { rest: a2.a, constant: a2.b.value };
  return { rest: a2, constant: 0 };
}
function add3(...terms) {
  let rest;
  let constant2 = 0;
  for (const term of terms) {
    const split2 = splitSum(term);
    constant2 += split2.constant;
    if (split2.rest !== void 0) rest = rest === void 0 ? split2.rest : binary4("add", rest, split2.rest);
  }
  if (rest === void 0) return int(constant2);
  return constant2 === 0 ? rest : binary4("add", rest, int(constant2));
}
function subtract3(a2, b2) {
  const right = literalOf(b2);
  return right === void 0 ? binary4("sub", a2, b2) : add3(a2, int(-right));
}
function multiply2(a2, b2) {
  const x = literalOf(a2);
  const y = literalOf(b2);
  if (x !== void 0 && y !== void 0) return int(x * y);
  if (x !== void 0) return multiply2(b2, a2);
  if (y === 0) return int(0);
  if (y === 1) return a2;
  if (y !== void 0 && a2.op === "binary" && a2.fn === "add" && a2.b.op === "literal")
    return add3(multiply2(a2.a, b2), int(a2.b.value * y));
  return binary4("mul", a2, b2);
}
function divide2(a2, b2) {
  const x = literalOf(a2);
  const y = literalOf(b2);
  if (x !== void 0 && y !== void 0) return int(Math.floor(x / y));
  return y === 1 ? a2 : binary4("div", a2, b2);
}
function modulo(a2, b2) {
  const x = literalOf(a2);
  const y = literalOf(b2);
  if (x !== void 0 && y !== void 0) return int(x % y);
  return y === 1 ? int(0) : binary4("mod", a2, b2);
}
function minimum2(a2, b2) {
  const x = literalOf(a2);
  const y = literalOf(b2);
  return x !== void 0 && y !== void 0 ? int(Math.min(x, y)) : binary4("min", a2, b2);
}
function maximum2(a2, b2) {
  const x = literalOf(a2);
  const y = literalOf(b2);
  return x !== void 0 && y !== void 0 ? int(Math.max(x, y)) : binary4("max", a2, b2);
}
var roundUp = (a2, step) => multiply2(divide2(add3(a2, int(step - 1)), int(step)), int(step));
var roundDown = (a2, step) => multiply2(divide2(a2, int(step)), int(step));
var ceilDivide2 = (a2, b2) => divide2(add3(a2, b2, int(-1)), b2);
function compare(fn, a2, b2, holds) {
  const x = literalOf(a2);
  const y = literalOf(b2);
  if (x !== void 0 && y !== void 0) return { op: "literal", type: "bool", value: holds(x, y) ? 1 : 0 };
  return { op: "binary", type: "bool", fn, a: a2, b: b2 };
}
var less = (a2, b2) => compare("lt", a2, b2, (x, y) => x < y);
var equal = (a2, b2) => compare("eq", a2, b2, (x, y) => x === y);
function both(a2, b2) {
  const [x, y] = [literalOf(a2), literalOf(b2)];
  if (x === 0 || y === 1) return a2;
  return y === 0 || x === 1 ? b2 : { op: "binary", type: "bool", fn: "and", a: a2, b: b2 };
}
function selectInt(condition, a2, b2) {
  const decided = literalOf(condition);
  return decided === void 0 ? { op: "select", type: "i32", condition, a: a2, b: b2 } : decided !== 0 ? a2 : b2;
}
var local2 = (name, type = "i32") => ({
  op: "local",
  type,
  name
});
var loadFloat = (buffer, index) => ({ op: "load", type: "f32", buffer, index });
var loadVector = (buffer, index) => ({
  op: "load",
  type: "f32x4",
  buffer,
  index
});
var splat2 = (a2) => ({ op: "splat", type: "f32x4", a: a2 });
var multiplyAdd4 = (a2, b2, c2) => ({ op: "fma", type: "f32x4", a: a2, b: b2, c: c2 });
var store = (buffer, index, value) => ({
  op: "store",
  buffer,
  index,
  value
});
var setLocal = (name, value) => ({ op: "set", name, value });
function letInt(fresh, into, hint, value) {
  if (value.op === "literal" || value.op === "local") return value;
  const name = fresh(hint);
  into.push({ op: "let", name, value });
  return local2(name);
}
function loop(fresh, into, hint, from, to, step, fill) {
  const first = literalOf(from);
  const end = literalOf(to);
  if (first !== void 0 && end !== void 0) {
    if (end <= first) return;
    if (end <= first + step) return fill(from, into);
  }
  const name = fresh(hint);
  const body = [];
  fill(local2(name), body);
  if (body.length > 0) into.push({ op: "for", name, from, to, step, body });
}
function branch2(into, condition, then, otherwise2) {
  const decided = literalOf(condition);
  if (decided !== void 0) return decided !== 0 ? then(into) : otherwise2?.(into);
  const thenBody = [];
  then(thenBody);
  const otherBody = [];
  otherwise2?.(otherBody);
  if (thenBody.length + otherBody.length > 0)
    into.push({ op: "if", condition, then: thenBody, otherwise: otherBody });
}

// compiler/schedule/contract-micro.ts
function emitMicroKernel(micro, into) {
  const { fresh } = micro;
  const sums = Array.from(
    { length: micro.rows },
    () => Array.from({ length: micro.vectors }, () => fresh("sum"))
  );
  const eachSum = (visit) => sums.forEach(
    (row, r) => row.forEach((name, v) => visit(name, add3(micro.tileBase, int(r * micro.tileStride + v * 4))))
  );
  eachSum((name) => into.push({ op: "var", name, value: zero4 }));
  branch2(
    into,
    micro.goOn,
    (body) => eachSum((name, place2) => body.push(setLocal(name, loadVector(micro.tile, place2))))
  );
  const step = (k, body) => {
    const read3 = micro.b(k, body);
    const columns = Array.from({ length: micro.vectors }, (_, v) => {
      const name = fresh("b");
      body.push({ op: "let", name, value: read3(v) });
      return local2(name, "f32x4");
    });
    if (micro.keep !== void 0) columns.forEach((column, v) => body.push(micro.keep(k, v, column)));
    for (let r = 0; r < micro.rows; r++) {
      const name = fresh("a");
      body.push({ op: "let", name, value: splat2(micro.a(r, k, body)) });
      columns.forEach((column, v) => {
        const sum = sums[r][v];
        body.push(setLocal(sum, multiplyAdd4(local2(name, "f32x4"), column, local2(sum, "f32x4"))));
      });
    }
  };
  loop(fresh, into, "k", int(0), micro.depth, 1, step);
  eachSum((name, place2) => into.push(store(micro.tile, place2, local2(name, "f32x4"))));
}

// compiler/schedule/contract-stage.ts
function stageRows(stage2, padded, stride, into) {
  const { fresh, operand: operand2, block } = stage2;
  const last = letInt(fresh, into, "lastRow", subtract3(stage2.outerCount, int(1)));
  loop(fresh, into, "row", int(0), padded, 1, (row, body) => {
    const read3 = operand2.open(stage2.place, rowAt(stage2.outer, row, last, stage2.outerCount, padded), body);
    const base = letInt(fresh, body, "rowAt", multiply2(row, int(stride)));
    copyAlong(
      fresh,
      body,
      stage2.kCount,
      (k, lanes2, inner) => inner.push(store(block, add3(base, k), read3(add3(stage2.k, k), lanes2, inner)))
    );
  });
}
var rowAt = (first, row, last, count, padded) => count === padded ? add3(first, row) : add3(first, minimum2(row, last));
function copyAlong(fresh, into, count, copy) {
  const length = literalOf(count);
  const unroll = length === void 0 ? 1 : length % 16 === 0 ? 4 : length % 8 === 0 ? 2 : 1;
  const whole = letInt(fresh, into, "whole", roundDown(count, 4));
  loop(fresh, into, "at", int(0), whole, 4 * unroll, (at, body) => {
    for (let i = 0; i < unroll; i++) copy(add3(at, int(4 * i)), 4, body);
  });
  loop(fresh, into, "at", whole, count, 1, (at, body) => copy(at, 1, body));
}
function withWhole(run2, count, fresh, into) {
  const there = divide2(maximum2(int(0), subtract3(count, run2.first)), int(run2.width));
  return { ...run2, whole: letInt(fresh, into, "whole", minimum2(run2.count, there)) };
}
function panelsOf(count, stride12, stride8, fresh, into) {
  const vectors = letInt(fresh, into, "vectors", ceilDivide2(count, int(4)));
  const rest = letInt(fresh, into, "restVectors", modulo(vectors, int(3)));
  const two = selectInt(less(int(1), vectors), int(2), int(1));
  const eights = letInt(
    fresh,
    into,
    "eights",
    selectInt(equal(rest, int(0)), int(0), selectInt(equal(rest, int(1)), two, int(1)))
  );
  const twelves = letInt(
    fresh,
    into,
    "twelves",
    divide2(maximum2(int(0), subtract3(vectors, multiply2(eights, int(2)))), int(3))
  );
  const first = letInt(fresh, into, "eightFrom", multiply2(twelves, int(12)));
  const at = letInt(fresh, into, "eightAt", multiply2(twelves, int(stride12)));
  const runs = [
    { width: 12, count: twelves, first: int(0), at: int(0), stride: stride12 },
    { width: 8, count: eights, first, at, stride: stride8 }
  ];
  return runs.filter((run2) => literalOf(run2.count) !== 0).map((run2) => withWhole(run2, count, fresh, into));
}
function stagePanels(stage2, runs, only, into) {
  const { fresh, operand: operand2, block } = stage2;
  loop(fresh, into, "k", int(0), stage2.kCount, 1, (k, body) => {
    const read3 = operand2.open(stage2.place, add3(stage2.k, k), body);
    for (const run2 of runs) {
      const { width, whole } = run2;
      const base = letInt(fresh, body, "kAt", add3(run2.at, multiply2(k, int(width))));
      const first = letInt(fresh, body, "from", add3(stage2.outer, run2.first));
      loop(fresh, body, "panel", int(0), only === "all" ? whole : int(0), 1, (panel, inner) => {
        const from = add3(first, multiply2(panel, int(width)));
        const to = letInt(fresh, inner, "to", add3(base, multiply2(panel, int(run2.stride))));
        for (let v = 0; v < width; v += 4)
          inner.push(store(block, add3(to, int(v)), read3(add3(from, int(v)), 4, inner)));
      });
      const last = subtract3(stage2.outerCount, int(1));
      loop(fresh, body, "edge", whole, run2.count, 1, (panel, outer) => {
        const to = letInt(fresh, outer, "to", add3(base, multiply2(panel, int(run2.stride))));
        const column = letInt(fresh, outer, "column", add3(run2.first, multiply2(panel, int(width))));
        loop(fresh, outer, "lane", int(0), int(width), 1, (lane, inner) => {
          const from = letInt(fresh, inner, "at", add3(stage2.outer, minimum2(add3(column, lane), last)));
          inner.push(store(block, add3(to, lane), read3(from, 1, inner)));
        });
      });
    }
  });
}
function stageTransposed(stage2, runs, into) {
  for (const run2 of runs)
    loop(stage2.fresh, into, "panel", int(0), run2.count, 1, (panel, body) => {
      const at = letInt(stage2.fresh, body, "panelAt", add3(run2.at, multiply2(panel, int(run2.stride))));
      for (let v = 0; v < run2.width; v += 4)
        transposeFour(
          stage2,
          add3(run2.first, multiply2(panel, int(run2.width)), int(v)),
          add3(at, int(v)),
          run2.width,
          body
        );
    });
}
function transposeFour(stage2, first, at, width, body) {
  const { fresh, operand: operand2, block } = stage2;
  const lanes2 = [0, 1, 2, 3];
  const count = literalOf(stage2.outerCount);
  const last = subtract3(stage2.outerCount, int(1));
  const readers2 = lanes2.map((j) => {
    const column = add3(first, int(j));
    const covered = count !== void 0 && count % 4 === 0 && count > 4;
    const inside = covered ? column : minimum2(column, last);
    return operand2.open(stage2.place, letInt(fresh, body, "column", add3(stage2.outer, inside)), body);
  });
  const single = (k, inner) => {
    const from = add3(stage2.k, k);
    const values = readers2.map((read3) => read3(from, 1, inner));
    const to = add3(at, multiply2(k, int(width)));
    if (operand2.plain) lanes2.forEach((j) => inner.push(store(block, add3(to, int(j)), values[j])));
    else inner.push(store(block, to, { op: "vector", type: "f32x4", lanes: values }));
  };
  if (operand2.plain) return loop(fresh, body, "k", int(0), stage2.kCount, 1, single);
  const whole = letInt(fresh, body, "whole", roundDown(stage2.kCount, 4));
  loop(fresh, body, "k", int(0), whole, 4, (k, inner) => {
    const to = letInt(fresh, inner, "to", add3(at, multiply2(k, int(width))));
    const vectors = readers2.map((read3) => {
      const name = fresh("values");
      inner.push({ op: "let", name, value: read3(add3(stage2.k, k), 4, inner) });
      return local2(name, "f32x4");
    });
    for (const lane of lanes2)
      inner.push(
        store(block, add3(to, int(lane * width)), {
          op: "vector",
          type: "f32x4",
          lanes: vectors.map((a2) => ({ op: "extract", type: "f32", a: a2, lane }))
        })
      );
  });
  loop(fresh, body, "k", whole, stage2.kCount, 1, single);
}

// compiler/schedule/contract-tasks.ts
function decodeTask(spec, tiles, into) {
  let rest = { op: "workgroup", type: "i32" };
  const next = (count, hint) => {
    const extent = sizeOf3(count);
    if (literalOf(extent) === 1) return int(0);
    const coordinate = letInt(spec.fresh, into, hint, modulo(rest, extent));
    rest = letInt(spec.fresh, into, "task", divide2(rest, extent));
    return coordinate;
  };
  const rowTask = next(tiles.rowTasks, "rowTask");
  const columnTask = next(tiles.columnTasks, "columnTask");
  const group = spec.ragged === void 0 ? void 0 : next(constant(spec.ragged.groups), "group");
  const batch = spec.batch.map((size) => size);
  const coordinates2 = [];
  for (const size of batch.reverse()) coordinates2.unshift(next(size, "batch"));
  return {
    place: group === void 0 ? { batch: coordinates2 } : { batch: coordinates2, group },
    columnTask,
    rowTask
  };
}
function rowsOfGroup(spec, group, into) {
  const { fresh } = spec;
  const from = letInt(fresh, into, "groupFrom", spec.ragged.offset(group, into));
  const end = spec.ragged.offset(add3(group, int(1)), into);
  return { from, count: letInt(fresh, into, "groupRows", subtract3(end, from)) };
}
function blockOf(spec, task, block, extent, tasks, hint, into) {
  const length = sizeOf3(extent);
  const from = letInt(spec.fresh, into, `${hint}From`, multiply2(task, int(block)));
  const known3 = literalOf(length);
  if (known3 !== void 0 && known3 % block === 0) return { from, count: int(block) };
  if (literalOf(sizeOf3(tasks)) === 1) return { from, count: length };
  return { from, count: letInt(spec.fresh, into, `${hint}s`, minimum2(int(block), subtract3(length, from))) };
}
function raggedTask(spec, tiles, group, task, into) {
  const { fresh } = spec;
  const limit2 = sizeOf3(tiles.rowTasks);
  if (literalOf(limit2) === 1) return group;
  const shares = maximum2(int(1), minimum2(limit2, ceilDivide2(group.count, int(tiles.rowsPerTask))));
  const share2 = letInt(fresh, into, "share", roundUp(ceilDivide2(group.count, shares), 12));
  const first = letInt(fresh, into, "first", multiply2(task, share2));
  return {
    from: add3(group.from, first),
    count: letInt(fresh, into, "rows", minimum2(share2, subtract3(group.count, first)))
  };
}

// compiler/schedule/contract-tiles.ts
var packed = 65536;
var rowsPerBlock = 96;
var columnsPerBlock = 128;
var depthLimit2 = 1024;
var depthUnknown = 256;
var depthRagged = 64;
var tasksWanted = 32;
var raggedRowTasks = 16;
var packsOnTheWay = (operand2) => operand2.contiguous === "n" && operand2.plain;
var roundUp2 = (value, step) => Math.ceil(value / step) * step;
var even = (extent, limit2, step) => Math.min(roundUp2(limit2, step), roundUp2(Math.ceil(extent / Math.ceil(extent / limit2)), step));
function chooseTiles(spec) {
  const siblings = spec.b.length;
  const k = spec.ragged?.kind === "reduction" ? void 0 : known(spec.k);
  const raggedRows = spec.ragged?.kind === "rows";
  const limit2 = raggedRows && spec.b.every(packsOnTheWay) ? depthRagged : depthLimit2;
  const depth = k === void 0 ? depthUnknown : Math.max(1, even(k, limit2, 4));
  const oneDepth = k !== void 0 && k <= depth;
  const columnLimit = Math.max(
    32,
    Math.min(columnsPerBlock, Math.floor(packed / (depth * siblings) / 8) * 8, 256 / siblings)
  );
  const n = known(spec.n);
  let columns = n === void 0 ? Math.min(64, roundUp2(columnLimit, 8)) : Math.max(8, even(n, columnLimit, 4));
  const m = known(spec.m);
  let rows2 = rowsPerBlock;
  if (m !== void 0 && !raggedRows) {
    rows2 = Math.max(12, even(m, rowsPerBlock, 12));
    const others = spec.batch.reduce((all2, size) => all2 * (known(size) ?? 8), 1) * (spec.ragged?.groups ?? 1);
    const tasks = (r, c2) => others * Math.ceil(m / r) * Math.ceil((n ?? 256) / c2);
    while (tasks(rows2, columns) < tasksWanted && columns > 64)
      columns = even(n ?? columns / 2, columns / 2, 4);
    while (tasks(rows2, columns) < tasksWanted && rows2 > 48) rows2 = roundUp2(rows2 / 2, 12);
  }
  const rowsPerTask = 2 * rowsPerBlock;
  return {
    rows: rows2,
    columns,
    depth,
    oneDepth,
    columnTasks: ceilDivide(spec.n, constant(columns)),
    rowTasks: raggedRows ? minimum(constant(raggedRowTasks), ceilDivide(spec.m, constant(rowsPerTask))) : (known(spec.m) ?? 0) === 1 ? one : ceilDivide(spec.m, constant(rows2)),
    rowsPerTask
  };
}

// compiler/schedule/contract.ts
var never = { op: "literal", type: "bool", value: 0 };
var always = { op: "literal", type: "bool", value: 1 };
function contractBody(spec) {
  const tiles = chooseTiles(spec);
  const body = [];
  const panels = spec.a.contiguous === "m";
  const grid = product([
    ...spec.batch,
    constant(spec.ragged?.groups ?? 1),
    tiles.columnTasks,
    tiles.rowTasks
  ]);
  const { place: place2, columnTask, rowTask } = decodeTask(spec, tiles, body);
  const columns = blockOf(spec, columnTask, tiles.columns, spec.n, tiles.columnTasks, "column", body);
  const groupRows = spec.ragged === void 0 ? void 0 : rowsOfGroup(spec, place2.group, body);
  const depth = spec.ragged?.kind === "reduction" ? groupRows : { from: int(0), count: sizeOf3(spec.k) };
  const oddLines = (length) => (Math.ceil(length / 16) | 1) * 16;
  const stride12 = oddLines(tiles.depth * 12);
  const context2 = {
    spec,
    tiles,
    place: place2,
    columns,
    depth,
    aStride: panels ? oddLines(tiles.depth * 12) : oddLines(tiles.depth),
    stride12,
    // Padding columns of the last panel are summed too.
    tileStride: Math.ceil(tiles.columns / 4) * 4 + 4,
    runs: panelsOf(columns.count, stride12, oddLines(tiles.depth * 8), spec.fresh, body),
    panels
  };
  const rows2 = spec.ragged?.kind === "rows" ? raggedTask(spec, tiles, groupRows, rowTask, body) : blockOf(spec, rowTask, tiles.rows, spec.m, tiles.rowTasks, "row", body);
  branch2(body, less(int(0), rows2.count), (then) => emitRows(context2, rows2, then));
  return { scratch: scratchOf(context2), grid, body, multiplyAdds: multiplyAddsOf(spec) };
}
var multiplyAddsOf = (spec) => multiply(product([...spec.batch, spec.m, spec.n, spec.k]), constant(spec.b.length));
function scratchOf({ spec, tiles, aStride, stride12, tileStride, panels }) {
  const rows2 = tiles.rows + 3;
  return [
    { name: "aBlock", type: "f32", length: panels ? tiles.rows / 12 * aStride : rows2 * aStride },
    ...spec.b.flatMap((_, i) => [
      // Two panels of 8 take less than one and a half of 12.
      { name: `bBlock${i}`, type: "f32", length: Math.ceil(tiles.columns / 12 + 1) * stride12 },
      { name: `sums${i}`, type: "f32", length: rows2 * tileStride }
    ])
  ];
}
function emitRows(context2, rows2, into) {
  const { spec, tiles, depth } = context2;
  const { fresh } = spec;
  if (tiles.oneDepth) stageRight(context2, depth, into);
  const many = literalOf(rows2.count) === void 0 || literalOf(rows2.count) > tiles.rows;
  const ragged = spec.ragged?.kind === "rows";
  if (!ragged || !many) return emitBlock(context2, rows2, always, into);
  const blocks = letInt(fresh, into, "blocks", ceilDivide2(rows2.count, int(tiles.rows)));
  const even2 = letInt(fresh, into, "even", roundUp(ceilDivide2(rows2.count, blocks), 12));
  loop(fresh, into, "block", int(0), blocks, 1, (block, body) => {
    const from = letInt(fresh, body, "from", multiply2(block, even2));
    const count = letInt(fresh, body, "count", minimum2(even2, subtract3(rows2.count, from)));
    const part = { from: letInt(fresh, body, "rowFrom", add3(rows2.from, from)), count };
    emitBlock(context2, part, equal(block, int(0)), body);
  });
}
function emitBlock(context2, rows2, first, into) {
  const { spec, tiles, depth } = context2;
  const { fresh } = spec;
  if (tiles.oneDepth) {
    stageLeft(context2, rows2, depth, into);
    emitTiles(context2, rows2, depth, first, never, into);
  } else {
    loop(fresh, into, "k0", int(0), maximum2(depth.count, int(1)), tiles.depth, (k0, body) => {
      const count = letInt(fresh, body, "kCount", minimum2(int(tiles.depth), subtract3(depth.count, k0)));
      const part = { from: letInt(fresh, body, "kFrom", add3(depth.from, k0)), count };
      stageRight(context2, part, body);
      stageLeft(context2, rows2, part, body);
      emitTiles(context2, rows2, part, always, less(int(0), k0), body);
    });
  }
  emitEpilogue(context2, rows2, into);
}
function stageRight({ spec, place: place2, columns, runs }, k, into) {
  spec.b.forEach((operand2, i) => {
    const stage2 = {
      fresh: spec.fresh,
      operand: operand2,
      place: place2,
      block: `bBlock${i}`,
      outer: columns.from,
      outerCount: columns.count,
      k: k.from,
      kCount: k.count
    };
    if (operand2.contiguous === "n") stagePanels(stage2, runs, packsOnTheWay(operand2) ? "edges" : "all", into);
    else stageTransposed(stage2, runs, into);
  });
}
function stageLeft({ spec, place: place2, aStride, panels }, rows2, k, into) {
  const stage2 = {
    fresh: spec.fresh,
    operand: spec.a,
    place: place2,
    block: "aBlock",
    outer: rows2.from,
    outerCount: rows2.count,
    k: k.from,
    kCount: k.count
  };
  if (panels) {
    const count = letInt(spec.fresh, into, "panels", ceilDivide2(rows2.count, int(12)));
    const run2 = { width: 12, count, first: int(0), at: int(0), stride: aStride };
    stagePanels(stage2, [withWhole(run2, rows2.count, spec.fresh, into)], "all", into);
  } else {
    const padded = maximum2(roundUp(rows2.count, 3), roundUp(rows2.count, 4));
    stageRows(stage2, letInt(spec.fresh, into, "padded", padded), aStride, into);
  }
}
function emitTiles(context2, rows2, depth, first, goOn, into) {
  const { spec, runs, aStride, tileStride, panels, place: place2, columns } = context2;
  const { fresh } = spec;
  spec.b.forEach((operand2, sibling) => {
    const block = `bBlock${sibling}`;
    for (const run2 of runs)
      loop(fresh, into, "panel", int(0), run2.count, 1, (panel, body) => {
        const { width } = run2;
        const height = width === 12 ? 3 : 4;
        const panelAt = letInt(fresh, body, "panelAt", add3(run2.at, multiply2(panel, int(run2.stride))));
        const columnAt = letInt(fresh, body, "columnAt", add3(run2.first, multiply2(panel, int(width))));
        const packed2 = (k, v) => add3(panelAt, multiply2(k, int(width)), int(4 * v));
        const tile = (row, aAt, packs, inner) => {
          const [rowStep, kStep] = panels ? [1, 12] : [aStride, 1];
          const from = add3(columns.from, columnAt);
          emitMicroKernel(
            {
              fresh,
              rows: height,
              vectors: width / 4,
              depth: depth.count,
              a: (r, k) => loadFloat("aBlock", add3(aAt, multiply2(k, int(kStep)), int(r * rowStep))),
              b: (k, at) => {
                if (!packs) return (v) => loadVector(block, packed2(k, v));
                const read3 = operand2.open(place2, add3(depth.from, k), at);
                return (v) => read3(add3(from, int(4 * v)), 4, at);
              },
              ...packs ? { keep: (k, v, value) => store(block, packed2(k, v), value) } : {},
              tile: `sums${sibling}`,
              tileBase: letInt(fresh, inner, "tileAt", add3(multiply2(row, int(tileStride)), columnAt)),
              tileStride,
              goOn
            },
            inner
          );
        };
        let start = int(0);
        if (packsOnTheWay(operand2)) {
          const packs = both(first, less(panel, run2.whole));
          branch2(body, packs, (inner) => tile(int(0), int(0), true, inner));
          start = letInt(fresh, body, "start", selectInt(packs, int(height), int(0)));
        }
        if (panels)
          loop(fresh, body, "twelve", int(0), rows2.count, 12, (row, outer) => {
            const blockAt = letInt(fresh, outer, "blockAt", multiply2(divide2(row, int(12)), int(aStride)));
            const end = minimum2(int(12), subtract3(rows2.count, row));
            const begin = letInt(fresh, outer, "begin", selectInt(equal(row, int(0)), start, int(0)));
            loop(fresh, outer, "part", begin, end, height, (part, inner) => {
              const aAt = letInt(fresh, inner, "aAt", add3(blockAt, part));
              tile(add3(row, part), aAt, false, inner);
            });
          });
        else
          loop(fresh, body, "row", start, rows2.count, height, (row, inner) => {
            const aAt = letInt(fresh, inner, "aAt", multiply2(row, int(aStride)));
            tile(row, aAt, false, inner);
          });
      });
  });
}
function emitEpilogue({ spec, place: place2, columns, tileStride }, rows2, into) {
  const { fresh } = spec;
  const whole = letInt(fresh, into, "whole", roundDown(columns.count, 4));
  loop(fresh, into, "row", int(0), rows2.count, 1, (row, body) => {
    const write = spec.epilogue(place2, letInt(fresh, body, "m", add3(rows2.from, row)), body);
    const base = letInt(fresh, body, "sumsAt", multiply2(row, int(tileStride)));
    const at = (column, lanes2, inner) => {
      const sums = spec.b.map((_, i) => {
        const name = fresh("total");
        const load = lanes2 === 4 ? loadVector : loadFloat;
        inner.push({ op: "let", name, value: load(`sums${i}`, add3(base, column)) });
        return local2(name, lanes2 === 4 ? "f32x4" : "f32");
      });
      write(letInt(fresh, inner, "n", add3(columns.from, column)), lanes2, sums, inner);
    };
    loop(fresh, body, "column", int(0), whole, 4, (column, inner) => at(column, 4, inner));
    loop(fresh, body, "column", whole, columns.count, 1, (column, inner) => at(column, 1, inner));
  });
}

// compiler/lower/map.ts
var unrolledPicks = 8;
function lowerMap(context2, cluster) {
  const { shape } = cluster.members[0];
  const joined = joinedAxes(context2, cluster);
  const kernel = new ClusterKernel(context2, cluster);
  bindCombines(kernel, cluster);
  const write = (at, lanes2) => storeAll(kernel, cluster.outputs, at, lanes2);
  const title = titleOf2(cluster);
  const outer = shape.slice(0, shape.length - joined);
  const inner = shape.slice(shape.length - joined);
  const whole = sizeOf2(inner);
  if (outer.length > 0) {
    const work = cluster.members.length * picksOf(cluster);
    const grid = overRows(
      kernel,
      outer,
      rowsForTask(elementsOf(inner), work),
      (rows2) => overInner(kernel, inner, joined, (at, lanes2) => write([...rows2, ...at], lanes2))
    );
    kernel.finish(title, grid);
    return;
  }
  const count = known(whole);
  if (count !== void 0 && count <= taskElements && inner[0]?.kind !== "ragged") {
    overInner(kernel, inner, joined, write);
    kernel.finish(title, number2(1));
    return;
  }
  const { emitter } = kernel;
  const end = inner[0].kind === "ragged" ? extentOf(kernel, inner[0]) : sizeExpr(whole);
  const from = emitter.let(binary3("mul", { op: "workgroup", type: "i32" }, integer(taskElements)), "f");
  const to = emitter.let(lowerOf(binary3("add", from, integer(taskElements)), end), "e");
  const each = (flat2, lanes2) => write(split(inner, flat2), lanes2);
  emitter.lanesFrom(from, to, whole, each, inner[0].kind === "ragged");
  kernel.finish(title, ceilDivide(whole, number2(taskElements)));
}
var picksOf = (cluster) => cluster.members.reduce(
  (most, node) => node.op === "combine" ? Math.max(most, known(picksPerToken(node.route)) ?? 4) : most,
  1
);
function joinedAxes(context2, cluster) {
  const { shape } = cluster.members[0];
  const indices = [];
  const trial = new ClusterKernel(context2, cluster, {
    load: (_, __, flat2) => indices.push(flat2),
    index: (index) => indices.push(index)
  });
  bindCombines(trial, cluster);
  for (const node of cluster.outputs) trial.values.value(node, identity(shape), 1);
  return joinable(
    shape,
    shape.map((_, axis) => axisName(axis)),
    indices
  );
}
function storeAll(kernel, outputs, at, lanes2) {
  const several = outputs.length > 1;
  const values = outputs.map((node) => {
    const value = kernel.values.value(node, at, lanes2);
    return several ? kernel.emitter.let(value) : value;
  });
  for (const [i, node] of outputs.entries())
    kernel.values.store(kernel.memoryOf(node), flatIndex(node.shape, at), values[i]);
}
function bindCombines(kernel, cluster) {
  const { emitter, values } = kernel;
  for (const node of cluster.members) {
    if (node.op !== "combine" || node.per !== "token") continue;
    values.bind(node, (at, lanes2) => {
      const key = `sum%${node.id}|${lanes2}|${at.map((a2) => a2.key).join(",")}`;
      const before = emitter.recall(key);
      if (before !== void 0) return before;
      const level = levelOfAll(at);
      const sum = gatherSum(kernel, node, at, lanes2);
      emitter.remember(key, Math.max(level, emitter.depth), sum);
      return sum;
    });
  }
}
function gatherSum(kernel, node, at, lanes2) {
  const { emitter, values } = kernel;
  const picks = picksPerToken(node.route);
  const slot = partOf(node.route, "slot");
  const [token, ...rest] = at;
  const one2 = (pick) => {
    const slotAt = [token, pick];
    const row = read2(slot, slotAt, node.route.bound);
    const there = binary3("le", integer(0), values.value(slot, slotAt, 1));
    const value = values.value(node.input, [row, ...rest], lanes2);
    const vector = isVector(value.type);
    return select(vector ? splat(there) : there, value, literal("f32", 0, vector ? 4 : 1));
  };
  const count = known(picks);
  if (count !== void 0 && count <= unrolledPicks) {
    let sum2 = literal("f32", 0, lanes2);
    for (let pick = 0; pick < count; pick++) {
      const value = one2(fixed(number2(pick)));
      sum2 = pick === 0 ? value : binary3("add", sum2, value);
    }
    return emitter.let(sum2);
  }
  const sum = emitter.var(literal("f32", 0, lanes2));
  emitter.for(
    { to: sizeExpr(picks), bound: picks, hint: "k" },
    (pick) => sum.set(binary3("add", sum.get, one2(pick)))
  );
  return sum.get;
}

// compiler/lower/contract.ts
var listOf = (statements) => ({ statements, computed: /* @__PURE__ */ new Map() });
function lowerContract(context2, cluster) {
  const contracts = cluster.members.filter((node) => node.op === "contract");
  const first = contracts[0];
  const roles = contractRoles(first);
  const kernel = new ClusterKernel(context2, cluster);
  const shapeOf2 = (labels2) => labels2.map((label2) => axisOfLabel(first, label2));
  const shapes = { m: shapeOf2(roles.m), n: shapeOf2(roles.n), k: shapeOf2(roles.k) };
  const about = { context: context2, cluster, kernel, roles, shapes, first };
  const spec = {
    batch: roles.batch.map((label2) => axisOfLabel(first, label2).size),
    m: sizeOf2(shapes.m),
    n: sizeOf2(shapes.n),
    k: sizeOf2(shapes.k),
    ...roles.ragged === void 0 ? {} : { ragged: raggedOf(about) },
    a: operand(about, first, "left"),
    b: contracts.map((node) => operand(about, node, "right")),
    epilogue: (place2, m, into) => epilogue(about, contracts, place2, m, into),
    fresh: kernel.emitter.fresh
  };
  const { scratch, grid, body, multiplyAdds } = contractBody(spec);
  kernel.emitter.addScratch(scratch);
  for (const statement of body) kernel.emitter.push(statement);
  kernel.finish(titleOf2(cluster), grid, multiplyAdds);
}
function raggedOf({ kernel, roles, first }) {
  const { kind, row, group } = roles.ragged;
  const axis = axisOfLabel(first, row);
  if (axis.kind !== "ragged") throw new Error("internal: the row label is not ragged");
  const route = axis.by;
  const offsets = partOf(route, "offsets");
  return {
    kind,
    groups: group === void 0 ? 1 : route.groups,
    offset: (at, into) => kernel.emitter.within([listOf(into)], 1, () => {
      const index = kernel.emitter.given(at);
      return kernel.values.value(
        offsets,
        [group === void 0 ? scale2(index, number2(route.groups)) : index],
        1
      );
    })
  };
}
function coordinates({ kernel, roles, shapes }, place2) {
  const known3 = /* @__PURE__ */ new Map();
  for (const [i, label2] of roles.batch.entries()) known3.set(label2, kernel.emitter.given(place2.batch[i]));
  const group = roles.ragged?.group;
  if (group !== void 0 && place2.group !== void 0) known3.set(group, kernel.emitter.given(place2.group));
  return {
    set: (axis, at) => {
      for (const [i, coordinate] of split(shapes[axis], at).entries()) known3.set(roles[axis][i], coordinate);
    },
    of: (labels2) => [...labels2].map((label2) => known3.get(label2))
  };
}
function operand(about, node, side) {
  const { kernel, roles, shapes } = about;
  const isA = roles.left === "a" === (side === "left");
  const [input, labels2] = isA ? [node.a, node.labels.a] : [node.b, node.labels.b];
  const own = side === "left" ? "m" : "n";
  const contiguous = contiguousAxis(about, input, labels2, own);
  const other = contiguous === "k" ? own : "k";
  const ragged = raggedAxis(roles);
  const sizes = { m: sizeOf2(shapes.m), n: sizeOf2(shapes.n), k: sizeOf2(shapes.k) };
  return {
    contiguous,
    plain: isPlain(about, input),
    open: (place2, fixedAt, into) => {
      const outer = listOf(into);
      const at = kernel.emitter.within([outer], 1, () => {
        const coordinate = coordinates(about, place2);
        coordinate.set(other, kernel.emitter.given(fixedAt, { bound: sizes[other] }));
        return coordinate;
      });
      const evaluate3 = (moving, lanes2) => {
        at.set(contiguous, moving);
        return kernel.values.value(input, at.of(labels2), lanes2);
      };
      prepare2(kernel, outer, sizes[contiguous], evaluate3, contiguous === ragged);
      return (moving, lanes2, inner) => kernel.emitter.within(
        [outer, listOf(inner)],
        1,
        () => evaluate3(movingOf(kernel, moving, lanes2, sizes[contiguous], contiguous === ragged), lanes2)
      );
    }
  };
}
var raggedAxis = (roles) => roles.ragged === void 0 ? void 0 : roles.ragged.kind === "rows" ? "m" : "k";
function movingOf(kernel, moving, lanes2, bound, ragged) {
  if (lanes2 === 1) return kernel.emitter.given(moving, { bound });
  return kernel.emitter.given(moving, { bound, vector: true, multiple: ragged ? 1 : 4 });
}
function prepare2(kernel, outer, bound, evaluate3, ragged) {
  for (const lanes2 of [1, 4])
    kernel.emitter.within([outer, listOf([])], 2, () => {
      const name = kernel.emitter.fresh("x");
      const multiple = lanes2 === 4 && !ragged ? 4 : 1;
      evaluate3(variable(name, 1, { bound, vector: lanes2 === 4, multiple }), lanes2);
    });
}
function contiguousAxis(about, input, labels2, own) {
  const { context: context2, cluster, roles, first } = about;
  const weights = { k: 0, [own]: 0 };
  const step = (flat2, axis) => {
    const name = `at_${roles[axis].at(-1) ?? ""}`;
    return flat2.terms.some(({ atom, coefficient }) => isStep(atom, name) && known(coefficient) === 1);
  };
  const trial = new ClusterKernel(context2, cluster, {
    load: (node, _, flat2) => {
      for (const axis of ["k", own]) if (step(flat2, axis)) weights[axis] += elementsOf(node.shape);
    }
  });
  const at = [...labels2].map(
    (label2) => label2 === roles.ragged?.group ? variable("at_group", 0) : variable(`at_${label2}`, 0, { bound: axisOfLabel(first, label2).size })
  );
  trial.values.value(input, at, 1);
  return weights.k >= weights[own] && weights.k > 0 ? "k" : weights[own] > 0 ? own : "k";
}
var isStep = (atom, name) => atom.key === name || atom.kind === "variable" && atom.clamped?.terms.some((term) => isStep(term.atom, name) && known(term.coefficient) === 1) === true;
function isPlain({ context: context2 }, input) {
  let node = input;
  for (; ; ) {
    if (context2.memories.has(node)) return node.dtype === "f32";
    if (node.op === "view" && node.view.kind !== "pad") node = node.input;
    else if (node.op === "dispatch") node = node.input;
    else return false;
  }
}
function epilogue(about, contracts, place2, m, into) {
  const { kernel, cluster, shapes, first } = about;
  const outer = listOf(into);
  const sizes = { m: sizeOf2(shapes.m), n: sizeOf2(shapes.n) };
  const at = kernel.emitter.within([outer], 1, () => {
    const coordinate = coordinates(about, place2);
    coordinate.set("m", kernel.emitter.given(m, { bound: sizes.m }));
    return coordinate;
  });
  const write = (n, lanes2, sums) => {
    at.set("n", n);
    for (const [i, node] of contracts.entries()) kernel.values.bind(node, () => sums[i]);
    storeAll(kernel, cluster.outputs, at.of(first.labels.out), lanes2);
  };
  const none2 = (lanes2) => contracts.map(() => lanes2 === 4 ? literal("f32", 0, 4) : local("none", "f32"));
  prepare2(kernel, outer, sizes.n, (n, lanes2) => write(n, lanes2, none2(lanes2)), false);
  return (n, lanes2, sums, inner) => kernel.emitter.within([outer, listOf(inner)], 1, () => {
    const named2 = sums.map((sum) => kernel.emitter.let(sum));
    write(movingOf(kernel, n, lanes2, sizes.n, false), lanes2, named2);
  });
}

// compiler/lower/copy.ts
function copyMemory(from, to, label2) {
  const emitter = new KernelEmitter();
  const start = emitter.let(binary3("mul", { op: "workgroup", type: "i32" }, integer(taskElements)), "f");
  const end = emitter.let(lowerOf(binary3("add", start, integer(taskElements)), sizeExpr(from.length)), "e");
  emitter.lanesFrom(start, end, from.length, (index, lanes2) => {
    const at = emitter.index(index, (atom) => local(atom.key, "i32"));
    emitter.store(to, at, emitter.load(from, at, lanes2));
  });
  const { kernel, buffers } = emitter.finish({
    name: "copy",
    grid: ceilDivide(from.length, number2(taskElements))
  });
  return { kernel, buffers, label: label2 };
}

// compiler/lower/memo.ts
function once(memo, fusion, memories, cluster, lower) {
  const { key, buffers } = signatureOfCluster(fusion, memories, cluster);
  const before = memo.get(key);
  if (before === void 0) {
    const made = lower();
    const numbers3 = new Map(buffers.map((buffer, i) => [buffer, i]));
    const numbered = (buffer) => numbers3.get(buffer) ?? buffer;
    memo.set(
      key,
      made.map((each) => ({ made: each, buffers: each.buffers.map(numbered) }))
    );
    return made;
  }
  const own = /* @__PURE__ */ new Map();
  const bind2 = (buffer) => {
    if (typeof buffer === "number") return buffers[buffer];
    if (buffer.kind !== "temporary") return buffer;
    const copy = own.get(buffer) ?? { ...buffer };
    own.set(buffer, copy);
    return copy;
  };
  return before.map(({ made, buffers: bound }) => ({ ...made, buffers: bound.map(bind2) }));
}
function signatureOfCluster(fusion, memories, cluster) {
  const buffers = [];
  const numbers3 = /* @__PURE__ */ new Map();
  const memoryText = (node) => {
    const memory = memories.get(node);
    if (memory === void 0) return void 0;
    let number3 = numbers3.get(memory.key);
    if (number3 === void 0) {
      numbers3.set(memory.key, number3 = buffers.length);
      buffers.push(memory.buffer);
    }
    const offset = memory.offset === void 0 ? "" : keyOfSize(memory.offset);
    return `$${number3} ${memory.type} ${keyOfSize(memory.length)}+${offset}`;
  };
  const partsOf = (route) => ["offsets", "source", "group", "slot"].map((part) => memoryText(partOf(route, part)) ?? "").join("|");
  const outputs = new Set(cluster.outputs);
  const { key } = signatureOf(cluster.members, {
    leaf: memoryText,
    inner: (node) => {
      const shared = (fusion.uses.get(node) ?? 1) > 1 ? "*" : "";
      if (node.op === "route") return `${shared}${partsOf(node)}`;
      return outputs.has(node) ? `${shared}>${memoryText(node) ?? ""}` : shared;
    },
    route: partsOf
  });
  return { key: `${cluster.kind} ${cluster.rank} ${key}`, buffers };
}

// compiler/lower/route.ts
function lowerRoute(context2, cluster) {
  const node = cluster.members[0];
  if (node.op !== "route") throw new Error(`internal: a route cluster of ${node.op}`);
  const kernel = new ClusterKernel(context2, cluster);
  const { emitter } = kernel;
  const cursor = emitter.scratch("i32", node.groups);
  const at = (index) => ({ op: "load", type: "i32", buffer: cursor, index });
  const put = (index, value) => emitter.push({ op: "store", buffer: cursor, index, value });
  emitter.for(
    { to: integer(node.groups), hint: "g" },
    (group) => put(kernel.values.index(group), integer(0))
  );
  overPicks(
    kernel,
    node,
    ({ group, valid }) => emitter.if(valid, () => put(group, binary3("add", at(group), integer(1))))
  );
  const rows2 = emitter.var(integer(0));
  const offsets = context2.memories.get(partOf(node, "offsets"));
  emitter.for({ to: integer(node.groups), hint: "g" }, (group) => {
    const index = kernel.values.index(group);
    const count = emitter.let(at(index));
    put(index, rows2.get);
    kernel.values.store(offsets, group, rows2.get);
    rows2.set(binary3("add", rows2.get, count));
  });
  kernel.values.store(offsets, fixed(number2(node.groups)), rows2.get);
  const fill = (part, index, value) => {
    const memory = context2.memories.get(partOf(node, part));
    if (memory !== void 0) kernel.values.store(memory, index, value);
  };
  overPicks(kernel, node, ({ group, valid, position }) => {
    emitter.if(
      valid,
      () => {
        const row = emitter.let(at(group), "r");
        put(group, binary3("add", row, integer(1)));
        const index = row.op === "local" ? variable(row.name, emitter.depth) : fixed(number2(0));
        fill("source", index, kernel.values.index(position));
        fill("group", index, group);
        fill("slot", position, row);
      },
      () => fill("slot", position, integer(-1))
    );
  });
  kernel.finish("route", number2(1));
}
function overPicks(kernel, node, body) {
  const { emitter, values } = kernel;
  const [tokens] = node.picks.shape;
  const picks = picksPerToken(node);
  emitter.for(
    { to: sizeExpr(tokens.size), bound: tokens.size, hint: "t" },
    (token) => emitter.for({ to: sizeExpr(picks), bound: picks, hint: "k" }, (pick) => {
      const group = emitter.let(values.value(node.picks, [token, pick], 1), "g");
      const valid = emitter.let(
        binary3("and", binary3("le", integer(0), group), binary3("lt", group, integer(node.groups)))
      );
      body({ group, valid, position: add2(scale2(token, picks), pick) });
    })
  );
}

// compiler/lower/keep.ts
function keepValue(kernel, node, keep, row, at, value) {
  if (keep.kind === "alias")
    kernel.values.store(kernel.memoryOf(keep.of), flatIndex(node.shape, [...row, ...at]), value);
  else if (keep.kind === "scratch") {
    const index = kernel.values.index(flatIndex(node.shape.slice(row.length), at));
    const stored = value.type === "bool" ? cast("i32", value) : value.type === "boolx4" ? cast("i32x4", value) : value;
    kernel.emitter.push({ op: "store", buffer: keep.name, index, value: stored });
  }
}
function bindKept(kernel, node, keep, row) {
  if (keep.kind === "none") return;
  const { values } = kernel;
  const type = elementOf(node);
  values.bind(node, (at, lanes2) => {
    const from = keep.kind === "alias" ? {
      flat: placedIn(kernel.memoryOf(keep.of), flatIndex(node.shape, at)),
      load: loadMemory(kernel, keep.of)
    } : {
      flat: flatIndex(node.shape.slice(row.length), at.slice(row.length)),
      load: loadScratch(keep.name, type)
    };
    const value = values.loadAt(from.flat, lanes2, from.load, type);
    return node.dtype === "bool" ? binary3("ne", value, literal("i32", 0, lanes2)) : value;
  });
}
var placedIn = (memory, flat2) => memory.offset === void 0 ? flat2 : shift(flat2, memory.offset);
var loadMemory = (kernel, node) => (index, lanes2) => kernel.emitter.load(kernel.memoryOf(node), index, lanes2);
var loadScratch = (name, type) => (index, lanes2) => ({ op: "load", type: lanes2 === 4 ? `${type}x4` : type, buffer: name, index });

// compiler/lower/choose.ts
var mostSorted = 32;
function lowerChoose(kernel, node, row, to) {
  const count = known(node.count);
  const store2 = (at, value, place2 = [...row, at]) => {
    if (to.isOutput) kernel.values.store(kernel.memoryOf(node), flatIndex(node.shape, place2), value);
    keepValue(kernel, node, to.keep, row, [at], value);
  };
  if (count !== void 0 && count <= mostSorted) {
    const ids = sorted(kernel, node, row, count);
    if (node.as === "ids")
      for (let i = 0; i < count; i++) store2(fixed(number2(i)), loadInteger(ids, integer(i)));
    else maskOf(kernel, node, ids, count, store2);
  } else ranked(kernel, node, row, store2);
  if (to.keep.kind !== "none") bindKept(kernel, node, to.keep, row);
  else if (to.isOutput) kernel.reveal(node);
}
var loadInteger = (scratch, index) => ({
  op: "load",
  type: "i32",
  buffer: scratch,
  index
});
var loadFloat2 = (scratch, index) => ({
  op: "load",
  type: "f32",
  buffer: scratch,
  index
});
function sorted(kernel, node, row, count) {
  const { emitter, values } = kernel;
  const keys2 = emitter.scratch("f32", count);
  const ids = emitter.scratch("i32", count);
  for (let i = 0; i < count; i++) {
    emitter.push({ op: "store", buffer: keys2, index: integer(i), value: float(-Infinity) });
    emitter.push({ op: "store", buffer: ids, index: integer(i), value: integer(-1) });
  }
  const axis = node.score.shape.at(-1);
  emitter.for({ to: extentOf(kernel, axis), bound: axis.size }, (index) => {
    const score = emitter.let(values.value(node.score, [...row, index], 1));
    const id = values.index(index);
    emitter.if(binary3("lt", loadFloat2(keys2, integer(count - 1)), score), () => {
      for (let i = count - 1; i >= 0; i--) {
        const key = emitter.let(loadFloat2(keys2, integer(i)));
        const own = emitter.let(loadInteger(ids, integer(i)));
        const beats = emitter.let(binary3("lt", key, score));
        let nextKey = score;
        let nextId = id;
        if (i > 0) {
          const above = emitter.let(loadFloat2(keys2, integer(i - 1)));
          const beatsAbove = binary3("lt", above, score);
          nextKey = select(beatsAbove, above, score);
          nextId = select(beatsAbove, loadInteger(ids, integer(i - 1)), id);
        }
        emitter.push({ op: "store", buffer: keys2, index: integer(i), value: select(beats, nextKey, key) });
        emitter.push({ op: "store", buffer: ids, index: integer(i), value: select(beats, nextId, own) });
      }
    });
  });
  return ids;
}
function maskOf(kernel, node, ids, count, store2) {
  const { emitter, values } = kernel;
  const chosen = Array.from({ length: count }, (_, i) => emitter.let(loadInteger(ids, integer(i))));
  const axis = node.shape.at(-1);
  emitter.for({ to: extentOf(kernel, axis), bound: axis.size }, (index) => {
    const id = values.index(index);
    let mask;
    for (const other of chosen) {
      const same = binary3("eq", other, id);
      mask = mask === void 0 ? same : binary3("or", mask, same);
    }
    store2(index, mask ?? literal("bool", 0));
  });
}
function ranked(kernel, node, row, store2) {
  const { emitter, values } = kernel;
  const axis = node.score.shape.at(-1);
  const extent = emitter.let(extentOf(kernel, axis), "n");
  const wanted = sizeExpr(node.count);
  const chosen = emitter.var(integer(0));
  emitter.for({ to: extent, bound: axis.size }, (index) => {
    const own = emitter.let(values.value(node.score, [...row, index], 1));
    const id = emitter.let(values.index(index));
    const valid = emitter.let(binary3("lt", float(-Infinity), own));
    if (node.as === "mask") {
      const rank = rankOf(kernel, node, row, own, id, extent);
      store2(index, binary3("and", valid, binary3("lt", rank, wanted)));
      return;
    }
    emitter.if(valid, () => {
      const rank = rankOf(kernel, node, row, own, id, extent);
      emitter.if(binary3("lt", rank, wanted), () => {
        chosen.set(binary3("add", chosen.get, integer(1)));
        const name = rank.op === "local" ? rank.name : "";
        store2(variable(name, emitter.depth), id);
      });
    });
  });
  if (node.as === "mask") return;
  const from = emitter.let(chosen.get);
  emitter.for({ from, to: wanted }, (index) => store2(index, integer(-1)));
}
function rankOf(kernel, node, row, own, id, extent) {
  const { emitter, values } = kernel;
  const axis = node.score.shape.at(-1);
  const scalar = emitter.var(integer(0));
  const vector = emitter.var(literal("i32", 0, 4));
  emitter.lanesFrom(
    integer(0),
    extent,
    axis.size,
    (other, lanes2) => {
      const score = emitter.let(values.value(node.score, [...row, other], lanes2));
      const position = lanes2 === 1 ? values.index(other) : binary3("add", splat(values.index(other)), {
        op: "vector",
        type: "i32x4",
        lanes: [integer(0), integer(1), integer(2), integer(3)]
      });
      const [mine, at] = lanes2 === 1 ? [own, id] : [splat(own), splat(id)];
      const before = binary3(
        "or",
        binary3("lt", mine, score),
        binary3("and", binary3("eq", mine, score), binary3("lt", position, at))
      );
      const into = lanes2 === 1 ? scalar : vector;
      into.set(binary3("add", into.get, cast(lanes2 === 1 ? "i32" : "i32x4", before)));
    },
    true
  );
  let sum = scalar.get;
  for (const lane of [0, 1, 2, 3]) sum = binary3("add", sum, extract(vector.get, lane));
  return emitter.let(sum);
}

// compiler/lower/scan.ts
function lowerScan(context2, cluster) {
  const node = cluster.members[0];
  if (node.op !== "scan") throw new Error(`internal: a scan cluster of ${node.op}`);
  const kernel = new ClusterKernel(context2, cluster);
  const { shape, axis } = node;
  const outer = shape.filter((_, i) => i !== axis && i < shape.length - 1);
  const inner = shape.slice(-1);
  const grid = overRows(
    kernel,
    outer,
    rowsForTask(elementsOf(shape.slice(axis))),
    (rows2) => overInner(kernel, inner, 1, (last, lanes2) => {
      const rest = [...rows2, ...last];
      walk(
        kernel,
        node,
        shape[axis],
        lanes2,
        (at) => [...rest.slice(0, axis), at, ...rest.slice(axis)],
        (at, value) => kernel.values.store(kernel.memoryOf(node), flatIndex(shape, at), value)
      );
    })
  );
  kernel.finish(titleOf2(cluster), grid);
}
function scanRow(kernel, node, row, to) {
  walk(
    kernel,
    node,
    node.shape.at(-1),
    1,
    (at) => [...row, at],
    (at, value) => {
      if (to.isOutput) kernel.values.store(kernel.memoryOf(node), flatIndex(node.shape, at), value);
      keepValue(kernel, node, to.keep, row, at.slice(row.length), value);
    }
  );
  if (to.keep.kind !== "none") bindKept(kernel, node, to.keep, row);
  else if (to.isOutput) kernel.reveal(node);
}
function walk(kernel, node, axis, lanes2, place2, store2) {
  const { emitter, values } = kernel;
  const sum = emitter.var(literal(elementOf(node), 0, lanes2));
  const extent = extentOf(kernel, axis);
  const top = !node.reverse ? void 0 : axis.kind === "ragged" ? emitter.given(binary3("sub", extent, integer(1))) : shift(fixed(axis.size), number2(-1));
  emitter.for({ to: extent, bound: axis.size }, (index) => {
    const at = place2(top === void 0 ? index : subtract2(top, index));
    const value = emitter.let(values.value(node.input, at, lanes2));
    const before = emitter.let(binary3("add", sum.get, literal(elementOf(node), 0, lanes2)));
    sum.set(binary3("add", sum.get, value));
    store2(at, node.exclusive ? before : sum.get);
  });
}

// compiler/lower/total.ts
var parts4 = 64;
var mostAlone = 16384;
function partialSums(context2, cluster) {
  const partials = /* @__PURE__ */ new Map();
  const members = new Set(cluster.members);
  for (const node of cluster.members) {
    if (!isReduction2(node)) continue;
    const reduction = reductionOf(node);
    const independent = context2.fusion.reads.get(node).every((read3) => !members.has(read3.node));
    if (elementsOf(reduction.inner) > mostAlone && independent)
      partials.set(node, partial(context2, cluster, reduction));
  }
  return partials;
}
function partial(context2, cluster, reduction) {
  const { node, fn, inner } = reduction;
  const type = elementOf(node);
  const memory = temporary(`${node.origin.path} parts`, type, number2(parts4));
  const alone2 = { ...cluster, members: [node], outputs: [] };
  const indices = [];
  const trial = new ClusterKernel(context2, alone2, {
    load: (_, __, flat2) => indices.push(flat2),
    index: (index) => indices.push(index)
  });
  reduction.value(trial.values, [], identity(inner, "r"), 1);
  const names = inner.map((_, axis) => axisName(axis).replace("i", "r"));
  const joined = joinable(inner, names, indices);
  const kernel = new ClusterKernel(context2, alone2);
  const { emitter, values } = kernel;
  const sum = accumulate(kernel, fn, type, (add4) => {
    const outer = inner.slice(0, inner.length - joined);
    const last = inner.slice(inner.length - joined);
    const walked = outer.length > 0 ? outer : last;
    const others = sizeOf2(walked.slice(1));
    const end = binary3("mul", extentOf(kernel, walked[0]), sizeExpr(others));
    const chunk = outer.length > 0 ? ceilDivide(sizeOf2(outer), number2(parts4)) : multiply(ceilDivide(sizeOf2(last), number2(4 * parts4)), number2(4));
    const from = emitter.let(
      lowerOf(binary3("mul", { op: "workgroup", type: "i32" }, sizeExpr(chunk)), roundedUp(end)),
      "f"
    );
    const to = emitter.let(lowerOf(binary3("add", from, sizeExpr(chunk)), end), "e");
    if (outer.length === 0)
      emitter.lanesFrom(
        from,
        to,
        sizeOf2(last),
        (flat2, lanes2) => add4(reduction.value(values, [], split(last, flat2), lanes2), lanes2),
        true
      );
    else
      emitter.for({ from, to, bound: sizeOf2(outer) }, (flat2) => {
        const at = split(outer, flat2);
        overInner(
          kernel,
          last,
          joined,
          (rest, lanes2) => add4(reduction.value(values, [], [...at, ...rest], lanes2), lanes2)
        );
      });
  });
  emitter.store(memory, { op: "workgroup", type: "i32" }, sum);
  kernel.finish(`${fn} parts`, number2(parts4));
  return (main) => {
    const total = accumulate(
      main,
      fn,
      type,
      (add4) => main.emitter.lanes(
        number2(parts4),
        (index, lanes2) => add4(main.emitter.load(memory, main.values.index(index), lanes2), lanes2)
      )
    );
    main.values.bind(node, (_, lanes2) => lanes2 === 4 ? splat(total) : total);
  };
}
var roundedUp = (end) => binary3("mul", binary3("div", binary3("add", end, literal("i32", 3)), literal("i32", 4)), literal("i32", 4));

// compiler/lower/row.ts
function lowerRow(context2, cluster) {
  const { rank, members } = cluster;
  const partials = rank === 0 ? partialSums(context2, cluster) : /* @__PURE__ */ new Map();
  const kernel = new ClusterKernel(context2, cluster);
  const rows2 = members[0].shape.slice(0, rank);
  const inner = members.reduce((most, node) => Math.max(most, innerElements(node, rank)), 1);
  const keeps2 = new Map(members.map((node) => [node, keepOf(context2, cluster, kernel, node)]));
  const grid = overRows(kernel, rows2, rowsForTask(inner, members.length), (row) => {
    for (const node of members) {
      const partial2 = partials.get(node);
      if (partial2 !== void 0) partial2(kernel);
      else stage(context2, kernel, cluster, node, row, keeps2.get(node));
      if (cluster.outputs.includes(node) && node.shape.length === rank)
        kernel.values.store(
          kernel.memoryOf(node),
          flatIndex(node.shape, row),
          kernel.values.value(node, row, 1)
        );
    }
    for (const node of members) kernel.values.unbind(node);
  });
  kernel.finish(titleOf2(cluster), grid);
}
var innerElements = (node, rank) => isReduction2(node) ? elementsOf(reductionOf(node).inner) : elementsOf((node.op === "choose" ? node.score.shape : node.shape).slice(rank));
function stage(context2, kernel, cluster, node, row, keep) {
  const isOutput = cluster.outputs.includes(node);
  if (isReduction2(node)) {
    if (node.shape.length === cluster.rank) reduceRow(context2, kernel, cluster, reductionOf(node), row);
    else reduceToArray(kernel, reductionOf(node), row, { isOutput, keep });
    return;
  }
  if (node.op === "choose") {
    lowerChoose(kernel, node, row, { isOutput, keep });
    return;
  }
  if (node.op === "scan") {
    scanRow(kernel, node, row, { isOutput, keep });
    return;
  }
  if (node.shape.length === cluster.rank || !isOutput && keep.kind === "none") return;
  const inner = node.shape.slice(cluster.rank);
  const joined = joinedInner(
    context2,
    cluster,
    inner,
    (trial) => trial.values.value(node, [...identity(node.shape)], 1)
  );
  overInner(kernel, inner, joined, (at, lanes2) => {
    const value = kernel.values.value(node, [...row, ...at], lanes2);
    if (isOutput && keep.kind === "scratch") {
      const named2 = kernel.emitter.let(value);
      kernel.values.store(kernel.memoryOf(node), flatIndex(node.shape, [...row, ...at]), named2);
      keepValue(kernel, node, keep, row, at, named2);
    } else if (isOutput)
      kernel.values.store(kernel.memoryOf(node), flatIndex(node.shape, [...row, ...at]), value);
    else keepValue(kernel, node, keep, row, at, value);
  });
  bindKept(kernel, node, keep, row);
  if (isOutput && keep.kind === "none") kernel.reveal(node);
}
function keepOf(context2, cluster, kernel, node) {
  const { members, outputs, rank } = cluster;
  if (node.shape.length === rank) return { kind: "none" };
  const reading = members.filter(
    (member2) => context2.fusion.reads.get(member2)?.some((read3) => read3.node === node)
  );
  const isArray = node.op !== "map";
  if (reading.length === 0 || outputs.includes(node) && !isArray) return { kind: "none" };
  const count = known(sizeOf2(node.shape.slice(rank)));
  if (count !== void 0 && count <= mostScratch)
    return { kind: "scratch", name: kernel.emitter.scratch(elementOf(node), count) };
  if (isArray) return { kind: "none" };
  const last = reading.at(-1);
  const inPlace = outputs.includes(last) && last.op === "map" && last.dtype === node.dtype && sameShape(last.shape, node.shape) && context2.fusion.reads.get(last).every((read3) => read3.node !== node || read3.at.every((key, axis) => key === axisName(axis)));
  return inPlace ? { kind: "alias", of: last } : { kind: "none" };
}
function joinedInner(context2, cluster, inner, run2, prefix) {
  const indices = [];
  const trial = new ClusterKernel(context2, cluster, {
    load: (_, __, flat2) => indices.push(flat2),
    index: (index) => indices.push(index)
  });
  for (const member2 of cluster.members)
    trial.values.bind(member2, (at, lanes2) => {
      indices.push(flatIndex(member2.shape, at));
      return literal(member2.dtype, 0, lanes2);
    });
  unbindComputed(trial, cluster, run2);
  const names = inner.map(
    (_, axis) => prefix === void 0 ? axisName(axis + cluster.rank) : `${prefix}${axis}`
  );
  return joinable(inner, names, indices);
}
function unbindComputed(trial, cluster, run2) {
  for (const member2 of cluster.members) if (member2.op === "map") trial.values.unbind(member2);
  run2(trial);
}
function reduceRow(context2, kernel, cluster, reduction, row) {
  const { node, fn, inner } = reduction;
  const joined = joinedInner(
    context2,
    cluster,
    inner,
    (trial) => reduction.value(trial.values, identity(node.shape), identity(inner, "r"), 1),
    "r"
  );
  const result = accumulate(
    kernel,
    fn,
    node.dtype === "i32" ? "i32" : "f32",
    (add4) => overInner(
      kernel,
      inner,
      joined,
      (at, lanes2) => add4(reduction.value(kernel.values, row, at, lanes2), lanes2)
    )
  );
  kernel.values.bind(
    node,
    (_, lanes2) => lanes2 === 4 ? { op: "splat", type: `${result.type}x4`, a: result } : result
  );
}
function reduceToArray(kernel, reduction, row, to) {
  const { node, fn, inner } = reduction;
  const { emitter, values } = kernel;
  const array = node.shape.slice(row.length);
  overInner(kernel, array, 1, (at, lanes2) => {
    const sum = emitter.var(initialOf(fn, elementOf(node), lanes2));
    const nest = (axis, reduced) => {
      const each = inner[axis];
      if (each === void 0) {
        const value = reduction.value(values, [...row, ...at], reduced, lanes2);
        sum.set(binary3(combineOf(fn), sum.get, value));
      } else
        emitter.for(
          { to: sizeExpr(each.size), bound: each.size, hint: "r" },
          (index) => nest(axis + 1, [...reduced, index])
        );
    };
    nest(0, []);
    if (to.isOutput) values.store(kernel.memoryOf(node), flatIndex(node.shape, [...row, ...at]), sum.get);
    keepValue(kernel, node, to.keep, row, at, sum.get);
  });
  if (to.keep.kind !== "none") bindKept(kernel, node, to.keep, row);
  else if (to.isOutput) kernel.reveal(node);
}

// compiler/lower.ts
function lowerGraph(graph, options = {}) {
  const fusion = fuse(graph, options);
  const memories = /* @__PURE__ */ new Map();
  for (const node of fusion.nodes) {
    const memory = sourceMemory(node);
    if (memory !== void 0) memories.set(node, memory);
  }
  const taken = /* @__PURE__ */ new Set();
  for (const { name, node } of graph.outputs) {
    if (isSource(node) || node.op === "part" || taken.has(node)) continue;
    taken.add(node);
    memories.set(node, outputMemory(name, node));
  }
  const inPlace = chooseInPlace(fusion);
  for (const { tensor: tensor2, node } of graph.updates)
    if (inPlace.has(tensor2)) memories.set(node, tensorMemory(tensor2, node));
  for (const cluster of fusion.clusters) giveMemory(cluster, fusion, memories);
  const clusters = options.clusters ?? /* @__PURE__ */ new Map();
  const dispatches = [];
  for (const cluster of fusion.clusters) {
    const { path } = cluster.members[0].origin;
    for (const { kernel, buffers, title } of once(clusters, fusion, memories, cluster, () => {
      const made = [];
      lowerCluster({ fusion, memories, made }, cluster);
      return made;
    }))
      dispatches.push({ kernel, buffers, label: path === "" ? title : `${path}: ${title}` });
  }
  dispatches.push(...finalCopies(graph, memories, taken, inPlace));
  return {
    name: graph.name,
    inputs: inputsOf2(fusion, dispatches),
    outputs: graph.outputs.map(({ name, node, doc }) => ({
      ...portOf(name, node),
      ...doc === void 0 ? {} : { doc }
    })),
    dispatches,
    refusals: fusion.refusals
  };
}
var lengthOf = (node) => sizeOf2(node.shape);
var outputMemory = (name, node) => ({
  key: `output:${name}`,
  type: elementOf(node),
  length: lengthOf(node),
  buffer: { kind: "output", name }
});
var tensorMemory = (name, node) => ({
  key: `tensor:${name}`,
  type: elementOf(node),
  length: lengthOf(node),
  buffer: tensorBuffer(name)
});
var portOf = (name, node) => ({
  name,
  type: elementOf(node),
  shape: node.shape.map((axis) => axis.size)
});
function giveMemory(cluster, fusion, memories) {
  for (const node of cluster.members)
    if (node.op === "route") {
      for (const part of ["offsets", "source", "group", "slot"]) {
        const key = partOf(node, part);
        if (part === "offsets" || isRead(fusion, key))
          memories.set(key, temporary(`${node.origin.path} ${part}`, "i32", lengthOf(key)));
      }
    }
  packResults(cluster, memories);
  for (const node of cluster.outputs) {
    if (node.op === "route" || memories.has(node)) continue;
    memories.set(
      node,
      temporary(
        `${node.origin.path} ${node.op === "map" ? node.fn : node.op}`,
        elementOf(node),
        lengthOf(node)
      )
    );
  }
}
function packResults(cluster, memories) {
  const packed2 = cluster.outputs.filter((node) => isPacked(cluster.kind, node) && !memories.has(node));
  if (packed2.length < 2) return;
  const lengths = packed2.map(lengthOf);
  const total = lengths.reduce(add, number2(0));
  const label2 = `${packed2[0].origin.path} ${packed2.map((node) => node.op === "map" ? node.fn : node.op).join(", ")}`;
  const memory = temporary(label2, "f32", total);
  let offset = number2(0);
  for (const [i, node] of packed2.entries()) {
    memories.set(node, { ...memory, offset });
    offset = add(offset, lengths[i]);
  }
}
var readParts = /* @__PURE__ */ new WeakMap();
function isRead(fusion, part) {
  let set = readParts.get(fusion);
  if (set === void 0) {
    set = /* @__PURE__ */ new Set();
    for (const reads of fusion.reads.values())
      for (const { node } of reads) if (node.op === "part") set.add(node);
    for (const node of fusion.nodes) if (node.op === "part") set.add(canonical(node));
    readParts.set(fusion, set);
  }
  return set.has(part);
}
function chooseInPlace(fusion) {
  const clusterOf = /* @__PURE__ */ new Map();
  for (const [i, { members }] of fusion.clusters.entries())
    for (const node of members) clusterOf.set(node, i);
  const readers2 = /* @__PURE__ */ new Map();
  for (const [node, reads] of fusion.reads)
    for (const { node: leaf } of reads)
      if (leaf.op === "tensor") readers2.set(leaf.name, [...readers2.get(leaf.name) ?? [], node]);
  const inPlace = /* @__PURE__ */ new Set();
  for (const [node, tensor2] of fusion.replaced) {
    const at = clusterOf.get(node);
    if (at === void 0) continue;
    const { kind } = fusion.clusters[at];
    const safe = (readers2.get(tensor2) ?? []).every((reader) => {
      const index = clusterOf.get(reader);
      if (index !== at) return index < at;
      if (kind !== "map" && kind !== "contract" || reader.op === "contract") return false;
      return readsInPlace(fusion.reads.get(reader), tensor2, node);
    });
    if (safe) inPlace.add(tensor2);
  }
  return inPlace;
}
function lowerCluster(context2, cluster) {
  switch (cluster.kind) {
    case "map":
      return lowerMap(context2, cluster);
    case "row":
      return lowerRow(context2, cluster);
    case "contract":
      return lowerContract(context2, cluster);
    case "column":
      return lowerColumn(context2, cluster);
    case "scan":
      return lowerScan(context2, cluster);
    case "route":
      return lowerRoute(context2, cluster);
    default:
      return cluster.kind;
  }
}
function finalCopies(graph, memories, taken, inPlace) {
  const copies = [];
  const done = /* @__PURE__ */ new Set();
  for (const { name, node } of graph.outputs) {
    if (taken.has(node) && !done.has(node)) done.add(node);
    else copies.push(copyMemory(memoryOf(memories, node), outputMemory(name, node), `${name}: copy`));
  }
  const later = graph.updates.filter(({ tensor: tensor2 }) => !inPlace.has(tensor2));
  const sources = later.map(({ tensor: tensor2, node }) => {
    const memory = memoryOf(memories, node);
    if (node.op !== "tensor" || later.length === 1) return memory;
    const aside = temporary(tensor2, memory.type, memory.length);
    copies.push(copyMemory(memory, aside, `${tensor2}: keep`));
    return aside;
  });
  for (const [i, { tensor: tensor2, node }] of later.entries()) {
    if (node.op === "tensor" && node.name === tensor2) continue;
    copies.push(copyMemory(sources[i], tensorMemory(tensor2, node), `${tensor2}: update`));
  }
  return copies;
}
function memoryOf(memories, node) {
  const memory = memories.get(canonical(node));
  if (memory === void 0) throw new Error(`internal: %${node.id} ${node.op} was not computed`);
  return memory;
}
function inputsOf2(fusion, dispatches) {
  const ports = /* @__PURE__ */ new Map();
  for (const node of fusion.nodes) if (node.op === "input") ports.set(node.name, portOf(node.name, node));
  const bound = /* @__PURE__ */ new Set();
  for (const { buffers } of dispatches) for (const buffer of buffers) bound.add(buffer);
  for (const buffer of bound)
    if (buffer.kind === "input" && !ports.has(buffer.name))
      ports.set(buffer.name, { name: buffer.name, type: "i32", shape: [] });
  return [...ports.values()];
}

// compiler/pattern.ts
function matchesPattern(pattern, name) {
  const parts5 = pattern.split("*").map((part) => part.replaceAll(/[\\^$.|?+()[\]{}]/g, "\\$&"));
  return new RegExp(`^${parts5.join(".*")}$`).test(name);
}

// runtime/program.ts
var programVersion = 1;

// compiler/intern.ts
function interner() {
  const keys2 = /* @__PURE__ */ new Map();
  const seen = /* @__PURE__ */ new Map();
  const textOf2 = (value) => {
    if (typeof value === "number") return Object.is(value, -0) ? "-0" : `${value}`;
    if (typeof value === "string") return `'${value.length}${value}`;
    if (typeof value === "object" && value !== null) return `#${intern(value)}`;
    return String(value);
  };
  const intern = (value) => {
    const before = seen.get(value);
    if (before !== void 0) return before;
    let text;
    if (Array.isArray(value)) {
      text = "[";
      for (const part of value) text += `${textOf2(part)},`;
    } else {
      text = "{";
      for (const name in value) {
        const part = value[name];
        if (part !== void 0) text += `${name}:${textOf2(part)},`;
      }
    }
    let key = keys2.get(text);
    if (key === void 0) keys2.set(text, key = keys2.size);
    seen.set(value, key);
    return key;
  };
  return (value) => typeof value === "object" && value !== null ? intern(value) : scalar(value);
  function scalar(value) {
    return intern([value]);
  }
}

// compiler/plan.ts
function plan(entries, about) {
  const kernels = [];
  const numbers3 = /* @__PURE__ */ new Map();
  const intern = interner();
  const known3 = /* @__PURE__ */ new Map();
  const numberOf2 = (kernel) => {
    let number3 = known3.get(kernel);
    if (number3 === void 0) known3.set(kernel, number3 = numberByContent(kernel));
    return number3;
  };
  const numberByContent = (kernel) => {
    const { name: _name, ...work } = kernel;
    const key = intern(work);
    const before = numbers3.get(key);
    if (before !== void 0) return before;
    numbers3.set(key, kernels.length);
    kernels.push(kernel);
    return kernels.length - 1;
  };
  const tensors2 = new Map(about.tensors.map((tensor2) => [tensor2.name, tensor2.type]));
  const planned2 = {};
  for (const entry2 of entries) {
    if (planned2[entry2.name] !== void 0) throw new Error(`internal: two entries are called ${entry2.name}`);
    planned2[entry2.name] = planEntry(entry2, numberOf2, tensors2);
  }
  return {
    program: {
      format: "moe-program",
      version: programVersion,
      name: about.name,
      target: "wasm",
      sizes: about.sizes,
      tensors: about.tensors,
      kernels: kernels.map(describe3),
      entries: planned2,
      modalities: about.modalities,
      routers: about.routers,
      ...about.training === void 0 ? {} : { training: about.training }
    },
    kernels
  };
}
function describe3(kernel) {
  return {
    name: kernel.name,
    buffers: kernel.buffers.map(({ name, access: access2 }) => ({ name, access: access2 })),
    sizes: kernel.sizes,
    grid: kernel.grid,
    scratch: scratchBytes(kernel),
    ...kernel.multiplyAdds === void 0 ? {} : { multiplyAdds: kernel.multiplyAdds }
  };
}
function planEntry(entry2, numberOf2, tensors2) {
  const indices = /* @__PURE__ */ new Map();
  const temporaries2 = [];
  const written = /* @__PURE__ */ new Set();
  const types = {
    tensor: tensors2,
    input: new Map(entry2.inputs.map((port) => [port.name, port.type])),
    output: new Map(entry2.outputs.map((port) => [port.name, port.type]))
  };
  const dispatches = entry2.dispatches.map((dispatch, at) => {
    const fail2 = (why) => {
      throw new Error(`internal: entry ${entry2.name}, dispatch ${at} (${dispatch.label}): ${why}`);
    };
    const { kernel, buffers } = dispatch;
    if (buffers.length !== kernel.buffers.length)
      fail2(`kernel ${kernel.name} binds ${kernel.buffers.length} buffers, ${buffers.length} given`);
    const refs = buffers.map((buffer, i) => {
      const bound = kernel.buffers[i];
      const type = buffer.kind === "temporary" ? buffer.type : types[buffer.kind].get(buffer.name);
      if (type === void 0) return fail2(`there is no ${buffer.kind} ${nameOf(buffer)}`);
      if (type !== bound.type)
        fail2(`${buffer.kind} ${nameOf(buffer)} is ${type}, ${bound.name} is ${bound.type}`);
      if (buffer.kind === "input" && bound.access !== "read") fail2(`input ${buffer.name} is written`);
      if (buffer.kind !== "temporary") {
        if (buffer.kind === "output") {
          if (bound.access === "read" && !written.has(buffer.name))
            fail2(`output ${buffer.name} is read unwritten`);
          if (bound.access !== "read") written.add(buffer.name);
        }
        return { kind: buffer.kind, name: buffer.name };
      }
      const index = indices.get(buffer);
      if (index !== void 0) {
        temporaries2[index] = { ...temporaries2[index], last: at };
        return { kind: buffer.kind, index };
      }
      if (bound.access === "read") fail2(`temporary ${buffer.label} is read before anything writes it`);
      const { label: label2, length } = buffer;
      indices.set(buffer, temporaries2.length);
      temporaries2.push({ label: label2, type: buffer.type, length, first: at, last: at });
      return { kind: buffer.kind, index: temporaries2.length - 1 };
    });
    return { kernel: numberOf2(kernel), buffers: refs, label: dispatch.label };
  });
  for (const port of entry2.outputs)
    if (!written.has(port.name)) throw new Error(`internal: entry ${entry2.name} never writes ${port.name}`);
  const { name, inputs: inputs2, outputs, refusals } = entry2;
  return { name, inputs: inputs2, outputs, temporaries: temporaries2, dispatches, refusals };
}
var nameOf = (buffer) => buffer.kind === "temporary" ? buffer.label : buffer.name;

// grammar/layout.ts
import { tokenMatcher } from "chevrotain";

// grammar/brackets.ts
import { createTokenInstance } from "chevrotain";

// grammar/tokens.ts
import { createToken, Lexer } from "chevrotain";
var Name = createToken({ name: "Name", pattern: Lexer.NA, label: "a name" });
var Identifier = createToken({
  name: "Identifier",
  pattern: /[A-Za-z_][A-Za-z0-9_]*/,
  label: "a name",
  categories: [Name]
});
var all = [];
function sign(name, text, ...categories) {
  const type = createToken({ name, pattern: text, label: `\`${text}\``, categories });
  all.push(type);
  return type;
}
function word(text, ...categories) {
  const name = text[0].toUpperCase() + text.slice(1);
  const type = createToken({ name, pattern: text, label: `\`${text}\``, longer_alt: Identifier, categories });
  all.push(type);
  return type;
}
var Infix = createToken({ name: "Infix", pattern: Lexer.NA, label: "an operator" });
var Assign = createToken({ name: "Assign", pattern: Lexer.NA, label: "`=`" });
var Arrow = sign("Arrow", "->");
var PlusEquals = sign("PlusEquals", "+=", Assign);
var MinusEquals = sign("MinusEquals", "-=", Assign);
var TimesEquals = sign("TimesEquals", "*=", Assign);
var LessEqual = sign("LessEqual", "<=", Infix);
var GreaterEqual = sign("GreaterEqual", ">=", Infix);
var EqualEqual = sign("EqualEqual", "==", Infix);
var NotEqual = sign("NotEqual", "!=", Infix);
var Less = sign("Less", "<", Infix);
var Greater = sign("Greater", ">", Infix);
var Plus = sign("Plus", "+", Infix);
var Minus = sign("Minus", "-", Infix);
var Star = sign("Star", "*", Infix);
var Slash = sign("Slash", "/", Infix);
var At = sign("MatrixProduct", "@", Infix);
var Caret = sign("Caret", "^", Infix);
var Equals = sign("Equals", "=", Assign);
var Comma = sign("Comma", ",");
var Colon = sign("Colon", ":");
var Dot = sign("Dot", ".");
var LParen = sign("LParen", "(");
var RParen = sign("RParen", ")");
var LSquare = sign("LSquare", "[");
var RSquare = sign("RSquare", "]");
var LBrace = sign("LBrace", "{");
var RBrace = sign("RBrace", "}");
var And = word("and", Infix);
var Or = word("or", Infix);
var Not = word("not");
var If = word("if");
var Then = word("then");
var Else = word("else");
var Import = word("import", Name);
var Expert = word("expert", Name);
var Router = word("router", Name);
var Moe = word("moe", Name);
var Layer = word("layer", Name);
var Chain = word("chain", Name);
var Function = word("function", Name);
var Model = word("model", Name);
var Train = word("train", Name);
var Dim = word("dim", Name);
var Param = word("param", Name);
var State = word("state", Name);
var Modality = word("modality", Name);
var Choose = word("choose", Name);
var Weight = word("weight", Name);
var Capacity = word("capacity", Name);
var Loss = word("loss", Name);
var Metric = word("metric", Name);
var After = word("after", Name);
var Repeat = word("repeat", Name);
var Shared = word("shared", Name);
var Routed = word("routed", Name);
var Null = word("null", Name);
var Int = word("int", Name);
var Bool = word("bool", Name);
var Gates = word("gates", Name);
var As = word("as", Name);
var By = word("by", Name);
var Over = word("over", Name);
var In = word("in", Name);
var For = word("for", Name);
var Of = word("of", Name);
var Top = word("top", Name);
var Tokens = word("tokens", Name);
var Each = word("each", Name);
var The = word("the", Name);
var Best = word("best", Name);
var Groups = word("groups", Name);
var Until = word("until", Name);
var Where = word("where", Name);
var All = word("all", Name);
var Given = word("given", Name);
var AtMost = word("at", Name);
var Most = word("most", Name);
var Only = word("only", Name);
var Per = word("per", Name);
var Drop = word("drop", Name);
var Batch = word("batch", Name);
var Sequence = word("sequence", Name);
var Last = word("last", Name);
var Lowest = word("lowest", Name);
var Step = word("step", Name);
var Training = word("training", Name);
var Inference = word("inference", Name);
var Zero = word("zero", Name);
var Copy = word("copy", Name);
var Constant = word("constant", Name);
var Data = word("data", Name);
var Optimizer = word("optimizer", Name);
var Steps = word("steps", Name);
var Accumulate = word("accumulate", Name);
var Clip = word("clip", Name);
var Seed = word("seed", Name);
var Evaluate = word("evaluate", Name);
var Every = word("every", Name);
var On = word("on", Name);
var Checkpoint = word("checkpoint", Name);
var Stop = word("stop", Name);
var Freeze = word("freeze", Name);
var Rate = word("rate", Name);
var NumberLiteral = createToken({
  name: "Number",
  pattern: /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?%?/,
  label: "a number"
});
var StringLiteral = createToken({ name: "String", pattern: /"[^"\r\n]*"/, label: "a string" });
var OpenString = createToken({
  name: "OpenString",
  pattern: /"[^"\r\n]*/,
  label: "a string",
  categories: [StringLiteral]
});
var DocComment = createToken({ name: "DocComment", pattern: /\/\/\/[^\r\n]*/, label: "a comment" });
var LineComment = createToken({ name: "LineComment", pattern: /\/\/[^\r\n]*/, label: "a comment" });
var Newline = createToken({
  name: "Newline",
  pattern: /\r\n|\n|\r/,
  label: "the end of the line",
  line_breaks: true
});
var Blank = createToken({ name: "Blank", pattern: /[ \t\uFEFF]+/, group: Lexer.SKIPPED });
all.sort((a2, b2) => b2.PATTERN.length - a2.PATTERN.length);
var tokenTypes = [
  Blank,
  Newline,
  DocComment,
  LineComment,
  NumberLiteral,
  StringLiteral,
  OpenString,
  ...all,
  Identifier,
  Name,
  Infix,
  Assign
];
var declarationWords = [
  Import,
  Expert,
  Router,
  Moe,
  Layer,
  Chain,
  Function,
  Model,
  Train,
  Dim
];
var definitionWords = [Expert, Router, Moe, Layer, Chain, Function, Model];
var statementWords = [
  ...[Dim, Param, State, Modality, Choose, Weight, Capacity, Loss, Metric, After, Repeat, If],
  ...[Shared, Routed, Null, Router]
];
var settingWords = [
  ...[Data, Batch, Optimizer, Steps, Accumulate, Clip, Seed, Evaluate, Checkpoint, Stop, Freeze, Rate]
];
var lexer = new Lexer([...tokenTypes], { positionTracking: "onlyOffset", ensureOptimizations: true });
function tokenise(text) {
  const { tokens, errors } = lexer.tokenize(text);
  return { tokens, strange: errors.map(({ offset, length }) => ({ start: offset, end: offset + length })) };
}
var endOf = (token) => token.startOffset + token.image.length;

// grammar/brackets.ts
var closerOf = /* @__PURE__ */ new Map([
  [LParen, RParen],
  [LSquare, RSquare],
  [LBrace, RBrace]
]);
var openerOf = new Map([...closerOf].map(([opener, closer]) => [closer, opener]));
var imageOf = /* @__PURE__ */ new Map([
  [RParen, ")"],
  [RSquare, "]"],
  [RBrace, "}"]
]);
var isOpener = (token) => closerOf.has(token.tokenType);
var isCloser = (token) => openerOf.has(token.tokenType);
function isBalanced(tokens) {
  const open = [];
  for (const token of tokens)
    if (isOpener(token)) open.push(token.tokenType);
    else if (isCloser(token) && open.pop() !== openerOf.get(token.tokenType)) return false;
  return open.length === 0;
}
function neverClosed(tokens) {
  const open = [];
  const count = /* @__PURE__ */ new Map();
  const add4 = (type, by) => void count.set(type, (count.get(type) ?? 0) + by);
  const lost = /* @__PURE__ */ new Set();
  for (const token of tokens) {
    if (isOpener(token)) {
      open.push(token);
      add4(token.tokenType, 1);
    }
    const opener = openerOf.get(token.tokenType);
    if (opener === void 0 || (count.get(opener) ?? 0) === 0) continue;
    for (; ; ) {
      const top = open.pop();
      add4(top.tokenType, -1);
      if (top.tokenType === opener) break;
      lost.add(top);
    }
  }
  for (const token of open) lost.add(token);
  return lost;
}
function balance(tokens, text) {
  if (isBalanced(tokens)) return { tokens, problems: [] };
  const lost = neverClosed(tokens);
  const out = [];
  const open = [];
  const problems = [];
  const count = /* @__PURE__ */ new Map();
  const margins = /* @__PURE__ */ new Map();
  const add4 = ({ token, indent: indent2 }, by) => {
    count.set(token.tokenType, (count.get(token.tokenType) ?? 0) + by);
    if (token.tokenType === LBrace) margins.set(indent2, (margins.get(indent2) ?? 0) + by);
  };
  const closeTop = () => {
    const top = open.pop();
    const { token } = top;
    add4(top, -1);
    const closer = closerOf.get(token.tokenType);
    let place2 = out.length;
    while (out[place2 - 1]?.tokenType === Newline) place2 -= 1;
    const at = out[place2 - 1] === void 0 ? token.startOffset : endOf(out[place2 - 1]);
    const put = createTokenInstance(closer, "", at, at, 0, 0, 0, 0);
    out.splice(place2, 0, put);
    problems.push({ problem: "open", token, closer: imageOf.get(closer), at });
  };
  let indent = 0;
  let firstOnLine = true;
  for (const token of tokens) {
    const top = open.at(-1);
    if (token.tokenType === Newline) {
      while (open.length > 0 && open.at(-1).token.tokenType !== LBrace && lost.has(open.at(-1).token))
        closeTop();
      firstOnLine = true;
      out.push(token);
      continue;
    }
    if (firstOnLine) {
      indent = indentationAt(text, token.startOffset);
      if (indent === 0 && declarationWords.includes(token.tokenType))
        while (open.length > 0) closeTop();
    }
    if (token.tokenType === LBrace && top !== void 0 && top.token.tokenType !== LBrace && lost.has(top.token))
      closeTop();
    if (isOpener(token)) {
      open.push({ token, indent });
      add4({ token, indent }, 1);
    }
    const opener = openerOf.get(token.tokenType);
    if (opener !== void 0) {
      if ((count.get(opener) ?? 0) === 0) {
        problems.push({ problem: "stray", token, closer: token.image, at: token.startOffset });
        firstOnLine = false;
        continue;
      }
      while (open.at(-1).token.tokenType !== opener) closeTop();
      if (firstOnLine && opener === LBrace && (margins.get(indent) ?? 0) > 0)
        while (open.at(-1).indent !== indent || open.at(-1).token.tokenType !== LBrace) closeTop();
      add4(open.pop(), -1);
    }
    firstOnLine = false;
    out.push(token);
  }
  while (open.length > 0) closeTop();
  return { tokens: out, problems };
}
function indentationAt(text, offset) {
  let line = offset;
  while (text[line - 1] === " " || text[line - 1] === "	") line -= 1;
  return offset - line;
}

// grammar/layout.ts
var depthOf = (token) => token.payload ?? 0;
function layOut(text) {
  const { tokens: all2, strange } = tokenise(text);
  const { lines, comments, docs, doc } = separateComments(all2);
  const { tokens: balanced, problems } = balance(lines, text);
  const openStrings = balanced.filter((token) => token.tokenType === OpenString).map(spanOf);
  const glued = balanced.flatMap((token, i) => {
    const before = balanced[i - 1];
    const runsIn = before?.tokenType === NumberLiteral && endOf(before) === token.startOffset;
    return runsIn && (tokenMatcher(token, Name) || token.tokenType === NumberLiteral) ? [{ start: before.startOffset, end: endOf(token) }] : [];
  });
  return {
    tokens: dropNewlines(balanced),
    comments,
    docs,
    ...doc === void 0 ? {} : { doc },
    strange,
    openStrings,
    glued,
    brackets: problems
  };
}
var spanOf = (token) => ({ start: token.startOffset, end: endOf(token) });
function separateComments(all2) {
  const lines = [];
  const comments = [];
  const docs = /* @__PURE__ */ new Map();
  const top = [];
  let run2 = [];
  let newlines = 0;
  const leaveRun = () => {
    if (lines.length === 0) top.push(...run2);
    run2 = [];
  };
  for (const token of all2) {
    if (token.tokenType === Newline) {
      newlines += 1;
      if (newlines > 1) leaveRun();
      if (lines.length > 0 && lines.at(-1).tokenType !== Newline) lines.push(token);
      continue;
    }
    const ownLine = newlines > 0 || lines.length === 0 && comments.length === 0;
    newlines = 0;
    if (token.tokenType === LineComment || token.tokenType === DocComment) {
      comments.push({ text: token.image.trimEnd(), span: spanOf(token) });
      if (token.tokenType === DocComment && ownLine)
        run2.push(token.image.slice(3).replace(/^ /, "").trimEnd());
      continue;
    }
    if (run2.length > 0) {
      if (token.tokenType === Import) leaveRun();
      else docs.set(token.startOffset, run2.join("\n"));
      run2 = [];
    }
    lines.push(token);
  }
  leaveRun();
  return { lines, comments, docs, ...top.length === 0 ? {} : { doc: top.join("\n") } };
}
var continues = [
  Infix,
  Assign,
  Comma,
  Colon,
  Arrow,
  LBrace,
  Not,
  If,
  Then,
  Else
];
var resumes = [RBrace, Then, Else];
function dropNewlines(tokens) {
  const out = [];
  let depth = 0;
  let lines = 0;
  tokens.forEach((token, i) => {
    const isBrace = token.tokenType === LBrace || token.tokenType === RBrace;
    if (isCloser(token)) {
      depth -= 1;
      if (!isBrace) lines -= 1;
    }
    token.payload = depth;
    if (isOpener(token)) {
      depth += 1;
      if (!isBrace) lines += 1;
    }
    if (token.tokenType === Newline) {
      const before = out.at(-1);
      const after2 = tokens[i + 1];
      if (before === void 0 || after2 === void 0 || lines > 0) return;
      if (before.tokenType === Newline) return;
      if (continues.some((type) => tokenMatcher(before, type)) || resumes.some((type) => tokenMatcher(after2, type)))
        return;
    }
    out.push(token);
  });
  return out;
}

// grammar/parse-base.ts
import {
  EmbeddedActionsParser,
  EOF as EOF2,
  isRecognitionException,
  tokenMatcher as tokenMatcher3
} from "chevrotain";

// grammar/problems.ts
import { EOF, tokenMatcher as tokenMatcher2 } from "chevrotain";

// grammar/spelling.ts
import { distance as distance2 } from "fastest-levenshtein";
function nearest(word2, candidates) {
  const limit2 = Math.max(1, Math.floor(word2.length / 3));
  return [...new Set(candidates)].map((candidate) => ({ candidate, far: distance2(word2, candidate) })).filter(({ candidate, far }) => far <= limit2 && far < candidate.length && candidate !== word2).sort((a2, b2) => a2.far - b2.far || (a2.candidate < b2.candidate ? -1 : 1)).slice(0, 3).map(({ candidate }) => candidate);
}

// grammar/problems.ts
var SyntaxProblem = class extends Error {
  expected;
  token;
  rule;
  constructor(expected, token, rule) {
    super("internal: a syntax problem was not caught");
    this.expected = expected;
    this.token = token;
    this.rule = rule;
  }
};
var NestingProblem = class extends Error {
};
var say = (expected) => JSON.stringify(expected);
var heard = (message) => JSON.parse(message);
var labelOf = (type) => type.LABEL ?? type.name;
var messages = {
  buildMismatchTokenMessage: ({ expected }) => say({ labels: [labelOf(expected)], ahead: 0 }),
  buildNotAllInputParsedMessage: () => say({ labels: ["the end of the file"], ahead: 0 }),
  buildNoViableAltMessage: ({ expectedPathsPerAlt, actual }) => furthest(expectedPathsPerAlt.flat(), actual),
  buildEarlyExitMessage: ({ expectedIterationPaths, actual }) => furthest(expectedIterationPaths, actual)
};
function furthest(paths, actual) {
  let ahead = 0;
  let labels2 = /* @__PURE__ */ new Set();
  for (const path of paths) {
    let fits = 0;
    while (fits < path.length && actual[fits] !== void 0 && tokenMatcher2(actual[fits], path[fits]))
      fits += 1;
    const next = path[fits];
    if (next === void 0 || fits < ahead) continue;
    if (fits > ahead) labels2 = /* @__PURE__ */ new Set();
    ahead = fits;
    labels2.add(labelOf(next));
  }
  return say({ labels: [...labels2], ahead });
}
var expressionStarts = ["a name", "a number", "a string", "`(`", "`[`", "`-`", "`not`", "`if`"];
function describeExpected(labels2) {
  const isExpression = labels2.includes("a number") && labels2.includes("`(`");
  const rest = isExpression ? labels2.filter((label2) => !expressionStarts.includes(label2)) : [...labels2];
  const shown = isExpression ? ["an expression", ...rest] : rest.includes("a name") ? ["a name"] : rest;
  if (shown.length > 6) return "another word";
  return shown.length <= 1 ? shown[0] ?? "nothing more" : `${shown.slice(0, -1).join(", ")} or ${shown.at(-1)}`;
}
function describeToken(token) {
  if (token.tokenType === EOF) return "the end of the file";
  if (token.tokenType === Newline) return "the end of the line";
  if (token.image === "") return "nothing";
  return `\`${token.image.length > 40 ? `${token.image.slice(0, 37)}...` : token.image}\``;
}
var forms = {
  import: 'write `import std.experts { SwiGLU }` or `import "./mine.moe" { Mine }`',
  expert: "write `expert Name(D, H)(x: [D]) -> [D] { ... }`",
  router: "write `router TopK { k = 2 }`; a definition is `router Name(D, N)(x: [D]) -> gates[N] { ... }`",
  moe: "write `moe Name(D, H)(x: [D]) -> [D] { ... }`",
  layer: "write `layer Name(D, H)(x: [D]) -> [D] { ... }`",
  chain: "write `chain Name(D, H)(x: [D]) -> [D] { ... }`",
  function: "write `function Name(D)(x: [D]) -> [] { ... }`",
  model: "write `model Name { ... }`",
  train: "write `train Name { ... }` with one setting on each line",
  dim: "write `dim H = 4 * D`",
  param: "write `param w: [D, H]` or `param w: [D, H] = normal(0.02)`",
  state: "write `state bias: [N] = 0`",
  modality: "write `modality text = tokens(vocab = 256)`",
  choose: "write `choose top 2 of score`, `choose until sum(p) > 0.4 by p`, `choose where score > 0` or `choose all`",
  weight: "write `weight score / sum(score)`",
  capacity: "write `capacity 1.25 * tokens / N per batch drop last`",
  loss: "write `loss balance = expression` or `loss expression`",
  metric: "write `metric name = expression`",
  after: "write `after step: name = expression`",
  repeat: "write `repeat 4 { ... }` or `repeat i in 4 { ... }`",
  if: "write `if condition { ... } else { ... }` or `if condition then a else b`",
  shared: "write `shared SwiGLU(D, H) * 2`",
  routed: "write `routed SwiGLU(D, H) * 64`",
  null: "write `null zero * 8`, `null copy * 8` or `null constant * 8`",
  data: 'write `data text = bytes("corpus/*.txt")`',
  batch: "write `batch 16 of 256`",
  optimizer: "write `optimizer adamw { rate = 3e-3 }`",
  steps: "write `steps 2000`",
  accumulate: "write `accumulate 2`",
  clip: "write `clip 1`",
  seed: "write `seed 1`",
  evaluate: "write `evaluate every 100 on 5%`",
  checkpoint: "write `checkpoint every 100`",
  stop: "write `stop after 5`",
  freeze: 'write `freeze "embed*"`',
  rate: 'write `rate "*.router.*" = 0.5`',
  entry: "write a static as `D` or `k = 8`, an input as `x: [D]`",
  type: "write a type as `[T, D]`, `int [T]` or `[]`",
  conditional: "write `if condition then a else b`",
  options: "write options as `{ k = 2, rate = 1e-3 }`",
  "a declaration": "begin with `import`, `expert`, `router`, `moe`, `layer`, `chain`, `function`, `model`, `dim` or `train`",
  "a setting": "begin with `data`, `batch`, `optimizer`, `steps`, `evaluate`, `checkpoint`, `stop`, `clip`, `accumulate`, `seed`, `freeze` or `rate`"
};
function misfit({ labels: labels2, token, rule, word: word2, module, end, before }) {
  const expected = describeExpected(labels2);
  const span = placeOf2(token, before, end);
  const label2 = `expected ${expected}`;
  const say2 = (code, message2, help2) => error(code, message2, module, span, label2, help2);
  if (reserved.has(token.image) && labels2.includes("a name") && !labels2.includes("a number"))
    return say2(
      "M0008",
      `\`${token.image}\` is a word of the language and cannot be a name`,
      "choose another name"
    );
  const [meant] = nearest(
    token.image,
    labels2.filter((one2) => one2.startsWith("`")).map((one2) => one2.slice(1, -1))
  );
  if (meant !== void 0 && tokenMatcher2(token, Name)) return misspelt(token, meant, module);
  if (before.tokenType === Comma && closers.includes(token.tokenType)) {
    const comma = { start: before.startOffset, end: endOf(before) };
    const what = error(
      "M0005",
      `expected ${expected} after \`,\``,
      module,
      comma,
      "nothing follows this",
      "remove the comma"
    );
    return { ...what, fix: { span: comma, text: "", safe: true } };
  }
  const message = `expected ${expected}, found ${describeToken(token)}`;
  const help = token.tokenType === Equals && word2 !== "rate" ? comparing : forms[rule] ?? forms[labels2[0] ?? ""] ?? forms[word2];
  return say2("M0005", message, help ?? adviceFor(labels2, token));
}
function misspelt(token, meant, module) {
  const span = { start: token.startOffset, end: endOf(token) };
  const message = `there is no \`${token.image}\` here`;
  return {
    ...error("M0006", message, module, span, "not a word of the language", `write \`${meant}\``),
    fix: { span, text: meant, safe: false }
  };
}
var reserved = /* @__PURE__ */ new Set(["and", "or", "not", "if", "then", "else"]);
var closers = [RParen, RSquare, RBrace];
var comparing = "write `==` to compare; `name = expression` binds a name";
function adviceFor(labels2, token) {
  if (labels2.includes("`{`")) return "open the body with `{` on the same line";
  if (token.tokenType === Newline)
    return "finish the statement on this line, or end the line with an operator or a comma";
  if (token.tokenType === Then || token.tokenType === Else) return "write `if condition then a else b`";
  if (labels2.includes("the end of the line"))
    return tokenMatcher2(token, Name) || token.tokenType === NumberLiteral ? "put an operator between the two, or begin a new line" : "begin a new line, or remove it";
  return `put ${describeExpected(labels2)} here`;
}
function placeOf2(token, before, end) {
  const isEnd = token.tokenType === EOF;
  if (isEnd || token.tokenType === Newline || token.image === "") {
    const at = Number.isNaN(before.startOffset) ? isEnd ? end : token.startOffset : endOf(before);
    return { start: at, end: at };
  }
  return { start: token.startOffset, end: endOf(token) };
}
function error(code, message, module, span, label2, help) {
  return { code, severity: "error", message, at: { module, span, label: label2 }, related: [], help };
}

// grammar/walk.ts
function childrenOf(expression) {
  switch (expression.node) {
    case "number":
    case "string":
    case "name":
    case "broken":
      return [];
    case "list":
      return expression.items;
    case "unary":
      return [expression.operand];
    case "binary":
      return [expression.left, expression.right];
    case "if":
      return [expression.condition, expression.then, expression.otherwise];
    case "call":
      return [expression.callee, ...expression.arguments.map(({ value }) => value)];
    case "configure":
      return [expression.callee, ...expression.options.map(({ value }) => value)];
    case "index":
      return [expression.of, ...expression.indices];
    case "member":
      return [expression.of];
    case "by":
      return [expression.of, expression.router];
    case "as":
      return [expression.of, ...expression.type.axes];
    case "group":
      return [expression.inner];
    default:
      return expression;
  }
}
function isDeeperThan(expression, limit2) {
  let level = [expression];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth >= limit2) return true;
    level = level.flatMap(childrenOf);
  }
  return false;
}

// grammar/parse-base.ts
var nestingLimit = 64;
var depthLimit3 = 250;
var diagnosticLimit = 100;
var ParserBase = class extends EmbeddedActionsParser {
  module = "";
  end = 0;
  docs = /* @__PURE__ */ new Map();
  found = [];
  depth = 0;
  isInExpression = false;
  /** In headers that a block follows, `{` opens the block, not options; in `choose`, `by` belongs to the choice. */
  noOptions = false;
  noBy = false;
  /** The library's checks of the grammar itself take as long as all else together; a test runs them. */
  constructor(checksGrammar) {
    super([...tokenTypes], {
      recoveryEnabled: false,
      maxLookahead: 2,
      skipValidations: !checksGrammar,
      nodeLocationTracking: "none",
      errorMessageProvider: messages
    });
  }
  start() {
    return this.LA(1).startOffset;
  }
  from(start) {
    return { start, end: endOf(this.LA(0)) };
  }
  nameOf(token) {
    return { text: token.image, span: spanOf(token) };
  }
  report(diagnostic) {
    this.found.push(diagnostic);
  }
  complain(code, message, span, label2, help) {
    this.report(error(code, message, this.module, span, label2, help));
  }
  /** Reads with other flags; inside brackets both are off. */
  within(flags, read3) {
    const before = { noOptions: this.noOptions, noBy: this.noBy };
    Object.assign(this, flags);
    const result = read3();
    Object.assign(this, before);
    return result;
  }
  inBrackets(read3) {
    return this.within({ noOptions: false, noBy: false }, read3);
  }
  /** An expression that is in no other: one that is too deep for the passes that walk it is refused here. */
  outermost(read3) {
    if (this.RECORDING_PHASE || this.isInExpression) return read3();
    this.isInExpression = true;
    const value = read3();
    this.isInExpression = false;
    if (!isDeeperThan(value, depthLimit3)) return value;
    const help = "name a part of it on a line of its own";
    this.complain(
      "M0007",
      "this expression is too long or too deep",
      value.span,
      `more than ${depthLimit3} levels`,
      help
    );
    return { node: "broken", span: value.span };
  }
  /** Counts a level of nesting while it reads. */
  nested(read3) {
    if (this.RECORDING_PHASE) return read3();
    if (this.depth >= nestingLimit) throw new NestingProblem();
    this.depth += 1;
    try {
      return read3();
    } finally {
      this.depth -= 1;
    }
  }
  /** Reads something that stands in lines of its own. After an error the rest of it is skipped, and `salvage` makes the best of it. */
  guarded(read3, salvage2) {
    if (this.RECORDING_PHASE) return read3();
    const first = [1, 2, 3].map((ahead) => this.LA(ahead));
    const depth = depthOf(first[0]);
    try {
      return read3();
    } catch (thrown) {
      this.tell(thrown, first[0].image);
      this.forget();
      this.skip(this.found.length < diagnosticLimit ? depth : -1, []);
      return salvage2(first);
    }
  }
  /** Reads a header: after an error reading goes on at the `{` of the body, if there is one. */
  guardedHeader(read3) {
    if (this.RECORDING_PHASE) return read3();
    const word2 = this.LA(0);
    const depth = depthOf(word2);
    try {
      read3();
    } catch (thrown) {
      if (!this.isAhead(depth, LBrace)) throw thrown;
      this.tell(thrown, word2.image);
      this.forget();
      this.skip(depth, [LBrace]);
    }
  }
  /** Flags are as they are where a statement begins. */
  forget() {
    this.noOptions = false;
    this.noBy = false;
    this.isInExpression = false;
  }
  /** Turns what was thrown into a diagnostic. */
  tell(thrown, word2) {
    if (thrown instanceof NestingProblem) {
      const place2 = spanOf(this.LA(1));
      const span = Number.isNaN(place2.start) ? { start: this.end, end: this.end } : place2;
      this.complain(
        "M0007",
        `nested more than ${nestingLimit} levels deep`,
        span,
        "the innermost level that is read",
        "name a part of it on a line of its own"
      );
      return;
    }
    const [labels2, token, rule] = this.misfitOf(thrown);
    if (token.image === "" && token.tokenType !== EOF2) return;
    if (token.tokenType === EOF2 && this.LA(0).image === "" && !Number.isNaN(this.LA(0).startOffset)) return;
    this.report(
      misfit({ labels: labels2, token, rule, word: word2, module: this.module, end: this.end, before: this.beforeOf(token) })
    );
  }
  misfitOf(thrown) {
    if (thrown instanceof SyntaxProblem) return [thrown.expected, thrown.token, thrown.rule];
    if (!(thrown instanceof Error) || !isRecognitionException(thrown)) throw thrown;
    const { labels: labels2, ahead } = heard(thrown.message);
    const { context: context2 } = thrown;
    return [labels2, this.LA(1 + ahead), context2.ruleStack.at(-1) ?? ""];
  }
  beforeOf(token) {
    let ahead = 0;
    while (ahead < 4 && this.LA(ahead + 1) !== token) ahead += 1;
    return this.LA(ahead);
  }
  /** Skips to the end of the statement whose first token has this depth, or to one of `types` at that depth. */
  skip(depth, types) {
    while (!this.isEndAt(this.LA(1), depth) && !(depthOf(this.LA(1)) === depth && types.includes(this.LA(1).tokenType)))
      this.SKIP_TOKEN();
  }
  isAhead(depth, type) {
    for (let ahead = 1; ; ahead += 1) {
      const token = this.LA(ahead);
      if (this.isEndAt(token, depth)) return false;
      if (depthOf(token) === depth && token.tokenType === type) return true;
    }
  }
  isEndAt(token, depth) {
    if (token.tokenType === EOF2 || depthOf(token) < depth) return true;
    return depthOf(token) === depth && token.tokenType === Newline;
  }
  /** A header ends at the `{` of its body. */
  expectBody(rule) {
    if (this.LA(1).tokenType !== LBrace) throw new SyntaxProblem(["`{`"], this.LA(1), rule);
  }
  /** A statement ends at the end of its line, of its block or of the file. */
  expectEnd() {
    const next = this.LA(1);
    if (next.tokenType === Newline || next.tokenType === RBrace || next.tokenType === EOF2) return;
    throw new SyntaxProblem(["the end of the line"], next, "end");
  }
  /** Lines that nothing can begin with are reported and skipped, so that the rest of the block is read. */
  skipJunk(canBegin, expected) {
    if (this.RECORDING_PHASE) return;
    for (; ; ) {
      const next = this.LA(1);
      const isEnd = next.tokenType === Newline || next.tokenType === RBrace || next.tokenType === EOF2;
      if (isEnd || canBegin(next)) return;
      this.guarded(
        () => {
          throw new SyntaxProblem([expected], next, "junk");
        },
        () => void 0
      );
    }
  }
  /** `parm w: [D]`: a line that begins with two words of which the first is nearly a keyword is read as that keyword. */
  mendWord(words, always2) {
    if (this.RECORDING_PHASE) return;
    const [first, second] = [this.LA(1), this.LA(2)];
    if (first.tokenType !== Identifier) return;
    const isWord = tokenMatcher3(second, Name) || second.tokenType === NumberLiteral || second.tokenType === StringLiteral;
    const isSuffix = [In, As, By].includes(second.tokenType);
    if (!always2 && (!isWord || isSuffix)) return;
    const spellings = new Map(words.map((type2) => [type2.PATTERN, type2]));
    const [best] = nearest(first.image, spellings.keys());
    if (best === void 0) return;
    this.report(misspelt(first, best, this.module));
    const type = spellings.get(best);
    first.tokenType = type;
    first.tokenTypeIdx = type.tokenTypeIdx;
  }
};

// grammar/parse-modules.ts
import { tokenMatcher as tokenMatcher5 } from "chevrotain";

// grammar/precedence.ts
var precedence = {
  or: 2,
  and: 3,
  "<": 5,
  "<=": 5,
  ">": 5,
  ">=": 5,
  "==": 5,
  "!=": 5,
  "+": 6,
  "-": 6,
  "*": 7,
  "/": 7,
  "@": 7,
  "^": 9
};
var prefixPrecedence = { not: 4, "-": 8 };
var comparisonPrecedence = 5;
var levelOf2 = (pending) => pending.item === "prefix" ? prefixPrecedence[pending.operator] : precedence[pending.operator];
function treeOf(row, report2) {
  const operands = [];
  const waiting = [];
  const reduce2 = () => {
    const top = waiting.pop();
    const right = operands.pop();
    if (top.item === "prefix") {
      const span2 = { start: top.span.start, end: right.span.end };
      operands.push({ node: "unary", operator: top.operator, operand: right, span: span2 });
      return;
    }
    const left = operands.pop();
    const span = { start: left.span.start, end: right.span.end };
    operands.push({ node: "binary", operator: top.operator, left, right, span });
  };
  for (const item of row) {
    const top = waiting.at(-1);
    switch (item.item) {
      case "operand":
        operands.push(item.operand);
        break;
      case "prefix":
        if (item.operator === "not" && top !== void 0 && levelOf2(top) > levelOf2(item))
          report2({ problem: "loose not", span: item.span });
        waiting.push(item);
        break;
      case "infix": {
        const level = levelOf2(item);
        while (waiting.length > 0) {
          const before = waiting.at(-1);
          if (levelOf2(before) < level || item.operator === "^" && levelOf2(before) === level) break;
          if (level === comparisonPrecedence && levelOf2(before) === level)
            report2({ problem: "chained", span: item.span });
          reduce2();
        }
        waiting.push(item);
        break;
      }
      default:
        item;
    }
  }
  while (waiting.length > 0) reduce2();
  return operands[0];
}

// grammar/parse-expressions.ts
var ExpressionParser = class extends ParserBase {
  expression = this.RULE("expression", () => {
    const start = this.start();
    return this.outermost(() => {
      let value = this.SUBRULE(this.value);
      this.MANY(() => {
        this.CONSUME(As);
        const type = this.SUBRULE(this.type);
        value = { node: "as", of: value, type, span: this.from(start) };
      });
      return value;
    });
  });
  value = this.RULE("value", () => {
    return this.nested(
      () => this.OR([
        { ALT: () => this.SUBRULE(this.conditional) },
        { ALT: () => this.SUBRULE(this.operation) }
      ])
    );
  });
  conditional = this.RULE("conditional", () => {
    const start = this.start();
    this.CONSUME(If);
    const condition = this.SUBRULE(this.value);
    this.CONSUME(Then);
    const then = this.SUBRULE2(this.value);
    this.CONSUME(Else);
    const otherwise2 = this.SUBRULE3(this.value);
    return { node: "if", condition, then, otherwise: otherwise2, span: this.from(start) };
  });
  operation = this.RULE("operation", () => {
    const row = [];
    this.SUBRULE(this.operand, { ARGS: [row] });
    this.MANY(() => {
      const token = this.CONSUME(Infix);
      this.ACTION(
        () => row.push({ item: "infix", operator: token.image, span: spanOf(token) })
      );
      this.SUBRULE2(this.operand, { ARGS: [row] });
    });
    return this.ACTION(
      () => treeOf(
        row,
        ({ problem, span }) => problem === "chained" ? this.complain(
          "M0009",
          "comparisons do not chain",
          span,
          "a second comparison",
          "join two with `and`: `a < b and b < c`"
        ) : this.complain(
          "M0010",
          "`not` binds looser than the operator before it",
          span,
          "this `not`",
          "put it in parentheses: `(not a)`"
        )
      )
    );
  });
  operand = this.RULE("operand", (row) => {
    this.MANY(() => {
      const token = this.OR([{ ALT: () => this.CONSUME(Minus) }, { ALT: () => this.CONSUME(Not) }]);
      this.ACTION(
        () => row.push({ item: "prefix", operator: token.image, span: spanOf(token) })
      );
    });
    const operand2 = this.SUBRULE(this.postfix);
    this.ACTION(() => row.push({ item: "operand", operand: operand2 }));
  });
  postfix = this.RULE("postfix", () => {
    const start = this.start();
    let of = this.SUBRULE(this.primary);
    this.MANY({
      GATE: () => !(this.noOptions && this.LA(1).tokenType === LBrace) && !(this.noBy && this.LA(1).tokenType === By),
      DEF: () => {
        of = this.OR([
          {
            ALT: () => {
              const { items, over } = this.SUBRULE(this.list);
              return { node: "call", callee: of, arguments: items, over, span: this.from(start) };
            }
          },
          {
            ALT: () => {
              const options = this.SUBRULE(this.options);
              return { node: "configure", callee: of, options, span: this.from(start) };
            }
          },
          {
            ALT: () => {
              const indices = this.SUBRULE(this.indices);
              return { node: "index", of, indices, span: this.from(start) };
            }
          },
          {
            ALT: () => {
              this.CONSUME(Dot);
              const name = this.nameOf(this.CONSUME(Name));
              return { node: "member", of, name, span: this.from(start) };
            }
          },
          {
            ALT: () => {
              const by = this.CONSUME(By);
              this.ACTION(() => this.expectCall(of, by));
              const router = this.within(
                { noOptions: this.noOptions, noBy: true },
                () => this.SUBRULE(this.postfix)
              );
              return { node: "by", of, router, span: this.from(start) };
            }
          }
        ]);
      }
    });
    return of;
  });
  expectCall(of, by) {
    if (of.node !== "call")
      this.complain(
        "M0011",
        "`by` needs a call before it",
        spanOf(by),
        "routes a call",
        "apply the pool first: `pool(x) by TopK { k = 2 }`"
      );
  }
  primary = this.RULE("primary", () => {
    const start = this.start();
    return this.OR([
      {
        ALT: () => {
          const token = this.CONSUME(Name);
          return { node: "name", text: token.image, span: spanOf(token) };
        }
      },
      { ALT: () => this.numberOf(this.CONSUME(NumberLiteral)) },
      { ALT: () => this.stringOf(this.CONSUME(StringLiteral)) },
      {
        ALT: () => {
          this.CONSUME(LParen);
          const inner = this.inBrackets(() => this.SUBRULE(this.expression));
          this.CONSUME(RParen);
          return { node: "group", inner, span: this.from(start) };
        }
      },
      {
        ALT: () => {
          const items = [];
          this.CONSUME(LSquare);
          this.inBrackets(
            () => this.MANY_SEP({ SEP: Comma, DEF: () => void items.push(this.SUBRULE2(this.expression)) })
          );
          this.CONSUME(RSquare);
          return { node: "list", items, span: this.from(start) };
        }
      }
    ]);
  });
  /** `5%` is 0.05: the sign belongs to the number. */
  numberOf(token) {
    const percent = token.image.endsWith("%");
    const value = Number(percent ? token.image.slice(0, -1) : token.image);
    if (value === Infinity)
      this.complain(
        "M0012",
        "this number is too large",
        spanOf(token),
        "more than a number can hold",
        "write `inf` for infinity"
      );
    return { node: "number", value: percent ? value / 100 : value, span: spanOf(token) };
  }
  stringOf(token) {
    return { node: "string", value: stringValue(token), span: spanOf(token) };
  }
  /** `(a, k = 2 over c, d)` */
  list = this.RULE(
    "arguments",
    () => {
      const items = [];
      const over = [];
      this.CONSUME(LParen);
      this.inBrackets(() => {
        this.OPTION(() => {
          items.push(this.SUBRULE(this.argument));
          this.MANY(() => {
            this.CONSUME(Comma);
            items.push(this.SUBRULE2(this.argument));
          });
          this.OPTION2(() => {
            this.CONSUME(Over);
            this.AT_LEAST_ONE_SEP({
              SEP: Comma,
              DEF: () => void over.push(this.nameOf(this.CONSUME(Name)))
            });
          });
        });
      });
      this.CONSUME(RParen);
      return { items, over };
    }
  );
  argument = this.RULE("argument", () => {
    const start = this.start();
    const name = this.OPTION(() => {
      const token = this.CONSUME(Name);
      this.CONSUME(Equals);
      return this.nameOf(token);
    });
    const value = this.SUBRULE(this.expression);
    return { ...name === void 0 ? {} : { name }, value, span: this.from(start) };
  });
  /** `{ k = 2, rate = 1e-3 }` */
  options = this.RULE("options", () => {
    const options = [];
    this.CONSUME(LBrace);
    this.inBrackets(
      () => this.MANY_SEP({
        SEP: Comma,
        DEF: () => {
          const start = this.start();
          const name = this.nameOf(this.CONSUME(Name));
          this.CONSUME(Equals);
          const value = this.SUBRULE(this.expression);
          options.push({ name, value, span: this.from(start) });
        }
      })
    );
    this.CONSUME(RBrace);
    return options;
  });
  indices = this.RULE("indices", () => {
    const indices = [];
    this.CONSUME(LSquare);
    this.inBrackets(
      () => this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => void indices.push(this.SUBRULE(this.expression)) })
    );
    this.CONSUME(RSquare);
    return indices;
  });
  type = this.RULE("type", () => {
    const start = this.start();
    const axes = [];
    const word2 = this.OPTION(
      () => this.OR([
        { ALT: () => this.CONSUME(Int) },
        { ALT: () => this.CONSUME(Bool) },
        { ALT: () => this.CONSUME(Gates) }
      ])
    );
    this.CONSUME(LSquare);
    this.inBrackets(
      () => this.MANY_SEP({ SEP: Comma, DEF: () => void axes.push(this.SUBRULE(this.expression)) })
    );
    this.CONSUME(RSquare);
    return { element: word2?.image ?? "number", axes, span: this.from(start) };
  });
};
var stringValue = (token) => token.image.slice(1, token.image.endsWith('"') && token.image.length > 1 ? -1 : void 0);

// grammar/parse-statements.ts
import { EOF as EOF3, tokenMatcher as tokenMatcher4 } from "chevrotain";

// grammar/parse-choices.ts
var ChoiceParser = class extends ExpressionParser {
  choice = this.RULE("choice", () => {
    return this.within(
      { noOptions: false, noBy: true },
      () => this.OR([
        { ALT: () => this.SUBRULE(this.top) },
        { ALT: () => this.SUBRULE(this.until) },
        { ALT: () => this.SUBRULE(this.where) },
        {
          ALT: () => {
            const start = this.start();
            this.CONSUME(All);
            return { form: "all", span: this.from(start) };
          }
        },
        {
          ALT: () => {
            const start = this.start();
            this.CONSUME(Given);
            const route = this.SUBRULE(this.expression);
            return { form: "given", route, span: this.from(start) };
          }
        }
      ])
    );
  });
  /** `top 2 of score`, in groups or not; `top C tokens of score for each expert` */
  top = this.RULE("top", () => {
    const start = this.start();
    this.CONSUME(Top);
    const count = this.SUBRULE(this.expression);
    return this.OR([
      {
        ALT: () => {
          this.CONSUME(Tokens);
          this.CONSUME(Of);
          const score = this.SUBRULE2(this.expression);
          this.CONSUME(For);
          this.CONSUME(Each);
          this.CONSUME(Expert);
          const scope = this.OPTION(() => this.SUBRULE(this.scope)) ?? "sequence";
          return { form: "tokens", count, score, scope, span: this.from(start) };
        }
      },
      {
        ALT: () => {
          this.CONSUME2(Of);
          const score = this.SUBRULE3(this.expression);
          const grouped2 = this.OPTION2({
            GATE: () => this.LA(2).tokenType === Each || this.LA(2).tokenType === The,
            DEF: () => this.SUBRULE(this.grouping, { ARGS: [start, count, score] })
          });
          return grouped2 ?? { form: "top", count, score, span: this.from(start) };
        }
      }
    ]);
  });
  /** `in each of 8 groups`, `in the best 4 of 8 groups by sum(top 2 of q)` */
  grouping = this.RULE("grouping", (start, count, score) => {
    this.CONSUME(In);
    return this.OR([
      {
        ALT: () => {
          this.CONSUME(Each);
          this.CONSUME(Of);
          const groups = this.SUBRULE(this.expression);
          this.CONSUME(Groups);
          return { form: "each", count, score, groups, span: this.from(start) };
        }
      },
      {
        ALT: () => {
          this.CONSUME(The);
          this.CONSUME(Best);
          const best = this.SUBRULE2(this.expression);
          this.CONSUME2(Of);
          const groups = this.SUBRULE3(this.expression);
          this.CONSUME2(Groups);
          this.CONSUME(By);
          const by = this.SUBRULE(this.groupScore);
          return { form: "best", count, score, best, groups, by, span: this.from(start) };
        }
      }
    ]);
  });
  /** `sum(top 2 of q)`, `max(q)` */
  groupScore = this.RULE("groupScore", () => {
    const reduce2 = this.nameOf(this.CONSUME(Name));
    this.CONSUME(LParen);
    const top = this.OPTION(() => {
      this.CONSUME(Top);
      const count = this.inBrackets(() => this.SUBRULE(this.expression));
      this.CONSUME(Of);
      return count;
    });
    const score = this.inBrackets(() => this.SUBRULE2(this.expression));
    this.CONSUME(RParen);
    return { reduce: reduce2, ...top === void 0 ? {} : { top }, score };
  });
  /** `until sum(score) > 0.4 by score at most 4`; the comparison belongs to the choice. */
  until = this.RULE("until", () => {
    const start = this.start();
    this.CONSUME(Until);
    const condition = this.SUBRULE(this.expression);
    this.CONSUME(By);
    const by = this.SUBRULE2(this.expression);
    const most = this.OPTION(() => this.SUBRULE(this.atMost));
    const span = this.from(start);
    return this.ACTION(() => {
      const limit2 = most === void 0 ? {} : { most };
      if (condition.node === "binary" && (condition.operator === ">" || condition.operator === ">=")) {
        const { left: summed, right: threshold, operator } = condition;
        return { form: "until", summed, strict: operator === ">", threshold, by, ...limit2, span };
      }
      if (condition.node !== "broken")
        this.complain(
          "M0013",
          "`until` needs a sum and its limit",
          condition.span,
          "compares with neither `>` nor `>=`",
          "write `choose until sum(p) > 0.4 by p`"
        );
      const broken2 = { node: "broken", span: condition.span };
      return { form: "until", summed: broken2, strict: true, threshold: broken2, by, ...limit2, span };
    });
  });
  /** `where score > 0 at most 4 by score` */
  where = this.RULE("where", () => {
    const start = this.start();
    this.CONSUME(Where);
    const condition = this.SUBRULE(this.expression);
    const limit2 = this.OPTION(() => {
      const most = this.SUBRULE(this.atMost);
      const by = this.OPTION2(() => {
        this.CONSUME(By);
        return this.SUBRULE2(this.expression);
      });
      return { most, ...by === void 0 ? {} : { by } };
    });
    return { form: "where", condition, ...limit2, span: this.from(start) };
  });
  atMost = this.RULE("atMost", () => {
    this.CONSUME(AtMost);
    this.CONSUME(Most);
    return this.SUBRULE(this.expression);
  });
  /** `per batch`, `per sequence` */
  scope = this.RULE("scope", () => {
    this.CONSUME(Per);
    const token = this.OR([{ ALT: () => this.CONSUME(Batch) }, { ALT: () => this.CONSUME(Sequence) }]);
    return token.image;
  });
};

// grammar/parse-statements.ts
var StatementParser = class extends ChoiceParser {
  block = this.RULE("block", () => {
    const body = [];
    this.CONSUME(LBrace);
    this.inBrackets(() => {
      this.prepareStatement();
      this.MANY(() => {
        this.OR([
          { ALT: () => void this.CONSUME(Newline) },
          {
            ALT: () => {
              const statement = this.SUBRULE(this.statement);
              if (statement !== void 0) body.push(statement);
            }
          }
        ]);
        this.prepareStatement();
      });
    });
    this.CONSUME(RBrace);
    return body;
  });
  prepareStatement() {
    this.skipJunk(canBeginStatement, "a statement");
    this.mendWord(statementWords, false);
  }
  statement = this.RULE("statement", () => {
    const start = this.start();
    const doc = this.docs.get(start);
    return this.guarded(
      () => {
        const form = this.nested(() => this.SUBRULE(this.form));
        const mode = this.OPTION(() => this.SUBRULE(this.mode));
        this.ACTION(() => this.expectEnd());
        const extra = { ...mode === void 0 ? {} : { mode }, ...doc === void 0 ? {} : { doc } };
        return { ...form, ...extra, span: this.from(start) };
      },
      (first) => salvage(first, this.from(start))
    );
  });
  /** `in training`, `in inference` */
  mode = this.RULE("mode", () => {
    this.CONSUME(In);
    const token = this.OR([
      { ALT: () => this.CONSUME(Training) },
      { ALT: () => this.CONSUME(Inference) }
    ]);
    return token.image;
  });
  form = this.RULE("form", () => {
    return this.OR({
      // `weight (x)` is a statement, not a call of something named `weight`: what stands first wins.
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { GATE: () => this.isBinding(), ALT: () => this.SUBRULE(this.bind) },
        { ALT: () => this.SUBRULE(this.dim) },
        { ALT: () => this.SUBRULE(this.tensor) },
        { ALT: () => this.SUBRULE(this.modality) },
        { ALT: () => this.SUBRULE(this.choose) },
        { ALT: () => this.SUBRULE(this.weight) },
        { ALT: () => this.SUBRULE(this.capacity) },
        { ALT: () => this.SUBRULE(this.loss) },
        { ALT: () => this.SUBRULE(this.metric) },
        { ALT: () => this.SUBRULE(this.after) },
        { ALT: () => this.SUBRULE(this.repeat) },
        { GATE: () => !this.isChoice(), ALT: () => this.SUBRULE(this.branch) },
        { ALT: () => this.SUBRULE(this.shared) },
        { ALT: () => this.SUBRULE(this.routed) },
        { ALT: () => this.SUBRULE(this.nothing) },
        { ALT: () => this.SUBRULE(this.router) },
        { GATE: () => !this.isUnfinished(), ALT: () => this.SUBRULE(this.result) }
      ]
    });
  });
  /** A statement's word before another word is that statement, though it is wrong: no expression begins with two words. */
  isUnfinished() {
    const [first, second] = [this.LA(1), this.LA(2)];
    if (first.tokenType === If || !statementWords.some((type) => type === first.tokenType)) return false;
    const isSuffix = [In, As, By].some((type) => type === second.tokenType);
    const isWord = [Name, NumberLiteral, Not, If, Then, Else].some(
      (type) => tokenMatcher4(second, type)
    );
    return isWord && !isSuffix;
  }
  /** `x =`, `x +=`, and by a look behind the brackets `score[h, t: T] =`. */
  isBinding() {
    if (this.LA(2).tokenType !== LSquare) return tokenMatcher4(this.LA(2), Assign);
    let open = 1;
    let ahead = 3;
    for (; open > 0; ahead += 1) {
      const { tokenType } = this.LA(ahead);
      if (tokenType === LSquare) open += 1;
      else if (tokenType === RSquare) open -= 1;
      else if (tokenType === EOF3) return false;
    }
    return tokenMatcher4(this.LA(ahead), Assign);
  }
  bind = this.RULE("bind", () => {
    const name = this.nameOf(this.CONSUME(Name));
    const indices = this.OPTION(() => this.SUBRULE(this.binders));
    const token = this.CONSUME(Assign);
    const value = this.SUBRULE(this.expression);
    return {
      node: "bind",
      name,
      ...indices === void 0 ? {} : { indices },
      operator: token.image,
      value
    };
  });
  binders = this.RULE("binders", () => {
    const binders = [];
    this.CONSUME(LSquare);
    this.inBrackets(
      () => this.AT_LEAST_ONE_SEP({
        SEP: Comma,
        DEF: () => {
          const name = this.nameOf(this.CONSUME(Name));
          const size = this.OPTION(() => {
            this.CONSUME(Colon);
            return this.SUBRULE(this.expression);
          });
          binders.push({ name, ...size === void 0 ? {} : { size } });
        }
      })
    );
    this.CONSUME(RSquare);
    return binders;
  });
  dim = this.RULE("dim", () => {
    this.CONSUME(Dim);
    const { name, value } = this.SUBRULE(this.named);
    return { node: "dim", name, value };
  });
  /** `name = expression` */
  named = this.RULE("named", () => {
    const name = this.nameOf(this.CONSUME(Name));
    this.CONSUME(Equals);
    const value = this.SUBRULE(this.expression);
    return { name, value };
  });
  tensor = this.RULE("tensor", () => {
    const word2 = this.OR([{ ALT: () => this.CONSUME(Param) }, { ALT: () => this.CONSUME(State) }]);
    const name = this.nameOf(this.CONSUME(Name));
    this.CONSUME(Colon);
    const type = this.SUBRULE(this.type);
    const init = this.OPTION(() => {
      this.CONSUME(Equals);
      return this.SUBRULE(this.expression);
    });
    return { node: word2.image, name, type, ...init === void 0 ? {} : { init } };
  });
  modality = this.RULE("modality", () => {
    this.CONSUME(Modality);
    const { name, value } = this.SUBRULE(this.named);
    return { node: "modality", name, value };
  });
  choose = this.RULE("choose", () => {
    this.CONSUME(Choose);
    const choice2 = this.SUBRULE(this.choice);
    const only = this.OPTION(() => {
      this.CONSUME(Only);
      this.CONSUME(Where);
      return this.SUBRULE(this.expression);
    });
    return { node: "choose", choice: choice2, ...only === void 0 ? {} : { only } };
  });
  weight = this.RULE("weight", () => {
    this.CONSUME(Weight);
    const value = this.SUBRULE(this.expression);
    return { node: "weight", value };
  });
  capacity = this.RULE("capacity", () => {
    this.CONSUME(Capacity);
    const value = this.SUBRULE(this.expression);
    const scope = this.OPTION(() => this.SUBRULE(this.scope)) ?? "batch";
    const drop = this.OPTION2(() => {
      this.CONSUME(Drop);
      return this.OR([{ ALT: () => this.CONSUME(Last) }, { ALT: () => this.CONSUME(Lowest) }]);
    });
    return { node: "capacity", value, scope, drop: drop?.image ?? "last" };
  });
  loss = this.RULE("loss", () => {
    this.CONSUME(Loss);
    const name = this.OPTION(() => {
      const token = this.CONSUME(Name);
      this.CONSUME(Equals);
      return this.nameOf(token);
    });
    const value = this.SUBRULE(this.expression);
    return { node: "loss", ...name === void 0 ? {} : { name }, value };
  });
  metric = this.RULE("metric", () => {
    this.CONSUME(Metric);
    const { name, value } = this.SUBRULE(this.named);
    return { node: "metric", name, value };
  });
  after = this.RULE("after", () => {
    this.CONSUME(After);
    this.CONSUME(Step);
    const body = this.OR([
      {
        ALT: () => {
          this.CONSUME(Colon);
          const statement = this.SUBRULE(this.statement);
          return statement === void 0 ? [] : [statement];
        }
      },
      { ALT: () => this.SUBRULE(this.block) }
    ]);
    return { node: "after", body };
  });
  repeat = this.RULE("repeat", () => {
    const word2 = this.CONSUME(Repeat);
    let index;
    let count = { node: "broken", span: spanOf(word2) };
    this.guardedHeader(() => {
      index = this.OPTION(() => {
        const token = this.CONSUME(Name);
        this.CONSUME(In);
        return this.nameOf(token);
      });
      count = this.within({ noOptions: true, noBy: false }, () => this.SUBRULE(this.expression));
      this.ACTION(() => this.expectBody("repeat"));
    });
    const body = this.SUBRULE(this.block);
    return { node: "repeat", ...index === void 0 ? {} : { index }, count, body };
  });
  /** `if c then a else b` is an expression; of a statement no `then` stands in the header. */
  isChoice() {
    const depth = depthOf(this.LA(1));
    for (let ahead = 2; ; ahead += 1) {
      const token = this.LA(ahead);
      if (token.tokenType === EOF3 || depthOf(token) < depth) return false;
      if (depthOf(token) > depth) continue;
      if (token.tokenType === Then) return true;
      if (token.tokenType === Newline || token.tokenType === Else) return false;
    }
  }
  branch = this.RULE("branch", () => {
    const word2 = this.CONSUME(If);
    let condition = { node: "broken", span: spanOf(word2) };
    this.guardedHeader(() => {
      condition = this.outermost(
        () => this.within({ noOptions: true, noBy: false }, () => this.SUBRULE(this.value))
      );
      this.ACTION(() => this.expectBody("branch"));
    });
    const then = this.SUBRULE(this.block);
    const otherwise2 = this.OPTION(() => {
      this.CONSUME(Else);
      return this.OR([{ ALT: () => this.SUBRULE2(this.block) }, { ALT: () => this.SUBRULE(this.elseIf) }]);
    });
    return { node: "if", condition, then, otherwise: otherwise2 ?? [] };
  });
  /** `else if c { ... }` is an `if` alone in the other branch. */
  elseIf = this.RULE("elseIf", () => {
    const start = this.start();
    const form = this.nested(() => this.SUBRULE(this.branch));
    return [{ ...form, span: this.from(start) }];
  });
  shared = this.RULE("shared", () => {
    this.CONSUME(Shared);
    const pool = this.SUBRULE(this.expression);
    const weight = this.OPTION(() => this.SUBRULE(this.weighted));
    return { node: "shared", pool, ...weight === void 0 ? {} : { weight } };
  });
  routed = this.RULE("routed", () => {
    this.CONSUME(Routed);
    const pool = this.SUBRULE(this.expression);
    const modality = this.OPTION(() => {
      this.CONSUME(For);
      return this.nameOf(this.CONSUME(Name));
    });
    const weight = this.OPTION2(() => this.SUBRULE(this.weighted));
    return {
      node: "routed",
      pool,
      ...modality === void 0 ? {} : { modality },
      ...weight === void 0 ? {} : { weight }
    };
  });
  weighted = this.RULE("weighted", () => {
    this.CONSUME(Weight);
    return this.SUBRULE(this.expression);
  });
  nothing = this.RULE("nothing", () => {
    this.CONSUME(Null);
    const kind = this.OR([
      { ALT: () => this.CONSUME(Zero) },
      { ALT: () => this.CONSUME(Copy) },
      { ALT: () => this.CONSUME(Constant) }
    ]);
    const count = this.OPTION(() => {
      this.CONSUME(Star);
      return this.SUBRULE(this.expression);
    });
    return { node: "null", kind: kind.image, ...count === void 0 ? {} : { count } };
  });
  router = this.RULE("router", () => {
    this.CONSUME(Router);
    const router = this.SUBRULE(this.expression);
    return { node: "router", router };
  });
  result = this.RULE("result", () => {
    const value = this.SUBRULE(this.expression);
    return { node: "result", value };
  });
};
var expressionStarts2 = [
  Name,
  If,
  NumberLiteral,
  StringLiteral,
  LParen,
  LSquare,
  Minus,
  Not
];
var canBeginStatement = (token) => expressionStarts2.some((type) => tokenMatcher4(token, type));
function salvage(first, span) {
  const [word2, second, third] = first;
  if (word2 === void 0 || second === void 0 || third === void 0) return void 0;
  const broken2 = { node: "broken", span };
  const nameOf3 = (token) => ({ text: token.image, span: spanOf(token) });
  if (tokenMatcher4(word2, Name) && second.tokenType === Equals)
    return { node: "bind", name: nameOf3(word2), operator: "=", value: broken2, span };
  if (!tokenMatcher4(second, Name)) return void 0;
  const name = nameOf3(second);
  switch (word2.tokenType) {
    case Param:
    case State: {
      const type = { element: "number", axes: [broken2], span };
      return { node: word2.tokenType === Param ? "param" : "state", name, type, init: broken2, span };
    }
    case Dim:
      return { node: "dim", name, value: broken2, span };
    case Modality:
      return { node: "modality", name, value: broken2, span };
    default:
      return void 0;
  }
}

// grammar/parse-modules.ts
var ModuleParser = class extends StatementParser {
  imported = [];
  declared = [];
  constructor(checksGrammar = false) {
    super(checksGrammar);
    this.performSelfAnalysis();
  }
  read(layout, text, module) {
    this.input = [...layout.tokens];
    this.module = module;
    this.end = text.length;
    this.docs = layout.docs;
    this.noOptions = false;
    this.noBy = false;
    this.found = [];
    this.imported = [];
    this.declared = [];
    this.file();
    return { imports: this.imported, declarations: this.declared, diagnostics: this.found };
  }
  file = this.RULE("file", () => {
    this.prepareDeclaration();
    this.MANY(() => {
      this.OR([
        { ALT: () => void this.CONSUME(Newline) },
        {
          ALT: () => {
            const item = this.SUBRULE(this.item);
            this.ACTION(() => {
              if (item === void 0) return;
              if ("import" in item) this.imported.push(item.import);
              else this.declared.push(item.declaration);
            });
          }
        }
      ]);
      this.prepareDeclaration();
    });
  });
  prepareDeclaration() {
    this.mendWord(declarationWords, true);
    this.skipJunk((token) => declarationWords.some((type) => type === token.tokenType), "a declaration");
  }
  item = this.RULE("item", () => {
    return this.guarded(
      () => {
        const item = this.OR([
          { ALT: () => ({ import: this.SUBRULE(this.imports) }) },
          { ALT: () => ({ declaration: this.SUBRULE(this.definition) }) },
          { ALT: () => ({ declaration: this.SUBRULE(this.topDim) }) },
          { ALT: () => ({ declaration: this.SUBRULE(this.train) }) }
        ]);
        this.ACTION(() => this.expectEnd());
        return item;
      },
      () => void 0
    );
  });
  imports = this.RULE("imports", () => {
    const start = this.start();
    this.CONSUME(Import);
    const source = this.OR([
      {
        ALT: () => {
          const token = this.CONSUME(StringLiteral);
          return { from: stringValue(token), fromSpan: spanOf(token) };
        }
      },
      { ALT: () => this.SUBRULE(this.path) }
    ]);
    const names = [];
    this.CONSUME(LBrace);
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => void names.push(this.nameOf(this.CONSUME(Name))) });
    this.CONSUME(RBrace);
    return { ...source, names, span: this.from(start) };
  });
  path = this.RULE("path", () => {
    const start = this.start();
    const parts5 = [];
    this.AT_LEAST_ONE_SEP({ SEP: Dot, DEF: () => void parts5.push(this.CONSUME(Name).image) });
    return { from: parts5.join("."), fromSpan: this.from(start) };
  });
  definition = this.RULE("definition", () => {
    const start = this.start();
    const doc = this.docs.get(start);
    const kind = this.OR(definitionWords.map((type) => ({ ALT: () => this.CONSUME(type) })));
    let name = { text: "", span: this.from(start) };
    const lists = [];
    let result;
    this.guardedHeader(() => {
      name = this.nameOf(this.CONSUME(Name));
      this.OPTION(() => {
        lists.push(this.SUBRULE(this.entries));
        this.OPTION2(() => lists.push(this.SUBRULE2(this.entries)));
      });
      result = this.OPTION3(() => {
        this.CONSUME(Arrow);
        return this.SUBRULE(this.type);
      });
      this.ACTION(() => this.expectBody("definition"));
    });
    const body = this.SUBRULE(this.block);
    return this.ACTION(() => ({
      node: "definition",
      kind: kind.image,
      name,
      ...doc === void 0 ? {} : { doc },
      ...this.sortEntries(lists),
      ...result === void 0 ? {} : { result },
      body,
      span: this.from(start)
    }));
  });
  entries = this.RULE("entries", () => {
    const entries = [];
    this.CONSUME(LParen);
    this.inBrackets(
      () => this.MANY_SEP({ SEP: Comma, DEF: () => void entries.push(this.SUBRULE(this.entry)) })
    );
    this.CONSUME(RParen);
    return entries;
  });
  entry = this.RULE("entry", () => {
    const start = this.start();
    const name = this.nameOf(this.CONSUME(Name));
    const rest = this.OPTION(
      () => this.OR([
        {
          ALT: () => {
            this.CONSUME(Colon);
            return { type: this.SUBRULE(this.type) };
          }
        },
        {
          ALT: () => {
            this.CONSUME(Equals);
            return { value: this.SUBRULE(this.expression) };
          }
        }
      ])
    );
    return { name, ...rest, span: this.from(start) };
  });
  /** One list holds inputs if its entries have types, else statics; of two, the first holds statics. */
  sortEntries(lists) {
    const [first = [], second] = lists;
    const isInput = (entry2) => entry2.type !== void 0;
    const [statics, inputs2] = second !== void 0 ? [first, second] : first.some(isInput) ? [[], first] : [first, []];
    for (const { span } of statics.filter(isInput))
      this.complain(
        "M0014",
        "an input stands among the statics",
        span,
        "has a type",
        "put inputs into the second list: `layer Name(D)(x: [D])`"
      );
    for (const { span } of inputs2.filter((entry2) => !isInput(entry2)))
      this.complain(
        "M0015",
        "an input needs a type",
        span,
        "has none",
        "write `name: [D]`; statics stand in a list of their own before"
      );
    return {
      statics: statics.map(({ name, value, span }) => ({
        name,
        ...value === void 0 ? {} : { value },
        span
      })),
      inputs: inputs2.map(({ name, type, span }) => ({
        name,
        type: type ?? { element: "number", axes: [{ node: "broken", span }], span },
        span
      }))
    };
  }
  topDim = this.RULE("topDim", () => {
    const start = this.start();
    const doc = this.docs.get(start);
    const form = this.SUBRULE(this.dim);
    return { ...form, ...doc === void 0 ? {} : { doc }, span: this.from(start) };
  });
  train = this.RULE("train", () => {
    const start = this.start();
    const doc = this.docs.get(start);
    const settings = [];
    const word2 = this.CONSUME(Train);
    let model = { text: "", span: spanOf(word2) };
    this.guardedHeader(() => {
      model = this.nameOf(this.CONSUME(Name));
      this.ACTION(() => this.expectBody("train"));
    });
    this.CONSUME(LBrace);
    this.prepareSetting();
    this.MANY(() => {
      this.OR([
        { ALT: () => void this.CONSUME(Newline) },
        {
          ALT: () => {
            const setting = this.SUBRULE(this.setting);
            if (setting !== void 0) settings.push(setting);
          }
        }
      ]);
      this.prepareSetting();
    });
    this.CONSUME(RBrace);
    return { node: "train", model, ...doc === void 0 ? {} : { doc }, settings, span: this.from(start) };
  });
  prepareSetting() {
    this.mendWord(settingWords, true);
    this.skipJunk((token) => settingWords.some((type) => type === token.tokenType), "a setting");
  }
  setting = this.RULE("setting", () => {
    const start = this.start();
    return this.guarded(
      () => {
        const form = this.OR([
          { ALT: () => this.SUBRULE(this.data) },
          { ALT: () => this.SUBRULE(this.batch) },
          { ALT: () => this.SUBRULE(this.optimizer) },
          { ALT: () => this.SUBRULE(this.evaluate) },
          { ALT: () => this.SUBRULE(this.checkpoint) },
          { ALT: () => this.SUBRULE(this.stop) },
          { ALT: () => this.SUBRULE(this.freeze) },
          { ALT: () => this.SUBRULE(this.rates) },
          { ALT: () => this.SUBRULE(this.number) }
        ]);
        this.ACTION(() => this.expectEnd());
        return { ...form, span: this.from(start) };
      },
      () => void 0
    );
  });
  data = this.RULE("data", () => {
    this.CONSUME(Data);
    const { name: modality, value: source } = this.SUBRULE(this.named);
    return { setting: "data", modality, source };
  });
  batch = this.RULE("batch", () => {
    this.CONSUME(Batch);
    const size = this.SUBRULE(this.expression);
    const length = this.OPTION(() => {
      this.CONSUME(Of);
      return this.SUBRULE2(this.expression);
    });
    return { setting: "batch", size, ...length === void 0 ? {} : { length } };
  });
  optimizer = this.RULE("optimizer", () => {
    this.CONSUME(Optimizer);
    const name = this.nameOf(this.CONSUME(Name));
    const options = this.OPTION(() => this.SUBRULE(this.options)) ?? [];
    return { setting: "optimizer", name, options };
  });
  evaluate = this.RULE("evaluate", () => {
    this.CONSUME(Evaluate);
    this.CONSUME(Every);
    const every = this.SUBRULE(this.expression);
    const share2 = this.OPTION(() => {
      this.CONSUME(On);
      return this.SUBRULE2(this.expression);
    });
    return { setting: "evaluate", every, ...share2 === void 0 ? {} : { share: share2 } };
  });
  checkpoint = this.RULE("checkpoint", () => {
    this.CONSUME(Checkpoint);
    this.CONSUME(Every);
    const every = this.SUBRULE(this.expression);
    return { setting: "checkpoint", every };
  });
  stop = this.RULE("stop", () => {
    this.CONSUME(Stop);
    this.CONSUME(After);
    const after2 = this.SUBRULE(this.expression);
    return { setting: "stop", after: after2 };
  });
  freeze = this.RULE("freeze", () => {
    this.CONSUME(Freeze);
    const pattern = this.SUBRULE(this.expression);
    return { setting: "freeze", pattern };
  });
  rates = this.RULE("rates", () => {
    this.CONSUME(Rate);
    const pattern = this.SUBRULE(this.expression);
    this.CONSUME(Equals);
    const factor = this.SUBRULE2(this.expression);
    return { setting: "rate", pattern, factor };
  });
  number = this.RULE("number", () => {
    const word2 = this.OR(
      [Steps, Accumulate, Clip, Seed].map((type) => ({ ALT: () => this.CONSUME(type) }))
    );
    const value = this.SUBRULE(this.expression);
    return { setting: word2.image, value };
  });
};
var parser;
var moduleParser = () => parser ??= new ModuleParser();

// grammar/text.ts
var lineBreak = /\r\n|\n|\r/g;
function lineStarts(text) {
  return [0, ...[...text.matchAll(lineBreak)].map((match) => match.index + match[0].length)];
}
function linesOf(text) {
  const starts = lineStarts(text);
  return (offset) => lineIn(starts, offset);
}
function lineIn(starts, offset) {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (starts[middle] <= offset) low = middle;
    else high = middle - 1;
  }
  return low + 1;
}
var ansi = (code) => (text) => `\x1B[${code}m${text}\x1B[0m`;
var colours = { bold: ansi(1), red: ansi(31), yellow: ansi(33), blue: ansi(34) };

// grammar/parse.ts
function parse(text, module) {
  return parseLayout(layOut(text), text, module);
}
function parseLayout(layout, text, module) {
  const { imports, declarations, diagnostics: diagnostics2 } = moduleParser().read(layout, text, module);
  const all2 = onePerCause(
    [...ofCharacters(layout, text, module), ...ofBrackets(layout, module)],
    diagnostics2,
    text
  );
  const isComment = ({ text: text2 }) => !text2.startsWith("///");
  return {
    module: {
      imports,
      declarations,
      comments: layout.comments.filter(isComment),
      ...layout.doc === void 0 ? {} : { doc: layout.doc },
      span: { start: 0, end: text.length }
    },
    diagnostics: all2.sort((a2, b2) => a2.at.span.start - b2.at.span.start || a2.at.span.end - b2.at.span.end).slice(0, diagnosticLimit)
  };
}
function onePerCause(first, then, text) {
  if (first.length === 0) return [...then];
  const lineAt = linesOf(text);
  const kept = /* @__PURE__ */ new Map();
  const spoilt = /* @__PURE__ */ new Set();
  for (const diagnostic of first) {
    const { start, end } = diagnostic.at.span;
    if (diagnostic.code === "M0003" && kept.has(`${lineAt(start)} M0002`)) continue;
    const key = `${lineAt(start)} ${diagnostic.code}`;
    if (!kept.has(key)) kept.set(key, diagnostic);
    if (text.slice(start, end) !== "{") spoilt.add(lineAt(start));
  }
  const follows = ({ code, at }) => code === "M0005" && spoilt.has(lineAt(at.span.start));
  return [...kept.values(), ...then.filter((diagnostic) => !follows(diagnostic))];
}
var advice = [
  [";", "remove it: a newline ends a statement"],
  ["&&", "write `and`"],
  ["||", "write `or`"],
  ["!", "write `not`"],
  ["%", "write `mod(a, b)`; `5%` with the sign directly after the number is 0.05"],
  ["#", "write `//` before a comment"],
  ["'", "write strings in double quotes"],
  ["`", "write strings in double quotes"],
  ["\\", "remove it: inside ( ) and [ ] and after an operator a statement goes on by itself"]
];
function ofCharacters({ strange, openStrings, glued }, text, module) {
  const say2 = (code, message, span, label2, help) => error(code, message, module, span, label2, help);
  return [
    ...strange.map((span) => {
      const shown = text.slice(span.start, span.end);
      const help = advice.find(([start]) => shown.startsWith(start))?.[1];
      return say2(
        "M0001",
        `unexpected ${describeCharacters(shown)}`,
        span,
        "no part of the language",
        help ?? "remove it; names are spelt with the letters a to z, digits and `_`"
      );
    }),
    ...openStrings.map(
      (span) => say2("M0002", "this string does not end", span, "no closing quote on this line", 'close it with `"`')
    ),
    ...glued.map(
      (span) => say2(
        "M0016",
        `\`${text.slice(span.start, span.end)}\` is neither a number nor a name`,
        span,
        "a number runs into a name",
        "put an operator between the two, or begin the name with a letter"
      )
    )
  ];
}
function describeCharacters(shown) {
  const [first = ""] = shown;
  if (shown.length > 20 || !/^[\P{C}]+$/u.test(shown))
    return `character U+${first.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  return `\`${shown}\``;
}
function ofBrackets({ brackets }, module) {
  return brackets.map(({ problem, token, closer, at }) => {
    const span = { start: token.startOffset, end: token.startOffset + 1 };
    if (problem === "stray")
      return {
        ...error(
          "M0004",
          `\`${closer}\` closes nothing`,
          module,
          span,
          "nothing is open here",
          "remove it, or open its bracket before"
        ),
        fix: { span, text: "", safe: false }
      };
    return {
      ...error(
        "M0003",
        `\`${token.image}\` is never closed`,
        module,
        span,
        "opened here",
        `close it with \`${closer}\``
      ),
      fix: { span: { start: at, end: at }, text: closer, safe: false }
    };
  });
}

// compiler/resolve.ts
function resolvePath(from, importer) {
  if (!from.startsWith("./") && !from.startsWith("../")) return from;
  const parts5 = importer.split("/").slice(0, -1);
  for (const part of from.split("/")) {
    if (part === "..") {
      if (parts5.length === 0 || parts5.at(-1) === "..") parts5.push("..");
      else parts5.pop();
    } else if (part !== "." && part !== "") parts5.push(part);
  }
  return (importer.startsWith("/") && !parts5.join("/").startsWith("/") ? "/" : "") + parts5.filter((part) => part !== "").join("/");
}
var error2 = (code, message, module, span, label2, help) => ({
  code,
  severity: "error",
  message,
  at: { module, span, label: label2 },
  related: [],
  ...help === void 0 ? {} : { help }
});
var nameOf2 = (declaration) => declaration.node === "train" ? declaration.model : declaration.name;
function mentionedNames(module) {
  const names = /* @__PURE__ */ new Set();
  const visit = (value) => {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) return value.forEach(visit);
    const node = value;
    if (typeof node.text === "string") names.add(node.text);
    Object.values(value).forEach(visit);
  };
  visit(module.declarations);
  return names;
}
function loadModel(host2, path) {
  const diagnostics2 = [];
  const modules = /* @__PURE__ */ new Map();
  const open = [];
  const declare2 = (module) => {
    for (const declaration of module.syntax.declarations) {
      if (declaration.node === "train") continue;
      const name = nameOf2(declaration);
      const before = module.names.get(name.text);
      if (before !== void 0) {
        const first = before.kind === "definition" ? before.definition.name : before.declaration.name;
        const imported = before.module !== module;
        diagnostics2.push({
          ...error2(
            "M0102",
            `\`${name.text}\` is declared twice`,
            module.path,
            name.span,
            "declared again here",
            "rename one of them"
          ),
          related: imported ? [] : [{ module: module.path, span: first.span, label: "first declared here" }]
        });
        continue;
      }
      module.names.set(
        name.text,
        declaration.node === "definition" ? { kind: "definition", definition: declaration, module } : { kind: "dim", declaration, module }
      );
    }
  };
  const take = (module, statement, from, mentioned) => {
    for (const name of statement.names) {
      const own = from?.syntax.declarations.find(
        (each) => each.node !== "train" && nameOf2(each).text === name.text
      );
      const entity = from?.names.get(name.text);
      if (from !== void 0 && (entity === void 0 || own === void 0 || entity.module !== from)) {
        const exported = from.syntax.declarations.filter((each) => each.node !== "train").map((each) => nameOf2(each).text);
        const otherwise2 = exported.length === 0 ? `\`${statement.from}\` declares nothing` : `it has ${exported.map((each) => `\`${each}\``).join(", ")}`;
        diagnostics2.push(
          error2(
            "M0703",
            `\`${statement.from}\` has no \`${name.text}\``,
            module.path,
            name.span,
            "not declared there",
            didYouMean(name.text, exported, otherwise2)
          )
        );
        module.missing.add(name.text);
        continue;
      }
      if (entity === void 0) {
        module.missing.add(name.text);
        continue;
      }
      if (module.names.has(name.text)) {
        diagnostics2.push(
          error2(
            "M0102",
            `\`${name.text}\` is declared twice`,
            module.path,
            name.span,
            "imported again here",
            "import it once"
          )
        );
        continue;
      }
      module.names.set(name.text, entity);
      if (!mentioned.has(name.text))
        diagnostics2.push({
          ...error2(
            "M0704",
            `\`${name.text}\` is imported and never used`,
            module.path,
            name.span,
            "never used",
            "remove it from the import"
          ),
          severity: "warning"
        });
    }
  };
  const load = (at, asked) => {
    const before = modules.get(at);
    if (open.includes(at)) {
      const cycle = [...open.slice(open.indexOf(at)), at].join(" -> ");
      diagnostics2.push(
        error2(
          "M0702",
          "modules import each other in a circle",
          asked.by,
          asked.statement.fromSpan,
          cycle,
          "move what both need into a third module"
        )
      );
      return void 0;
    }
    if (before !== void 0) return before;
    const text = host2.read(at);
    if (text === void 0) {
      const std = at.startsWith("std.");
      if (asked !== void 0)
        diagnostics2.push(
          error2(
            "M0701",
            std ? `the standard library has no \`${at}\`` : `there is no module \`${asked.statement.from}\``,
            asked.by,
            asked.statement.fromSpan,
            std ? "no such module" : `looked for \`${at}\``,
            std ? "write one of std.attention, std.experts, std.losses, std.norms, std.positions, std.routers" : 'write the path from this file, like "./mine.moe"'
          )
        );
      else
        diagnostics2.push(
          error2(
            "M0701",
            `there is no module \`${at}\``,
            at,
            { start: 0, end: 0 },
            "cannot be read",
            "give the path of a .moe file"
          )
        );
      return void 0;
    }
    const { module: syntax, diagnostics: found2 } = parse(text, at);
    diagnostics2.push(...found2);
    const trains = syntax.declarations.filter((each) => each.node === "train");
    const module = {
      path: at,
      text,
      syntax,
      names: /* @__PURE__ */ new Map(),
      missing: /* @__PURE__ */ new Set(),
      trains,
      imports: syntax.imports
    };
    modules.set(at, module);
    open.push(at);
    const mentioned = mentionedNames(syntax);
    for (const statement of syntax.imports) {
      const from = load(resolvePath(statement.from, at), { by: at, statement });
      take(module, statement, from, mentioned);
    }
    open.pop();
    declare2(module);
    return module;
  };
  const main = load(path) ?? {
    path,
    text: "",
    syntax: { span: { start: 0, end: 0 }, imports: [], declarations: [], comments: [] },
    names: /* @__PURE__ */ new Map(),
    missing: /* @__PURE__ */ new Set(),
    trains: [],
    imports: []
  };
  return { main, modules, diagnostics: diagnostics2 };
}

// compiler/simplify-rule.ts
function constantOf(node) {
  if (node.op === "const") return node.value;
  if (node.op === "view" && node.view.kind === "broadcast" && node.input.op === "const")
    return node.input.value;
  return void 0;
}
var filled = (builder, value, like) => builder.broadcastTo(builder.constant(value, like.dtype), like.shape);
var range3 = (length) => Array.from({ length }, (_, i) => i);
function place(builder, node, at, shape) {
  const order = range3(at.length).sort((i, j) => at[i] - at[j]);
  return builder.broadcastTo(
    builder.permute(node, order),
    shape,
    order.map((i) => at[i])
  );
}

// compiler/simplify-contract.ts
function withOperand(b2, node, side, operand2, labels2, out = node.labels.out) {
  const [left, right] = side === "a" ? [labels2, node.labels.b] : [node.labels.a, labels2];
  const all2 = left + right + out;
  const { ragged } = node;
  const grouped2 = ragged !== void 0 && all2.includes(ragged.group) ? ragged : void 0;
  const [first, second] = side === "a" ? [operand2, node.b] : [node.a, operand2];
  return b2.contract(first, second, `${left},${right}->${out}`, grouped2);
}
var eitherSide = (name, apply2) => ({ name, apply: (b2, node) => apply2(b2, node, "a") ?? apply2(b2, node, "b") });
var contractRules = [
  eitherSide("contract of permute", (b2, node, side) => {
    const operand2 = node[side];
    if (operand2.op !== "view" || operand2.view.kind !== "permute") return void 0;
    const { axes } = operand2.view;
    const labels2 = axes.map((_, i) => node.labels[side][axes.indexOf(i)]).join("");
    return withOperand(b2, node, side, operand2.input, labels2);
  }),
  eitherSide("contract of broadcast", (b2, node, side) => {
    const operand2 = node[side];
    if (operand2.op !== "view" || operand2.view.kind !== "broadcast") return void 0;
    const { ragged, labels: labels2 } = node;
    const other = labels2[side === "a" ? "b" : "a"];
    const { axes } = operand2.view;
    const mine = [...labels2[side]];
    const free = (label2) => other.includes(label2) || ragged !== void 0 && label2 === ragged.group && other.includes(ragged.row);
    const onlyOut = (label2) => labels2.out.includes(label2) && (ragged === void 0 || label2 !== ragged.row && label2 !== ragged.group);
    const repeated = mine.filter((_, i) => !axes.includes(i));
    const dropped = repeated.filter((label2) => free(label2) || onlyOut(label2));
    if (dropped.length === 0) return void 0;
    const left = range3(mine.length).filter((i) => !dropped.includes(mine[i]));
    const inner = b2.broadcastTo(
      operand2.input,
      left.map((i) => operand2.shape[i]),
      axes.map((axis) => left.indexOf(axis))
    );
    const out = [...labels2.out].filter(
      (label2) => other.includes(label2) || !dropped.includes(label2) || free(label2)
    );
    const small = withOperand(b2, node, side, inner, left.map((i) => mine[i]).join(""), out.join(""));
    return b2.broadcastTo(
      small,
      node.shape,
      out.map((label2) => labels2.out.indexOf(label2))
    );
  }),
  eitherSide("contract with a scalar", (b2, node, side) => {
    if (node.labels[side] !== "" || node.ragged !== void 0) return void 0;
    const [other, labels2] = side === "a" ? [node.b, [...node.labels.b]] : [node.a, [...node.labels.a]];
    const out = [...node.labels.out];
    const summed = range3(labels2.length).filter((i) => !out.includes(labels2[i]));
    const kept = labels2.filter((label2) => out.includes(label2));
    const sum = place(
      b2,
      b2.sum(other, summed),
      kept.map((label2) => out.indexOf(label2)),
      node.shape
    );
    return b2.mul(sum, node[side]);
  }),
  // The weight of a row multiplies after the product with its expert's matrix: then the product of the bare rows is
  // shared with the row dots (see "row dot of a contraction").
  eitherSide("contract of scaled rows", (b2, node, side) => {
    const operand2 = node[side];
    if (operand2.op !== "map" || operand2.fn !== "mul") return void 0;
    for (const [rows2, scale3] of [operand2.inputs, [...operand2.inputs].reverse()]) {
      if (rows2.op !== "dispatch" || scale3.op !== "view" || scale3.view.kind !== "broadcast") continue;
      const labels2 = scale3.view.axes.map((axis) => node.labels[side][axis]);
      if (constantOf(scale3) !== void 0 || !labels2.every((label2) => node.labels.out.includes(label2)))
        continue;
      const bare2 = withOperand(b2, node, side, rows2, node.labels[side]);
      return b2.mul(
        bare2,
        place(
          b2,
          scale3.input,
          labels2.map((label2) => node.labels.out.indexOf(label2)),
          node.shape
        )
      );
    }
    return void 0;
  })
];

// compiler/simplify-map.ts
var commutative = /* @__PURE__ */ new Set(["add", "mul", "min", "max", "eq", "ne", "and", "or", "xor"]);
var isMap = (node, fn) => node.op === "map" && node.fn === fn;
var isView = (node, kind) => node.op === "view" && node.view.kind === kind;
function bounded(node) {
  if (node.dtype !== "f32" || node.op === "random") return true;
  const value = constantOf(node);
  if (value !== void 0) return Number.isFinite(value);
  if (isView(node, "broadcast") || isView(node, "reshape") || isView(node, "permute"))
    return bounded(node.input);
  return isMap(node, "f32") && node.inputs[0].dtype !== "f32";
}
function negated(b2, node) {
  if (isMap(node, "neg")) return node.inputs[0];
  if (node.op !== "view" || node.view.kind !== "broadcast" || !isMap(node.input, "neg")) return void 0;
  return b2.broadcastTo(node.input.inputs[0], node.shape, node.view.axes);
}
var unary5 = (name, fn, apply2) => ({
  name,
  apply: (b2, node) => node.fn === fn ? apply2(b2, node.inputs[0]) : void 0
});
var withConstant = (name, fn, apply2) => ({
  name,
  apply: (b2, node) => {
    if (node.fn !== fn) return void 0;
    const value = constantOf(node.inputs[1]);
    return value === void 0 ? void 0 : apply2(b2, node.inputs[0], value, node);
  }
});
var binary5 = (name, fn, apply2) => ({
  name,
  apply: (b2, node) => node.fn === fn ? apply2(b2, node.inputs[0], node.inputs[1], node) : void 0
});
var merge2 = (fn) => withConstant(`merge constants of ${fn}`, fn, (b2, x, value, node) => {
  if (!isMap(x, fn)) return void 0;
  const inner = constantOf(x.inputs[1]);
  if (inner === void 0) return void 0;
  return b2.map(fn, x.inputs[0], filled(b2, evaluateMap(fn, node.dtype, inner, value, 0), node));
});
var constants = [
  {
    name: "fold constants",
    apply: (b2, node) => {
      const values = node.inputs.map(constantOf);
      if (values.some((value) => value === void 0)) return void 0;
      const [x, y, z] = values;
      return filled(b2, evaluateMap(node.fn, node.inputs.at(-1).dtype, x, y ?? 0, z ?? 0), node);
    }
  },
  {
    name: "order of commutative operands",
    apply: (b2, node) => {
      if (!commutative.has(node.fn)) return void 0;
      const [x, y] = node.inputs;
      const [first, second] = [constantOf(x) !== void 0, constantOf(y) !== void 0];
      const swapped = first !== second ? first : x.id > y.id;
      return swapped ? b2.map(node.fn, y, x) : void 0;
    }
  },
  withConstant("x + 0", "add", (_b, x, value) => value === 0 ? x : void 0),
  withConstant("x - c", "sub", (b2, x, value, node) => b2.add(x, filled(b2, -value, node))),
  binary5("0 - x", "sub", (b2, x, y) => constantOf(x) === 0 ? b2.neg(y) : void 0),
  withConstant("x * 1", "mul", (_b, x, value) => value === 1 ? x : void 0),
  withConstant("x * -1", "mul", (b2, x, value) => value === -1 ? b2.neg(x) : void 0),
  withConstant(
    "x * 0, x bounded",
    "mul",
    (b2, x, value, node) => value === 0 && bounded(x) ? filled(b2, 0, node) : void 0
  ),
  withConstant("x / c", "div", (b2, x, value, node) => {
    if (value === 1) return x;
    return node.dtype === "f32" && value !== 0 && Number.isFinite(1 / value) ? b2.mul(x, filled(b2, 1 / value, node)) : void 0;
  }),
  merge2("add"),
  merge2("mul"),
  // A constant multiplies the smaller operand.
  withConstant("x repeat(y) * c", "mul", (b2, x, value, node) => {
    if (!isMap(x, "mul")) return void 0;
    const at = x.inputs.findIndex((input) => isView(input, "broadcast") && constantOf(input) === void 0);
    const small = x.inputs[at];
    if (small?.op !== "view" || small.view.kind !== "broadcast") return void 0;
    const scaled = b2.mul(small.input, filled(b2, value, { dtype: node.dtype, shape: small.input.shape }));
    return b2.mul(x.inputs[1 - at], b2.broadcastTo(scaled, node.shape, small.view.axes));
  }),
  withConstant("x ^ c", "pow", (b2, x, value, node) => {
    const inverse = (y) => b2.div(filled(b2, 1, node), y);
    switch (value) {
      case 0:
        return filled(b2, 1, node);
      case 1:
        return x;
      case 2:
        return b2.mul(x, x);
      case 3:
        return b2.mul(b2.mul(x, x), x);
      case 0.5:
        return b2.map("sqrt", x);
      case -0.5:
        return inverse(b2.map("sqrt", x));
      case -1:
        return inverse(x);
      case -2:
        return inverse(b2.mul(x, x));
      default:
        return void 0;
    }
  })
];
var signs = [
  unary5("-(-x)", "neg", (_b, x) => isMap(x, "neg") ? x.inputs[0] : void 0),
  unary5("-(x - y)", "neg", (b2, x) => isMap(x, "sub") ? b2.sub(x.inputs[1], x.inputs[0]) : void 0),
  unary5("-(x * c)", "neg", (b2, x) => {
    const value = isMap(x, "mul") ? constantOf(x.inputs[1]) : void 0;
    return value === void 0 ? void 0 : b2.mul(x.inputs[0], filled(b2, -value, x));
  }),
  binary5("x + -y", "add", (b2, x, y) => {
    const [minusX, minusY] = [negated(b2, x), negated(b2, y)];
    return minusY !== void 0 ? b2.sub(x, minusY) : minusX !== void 0 ? b2.sub(y, minusX) : void 0;
  }),
  binary5("x - -y", "sub", (b2, x, y) => {
    const minusY = negated(b2, y);
    return minusY === void 0 ? void 0 : b2.add(x, minusY);
  }),
  binary5("x + x", "add", (b2, x, y) => x === y && x.dtype === "f32" ? b2.mul(x, 2) : void 0),
  binary5("-x * y", "mul", (b2, x, y) => {
    const [value, minusX, minusY] = [constantOf(y), negated(b2, x), negated(b2, y)];
    if (minusX !== void 0)
      return value === void 0 ? b2.neg(b2.mul(minusX, y)) : b2.mul(minusX, filled(b2, -value, y));
    return minusY === void 0 ? void 0 : b2.neg(b2.mul(x, minusY));
  }),
  binary5(
    "-x / y",
    "div",
    (b2, x, y) => isMap(x, "neg") ? b2.neg(b2.div(x.inputs[0], y)) : isMap(y, "neg") ? b2.neg(b2.div(x, y.inputs[0])) : void 0
  )
];
var logic = [
  ...["min", "max", "and", "or"].map(
    (fn) => binary5(`${fn} of one`, fn, (_b, x, y) => x === y ? x : void 0)
  ),
  unary5("not not x", "not", (_b, x) => isMap(x, "not") ? x.inputs[0] : void 0),
  ...["and", "or", "xor", "eq", "ne"].map(
    (fn) => withConstant(`${fn} with a known truth`, fn, (b2, x, value) => {
      if (x.dtype !== "bool") return void 0;
      const table = [0, 1].map((truth2) => evaluateMap(fn, "bool", truth2, value, 0));
      return table[0] === table[1] ? filled(b2, table[0], x) : table[0] === 0 ? x : b2.map("not", x);
    })
  ),
  unary5(
    "f32 of i32 of bool",
    "f32",
    (b2, x) => isMap(x, "i32") && x.inputs[0].dtype === "bool" ? b2.cast(x.inputs[0], "f32") : void 0
  ),
  unary5(
    "i32 of f32 of a whole number",
    "i32",
    (b2, x) => isMap(x, "f32") && x.inputs[0].dtype !== "f32" ? b2.cast(x.inputs[0], "i32") : void 0
  ),
  unary5("stop stop x", "stop", (_b, x) => isMap(x, "stop") ? x : void 0),
  {
    name: "select of what is known",
    apply: (b2, node) => {
      if (node.fn !== "select") return void 0;
      const [condition, x, y] = node.inputs;
      const truth2 = constantOf(condition);
      if (truth2 !== void 0) return truth2 === 0 ? y : x;
      if (x === y) return x;
      if (isMap(condition, "not")) return b2.select(condition.inputs[0], y, x);
      if (isMap(x, "select") && x.inputs[0] === condition) return b2.select(condition, x.inputs[1], y);
      if (isMap(y, "select") && y.inputs[0] === condition) return b2.select(condition, x, y.inputs[2]);
      if (node.dtype !== "bool") return void 0;
      const [whenTrue, whenFalse] = [constantOf(x), constantOf(y)];
      if (whenTrue === 1 && whenFalse === 0) return condition;
      return whenTrue === 0 && whenFalse === 1 ? b2.map("not", condition) : void 0;
    }
  }
];
var beforeRepeat = {
  name: "map before broadcast",
  apply: (b2, node) => {
    const axes = /* @__PURE__ */ new Set();
    for (const input of node.inputs) {
      if (!isView(input, "broadcast") || input.view.kind !== "broadcast") return void 0;
      for (const axis of input.view.axes) axes.add(axis);
    }
    if (axes.size === node.shape.length) return void 0;
    const kept = [...axes].sort((x, y) => x - y);
    const shape = kept.map((axis) => node.shape[axis]);
    const inputs2 = node.inputs.map((input) => {
      const { view, input: inner } = input;
      if (view.kind !== "broadcast") throw new Error("internal: a broadcast changed");
      return b2.broadcastTo(
        inner,
        shape,
        view.axes.map((axis) => kept.indexOf(axis))
      );
    });
    return b2.broadcastTo(b2.map(node.fn, ...inputs2), node.shape, kept);
  }
};
var beforeView = (kind) => ({
  name: `map before ${kind}`,
  apply: (b2, node) => {
    let inner;
    let axes;
    for (const input of node.inputs) {
      if (constantOf(input) !== void 0) continue;
      if (!isView(input, kind)) return void 0;
      const order = input.view.kind === "permute" ? input.view.axes : [];
      if (inner !== void 0 && !sameShape(inner, input.input.shape)) return void 0;
      if (axes !== void 0 && axes.join() !== order.join()) return void 0;
      inner = input.input.shape;
      axes = order;
    }
    if (inner === void 0 || axes === void 0) return void 0;
    const shape = inner;
    const inputs2 = node.inputs.map((input) => {
      const value = constantOf(input);
      return value === void 0 ? input.input : filled(b2, value, { dtype: input.dtype, shape });
    });
    const result = b2.map(node.fn, ...inputs2);
    return kind === "permute" ? b2.permute(result, axes) : b2.reshape(result, node.shape);
  }
});
var mapRules2 = [
  ...constants,
  ...signs,
  ...logic,
  beforeRepeat,
  beforeView("reshape"),
  beforeView("permute")
];
var stopRule = unary5("stop x", "stop", (_b, x) => x);

// compiler/simplify-reduce.ts
var factorLimit = 8;
function factorsOf(root) {
  const factors = [];
  let scale3 = 1;
  const open = [{ node: root, at: range3(root.shape.length) }];
  for (let factor = open.pop(); factor !== void 0; factor = open.pop()) {
    const { node, at } = factor;
    const value = constantOf(node);
    if (value !== void 0) scale3 *= value;
    else if (node.op === "view" && node.view.kind === "broadcast")
      open.push({ node: node.input, at: node.view.axes.map((axis) => at[axis]) });
    else if (node.op === "view" && node.view.kind === "permute") {
      const { axes } = node.view;
      open.push({ node: node.input, at: axes.map((_, i) => at[axes.indexOf(i)]) });
    } else if (node.op === "map" && node.fn === "mul" && open.length + factors.length < factorLimit)
      open.push({ node: node.inputs[1], at }, { node: node.inputs[0], at });
    else if (node.op === "map" && node.fn === "neg") {
      scale3 = -scale3;
      open.push({ node: node.inputs[0], at });
    } else factors.push(factor);
  }
  return { factors, scale: scale3 };
}
function multiply3(b2, factors, shape) {
  if (factors.length === 1) return factors[0];
  const at = [...new Set(factors.flatMap((factor) => factor.at))].sort((x, y) => x - y);
  const small = at.map((axis) => shape[axis]);
  const placed = factors.map(
    (factor) => place(
      b2,
      factor.node,
      factor.at.map((axis) => at.indexOf(axis)),
      small
    )
  );
  return { node: placed.reduce((x, y) => b2.mul(x, y)), at };
}
function groupFactors(factors) {
  const groups = [];
  for (const factor of [...factors].sort((x, y) => y.at.length - x.at.length)) {
    const covering = groups.filter((group) => factor.at.every((axis) => group[0].at.includes(axis)));
    const smallest = covering.sort((x, y) => x[0].at.length - y[0].at.length)[0];
    if (smallest === void 0) groups.push([factor]);
    else smallest.push(factor);
  }
  return groups;
}
function sumAlone(b2, factor, alone2) {
  const own = range3(factor.at.length).filter((i) => alone2.has(factor.at[i]));
  return { node: b2.sum(factor.node, own), at: factor.at.filter((axis) => !alone2.has(axis)) };
}
var letters2 = (at) => at.map((axis) => String.fromCharCode(97 + axis)).join("");
function sumOfTwo(b2, x, y, reduced, shape) {
  const alone2 = new Set(reduced.filter((axis) => x.at.includes(axis) !== y.at.includes(axis)));
  const [left, right] = [sumAlone(b2, x, alone2), sumAlone(b2, y, alone2)];
  const shared = reduced.filter((axis) => left.at.includes(axis) && right.at.includes(axis));
  const kept = range3(shape.length).filter((axis) => !reduced.includes(axis));
  const at = kept.filter((axis) => left.at.includes(axis) || right.at.includes(axis));
  const covers = (big, small) => small.at.every((axis) => big.at.includes(axis));
  if (shared.length === 0) return multiply3(b2, [left, right], shape);
  if (covers(left, right) || covers(right, left)) {
    const whole = multiply3(b2, [left, right], shape);
    return {
      node: b2.sum(
        whole.node,
        shared.map((axis) => whole.at.indexOf(axis))
      ),
      at
    };
  }
  const own = at.find((axis) => !left.at.includes(axis) || !right.at.includes(axis));
  const [first, second] = own !== void 0 && right.at.includes(own) ? [right, left] : [left, right];
  const formula2 = `${letters2(first.at)},${letters2(second.at)}->${letters2(at)}`;
  return { node: b2.contract(first.node, second.node, formula2), at };
}
var sumOfProduct = {
  name: "sum of product",
  apply: (b2, node) => {
    const { input, axes, groups } = node;
    if (node.fn !== "sum" || node.dtype !== "f32" || input.op !== "map") return void 0;
    if (input.fn !== "mul" && input.fn !== "neg") return void 0;
    const { factors, scale: scale3 } = factorsOf(input);
    if (factors.length === 0) return void 0;
    const isInside = ({ at }) => at.some((axis) => axes.includes(axis));
    const inside = factors.filter(isInside);
    const outside = factors.filter((factor) => !isInside(factor));
    const partition = groupFactors(inside);
    const contracts = !groups && partition.length === 2;
    if (!contracts && (outside.length === 0 && scale3 === 1 || inside.length === 0)) return void 0;
    const parts5 = partition.map((group) => multiply3(b2, group, input.shape));
    let sum;
    if (contracts) sum = sumOfTwo(b2, parts5[0], parts5[1], axes, input.shape);
    else {
      const whole = multiply3(b2, parts5, input.shape);
      if (!axes.every((axis) => whole.at.includes(axis))) return void 0;
      const own = axes.map((axis) => whole.at.indexOf(axis)).sort((x, y) => x - y);
      if (groups) sum = { node: b2.reduceGroups("sum", whole.node, own[0]), at: whole.at };
      else sum = { node: b2.sum(whole.node, own), at: whole.at.filter((axis) => !axes.includes(axis)) };
    }
    const position = (axis) => groups ? axis : axis - axes.filter((each) => each < axis).length;
    const result = [sum, ...outside].map(
      (factor) => place(b2, factor.node, factor.at.map(position), node.shape)
    );
    const multiplied = result.reduce((x, y) => b2.mul(x, y));
    return scale3 === 1 ? multiplied : b2.mul(multiplied, scale3);
  }
};
var views = [
  {
    name: "reduce of broadcast",
    apply: (b2, node) => {
      const { input, axes, fn } = node;
      if (node.groups || input.op !== "view" || input.view.kind !== "broadcast") return void 0;
      const { axes: kept } = input.view;
      const dropped = axes.filter((axis) => {
        const extent = input.shape[axis];
        return !kept.includes(axis) && isDense(extent) && (fn === "sum" || surelyPositive(extent.size));
      });
      if (dropped.length === 0) return void 0;
      const left = range3(input.shape.length).filter((axis) => !dropped.includes(axis));
      const inner = b2.broadcastTo(
        input.input,
        left.map((axis) => input.shape[axis]),
        kept.map((axis) => left.indexOf(axis))
      );
      const rest = axes.filter((axis) => !dropped.includes(axis)).map((axis) => left.indexOf(axis));
      const reduced = b2.reduce(fn, inner, rest);
      if (fn !== "sum") return reduced;
      const times2 = b2.size(product(dropped.map((axis) => input.shape[axis].size)));
      return b2.mul(reduced, node.dtype === "f32" ? b2.cast(times2, "f32") : times2);
    }
  },
  {
    name: "reduce of permute",
    apply: (b2, node) => {
      const { input, axes, fn, groups } = node;
      if (input.op !== "view" || input.view.kind !== "permute") return void 0;
      const order = input.view.axes;
      const reduced = axes.map((axis) => order[axis]);
      if (groups) return b2.permute(b2.reduceGroups(fn, input.input, reduced[0]), order);
      const left = range3(order.length).filter((axis) => !reduced.includes(axis));
      const outer = order.filter((axis) => !reduced.includes(axis));
      return b2.permute(
        b2.reduce(fn, input.input, reduced),
        outer.map((axis) => left.indexOf(axis))
      );
    }
  },
  {
    name: "reduce of reduce",
    apply: (b2, node) => {
      const { input, axes, fn, groups } = node;
      if (groups || input.op !== "reduce" || input.groups || input.fn !== fn) return void 0;
      const left = range3(input.input.shape.length).filter((axis) => !input.axes.includes(axis));
      return b2.reduce(fn, input.input, [...input.axes, ...axes.map((axis) => left[axis])]);
    }
  },
  {
    name: "reduce all of reshape",
    apply: (b2, node) => {
      const { input, axes, fn, groups } = node;
      if (groups || axes.length !== input.shape.length) return void 0;
      return input.op === "view" && input.view.kind === "reshape" ? b2.reduce(fn, input.input) : void 0;
    }
  },
  {
    name: "reduce of one",
    apply: (b2, node) => {
      const { input, axes, fn, groups } = node;
      if (groups) return void 0;
      const ones = axes.filter((axis) => isOne(input.shape[axis]));
      if (ones.length === 0) return void 0;
      const left = range3(input.shape.length).filter((axis) => !ones.includes(axis));
      const shape = left.map((axis) => input.shape[axis]);
      const rest = axes.filter((axis) => !ones.includes(axis)).map((axis) => left.indexOf(axis));
      return b2.reduce(fn, b2.reshape(input, shape), rest);
    }
  }
];
var reduceRules = [...views, sumOfProduct];

// compiler/simplify-route.ts
var hasRow = (b2, route) => b2.map("le", 0, b2.part(route, "slot"));
var dispatchRules = [
  {
    name: "dispatch of combine per pick",
    apply: (_b, { input, per, route }) => per === "pick" && input.op === "combine" && input.per === "pick" && input.route === route ? input.input : void 0
  },
  {
    name: "dispatch of broadcast",
    apply: (b2, { input, per, route, shape }) => {
      if (input.op !== "view" || input.view.kind !== "broadcast") return void 0;
      const { axes } = input.view;
      const leading = per === "token" ? 1 : 2;
      if (!axes.includes(0) && (leading === 1 || !axes.includes(1)))
        return b2.broadcastTo(
          input.input,
          shape,
          axes.map((axis) => axis - leading + 1)
        );
      if (leading === 1 || !axes.includes(0) || axes.includes(1)) return void 0;
      const perToken = b2.broadcastTo(
        input.input,
        input.shape.filter((_, i) => i !== 1),
        axes.map((axis) => axis === 0 ? 0 : axis - 1)
      );
      return b2.dispatch(perToken, route);
    }
  }
];
var combineRules = [
  {
    name: "combine of dispatch",
    apply: (b2, { input, per, route, shape }) => {
      if (input.op !== "dispatch" || input.route !== route) return void 0;
      const there = hasRow(b2, route);
      if (per === "token") {
        if (input.per !== "token") return void 0;
        const rows2 = b2.sum(b2.cast(there, input.dtype === "i32" ? "i32" : "f32"), [1]);
        return b2.mul(input.input, b2.broadcastTo(rows2, shape, [0]));
      }
      const picks = range3(shape.length).filter((axis) => axis !== 1);
      const source = input.per === "pick" ? input.input : b2.broadcastTo(input.input, shape, picks);
      return b2.select(b2.broadcastTo(there, shape, [0, 1]), source, b2.constant(0, input.dtype));
    }
  }
];
var sumOfPicks = [
  {
    name: "sum of picks",
    apply: (b2, { input, fn, axes, groups }) => !groups && fn === "sum" && axes.join() === "1" && input.op === "combine" && input.per === "pick" ? b2.combine(input.input, input.route) : void 0
  },
  {
    // sum over k of w[t, k] y[slot[t, k]] = combine(w[row] y[row]): the weights go to the rows. Assumes finite weights
    // where there is no row.
    name: "weighted sum of picks",
    apply: (b2, { input, fn, axes, groups }) => {
      if (groups || fn !== "sum" || axes.join() !== "1" || input.op !== "map" || input.fn !== "mul")
        return void 0;
      for (const [picks, weight] of [input.inputs, [...input.inputs].reverse()]) {
        if (picks.op !== "combine" || picks.per !== "pick") continue;
        if (weight.op !== "view" || weight.view.kind !== "broadcast" || weight.view.axes.join() !== "0,1")
          continue;
        const rows2 = b2.dispatch(weight.input, picks.route, "pick");
        const weighted = b2.mul(
          picks.input,
          b2.broadcastTo(rows2, [raggedBy(picks.route), ...picks.input.shape.slice(1)], [0])
        );
        return b2.combine(weighted, picks.route);
      }
      return void 0;
    }
  }
];

// compiler/simplify-shared.ts
function surroundingsOf(graph, nodes) {
  const contractions = /* @__PURE__ */ new Map();
  for (const node of nodes)
    if (node.op === "contract")
      for (const operand2 of /* @__PURE__ */ new Set([node.a, node.b])) {
        const known3 = contractions.get(operand2);
        if (known3 === void 0) contractions.set(operand2, [node]);
        else known3.push(node);
      }
  return { uses: countUses(graph, nodes), contractions };
}
var contractOver = (b2, node, out, of) => {
  const { labels: labels2, ragged } = node;
  const stays = ragged !== void 0 && (labels2.a + labels2.b + out).includes(ragged.group);
  return b2.contract(of(node.a), of(node.b), `${labels2.a},${labels2.b}->${out}`, stays ? ragged : void 0);
};
function sameContraction(found2, first, second, labels2, ragged) {
  const matches = (a2, b2) => {
    const letters3 = /* @__PURE__ */ new Map();
    const pairs = [...a2 + b2 + labels2[2]].map(
      (label2, i) => [label2, (found2.labels.a + found2.labels.b + found2.labels.out)[i]]
    );
    const back = /* @__PURE__ */ new Map();
    for (const [mine, theirs] of pairs) {
      if (theirs === void 0) return false;
      if ((letters3.get(mine) ?? theirs) !== theirs || (back.get(theirs) ?? mine) !== mine) return false;
      letters3.set(mine, theirs);
      back.set(theirs, mine);
    }
    const named2 = (label2) => label2 === void 0 ? void 0 : letters3.get(label2);
    return named2(ragged?.row) === found2.ragged?.row && named2(ragged?.group) === found2.ragged?.group;
  };
  const sizes = [found2.labels.a.length, found2.labels.b.length, found2.labels.out.length];
  if (found2.a === first && found2.b === second)
    return sizes.join() === labels2.map((text) => text.length).join() && matches(labels2[0], labels2[1]);
  return found2.a === second && found2.b === first && sizes.join() === [labels2[1].length, labels2[0].length, labels2[2].length].join() && matches(labels2[1], labels2[0]);
}
function turnRowDot(b2, product2, reduced, around, of) {
  for (const [other, inner] of [product2.inputs, [...product2.inputs].reverse()]) {
    if (inner.op !== "contract" || other.op !== "dispatch") continue;
    const { labels: labels2, ragged } = inner;
    const summed = reduced.map((axis) => labels2.out[axis]);
    const kept = [...labels2.out].filter((label2) => !summed.includes(label2));
    for (const [left, leftLabels, right, rightLabels] of [
      [inner.a, labels2.a, inner.b, labels2.b],
      [inner.b, labels2.b, inner.a, labels2.a]
    ]) {
      if (summed.some((label2) => leftLabels.includes(label2)) || !kept.every((label2) => leftLabels.includes(label2)))
        continue;
      const found2 = around.contractions.get(other)?.find((node) => sameContraction(node, other, right, [labels2.out, rightLabels, leftLabels], ragged));
      if (found2 === void 0 || found2.id <= inner.id) continue;
      const dot = b2.mul(contractOver(b2, found2, found2.labels.out, of), of(left));
      const gone = range3(leftLabels.length).filter((axis) => !kept.includes(leftLabels[axis]));
      const order = [...leftLabels].filter((label2) => kept.includes(label2));
      return b2.permute(
        b2.sum(dot, gone),
        kept.map((label2) => order.indexOf(label2))
      );
    }
  }
  return void 0;
}
var sharedRules = [
  {
    name: "permute of contract",
    apply: (b2, node, { uses }, of) => {
      if (node.op !== "view" || node.view.kind !== "permute" || node.input.op !== "contract")
        return void 0;
      if (uses.get(node.input) !== 1) return void 0;
      const { out } = node.input.labels;
      return contractOver(b2, node.input, node.view.axes.map((axis) => out[axis]).join(""), of);
    }
  },
  {
    name: "sum of contract",
    apply: (b2, node, { uses }, of) => {
      if (node.op !== "reduce" || node.fn !== "sum" || node.groups || node.input.op !== "contract")
        return void 0;
      if (uses.get(node.input) !== 1) return void 0;
      const out = [...node.input.labels.out].filter((_, i) => !node.axes.includes(i));
      return contractOver(b2, node.input, out.join(""), of);
    }
  },
  {
    name: "row dot of a contraction",
    apply: (b2, node, around, of) => {
      if (node.op !== "reduce" || node.fn !== "sum" || node.groups) return void 0;
      if (node.input.op !== "map" || node.input.fn !== "mul") return void 0;
      return turnRowDot(b2, node.input, node.axes, around, of);
    }
  }
];

// compiler/simplify-view.ts
var permuteRules = [
  {
    name: "permute of permute",
    apply: (b2, { view, input }) => view.kind === "permute" && input.op === "view" && input.view.kind === "permute" ? b2.permute(
      input.input,
      view.axes.map((axis) => input.view.axes[axis])
    ) : void 0
  },
  {
    name: "permute of broadcast",
    apply: (b2, { view, input, shape }) => {
      if (view.kind !== "permute" || input.op !== "view" || input.view.kind !== "broadcast") return void 0;
      const from = input.view.axes;
      const kept = range3(shape.length).filter((axis) => from.includes(view.axes[axis]));
      const inner = b2.permute(
        input.input,
        kept.map((axis) => from.indexOf(view.axes[axis]))
      );
      return b2.broadcastTo(inner, shape, kept);
    }
  }
];
var reshapeRules = [
  {
    name: "reshape of reshape",
    apply: (b2, { view, input, shape }) => view.kind === "reshape" && input.op === "view" && input.view.kind === "reshape" ? b2.reshape(input.input, shape) : void 0
  },
  {
    name: "reshape of broadcast",
    apply: (b2, { view, input, shape }) => {
      if (view.kind !== "reshape" || input.op !== "view" || input.view.kind !== "broadcast") return void 0;
      const { axes } = input.view;
      if (axes.length === 0) return b2.broadcastTo(input.input, shape);
      const added = range3(input.shape.length).filter((axis) => !axes.includes(axis));
      return added.every((axis) => isOne(input.shape[axis])) ? b2.reshape(input.input, shape) : void 0;
    }
  },
  {
    name: "reshape that inserts ones",
    apply: (b2, { view, input, shape }) => {
      if (view.kind !== "reshape" || shape.length <= input.shape.length) return void 0;
      const axes = [];
      shape.forEach((axis, i) => {
        const wanted = input.shape[axes.length];
        if (wanted !== void 0 && sameAxis(axis, wanted)) axes.push(i);
      });
      const onesOnly = shape.every((axis, i) => axes.includes(i) || isOne(axis));
      return onesOnly && axes.length === input.shape.length ? b2.broadcastTo(input, shape, axes) : void 0;
    }
  }
];
var broadcastRules = [
  {
    name: "broadcast of broadcast",
    apply: (b2, { view, input, shape }) => view.kind === "broadcast" && input.op === "view" && input.view.kind === "broadcast" ? b2.broadcastTo(
      input.input,
      shape,
      input.view.axes.map((axis) => view.axes[axis])
    ) : void 0
  }
];
function sliceOfPad(b2, node, pad) {
  const { view } = node;
  if (view.kind !== "slice" || pad.view.kind !== "pad" || view.axis !== pad.view.axis) return void 0;
  const { before } = pad.view;
  const size = node.shape[view.axis].size;
  const inner = pad.input.shape[view.axis].size;
  const start = subtract(view.start, before);
  const atLeast = (n) => n !== void 0 && n >= 0;
  if (atLeast(known(start)) && atLeast(known(subtract(inner, add(start, size)))))
    return b2.slice(pad.input, view.axis, start, size);
  const ends = subtract(before, add(view.start, size));
  return atLeast(known(ends)) || atLeast(known(subtract(start, inner))) ? filled(b2, 0, node) : void 0;
}
var sliceRules = [
  {
    name: "slice of a view",
    apply: (b2, node) => {
      const { view, input } = node;
      if (view.kind !== "slice" || input.op !== "view") return void 0;
      const inner = input.view;
      const size = node.shape[view.axis].size;
      switch (inner.kind) {
        case "slice":
          return inner.axis === view.axis ? b2.slice(input.input, view.axis, add(inner.start, view.start), size) : void 0;
        case "pad":
          return sliceOfPad(b2, node, input);
        case "permute":
          return b2.permute(b2.slice(input.input, inner.axes[view.axis], view.start, size), inner.axes);
        case "broadcast": {
          const axis = inner.axes.indexOf(view.axis);
          const part = axis < 0 ? input.input : b2.slice(input.input, axis, view.start, size);
          return b2.broadcastTo(part, node.shape, inner.axes);
        }
        case "reshape":
          return void 0;
        default:
          return inner;
      }
    }
  }
];
var padRules = [
  {
    name: "pad of pad",
    apply: (b2, { view, input }) => view.kind === "pad" && input.op === "view" && input.view.kind === "pad" && input.view.axis === view.axis ? b2.pad(
      input.input,
      view.axis,
      add(view.before, input.view.before),
      add(input.view.after, view.after)
    ) : void 0
  }
];
var viewRules = [
  ...permuteRules,
  ...reshapeRules,
  ...broadcastRules,
  ...sliceRules,
  ...padRules
];

// compiler/simplify.ts
var tableOf = (removeStops) => ({
  input: [],
  tensor: [],
  const: [],
  size: [
    {
      name: "a known size",
      apply: (b2, { size }) => {
        const [term, ...rest] = size;
        if (rest.length > 0 || term !== void 0 && term.factors.length > 0) return void 0;
        return b2.constant(term?.coefficient ?? 0, "i32");
      }
    }
  ],
  index: [],
  random: [],
  map: removeStops ? [stopRule, ...mapRules2] : mapRules2,
  view: viewRules,
  reduce: [...sumOfPicks, ...reduceRules],
  scan: [],
  contract: contractRules,
  choose: [],
  route: [],
  part: [],
  dispatch: dispatchRules,
  combine: combineRules,
  take: []
});
var passLimit = 12;
function simplify(graph, { removeStops = false, trace } = {}) {
  const table = tableOf(removeStops);
  const builder = new GraphBuilder((node) => {
    for (const rule of table[node.op]) {
      const better = rule.apply(builder, node);
      if (better === void 0 || better === node) continue;
      trace?.(rule.name, node);
      return better;
    }
    return void 0;
  });
  const pass = (old, nodes, remake) => {
    const made = /* @__PURE__ */ new Map();
    const of = (node) => made.get(node);
    for (const node of nodes) {
      builder.origin = node.origin;
      made.set(node, remake(node, of));
    }
    return {
      name: old.name,
      outputs: old.outputs.map((output) => ({ ...output, node: of(output.node) })),
      updates: old.updates.map((update) => ({ ...update, node: of(update.node) }))
    };
  };
  let current = pass(graph, nodesOf(rootsOf(graph)), (node, of) => rebuild(builder, node, of));
  for (let round2 = 0; round2 < passLimit; round2++) {
    const nodes = nodesOf(rootsOf(current));
    const around = surroundingsOf(current, nodes);
    let applied = false;
    const next = pass(current, nodes, (node, of) => {
      for (const rule of sharedRules) {
        const better = rule.apply(builder, node, around, of);
        if (better === void 0) continue;
        trace?.(rule.name, node);
        applied = true;
        return better;
      }
      return dependenciesOf(node).every((operand2) => of(operand2) === operand2) ? node : rebuild(builder, node, of);
    });
    if (!applied) break;
    current = next;
  }
  return current;
}

// compiler/verify-graph.ts
function wrong(why, node) {
  throw new Error(`internal: ${why}: ${printNode(node)}`);
}
function verifyGraph(graph) {
  const nodes = nodesOf(rootsOf(graph));
  const tensors2 = /* @__PURE__ */ new Map();
  for (const node of nodes) {
    for (const operand2 of dependenciesOf(node))
      if (operand2.id >= node.id) wrong(`%${operand2.id} is made after its user`, node);
    const type = infer(node, { dtype: node.dtype, shape: node.shape });
    if (type.dtype !== node.dtype || !sameShape(type.shape, node.shape))
      wrong(`this should be ${printType(type)}`, node);
    if (node.op === "tensor" || node.op === "input") {
      const key = `${node.op} ${node.name}`;
      if (tensors2.has(key)) wrong("one name has two types", node);
      tensors2.set(key, node);
    }
  }
  const names = /* @__PURE__ */ new Set();
  for (const { name, node } of graph.outputs) {
    if (names.has(name)) wrong(`two outputs are called ${name}`, node);
    names.add(name);
  }
  const updated = /* @__PURE__ */ new Set();
  for (const { tensor: tensor2, node } of graph.updates) {
    if (updated.has(tensor2)) wrong(`${tensor2} is updated twice`, node);
    updated.add(tensor2);
    const old = tensors2.get(`tensor ${tensor2}`);
    if (old !== void 0 && (old.dtype !== node.dtype || !sameShape(old.shape, node.shape)))
      wrong(`${tensor2} is ${printType(old)} and its new value is not`, node);
  }
}

// compiler/print-kernel.ts
function printKernel(kernel) {
  const buffers = kernel.buffers.map(
    ({ name, type, access: access2, length }) => `${access2} ${type} ${name}[${sizeKey(length)}]`
  );
  const sizes = kernel.sizes.length === 0 ? "" : ` sizes ${kernel.sizes.join(", ")}`;
  return [
    `kernel ${kernel.name}(${buffers.join(", ")})${sizes} grid ${sizeKey(kernel.grid)} workgroup ${kernel.workgroup} {`,
    ...kernel.scratch.map(({ name, type, length }) => `  scratch ${type} ${name}[${length}];`),
    ...printBody(kernel.body, "  "),
    "}",
    ""
  ].join("\n");
}
function printBody(statements, indent) {
  return statements.flatMap((statement) => printStatement(statement).map((line) => indent + line));
}
function printStatement(statement) {
  switch (statement.op) {
    case "let":
    case "var":
      return [`${statement.op} ${statement.value.type} ${statement.name} = ${printExpr(statement.value)};`];
    case "set":
      return [`${statement.name} = ${printExpr(statement.value)};`];
    case "store":
      return [
        `${access(statement.buffer, statement.index, statement.value.type)} = ${printExpr(statement.value)};`
      ];
    case "for": {
      const { name, from, to, step, body } = statement;
      const advance = step === 1 ? `${name}++` : `${name} += ${step}`;
      return [
        `for (${name} = ${printExpr(from)}; ${name} < ${printExpr(to)}; ${advance}) {`,
        ...printBody(body, "  "),
        "}"
      ];
    }
    case "if":
      return [
        `if (${printExpr(statement.condition)}) {`,
        ...printBody(statement.then, "  "),
        ...statement.otherwise.length === 0 ? [] : ["} else {", ...printBody(statement.otherwise, "  ")],
        "}"
      ];
    case "barrier":
      return ["barrier;"];
    case "comment":
      return [`// ${statement.text}`];
    default:
      return statement;
  }
}
var access = (buffer, index, type) => `${buffer}[${printExpr(index)}${type.endsWith("x4") ? " : 4" : ""}]`;
var infix = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  mod: "%",
  lt: "<",
  le: "<=",
  eq: "==",
  ne: "!=",
  and: "&",
  or: "|",
  xor: "^",
  shl: "<<",
  shr: ">>"
};
function printExpr(expr) {
  const call2 = (name, ...args) => `${name}(${args.map(printExpr).join(", ")})`;
  switch (expr.op) {
    case "literal":
      if (expr.type === "bool") return expr.value !== 0 ? "true" : "false";
      return expr.type === "f32" && Number.isInteger(expr.value) ? `${Object.is(expr.value, -0) ? "-0" : expr.value}.0` : String(expr.value);
    case "size": {
      const text = sizeKey(expr.size);
      return /^[\w.]+$/.test(text) ? text : `(${text})`;
    }
    case "local":
      return expr.name;
    case "workgroup":
    case "invocation":
      return expr.op;
    case "load":
      return access(expr.buffer, expr.index, expr.type);
    case "unary":
      return call2(expr.fn, expr.a);
    case "binary": {
      const operator = infix[expr.fn];
      return operator === void 0 ? call2(expr.fn, expr.a, expr.b) : `(${printExpr(expr.a)} ${operator} ${printExpr(expr.b)})`;
    }
    case "fma":
      return call2("fma", expr.a, expr.b, expr.c);
    case "select":
      return `(${printExpr(expr.condition)} ? ${printExpr(expr.a)} : ${printExpr(expr.b)})`;
    case "splat":
      return call2(expr.type, expr.a);
    case "vector":
      return call2(expr.type, ...expr.lanes);
    case "extract":
      return `${printExpr(expr.a)}.${"xyzw"[expr.lane]}`;
    case "cast":
      return call2(expr.type, expr.a);
    case "random":
      return `random_${expr.type}(${[expr.key0, expr.key1, expr.counter].map(printExpr).join(", ")}, ${expr.stream})`;
    default:
      return expr;
  }
}

// compiler/verify-kernel.ts
var mostBuffers = 8;
function fail(kernel, message) {
  throw new Error(`internal: kernel ${kernel.name}: ${message}`);
}
function verifyKernel(kernel) {
  if (kernel.buffers.length > mostBuffers)
    fail(kernel, `${kernel.buffers.length} buffers, at most ${mostBuffers}`);
  if (!Number.isInteger(kernel.workgroup) || kernel.workgroup < 1)
    fail(kernel, `workgroup of ${kernel.workgroup}`);
  const memory = /* @__PURE__ */ new Map();
  const declared = /* @__PURE__ */ new Set();
  const checker = { kernel, sizes: new Set(kernel.sizes), memory, declared };
  if (checker.sizes.size !== kernel.sizes.length) fail(kernel, "a size is listed twice");
  for (const { name, type, access: access2, length } of kernel.buffers) {
    if (memory.has(name)) fail(kernel, `${name} is declared twice`);
    memory.set(name, { type, reads: access2 !== "write", writes: access2 !== "read" });
    checkSize(checker, length);
  }
  for (const { name, type, length } of kernel.scratch) {
    if (memory.has(name)) fail(kernel, `${name} is declared twice`);
    if (!Number.isInteger(length) || length < 0) fail(kernel, `scratch ${name} has length ${length}`);
    memory.set(name, { type, reads: true, writes: true });
  }
  checkSize(checker, kernel.grid);
  checkBody(checker, kernel.body, /* @__PURE__ */ new Map());
}
function checkSize({ kernel, sizes }, size) {
  for (const name of namesOf(size)) if (!sizes.has(name)) fail(kernel, `the size ${name} is not declared`);
}
function checkBody(checker, statements, outer) {
  const scope = new Map(outer);
  const declare2 = (name, type, variable2) => {
    if (checker.declared.has(name)) fail(checker.kernel, `${name} is declared twice`);
    checker.declared.add(name);
    scope.set(name, { type, variable: variable2 });
  };
  const { kernel } = checker;
  for (const statement of statements)
    switch (statement.op) {
      case "let":
      case "var":
        check(checker, scope, statement.value);
        declare2(statement.name, statement.value.type, statement.op === "var");
        break;
      case "set": {
        check(checker, scope, statement.value);
        const known3 = scope.get(statement.name);
        if (known3 === void 0 || !known3.variable)
          fail(kernel, `${statement.name} is set and is no variable in scope`);
        if (known3.type !== statement.value.type)
          fail(
            kernel,
            `${statement.name} is ${known3.type} and is set to ${statement.value.type} ${printExpr(statement.value)}`
          );
        break;
      }
      case "store": {
        check(checker, scope, statement.value);
        checkIs(checker, scope, statement.index, "i32");
        const memory = checker.memory.get(statement.buffer);
        if (memory === void 0) fail(kernel, `there is no buffer ${statement.buffer}`);
        if (!memory.writes) fail(kernel, `${statement.buffer} is stored to and only read`);
        const { type } = statement.value;
        if (type !== memory.type && type !== `${memory.type}x4`)
          fail(
            kernel,
            `${type} ${printExpr(statement.value)} is stored to ${statement.buffer} of ${memory.type}`
          );
        break;
      }
      case "for": {
        checkIs(checker, scope, statement.from, "i32");
        checkIs(checker, scope, statement.to, "i32");
        if (!Number.isInteger(statement.step) || statement.step <= 0)
          fail(kernel, `the loop ${statement.name} steps by ${statement.step}`);
        if (checker.declared.has(statement.name)) fail(kernel, `${statement.name} is declared twice`);
        checker.declared.add(statement.name);
        checkBody(
          checker,
          statement.body,
          new Map([...scope, [statement.name, { type: "i32", variable: false }]])
        );
        break;
      }
      case "if":
        checkIs(checker, scope, statement.condition, "bool");
        checkBody(checker, statement.then, scope);
        checkBody(checker, statement.otherwise, scope);
        break;
      case "barrier":
      case "comment":
        break;
      default:
        statement;
    }
}
function checkIs(checker, scope, expr, type) {
  check(checker, scope, expr);
  if (expr.type !== type) fail(checker.kernel, `${printExpr(expr)} is ${expr.type}, wanted ${type}`);
}
var lanes = (type) => type.endsWith("x4") ? 4 : 1;
var floats = ["f32", "f32x4"];
var wholes = ["i32", "i32x4"];
var numbers2 = [...floats, ...wholes];
var bools = ["bool", "boolx4"];
var unaryTypes = {
  neg: numbers2,
  abs: numbers2,
  sign: numbers2,
  exp: floats,
  log: floats,
  sqrt: floats,
  tanh: floats,
  sin: floats,
  cos: floats,
  erf: floats,
  floor: floats,
  ceil: floats,
  round: floats,
  isnan: floats,
  not: bools
};
var binaryTypes = {
  add: numbers2,
  sub: numbers2,
  mul: numbers2,
  div: numbers2,
  mod: wholes,
  min: numbers2,
  max: numbers2,
  pow: floats,
  lt: numbers2,
  le: numbers2,
  eq: [...numbers2, ...bools],
  ne: [...numbers2, ...bools],
  and: [...wholes, ...bools],
  or: [...wholes, ...bools],
  xor: wholes,
  shl: wholes,
  shr: wholes
};
var comparisons2 = /* @__PURE__ */ new Set(["lt", "le", "eq", "ne"]);
var boolOf = (type) => lanes(type) === 4 ? "boolx4" : "bool";
var casts = /* @__PURE__ */ new Set(["f32>i32", "i32>f32", "bool>f32", "bool>i32"]);
function check(checker, scope, expr) {
  const { kernel } = checker;
  const wrong2 = (why) => fail(kernel, `${printExpr(expr)} of type ${expr.type}: ${why}`);
  const is = (inner, type) => checkIs(checker, scope, inner, type);
  switch (expr.op) {
    case "literal":
      if (expr.type !== "f32" && !Number.isInteger(expr.value)) wrong2("a whole number is wanted");
      return;
    case "size":
      return checkSize(checker, expr.size);
    case "local": {
      const known3 = scope.get(expr.name);
      if (known3 === void 0) return wrong2("read outside its scope");
      if (known3.type !== expr.type) wrong2(`declared as ${known3.type}`);
      return;
    }
    case "workgroup":
    case "invocation":
      return;
    case "load": {
      is(expr.index, "i32");
      const memory = checker.memory.get(expr.buffer);
      if (memory === void 0) return wrong2(`there is no buffer ${expr.buffer}`);
      if (!memory.reads) wrong2(`${expr.buffer} is only written`);
      if (expr.type !== memory.type && expr.type !== `${memory.type}x4`)
        wrong2(`${expr.buffer} is of ${memory.type}`);
      return;
    }
    case "unary":
      check(checker, scope, expr.a);
      if (!unaryTypes[expr.fn].includes(expr.a.type)) wrong2(`no ${expr.fn} of ${expr.a.type}`);
      if (expr.type !== (expr.fn === "isnan" ? boolOf(expr.a.type) : expr.a.type))
        wrong2(`the operand is ${expr.a.type}`);
      return;
    case "binary":
      check(checker, scope, expr.a);
      is(expr.b, expr.a.type);
      if (!binaryTypes[expr.fn].includes(expr.a.type)) wrong2(`no ${expr.fn} of ${expr.a.type}`);
      if (expr.type !== (comparisons2.has(expr.fn) ? boolOf(expr.a.type) : expr.a.type))
        wrong2(`the operands are ${expr.a.type}`);
      return;
    case "fma":
      for (const inner of [expr.a, expr.b, expr.c]) is(inner, expr.type);
      return;
    case "select":
      check(checker, scope, expr.condition);
      is(expr.a, expr.type);
      is(expr.b, expr.type);
      if (expr.condition.type !== "bool" && expr.condition.type !== boolOf(expr.type))
        wrong2(`the condition is ${expr.condition.type}`);
      return;
    case "splat":
      return is(expr.a, expr.type.slice(0, -2));
    case "vector":
      for (const inner of expr.lanes) is(inner, expr.type === "f32x4" ? "f32" : "i32");
      return;
    case "extract":
      return is(expr.a, `${expr.type}x4`);
    case "cast": {
      check(checker, scope, expr.a);
      const from = expr.a.type.replace("x4", "");
      if (lanes(expr.a.type) !== lanes(expr.type)) wrong2(`from ${expr.a.type}`);
      if (from !== expr.type.replace("x4", "") && !casts.has(`${from}>${expr.type.replace("x4", "")}`))
        wrong2(`from ${expr.a.type}`);
      return;
    }
    case "random":
      for (const inner of [expr.key0, expr.key1, expr.counter]) is(inner, "i32");
      return;
    default:
      return expr;
  }
}

// compiler/compile.ts
function planModel(request) {
  const model = loadModel(request.host, request.path);
  const diagnostics2 = [...model.diagnostics];
  if (!hasErrors(diagnostics2)) diagnostics2.push(...checkModel(model));
  if (hasErrors(diagnostics2)) return { diagnostics: diagnostics2 };
  const name = request.model ?? onlyModel(model, diagnostics2);
  if (name === void 0) return { diagnostics: diagnostics2 };
  const modes = elaborateModes(model, name, request);
  if ("diagnostics" in modes) return { diagnostics: [...diagnostics2, ...modes.diagnostics] };
  return { planned: lowerAll(model, entriesOf(name, modes), request), diagnostics: diagnostics2 };
}
function onceEach(diagnostics2) {
  const seen = /* @__PURE__ */ new Set();
  return diagnostics2.filter(({ code, message, at }) => {
    const key = JSON.stringify([code, message, at]);
    return !seen.has(key) && seen.add(key);
  });
}
function onlyModel(model, diagnostics2) {
  const names = modelsOf(model).map(({ name }) => name.text);
  if (names.length === 1) return names[0];
  const listed = names.map((name) => `\`${name}\``).join(", ");
  diagnostics2.push({
    code: "M0605",
    severity: "error",
    message: names.length === 0 ? "the file has no model" : "the file has several models",
    at: { module: model.main.path, span: { start: 0, end: 0 }, label: "" },
    related: [],
    help: names.length === 0 ? "write a `model`" : `say which: ${listed}`
  });
  return void 0;
}
function elaborateModes(model, name, request) {
  const inferring = new GraphBuilder();
  const inference = elaborateModel(model, name, { mode: "inference", builder: inferring });
  const learning = new GraphBuilder();
  const training = elaborateModel(model, name, { mode: "training", builder: learning });
  if (inference.built === void 0 || training.built === void 0)
    return { diagnostics: onceEach([...inference.diagnostics, ...training.diagnostics]) };
  const modes = { inferring, inference: inference.built, learning, training: training.built };
  if (!speaks(modes.inference)) return modes;
  const context2 = request.context ?? modes.training.training?.training.length ?? 128;
  const builder = new GraphBuilder();
  const decode = { context: context2, batch: 1 };
  const { built, diagnostics: diagnostics2 } = elaborateModel(model, name, { mode: "inference", builder, decode });
  if (built === void 0) return { diagnostics: diagnostics2 };
  return built.undecodable.length > 0 ? modes : { ...modes, decoding: { built, context: context2 } };
}
function entriesOf(name, modes) {
  const { inferring, inference, learning, training, decoding } = modes;
  const graphs = [forwardGraph(inference)];
  if (inference.losses.length > 0) graphs.push(evaluateGraph(inferring, inference));
  const extra = [];
  const sizes = [...training.sizes];
  if (training.training !== void 0) {
    const graph = trainGraphs(learning, training);
    graphs.push(graph.train, graph.update);
    extra.push(graph.tensors);
  }
  if (decoding !== void 0) {
    graphs.push(decodeGraph(decoding.built));
    extra.push(decoding.built.tensors);
    sizes.push({ name: "C", doc: "Positions that the caches of decoding hold.", default: decoding.context });
  }
  const tensors2 = /* @__PURE__ */ new Map();
  for (const list of [training.tensors, inference.tensors, ...extra])
    for (const tensor2 of list) if (!tensors2.has(tensor2.name)) tensors2.set(tensor2.name, tensor2);
  const frozen = frozenNames(training);
  return {
    name,
    training,
    inference,
    graphs,
    tensors: [...tensors2.values()].map(
      (tensor2) => tensor2.role === "parameter" && frozen(tensor2.name) ? { ...tensor2, frozen: true } : tensor2
    ),
    sizes
  };
}
function speaks(built) {
  const tokens = built.modalities.filter(({ kind }) => kind === "tokens");
  const length = tokens[0]?.length;
  if (tokens.length !== 1 || length === void 0) return false;
  return built.outputs[0].node.shape.some((axis) => sizeEquals(axis.size, named(length)));
}
var frozenNames = (built) => {
  const patterns = built.training?.freeze ?? [];
  return (name) => patterns.some((pattern) => matchesPattern(pattern, name));
};
function trainGraphs(builder, built) {
  const recipe = built.training;
  const whole = {
    training: recipe.training,
    optimizer: recipe.optimizer,
    ...recipe.clip === void 0 ? {} : { clip: recipe.clip },
    frozen: frozenNames(built),
    factor: (name) => recipe.rates.findLast(({ pattern }) => matchesPattern(pattern, name))?.factor ?? 1
  };
  return trainingGraphs(builder, built, whole, builder.cast(builder.input("$step", "i32"), "f32"));
}
function lowerAll(model, entries, request) {
  const { verify = false } = request;
  const graphs = {};
  const shared = { traces: /* @__PURE__ */ new Map(), clusters: /* @__PURE__ */ new Map() };
  const lowered = entries.graphs.map((graph) => {
    if (verify) verifyGraph(graph);
    const simple = simplify(graph, { removeStops: true });
    if (verify) verifyGraph(simple);
    graphs[graph.name] = simple;
    return lowerGraph(simple, { ...shared, ...request.fuse === void 0 ? {} : { fuse: request.fuse } });
  });
  const { name, training, inference, tensors: tensors2, sizes } = entries;
  const { program, kernels } = plan(lowered, {
    name,
    sizes,
    tensors: tensors2,
    modalities: training.modalities,
    // What `evaluate` reports: the routers of inference, which may differ from those of training.
    routers: inference.routers.map(({ name: router, experts, nulls, width, dropping }) => ({
      name: router,
      experts,
      nulls,
      load: loadPort(router),
      picks: picksPort(router),
      width,
      ...dropping ? { dropping } : {}
    })),
    ...training.training === void 0 ? {} : { training: training.training.training }
  });
  if (verify) kernels.forEach(verifyKernel);
  const drafts = Object.fromEntries(entries.graphs.map((graph) => [graph.name, graph]));
  return { program, kernels, drafts, graphs, lowered, model };
}

// stdlib/sources.ts
var stdlib = {
  "std.attention": "import std.positions { Rotary }\n\n/// Causal self-attention with rotary positions: softmax(q k / sqrt(C)) v over the positions so far, in `heads` heads of C = D / heads.\n/// Source: Vaswani et al., arXiv 1706.03762; rotary positions: arXiv 2104.09864.\nlayer CausalAttention(D, heads = 4)(x: [T, D]) -> [T, D] {\n  dim C = D / heads\n  param query: [D, D]\n  param key: [D, D]\n  param value: [D, D]\n  param out: [D, D]\n  q = Rotary(x @ query as [T, heads, C])\n  k = context(Rotary(x @ key as [T, heads, C]))\n  v = context(x @ value as [T, heads, C])\n  score[h, t, s] = if s <= t\n    then sum(q[t, h, c] * k[s, h, c] over c) / sqrt(C)\n    else -inf\n  share = softmax(score over s)\n  mixed[t, h, c] = sum(share[h, t, s] * v[s, h, c] over s)\n  (mixed as [T, D]) @ out\n}\n\n/// Attention without a mask or positions: every position sees every other.\n/// Source: Vaswani et al., arXiv 1706.03762.\nlayer Attention(D, heads = 4)(x: [T, D]) -> [T, D] {\n  dim C = D / heads\n  param query: [D, D]\n  param key: [D, D]\n  param value: [D, D]\n  param out: [D, D]\n  q = x @ query as [T, heads, C]\n  k = x @ key as [T, heads, C]\n  v = x @ value as [T, heads, C]\n  score[h, t, s] = sum(q[t, h, c] * k[s, h, c] over c) / sqrt(C)\n  share = softmax(score over s)\n  mixed[t, h, c] = sum(share[h, t, s] * v[s, h, c] over s)\n  (mixed as [T, D]) @ out\n}\n",
  "std.experts": `/// The feed-forward expert of most language models: silu(x W_gate) * (x W_up), projected back.
/// Source: Shazeer, "GLU Variants Improve Transformer", arXiv 2002.05202.
expert SwiGLU(D, H)(x: [D]) -> [D] {
  param gate: [D, H]
  param up: [D, H]
  param down: [H, D]
  (silu(x @ gate) * (x @ up)) @ down
}

/// The same with a GELU gate.
/// Source: Shazeer, arXiv 2002.05202.
expert GeGLU(D, H)(x: [D]) -> [D] {
  param gate: [D, H]
  param up: [D, H]
  param down: [H, D]
  (gelu(x @ gate) * (x @ up)) @ down
}

/// Two matrices and a GELU between them, with biases.
/// Source: the transformer's feed-forward block with Hendrycks and Gimpel's activation, arXiv 1606.08415.
expert Gelu(D, H)(x: [D]) -> [D] {
  param up: [D, H]
  param up_bias: [H] = 0
  param down: [H, D]
  param down_bias: [D] = 0
  gelu(x @ up + up_bias) @ down + down_bias
}

/// Two matrices and a ReLU: the expert of Switch and GShard.
/// Source: Fedus et al., arXiv 2101.03961.
expert Relu(D, H)(x: [D]) -> [D] {
  param up: [D, H]
  param down: [H, D]
  relu(x @ up) @ down
}

/// Two matrices and a squared ReLU.
/// Source: So et al., "Primer", arXiv 2109.08668.
expert SquaredRelu(D, H)(x: [D]) -> [D] {
  param up: [D, H]
  param down: [H, D]
  square(relu(x @ up)) @ down
}

/// Two matrices and a SiLU, not gated: what BlockFFN routes, because gated experts spoil its router's sparsity.
/// Source: Song et al., "BlockFFN", arXiv 2507.08771.
expert Silu(D, H)(x: [D]) -> [D] {
  param up: [D, H]
  param down: [H, D]
  silu(x @ up) @ down
}
`,
  "std.losses": `/// Balance of Switch: N * sum_i f_i P_i / k, with f_i the share of picks that expert i got and P_i its mean probability; 1 when the load is even.
/// Source: Fedus et al., arXiv 2101.03961, eq. 4, generalised to k picks per token as in DeepSeekMoE, arXiv 2401.06066.
function Balance(N)(load: [N], probability: [N]) -> [] {
  N * sum(load / sum(load) * mean(probability over tokens))
}

/// Balance inside every sequence: the same sum with shares and probabilities of one sequence, then the mean over sequences.
/// Source: DeepSeek-V2, arXiv 2405.04434; DeepSeek-V3, arXiv 2412.19437.
function SequenceBalance(N, k)(chosen: [N], probability: [N]) -> [] {
  N / k * sum(mean(chosen over sequence) * mean(probability over sequence))
}

/// mean(logsumexp(z)^2): keeps router logits small.
/// Source: Zoph et al., "ST-MoE", arXiv 2202.08906.
function ZLoss(N)(logits: [N]) -> [] {
  square(logsumexp(logits))
}

/// -sum p log p of each token's probabilities: low when the router is sure.
/// Source: Huang et al., arXiv 2403.07652 (the term that keeps dynamic top-p sparse).
function Entropy(N)(probability: [N]) -> [] {
  -sum(probability * log(probability + 1e-9))
}
`,
  "std.norms": '/// x / sqrt(mean(x^2) + epsilon) * gain.\n/// Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", arXiv 1910.07467.\nlayer RMSNorm(D, epsilon = 1e-6)(x: [D]) -> [D] {\n  param gain: [D] = 1\n  x / sqrt(mean(square(x)) + epsilon) * gain\n}\n\n/// (x - mean) / sqrt(variance + epsilon) * gain + bias.\n/// Source: Ba, Kiros and Hinton, "Layer Normalization", arXiv 1607.06450.\nlayer LayerNorm(D, epsilon = 1e-5)(x: [D]) -> [D] {\n  param gain: [D] = 1\n  param bias: [D] = 0\n  centred = x - mean(x)\n  centred / sqrt(mean(square(centred)) + epsilon) * gain + bias\n}\n',
  "std.positions": '/// Rotary positions: the halves of each head are the parts of C / 2 complex numbers, turned by angles that grow with the position.\n/// Source: Su et al., "RoFormer", arXiv 2104.09864 (with the halves apart, as in GPT-NeoX and Llama).\nfunction Rotary(T, H, C, base = 10000)(x: [T, H, C]) -> [T, H, C] {\n  halves = x as [T, H, 2, C / 2]\n  angle[t: T, c: C / 2] = t / base ^ (2 * c / C)\n  first[t, h, c] = halves[t, h, 0, c] * cos(angle[t, c]) -\n    halves[t, h, 1, c] * sin(angle[t, c])\n  second[t, h, c] = halves[t, h, 1, c] * cos(angle[t, c]) +\n    halves[t, h, 0, c] * sin(angle[t, c])\n  concat(first, second)\n}\n',
  "std.routers": 'import std.losses { Balance, Entropy, SequenceBalance }\n\n/// Softmax over all experts, the k best, weights as they are or summing to 1.\n/// Source: Shazeer et al., arXiv 1701.06538; Mixtral (renormalised), arXiv 2401.04088; balance: Fedus et al., arXiv 2101.03961.\nrouter TopK(\n  D, N, k = 2, balance = 0.01, renormalise = true\n)(x: [D]) -> gates[N] {\n  param w: [D, N] = normal(0.02)\n  p = softmax(x @ w)\n  choose top k of p\n  weight if renormalise then p / sum(p) else p\n  loss balance = balance * Balance(load, p)\n}\n\n/// One expert per token, with a capacity: what comes too late passes by.\n/// Source: Fedus et al., "Switch Transformers", arXiv 2101.03961.\nrouter Switch(D, N, factor = 1.25, balance = 0.01)(x: [D]) -> gates[N] {\n  param w: [D, N] = normal(0.02)\n  p = softmax(x @ w)\n  choose top 1 of p\n  capacity factor * tokens / N\n  loss balance = balance * Balance(load, p)\n}\n\n/// Sigmoid scores. A bias that only the selection sees keeps the load even, without a loss term.\n/// Source: Wang et al., arXiv 2408.15664; DeepSeek-V3, arXiv 2412.19437.\nrouter LossFree(D, N, k = 8, rate = 1e-3, scale = 1)(x: [D]) -> gates[N] {\n  param w: [D, N] = normal(0.02)\n  state bias: [N] = 0\n  score = sigmoid(x @ w)\n  choose top k of score + bias\n  weight scale * score / (sum(score) + 1e-20)\n  after step: bias += rate * sign(mean(load) - load)\n}\n\n/// DeepSeek-V3: the best groups by the sum of their two best, then the k best of those; loss-free bias and a light balance per sequence.\n/// Source: DeepSeek-V3, arXiv 2412.19437, eq. 12 to 20.\nrouter GroupLimited(\n  D, N, k = 8, groups = 8, kept = 4, rate = 1e-3, scale = 2.5, alpha = 1e-4\n)(x: [D]) -> gates[N] {\n  param w: [D, N] = normal(0.02)\n  state bias: [N] = 0\n  score = sigmoid(x @ w)\n  q = score + bias\n  choose top k of q in the best kept of groups groups by sum(top 2 of q)\n  weight scale * score / (sum(score) + 1e-20)\n  loss balance = alpha * SequenceBalance { k = k }(chosen, score / sum(score))\n  after step: bias += rate * sign(mean(load) - load)\n}\n\n/// The same number from every group, so that devices are equally loaded; softmax over all experts, not renormalised.\n/// Source: Pangu Pro MoE, arXiv 2505.21411.\nrouter Grouped(\n  D, N, groups = 4, picks = 1, balance = 0.01\n)(x: [D]) -> gates[N] {\n  param w: [D, N] = normal(0.02)\n  p = softmax(x @ w)\n  choose top picks of p in each of groups groups\n  weight p\n  loss balance = balance * Balance(load, p)\n}\n\n/// As many experts as the token needs: the best until their probabilities pass the threshold.\n/// Source: Huang et al., "Harder Tasks Need More Experts", arXiv 2403.07652.\nrouter TopP(\n  D, N, threshold = 0.4, most = N, balance = 0.01, entropy = 1e-4\n)(x: [D]) -> gates[N] {\n  param w: [D, N] = normal(0.02)\n  p = softmax(x @ w)\n  choose until sum(p) > threshold by p at most most\n  weight p\n  loss balance = balance * Balance(load, p)\n  loss entropy = entropy * Entropy(p)\n}\n\n/// Every expert with a positive score; the scores are normalised over experts, with a learned gain.\n/// Source: Song et al., "BlockFFN", arXiv 2507.08771.\nrouter ReluRouter(D, N, epsilon = 1e-6)(x: [D]) -> gates[N] {\n  param w: [D, N] = normal(0.02)\n  param gain: [N] = 1\n  raw = relu(x @ w)\n  score = raw / sqrt(mean(square(raw)) + epsilon) * gain\n  choose where raw > 0\n  weight score\n}\n\n/// Null experts take part in the choice and cost nothing; weights are renormalised over the true experts only.\n/// The null experts share one bucket of the balance loss.\n/// Source: Zeng et al., "AdaMoE", arXiv 2406.13233.\nrouter NullAware(D, N, k = 2, balance = 0.001)(x: [D]) -> gates[N] {\n  param w: [D, N] = normal(0.02)\n  p = softmax(x @ w)\n  choose top k of p\n  true_p = if is_null then 0 else p\n  weight true_p / (sum(true_p) + 1e-20)\n  nulls = if is_null then 1 else 0\n  pooled = if is_null then sum(load * nulls) / max(sum(nulls), 1) else load\n  loss balance = balance * Balance(pooled, p)\n}\n\n/// Each expert takes its best tokens of a sequence: the load is even by construction. Not causal.\n/// Source: Zhou et al., "Mixture-of-Experts with Expert Choice Routing", arXiv 2202.09368.\nrouter ExpertChoice(D, N, capacity_factor = 2)(x: [D]) -> gates[N] {\n  param w: [D, N] = normal(0.02)\n  p = softmax(x @ w)\n  choose top ceil(\n    capacity_factor * sequence / N\n  ) tokens of p for each expert per sequence\n  weight p\n}\n\n/// Every expert, weighted by a softmax: a dense mixture.\n/// Source: Jacobs et al., 1991; Ma et al., "MMoE", KDD 2018.\nrouter Dense(D, N)(x: [D]) -> gates[N] {\n  param w: [D, N] = normal(0.02)\n  p = softmax(x @ w)\n  choose all\n  weight p\n}\n\n/// Top-k with learned noise on the logits in training.\n/// Source: Shazeer et al., arXiv 1701.06538, eq. 3 to 5.\nrouter NoisyTopK(D, N, k = 2, balance = 0.01)(x: [D]) -> gates[N] {\n  param w: [D, N] = normal(0.02)\n  param noise: [D, N] = 0\n  z = x @ w\n  z = z + normal(z) * softplus(x @ noise) in training\n  choose top k of z\n  weight softmax(z)\n  loss balance = balance * Balance(load, softmax(x @ w))\n}\n\n/// Cosine of token and expert in a small space, with a learned temperature.\n/// Source: Chi et al., "On the Representation Collapse of Sparse Mixture of Experts", arXiv 2204.09179.\nrouter Cosine(D, N, R = 32, k = 1, balance = 0.01)(x: [D]) -> gates[N] {\n  param project: [D, R]\n  param expert_point: [R, N]\n  param temperature: [] = 0.07\n  u = x @ project\n  length = sqrt(sum(square(expert_point) over R) + 1e-12)\n  z = (u / sqrt(sum(square(u)) + 1e-12)) @ expert_point / length\n  p = softmax(z / max(temperature, 0.01))\n  choose top k of p\n  weight p\n  loss balance = balance * Balance(load, p)\n}\n'
};

// ../../tmp/fc/show.ts
import { readFileSync, existsSync } from "node:fs";
var [f, entry, pat] = process.argv.slice(2);
var host = { read: (p) => stdlib[p] ?? (existsSync(p) ? readFileSync(p, "utf8") : void 0) };
var { planned, diagnostics } = planModel({ host, path: f });
if (!planned) {
  console.log(diagnostics);
  process.exit(1);
}
if (process.env.GRAPH) console.log(printGraph(planned.graphs[entry]));
var e = planned.program.entries[entry];
for (const d of e.dispatches) if (!pat || d.label.includes(pat)) console.log(d.label, "|", d.kernel, d.buffers.map((b2) => "name" in b2 ? b2.name : `t${b2.index}:${e.temporaries[b2.index].label}`).join(", "));
if (process.env.REFUSE) console.log(e.refusals.join("\n"));
if (process.env.KERNEL) console.log(printKernel(planned.kernels[Number(process.env.KERNEL)]));
