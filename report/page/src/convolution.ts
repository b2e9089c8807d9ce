// The arithmetic of the stepper, in double, and nothing else that the page computes: the products of a window with its
// kernel, and the contributions that make up a gradient. Each sum stands beside the number that the program stored.
//   y[n,f,oy,ox] = b[f] + Σ x[n,c,iy,ix]·w[f,c,ky,kx]     with iy = oy·stride + ky·dilation - padding, and ix likewise
//   dL/dw[f,c,ky,kx] = Σ dL/dy[n,f,oy,ox]·x[n,c,iy,ix]    over n, oy, ox
//   dL/dx[n,c,iy,ix] = Σ dL/dy[n,f,oy,ox]·w[f,c,ky,kx]    over f, ky, kx for which oy and ox are whole and inside
import { numbers, type Numbers } from "./arrays";
import type { ConvolutionData, Place } from "./data";

export interface ChannelProducts {
  channel: number; // of the input
  window: number[]; // kernel height × kernel width, zero in the padding
  inside: boolean[]; // false: padding
  kernel: number[];
  products: number[];
  sum: number;
}

export interface Output {
  channels: ChannelProducts[];
  bias: number | null;
  sum: number;
  stored: number | null;
}

/// One product of a gradient's sum: the gradient of output (n, f, oy, ox) times what stood on the other side.
export interface Contribution {
  n: number;
  f: number;
  oy: number;
  ox: number;
  ky: number;
  kx: number;
  iy: number;
  ix: number;
  gradient: number;
  factor: number; // the input, or the weight
  product: number;
}

export interface Gradient {
  contributions: Contribution[];
  sum: number;
  stored: number | null;
}

const read = (place: Place | null): Numbers | null => (place === null ? null : numbers(place));

export class Convolution {
  readonly batch: number;
  readonly inputs: number; // channels
  readonly height: number;
  readonly width: number;
  readonly filters: number; // output channels
  readonly slice: number; // input channels of a group
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly input: Numbers | null;
  readonly weight: Numbers | null;
  readonly bias: Numbers | null;
  readonly output: Numbers | null;
  readonly outputGradient: Numbers | null;
  readonly inputGradient: Numbers | null;
  readonly weightGradient: Numbers | null;

  constructor(readonly data: ConvolutionData) {
    const inputShape = data.input?.shape ?? data.input_gradient?.shape ?? [0, 0, 0, 0];
    const outputShape = data.output?.shape ?? data.output_gradient?.shape ?? [0, 0, 0, 0];
    const weightShape = data.weight?.shape ?? data.weight_gradient?.shape ?? [0, 0, 0, 0];
    [this.batch, this.inputs, this.height, this.width] = inputShape;
    [, , this.outHeight, this.outWidth] = outputShape;
    [this.filters, this.slice, this.kernelHeight, this.kernelWidth] = weightShape;
    this.input = read(data.input);
    this.weight = read(data.weight);
    this.bias = read(data.bias);
    this.output = read(data.output);
    this.outputGradient = read(data.output_gradient);
    this.inputGradient = read(data.input_gradient);
    this.weightGradient = read(data.weight_gradient);
  }

  /// Why a gradient is not there.
  absence(direction: "input gradient" | "weight gradient"): string {
    return this.data.algorithms.some((algorithm) => algorithm.direction === direction) ? "not kept" : "not computed";
  }

  get isPointwise(): boolean {
    return this.kernelHeight === 1 && this.kernelWidth === 1;
  }

  inputIndex = (n: number, c: number, y: number, x: number): number => ((n * this.inputs + c) * this.height + y) * this.width + x;
  outputIndex = (n: number, f: number, y: number, x: number): number =>
    ((n * this.filters + f) * this.outHeight + y) * this.outWidth + x;
  weightIndex = (f: number, c: number, ky: number, kx: number): number =>
    ((f * this.slice + c) * this.kernelHeight + ky) * this.kernelWidth + kx;

  /// The first input channel that output channel f reads.
  firstChannel(f: number): number {
    return Math.floor(f / (this.filters / this.data.groups)) * this.slice;
  }

