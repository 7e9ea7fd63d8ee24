#include "node/hooks/word_list.h"

#include "tests/support/messages.h"
#include "tests/support/scratch_directory.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

namespace chatx::node {
namespace {

std::unique_ptr<WordList> list_of(std::string_view text) {
    auto list = WordList::parse(text, "words.txt");
    INFO((list ? std::string() : list.error().detail));
    REQUIRE(list);
    return std::move(*list);
}

std::string refusal_of(std::string_view text) {
    const auto list = WordList::parse(text, "words.txt");
    REQUIRE_FALSE(list);
    return list.error().detail;
}

Verdict verdict(WordList& list, std::string_view content) {
    return list.check(
        {chatx::test::room_named("lobby"),
         chatx::test::user_named("alice"),
         std::string(content),
         {},
         {}});
}

bool blocks(WordList& list, std::string_view content) {
    return verdict(list, content).kind == Verdict::Kind::reject;
}

TEST_CASE("a listed word is blocked, and the answer does not repeat it") {
    const auto list = list_of("heck\n");
    const auto answer = verdict(*list, "what the heck");
    CHECK(answer.kind == Verdict::Kind::reject);
    CHECK(answer.error.reason == Reason::blocked);
    CHECK(answer.error.detail.find("heck") == std::string::npos);
    CHECK(verdict(*list, "what on earth") == Verdict::pass());
}

TEST_CASE("words are found whole, in any case, between any signs") {
    const auto list = list_of("heck\nDarn\n\xC3\xBCrg\nsnake_case\nb4d\n\xE5\x9D\x8F\n");
    for (const auto* content :
         {"heck",
          "HECK",
          "hEcK!",
          "(heck)",
          "oh,heck.",
          "a-heck-b",
          "heck\n",
          "heck\t",
          "\"heck\"",
          "heck's",
          "\xE2\x80\x9Check\xE2\x80\x9D",
          "\xF0\x9F\x98\x80heck\xF0\x9F\x98\x80",
          "\xE2\x80\xA6heck\xE2\x80\x94",
          "x\xC2\xA0heck\xC2\xA0y",
          "darn",
          "\xC3\xBCrg",
          "\xC2\xBF\xC3\xBCrg?",
          "snake_case",
          "SNAKE_CASE",
          "b4d",
          "\xE3\x80\x8C\xE5\x9D\x8F\xE3\x80\x8D"}) {
        CHECK_MESSAGE(blocks(*list, content), content);
    }
    for (const auto* content :
         {"",
          " ",
          "checker",
          "hecks",
          "xheck",
          "heck_",
          "1heck",
          "h-e-c-k",
          "he ck",
          "hec",
          "heck\xC3\xA9",
          "\xC3\xA9heck",
          "\xC3\x9Crg",
          "snake case",
          "b4",
          "\xE5\x9D\x8F\xE4\xBA\xBA",
          "\xF0\x9F\x98\x80",
          "darn1"}) {
        CHECK_MESSAGE(!blocks(*list, content), content);
    }
}

TEST_CASE("content that is no UTF-8, or ends inside a character, is looked through without harm") {
    const auto list = list_of("heck\n");
    const auto with_nul = std::string("\0heck\0", 6);
    CHECK(blocks(*list, with_nul));
    for (const auto* content :
         {"\xFF", "\xE2\x80", "\xF0\x9F\x98", "\xC3", "\x80\x80\x80", "heck \xF0"}) {
        (void)blocks(*list, content);
    }
    CHECK(blocks(*list, "heck \xF0"));
}

TEST_CASE(
    "a list may have comments, empty lines, space around words, a byte order mark and any line "
    "ends") {
    const auto list = list_of("\xEF\xBB\xBF# bad words\r\n\r\n  heck \t\r\n#darn\n \t\nHECK\ngosh");
    CHECK(list->size() == 2);
    CHECK(blocks(*list, "heck"));
    CHECK(blocks(*list, "gosh"));
    CHECK_FALSE(blocks(*list, "darn"));
}

TEST_CASE("an empty list blocks nothing") {
    for (const auto* text : {"", "\n", "\n\n", "# nothing"}) {
        const auto list = list_of(text);
        CHECK(list->size() == 0);
        CHECK_FALSE(blocks(*list, "anything"));
    }
}

TEST_CASE("a line that is not one word is refused, with file and line") {
    CHECK(refusal_of("heck\n\ntwo words\n").rfind("words.txt:3: not one word", 0) == 0);
    CHECK(refusal_of("h*ck").rfind("words.txt:1: not one word", 0) == 0);
    CHECK(refusal_of("heck # a comment").rfind("words.txt:1: not one word", 0) == 0);
    CHECK(refusal_of("!").rfind("words.txt:1: not one word", 0) == 0);
    CHECK(refusal_of("heck\n\xC3\x28").rfind("words.txt:2: not UTF-8", 0) == 0);
    CHECK(refusal_of(std::string_view("he\0ck", 5)).rfind("words.txt:1: not one word", 0) == 0);
}

TEST_CASE("lines are bounded in length and in number") {
    CHECK(list_of(std::string(WordList::line_bytes_max - 1, 'a'))->size() == 1);
    CHECK(list_of(std::string(WordList::line_bytes_max, 'a') + "\nb")->size() == 2);
    CHECK(
        refusal_of("b\n" + std::string(WordList::line_bytes_max + 1, 'a'))
        == "words.txt:2: longer than 256 bytes");

    std::string text;
    for (std::size_t line = 1; line <= WordList::lines_max; ++line)
        text += "w" + std::to_string(line) + "\n";
    CHECK(list_of(text)->size() == WordList::lines_max);
    CHECK(refusal_of(text + "one") == "words.txt:100001: more than 100000 lines");
}

TEST_CASE("a list is read from a file, and a file that cannot be read is named") {
    const chatx::test::ScratchDirectory scratch;
    const auto path = scratch.path() / "words.txt";
    std::ofstream(path) << "heck\n# no\ngosh\n";
    const auto list = WordList::load(path);
    REQUIRE(list);
    CHECK((*list)->size() == 2);

    std::ofstream(path) << "two words\n";
    CHECK(WordList::load(path).error().detail.rfind(path.string() + ":1: ", 0) == 0);
    const auto missing = WordList::load(scratch.path() / "missing.txt");
    REQUIRE_FALSE(missing);
    CHECK(
        missing.error().detail.find("missing.txt: cannot be read: No such file")
        != std::string::npos);
    CHECK(WordList::load(scratch.path()).error().detail.find("a directory") != std::string::npos);
    CHECK_FALSE(WordList::load("/dev/zero"));
}

}  // namespace
}  // namespace chatx::node
