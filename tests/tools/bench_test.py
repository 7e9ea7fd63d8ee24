#!/usr/bin/env python3
"""chatx-bench against a real chatxd, each measurement tiny: what it prints, what it leaves behind, how it ends early.

CHATXD, CHATXBENCH and CHATXCTL name the programs. The figures of such runs mean nothing; they are looked at for being
there. Bun is measured too where npm has put it.
"""
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

CHATXD, BENCH, CHATXCTL = (os.environ[name] for name in ('CHATXD', 'CHATXBENCH', 'CHATXCTL'))
SECONDS_MAX = 60
TINY = ['--node', CHATXD, '--rounds', '1', '--seconds', '0.05', '--subscribers', '10']
FIGURES = {
    'connect': ['joins_per_cpu_second'],
    'fanout': ['deliveries_per_cpu_second'],
    'rooms': ['deliveries_per_cpu_second'],
    'storm': ['seconds_until_all_are_back', 'cpu_seconds', 'refusals'],
    'idle': ['kib_per_connection', 'cpu_ms_per_second'],
    'latency': ['p50_ms', 'p99_ms', 'p99_9_ms'],
}
# What may truly be nothing: refusals, and what so few clients need when they are silent.
MAY_BE_ZERO = {'refusals', 'kib_per_connection', 'cpu_ms_per_second'}
WITHOUT_FLOOR = {'idle'}


def bench(*arguments, program=(BENCH,), env=None):
    return subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=SECONDS_MAX,
                          stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})


def children_of(process):
    """The ids of the processes that a process started."""
    found = pathlib.Path(f'/proc/{process}/task/{process}/children').read_text()
    return [int(child) for child in found.split()]


def gone(process):
    """Whether there is no such process, or only its exit status."""
    try:
        return pathlib.Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[0] == 'Z'
    except FileNotFoundError:
        return True


def until(condition, what):
    """Waits for what another process does."""
    deadline = time.monotonic() + SECONDS_MAX
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f'{what}: not within {SECONDS_MAX} s')
        time.sleep(0.01)
    return found


