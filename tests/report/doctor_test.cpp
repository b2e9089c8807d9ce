// The doctor on trainings with one planted fault each, and on healthy ones. docs/doctor.md has the score.
#include <doctest/doctest.h>
#include <gradus/core/error.h>
#include <gradus/layers/init.h>
#include <gradus/layers/models.h>

#include <map>
#include <numeric>
#include <set>

#include <support/error_message.h>
#include <support/sanitizer.h>

#include "trial.h"

using namespace gradus;

namespace {

Sequential multilayer(std::uint64_t seed) {
  Generator random(seed);
  return Sequential{Flatten{}, Linear{64, 32, {}, random}, ReLU{}, Linear{32, 32, {}, random},
                    ReLU{},    Linear{32, 10, {}, random}};
}

Sequential convolutional(std::uint64_t seed) {
  Generator random(seed);
  return make_model("cnn", {1, 8, 8, 10}, random);
}

template <class Activation> Sequential deep(int layers, std::uint64_t seed) {
  Generator random(seed);
  Sequential net{Flatten{}, Linear{64, 32, {}, random}, Activation{}};
  for (int i = 0; i < layers; ++i) {
    net.append(Linear{32, 32, {}, random});
    net.append(Activation{});
  }
  net.append(Linear{32, 10, {}, random});
  return net;
}

void scale(Tensor tensor, double factor) { tensor.copy_(core::mul(tensor, factor)); }
void fill(Tensor tensor, double value) { tensor.fill_(value); }

void fill_weights(Module& net, double value) {
  for (const auto& [name, parameter] : net.named_parameters()) fill(parameter.value(), value);
}

/// Cuts the path of the gradient, as a forgotten detach() does.
class Cut final : public Module {
 public:
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override { return x.detach(); }
};

/// Has a layer that forward forgets.
class WithUnused final : public Module {
 public:
  void visit(Visitor& v) override {
    v("used", used_);
    v("unused", unused_);
  }
  Variable forward(const Variable& x) override { return used_(x); }

 private:
  Linear used_{64, 32};
  Linear unused_{32, 32};
};

Tensor permutation(std::int64_t size, std::uint64_t seed) {
  Generator random(seed);
  return randperm(size, random);
}

void shuffle_labels(Dataset& data, std::uint64_t seed) {
  data.labels = core::index_select(data.labels, 0, permutation(data.size(), seed));
}

/// `count` images of each class, of one class another number.
Dataset few_of(const Dataset& data, std::int64_t count, std::int64_t of, std::int64_t other) {
  std::vector<std::int64_t> index;
  std::vector<std::int64_t> seen(static_cast<std::size_t>(data.classes));
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::int64_t label = data.get(i).label;
    if (seen[static_cast<std::size_t>(label)]++ < (label == of ? other : count)) index.push_back(i);
  }
  return subset(data, Tensor::from(index.data(), Shape{std::ssize(index)}));
}

using Plant = std::function<void(Trial&)>;

