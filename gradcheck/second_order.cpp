// Second derivatives: the gradient becomes the function that is checked.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/gradcheck/detail/contracts.h>
#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/gradcheck.h>

namespace gradus {

SecondOrder second_order(const DifferentiableFunction& function, const Variables& inputs,
                         const GradcheckOptions& options) {
  SecondOrder second{.inputs = inputs, .options = options};
  const std::size_t count = inputs.size();
  second.function = [function, count](const Variables& all) {
    const GradMode mode(true);  // wanted even where the checker only evaluates
    Variables leaves(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
    Variables wanted;
    for (const Variable& leaf : leaves) {
      if (leaf.requires_grad()) wanted.push_back(leaf);
    }
    const Variable output = function(leaves);
    Variables parts;
    Variables found(wanted.size());
    if (output.requires_grad()) {
      found = grad({output}, wanted, {all.back()}, {.create_graph = true, .allow_unused = true});
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      parts.push_back(reshape(found[i].defined() ? found[i] : zeros_like(wanted[i].value()),
                              {wanted[i].numel()}));
    }
    return cat(parts, 0);
  };
  Generator generator(options.seed + 2);
  const Probe first(function, inputs, options);  // which refuses what cannot be checked
  second.inputs.push_back(Variable(random_weights(first.output().shape(), generator), true));
  std::vector<std::string>& names = second.options.names;
  for (std::size_t i = names.size(); i < count; ++i) names.push_back("input " + std::to_string(i));
  names.resize(count);
  names.push_back("output gradient");
  return second;
}

GradcheckReport gradgradcheck(const DifferentiableFunction& function, const Variables& inputs,
                              const GradcheckOptions& options) {
  SecondOrder second = second_order(function, inputs, options);
  second.options.contracts = false;  // those of the function itself matter
  GradcheckReport report = gradcheck(second.function, second.inputs, second.options);
  report.order = 2;
  if (!options.contracts) return report;
  const ContractReport first = check_ops(Probe(function, inputs, options), options);
  if (!first.broken.empty()) report.verdict = Verdict::fail;
  report.diagnoses.insert(report.diagnoses.end(), first.broken.begin(), first.broken.end());
  return report;
}

}  // namespace gradus
