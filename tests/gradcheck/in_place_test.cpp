// Every call that writes in place, against everything that every op may have kept for backward: the
// gradient is right, or backward says who kept what and who wrote there. Made from the list of ops and
// the list of calls below, in both dtypes.
#include <doctest/doctest.h>
#include <gradus/autograd/engine.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/norm.h>
#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/sample.h>
#include <gradus/layers/init.h>
#include <gradus/layers/module.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/sgd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/custom_op.h"
#include "support/error_message.h"
#include "support/sanitizer.h"

using namespace gradus;

namespace {

/// A call that writes into a Variable; false where it does not take this one.
struct Write {
  const char* name;    // of the call
  const char* writer;  // as the error names it
  std::function<bool(const Variable& target)> call;
};

Generator& numbers() {
  static Generator generator(7);
  return generator;
}

Tensor noise_like(const Tensor& x) { return rand(x.shape(), numbers(), float64).to(x.dtype()); }

struct Holder final : Module {
  Variable held;
  void visit(Visitor& visitor) override { visitor("held", held); }
  Variable forward(const Variable& x) override { return x; }
};

bool is_parameter(const Variable& target) {
  return target.is_leaf() && target.requires_grad() && is_floating(target.dtype());
}

template <class Optimizer> bool step(const Variable& target) {
  if (!is_parameter(target) || target.numel() == 0) return false;
  target.set_grad(ones_like(target.value()));
  Optimizer optimizer({target}, {.lr = 0.5});
  optimizer.step();
  target.zero_grad();
  return true;
}

bool floating(const Variable& target) { return is_floating(target.dtype()); }

const std::vector<Write>& writes() {
  static const std::vector<Write> all = {
      {"copy_", "copy_",
       [](const Variable& t) { return t.value().copy_(noise_like(t.value())), true; }},
      {"fill_", "fill_", [](const Variable& t) { return t.value().fill_(1), true; }},
      {"fill_ of a slice", "fill_",
       [](const Variable& t) {
         if (t.rank() == 0 || t.size(0) == 0) return false;
         t.value().narrow(0, 0, 1).fill_(1);
         return true;
       }},
      {"copy_ through a transposed view", "copy_",
       [](const Variable& t) {
         if (t.rank() < 2) return false;
         const Tensor view = t.value().transpose(0, 1);
         view.copy_(noise_like(view));
         return true;
       }},
      {"fill_ of a detached one", "fill_",
       [](const Variable& t) { return t.detach().value().fill_(1), true; }},
      {"add_", "add_",
       [](const Variable& t) {
         if (!floating(t)) return false;
         core::add_(t.value(), noise_like(t.value()), 0.5);
         return true;
       }},
      {"mul_", "mul_",
       [](const Variable& t) {
         if (!floating(t)) return false;
         core::mul_(t.value(), 0.5);
         return true;
       }},
      {"relu_grad_", "relu_grad_",
       [](const Variable& t) {
         if (!floating(t)) return false;
         core::relu_grad_(t.value(), zeros_like(t.value()));
         return true;
       }},
      {"channel_input_grad_", "channel_input_grad_",
       [](const Variable& t) {
         if (!floating(t) || t.rank() < 2 || !t.value().is_contiguous()) return false;
         const Tensor some = rand({t.size(1)}, numbers(), float64).to(t.dtype());
         core::channel_input_grad_(t.value(), noise_like(t.value()), {.mean = some, .scale = some},
                                   some, some);
         return true;
       }},
      {"init::uniform_", "uniform_",
       [](const Variable& t) { return floating(t) && (init::uniform_(t.value(), 0, 1), true); }},
      {"init::normal_", "normal_",
       [](const Variable& t) { return floating(t) && (init::normal_(t.value(), 0, 1), true); }},
      {"init::constant_", "fill_",
       [](const Variable& t) { return floating(t) && (init::constant_(t.value(), 1), true); }},
      {"set_value", "set_value",
       [](const Variable& t) {
         if (!t.is_leaf()) return false;
         t.set_value(noise_like(t.value()));
         return true;
       }},
      {"SGD::step", "an optimizer's step", step<SGD>},
      {"Adam::step", "an optimizer's step", step<Adam>},
      {"load_state_dict", "load_state_dict",
       [](const Variable& t) {
         if (!is_parameter(t)) return false;
         Holder module;
         module.held = t;
         module.load_state_dict({{"held", noise_like(t.value())}});
         return true;
       }},
      {"batch_norm in training", "batch_norm's running statistics",
       [](const Variable& t) {
         if (!floating(t) || t.rank() != 1 || t.size(0) == 0) return false;
         const Tensor x = rand({4, t.size(0)}, numbers(), float64).to(t.dtype());
         batch_norm(x, {}, {}, t.value(), {}, {.training = true});
         return true;
       }},
  };
  return all;
}

/// A sample's inputs once more, in a dtype.
Variables fresh(const Sample& sample, DType dtype) {
  Variables all;
  for (const Variable& input : sample.inputs) {
    const Tensor& x = input.value();
    all.push_back(is_floating(x.dtype())
                      ? Variable(copy_with_layout(x, dtype), input.requires_grad())
                      : Variable(x.clone()));
  }
  return all;
}

Variables differentiable(const Variables& inputs) {
  Variables some;
  for (const Variable& input : inputs) {
    if (input.requires_grad()) some.push_back(input);
  }
  return some;
}

std::vector<Tensor> gradients(const Variable& output, const Variables& inputs) {
  Variables found =
      grad({output}, differentiable(inputs), {ones_like(output.value())}, {.allow_unused = true});
  std::vector<Tensor> numbers;
  for (const Variable& g : found) numbers.push_back(g.defined() ? g.value().clone() : Tensor());
  return numbers;
}

/// The same numbers; a NaN is any NaN.
bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].defined() != b[i].defined()) return false;
    if (!a[i].defined()) continue;
    const std::vector<double> x = a[i].to(float64).to_vector<double>();
    const std::vector<double> y = b[i].to(float64).to_vector<double>();
    const auto equal = [](double p, double q) { return p == q || (p != p && q != q); };
    if (!std::equal(x.begin(), x.end(), y.begin(), y.end(), equal)) return false;
  }
  return true;
}

