// An invented report whose numbers agree with one another: a small net with stride, padding, dilation, groups and a 1×1,
// computed here in double and rounded to float32, written into the built page. Its convolutions scatter where those of the
// page gather, so that an error would have to be made twice.
//   node test/sample.mjs OUT.html [--hostile] [--bare]
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { convolution, convolutionBackward, generator, product } from "./sample_math.mjs";

const classes = ["circle", "cross", "square", "star", "moon", "arrow", "heart"];
const hostileNames = ["<script>alert(1)</script>", "\"><img src=x onerror=alert(2)>", "'); alert(3); ('", "\u202eנקודה", "كتاب", "&lt;b&gt;", "</script>"];

/// Collects arrays, each at a multiple of eight bytes.
function packer() {
  const parts = [];
  let at = 0;
  return {
    add(values, shape, dtype = "float32") {
      const typed = dtype === "uint8" ? Uint8Array.from(values) : Float32Array.from(values);
      if (typed.length !== product(shape)) throw new Error(`an array of ${typed.length} numbers cannot have the shape ${shape}`);
      const place = { shape, dtype, at };
      const data = Buffer.from(typed.buffer);
      const padding = Buffer.alloc((8 - (data.length % 8)) % 8);
      parts.push(data, padding);
      at += data.length + padding.length;
      return place;
    },
    bytes: () => Buffer.concat(parts),
  };
}

const layers = [
  { name: "stem", input: "images", filters: 6, kernel: [3, 3], stride: [2, 2], padding: [1, 1, 1, 1], dilation: [1, 1], groups: 1, bias: true, relu: true },
  { name: "block.a", input: "stem", filters: 8, kernel: [3, 3], stride: [1, 1], padding: [2, 2, 2, 2], dilation: [2, 2], groups: 2, bias: true, relu: true },
  { name: "block.b", input: "block.a", filters: 6, kernel: [1, 1], stride: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], groups: 1, bias: false, relu: false },
  { name: "down", input: "sum", filters: 5, kernel: [3, 2], stride: [1, 2], padding: [1, 0, 0, 1], dilation: [1, 1], groups: 1, bias: true, relu: false },
];

/// All values and gradients of one step, in double.
function train() {
  const random = generator(5);
  const [n, c, h, w] = [4, 3, 13, 13];
  const pixels = Array.from({ length: n * c * h * w }, (_, i) => {
    const [y, x] = [Math.floor(i / w) % h, i % w];
    const sample = Math.floor(i / (c * h * w));
    const wave = Math.sin((y + 1) * 0.5 * (1 + sample)) * Math.cos(x * 0.6);
    return Math.round(255 * Math.min(1, Math.max(0, 0.5 + 0.45 * wave + 0.1 * (random() - 0.5))));
  });
  const value = { images: { data: pixels.map((p) => p / 127.5 - 1), shape: [n, c, h, w] } };
  const done = layers.map((layer) => {
    const input = layer.input === "sum" ? value.sum : value[layer.input];
    const channels = input.shape[1] / layer.groups;
    const weightShape = [layer.filters, channels, ...layer.kernel];
    const spread = Math.sqrt(3 / (channels * product(layer.kernel)));
    const weight = { data: Array.from({ length: product(weightShape) }, () => spread * (2 * random() - 1)), shape: weightShape };
    const bias = layer.bias ? Array.from({ length: layer.filters }, () => 0.2 * (2 * random() - 1)) : null;
    const output = convolution(input, weight, bias, layer);
    value[layer.name] = layer.relu ? { data: output.data.map((v) => Math.max(0, v)), shape: output.shape } : output;
    if (layer.name === "block.b") value.sum = { data: value.stem.data.map((v, i) => v + output.data[i]), shape: output.shape };
    return { layer, input, weight, bias, output };
  });
  return { value, pixels, done, random, ...head(value.down, random, done) };
}