  inputRow = (oy: number, ky: number): number => oy * this.data.stride[0] + ky * this.data.dilation[0] - this.data.padding[0];
  inputColumn = (ox: number, kx: number): number => ox * this.data.stride[1] + kx * this.data.dilation[1] - this.data.padding[2];
  isInside = (y: number, x: number): boolean => y >= 0 && y < this.height && x >= 0 && x < this.width;

  products(n: number, f: number, oy: number, ox: number): Output | null {
    const { input, weight } = this;
    if (!input || !weight || (this.data.has_bias && !this.bias)) return null;
    const channels: ChannelProducts[] = [];
    for (let c = 0; c < this.slice; ++c) {
      const channel = this.firstChannel(f) + c;
      const part: ChannelProducts = { channel, window: [], inside: [], kernel: [], products: [], sum: 0 };
      for (let ky = 0; ky < this.kernelHeight; ++ky) {
        for (let kx = 0; kx < this.kernelWidth; ++kx) {
          const iy = this.inputRow(oy, ky);
          const ix = this.inputColumn(ox, kx);
          const inside = this.isInside(iy, ix);
          const x = inside ? input[this.inputIndex(n, channel, iy, ix)] : 0;
          const w = weight[this.weightIndex(f, c, ky, kx)];
          part.window.push(x);
          part.inside.push(inside);
          part.kernel.push(w);
          part.products.push(x * w);
          part.sum += x * w;
        }
      }
      channels.push(part);
    }
    const bias = this.bias ? this.bias[f] : null;
    const sum = channels.reduce((total, part) => total + part.sum, 0) + (bias ?? 0);
    return { channels, bias, sum, stored: this.output ? this.output[this.outputIndex(n, f, oy, ox)] : null };
  }

  /// c counts within the group, as the weight's second axis does. Places in the padding contribute nothing and are left out.
  ofWeight(f: number, c: number, ky: number, kx: number): Gradient | null {
    const { input, outputGradient } = this;
    if (!input || !outputGradient) return null;
    const contributions: Contribution[] = [];
    const channel = this.firstChannel(f) + c;
    let sum = 0;
    for (let n = 0; n < this.batch; ++n) {
      for (let oy = 0; oy < this.outHeight; ++oy) {
        for (let ox = 0; ox < this.outWidth; ++ox) {
          const iy = this.inputRow(oy, ky);
          const ix = this.inputColumn(ox, kx);
          if (!this.isInside(iy, ix)) continue;
          const gradient = outputGradient[this.outputIndex(n, f, oy, ox)];
          const factor = input[this.inputIndex(n, channel, iy, ix)];
          const product = gradient * factor;
          contributions.push({ n, f, oy, ox, ky, kx, iy, ix, gradient, factor, product });
          sum += product;
        }
      }
    }
    return { contributions, sum, stored: this.weightGradient ? this.weightGradient[this.weightIndex(f, c, ky, kx)] : null };
  }

  /// c is a channel of the whole input.
  ofInput(n: number, c: number, iy: number, ix: number): Gradient | null {
    const { weight, outputGradient } = this;
    if (!weight || !outputGradient) return null;
    const [strideY, strideX] = this.data.stride;
    const contributions: Contribution[] = [];
    const group = Math.floor(c / this.slice);
    const filtersOfGroup = this.filters / this.data.groups;
    let sum = 0;
    for (let f = group * filtersOfGroup; f < (group + 1) * filtersOfGroup; ++f) {
      for (let ky = 0; ky < this.kernelHeight; ++ky) {
        for (let kx = 0; kx < this.kernelWidth; ++kx) {
          const oy = (iy - this.inputRow(0, ky)) / strideY;
          const ox = (ix - this.inputColumn(0, kx)) / strideX;
          if (!Number.isInteger(oy) || !Number.isInteger(ox)) continue;
          if (oy < 0 || oy >= this.outHeight || ox < 0 || ox >= this.outWidth) continue;
          const gradient = outputGradient[this.outputIndex(n, f, oy, ox)];
          const factor = weight[this.weightIndex(f, c - group * this.slice, ky, kx)];
          const product = gradient * factor;
          contributions.push({ n, f, oy, ox, ky, kx, iy, ix, gradient, factor, product });
          sum += product;
        }
      }
    }
    return { contributions, sum, stored: this.inputGradient ? this.inputGradient[this.inputIndex(n, c, iy, ix)] : null };
  }
}
