// Every op through its own samples, first and second order; and no op can be forgotten.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/gradcheck/gradcheck.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include <support/sanitizer.h>

using namespace gradus;

namespace {

using Names = std::set<std::string>;

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file, "cannot read ", path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

Names matches(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  Names names;
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at)
    names.insert((*at)[1]);
  return names;
}

std::string without_comments(const std::string& text) {
  return std::regex_replace(text, std::regex("//[^\n]*"), "");
}

/// The ops that a chapter defines.
Names defined_in(const std::string& chapter) {
  return matches(without_comments(chapter),
                 R"re(static\s+constexpr\s+std::string_view\s+name\s*=\s*"(\w+)")re");
}

/// The functions that a header declares.
Names declared_in(const std::string& header) {
  return matches(without_comments(header), R"(\n(?:Variables?|ValuesAndIndices)\s+(\w+)\()");
}

/// Of `needed`, what is not in `present`, as one line.
std::string missing(const Names& needed, const Names& present) {
  std::string all;
  for (const std::string& name : needed) {
    if (present.count(name) == 0) all += " " + name;
  }
  return all;
}

}  // namespace

TEST_CASE("every op passes the gradient check through every sample, first and second order") {
  for (std::size_t i = 0; i < all_ops().size(); ++i) {
    const OpSamples& op = all_ops()[i];
    if (!takes_its_turn(i, 1, 4)) continue;
    for (const Sample& sample : op.samples()) {
      CAPTURE(op.name);
      CAPTURE(sample.description);
      const GradcheckReport first = gradcheck(sample.function, sample.inputs);
      CHECK_MESSAGE(first.passed(), first.to_string());
      const GradcheckReport second = gradgradcheck(sample.function, sample.inputs);
      // x^0 and the like have gradients without a gradient: there is nothing to confirm.
      CHECK_MESSAGE(second.verdict != Verdict::fail, second.to_string());
      CHECK_MESSAGE(second.inconclusive_count == 0, second.to_string());
    }
  }
}

TEST_CASE(
    "every op has three samples or more that compare something, each with its own description") {
  Names names;
  for (const OpSamples& op : all_ops()) {
    CAPTURE(op.name);
    CHECK(names.insert(std::string(op.name)).second);
    CHECK(op.samples().size() >= 3);
    Names descriptions;
    std::int64_t elements = 0;
    for (const Sample& sample : op.samples()) {
      CHECK(descriptions.insert(sample.description).second);
      for (const Variable& input : sample.inputs) elements += input.numel();
    }
    CHECK(elements > 0);
  }
}

TEST_CASE("every op that a chapter defines has samples, and so has nothing that is not there") {
  const std::filesystem::path autograd =
      std::filesystem::path(GRADUS_FIXTURES).parent_path().parent_path() / "autograd";
  Names listed;
  for (const OpSamples& op : all_ops()) listed.insert(std::string(op.name));
  Names defined;
  for (const auto& file : std::filesystem::directory_iterator(autograd / "ops"))
    defined.merge(defined_in(read_text(file.path())));
  CHECK(defined.size() > 50);
  CHECK(missing(defined, listed) == "");
  // What is composed of ops has no name on the tape, but a function.
  Names known = declared_in(read_text(autograd / "functions.h"));
  CHECK(known.size() > 50);
  // One function stands beside its layer.
  const Names of_layers = declared_in(read_text(autograd.parent_path() / "layers" / "attention.h"));
  CHECK(missing(of_layers, listed) == "");
  known.insert(of_layers.begin(), of_layers.end());
  known.merge(defined);
  CHECK(missing(listed, known) == "");
}

TEST_CASE("an op without samples is found, however it is written") {
  const std::string chapter = R"(
    struct Helper { int n; };
    struct Cosine final : Op {
      static constexpr std::string_view name = "cosine";
    };
    template <bool odd> struct Wave : Op { Tensor x; };
    struct Sine final : Wave<true> {  static constexpr std::string_view name="sine"; };
    // static constexpr std::string_view name = "commented";
  )";
  CHECK(defined_in(chapter) == Names{"cosine", "sine"});
  CHECK(missing(defined_in(chapter), {"cosine", "tangent"}) == " sine");
  CHECK(declared_in("\nVariable cos(const Variable&);\n// Variable tan(\n") == Names{"cos"});
}