/// Mean over the picture, a matrix, cross-entropy; then the gradients back through everything.
function head(down, random, done) {
  const [n, c, h, w] = down.shape;
  const pooled = Array.from({ length: n * c }, (_, i) => down.data.slice(i * h * w, (i + 1) * h * w).reduce((a, b) => a + b, 0) / (h * w));
  const k = classes.length;
  const matrix = Array.from({ length: k * c }, () => 2 * random() - 1);
  const scores = Array.from({ length: n * k }, (_, i) => pooled.slice(Math.floor(i / k) * c, (Math.floor(i / k) + 1) * c).reduce((a, p, j) => a + p * matrix[(i % k) * c + j], 0));
  const labels = [0, 3, 5, 6];
  const softmax = labels.map((_, i) => {
    const row = scores.slice(i * k, (i + 1) * k).map((s) => Math.exp(s));
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((e) => e / sum);
  });
  const loss = -labels.reduce((sum, label, i) => sum + Math.log(softmax[i][label]), 0) / n;
  const dScores = scores.map((_, i) => (softmax[Math.floor(i / k)][i % k] - (labels[Math.floor(i / k)] === i % k ? 1 : 0)) / n);
  const dMatrix = matrix.map((_, i) => labels.reduce((sum, __, b) => sum + dScores[b * k + Math.floor(i / c)] * pooled[b * c + (i % c)], 0));
  const dPooled = pooled.map((_, i) => Array.from({ length: k }, (__, j) => dScores[Math.floor(i / c) * k + j] * matrix[j * c + (i % c)]).reduce((a, b) => a + b, 0));
  const dDown = down.data.map((_, i) => dPooled[Math.floor(i / (h * w))] / (h * w));
  const through = (i, dy) => convolutionBackward(done[i].input, done[i].weight, dy, done[i].layer);
  const masked = (dy, i) => dy.map((g, j) => (done[i].output.data[j] > 0 ? g : 0));
  const gradients = [];
  gradients[3] = { dy: dDown, ...through(3, dDown) };
  const dSum = gradients[3].dx;
  gradients[2] = { dy: dSum, ...through(2, dSum) };
  const dyA = masked(gradients[2].dx, 1);
  gradients[1] = { dy: dyA, ...through(1, dyA) };
  const dStem = dSum.map((g, j) => g + gradients[1].dx[j]);
  const dyStem = masked(dStem, 0);
  gradients[0] = { dy: dyStem, ...through(0, dyStem) };
  return { pooled, matrix, scores, labels, softmax, loss, dScores, dMatrix, dPooled, gradients, dSum, dStem };
}

export function sampleReport({ hostile = false } = {}) {
  const t = train();
  const pack = packer();
  const names = hostile ? hostileNames : classes;
  const evil = (text) => (hostile ? `${text}<script>alert(9)</script>"'` : text);
  const modules = makeModules(t, evil);
  const { nodes, backward, convolutions } = makeTape(t, pack, evil);
  const [n, c, h, w] = t.value.images.shape;
  const pictures = t.labels.map((_, i) => pack.add(t.pixels.slice(i * c * h * w, (i + 1) * c * h * w), [c, h, w], "uint8"));
  const predicted = t.softmax.map((row) => row.indexOf(Math.max(...row)));
  const counts = classes.map((_, i) => classes.map((__, j) => (i === j ? 40 - 3 * i : (i * 3 + j) % 5)));
  const report = {
    ...{ format: 1, gradus: "1.0.0", title: evil("a small net on drawn shapes"), created: "2026-11-27 07:00", classes: names },
    run: makeRun(evil),
    modules,
    parameters: makeParameters(t, pack, evil),
    samples: t.labels.map((label, i) => ({ name: evil(`shape-${i}.png`), label: i === 3 ? null : label, predicted: predicted[i], probabilities: t.softmax[i], picture: pictures[i] })),
    ...{ nodes, backward, loss: nodes.length - 1, convolutions },
    activity: makeActivity(t),
    doctor: [
      { id: "rate-high", severity: "bad", where: evil("the run"), title: "The learning rate is too high", evidence: "The last update moved the weights by 0.2 of their length; 0.001 is usual.", advice: "Divide the learning rate by ten." },
      { id: "dead", severity: "warning", where: evil("block.a"), title: "Many units are dead", evidence: "31 % of its units are zero for every sample.", advice: "Try a smaller learning rate, or leaky_relu." },
      { id: "norm", severity: "note", where: "", title: "No normalisation", evidence: "No module normalises its input.", advice: "batch_norm often makes deeper nets easier to train." },
    ],
    gradcheck: makeGradcheck(evil),
    confusion: { counts },
    worst: t.labels.map((label, i) => ({ index: 100 + i, label, predicted: (label + 1) % 7, probability: 0.9 - 0.1 * i, sample: i < 2 ? i : null, picture: pictures[i] })),
  };
  return { report, bytes: pack.bytes() };
}

