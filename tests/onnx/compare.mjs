// compare.mjs FOLDER: runs every NAME.onnx there with onnxruntime, on the inputs in NAME.safetensors beside it, and
// compares with the outputs in the same file, which Gradus computed. Prints a line for each net; exit 0 when all agree.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ort from 'onnxruntime-node';

// Relative to the largest number of an output, and at least 1: sums in another order, in float32.
const tolerance = 1e-5;

/** The tensors of a safetensors file by name: { type, dims, data }. */
function readTensors(path) {
  const bytes = readFileSync(path);
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerBytes).toString());
  const tensors = new Map();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [begin, end] = entry.data_offsets.map((offset) => offset + 8 + headerBytes);
    const data = bytes.buffer.slice(bytes.byteOffset + begin, bytes.byteOffset + end);
    if (entry.dtype === 'F32') tensors.set(name, { type: 'float32', dims: entry.shape, data: new Float32Array(data) });
    else if (entry.dtype === 'I64') tensors.set(name, { type: 'int64', dims: entry.shape, data: new BigInt64Array(data) });
    else throw new Error(`${path}: ${name} is ${entry.dtype}`);
  }
  return tensors;
}

/** The largest difference, relative to the largest number expected; Infinity for another shape or a NaN. */
function distance(actual, expected) {
  if (actual.dims.join() !== expected.dims.join()) return Infinity;
  let scale = 1;
  let most = 0;
  for (let i = 0; i < expected.data.length; ++i) {
    scale = Math.max(scale, Math.abs(expected.data[i]));
    const apart = Math.abs(actual.data[i] - expected.data[i]);
    if (!(apart <= most)) most = Number.isNaN(apart) ? Infinity : apart;
  }
  return most / scale;
}

async function worstOf(folder, name) {
  const tensors = readTensors(join(folder, `${name}.safetensors`));
  const session = await ort.InferenceSession.create(join(folder, `${name}.onnx`));
  let worst = 0;
  for (const batch of [1, 3]) {
    const feeds = {};
    for (const input of session.inputNames) {
      const { type, dims, data } = tensors.get(`${batch}/${input}`);
      feeds[input] = new ort.Tensor(type, data, dims);
    }
    const results = await session.run(feeds);
    for (const output of session.outputNames)
      worst = Math.max(worst, distance(results[output], tensors.get(`${batch}/${output}`)));
  }
  return worst;
}

const folder = process.argv[2];
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.onnx'))
  .map((file) => file.slice(0, -5))
  .sort();
let wrong = 0;
for (const name of names) {
  let said;
  try {
    const worst = await worstOf(folder, name);
    if (!(worst <= tolerance)) ++wrong;
    said = `${worst <= tolerance ? 'ok   ' : 'WRONG'} ${worst.toExponential(1)}`;
  } catch (error) {
    ++wrong;
    said = `WRONG ${error.message}`;
  }
  console.log(`${name.padEnd(32)} ${said}`);
}
console.log(`${names.length} nets run by onnxruntime ${ort.env.versions.node}, ${wrong} of them wrong`);
process.exit(wrong === 0 && names.length > 0 ? 0 : 1);
