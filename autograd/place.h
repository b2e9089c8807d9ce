// Places: where in a program an op was called. The tape keeps one for each node, so that a message
// can say "conv2d in features.3, layers/conv.cpp:88, called at train.cpp:41".
//
// A Place is a default argument, which the compiler fills in at the line of the call. It costs two
// stores. Operand (variable.h) carries the place of a function's first Variable, Module::operator()
// that of a layer. All that a node keeps of them is plain numbers: counted references to modules would
// cost every op four locked instructions.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

namespace gradus {

/// A line of a program.
struct Place {
  const char* file = nullptr;
  int line = 0;

  /// As a default argument: the line of the call.
  static constexpr Place here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
  bool operator==(const Place&) const = default;
};

/// "train.cpp:41"; "an unknown place" for Place().
std::ostream& operator<<(std::ostream& out, const Place& place);

/// The number of a module, which no other ever has. A list of those that live says where each lies, so
/// whoever remembers one may outlast it. Any thread may ask.
class ModuleNumber {
 public:
  /// Of no module.
  ModuleNumber() = default;
  /// Of a new one.
  explicit ModuleNumber(const void* module);
  /// Where the module lies now; null when it is gone.
  const void* find() const;
  /// The module has moved.
  void move_to(const void* module) const noexcept;
  /// The module is gone.
  void strike() const noexcept;
  bool operator==(const ModuleNumber&) const = default;

 private:
  std::uint64_t number_ = 0;
};

/// The modules that an op ran within: the innermost, and the model, which is the outermost.
struct Calls {
  /// The name of a module in a model, "features.3". Asked only for messages, so it may search.
  using Path = std::string (*)(const void* model, const void* module);

  Place inner{};          ///< where the innermost was called
  Place outer{};          ///< where the model was called
  ModuleNumber module{};  ///< of none outside of any
  ModuleNumber model{};
  Path path_of = nullptr;

  /// Empty outside of any module, for the model itself, and when one of them is gone.
  std::string path() const;
};

/// While it lives, ops on this thread run within a module.
class CallScope {
 public:
  CallScope(Place at, ModuleNumber module, Calls::Path path_of);
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  static Calls current();
  /// current() into `calls`, which are empty.
  static void remember(Calls& calls);
  /// Where the innermost was called, for containers, which hand that on; `otherwise` outside of any.
  static Place place(Place otherwise);

 private:
  Place at_;
  ModuleNumber module_;
  Calls::Path path_of_;
  const CallScope* outer_;
  const CallScope* outermost_;
};

/// "layers/conv.cpp:88, called at train.cpp:41"
std::string places_text(Place at, const Calls& calls);

}  // namespace gradus