function makeRun(evil) {
  const random = generator(8);
  const loss = (x) => 1.9 * Math.exp(-x / 60) + 0.12;
  return {
    ...{ folder: evil("runs/shapes"), state: "finished", command: evil("gradus train --data shapes --model small --epochs 8 --seed 7"), caveat: evil("The command leaves something out."), seed: 7, checksum: "3f9ac1d2 77b04e51" },
    settings: [["optimizer", "sgd, momentum 0.9"], ["batch size", "32"], ["schedule", "one cycle"], [evil("augmentation"), evil("none")]],
    epochs: Array.from({ length: 8 }, (_, e) => ({
      ...{ epoch: e + 1, loss: loss(25 * (e + 1)), accuracy: 1 - 0.8 * Math.exp(-e / 2) - 0.03, validation_loss: loss(22 * (e + 1)) + 0.05, validation_accuracy: 0.95 - 0.8 * Math.exp(-e / 2) },
      ...{ test_loss: e === 7 ? 0.31 : null, learning_rate: 0.1 * Math.sin((Math.PI * (e + 1)) / 9), seconds: 1.5 + 0.1 * random() },
    })),
    steps: Array.from({ length: 200 }, (_, s) => ({ step: s, loss: s === 120 ? null : loss(s) * (0.8 + 0.4 * random()), learning_rate: 0.1 * Math.sin((Math.PI * (s + 1)) / 201) })),
  };
}

const layerModules = { stem: 1, "block.a": 3, "block.b": 4, down: 5 };

function makeModules(t, evil) {
  const of = (i) => {
    const { layer, input, weight, output } = t.done[i];
    const products = product(output.shape) * product(weight.shape.slice(1));
    const module = layerModules[layer.name];
    return {
      ...{ path: evil(layer.name), type: "Conv2d", text: evil(`Conv2d(${input.shape[1]}, ${layer.filters}, kernel ${layer.kernel})`), parent: module === 3 || module === 4 ? 2 : 0 },
      ...{ input: input.shape, output: output.shape, parameters: product(weight.shape) + (layer.bias ? layer.filters : 0), multiplications: products, additions: products },
      ...{ backward_multiplications: 2 * products, backward_additions: 2 * products, kept_bytes: 4 * product(input.shape) },
    };
  };
  const costs = { multiplications: 0, additions: 0, backward_multiplications: 0, backward_additions: 0, kept_bytes: 0 };
  const zero = { ...costs, multiplications: null };
  const convs = [0, 1, 2, 3].map(of);
  const sum = (list) => Object.fromEntries(Object.keys(costs).map((key) => [key, list.reduce((a, m) => a + m[key], 0)]));
  const block = { path: "block", type: "Residual", text: "x + f(x)", parent: 0, input: t.value.stem.shape, output: t.value.sum.shape, parameters: convs[1].parameters + convs[2].parameters, ...sum(convs.slice(1, 3)) };
  const head = { path: "head", type: "Linear", text: "Linear(5, 7)", parent: 0, input: [4, 5], output: [4, 7], parameters: 35, ...costs, multiplications: 140, additions: 112 };
  const pool = { path: "pool", type: "GlobalMeanPool", text: "mean over height and width", parent: 0, input: t.value.down.shape, output: [4, 5], parameters: 0, ...zero };
  const net = { path: "", type: "SmallNet", text: "SmallNet", parent: -1, input: t.value.images.shape, output: [4, 7], parameters: convs.reduce((a, m) => a + m.parameters, 35), ...sum([...convs, head]) };
  return [net, convs[0], block, convs[1], convs[2], convs[3], pool, head];
}

