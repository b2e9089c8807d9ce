// Exercise corr2d: the cross-correlation of one image with one kernel.
//
//   y[i,j] = Σ_{u,v} x[i+u, j+v]·k[u,v]
//
// x [h,w], k [kh,kw] -> y [h-kh+1, w-kw+1]: only places where the kernel lies inside of the image.
// x.size(0) is h; x.at<double>({i, j}) reads or writes an element; zeros({h, w}, float64) makes a tensor.
#include "judge/judges.h"

using namespace gradus;

Tensor my_corr2d(const Tensor& x, const Tensor& k) {
  return {};  // in its place: y
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_corr2d(my_corr2d, seed); }
