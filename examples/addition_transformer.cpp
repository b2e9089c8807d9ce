// A small transformer learns to add. It reads "47+85=" and writes the sum a digit at a time, units
// first as on paper, "231": attention has to find the two digits that belong together, and to keep
// the carry. Of all pairs of numbers below 100 a third is never shown, in either order.
//
// Reached: all of 3426 unseen sums are right in all three digits. Exit code 0 above 0.95 of them.
#include <gradus/gradus.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

using namespace gradus;

namespace {

const std::string alphabet = "0123456789+=";
constexpr std::int64_t asked = 6;     // "47+85="
constexpr std::int64_t answered = 3;  // "231"
constexpr std::int64_t features = 48;
constexpr std::int64_t length = asked + answered - 1;  // the last digit is not read

/// Characters [N,8] -> scores of the digits of the sums [N,3,10]; no place sees those behind it.
struct Adder final : Module {
  Embedding characters{std::ssize(alphabet), features};
  Embedding places{length, features};
  ModuleList layers;
  LayerNorm norm{features};
  Linear head{features, 10};
  Variable hidden = core::ne(triu(ones({length, length}), 1).value(), 0);  // what is behind

  Adder() {
    const TransformerEncoderLayerOptions options{
        .dim_feedforward = 4 * features, .dropout = 0, .batch_first = true, .norm_first = true};
    for (int i = 0; i < 2; ++i) layers.append(TransformerEncoderLayer(features, 4, options));
  }
  void visit(Visitor& v) override {
    v("characters", characters);
    v("places", places);
    v("layers", layers);
    v("norm", norm);
    v("head", head);
  }
  Variable forward(const Variable& x) override {
    Variable y = characters(x) + places(arange(length));
    for (std::size_t i = 0; i < layers.size(); ++i)
      y = layers.get<TransformerEncoderLayer>(i)({y, hidden, Variable()})[0];
    return head(norm(narrow(y, 1, asked - 1, answered)));
  }
};

using Pairs = std::vector<std::pair<int, int>>;

/// What is read, [N,8], and what is to be written, [N,3].
std::pair<Tensor, Tensor> written(const Pairs& pairs) {
  const Tensor all = Tensor::empty({std::ssize(pairs), asked + answered}, int64);
  for (std::int64_t n = 0; n < all.size(0); ++n) {
    const auto [a, b] = pairs[static_cast<std::size_t>(n)];
    const int c = a + b;
    const int line[] = {a / 10, a % 10, 10, b / 10, b % 10, 11, c % 10, c / 10 % 10, c / 100};
    for (std::int64_t i = 0; i < asked + answered; ++i) all.at<std::int64_t>({n, i}) = line[i];
  }
  return {all.narrow(1, 0, length), all.narrow(1, asked, answered)};
}

/// The digits that the model writes, of each sum units first, when it reads only its own.
Tensor answers(Adder& model, Tensor read) {
  const NoGrad no_tape;
  read = read.clone();
  for (std::int64_t i = 0;; ++i) {
    const Tensor digits = core::argmax(model(read).value(), 2);
    if (i + 1 == answered) return digits;
    read.select(1, asked + i).copy_(digits.select(1, i));
  }
}

}  // namespace

int main() {
  manual_seed(1);
  Generator generator(2);
  Pairs shown;
  Pairs unseen;
  for (int a = 0; a < 100; ++a) {
    for (int b = a; b < 100; ++b) {
      Pairs& side = generator.below(3) == 0 ? unseen : shown;
      side.emplace_back(a, b);
      side.emplace_back(b, a);
    }
  }

  constexpr int steps = 600;
  Adder model;
  Adam optimizer(model.parameters(), {.lr = 0.005, .beta2 = 0.98});
  OneCycleLR schedule(optimizer, {.steps = steps, .rising = 0.2});  // warm-up, then down to nothing
  for (int step = 1; step <= steps; ++step) {
    Pairs batch;
    while (batch.size() < 128)
      batch.push_back(shown[static_cast<std::size_t>(generator.below(std::ssize(shown)))]);
    const auto [read, digits] = written(batch);
    optimizer.zero_grad();
    const Variable loss = cross_entropy(flatten(model(read), 0, 1), digits.flatten());
    loss.backward();
    clip_grad_norm_(model.parameters(), 1.0);
    optimizer.step();
    schedule.step();
    if (step % 100 == 0) std::printf("step %d: loss %.4f\n", step, loss.item());
  }

  const auto [read, digits] = written(unseen);
  const Tensor right = core::all(answers(model, read) == digits, {1});
  const double share = core::mean(right.to(float32)).item();
  std::printf("%zu sums that were never shown: %.4f of them right\n", unseen.size(), share);
  return share > 0.95 ? 0 : 1;
}
