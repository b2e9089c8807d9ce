// Convolutions, as PyTorch computes them.
#include "support/parity.h"

using namespace gradus;
using parity::Options;

namespace {

Conv2dOptions conv2d_options(const Options& o) {
  return {.stride = parity::pair_of(o, "stride", 1),
          .padding = parity::pair_of(o, "padding", 0),
          .dilation = parity::pair_of(o, "dilation", 1),
          .groups = o.value("groups", std::int64_t{1})};
}

}  // namespace

TEST_CASE("convolutions give PyTorch's values and gradients") {
  parity::check("conv", {
                            {"conv2d",
                             [](const Variables& x, const Options& o) -> Variables {
                               return {conv2d(x[0], x[1], x[2], conv2d_options(o))};
                             }},
                        });
}
