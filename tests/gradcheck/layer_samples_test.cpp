// Every layer is gradient-checked through its own samples, and no layer is forgotten.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/gradcheck.h>
#include <gradus/gradcheck/layers.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/sequential.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>

using namespace gradus;

TEST_CASE("every layer passes the gradient check, first and second order, input and parameters") {
  for (const LayerSamples& layer : all_layers()) {
    for (const LayerSample& sample : layer.samples()) {
      CAPTURE(layer.name);
      CAPTURE(sample.description);
      CHECK(sample.names.size() == sample.inputs.size());
      const GradcheckReport first = gradcheck(sample.function, sample.inputs);
      CHECK_MESSAGE(first.passed(), first.to_string());
      CHECK(first.elements > 0);
      const GradcheckReport second = gradgradcheck(sample.function, sample.inputs);
      CHECK_MESSAGE(second.passed(), second.to_string());
    }
  }
}

TEST_CASE("every layer has two samples or more, each with its own description") {
  for (const LayerSamples& layer : all_layers()) {
    CAPTURE(layer.name);
    std::set<std::string> descriptions;
    for (const LayerSample& sample : layer.samples()) descriptions.insert(sample.description);
    CHECK(descriptions.size() >= 2);
    CHECK(descriptions.size() == layer.samples().size());
  }
}

TEST_CASE("a sample gives the same value each time it is called") {
  for (const LayerSamples& layer : all_layers()) {
    for (const LayerSample& sample : layer.samples()) {
      CAPTURE(layer.name);
      CHECK(core::equal(sample.function(sample.inputs).value(),
                        sample.function(sample.inputs).value()));
    }
  }
}

TEST_CASE("a sample differentiates each parameter, under its name") {
  const auto make = [] {
    Generator generator(1);
    return Sequential{Linear{2, 3, {}, generator}, Linear{3, 2, {.bias = false}, generator}};
  };
  const LayerSample sample = module_sample("two", make, ones({1, 2}, float64));
  CHECK(sample.names == std::vector<std::string>{"x", "0.weight", "0.bias", "1.weight"});
  const Variables gradients = grad({sum(sample.function(sample.inputs))}, sample.inputs);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    CHECK(gradients[i].shape() == sample.inputs[i].shape());
    CHECK(core::max(core::abs(gradients[i].value())).item() > 0);
  }
  CHECK_THROWS_AS(module_sample("float32", make, ones({1, 2})), DTypeError);
}

TEST_CASE("a parameter in two places is one input of a sample") {
  struct Tied : Module {
    Linear a, b;
    explicit Tied(Generator& g) : a(2, 2, {.bias = false}, g), b(2, 2, {.bias = false}, g) {
      b.weight = a.weight;
    }
    void visit(Visitor& v) override {
      v("a", a);
      v("b", b);
    }
    Variable forward(const Variable& x) override { return b(tanh(a(x))); }
  };
  Generator random(2);
  const LayerSample sample = module_sample(
      "tied",
      [] {
        Generator generator(1);
        return Tied(generator);
      },
      randn({3, 2}, random, float64));
  CHECK(sample.inputs.size() == 2);
  const GradcheckReport report = gradcheck(sample.function, sample.inputs);
  CHECK_MESSAGE(report.passed(), report.to_string());
}

TEST_CASE("spaced numbers keep their distance from each other and from 0") {
  Generator generator(1);
  const std::vector<double> values = spaced({7, 3}, generator).to_vector<double>();
  const std::set<double> sorted(values.begin(), values.end());
  CHECK(sorted.size() == 21);
  for (auto it = sorted.begin(); std::next(it) != sorted.end(); ++it) {
    CHECK(*std::next(it) - *it > 0.0999);
  }
  for (const double value : values) CHECK(std::abs(value) > 0.0499);
}

TEST_CASE("every class of layers/*.h that is a Module is in the list of all layers") {
  std::set<std::string> listed;
  for (const LayerSamples& layer : all_layers()) listed.insert(std::string(layer.name));
  std::map<std::string, std::string> base_of;
  const std::regex declaration(R"(^(?:class|struct) (\w+)(?: final)? : (?:public )?(\w+) \{)");
  const std::filesystem::path layers =
      std::filesystem::path(GRADUS_FIXTURES) / ".." / ".." / "layers";
  for (const auto& entry : std::filesystem::directory_iterator(layers)) {
    if (entry.path().extension() != ".h") continue;
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      std::smatch found;
      if (std::regex_search(line, found, declaration)) base_of[found[1]] = found[2];
    }
  }
  std::set<std::string> bases{"MultiModule"};  // for modules of the user's
  for (const auto& [name, base] : base_of) bases.insert(base);
  std::set<std::string> written;
  for (const auto& [name, base] : base_of) {
    std::string root = base;
    while (base_of.contains(root)) root = base_of[root];
    if (root == "Module" && !bases.contains(name)) written.insert(name);
  }
  CHECK(written.size() >= 40);
  CHECK(bases.contains("ChannelNorm"));
  CHECK(written == listed);
}
