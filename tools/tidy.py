#!/usr/bin/env python3
"""Runs clang-tidy on the changed files. A file that passed is not checked again until it or what it includes changes.

    tools/tidy.py              files changed since the base, see below, and those not committed yet
    tools/tidy.py --all        every file of the project
    tools/tidy.py FILE...      these files

The base is $TIDY_BASE; else where this branch left its upstream; else, when that is here, the commit before. For a
header, the file of its name is checked, or else the smallest file that includes it. What passed is remembered in the
user's cache folder by a hash of all that the answer depends on, so a fresh clone profits too.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / 'build/tidy'
PASSED = pathlib.Path(os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache') / 'chatx/tidy'
PASSED_DAYS_MAX = 30
FILE_SECONDS_MAX = 600
SOURCE = re.compile(r'(proto|placement|engine|cluster|node|tools|tests)/.*\.(h|cc)')


def output(*command):
    """What a command prints; None where it fails, as git does outside a checkout."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def base():
    """The revision to compare with; None when every file counts as changed."""
    head = output('git', 'rev-parse', 'HEAD')
    upstream = output('git', 'merge-base', 'HEAD', '@{upstream}')
    if wanted := os.environ.get('TIDY_BASE') or (upstream if upstream != head else None):
        return wanted
    return output('git', 'rev-parse', 'HEAD~1')


def changed():
    since = base()
    known = output('git', 'diff', '--name-only', '--diff-filter=d', since) if since else output('git', 'ls-files')
    fresh = output('git', 'ls-files', '--others', '--exclude-standard')
    if known is None:
        return None
    return [name for name in f'{known}\n{fresh}'.split('\n') if SOURCE.fullmatch(name) and (ROOT / name).exists()]


class Includes:
    """Which files of the project a file includes, directly or through others."""

    def __init__(self):
        self.direct, self.public = {}, {}
        for header in ROOT.glob('*/include/chatx/*.h'):
            self.public[f'chatx/{header.name}'] = header.relative_to(ROOT).as_posix()

    def of_one(self, name):
        if name not in self.direct:
            text = (ROOT / name).read_text(errors='replace')
            found = re.findall(r'^\s*#\s*include\s*["<]([^">]+)[">]', text, re.M)
            found = (self.public.get(include, include) for include in found)
            self.direct[name] = [include for include in found if (ROOT / include).is_file()]
        return self.direct[name]

    def of(self, name):
        seen, todo = set(), [name]
        while todo:
            for include in self.of_one(todo.pop()):
                if include not in seen:
                    seen.add(include)
                    todo.append(include)
        return seen


def sources_for(names, commands, includes):
    """The .cc files to check for changed files; a header is seen through one file that includes it."""
    chosen = {}
    for name in names:
        if name in commands:
            chosen[name] = None
        elif name.endswith('.h'):
            users = [source for source in commands if name in includes.of(source)]
            stem = pathlib.Path(name).stem
            users.sort(key=lambda source: (pathlib.Path(source).stem != stem, (ROOT / source).stat().st_size, source))
            chosen.update(dict.fromkeys(users[:1]))
    return sorted(chosen)


def stamp(name, command, includes, version):
    """Names everything that the answer for a file depends on, wherever the tree lies."""
    digest = hashlib.sha256(f'{version}\n{command.replace(str(ROOT), "")}\n'.encode())
    settings = [folder / '.clang-tidy' for folder in (ROOT / name).parents if folder.is_relative_to(ROOT)]
    for path in [ROOT / name, *(ROOT / include for include in sorted(includes.of(name))), *filter(pathlib.Path.exists, settings)]:
        digest.update(path.relative_to(ROOT).as_posix().encode() + b'\0' + path.read_bytes() + b'\0')
    return PASSED / digest.hexdigest()


def configure():
    """Makes the compile commands; returns them by file name, with their objects."""
    BUILD.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(['cmake', '--preset', 'tidy'], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    commands = {}
    for entry in json.loads((BUILD / 'compile_commands.json').read_text()):
        path = pathlib.Path(entry['file'])
        if path.is_relative_to(ROOT) and SOURCE.fullmatch(name := path.relative_to(ROOT).as_posix()):
            commands[name] = (entry['command'], entry.get('output', ''))
    return commands


def make_generated(objects):
    """Builds the headers that the build makes and these objects include."""
    inputs = output('ninja', '-C', str(BUILD), '-t', 'inputs', *objects) or ''
    generated = [name for name in inputs.splitlines() if name.endswith(('.h', '.inc')) and not os.path.isabs(name)]
    if generated:
        subprocess.run(['ninja', '-C', str(BUILD), '--quiet', *generated], check=True)


def check(name):
    try:
        done = subprocess.run(['clang-tidy', '--quiet', '-p', str(BUILD), name], cwd=ROOT, capture_output=True,
                              text=True, timeout=FILE_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return False, f'{name}: not done after {FILE_SECONDS_MAX} s\n'
    return done.returncode == 0, done.stdout + (done.stderr if done.returncode and not done.stdout else '')


def forget_old():
    PASSED.mkdir(parents=True, exist_ok=True)
    for path in PASSED.iterdir():
        if path.stat().st_mtime < time.time() - PASSED_DAYS_MAX * 86400:
            path.unlink(missing_ok=True)


def main(arguments):
    commands, includes = configure(), Includes()
    names = None if arguments == ['--all'] else arguments or changed()
    chosen = sorted(commands) if names is None else sources_for(names, commands, includes)
    version = output('clang-tidy', '--version')
    forget_old()
    stamps = {name: stamp(name, commands[name][0], includes, version) for name in chosen}
    todo = [name for name in chosen if not stamps[name].exists()]
    if todo:
        make_generated([commands[name][1] for name in todo])
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, (passed, findings) in zip(todo, pool.map(check, todo)):
            if passed:
                stamps[name].touch()
            else:
                bad += 1
                print(findings, end='', flush=True)
    print(f'clang-tidy: {len(chosen)} files, {len(chosen) - len(todo)} passed before, {bad} with findings')
    return bad > 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
