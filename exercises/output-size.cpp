// Exercise output-size: how large is the output of a convolution?
//
// input {h, w}, kernel {kh, kw} -> {oh, ow}. options.padding is on both sides, options.stride is the distance
// of two windows, options.dilation that of two taps of the kernel; each is a Pair with height and width.
// A window that does not fit is no window.
#include "judge/judges.h"

using namespace gradus;

Pair my_output_size(Pair input, Pair kernel, const Conv2dOptions& options) {
  return {0, 0};  // in its place: {oh, ow}
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_output_size(my_output_size, seed); }
