// Why an algorithm computes a convolution is told in words that fit the one that is chosen.
#include <doctest/doctest.h>
#include <gradus/core/conv.h>

#include <optional>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

struct Chosen {
  Shape x, weight;
  Conv2dOptions options;
  DType dtype;
  Conv2dAlgorithm algorithm;
  std::string words;
};

/// The user's choice, until the test ends.
struct ForcedAlgorithm {
  explicit ForcedAlgorithm(Conv2dAlgorithm algorithm) { set_conv2d_algorithm(algorithm); }
  ~ForcedAlgorithm() { set_conv2d_algorithm(std::nullopt); }
};

}  // namespace

TEST_CASE("each algorithm has its reason") {
  const std::vector<Chosen> all = {
      {{4, 8, 9, 9}, {8, 8, 1, 1}, {}, float32, Conv2dAlgorithm::pointwise, "1x1 kernel makes it"},
      {{1, 64, 3, 3},
       {64, 64, 1, 1},
       {},
       float32,
       Conv2dAlgorithm::implicit_gemm,
       "a 1x1 kernel, but"},
      {{2, 4, 9, 9},
       {4, 1, 3, 3},
       {.stride = 2, .groups = 4},
       float32,
       Conv2dAlgorithm::depthwise,
       "a 3x3 filter of its own"},
      {{2, 3, 9, 9}, {4, 3, 5, 5}, {}, float32, Conv2dAlgorithm::implicit_gemm, "general way"},
      {{2, 3, 9, 9}, {4, 3, 3, 3}, {}, float32, Conv2dAlgorithm::implicit_gemm, "too few channels"},
      {{8, 64, 32, 32},
       {64, 64, 3, 3},
       {.padding = 1},
       float32,
       Conv2dAlgorithm::winograd,
       "a quarter of the products"},
      {{8, 64, 32, 32},
       {64, 64, 3, 3},
       {.padding = 1},
       float64,
       Conv2dAlgorithm::implicit_gemm,
       "rounds worse"},
      {{1, 1, 3, 3},
       {1, 1, 3, 3},
       {.padding = 1000, .dilation = 1000},
       float32,
       Conv2dAlgorithm::direct,
       "out of proportion"},
  };
  for (const Chosen& each : all) {
    CAPTURE(each.words);
    CHECK(core::conv2d_algorithm(each.x, each.weight, each.options, each.dtype) == each.algorithm);
    const std::string why(
        core::conv2d_algorithm_reason(each.x, each.weight, each.options, each.dtype));
    CAPTURE(why);
    CHECK(contains(why, each.words));
  }
}

TEST_CASE("a forced algorithm says so, unless it would be chosen anyway") {
  const ForcedAlgorithm forced(Conv2dAlgorithm::direct);
  CHECK(core::conv2d_algorithm_reason({2, 3, 9, 9}, {4, 3, 5, 5}) ==
        "forced by set_conv2d_algorithm()");
  CHECK(contains(std::string(core::conv2d_algorithm_reason({1, 1, 3, 3}, {1, 1, 3, 3},
                                                           {.padding = 1000, .dilation = 1000})),
                 "out of proportion"));
}

TEST_CASE("wrong calls are told in one line") {
  const auto reason = [](const Shape& x, const Shape& w, DType dtype) {
    return [=] { core::conv2d_algorithm_reason(x, w, {}, dtype); };
  };
  const auto told = [](const std::string& message) {
    return message.starts_with("conv2d_algorithm_reason: ");
  };
  CHECK(told(message_of(reason({2, 3, 9, 9}, {4, 2, 3, 3}, float32))));
  CHECK(told(message_of(reason({2, 3, 2, 2}, {4, 3, 3, 3}, float32))));
  CHECK(told(message_of(reason({2, 3, 9, 9}, {4, 3, 3, 3}, int64))));
}
