// A backward pass with one mistake of the self-test's kinds (gradcheck/planted.h), chosen by seed. The
// learner sees the formula, the lines of backward, and what each of them gives beside measured slopes.
#include "find_the_bug.h"

#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/error.h>

#include <array>
#include <cstdio>

#include "judges.h"
#include "look.h"

namespace gradus {
namespace {

BuggyPass linear_pass(Generator& generator) {
  return {"y = x·Wᵀ + b",
          {"x", "W", "b"},
          {"dx = dy·W", "dW = dyᵀ·x", "db = Σ_rows dy"},
          [](const Variables& v) { return linear(v[0], v[1], v[2]); },
          {Variable(randn({3, 3}, generator, float64), true),
           Variable(randn({3, 3}, generator, float64), true),
           Variable(randn({3}, generator, float64), true)},
          {}};
}

BuggyPass convolution_pass(Generator& generator) {
  return {"y = conv2d(x, k, b), no padding",
          {"x", "k", "b"},
          {"dx[i,j] = Σ dy[i-u,j-v]·k[u,v]", "dk[u,v] = Σ dy[i,j]·x[i+u,j+v]", "db = Σ_pixels dy"},
          [](const Variables& v) { return conv2d(v[0], v[1], v[2]); },
          {Variable(randn({1, 1, 4, 4}, generator, float64), true),
           Variable(randn({2, 1, 2, 2}, generator, float64), true),
           Variable(randn({2}, generator, float64), true)},
          {}};
}

BuggyPass scaled_tanh_pass(Generator& generator) {
  return {"y = tanh(x)·s, s broadcast over the rows",
          {"x", "s"},
          {"dx = dy·s·(1 - tanh²(x))", "ds = Σ_rows dy·tanh(x)"},
          [](const Variables& v) { return mul(tanh(v[0]), v[1]); },
          {Variable(randn({4, 3}, generator, float64), true),
           Variable(randn({3}, generator, float64), true)},
          {}};
}

BuggyPass used_twice_pass(Generator& generator) {
  return {"y = a·b + a",
          {"a", "b"},
          {"da = dy·b + dy", "db = dy·a"},
          [](const Variables& v) { return add(mul(v[0], v[1]), v[0]); },
          {Variable(randn({3, 4}, generator, float64), true),
           Variable(randn({3, 4}, generator, float64), true)},
          {}};
}

BuggyPass softmax_pass(Generator& generator) {
  return {"y = softmax(x)·t, each row for itself",
          {"x", "t"},
          {"dx = s·(dy·t - Σ_row dy·t·s), s = softmax(x)", "dt = Σ_rows dy·softmax(x)"},
          [](const Variables& v) { return mul(softmax(v[0], 1), v[1]); },
          {Variable(randn({3, 4}, generator, float64), true),
           Variable(randn({4}, generator, float64), true)},
          {}};
}

const std::vector<BuggyPass (*)(Generator&)> passes{linear_pass, convolution_pass, scaled_tanh_pass,
                                                    used_twice_pass, softmax_pass};

/// What the answers of a pass are made of: gradients once, once more, and for twice the incoming one.
struct Probes {
  Variables once;
  Variables again;
  Variables doubled;
};

Probes probes_of(const BuggyPass& pass, Bug kind) {
  const DifferentiableFunction wrong = pass.with(kind);
  Generator generator(5);
  const Shape shape = pass.right(pass.inputs).shape();
  const Tensor dy = randn(shape, generator, float64);
  return {vjp(wrong, pass.inputs, dy).gradients, vjp(wrong, pass.inputs, dy).gradients,
          vjp(wrong, pass.inputs, core::mul(dy, 2)).gradients};
}

bool same(const Variables& a, const Variables& b, double factor = 1) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!agree(a[i].value(), core::mul(b[i].value(), factor))) return false;
  return true;
}

/// Do two kinds give the same numbers here? Then either is a right answer.
bool indistinguishable(const BuggyPass& pass, Bug a, Bug b) {
  if (a == b) return true;
  const Probes of_a = probes_of(pass, a);
  const Probes of_b = probes_of(pass, b);
  return same(of_a.once, of_b.once) && same(of_a.again, of_b.again) &&
         same(of_a.doubled, of_b.doubled);
}

std::string row_text(const Tensor& row) {
  std::string text;
  for (const double value : row.to_vector<double>()) {
    std::array<char, 32> number{};
    std::snprintf(number.data(), number.size(), "%8.3f", value);
    text += number.data();
  }
  return text;
}

