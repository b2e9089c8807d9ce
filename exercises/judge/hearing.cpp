// One case after the other; the learner's function may throw, write nowhere, or return nothing.
#include "hearing.h"

#include <gradus/autograd/op.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/gradcheck.h>

#include <exception>

#include "look.h"

namespace gradus {
namespace {

/// The library's forward pass with the learner's backward. The learner works in float64 and row-major;
/// what the checker asks in float32 or of other layouts is converted here and back.
struct ExerciseOp final : Op {
  static constexpr std::string_view name = "exercise";
  Hearing::Forward value;
  Hearing::Backward rule;
  Variables inputs;

  ExerciseOp(Hearing::Forward forward_rule, Hearing::Backward backward_rule)
      : value(std::move(forward_rule)), rule(std::move(backward_rule)) {}

  static std::vector<Tensor> numbers(const Variables& all) {
    std::vector<Tensor> values;
    for (const Variable& each : all) values.push_back(each.value().to(float64).contiguous());
    return values;
  }

  Tensor forward(const Variables& all) {
    inputs = all;
    return value(numbers(all)).to(all[0].dtype());
  }

  Variables backward(const Variable& dy) override {
    Variables gradients;
    for (const Tensor& each : rule(dy.value().to(float64).contiguous(), numbers(inputs)))
      gradients.push_back(each.defined() ? Variable(each.to(dy.dtype())) : Variable());
    return gradients;
  }
};

std::string line_of(const GradcheckReport& report) {
  if (report.worst.empty()) return "the gradient is right, a promise of backward is not kept";
  const GradcheckEntry& worst = report.worst.front();
  if (worst.verdict != Verdict::fail) return "the numbers are right at this point";
  return text_of("d", worst.place(), " is ", worst.analytic, ", the slope measured is ",
                 worst.numeric, " (", report.fail_count, " of ", report.elements, " wrong)");
}

std::string name_of(const GradcheckReport& report) {
  if (report.diagnoses.empty()) return {};
  const Diagnosis& first = report.diagnoses.front();
  const std::string sure =
      first.certainty == Certainty::certain ? "" : text_of(to_string(first.certainty), " ");
  return text_of("the checker says ", sure, to_string(first.pattern),
                 first.input.empty() ? "" : " in d" + first.input, ": ", first.text);
}

bool agree_all(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!agree(a[i], b[i])) return false;
  return true;
}

}  // namespace

void Hearing::failed(const std::string& line, const std::string& name) {
  ++failures_;
  if (line_.empty() || (name_.empty() && !name.empty())) {
    line_ = line;
    name_ = name;
  }
}

void Hearing::claim(bool holds, const std::string& line, const std::string& name) {
  ++cases_;
  if (!holds) failed(line, name);
}

void Hearing::attempt(const std::string& where, const std::function<void()>& part) {
  try {
    part();
  } catch (const std::exception& error) {
    ++cases_;
    failed(text_of(where, ": it threw: ", error.what()), "");
  }
}

void Hearing::value(const std::string& what, const std::string& where,
                    const std::function<Tensor()>& answer, const Tensor& right,
                    const Suspects& suspects) {
  attempt(where, [&] {
    const Tensor got = answer();
    const std::string difference = first_difference(what, got, right);
    std::string name;
    if (!difference.empty()) {
      for (const Suspect& suspect : suspects) {
        try {
          const Tensor theirs = suspect.answer();
          if (agree(got, theirs) && !agree(theirs, right)) name = suspect.name;
        } catch (const Error&) {
          continue;  // these inputs do not allow that mistake
        }
        if (!name.empty()) break;
      }
      if (name.empty()) name = look_of(got, right);
    }
    claim(difference.empty(), text_of(where, ": ", difference), name);
  });
}

void Hearing::gradients(const std::string& where, const std::vector<std::string>& names,
                        const std::vector<Tensor>& inputs, const Forward& forward,
                        const Backward& backward, const std::vector<WrongBackward>& mistakes) {
  attempt(where, [&] {
    const Tensor y = forward(inputs);
    const Tensor dy = draw(y.shape());
    const std::vector<Tensor> once = backward(dy.clone(), inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const bool there = i < once.size() && once[i].defined();
      const Tensor got = there ? once[i] : Tensor();
      if (there && got.shape() == inputs[i].shape() && got.dtype() == float64) continue;
      return claim(false, text_of(where, ": ", first_difference("d" + names[i], got, inputs[i])),
                   look_of(got, inputs[i]));
    }
    Variables leaves;
    for (const Tensor& input : inputs) leaves.emplace_back(input, true);
    const DifferentiableFunction function = [&](const Variables& all) {
      return record(ExerciseOp(forward, backward), all);
    };
    const GradcheckReport report =
        gradcheck(function, leaves, {.worst = 1, .sweep = false, .names = names});
    std::string name = report.passed() ? "" : name_of(report);
    for (const WrongBackward& mistake : mistakes)
      if (!report.passed() && agree_all(once, mistake.rule(dy, inputs))) name = mistake.name;
    claim(report.passed(), text_of(where, ": ", line_of(report)), name);
  });
}

Judgement Hearing::verdict() const {
  if (failures_ == 0) return {true, {text_of(exercise_, ": right, in ", cases_, " cases")}};
  Judgement judgement{false,
                      {text_of(exercise_, ": wrong, in ", failures_, " of ", cases_, " cases"),
                       text_of("  ", line_)}};
  if (!name_.empty()) judgement.lines.push_back(text_of("  it looks like this: ", name_));
  return judgement;
}

}  // namespace gradus