bool repeats_elements(const Tensor& x) {
  for (int d = 0; d < x.rank(); ++d) {
    if (x.strides()[d] == 0 && x.size(d) > 1) return true;
  }
  return false;
}

/// What happened, of all cases.
struct Count {
  int right = 0;
  int refused = 0;
};

/// Writes into input number `target` (or the output: -1) between forward and backward.
void write_between(const OpSamples& op, const Sample& sample, DType dtype, const Write& write,
                   int target, Count& count) {
  const Variables untouched = fresh(sample, dtype);
  const std::vector<Tensor> expected = gradients(sample.function(untouched), untouched);
  const Variables inputs = fresh(sample, dtype);
  const Variable output = sample.function(inputs);
  const Variable& written = target < 0 ? output : inputs[static_cast<std::size_t>(target)];
  if (repeats_elements(written.value())) return;
  if (!write.call(written)) return;
  CAPTURE(op.name);
  CAPTURE(sample.description);
  CAPTURE(std::string(to_string(dtype)));
  CAPTURE(write.name);
  CAPTURE(target);
  try {
    const std::vector<Tensor> got = gradients(output, inputs);
    CHECK(same(got, expected));
    ++count.right;
  } catch (const GradError& error) {
    const std::string message = error.what();
    CAPTURE(message);
    CHECK(message.find(" kept its ") != std::string::npos);
    CHECK(message.find(std::string(write.writer) + " has written there since (version ") !=
          std::string::npos);
    ++count.refused;
  }
}

template <class F> void for_each_sample(const F& f) {
  for (const OpSamples& op : all_ops()) {
    for (const Sample& sample : op.samples()) {
      for (const DType dtype : {float64, float32}) f(op, sample, dtype);
    }
  }
}

/// The sizes that train, in the dtype that trains: other kernels, other things to keep. Under sanitizers those of some ops:
/// the float32 proof has the others.
template <class F> void for_each_training_sample(const F& f) {
  for (std::size_t i = 0; i < all_ops().size(); ++i) {
    const OpSamples& op = all_ops()[i];
    if (op.training_samples == nullptr || !takes_its_turn(i, 4, 8)) continue;
    for (const Sample& sample : op.training_samples()) f(op, sample, float32);
  }
}

}  // namespace

TEST_CASE("each call that writes in place, between forward and backward of each op") {
  std::map<std::string, Count> counts;  // by call
  for_each_sample([&](const OpSamples& op, const Sample& sample, DType dtype) {
    if (sample.inputs.size() > 4) return;  // lists repeat themselves
    for (const Write& write : writes()) {
      for (int target = -1; target < static_cast<int>(sample.inputs.size()); ++target)
        write_between(op, sample, dtype, write, target, counts[write.name]);
    }
  });
  for (const auto& each : counts) {
    CAPTURE(each.first);
    CHECK(each.second.refused > 0);
    CHECK(each.second.right > 0);  // add, for one, keeps nothing: a write does no harm
  }
}

TEST_CASE("a write between forward and backward of each op, in the sizes that train") {
  const auto fill = std::find_if(writes().begin(), writes().end(), [](const Write& write) {
    return std::string_view(write.name) == "fill_";
  });
  Count count;
  for_each_training_sample([&](const OpSamples& op, const Sample& sample, DType dtype) {
    for (int target = -1; target < static_cast<int>(sample.inputs.size()); ++target)
      write_between(op, sample, dtype, *fill, target, count);
  });
  const int least = under_sanitizer() ? 50 : 500;
  CHECK(count.refused > least);
  CHECK(count.right > least);
}

