// Convolution and its gradients for sample.mjs: each input number is scattered to the outputs that read it.

export const product = (sizes) => sizes.reduce((a, b) => a * b, 1);

/// Numbers in [0, 1), the same for the same seed.
export function generator(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

function outputShape([n, , h, w], [f, , kh, kw], { stride, padding, dilation }) {
  const size = (length, before, after, kernel, d, s) => Math.floor((length + before + after - (kernel - 1) * d - 1) / s) + 1;
  return [n, f, size(h, padding[0], padding[1], kh, dilation[0], stride[0]), size(w, padding[2], padding[3], kw, dilation[1], stride[1])];
}

/// Calls visit(x, w, y) with the three flat indices of every product of the convolution.
function eachProduct(xShape, wShape, options, visit) {
  const [n, c, h, w] = xShape;
  const [f, slice, kh, kw] = wShape;
  const [, , oh, ow] = outputShape(xShape, wShape, options);
  const { stride, padding, dilation, groups } = options;
  const perGroup = f / groups;
  for (let i = 0; i < n * c * h * w; ++i) {
    const [x, y, channel, sample] = [i % w, Math.floor(i / w) % h, Math.floor(i / (w * h)) % c, Math.floor(i / (w * h * c))];
    const group = Math.floor(channel / slice);
    for (let k = 0; k < kh * kw; ++k) {
      const top = y + padding[0] - Math.floor(k / kw) * dilation[0];
      const left = x + padding[2] - (k % kw) * dilation[1];
      if (top < 0 || left < 0 || top % stride[0] !== 0 || left % stride[1] !== 0) continue;
      const [oy, ox] = [top / stride[0], left / stride[1]];
      if (oy >= oh || ox >= ow) continue;
      for (let filter = group * perGroup; filter < (group + 1) * perGroup; ++filter) {
        visit(i, (filter * slice + (channel % slice)) * kh * kw + k, ((sample * f + filter) * oh + oy) * ow + ox);
      }
    }
  }
}

export function convolution(input, weight, bias, options) {
  const shape = outputShape(input.shape, weight.shape, options);
  const area = shape[2] * shape[3];
  const data = Array.from({ length: product(shape) }, (_, i) => (bias ? bias[Math.floor(i / area) % shape[1]] : 0));
  eachProduct(input.shape, weight.shape, options, (x, w, y) => (data[y] += input.data[x] * weight.data[w]));
  return { data, shape };
}

export function convolutionBackward(input, weight, dy, options) {
  const shape = outputShape(input.shape, weight.shape, options);
  const dx = Array(product(input.shape)).fill(0);
  const dw = Array(product(weight.shape)).fill(0);
  const db = Array(shape[1]).fill(0);
  eachProduct(input.shape, weight.shape, options, (x, w, y) => {
    dx[x] += dy[y] * weight.data[w];
    dw[w] += dy[y] * input.data[x];
  });
  dy.forEach((g, i) => (db[Math.floor(i / (shape[2] * shape[3])) % shape[1]] += g));
  return { dx, dw, db };
}
