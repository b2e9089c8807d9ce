// Every op through its own samples, first and second order; and no op can be forgotten.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/gradcheck.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

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

/// What a chapter defines: structs of the final kind (which are ops), and structs with a name of
/// their own (composed functions, which have samples).
Names defined_in(const std::string& chapter) {
  const std::string code = without_comments(chapter);
  Names names = matches(code, R"(struct\s+(\w+)\s+final\b)");
  names.merge(
      matches(code, R"(struct\s+(\w+)[^;{]*\{\s*static\s+constexpr\s+std::string_view\s+name)"));
  return names;
}

/// Of `needed`, what is not in `present`, as one line.
std::string missing(const Names& needed, const Names& present) {
  std::string all;
  for (const std::string& name : needed) {
    if (present.count(name) == 0) all += " " + name;
  }
  return all;
}

Names listed_in(const std::string& list) {
  return matches(without_comments(list), R"(struct\s+(\w+)\s*[,>])");
}

}  // namespace

TEST_CASE("every op passes the gradient check through every sample, first and second order") {
  for (const OpInfo& op : all_ops()) {
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
  for (const OpInfo& op : all_ops()) {
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

TEST_CASE("every op that a chapter defines is in the list, and the list has no other") {
  const std::filesystem::path ops =
      std::filesystem::path(GRADUS_FIXTURES).parent_path().parent_path() / "autograd" / "ops";
  const Names listed = listed_in(read_text(ops / "all.cpp"));
  Names defined;
  for (const auto& file : std::filesystem::directory_iterator(ops)) {
    if (file.path().extension() == ".cpp" && file.path().filename() != "all.cpp")
      defined.merge(defined_in(read_text(file.path())));
  }
  CHECK(missing(defined, listed) == "");
  CHECK(missing(listed, defined) == "");
  CHECK(all_ops().size() == listed.size());
}

TEST_CASE("an op that is missing from the list is found, however it is written") {
  const std::string chapter = R"(
    struct Helper { int n; };
    struct Cosine final : Op {
      static constexpr std::string_view name = "cosine";
    };
    template <bool odd> struct Wave : Op { Tensor x; };
    struct Sine final : Wave<true> {};
    struct Composed {
      static constexpr std::string_view name = "composed";
    };
    // struct Commented final : Op {};
  )";
  CHECK(defined_in(chapter) == Names{"Cosine", "Sine", "Composed"});
  CHECK(listed_in("List<struct Cosine,\n // struct Sine,\n struct Composed>") ==
        Names{"Cosine", "Composed"});
  CHECK(missing(defined_in(chapter), listed_in("List<struct Cosine, struct Composed>")) == " Sine");
}
