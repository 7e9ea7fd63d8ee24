#!/usr/bin/env python3
"""Checks what the compiler cannot: which folder includes which, what a core may not touch, what the root holds.

The rules of including and the names of the root are in layers.txt beside this file, the others below.
    check_tree.py [ROOT]    one line per breach, exit status 1 if there is one
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
LINES_USUAL = 500  # told, not failed: a longer file wants a reason
TESTED = ('proto', 'placement', 'engine', 'cluster')  # each .cc here has its test file
REAL = ('node/net/', 'tools/', 'tests/node/', 'tests/support/', 'tests/chaos/', 'tests/tools/')  # may touch the world
CODE = {  # pattern: (where it is allowed, what to do instead); comments are not looked at
    r'\b(system|steady|high_resolution|utc)_clock::now\b|\bclock_gettime\b': (REAL, 'take the time as a parameter'),
    r'\brandom_device\b|\bs?rand\(|\bgetrandom\(|\brandombytes_': (REAL, 'take an Entropy&'),
    r'\bstd::j?thread\b|\bstd::async\b': (REAL, 'post to a loop'),
    r'\bsleep_(for|until)\b|\bu?sleep\(': (('tests/support/', 'tests/chaos/', 'tools/bench/'), 'wait for the event'),
    r'\bstd::(views|source_location|format|expected)\b': ((), 'GCC 12 or clang 14 cannot compile it'),
    r'\[[^\]\n]+\]\s*\([^()\n]*\)\s*(mutable\s*)?->\s*(\w+::)*awaitable\b': ((), 'name the coroutine: a lambda loses its captures'),
    r'^\s*#\s*include\s*<boost/(asio|beast)\.hpp>': ((), 'include the part that is used'),
    r'\bco_(await|return)\b': (('node/net/', 'node/gateway/', 'node/hooks/', 'tools/', 'tests/'), 'cores return actions'),
}
TEXT = {  # looked for in the whole line
    r'\b(TODO|FIXME|XXX)\b': 'finish it or file it',
    r'\bNOLINT(NEXTLINE|BEGIN)?\b(?!\([\w., -]+\)(:? +\S|:$))': 'name the check and, behind it, the reason',
}


def read_rules():
    root, folders, homes = set(), {}, {}
    for line in (ROOT / 'tools/layers.txt').read_text().splitlines():
        if line.strip() and not line.startswith('#'):
            names, places = line.split(':')
            if names == '/':
                root.update(places.split())
                continue
            for name in names.lstrip('<').split():
                (homes if names[0] == '<' else folders)[name] = places.split()
    return root, folders, homes


def root_names():
    """What the root holds: what git has or would add; outside a checkout, what lies there."""
    git = ['git', '-C', str(ROOT), 'ls-files', '-z', '--cached', '--others', '--exclude-standard']
    if (ROOT / '.git').exists():
        listed = subprocess.run(git, capture_output=True, text=True)
        if listed.returncode == 0:
            return {name.split('/')[0] for name in listed.stdout.split('\0') if name}
    return {path.name for path in ROOT.iterdir()} - {'build', 'data', '__pycache__'}


def root_breaches(allowed):
    for name in sorted(root_names()):
        if name not in allowed and not name.startswith('.'):
            yield f'{name}: the root holds only {" ".join(sorted(allowed))}'


def include_breaches(here, folder, quote, header, folders, homes, installed):
    package = 'capnp' if header.endswith('.capnp.h') else re.split(r'[/.]', header)[0]
    target = installed.get(header, header.split('/')[0])
    if quote == '"' and target not in folders:
        yield f'{header}: name it from the root, "folder/file.h"'
    if quote == '<' and header.startswith('chatx/') and header not in installed:
        yield f'<{header}> is not in any include/ folder'
    if target in folders and target not in (folder, *folders[folder]):
        yield f'{folder} may not include {target}'
    for name in sorted({package, '/'.join(header.split('/')[:2])}):
        if (quote == '<' or name == 'capnp') and name in homes and not here.startswith(tuple(homes[name])):
            yield f'{name} is for {", ".join(homes[name])}'


def line_breaches(here, line):
    code = line.split('//')[0]
    for pattern, (allowed, instead) in CODE.items():
        if re.search(pattern, code) and not here.startswith(tuple(allowed)):
            yield f'{line.strip()[:60]}: {instead}'
    for pattern, instead in TEXT.items():
        if re.search(pattern, line):
            yield f'{line.strip()[:60]}: {instead}'


def file_breaches(path, folder, rules):
    here, lines = path.relative_to(ROOT).as_posix(), path.read_text().splitlines()
    test = ROOT / 'tests' / path.relative_to(ROOT).with_name(path.stem + '_test.cc')
    if folder in TESTED and path.suffix == '.cc' and not test.exists():
        yield f'{here}: no {test.relative_to(ROOT)}'
    if path.suffix == '.h' and '#pragma once' not in lines:
        yield f'{here}: no #pragma once'
    if len(lines) > LINES_USUAL:
        print(f'note: {here}: {len(lines)} lines')
    for number, line in enumerate(lines, 1):
        found = list(line_breaches(here, line))
        if include := re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line):
            found += include_breaches(here, folder, include[1], include[2], *rules)
        yield from (f'{here}:{number}: {what}' for what in found)


def main():
    root, folders, homes = read_rules()
    installed = {h.relative_to(d / 'include').as_posix(): d.name
                 for d in map(ROOT.joinpath, folders) for h in (d / 'include').rglob('*.h')}
    breaches = list(root_breaches(root))
    for folder in folders:
        for path in sorted(p for p in (ROOT / folder).rglob('*') if p.suffix in ('.h', '.cc')):
            if 'node_modules' not in path.parts:
                breaches += file_breaches(path, folder, (folders, homes, installed))
    print('\n'.join(breaches) or f'{len(folders)} folders: no breach')
    return bool(breaches)


if __name__ == '__main__':
    sys.exit(main())
