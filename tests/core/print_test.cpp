// Printing, against what PyTorch prints.
#include <doctest/doctest.h>

#include <sstream>
#include <string>

#include "support/fixtures.h"

using namespace gradus;

TEST_CASE("a tensor prints as it does in PyTorch") {
  for (const auto& entry : read_cases("torch_print.json")) {
    CAPTURE(entry["name"].get<std::string>());
    CHECK(to_string(read_tensor(entry["input"])) == entry["text"].get<std::string>());
  }
}

TEST_CASE("a view prints its own elements, and a stream gets the same text") {
  const Tensor x = arange(0, 6).reshape({2, 3}).transpose().slice(0, 1, 3);
  CHECK(to_string(x) == "tensor([[1., 4.],\n        [2., 5.]])");
  std::ostringstream out;
  out << x;
  CHECK(out.str() == to_string(x));
}

TEST_CASE("an undefined tensor prints as such") {
  CHECK(to_string(Tensor()) == "tensor(undefined)");
  CHECK(describe(Tensor()) == "undefined");
  CHECK(describe(ones({2, 3}, int64)) == "int64 [2,3]");
}