/// What is wrong, and the rule that shall say so.
const std::vector<std::pair<std::string, Plant>>& pathologies() {
  static const std::vector<std::pair<std::string, Plant>> all{
      {"rate-too-high", [](Trial& t) { t.lr = 30; }},
      {"rate-too-low", [](Trial& t) { t.lr = 1e-7; }},
      {"leak", [](Trial& t) { t.data.test = random_split(t.data.train, 1200, 5).test; }},
      {"labels-shuffled",
       [](Trial& t) {
         shuffle_labels(t.data.train, 3);
         t.epochs = 20;
       }},
      {"equal-units", [](Trial& t) { fill_weights(t.net, 0.05); }},
      {"no-gradient",
       [](Trial& t) {
         Generator random(4);
         t.net = Sequential{Flatten{}, Linear{64, 32, {}, random}, ReLU{}, Cut{},
                            Linear{32, 10, {}, random}};
       }},
      {"dead-units",
       [](Trial& t) {
         const NamedVariables parameters = t.net.named_parameters();
         for (std::size_t i = 0; i + 1 < parameters.size(); ++i)
           if (parameters[i].first.ends_with("bias")) fill(parameters[i].second.value(), -100);
       }},
      {"vanishing-gradients",
       [](Trial& t) {
         t.net = deep<Sigmoid>(7, 6);
         t.lr = 0.05;
       }},
      {"exploding-gradients",
       [](Trial& t) {
         t.net = deep<ReLU>(6, 6);
         for (const auto& [name, p] : t.net.named_parameters()) scale(p.value(), 8);
         t.lr = 1e-6;
       }},
      {"shrinking-weights", [](Trial& t) { t.weight_decay = 0.5; }},
      {"constant-prediction",
       [](Trial& t) {
         t.lr = 1e-5;
         t.epochs = 1;
         const Tensor bias = t.net.named_parameters().back().second.value();
         fill(bias.narrow(0, 3, 1), 60);
       }},
      {"not-normalized",
       [](Trial& t) {
         t.data.train.images = core::add(core::mul(t.data.train.images, 16.0), 100.0);
         t.data.test.images = core::add(core::mul(t.data.test.images, 16.0), 100.0);
         t.lr = 1e-4;
       }},
      {"saturated-units",
       [](Trial& t) {
         t.net = deep<Tanh>(1, 7);
         scale(t.net.named_parameters().front().second.value(), 60);
       }},
      {"unbalanced-classes", [](Trial& t) { t.data.train = few_of(t.data.train, 120, 7, 4); }},
      {"overfitting",
       [](Trial& t) {
         t.data.train = few_of(t.data.train, 8, 0, 8);
         for (std::int64_t i = 0; i < t.data.train.size(); i += 3)
           t.data.train.labels.at<std::int64_t>({i}) = i % 10;
         t.epochs = 60;
       }},
      {"still-learning",
       [](Trial& t) {
         t.lr = 0.01;
         t.epochs = 3;
       }},
  };
  return all;
}

/// The same faults, milder, and planted otherwise; no rule was made by looking at these.
const std::vector<std::pair<std::string, Plant>>& milder_pathologies() {
  static const std::vector<std::pair<std::string, Plant>> all{
      {"rate-too-high",
       [](Trial& t) {
         t.adam = true;
         t.lr = 0.5;
       }},
      {"rate-too-low",
       [](Trial& t) {
         t.adam = true;
         t.lr = 1e-7;
       }},
      {"leak",
       [](Trial& t) {  // 5% of the images to test with
         const Dataset some = random_split(t.data.train, t.data.train.size() - 18, 9).test;
         t.data.test.images = core::cat({t.data.test.images, some.images}, 0);
         t.data.test.labels = core::cat({t.data.test.labels, some.labels}, 0);
       }},
      {"labels-shuffled",
       [](Trial& t) {
         shuffle_labels(t.data.train, 8);
         t.epochs = 6;
       }},
      {"equal-units", [](Trial& t) { fill_weights(t.net, 0); }},
      {"no-gradient",
       [](Trial& t) {
         t.net = Sequential{Flatten{}, WithUnused{}, ReLU{}, Linear{32, 10}};
       }},
      {"dead-units",
       [](Trial& t) {  // a first step that is far too large
         t.net = deep<ReLU>(2, 9);
         fill(t.net.named_parameters().at(3).second.value(), -8);
       }},
      {"vanishing-gradients",
       [](Trial& t) {
         t.net = deep<Tanh>(12, 6);
         for (const auto& [name, p] : t.net.named_parameters()) scale(p.value(), 0.6);
         t.lr = 0.01;
       }},
      {"exploding-gradients",
       [](Trial& t) {
         t.net = deep<ReLU>(10, 3);
         for (const auto& [name, p] : t.net.named_parameters()) scale(p.value(), 5);
         t.lr = 1e-5;
       }},
      {"shrinking-weights", [](Trial& t) { t.weight_decay = 0.3; }},
      {"constant-prediction",
       [](Trial& t) {
         t.lr = 1e-5;
         t.epochs = 2;
         fill(t.net.named_parameters().back().second.value().narrow(0, 8, 1), 20);
       }},
      {"not-normalized",
       [](Trial& t) {
         t.data.train.images = core::mul(t.data.train.images, 255.0);
         t.data.test.images = core::mul(t.data.test.images, 255.0);
         t.lr = 1e-4;
       }},
      {"saturated-units",
       [](Trial& t) {
         t.net = deep<Sigmoid>(1, 7);
         scale(t.net.named_parameters().front().second.value(), 100);
       }},
      {"unbalanced-classes", [](Trial& t) { t.data.train = few_of(t.data.train, 130, 2, 11); }},
      {"overfitting",
       [](Trial& t) {
         t.data.train = few_of(t.data.train, 4, 0, 4);
         t.epochs = 100;
         t.batch_size = 8;
       }},
      {"still-learning",
       [](Trial& t) {
         t.adam = true;
         t.lr = 1e-3;
         t.epochs = 2;
       }},
  };
  return all;
}

