#!/usr/bin/env python3
"""Each rule of tools/check_tree.py catches a breach planted in a small tree of its own, and nothing else does."""
import contextlib
import io
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / 'tools'
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOOLS))
import check_tree  # noqa: E402: its folder is known only now
GOOD = {
    'proto/include/chatx/word.h': '#pragma once\n',
    'proto/codec.h': '#pragma once\n#include <chatx/word.h>\n',
    'proto/codec.cc': '#include "proto/codec.h"\n',
    'placement/slots.cc': '#include <xxhash.h>\n#include "proto/codec.h"\n',
    'engine/room.h': '#pragma once\n#include "proto/codec.h"\n',
    'cluster/gossip.cc': '#include "placement/slots.h"\n',
    'node/core.cc': '#include "engine/room.h"\n',
    'node/net/loop.cc': '#include <boost/asio/io_context.hpp>\n#include <thread>\nauto t = std::chrono::steady_clock::now();\n',
    'node/gateway/session.cc': '#include <boost/asio/awaitable.hpp>\nco_await read();\n',
    'tools/chatxctl/main.cc': '#include <CLI/CLI.hpp>\n#include <iostream>\n',
    'tests/proto/codec_test.cc': '#include <doctest/doctest.h>\n',
    'tests/placement/slots_test.cc': '', 'tests/cluster/gossip_test.cc': '',
    'README.md': '', '.gitignore': '/build/\n',
}
PLANTED = {  # what is wrong: (file, line to add, words of the answer)
    'the engine includes the cluster': ('engine/room.h', '#include "cluster/gossip.h"', 'engine may not include cluster'),
    'the cluster includes the engine': ('cluster/gossip.cc', '#include "engine/room.h"', 'cluster may not include engine'),
    'a core includes the node': ('proto/codec.h', '#include "node/core.h"', 'proto may not include node'),
    'placement includes the engine': ('placement/slots.cc', '#include "engine/room.h"', 'placement may not include engine'),
    'an include without its folder': ('engine/room.h', '#include "history.h"', 'name it from the root'),
    'a public header that is not there': ('engine/room.h', '#include <chatx/nothing.h>', 'not in any include/ folder'),
    'Asio in the core of the node': ('node/core.cc', '#include <boost/asio/post.hpp>', 'boost is for'),
    'Beast outside the HTTP file': ('node/gateway/session.cc', '#include <boost/beast/http.hpp>', 'boost/beast is for'),
    'all of Asio': ('node/net/loop.cc', '#include <boost/asio.hpp>', 'include the part that is used'),
    'SQLite outside the stores': ('node/core.cc', '#include <sqlite3.h>', 'sqlite3 is for node/store/'),
    'a hash outside placement': ('engine/room.h', '#include <xxhash.h>', 'xxhash is for placement/'),
    'a test library in a core': ('proto/codec.cc', '#include <doctest/doctest.h>', 'doctest is for tests/'),
    'a stream in a core': ('proto/codec.cc', '#include <iostream>', 'iostream is for'),
    'a mutex outside node/net': ('node/core.cc', '#include <mutex>', 'mutex is for'),
    'a clock in a core': ('engine/room.h', 'auto t = std::chrono::system_clock::now();', 'take the time as a parameter'),
    'a clock in the core of the node': ('node/core.cc', 'auto t = steady_clock::now();', 'take the time as a parameter'),
    'a random device in a core': ('cluster/gossip.cc', 'std::random_device seed;', 'take an Entropy&'),
    'a thread in a core': ('engine/room.h', 'std::jthread worker;', 'post to a loop'),
    'a sleep in a test': ('tests/proto/codec_test.cc', 'std::this_thread::sleep_for(1s);', 'wait for the event'),
    'a library part that one compiler lacks': ('node/core.cc', 'std::format("{}", 1);', 'cannot compile it'),
    'a coroutine in a core': ('engine/room.h', 'co_return;', 'cores return actions'),
    'a capturing coroutine lambda': ('node/net/loop.cc', 'auto f = [this]() -> asio::awaitable<void> {};', 'name the coroutine'),
    'an unfinished mark': ('proto/codec.cc', '// TO' 'DO: later', 'finish it or file it'),
    'a silenced check without a reason': ('proto/codec.cc', 'int* p = 0;  // NO' 'LINT(modernize-use-nullptr)', 'the reason'),
    'a silenced check without a name': ('proto/codec.cc', 'int* p = 0;  // NO' 'LINT', 'name the check'),
    'a core file without a test': ('proto/frame.cc', '', 'no tests/proto/frame_test.cc'),
    'a header that may be included twice': ('node/twice.h', 'struct Twice {};', 'no #pragma once'),
    'a stranger in the root': ('notes.txt', '', 'notes.txt: the root holds only'),
    'a stranger folder in the root': ('library/word.h', '', 'library: the root holds only'),
}
FINE = {  # what looks like a breach and is none: (file, line to add)
    'a clock in a comment': ('engine/room.h', '// Never steady_clock::now(): the time is a parameter.'),
    'a hidden file in the root': ('.editorconfig', ''),
    'what git ignores': ('build/dev/notes.txt', ''),
    'a silenced check with name and reason': ('node/core.cc', 'f();  // NO' 'LINT(bugprone-x): the library wants it'),
    'a reason that did not fit the line': ('node/core.cc', 'g();  // NO' 'LINT(bugprone-x):\n// the library wants it'),
}


