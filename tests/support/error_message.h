// The message of the error that a call throws.
#pragma once

#include <doctest/doctest.h>
#include <gradus/core/error.h>

#include <string>

/// Fails the test unless f() throws E exactly, not a class derived from it or another;
/// gives the message.
template <class E, class F> std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    CHECK_MESSAGE(typeid(error) == typeid(E), "a derived error: ", error.what());
    const std::string message = error.what();
    CHECK_MESSAGE(message.find('\n') == std::string::npos, "more than one line: ", message);
    return message;
  } catch (const std::exception& error) {
    FAIL_CHECK("another error: ", error.what());
    return {};
  }
  FAIL_CHECK("nothing was thrown");
  return {};
}

/// The message of whatever Error f() throws; "" where it throws none.
template <class F> std::string message_of(const F& f) {
  try {
    f();
  } catch (const gradus::Error& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
