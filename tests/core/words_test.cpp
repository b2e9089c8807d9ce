// Words in messages: what is quoted, and which known name a misspelt one means.
#include <gradus/core/words.h>

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace gradus;

namespace {

const std::vector<std::string> model_list = {"cnn", "lenet", "mlp", "mobilenet", "nin", "resnet20"};

}  // namespace

TEST_CASE("one slip of each kind is found") {
  CHECK(nearest("resnt20", model_list) == "resnet20");     // left out
  CHECK(nearest("resneet20", model_list) == "resnet20");   // put in
  CHECK(nearest("resnet30", model_list) == "resnet20");    // replaced
  CHECK(nearest("rsenet20", model_list) == "resnet20");    // exchanged
  CHECK(nearest("mobilnett", model_list) == "mobilenet");  // two of them
}

TEST_CASE("an exchange of neighbours is one slip, not two") {
  CHECK(nearest("nni", {"nin"}) == "nin");  // 1 of 3 letters is allowed
  CHECK(nearest("abcdfe", {"abcxyf", "abcdef"}) == "abcdef");
  CHECK(nearest("abc", {"cba"}).empty());  // not neighbours: 2
}

TEST_CASE("a third of the letters may be wrong, and not more") {
  CHECK(nearest("abcxxf", {"abcdef"}) == "abcdef");  // 2 of 6
  CHECK(nearest("abxxxf", {"abcdef"}).empty());      // 3 of 6
  CHECK(nearest("abcxx", {"abcde"}).empty());        // 2 of 5
  CHECK(nearest("ab", {"ax"}) == "ax");              // at least one is allowed
}

TEST_CASE("what has no letter in common is not meant") {
  CHECK(nearest("x", {"a"}).empty());
  CHECK(nearest("", {"a"}).empty());
  CHECK(nearest("", {""}).empty());
  CHECK(nearest("x", {"xy"}) == "xy");
  CHECK(nearest("vgg", model_list).empty());
  CHECK(nearest("cnn", {}).empty());
}

TEST_CASE("the nearest wins, of equals the one that begins alike, of these the first") {
  CHECK(nearest("lenets", {"lenexx", "lenet"}) == "lenet");
  CHECK(nearest("cat", {"bat", "hat"}) == "bat");
  CHECK(nearest("cat", {"hat", "cat"}) == "cat");
  CHECK(nearest("resnet", {"lenet", "resnet20"}) == "resnet20");  // 2 each
}

TEST_CASE("a message ends with the question, or with nothing") {
  CHECK(did_you_mean("resnet", model_list) == "; did you mean resnet20?");
  CHECK(did_you_mean("transformer", model_list) == "");
}

TEST_CASE("a word as long as a command line costs nothing") {
  CHECK(nearest(std::string(1'000'000, 'x'), model_list).empty());
}

TEST_CASE("the case of letters does not count") {
  CHECK(letters_apart("conv2d", "Conv2D") == 0);
  CHECK(nearest("RESNET20", model_list) == "resnet20");
}

TEST_CASE("UTF-8 is told from what is none") {
  for (const char* text :
       {"", "plain", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8c\xb9", "\xf4\x8f\xbf\xbf"})
    CHECK(is_utf8(text));
  // Latin-1, cut, overlong, a surrogate, beyond U+10FFFF, a continuation alone.
  for (const char* text : {"caf\xe9", "\xe2\x82", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                           "\xf4\x90\x80\x80", "\x80", "\xff"})
    CHECK_FALSE(is_utf8(text));
}

TEST_CASE("a quote is one line that no terminal obeys") {
  CHECK(in_quotes("plain") == "'plain'");
  CHECK(in_quotes("a\nb\x1b[31m\x7f") == "'a?b?[31m?'");
  CHECK(in_quotes("a\xc2\x9b"
                  "31m") == "'a?31m'");  // U+009B, the same as ESC [
  CHECK(in_quotes("caf\xc3\xa9 \xc2\xa0") == "'caf\xc3\xa9 \xc2\xa0'");  // letters stay
  CHECK(in_quotes("\xc2") == "'\xc2'");
  CHECK(in_quotes("12345", 3) == "'123...'");
  CHECK(in_quotes("123", 3) == "'123'");
  CHECK(without_controls("a\nb\xc2\x85") == "a?b?");
  CHECK(printable("plain text") == "plain text");
  CHECK(printable("a\tb") == "'a?b'");
  CHECK(printable("a\xc2\x9b"
                  "b") == "'a?b'");
}