std::map<std::string, Severity> found_in(Trial trial) {
  manual_seed(1);
  std::map<std::string, Severity> ids;
  for (const Finding& finding : diagnose(vitals_of(trial))) {
    CHECK(!finding.title.empty());
    CHECK(!finding.evidence.empty());
    CHECK(!finding.advice.empty());
    ids.emplace(finding.id, finding.severity);
  }
  return ids;
}

std::string words(const std::map<std::string, Severity>& found) {
  std::string text;
  for (const auto& [id, severity] : found)
    text += id + " (" + std::string(to_string(severity)) + ") ";
  return text;
}

}  // namespace

TEST_CASE("each planted pathology is found, in nets of two kinds where it can be") {
  std::set<std::string> planted;
  std::size_t turn = 0;
  for (const auto& [rule, plant] : pathologies()) {
    const std::string& id = rule;
    CAPTURE(id);
    planted.insert(id);
    for (const bool convolutions : {false, true}) {
      if (!takes_its_turn(turn++, 3, 7)) continue;
      Trial trial{.net = convolutions ? convolutional(11) : multilayer(11),
                  .lr = convolutions ? 0.03 : 0.1};
      plant(trial);
      const std::map<std::string, Severity> found = found_in(std::move(trial));
      CAPTURE(convolutions);
      MESSAGE(id << ": " << words(found));
      CHECK(found.count(id) == 1);
    }
  }
  const std::vector<std::string> rules = doctor_rules();
  CHECK(planted == std::set<std::string>(rules.begin(), rules.end()));
}

TEST_CASE("of milder ones nine in ten are found") {
  int found = 0;
  int all = 0;
  std::size_t turn = 0;
  for (const auto& [id, plant] : milder_pathologies()) {
    for (const bool convolutions : {false, true}) {
      if (!takes_its_turn(turn++, 3, 7)) continue;
      Trial trial{.net = convolutions ? convolutional(21) : multilayer(21),
                  .lr = convolutions ? 0.03 : 0.1};
      plant(trial);
      const bool hit = found_in(std::move(trial)).count(id) == 1;
      if (!hit) MESSAGE("not found: " << id << ", convolutions: " << convolutions);
      found += hit;
      ++all;
    }
  }
  MESSAGE(found << " of " << all);
  CHECK(found > 0);
  if (!under_sanitizer()) CHECK(found * 10 >= all * 9);
}

