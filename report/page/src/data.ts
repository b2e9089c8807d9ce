// What the program writes into the page (format 1): the text of the element "report". Every number a view shows comes
// from here. An array is a place in the unpacked bytes of the element "numbers" (arrays.ts); null means that it was not
// kept or not computed, and is never drawn as zero.

export interface Place {
  shape: number[];
  dtype: "float32" | "uint8" | "int64";
  at: number;
}

export type Value = number | null;

export interface Epoch {
  epoch: number;
  loss: Value;
  accuracy: Value;
  validation_loss?: Value;
  validation_accuracy?: Value;
  test_loss?: Value;
  test_accuracy?: Value;
  learning_rate: Value;
  seconds: Value;
}

export interface Step {
  step: number;
  loss: Value;
  learning_rate: Value;
}

export interface Run {
  folder: string;
  state: "finished" | "interrupted" | "diverged" | "running";
  command: string;
  caveat?: string; // what the command does not repeat; empty where it repeats all
  seed: number | string;
  checksum: string;
  settings: [string, string][];
  epochs: Epoch[];
  steps: Step[];
}

export interface Module {
  path: string;
  type: string;
  text: string;
  parent: number;
  input: number[] | null;
  output: number[] | null;
  parameters: number;
  multiplications: Value;
  additions: Value;
  backward_multiplications: Value;
  backward_additions: Value;
  kept_bytes: Value;
}

export interface Parameter {
  name: string;
  module: number;
  shape: number[];
  value: Place | null;
  gradient: Place | null;
  norm: Value;
  gradient_norm: Value;
  update_ratio: Value;
  snapshots: { epoch: number; value: Place | null }[];
  flow: { epoch: number; norm: Value; gradient_norm: Value; update_ratio: Value }[];
}

export interface Sample {
  name: string;
  label: number | null;
  predicted: number | null; // null, and no probabilities: a loss of one's own, of which labels are not known
  probabilities: Value[];
  picture: Place | null;
}

export interface Kept {
  what: string;
  shape: number[];
  bytes: number;
  why: string;
  counts: boolean; // false: a parameter or the images, which are there anyway, or counted with an earlier node
}

export interface TapeNode {
  op: string;
  role: "op" | "parameter" | "input" | "constant";
  name: string;
  module: number;
  place: string;
  inputs: number[];
  shape: number[];
  value: Place | null;
  gradient: Place | null;
  computed: boolean; // a gradient was: then a null gradient is one that was not kept
  kept: Kept[];
  forward_us: Value;
  backward_us: Value;
  multiplications: Value;
  additions: Value;
  arrivals: { from: number; gradient: Place | null }[];
}

export interface Algorithm {
  direction: "forward" | "input gradient" | "weight gradient";
  name: string;
  why: string;
  predicted_us: Value;
  measured_us: Value;
}

export interface ConvolutionData {
  node: number;
  module: number;
  name: string;
  input: Place | null;
  weight: Place | null;
  bias: Place | null;
  has_bias: boolean;
  output: Place | null;
  activation: string;
  output_gradient: Place | null;
  input_gradient: Place | null;
  weight_gradient: Place | null;
  bias_gradient: Place | null;
  stride: [number, number];
  padding: [number, number, number, number]; // top, bottom, left, right
  dilation: [number, number];
  groups: number;
  algorithms: Algorithm[];
}

export interface Histogram {
  low: Value;
  high: Value;
  counts: number[];
}

export interface Activity {
  module: number;
  mean: Value;
  deviation: Value;
  dead: Value;
  histogram: Histogram;
  gradient: { mean: Value; deviation: Value; histogram: Histogram } | null;
}

export interface Finding {
  id: string;
  severity: "bad" | "warning" | "note";
  where: string;
  title: string;
  evidence: string;
  advice: string;
}

export interface GradcheckEntry {
  verdict: string;
  input: string;
  index?: number[];
  direction?: number;
  analytic: Value;
  numeric: Value;
  bound: Value;
  absolute_error: Value;
  relative_error: Value;
}

export interface Gradcheck {
  subject: string;
  order: number;
  verdict: string;
  elements: number;
  directions: number;
  pass: number;
  kink: number;
  inconclusive: number;
  fail: number;
  worst_relative_error: Value;
  diagnoses: { pattern: string; certainty: string; input: string; text: string }[];
  notes: string[];
  not_exercised: string[];
  stopped: boolean;
  worst: GradcheckEntry[];
  inputs: { name: string; shape: number[]; connected: boolean }[];
  sweep: { h: Value; left: Value; right: Value; central: Value; rounding: Value }[];
  parameters?: number;
  taylor?: { verdict: string; orders: Value[] };
  seconds?: Value;
}

export interface Worst {
  index: number;
  label: number;
  predicted: number;
  probability: Value;
  sample: number | null;
  picture: Place | null;
}

export interface Report {
  format: number;
  gradus: string;
  title: string;
  created: string;
  classes: string[];
  run: Run | null;
  modules: Module[];
  parameters: Parameter[];
  samples: Sample[];
  nodes: TapeNode[];
  backward: number[];
  loss: number;
  convolutions: ConvolutionData[];
  activity: Activity[];
  doctor: Finding[];
  gradcheck: Gradcheck | null;
  confusion: { counts: number[][] } | null;
  worst: Worst[];
}

export const className = (report: Report, index: number | null): string =>
  index === null ? "no label" : (report.classes[index] ?? String(index));

export const moduleName = (report: Report, index: number): string => {
  const module = report.modules[index];
  if (!module) return "";
  return module.path === "" ? `the net (${module.type})` : module.path;
};
