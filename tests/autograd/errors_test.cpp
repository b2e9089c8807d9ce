// No function is without its wrong calls; and what a refused call leaves behind.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "autograd/wrong_calls.h"

using namespace gradus;

TEST_CASE("every function has three wrong calls or more, whose messages are tested") {
  std::map<std::string, int> counts =
      counted({wrong_elementwise_calls(), wrong_shape_calls(), wrong_product_calls(),
               wrong_conv_calls(), wrong_pool_norm_calls(), wrong_loss_calls()});
  const std::filesystem::path root =
      std::filesystem::path(GRADUS_FIXTURES).parent_path().parent_path();
  const std::regex declaration(R"(\n(?:Variables?|ValuesAndIndices) (\w+)\()");
  int functions = 0;
  for (const char* path : {"autograd/functions.h", "layers/attention.h"}) {
    std::ifstream file(root / path);
    REQUIRE(file);
    const std::string header{std::istreambuf_iterator<char>(file), {}};
    for (std::sregex_iterator at(header.begin(), header.end(), declaration), end; at != end; ++at) {
      const std::string name = (*at)[1];
      CAPTURE(name);
      CHECK(counts[name] >= least_wrong_calls);
      ++functions;
    }
  }
  CHECK(functions > 150);
}

TEST_CASE("a refused batch leaves the running statistics as they were") {
  const Tensor mean = zeros({3});
  const Tensor variance = ones({3});
  CHECK_THROWS_AS(batch_norm(f32({4, 3}), {}, f64({3}), mean, variance), DTypeError);
  CHECK_THROWS_AS(batch_norm(f32({4, 3}), {}, {}, mean, f64({3})), DTypeError);
  CHECK(mean.to_vector<float>() == std::vector<float>(3, 0));
  CHECK(variance.to_vector<float>() == std::vector<float>(3, 1));
}