function makeTape(t, pack, evil) {
  const nodes = [];
  const index = {};
  const add = (key, node) => {
    index[key] = nodes.length;
    nodes.push({ ...{ op: "leaf", role: "op", name: "", module: -1, place: "", inputs: [], value: null, gradient: null, computed: Boolean(node.gradient), kept: [], forward_us: null, backward_us: null, multiplications: 0, additions: 0, arrivals: [] }, ...node });
    return nodes.length - 1;
  };
  const put = ({ data, shape }) => pack.add(data, shape);
  const op = (key, name, module, inputs, value, gradient, more = {}) =>
    add(key, { op: name, module, place: "small_net.cpp:42", inputs: inputs.map((i) => index[i]), shape: value.shape, value: put(value), gradient: gradient && pack.add(gradient, value.shape), forward_us: 12.5, backward_us: 30.1, ...more });
  add("images", { role: "input", name: evil("images"), shape: t.value.images.shape, value: put(t.value.images) });
  const convolutions = t.done.map(({ layer, input, weight, bias, output }, i) => {
    const { dy, dx, dw, db } = t.gradients[i];
    const module = layerModules[layer.name];
    const leaf = (what, data, shape, gradient) => add(`${layer.name}.${what}`, { role: "parameter", name: evil(`${layer.name}.${what}`), module, shape, value: pack.add(data, shape), gradient: pack.add(gradient, shape) });
    leaf("weight", weight.data, weight.shape, dw);
    if (bias) leaf("bias", bias, [layer.filters], db);
    const after = i === 0 ? t.dStem : i === 1 ? t.gradients[2].dx : dy;
    const kept = [
      { what: "x", shape: input.shape, bytes: 4 * product(input.shape), why: "dL/dw takes the input", counts: i > 0 },
      { what: "w", shape: weight.shape, bytes: 4 * product(weight.shape), why: "dL/dx takes the weight", counts: false },
    ];
    const inputs = [layer.input, `${layer.name}.weight`, ...(bias ? [`${layer.name}.bias`] : [])];
    op(layer.name, "conv2d", module, inputs, t.value[layer.name], after, { kept });
    if (layer.name === "block.b") op("sum", "add", 2, ["stem", "block.b"], t.value.sum, t.dSum);
    const algorithm = (direction, name, k) => ({ direction, name, why: evil(`${name} moves the fewest bytes at this size`), predicted_us: 10 * k, measured_us: k === 2 ? null : 11.3 * k });
    return {
      ...{ node: index[layer.name], module, name: evil(layer.name), input: nodes[index[layer.input]].value, weight: nodes[index[`${layer.name}.weight`]].value },
      ...{ bias: bias && nodes[index[`${layer.name}.bias`]].value, output: put(output), activation: layer.relu ? "relu" : "none", has_bias: layer.bias },
      ...{ output_gradient: pack.add(dy, output.shape), input_gradient: i === 0 ? null : pack.add(dx, input.shape), weight_gradient: pack.add(dw, weight.shape), bias_gradient: bias && pack.add(db, [layer.filters]) },
      ...{ stride: layer.stride, padding: layer.padding, dilation: layer.dilation, groups: layer.groups },
      algorithms: [algorithm("forward", "im2col", 1), ...(i > 0 ? [algorithm("input gradient", "gather", 2)] : []), algorithm("weight gradient", "im2col", 3)],
    };
  });
  op("pool", "mean", 6, ["down"], { data: t.pooled, shape: [4, 5] }, t.dPooled);
  add("head.weight", { role: "parameter", name: "head.weight", module: 7, shape: [7, 5], value: pack.add(t.matrix, [7, 5]), gradient: pack.add(t.dMatrix, [7, 5]) });
  op("head", "linear", 7, ["pool", "head.weight"], { data: t.scores, shape: [4, 7] }, t.dScores, { kept: [{ what: "x", shape: [4, 5], bytes: 80, why: "dL/dw takes the input", counts: true }] });
  op("loss", "cross_entropy", -1, ["head"], { data: [t.loss], shape: [] }, [1], { kept: [{ what: "softmax", shape: [4, 7], bytes: 112, why: "dL/dx is softmax minus the labels", counts: true }] });
  const backward = nodes.map((_, i) => i).filter((i) => nodes[i].role === "op").reverse();
  arrive(nodes, backward, index, t, pack);
  return { nodes, backward, convolutions };
}

/// Who sent a gradient to whom; the stem's output has two readers, so two gradients meet there.
function arrive(nodes, backward, index, t, pack) {
  for (const from of backward) {
    for (const to of nodes[from].inputs) {
      if (nodes[to].gradient === null) continue;
      const part = to === index.stem ? (from === index.sum ? t.dSum : t.gradients[1].dx) : null;
      nodes[to].arrivals.push({ from, gradient: part ? pack.add(part, nodes[to].shape) : nodes[to].gradient });
    }
  }
}

function makeParameters(t, pack, evil) {
  const norm = (values) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
  const convs = t.done.map(({ layer, weight }, i) => ({ name: evil(`${layer.name}.weight`), module: layerModules[layer.name], ...weight, gradient: t.gradients[i].dw }));
  return [...convs, { name: "head.weight", module: 7, data: t.matrix, shape: [7, 5], gradient: t.dMatrix }].map(({ name, module, data, shape, gradient }, k) => ({
    ...{ name, module, shape, value: pack.add(data, shape), gradient: k === 4 ? null : pack.add(gradient, shape), norm: norm(data) },
    ...{ gradient_norm: k === 4 ? null : norm(gradient), update_ratio: k === 4 ? null : 0.001 * (k + 1) },
    snapshots: [0, 1, 2, 4].map((epoch) => ({ epoch, value: pack.add(data.map((v, i) => v * (0.2 + 0.18 * epoch) + 0.1 * Math.sin(i + epoch)), shape) })),
    flow: [1, 2, 3, 4, 5, 6, 7, 8].map((epoch) => ({ epoch, norm: norm(data) * (0.5 + epoch / 16), gradient_norm: 1 / epoch, update_ratio: 0.01 / epoch })),
  }));
}

