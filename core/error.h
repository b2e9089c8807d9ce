// Errors: what Gradus throws, and the one place where messages are built.
//
// A message is one line: the operation, the rule it enforces, the values on both sides. While
// a layer runs, its path is appended, so that "linear: ..." says which of a model's ten
// linears it was.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// Base of everything Gradus throws on bad input.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Shapes, ranks or indices that do not fit together.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// A dtype the operation does not take, or two dtypes where one is needed.
class DTypeError : public Error {
 public:
  using Error::Error;
};

/// A value outside its documented range: a label, a probability, a learning rate.
class ValueError : public Error {
 public:
  using Error::Error;
};

/// A misuse of the tape: backward of a non-scalar without a seed, a graph that was already freed.
class GradError : public Error {
 public:
  using Error::Error;
};

/// A NaN or an infinity where none was to be (autograd/anomaly.h).
class AnomalyError : public Error {
 public:
  using Error::Error;
};

/// A file that cannot be read or written.
class IoError : public Error {
 public:
  using Error::Error;
};

/// A file or data set that is not there.
class NotFoundError : public IoError {
 public:
  using IoError::IoError;
};

/// A file that is there, but whose content is damaged or not what was expected.
class BadDataError : public IoError {
 public:
  using IoError::IoError;
};

/// While it lives, errors thrown on this thread name `name` as part of the place they come from.
/// Nested scopes join with dots: "features.0". `name` must outlive the scope.
class ErrorScope {
 public:
  explicit ErrorScope(std::string_view name);
  virtual ~ErrorScope();
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;

 private:
  /// What this scope adds to the path. Asked only when something has failed, so it may search
  /// for the answer.
  virtual std::string name() const { return std::string(name_); }

  std::string_view name_;
  ErrorScope* outer_;
  friend std::string error_scope_path();
};

/// The dotted path of the active scopes; empty outside of any.
std::string error_scope_path();

/// A stream for texts that are the same bytes in every locale: a number has a point, and no commas.
class PlainText : public std::ostringstream {
 public:
  PlainText();
};

/// All parts joined into one text: text_of("expects ", 2, " dimensions").
template <class... Parts> std::string text_of(const Parts&... parts) {
  PlainText text;
  (text << ... << parts);
  return text.str();
}

/// Throws `E` with all parts joined into one line: fail<ShapeError>("matmul: ", a.shape(), ...).
template <class E = Error, class... Parts> [[noreturn]] void fail(const Parts&... parts) {
  std::string line = text_of(parts...);
  if (const std::string path = error_scope_path(); !path.empty()) line += " [in " + path + "]";
  throw E(line);
}

/// "a, b, c": names in a row, for a message.
std::string joined(const std::vector<std::string>& names);

}  // namespace gradus