class Bench(unittest.TestCase):
    def ok(self, *arguments, **options):
        ended = bench(*arguments, **options)
        self.assertEqual((ended.returncode, ended.stderr), (0, ''), ended.stdout)
        return ended.stdout

    def check_values(self, key, values):
        self.assertEqual(len(values['rounds']), 1)
        self.assertEqual(values['median'], values['rounds'][0])
        self.assertLessEqual(values['lowest'], values['highest'])
        if key not in MAY_BE_ZERO:
            self.assertGreater(values['lowest'], 0, key)

    def check(self, measurement, peer=None):
        """A measurement as JSON has it."""
        name = measurement['name']
        self.assertEqual(set(measurement), {'name', 'parameters', 'figures'})
        self.assertEqual(measurement['parameters']['subscribers'], 10)
        self.assertEqual([figure['key'] for figure in measurement['figures']], FIGURES[name])
        sides = ['chatx'] + ['floor'] * (name not in WITHOUT_FLOOR) + [peer] * bool(peer)
        for figure in measurement['figures']:
            self.assertIn(figure['better'], ('more', 'less'))
            self.assertEqual([side['name'] for side in figure['sides']], sides)
            ours, *others = [side for side in figure['sides'] if 'missing' not in side]
            self.check_values(figure['key'], ours['values'])
            for other in others:
                self.check_values(figure['key'], other['values'])
                pair = [ours['values']['median'], other['values']['median']]
                if figure['better'] == 'less':
                    pair.reverse()
                if min(pair) > 0:
                    self.assertAlmostEqual(other['ratio']['median'], pair[0] / pair[1])
                else:
                    self.assertEqual(other['ratio']['rounds'], [])

    def document(self, *arguments):
        lines = self.ok(*arguments, '--json').splitlines()
        self.assertEqual(len(lines), 1)
        document = json.loads(lines[0])
        self.assertEqual(document['schema'], 'chatx.bench.v1')
        self.assertEqual((document['rounds'], document['seconds']), (1, 0.05))
        self.assertGreaterEqual(document['processors'], 1)
        return document['measurements']

    def test_every_measurement_gives_all_its_figures_as_json(self):
        for name in FIGURES:
            with self.subTest(name):
                [measurement] = self.document(name, *TINY)
                self.assertEqual(measurement['name'], name)
                self.check(measurement)

    def test_all_of_them_in_one_table_each_and_one_page(self):
        with tempfile.TemporaryDirectory(prefix='bench-') as directory:
            page = pathlib.Path(directory) / 'page.html'
            text = self.ok('all', *TINY, '--plot', page)
            self.check_tables(text)
            self.check_page(page.read_text())

    def check_tables(self, text):
        self.assertLessEqual(max(map(len, text.splitlines())), 80, text)
        self.assertNotIn('\x1b', text)
        self.assertEqual(re.findall(r'^(\w+)\nsubscribers 10\b', text, re.M), list(FIGURES))
        self.assertEqual(len(re.findall(r'^  chatx +\d', text, re.M)), sum(map(len, FIGURES.values())))

    def check_page(self, page):
        self.assertNotRegex(page, r'(?i)https?:|src=|href=|url\(|@import|<script')
        self.assertIn('prefers-color-scheme: dark', page)
        self.assertIn('<title>chatx-bench</title>', page)
        drawings = re.findall(r'<svg [^>]*role="img" aria-labelledby="([^"]+)">\n<title id="([^"]+)">([^<]+)<', page)
        self.assertEqual(len(drawings), sum(map(len, FIGURES.values())))
        for label, title, words in drawings:
            self.assertEqual(label, title)
            self.assertIn('chatx ', words)

    def test_what_the_shell_sets_for_nodes_is_not_for_the_measured_one(self):
        self.ok('fanout', *TINY, env={'CHATX_SHARDS': 'nonsense'})

    def test_loads_can_be_chosen(self):
        [fanout] = self.document('fanout', *TINY, '--undelivered', '1', '--content', '16', '--set', 'shards=1')
        self.assertEqual(fanout['parameters'], {'subscribers': 10, 'undelivered': 1, 'content_bytes': 16})
        [storm] = self.document('storm', *TINY, '--room-size', '5')
        self.assertEqual(storm['parameters'], {'subscribers': 10, 'room_size': 5})
        [latency] = self.document('latency', *TINY, '--rate', '100')
        self.assertEqual(latency['parameters']['messages_per_second'], 100)

    def test_bun_stands_beside_it_where_npm_has_put_it(self):
        measurements = self.document('all', *TINY, '--peer', 'bun')
        for measurement in measurements:
            self.check(measurement, peer='bun')
        missing = {side.get('missing') for measurement in measurements for figure in measurement['figures']
                   for side in figure['sides'] if side['name'] == 'bun'}
        if missing != {None}:
            self.skipTest(f'no Bun here: {missing}')

    def test_a_peer_that_is_not_there_is_told_and_has_no_figures(self):
        text = self.ok('fanout', *TINY, '--bun', '/nowhere/bun')
        self.assertRegex(text, r'(?m)^  bun +- +- +- +-$')
        self.assertIn('; bun: not found', text)
        [fanout] = self.document('fanout', *TINY, '--bun', '/nowhere/bun')
        self.check(fanout, peer='bun')

    def test_help_fits_a_terminal(self):
        self.assertLessEqual(max(map(len, self.ok('--help').splitlines())), 80)

    def test_wrong_use_is_told_in_one_line(self):
        for arguments in ([], ['nonsense'], ['fanout', '--rounds', '0'], ['fanout', '--seconds', '1e9'],
                          ['rooms', '--subscribers', '15'], ['idle', '--subscribers', '9'], ['fanout', '--peer', 'x']):
            with self.subTest(arguments):
                ended = bench(*arguments)
                self.assertEqual((ended.returncode, ended.stdout), (2, ''))
                self.assertRegex(ended.stderr, r'\Achatx-bench: .+\n\Z')

    def test_a_node_that_does_not_start_and_a_page_that_cannot_be_written_are_told(self):
        for arguments in (['--node', '/bin/false'], ['--node', '/nowhere/chatxd'],
                          ['--node', CHATXD, '--plot', '/nowhere/page.html']):
            with self.subTest(arguments):
                ended = bench('fanout', '--subscribers', '10', *arguments)
                self.assertEqual((ended.returncode, ended.stdout), (1, ''))
                self.assertRegex(ended.stderr, r'\Achatx-bench: .*/(false|nowhere).*\n\Z')

    def begin(self, **options):
        """A measurement that would take minutes, once its servers are there."""
        process = subprocess.Popen(
            [BENCH, 'fanout', '--node', CHATXD, '--subscribers', '10', '--rounds', '100', '--seconds', '60'],
            stdin=subprocess.DEVNULL, **options)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, until(lambda: len(found := children_of(process.pid)) == 2 and found, 'the servers are there')

    def test_an_interrupted_measurement_leaves_no_process(self):
        for how, code in ((signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)):
            with self.subTest(how):
                process, servers = self.begin(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                process.send_signal(how)
                out, err = process.communicate(timeout=SECONDS_MAX)
                self.assertEqual((process.returncode, out), (code, ''))
                self.assertEqual(err, '' if how == signal.SIGKILL else 'chatx-bench: interrupted\n')
                until(lambda: all(map(gone, servers)), 'the servers are gone')

    def test_a_terminal_sees_how_far_it_is(self):
        main, end = pty.openpty()
        self.addCleanup(os.close, main)
        process, _ = self.begin(stdout=subprocess.PIPE, stderr=end)
        os.close(end)
        shown = b''
        while b'of 202' not in shown and select.select([main], [], [], SECONDS_MAX)[0]:
            shown += os.read(main, 4096)
        self.assertRegex(shown.decode(), r'\rfanout   \[\.{40}\] 0 of 202')
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(timeout=SECONDS_MAX)[0], b'')
        self.assertIn(b'\r\x1b[K', os.read(main, 4096))

    def test_chatxctl_runs_the_one_beside_it(self):
        with tempfile.TemporaryDirectory(prefix='bench-') as directory:
            alone = shutil.copy(CHATXCTL, directory)
            ended = bench('bench', 'fanout', program=(alone,))
            self.assertEqual((ended.returncode, ended.stdout), (1, ''))
            self.assertRegex(ended.stderr, rf'\Achatxctl: cannot run {directory}/chatx-bench: No such file.*\n\Z')
            os.symlink(BENCH, f'{directory}/chatx-bench')
            document = json.loads(self.ok('bench', 'fanout', *TINY, '--json', program=(alone,)))
            self.assertEqual(document['schema'], 'chatx.bench.v1')
            self.assertIn('Usage: chatx-bench', self.ok('bench', '--help', program=(alone,)))


if __name__ == '__main__':
    sys.exit(unittest.main())
