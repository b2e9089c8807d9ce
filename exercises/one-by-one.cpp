// Exercise one-by-one: a 1x1 convolution is a matrix product over the channels, the same at every pixel.
//
//   y[o,i,j] = Σ_c k[o,c,0,0]·x[c,i,j]
//
// x [ci,h,w], k [co,ci,1,1] -> y [co,h,w]. Write it without a loop: t.reshape({a, b}) lays the same numbers
// out anew, t.transpose() exchanges two axes, core::matmul(a, b) is [m,n]·[n,p] -> [m,p].
#include "judge/judges.h"

using namespace gradus;

Tensor my_conv_1x1(const Tensor& x, const Tensor& k) {
  return {};  // in its place: y
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_one_by_one(my_conv_1x1, seed); }
