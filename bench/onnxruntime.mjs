// A workload of inference with onnxruntime, in turns as measure.h has them: what bench_gradus --export wrote into FOLDER is
// run, a turn for each line of standard input, and each turn ends with a line of JSON.
//   node onnxruntime.mjs FOLDER --threads N --seconds S
// The package is that of tests/onnx, which ./run test-onnx fetches.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(new URL('../tests/onnx/', import.meta.url));
const ort = require('onnxruntime-node');

const [folder, ...options] = process.argv.slice(2);
const option = (name, otherwise) => {
  const at = options.indexOf(name);
  return at < 0 ? otherwise : Number(options[at + 1]);
};
const threads = option('--threads', 1);
const seconds = option('--seconds', 0.5);

/** As uniform() of measure.h. */
function uniform(stream, i) {
  const mask = (1n << 64n) - 1n;
  let z = ((BigInt(stream) << 32n) + (BigInt(i) + 1n) * 0x9e3779b97f4a7c15n) & mask;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
  return Number((z ^ (z >> 31n)) >> 40n) / 16777216;
}

function digest(values) {
  let sum = 0;
  for (let i = 0; i < values.length; ++i) sum += Math.abs(values[i]) * uniform(0, i);
  return sum;
}

const workload = JSON.parse(readFileSync(`${folder}/workload.json`, 'utf8'));
const pixels = readFileSync(`${folder}/images.f32`);
const count = workload.shape.reduce((product, size) => product * size, 1);
const batches = Array.from({ length: workload.batches }, (_, b) => {
  const begin = pixels.byteOffset + 4 * b * count;
  return new ort.Tensor('float32', new Float32Array(pixels.buffer.slice(begin, begin + 4 * count)), workload.shape);
});
const session = await ort.InferenceSession.create(`${folder}/net.onnx`, {
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
});

let taken = 0;
async function step(results) {
  const output = await session.run({ images: batches[taken++ % batches.length] });
  if (results) results.push(digest(output.logits.data));
}
async function stepFor(wanted, fewest) {
  const end = performance.now() + wanted * 1e3;
  for (let i = 0; i < fewest || performance.now() < end; ++i) await step();
}
/** In MiB, as peak_rss() of measure.h. */
function peakRss() {
  const line = /^VmHWM:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return line ? Number(line[1]) / 1024 : 0;
}

const results = [];
for await (const _ of createInterface({ input: process.stdin })) {
  if (results.length === 0) {
    for (let i = 0; i < workload.compared_steps; ++i) await step(results);
    await stepFor(workload.warm_seconds, 1);
  }
  await stepFor(workload.turn_warm_seconds, 1);
  const ms = [];
  const begin = performance.now();
  for (let start = begin; ; ) {
    await step();
    const end = performance.now();
    ms.push(end - start);
    start = end;
    if (ms.length >= workload.fewest_steps && end - begin >= seconds * 1e3) break;
  }
  const sorted = [...ms].sort((a, b) => a - b);
  console.log(
    JSON.stringify({
      program: 'onnxruntime',
      workload: workload.workload,
      kind: workload.kind,
      threads,
      flops: workload.flops,
      steps: ms.length,
      median_ms: sorted[Math.floor(sorted.length / 2)],
      allocations: -1,
      peak_rss_mb: peakRss(),
      results,
      ms,
    }),
  );
}
