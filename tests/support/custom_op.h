// An operation made of two lambdas: what it computes, and what it says that its gradient is. For
// gradients that are wrong on purpose.
#pragma once

#include <gradus/autograd/op.h>

#include <functional>
#include <string_view>
#include <utility>

struct CustomOp final : gradus::Op {
  using Forward = std::function<gradus::Tensor(const gradus::Variables& inputs)>;
  /// One gradient for each input; `dy` is the incoming one.
  using Backward =
      std::function<gradus::Variables(const gradus::Variables& inputs, const gradus::Variable& dy)>;

  static constexpr std::string_view name = "custom";
  Forward value;
  Backward rule;
  gradus::Variables inputs;

  CustomOp(Forward forward_rule, Backward backward_rule)
      : value(std::move(forward_rule)), rule(std::move(backward_rule)) {}

  gradus::Tensor forward(const gradus::Variables& all) {
    inputs = all;
    return value(all);
  }

  gradus::Variables backward(const gradus::Variable& dy) override { return rule(inputs, dy); }
};

inline gradus::Variable custom(const gradus::Variables& inputs, const CustomOp::Forward& forward,
                               const CustomOp::Backward& backward) {
  return gradus::apply(CustomOp(forward, backward), inputs);
}