TEST_CASE("whatever an op kept, a write to it is refused and named") {
  std::map<std::string, std::set<std::string>> kept;  // by op
  for_each_sample([&](const OpSamples&, const Sample& sample, DType dtype) {
    const Variables inputs = fresh(sample, dtype);
    const Variable output = sample.function(inputs);
    for (Node* node : nodes_of(output)) {
      for (const KeptNumbers& numbers_of : node->kept) {
        const std::string what = numbers_of.what == nullptr
                                     ? "input " + std::to_string(numbers_of.input)
                                     : std::string(numbers_of.what);
        kept[std::string(node->name)].insert(what);
        numbers_of.numbers.storage().count_write("somebody");
        const Variable seed = zeros(node->shape, node->dtype);
        const std::string message = message_of<GradError>([&] { node->backward(seed); });
        CHECK(contains(message, "backward: " + std::string(node->name) + " kept its "));
        CHECK(contains(message, "somebody has written there since"));
        break;  // the first one is the one that is named
      }
    }
  });
  CHECK(kept.size() >= 35);
  CHECK(kept["cross_entropy"].contains("labels"));
  CHECK(kept["where"].contains("condition"));
  for (const char* op : {"gather", "index_select", "scatter_add", "index_add"}) {
    CAPTURE(op);
    CHECK(kept[op].contains("index"));
  }
  for (const char* op : {"max_pool2d_scatter", "max_pool2d_gather"}) {
    CAPTURE(op);
    CHECK(kept[op].contains("choices"));
  }
  CHECK(kept["relu_grad"].contains("relu's output"));
  CHECK(kept["tanh"].contains("output"));
  CHECK(!kept.contains("sub"));
  CHECK(!kept.contains("reshape"));
}

TEST_CASE("the numbers behind a backward that is right do not depend on what nobody kept") {
  // What is not noted as kept must not be read: written over by a pointer, which no version sees,
  // it changes nothing.
  int overwritten = 0;
  const auto overwrite_the_rest = [&](const OpSamples& op, const Sample& sample, DType dtype) {
    const Variables untouched = fresh(sample, dtype);
    const std::vector<Tensor> expected = gradients(sample.function(untouched), untouched);
    const Variables inputs = fresh(sample, dtype);
    const Variable output = sample.function(inputs);
    std::vector<Storage> kept;
    for (const Node* node : nodes_of(output)) {
      for (const KeptNumbers& numbers_of : node->kept) kept.push_back(numbers_of.numbers.storage());
    }
    Variables all = inputs;
    all.push_back(output);
    for (const Variable& each : all) {
      const Storage& storage = each.value().storage();
      if (std::find(kept.begin(), kept.end(), storage) != kept.end()) continue;
      std::fill_n(storage.data(), storage.bytes(), std::byte{0x11});
      ++overwritten;
    }
    CAPTURE(op.name);
    CAPTURE(sample.description);
    CAPTURE(std::string(to_string(dtype)));
    CHECK(same(gradients(output, inputs), expected));
  };
  for_each_sample(overwrite_the_rest);
  CHECK(overwritten > 500);
  const int small = overwritten;
  for_each_training_sample(overwrite_the_rest);
  CHECK(overwritten > small + (under_sanitizer() ? 50 : 500));
}

TEST_CASE("labels, an index, a condition: what is no input, written over") {
  const Variable x(ones({2, 3}), true);
  const Tensor labels = Tensor::from({0, 1});
  const Tensor condition = core::ge(ones({2, 3}), 0);
  const auto refuses = [&](const Variable& y, const Tensor& written, const std::string& what) {
    written.fill_(0);
    const std::string message = message_of<GradError>([&] { sum(y).backward(); });
    CHECK(contains(message, " kept its " + what + " for the derivative at version "));
    CHECK(contains(message, ", and fill_ has written there since (version "));
  };
  refuses(cross_entropy(x, labels), labels, "labels");
  refuses(nll_loss(x, labels), labels, "index");
  refuses(index_select(x, 0, labels), labels, "index");
  refuses(gather(x, 1, labels.unsqueeze(1)), labels, "index");
  refuses(index_add({4, 3}, 0, labels, x), labels, "index");
  const Tensor places = zeros({2, 3}, int64);
  refuses(scatter_add({2, 3}, 1, places, x), places, "index");
  refuses(where(condition, x, 0.0 * x), condition, "condition");
}

TEST_CASE("an op of one's own need not say what it keeps") {
  const Variable x(Tensor::from({1.0, 2.0}, float64), true);
  const auto square = [](const Variables& v) { return core::mul(v[0].value(), v[0].value()); };
  const auto twice = [](const Variables& v, const Variable& dy) {
    return Variables{dy * v[0] * 2.0};
  };
  const Variable y = custom({x}, square, twice);
  core::add_(x.value(), x.value());
  const std::string message = message_of<GradError>([&] { sum(y).backward(); });
  CHECK(message ==
        "backward: custom kept its input 0 for the derivative at version 0, and add_ has written "
        "there since (version 1): write to a clone(), or after backward()");
}

TEST_CASE("steps, loading and writing are free to come after backward, and before forward") {
  const Variable w(ones({3}), true);
  SGD optimizer({w}, {.lr = 0.1});
  for (int i = 0; i < 3; ++i) {
    core::mul_(w.value(), 1);
    const Variable loss = sum(w * w);
    loss.backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  const Variable loss = sum(w * w);
  loss.backward({.retain_graph = true});
  optimizer.step();
  CHECK_THROWS_AS(loss.backward(), GradError);
}
