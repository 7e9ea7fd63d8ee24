#!/usr/bin/env python3
"""The stages of tools/test: builds, runs every test, sums up. Called by tools/test, which installs the packages first.

A stage is a function that is given a Tally; it counts checks there and writes what its programs say to a log under
build/test, of which the end is shown when something failed. A stage that breaks off counts as one failed check.
"""
import argparse
import concurrent.futures
import contextlib
import glob
import hashlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / 'build/test'
CLIENTS = ROOT / 'tests/clients'
BUILD_SECONDS_MAX = 2400
TESTS_SECONDS_MAX = 900
CLIENT_SECONDS_MAX = 300
FUZZ_SECONDS = 30  # for each fuzzer
START_SECONDS_MAX = 30
LINES_SHOWN_MAX = 200
ENVIRONMENT = {  # for all programs: nothing that configures a chatxd, and strict sanitizers
    **{name: value for name, value in os.environ.items() if not name.startswith('CHATX_')},
    'ASAN_OPTIONS': 'detect_stack_use_after_return=1:strict_string_checks=1',
    'UBSAN_OPTIONS': 'print_stacktrace=1',
    'TSAN_OPTIONS': 'second_deadlock_stack=1',
}


class Broken(Exception):
    """The stage cannot go on; the text says why."""


class Tally:
    """What one stage found, and its log."""

    def __init__(self, name):
        self.name, self.passed, self.failed, self.started = name, 0, 0, time.monotonic()
        self.summary = ''  # Shown behind the counts, also when all is well.
        self.path = LOGS / (re.sub(r'\W+', '-', name) + '.log')
        self.log = self.path.open('w')

    def count(self, passed, failed=0):
        self.passed += passed
        self.failed += failed

    def run(self, *command, seconds_max=TESTS_SECONDS_MAX, env=None):
        """Runs a command into the log; True when it ended with 0. Ends it, with its children, when it takes too long."""
        print('$', *command, file=self.log, flush=True)
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                   env={**ENVIRONMENT, **(env or {})}, start_new_session=True)
        try:
            return process.wait(seconds_max) == 0
        except subprocess.TimeoutExpired:
            print(f'not done after {seconds_max} s', file=self.log, flush=True)
            return False
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def need(self, *command, seconds_max=BUILD_SECONDS_MAX):
        if not self.run(*command, seconds_max=seconds_max):
            raise Broken(' '.join(map(str, command)))

    def build(self, preset, *targets):
        self.need('cmake', '--preset', preset)
        self.need('cmake', '--build', '--preset', preset, *(('--target', *targets) if targets else ()))

    def show(self):
        lines = self.path.read_text(errors='replace').splitlines()
        print(*lines[-LINES_SHOWN_MAX:], sep='\n')
        if len(lines) > LINES_SHOWN_MAX:
            print(f'(the last {LINES_SHOWN_MAX} of {len(lines)} lines of {self.path})')


def run_ctest(tally, directory, *selection, wrapper=()):
    """Runs ctest and counts: the cases of a doctest program, otherwise each test as one."""
    report = (LOGS / f'{tally.path.stem}.xml').resolve()
    report.unlink(missing_ok=True)
    ended_well = tally.run(*wrapper, 'ctest', '--test-dir', directory, *selection, '--output-on-failure', '--no-tests=error',
                           '-j', str(os.cpu_count()), '--output-junit', report, '--test-output-size-passed', '1000000')
    if not report.exists():
        raise Broken(f'ctest made no report for {directory}')
    before = tally.failed
    for test in xml.parse(report).getroot().iter('testcase'):
        if test.get('status') in ('disabled', 'notrun') and test.find('failure') is None:
            continue
        said = re.findall(r'\[doctest\] test cases: +\d+ \| +(\d+) passed \| +(\d+) failed', test.findtext('system-out') or '')
        passed, failed = map(int, said[-1]) if said else (0, 0)
        if test.get('status') == 'fail':
            failed = max(failed, 1)  # A crash or a time-out has no summary, or one that looks well.
        elif not said:
            passed = 1
        tally.count(passed, failed)
    if not ended_well and tally.failed == before:
        tally.count(0, 1)


