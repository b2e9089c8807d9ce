// A program may set a locale with commas for points and dots between thousands: what Gradus says is the
// same, byte for byte.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/core/tensor.h>

#include <locale>
#include <sstream>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

/// As in de_DE, which need not be installed.
struct Commas final : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

std::vector<std::string> what_is_said() {
  std::vector<std::string> lines;
  std::ostringstream out;  // of the user, in the user's locale
  out << Shape{1234567, 8} << " " << Tensor::from({1234.5, -0.25}) << " " << float32;
  lines.push_back(out.str());
  lines.push_back(to_string(Tensor::from({123456, 7})));
  lines.push_back(describe(zeros({12345, 2})));
  lines.push_back(message_of<ShapeError>([] { core::add(ones({1234}), ones({5678})); }));
  lines.push_back(message_of<DTypeError>([] { Tensor::from({1}).fill_(1234.5); }));
  return lines;
}

}  // namespace

TEST_CASE("texts are the same in every locale") {
  const std::vector<std::string> plain = what_is_said();
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Commas));
  const std::vector<std::string> with_commas = what_is_said();
  std::locale::global(before);
  CHECK(plain == with_commas);
}
