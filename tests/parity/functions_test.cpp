// Functions on tensors, from einsum to indexing, as PyTorch computes them.
#include <cmath>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "support/parity.h"

using namespace gradus;
using parity::Call;
using parity::Options;

namespace {

/// "dims": [0, -1]
Dims dims_of(const Options& o, const char* name) {
  return Shape(std::span<const std::int64_t>(o.at(name).get<std::vector<std::int64_t>>()));
}

std::int64_t number(const Options& o, const char* name) { return o.at(name).get<std::int64_t>(); }
double real(const Options& o, const char* name) { return o.at(name).get<double>(); }
bool flag(const Options& o, const char* name) { return o.at(name).get<bool>(); }

Call unary(Variable (*f)(const Operand&)) {
  return [f](const Variables& x, const Options&) -> Variables { return {f(x[0])}; };
}

Call on_tensor(Tensor (*f)(const Tensor&)) {
  return [f](const Variables& x, const Options&) -> Variables { return {f(x[0].value())}; };
}

Call binary(Variable (*f)(const Operand&, const Variable&)) {
  return [f](const Variables& x, const Options&) -> Variables { return {f(x[0], x[1])}; };
}

Call along(Variable (*f)(const Operand&, std::int64_t)) {
  return [f](const Variables& x, const Options& o) -> Variables {
    return {f(x[0], number(o, "dim"))};
  };
}

Call triangle(Variable (*f)(const Operand&, std::int64_t)) {
  return [f](const Variables& x, const Options& o) -> Variables {
    return {f(x[0], number(o, "diagonal"))};
  };
}

Call truth(Tensor (*f)(const Tensor&, const Dims&, bool)) {
  return [f](const Variables& x, const Options& o) -> Variables {
    return {f(x[0].value(), dims_of(o, "dims"), flag(o, "keepdim"))};
  };
}

Variables both(const ValuesAndIndices& pair) { return {pair.values, pair.indices}; }

/// "1:4,...,None,t0": t0 is the first tensor behind x.
std::vector<TensorIndex> index_of(const std::string& text, const Variables& x) {
  std::vector<TensorIndex> entries;
  std::istringstream list(text);
  for (std::string entry; std::getline(list, entry, ',');) {
    if (entry == "...") {
      entries.emplace_back(Ellipsis);
    } else if (entry == "None") {
      entries.emplace_back(None);
    } else if (entry[0] == 't') {
      entries.emplace_back(x.at(1 + std::stoul(entry.substr(1))).value());
    } else if (entry.find(':') == std::string::npos) {
      entries.emplace_back(std::stoll(entry));
    } else {
      std::vector<std::optional<std::int64_t>> bounds;
      std::istringstream parts(entry + ':');
      for (std::string bound; std::getline(parts, bound, ':');) {
        bounds.push_back(bound.empty() ? std::nullopt
                                       : std::optional<std::int64_t>(std::stoll(bound)));
      }
      bounds.resize(3);
      entries.emplace_back(Slice(bounds[0], bounds[1], bounds[2]));
    }
  }
  return entries;
}

std::map<std::string, Call> calls() {
  std::map<std::string, Call> all{
      {"argsort",
       [](const Variables& x, const Options& o) -> Variables {
         return {core::argsort(x[0].value(), number(o, "dim"), flag(o, "descending"))};
       }},
      {"bincount",
       [](const Variables& x, const Options& o) -> Variables {
         return {core::bincount(x[0].value(), {}, number(o, "minlength"))};
       }},
      {"bincount_weights",
       [](const Variables& x, const Options&) -> Variables {
         return {core::bincount(x[0].value(), x[1].value())};
       }},
      {"chunk",
       [](const Variables& x, const Options& o) {
         return chunk(x[0], number(o, "chunks"), number(o, "dim"));
       }},
      {"diagonal",
       [](const Variables& x, const Options& o) -> Variables {
         return {diagonal(x[0], number(o, "offset"), number(o, "dim1"), number(o, "dim2"))};
       }},
      {"einsum",
       [](const Variables& x, const Options& o) -> Variables {
         return {einsum(o.at("equation").get<std::string>(), x)};
       }},
      {"eye",
       [](const Variables&, const Options& o) -> Variables {
         return {eye(number(o, "n"), number(o, "m"))};
       }},
      {"arange",
       [](const Variables&, const Options& o) -> Variables {
         return {arange(real(o, "start"), real(o, "stop"), real(o, "step"))};
       }},
      {"linspace",
       [](const Variables&, const Options& o) -> Variables {
         return {linspace(real(o, "start"), real(o, "stop"), number(o, "count"), float64)};
       }},
      {"flip",
       [](const Variables& x, const Options& o) -> Variables {
         return {flip(x[0], dims_of(o, "dims"))};
       }},
      {"index",
       [](const Variables& x, const Options& o) -> Variables {
         return {index(x[0], index_of(o.at("index").get<std::string>(), x))};
       }},
      {"map",
       [](const Variables& x, const Options&) -> Variables {
         return {map(
             x[0], [](double v) { return std::sin(v) * v; },
             [](double v) { return std::cos(v) * v + std::sin(v); })};
       }},
      {"masked_fill",
       [](const Variables& x, const Options& o) -> Variables {
         return {masked_fill(x[0], x[1].value(), real(o, "value"))};
       }},
      {"masked_select",
       [](const Variables& x, const Options&) -> Variables {
         return {masked_select(x[0], x[1].value())};
       }},
      {"meshgrid",
       [](const Variables& x, const Options& o) {
         return meshgrid(x, o.at("indexing").get<std::string>());
       }},
      {"norm",
       [](const Variables& x, const Options& o) -> Variables {
         const double p = std::stod(o.at("p").get<std::string>());
         return {norm(x[0], p, dims_of(o, "dims"), flag(o, "keepdim"))};
       }},
      {"one_hot",
       [](const Variables& x, const Options& o) -> Variables {
         return {core::one_hot(x[0].value(), number(o, "classes"))};
       }},
      {"prod", [](const Variables& x, const Options&) -> Variables { return {prod(x[0])}; }},
      {"prod_dim",
       [](const Variables& x, const Options& o) -> Variables {
         return {prod(x[0], number(o, "dim"), flag(o, "keepdim"))};
       }},
      {"repeat",
       [](const Variables& x, const Options& o) -> Variables {
         return {repeat(x[0], dims_of(o, "times"))};
       }},
      {"repeat_interleave",
       [](const Variables& x, const Options& o) -> Variables {
         std::optional<std::int64_t> dim;
         if (!o.at("dim").is_null()) dim = number(o, "dim");
         return {repeat_interleave(x[0], number(o, "times"), dim)};
       }},
      {"roll",
       [](const Variables& x, const Options& o) -> Variables {
         return {roll(x[0], dims_of(o, "shifts"), dims_of(o, "dims"))};
       }},
      {"sort",
       [](const Variables& x, const Options& o) {
         return both(sort(x[0], number(o, "dim"), flag(o, "descending")));
       }},
      {"split",
       [](const Variables& x, const Options& o) {
         if (o.at("sizes").is_number()) return split(x[0], number(o, "sizes"), number(o, "dim"));
         const auto sizes = o.at("sizes").get<std::vector<std::int64_t>>();
         return split(x[0], sizes, number(o, "dim"));
       }},
      {"std",
       [](const Variables& x, const Options& o) -> Variables {
         return {
             gradus::std(x[0], dims_of(o, "dims"), flag(o, "keepdim"), number(o, "correction"))};
       }},
      {"tile",
       [](const Variables& x, const Options& o) -> Variables {
         return {tile(x[0], dims_of(o, "times"))};
       }},
      {"topk",
       [](const Variables& x, const Options& o) {
         return both(topk(x[0], number(o, "k"), number(o, "dim"), flag(o, "largest")));
       }},
      {"where",
       [](const Variables& x, const Options&) -> Variables {
         return {where(x[0].value(), x[1], x[2])};
       }},
      {"where_left",
       [](const Variables& x, const Options&) -> Variables {
         return {where(x[0].value(), 0.25, x[1])};
       }},
      {"where_right",
       [](const Variables& x, const Options&) -> Variables {
         return {where(x[0].value(), x[1], 0.25)};
       }},
      {"all", truth(core::all)},
      {"any", truth(core::any)},
      {"bmm", binary(bmm)},
      {"cumprod", along(cumprod)},
      {"cumsum", along(cumsum)},
      {"diag", triangle(diag)},
      {"dot", binary(dot)},
      {"isinf", on_tensor(core::isinf)},
      {"isneginf", on_tensor(core::isneginf)},
      {"isposinf", on_tensor(core::isposinf)},
      {"nonzero", on_tensor(core::nonzero)},
      {"outer", binary(outer)},
      {"trace", unary(trace)},
      {"tril", triangle(tril)},
      {"triu", triangle(triu)},
  };
  const std::vector<std::pair<std::string, Variable (*)(const Operand&)>> of_one_number{
      {"sin", sin},       {"cos", cos},     {"tan", tan},     {"asin", asin},
      {"acos", acos},     {"atan", atan},   {"sinh", sinh},   {"cosh", cosh},
      {"erf", erf},       {"expm1", expm1}, {"log1p", log1p}, {"log2", log2},
      {"log10", log10},   {"rsqrt", rsqrt}, {"floor", floor}, {"ceil", ceil},
      {"round", round},   {"trunc", trunc}, {"sign", sign},   {"reciprocal", reciprocal},
      {"square", square},
  };
  for (const auto& [name, f] : of_one_number) all.emplace(name, unary(f));
  return all;
}

}  // namespace

TEST_CASE("functions on tensors give PyTorch's values and gradients") {
  parity::check("functions", calls());
}