def run_node(tally, name, files, env):
    """Runs test files with Node's test runner and counts its tests."""
    if not files:
        raise Broken(f'no test files for {name}')
    report = LOGS / f'{name}.tap'
    report.unlink(missing_ok=True)
    ended_well = tally.run('node', '--test', '--test-reporter=spec', '--test-reporter-destination=stdout',
                           '--test-reporter=tap', f'--test-reporter-destination={report}', *files, env=env,
                           seconds_max=CLIENT_SECONDS_MAX)
    said = dict(re.findall(r'^# (pass|fail|cancelled) (\d+)$', report.read_text() if report.exists() else '', re.M))
    failed = int(said.get('fail', 0)) + int(said.get('cancelled', 0))
    tally.count(int(said.get('pass', 0)), failed or (0 if ended_well and said else 1))


def run_tap(tally, *command, env):
    """Runs a program that prints one TAP line for each check, and counts those."""
    start = tally.log.tell()
    ended_well = tally.run(*command, env=env, seconds_max=CLIENT_SECONDS_MAX)
    said = tally.path.read_bytes()[start:].decode(errors='replace')
    passed, failed = (len(re.findall(f'^{line} [0-9]+', said, re.M)) for line in ('ok', 'not ok'))
    tally.count(passed, failed or (0 if ended_well and passed else 1))


def install_clients(tally):
    """npm ci, unless what is there was installed from this very lock file."""
    lock = hashlib.sha256((CLIENTS / 'package-lock.json').read_bytes()).hexdigest()
    mark = CLIENTS / 'node_modules/.installed-from'
    if not mark.exists() or mark.read_text() != lock:
        tally.need('npm', 'ci', '--prefix', CLIENTS, '--ignore-scripts', '--no-audit', '--no-fund', seconds_max=600)
        mark.write_text(lock)


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


@contextlib.contextmanager
def running_node(tally, binary):
    """A `chatxd --dev` on a free port; gives its URL. Its clean end on SIGTERM is one more check."""
    url = f'http://127.0.0.1:{(port := free_port())}'
    log_path = LOGS / 'chatxd.log'
    with log_path.open('w') as log:
        node = subprocess.Popen([binary, '--dev', '--listen', f'127.0.0.1:{port}'], cwd=ROOT, stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, env=ENVIRONMENT)
    failed_before, well = tally.failed, False
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not answers(f'{url}/healthz'):
            if node.poll() is not None or time.monotonic() > deadline:
                raise Broken(f'{binary} does not answer at {url}/healthz')
            time.sleep(0.05)
        yield url
        node.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            well = node.wait(START_SECONDS_MAX) == 0
        tally.count(*((1, 0) if well else (0, 1)))
    finally:
        if node.poll() is None:
            node.kill()
            node.wait()
        if not well or tally.failed > failed_before:
            print(f'--- chatxd ended with {node.returncode}; its log:', log_path.read_text(errors='replace'),
                  sep='\n', file=tally.log, flush=True)


def need_chatxd(tally, preset):
    tally.build(preset, 'chatxd', 'chatxctl')
    return ROOT / f'build/{preset}/bin/chatxd'


def stage_dev(tally):
    tally.build('dev')
    run_ctest(tally, 'build/dev', '-L', '^(unit|net)$')


def stage_asan(tally):
    tally.build('asan')
    run_ctest(tally, 'build/asan')


def stage_tsan(tally):
    """Threads are in node/ only. A fixed address layout, where it may be asked for: TSan loses its way in some."""
    tally.build('tsan', 'node/all', 'tests/node/all')
    fixed = ('setarch', '-R')
    run_ctest(tally, 'build/tsan/tests/node', wrapper=fixed if tally.run(*fixed, 'true') else ())


def stage_headers(tally):
    tally.build('dev', 'all_verify_interface_header_sets')
    tally.count(1)


def stage_tidy(tally):
    tally.count(*((1, 0) if tally.run('tools/tidy.py', seconds_max=BUILD_SECONDS_MAX) else (0, 1)))


