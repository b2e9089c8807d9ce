// Errors: one line, and the place where they happened.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>

#include <string>
#include <thread>

#include "support/error_message.h"

using namespace gradus;

TEST_CASE("fail joins its parts and throws the kind it was asked for") {
  CHECK(message_of<ValueError>([] {
          fail<ValueError>("rate: ", 1.5, " at ", Shape{2, 3});
        }) == "rate: 1.5 at [2,3]");
  CHECK(message_of<Error>([] { fail("plain"); }) == "plain");
}

TEST_CASE("every kind of error is an Error, and a missing file is an IoError") {
  CHECK_THROWS_AS(fail<ShapeError>(""), Error);
  CHECK_THROWS_AS(fail<DTypeError>(""), Error);
  CHECK_THROWS_AS(fail<ValueError>(""), Error);
  CHECK_THROWS_AS(fail<GradError>(""), Error);
  CHECK_THROWS_AS(fail<NotFoundError>(""), IoError);
  CHECK_THROWS_AS(fail<BadDataError>(""), IoError);
  CHECK_THROWS_AS(fail<Error>(""), std::runtime_error);
}

TEST_CASE("scopes nest, name the place of an error, and end with their block") {
  const auto message = [] {
    return message_of<ShapeError>([] { core::add(ones({2}), ones({3})); });
  };
  const std::string plain =
      "add: shapes [2] and [3] do not broadcast (2 against 3 in dimension -1)";
  CHECK(error_scope_path() == "");
  CHECK(message() == plain);
  {
    const ErrorScope outer("features");
    {
      const ErrorScope inner("0");
      CHECK(error_scope_path() == "features.0");
      CHECK(message() == plain + " [in features.0]");
    }
    const ErrorScope nameless("");
    CHECK(message() == plain + " [in features]");
  }
  CHECK(message() == plain);
}

TEST_CASE("a scope ends when an exception passes it") {
  try {
    const ErrorScope scope("layer");
    fail("wrong");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "wrong [in layer]");
  }
  CHECK(error_scope_path() == "");
}

TEST_CASE("a scope belongs to its thread") {
  const ErrorScope scope("main");
  std::string elsewhere = "?";
  std::thread([&] { elsewhere = error_scope_path(); }).join();
  CHECK(elsewhere == "");
}