class CheckTree(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix='check_tree_'))
        self.addCleanup(shutil.rmtree, self.root)
        for name, text in GOOD.items():
            self.plant(name, text)
        shutil.copy(TOOLS / 'layers.txt', self.root / 'tools/layers.txt')

    def plant(self, name, line):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open('a') as file:
            file.write(line + '\n')

    def check(self):
        check_tree.ROOT = self.root
        with contextlib.redirect_stdout(io.StringIO()) as said:
            failed = check_tree.main()
        return failed, said.getvalue().splitlines()

    def expect_clean(self):
        failed, lines = self.check()
        self.assertFalse(failed, lines)
        self.assertEqual(lines, ['7 folders: no breach'])

    def expect_breach(self, name, answer):
        failed, lines = self.check()
        self.assertEqual((failed, len(lines)), (True, 1), lines)
        self.assertTrue(lines[0].startswith(name.split('/')[0]), lines)
        self.assertIn(answer, lines[0])

    def start_again(self):
        self.doCleanups()
        self.setUp()

    def test_a_good_tree_has_no_breach(self):
        self.expect_clean()

    def test_each_planted_breach_is_the_one_thing_told(self):
        for what, (name, line, answer) in PLANTED.items():
            with self.subTest(what):
                self.start_again()
                self.plant(name, line)
                self.expect_breach(name, answer)

    def test_what_only_looks_like_a_breach_is_not_told(self):
        for name, line in FINE.values():
            self.plant(name, line)
        self.expect_clean()

    def test_in_a_checkout_ignored_names_in_the_root_do_not_count_and_new_ones_do(self):
        subprocess.run(['git', 'init', '-q', self.root], check=True)
        self.plant('build/notes.txt', '')
        self.expect_clean()
        self.plant('notes.txt', '')
        self.expect_breach('notes.txt', 'notes.txt: the root holds only')

    def test_the_program_tells_its_answer_by_the_exit_status(self):
        program = [sys.executable, TOOLS / 'check_tree.py', self.root]
        self.assertEqual(subprocess.run(program, capture_output=True).returncode, 0)
        self.plant('notes.txt', '')
        self.assertEqual(subprocess.run(program, capture_output=True).returncode, 1)

    def test_a_long_file_is_told_and_is_no_breach(self):
        self.plant('node/core.cc', '\n' * 600)
        failed, lines = self.check()
        self.assertFalse(failed, lines)
        self.assertIn('note: node/core.cc: 603 lines', lines)


if __name__ == '__main__':
    unittest.main()