function makeActivity(t) {
  const histogram = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const counts = Array(24).fill(0);
    for (const v of values) ++counts[Math.min(23, Math.floor(((v - low) / (high - low)) * 24))];
    return { low, high, counts };
  };
  const stats = (values) => {
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    return { mean, deviation: Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length), histogram: histogram(values) };
  };
  return t.done.map(({ layer }, i) => ({ module: layerModules[layer.name], ...stats(t.value[layer.name].data), dead: layer.relu ? 0.31 : null, gradient: i === 3 ? null : stats(t.gradients[i].dy) }));
}

function makeGradcheck(evil) {
  const inputs = ["x", ...layers.map(({ name }) => `${name}.weight`)].map((name) => ({ name: evil(name), shape: [2, 3], connected: true }));
  const entry = (verdict, i, error) => ({ verdict, input: inputs[i].name, index: [0, i], analytic: 0.0123 * (i + 1), numeric: 0.0123 * (i + 1) + error, bound: 1e-9, absolute_error: Math.abs(error), relative_error: Math.abs(error) / 0.0123 });
  return {
    ...{ subject: evil("small net"), order: 1, verdict: "fail", elements: 224, directions: 88, pass: 311, kink: 0, inconclusive: 0, fail: 1, worst_relative_error: 0.4 },
    diagnoses: [{ pattern: "sign", certainty: "certain", input: inputs[2].name, text: "the gradient has the wrong sign" }],
    ...{ notes: ["fast mode"], not_exercised: ["more than 1 along axis 1 of x"], stopped: false },
    worst: [entry("fail", 2, -0.0738), entry("pass", 1, 3e-12), entry("pass", 0, 1e-13)],
    inputs,
    sweep: Array.from({ length: 30 }, (_, k) => ({ h: 2 ** -k, left: 0.04, right: 0.04, central: 0.0369 + 1e-3 * 4 ** -k + 1e-15 * 2 ** k, rounding: 1e-16 * 2 ** k })),
    ...{ parameters: 500, taylor: { verdict: "pass", orders: [2.41, 1.99993, 2.0001, null] }, seconds: 1.2 },
  };
}

/// The report with all that may be absent absent: no run, no array, no number that was not measured.
function withoutArrays(report) {
  const isPlace = (value) => value !== null && typeof value === "object" && "dtype" in value;
  const samples = report.samples.map((sample) => ({ ...sample, label: null, predicted: null, probabilities: [] }));
  const text = JSON.stringify({ ...report, samples, run: null, gradcheck: null, confusion: null }, (key, value) => {
    if (isPlace(value) || ["norm", "update_ratio", "measured_us", "mean", "low", "high"].includes(key)) return null;
    return value;
  });
  return JSON.parse(text);
}

/// A run that diverged, and no step of it traced.
function runAlone(report) {
  const empty = { modules: [], parameters: [], samples: [], nodes: [], backward: [], convolutions: [], activity: [], worst: [] };
  const steps = report.run.steps.map((step, i) => (i > 50 ? { ...step, loss: null } : step));
  return { ...report, ...empty, loss: -1, gradcheck: null, confusion: null, run: { ...report.run, state: "diverged", steps, epochs: [] } };
}

/// So many classes that nearly all of the table of confusions is zeros.
function withClasses(report, count) {
  const row = (i) => Array.from({ length: count }, (_, j) => (i === j ? 20 : j === (i * 7 + 1) % count ? 1 + (i % 5) : 0));
  return { ...report, classes: Array.from({ length: count }, (_, i) => `class ${i}`), confusion: { counts: Array.from({ length: count }, (_, i) => row(i)) } };
}

export function writeSample(file, { hostile = false, bare = false, alone = false, many = false, broken = false } = {}) {
  const made = sampleReport({ hostile });
  const bytes = bare || alone ? Buffer.alloc(0) : made.bytes;
  if (many) made.report = withClasses(made.report, 300);
  if (broken) made.report.gradcheck = {};
  const report = bare ? withoutArrays(made.report) : alone ? runAlone(made.report) : made.report;
  const template = readFileSync(new URL("../dist/report.html", import.meta.url), "utf8");
  const text = JSON.stringify(report).replaceAll("<", "\\u003c");
  writeFileSync(file, template.replace("@report@", () => text).replace("@numbers@", () => gzipSync(bytes).toString("base64")));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeSample(process.argv[2], { hostile: process.argv.includes("--hostile"), bare: process.argv.includes("--bare") });