TEST_CASE("healthy trainings are left alone") {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    if (under_sanitizer() && seed > 1) continue;
    CAPTURE(seed);
    std::vector<Trial> healthy;
    healthy.push_back({.net = multilayer(seed)});
    healthy.push_back({.net = multilayer(seed), .lr = 0.01, .adam = true, .epochs = 8});
    healthy.push_back({.net = convolutional(seed), .lr = 0.05, .epochs = 8});
    healthy.push_back({.net = convolutional(seed), .lr = 0.002, .adam = true});
    healthy.push_back({.net = deep<Tanh>(2, seed), .lr = 0.05});
    healthy.push_back({.net = deep<ReLU>(4, seed), .lr = 0.003, .adam = true, .epochs = 10});
    healthy.push_back({.net = convolutional(seed), .lr = 0.05, .weight_decay = 5e-4, .epochs = 8});
    for (Trial& trial : healthy) {
      for (const auto& [rule, severity] : found_in(std::move(trial))) {
        const std::string& id = rule;
        CAPTURE(id);
        CHECK(severity == Severity::note);
      }
    }
  }
}

TEST_CASE("of nothing measured nothing is said") {
  CHECK(diagnose({}).empty());
  CHECK(diagnose({.classes = 10}).empty());
  Vitals half{.classes = 3};
  half.epochs.resize(5);
  half.step_losses = {1, 2};
  half.parameters = {{.name = "0.weight"}, {.name = "1.weight", .norm = {1, 2}}};
  half.layers = {{.path = "0", .type = "ReLU"}};
  half.confusion = {1, 2, 3};
  CHECK(diagnose(half).empty());
}

TEST_CASE("a few images to test with accuse no labels") {
  for (const std::int64_t held_out : {1, 7, 36}) {
    Vitals v{.classes = 2, .epochs = std::vector<Vitals::Epoch>(3, {0.001, 0.002, 1})};
    v.data.held_out = held_out;
    CHECK(diagnose(v).empty());
    v.epochs.back().held_out_accuracy = 0.5;
    CHECK(diagnose(v).empty());
  }
  Vitals many{.classes = 2, .epochs = std::vector<Vitals::Epoch>(3, {0.2, 0.9, 0.52})};
  many.data.held_out = 400;
  REQUIRE(diagnose(many).size() == 1);
  CHECK(diagnose(many).front().id == "labels-shuffled");
}

TEST_CASE("a class is told by its name, where it has one") {
  Vitals v{.classes = 2};
  v.confusion = {10, 0, 10, 0};
  v.data.class_counts = {5, 500};
  const auto evidence = [&] {
    std::string text;
    for (const Finding& finding : diagnose(v)) text += finding.evidence + "\n";
    return text;
  };
  CHECK(contains(evidence(), "class 0 is the answer for 100% of the images"));
  CHECK(contains(evidence(), "5 training images of class 0, 500 of class 1"));
  v.class_names = {"1", "rose"};
  CHECK(contains(evidence(), "class 1 is the answer for 100% of the images"));
  CHECK(contains(evidence(), "5 training images of class 1, 500 of class rose"));
}

TEST_CASE("a net is left as it was, and what cannot be measured is refused") {
  Sequential net = convolutional(1);
  net.train();
  const std::string before = checksum(net.state_dict());
  const std::vector<Vitals::Layer> layers = layer_vitals(net, zeros({2, 1, 8, 8}));
  CHECK(layers.size() > 1);
  CHECK(layers.front().type == "ReLU");
  CHECK(checksum(net.state_dict()) == before);
  CHECK(net.is_training());
  CHECK(!net.has_hooks());
  CHECK_THROWS_AS(layer_vitals(net, zeros({2, 3, 8, 8})), ShapeError);
  CHECK(net.is_training());
  CHECK(contains(message_of<ShapeError>([] { equal_rows(zeros({})); }), "weight has no rows"));
  CHECK(equal_rows(zeros({1, 3})) == 0);
  CHECK(equal_rows(Tensor::from({1.0F, 2, 1, 2, 3, 4}).reshape({3, 2})) ==
        doctest::Approx(2.0 / 3));
  const NamedTensors values = values_of(net);
  CHECK(contains(message_of<ValueError>([&] { movements(multilayer(1), values); }), "before it"));
  NamedTensors renamed = values;
  renamed.front().first = "x";
  CHECK(message_of<ValueError>([&] { movements(net, renamed); }) ==
        "movements: parameter 0 is 0.weight [16,1,3,3], before it was x [16,1,3,3]");
}