/// Backward's numbers and the measured ones, row by row.
void add_table(const Tensor& analytic, const Tensor& numeric, std::vector<std::string>& lines) {
  const std::int64_t width = analytic.size(-1);
  const Tensor left = analytic.contiguous().reshape({-1, width});
  const Tensor right = numeric.contiguous().reshape({-1, width});
  for (std::int64_t i = 0; i < left.size(0); ++i)
    lines.push_back("     " + row_text(left[i]) + "   |" + row_text(right[i]));
}

std::vector<std::string> evidence(const BuggyPass& pass) {
  const DifferentiableFunction wrong = pass.with(pass.planted.kind);
  const GradcheckReport report =
      gradcheck(wrong, pass.inputs, {.draws = 1, .contracts = false, .sweep = false});
  std::vector<std::string> lines{"  " + pass.formula +
                                 ": what each line gives | the slopes that were measured"};
  for (std::size_t i = 0; i < pass.lines.size(); ++i) {
    lines.push_back(text_of("  ", i + 1, "  ", pass.lines[i]));
    add_table(report.inputs[i].analytic, report.inputs[i].numeric, lines);
  }
  const Probes probes = probes_of(pass, pass.planted.kind);
  for (std::size_t i = 0; i < pass.lines.size(); ++i) {
    const bool repeats = same({probes.once[i]}, {probes.again[i]});
    const bool is_linear = same({probes.doubled[i]}, {probes.again[i]}, 2);
    std::string line = text_of("  Line ", i + 1, ": asked a second time it gives ");
    line += repeats ? "the same; for twice dy it " : "other numbers.";
    if (repeats) line += is_linear ? "gives twice as much." : "does not give twice as much.";
    lines.push_back(line);
  }
  return lines;
}

/// A mistake is planted in one use of an input. Where there are several, only those about the uses are named by
/// what the whole line gives.
bool fits(const BuggyPass& pass, Bug kind) {
  const auto input = static_cast<std::size_t>(pass.planted.line - 1);
  const bool is_about_uses = kind == Bug::use_dropped || kind == Bug::use_overwritten;
  return (use_count(pass.right, pass.inputs, input) > 1) == is_about_uses;
}

}  // namespace

const std::vector<Bug>& planted_kinds() {
  static const std::vector<Bug> kinds{
      Bug::mean_for_sum,     Bug::sign_flipped,       Bug::zeroed,
      Bug::element_zeroed,   Bug::transposed,         Bug::flipped,
      Bug::shifted,          Bug::border_dropped,     Bug::slice_dropped,
      Bug::sum_dropped,      Bug::use_dropped,        Bug::use_overwritten,
      Bug::incoming_ignored, Bug::stale_accumulation, Bug::negative_dropped,
      Bug::diagonal_kept,    Bug::mean_dropped};
  return kinds;
}

BuggyPass buggy_pass(std::uint64_t seed) {
  Generator generator(1000 + seed);
  BuggyPass pass = passes[generator.next() % passes.size()](generator);
  std::vector<BugAnswer> possible;
  for (int line = 1; line <= static_cast<int>(pass.lines.size()); ++line) {
    pass.planted.line = line;
    for (const Bug kind : planted_kinds())
      if (fits(pass, kind) && is_effective(pass.right, pass.with(kind), pass.inputs, kind))
        possible.push_back({line, kind});
  }
  pass.planted = possible[generator.next() % possible.size()];
  return pass;
}

Judgement judge_find_the_bug(const FindTheBug& find, std::uint64_t seed) {
  const BuggyPass pass = buggy_pass(seed);
  const BugAnswer answer = find(seed);
  const int count = static_cast<int>(pass.lines.size());
  const std::string asked = text_of("find-the-bug, seed ", seed, ": ");
  const bool line_is_right = answer.line == pass.planted.line;
  const bool kind_is_right = indistinguishable(pass, answer.kind, pass.planted.kind);
  if (line_is_right && kind_is_right)
    return {true, {text_of(asked, "found: line ", answer.line, ", ", to_string(answer.kind))}};
  std::string verdict;
  if (answer.line == 0)
    verdict = "one line is wrong; which, and how? No answer yet";
  else if (answer.line < 0 || answer.line > count)
    verdict = text_of("there is no line ", answer.line, ": this backward has ", count);
  else if (line_is_right)
    verdict = text_of("line ", answer.line, " it is, but not ", to_string(answer.kind));
  else if (kind_is_right)
    verdict = text_of("the kind is right, but line ", answer.line, " is not the one");
  else
    verdict = text_of("neither: line ", answer.line, " is right, and ", to_string(answer.kind),
                      " nowhere");
  Judgement judgement{false, {asked + verdict}};
  for (std::string& line : evidence(pass)) judgement.lines.push_back(std::move(line));
  return judgement;
}

}  // namespace gradus