def stage_clients(tally, preset='asan'):
    install_clients(tally)
    binary = need_chatxd(tally, preset)
    table = LOGS / 'clients.txt'
    table.unlink(missing_ok=True)
    with running_node(tally, binary) as url:
        env = {'CHATX_URL': url, 'CHATXD': str(binary), 'CHATX_TABLE': str(table)}
        run_node(tally, 'clients', sorted(glob.glob(f'{CLIENTS}/*.test.mjs')), env)
    tally.summary = table.read_text() if table.exists() else ''


def stage_browser(tally):
    install_clients(tally)
    with running_node(tally, need_chatxd(tally, 'asan')) as url:
        run_tap(tally, 'node', 'tests/browser/chat.mjs', env={'CHATX_URL': url})


def stage_chaos(tally):
    """With what tools/run builds: its compiler flags find other faults than those of the other presets."""
    install_clients(tally)
    env = {'CHATXD': str(need_chatxd(tally, 'release'))}
    run_node(tally, 'chaos', sorted(glob.glob(f'{ROOT}/tests/chaos/*.test.mjs')), env)


def stage_fuzz(tally):
    """Each fuzzer, from its kept corpus on, two at a time. The seed is printed; what fails stays as build/test/fuzz-..."""
    tally.build('fuzz', 'tests/fuzz/all')
    seed = int.from_bytes(os.urandom(4), 'little') | 1
    fuzzers = sorted(path for path in (ROOT / 'build/fuzz/tests/fuzz').glob('fuzz_*') if os.access(path, os.X_OK))

    def fuzz(program):
        name = program.name.removeprefix('fuzz_')
        with tempfile.TemporaryDirectory() as found, (LOGS / f'fuzz-{name}.log').open('w') as log:
            command = (program, found, ROOT / f'tests/fuzz/corpus/{name}', f'-max_total_time={FUZZ_SECONDS}', '-timeout=10',
                       '-rss_limit_mb=2048', '-max_len=4096', f'-seed={seed}', f'-artifact_prefix={LOGS}/fuzz-{name}-')
            return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT,
                                  timeout=10 * FUZZ_SECONDS, check=False).returncode == 0

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for program, well in zip(fuzzers, pool.map(fuzz, fuzzers)):
            tally.count(*((1, 0) if well else (0, 1)))
            if not well:
                print(f'--- {program.name}, seed {seed}', (LOGS / f'{program.name.replace("_", "-", 1)}.log').read_text(errors='replace')[-4000:],
                      sep='\n', file=tally.log, flush=True)
    if not fuzzers:
        raise Broken('no fuzzers were built')


STAGES = {name.removeprefix('stage_'): stage for name, stage in list(globals().items()) if name.startswith('stage_')}
QUICK = ('dev', 'headers')


def run_stage(name):
    print(f'--- {name} ', end='', flush=True)
    tally = Tally(name)
    try:
        STAGES[name](tally)
    except Broken as why:
        tally.count(0, 1)
        print(f'broken off: {why}', file=tally.log)
    except Exception as bug:  # The other stages still have something to tell.
        tally.count(0, 1)
        print(f'broken off: {bug!r}', file=tally.log)
    tally.log.close()
    tally.seconds = time.monotonic() - tally.started
    print(f'{tally.passed} passed, {tally.failed} failed, {tally.seconds:.0f} s')
    if tally.failed:
        tally.show()
    if tally.summary:
        print(tally.summary, end='', flush=True)
    return tally


def main():
    parser = argparse.ArgumentParser(prog='tools/test', description='Builds and runs the tests.')
    parser.add_argument('--quick', action='store_true', help=f'only the stages {" ".join(QUICK)}')
    parser.add_argument('--only', metavar='STAGE', action='append', choices=STAGES, help=f'one of: {" ".join(STAGES)}')
    options = parser.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    tallies = [run_stage(name) for name in options.only or (QUICK if options.quick else STAGES)]
    passed, failed = sum(t.passed for t in tallies), sum(t.failed for t in tallies)
    print(f'\n{"stage":10} {"passed":>7} {"failed":>7} {"seconds":>8}')
    for tally in tallies:
        print(f'{tally.name:10} {tally.passed:7} {tally.failed:7} {tally.seconds:8.0f}')
    print(f'{passed} passed, {failed} failed')
    return failed > 0 or passed == 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
