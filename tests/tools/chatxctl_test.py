#!/usr/bin/env python3
"""Every command of chatxctl against a real chatxd: what it prints on a terminal, into a pipe and as JSON, and how it ends.

CHATXD and CHATXCTL name the programs.
"""
import contextlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import unittest

CHATXD, CHATXCTL = os.environ['CHATXD'], os.environ['CHATXCTL']
SECONDS_MAX = 30
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(('CHATX', 'XDG_RUNTIME'))}
COVERAGE = {'nodes': 1, 'answered': 1, 'missing': []}
OFFLINE = {'nodes': 0, 'answered': 0, 'missing': []}


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def until(condition, what):
    """Waits for what another process does."""
    deadline = time.monotonic() + SECONDS_MAX
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f'{what}: not within {SECONDS_MAX} s')
        time.sleep(0.02)
    return found


class Node:
    """A chatxd with a directory of its own."""

    def __init__(self, directory, *flags, data='data'):
        self.directory, self.data = pathlib.Path(directory), pathlib.Path(directory) / data
        self.socket, self.log = self.data / 'admin.sock', self.directory / f'log-{time.monotonic_ns()}'
        with self.log.open('w') as log:
            self.process = subprocess.Popen(
                [CHATXD, '--listen', '127.0.0.1:0', '--data', self.data, '--name', 'box', *flags],
                cwd=self.directory, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: ' ready ' in self.said() or self.process.poll() is not None, 'chatxd is ready')

    def said(self):
        return self.log.read_text(errors='replace')

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(SECONDS_MAX)


class Ended:
    def __init__(self, code, out, err=''):
        self.code, self.out, self.err = code, out, err

    @property
    def rows(self):
        """Tab-separated text as a list of dictionaries."""
        names, *rows = [line.split('\t') for line in self.out.splitlines()]
        return [dict(zip(names, row, strict=True)) for row in rows]


def ctl(*arguments, at=None, env=None, cwd=None):
    """Runs chatxctl with its output piped."""
    where = ['--socket', at] if at else []
    ended = subprocess.run([CHATXCTL, *where, *arguments], capture_output=True, text=True, timeout=SECONDS_MAX,
                           cwd=cwd, env={**ENVIRONMENT, **(env or {})})
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def on_terminal(*arguments, at=None):
    """Runs chatxctl on a pseudo-terminal, which says no width: 80 columns."""
    main, end = pty.openpty()
    process = subprocess.Popen([CHATXCTL, *(['--socket', at] if at else []), *arguments], env=ENVIRONMENT,
                               stdin=end, stdout=end, stderr=subprocess.PIPE)
    os.close(end)
    out = b''
    with contextlib.suppress(OSError):  # The end of a terminal is an error.
        while select.select([main], [], [], SECONDS_MAX)[0] and (part := os.read(main, 65536)):
            out += part
    os.close(main)
    err = process.communicate(timeout=SECONDS_MAX)[1].decode()
    return Ended(process.returncode, out.decode().replace('\r\n', '\n'), err)


class Scratch(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='ctl-'))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def start(self, *flags, **options):
        node = Node(self.directory, *flags, **options)
        self.addCleanup(node.end, signal.SIGKILL)
        return node


class WithNode(unittest.TestCase):
    """The tests share a node; each has rooms of its own."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix='ctl-')
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        cls.node = Node(cls.directory, '--set', 'delivery_max_retries=0', '--set', 'delivery_tick_ms=1')
        cls.addClassCleanup(cls.node.end)
        cls.at = str(cls.node.socket)

    def ctl(self, *arguments):
        return ctl(*arguments, at=self.at)

    def on_terminal(self, *arguments):
        ended = on_terminal(*arguments, at=self.at)
        self.assertLessEqual(max(map(len, ended.out.splitlines())), 80, ended.out)
        self.assertNotIn('\x1b', ended.out)
        return ended

    def ok(self, *arguments):
        ended = self.ctl(*arguments)
        self.assertEqual((ended.code, ended.err), (0, ''), ended.out)
        return ended

    def json(self, schema, *arguments):
        answer = json.loads(self.ok(*arguments, '--json').out)
        self.assertEqual((answer.pop('schema'), answer.pop('coverage')), (schema, COVERAGE))
        return answer

    def send(self, room, content, user='ops', *more):
        return self.json('chatx.sent.v1', 'room', 'send', room, content, '--user', user, *more)

    # Rooms.

    def test_send_prints_the_place_of_the_message(self):
        first, second = self.send('send', 'one'), self.send('send', 'two')
        self.assertEqual(set(first), {'room', 'id', 'seq', 'epoch', 'inserted_at'})
        self.assertEqual((first['room'], first['seq'], second['seq']), ('send', 1, 2))
        self.assertIsInstance(first['id'], str)
        self.assertRegex(first['epoch'], r'^[0-9a-f]+-[0-9a-f]+-[0-9a-f]+$')
        row, = self.ok('room', 'send', 'send', 'three', '--user', 'ops').rows
        self.assertEqual((list(row), row['seq']), (['room', 'id', 'seq', 'epoch', 'time'], '3'))
        self.assertRegex(self.on_terminal('room', 'send', 'send', 'four', '--user', 'ops').out, r'(?m)^seq +4$')

    def test_a_retry_of_a_send_makes_no_second_message(self):
        first, second = (self.send('retry', 'once', 'ops', '--client-id', 'c1') for _ in range(2))
        self.assertEqual(first, second)

    def test_a_send_that_is_refused_says_why(self):
        for arguments, code, reason in (
                (('room', 'send', 'refused', '', '--user', 'ops'), 2, 'invalid_content'),
                (('room', 'send', 'refused', 'x' * 5000, '--user', 'ops'), 1, 'message_too_large'),
                (('room', 'send', 'a\nb', 'x', '--user', 'ops'), 2, 'invalid_room_id'),
                (('room', 'send', 'refused', 'x', '--user', '\x7f'), 2, 'invalid_user_id')):
            with self.subTest(reason):
                ended = self.ctl(*arguments)
                self.assertEqual((ended.code, ended.out), (code, ''))
                self.assertRegex(ended.err, f'^chatxctl: {reason}: [^\n]+\n$')
                ended = self.ctl(*arguments, '--json')
                self.assertEqual((ended.code, json.loads(ended.out)['error']['reason']), (code, reason))

    def test_ls_lists_rooms_in_order_and_pages(self):
        for number in range(5):
            self.send(f'ls/{number}', 'x')
        listed = self.json('chatx.rooms.v1', 'room', 'ls', '--after', 'ls/', '--limit', '5')
        self.assertEqual([room['room'] for room in listed['rooms']], [f'ls/{n}' for n in range(5)])
        self.assertEqual(set(listed['rooms'][0]), {
            'room', 'slot', 'owner', 'state', 'epoch', 'seq', 'last_inserted_at', 'users', 'connections', 'listeners',
            'queue', 'memory_bytes'})
        ended = self.ctl('room', 'ls', '--after', 'ls/1', '--limit', '2')
        self.assertEqual((ended.code, [row['room'] for row in ended.rows]), (0, ['ls/2', 'ls/3']))
        self.assertEqual(self.json('chatx.rooms.v1', 'room', 'ls', '--after', 'ls/1', '--limit', '2')['next'], 'ls/3')
        self.assertRegex(self.on_terminal('room', 'ls').out,
                         r'(?m)^room +state +owner +seq +users +listeners +last message$')

    def test_info_and_where_answer_for_one_room(self):
        sent = self.send('a/b c?&=%', 'x')
        info = self.json('chatx.room.v1', 'room', 'info', 'a/b c?&=%')
        self.assertEqual((info['room'], info['seq'], info['epoch'], info['state'], info['owner']),
                         ('a/b c?&=%', 1, sent['epoch'], 'active', 'box'))
        where = self.json('chatx.room-where.v1', 'room', 'where', 'a/b c?&=%')
        self.assertEqual(where, {'room': 'a/b c?&=%', 'slot': info['slot'], 'owner': 'box', 'replicas': [],
                                 'epoch': sent['epoch'], 'seq': 1, 'state': 'active'})
        self.assertEqual(list(self.ok('room', 'where', 'a/b c?&=%').rows[0]), list(where))
        self.assertRegex(self.on_terminal('room', 'info', 'a/b c?&=%').out, r'(?m)^owner +box$')

    def test_a_room_that_never_was_is_not_found_and_has_an_owner_all_the_same(self):
        for command in ('info', 'members', 'history'):
            ended = self.ctl('room', command, 'nowhere')
            self.assertEqual((ended.code, ended.out), (5, ''), command)
            self.assertIn('not_found', ended.err)
        where = self.json('chatx.room-where.v1', 'room', 'where', 'nowhere')
        self.assertEqual((where['owner'], where['seq'], where['state']), ('box', 0, 'unused'))

    def test_history_is_read_forwards_and_backwards(self):
        for number in range(1, 6):
            self.send('history', f'words {number}')
        def seqs(*arguments):
            page = self.json('chatx.room-history.v1', 'room', 'history', 'history', *arguments)
            return [message['seq'] for message in page['messages']]
        self.assertEqual(seqs(), [1, 2, 3, 4, 5])
        self.assertEqual(seqs('--limit', '2'), [4, 5])
        self.assertEqual(seqs('--before', '4', '--limit', '2'), [2, 3])
        self.assertEqual(seqs('--after', '1', '--limit', '2'), [2, 3])
        message = self.json('chatx.room-history.v1', 'room', 'history', 'history', '--limit', '1')['messages'][0]
        self.assertEqual(set(message), {'id', 'room_id', 'user_id', 'content', 'inserted_at', 'seq', 'epoch'})
        latest = self.ok('room', 'tail', 'history', '-n', '2').rows
        self.assertEqual([row['content'] for row in latest], ['words 4', 'words 5'])
        ended = self.ctl('room', 'history', 'history', '--limit', '2')
        self.assertIn('there are more', ended.err)

    def test_what_users_write_cannot_steer_a_terminal(self):
        evil = 'a\x1b[31m\x07\t\n\x9b1m\u2028\u202e"\\中'
        self.send('evil', evil)
        for ended in (self.ctl('room', 'history', 'evil'), self.on_terminal('room', 'history', 'evil')):
            self.assertEqual(ended.code, 0)
            self.assertFalse(re.search('[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]', ended.out), repr(ended.out))
        self.assertEqual(self.ctl('room', 'history', 'evil').rows[0]['content'],
                         'a\\u001b[31m\\u0007\\t\\n\\u009b1m\\u2028\\u202e"\\\\中')
        said, = self.json('chatx.room-history.v1', 'room', 'history', 'evil')['messages']
        self.assertEqual(said['content'], evil)

    def test_members_of_a_room_without_any(self):
        self.send('members', 'x')
        members = self.json('chatx.room-members.v1', 'room', 'members', 'members')
        self.assertEqual(members, {'room': 'members', 'users': 0, 'connections': 0, 'listeners': 0, 'members': [],
                                   'next': None})
        self.assertEqual(self.ok('room', 'members', 'members').out, 'user\tconnections\tonline since\n')
        self.assertEqual(self.on_terminal('room', 'members', 'members').out, 'There are no members.\n')

    @contextlib.contextmanager
    def client_in(self, room, user):
        """A WebSocket client that has joined a room."""
        port = int(self.json('chatx.node.v1', 'node', 'info')['url'].rsplit(':', 1)[1])
        frame = json.dumps(['1', '1', f'room:{room}', 'phx_join', {}]).encode()
        with socket.create_connection(('127.0.0.1', port), SECONDS_MAX) as client:
            client.sendall(f'GET /socket/websocket?vsn=2.0.0&user_id={user} HTTP/1.1\r\nHost: localhost\r\n'
                           'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
                           'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'.encode())
            client.sendall(bytes([0x81, 0x80 | len(frame), 0, 0, 0, 0]) + frame)  # The mask of zeros changes nothing.
            heard = b''
            while b'presence_state' not in heard:
                heard += client.recv(65536)
            yield client

    def test_members_are_the_users_in_a_room(self):
        with self.client_in('party', 'bob'), self.client_in('party', 'ann'), self.client_in('party', 'bob'):
            party = self.json('chatx.room-members.v1', 'room', 'members', 'party')
            self.assertEqual((party['users'], party['connections'], party['listeners']), (2, 3, 0))
            self.assertEqual([(m['user'], m['connections']) for m in party['members']], [('ann', 1), ('bob', 2)])
            self.assertAlmostEqual(party['members'][0]['online_at'] / 1000, time.time(), delta=SECONDS_MAX)
            first = self.json('chatx.room-members.v1', 'room', 'members', 'party', '--limit', '1')
            self.assertEqual((len(first['members']), first['next']), (1, 'ann'))
            self.assertEqual([row['user'] for row in self.ok('room', 'members', 'party', '--after', 'ann').rows], ['bob'])
            self.assertRegex(self.on_terminal('room', 'members', 'party').out, r'(?m)^bob +2 +\d{4}-')
            self.assertEqual(self.json('chatx.room.v1', 'room', 'info', 'party')['users'], 2)
        until(lambda: self.json('chatx.room.v1', 'room', 'info', 'party')['users'] == 0, 'all have left')

    def test_a_reset_ends_memberships_and_keeps_what_was_said(self):
        sent = self.send('reset', 'kept')
        with self.client_in('reset', 'ann') as client:
            self.assertEqual(self.json('chatx.room-reset.v1', 'room', 'reset', 'reset'),
                             {'room': 'reset', 'memberships': 1})
            heard = b''
            while b'phx_error' not in heard:
                heard += client.recv(65536)
            self.assertIn(b'["1","1","room:reset","phx_error",{"reason":"channel_crash"}]', heard)
        history = self.json('chatx.room-history.v1', 'room', 'history', 'reset')
        self.assertEqual([message['id'] for message in history['messages']], [sent['id']])
        self.assertEqual(self.send('reset', 'more')['seq'], 2)
        self.assertEqual(self.ok('room', 'reset', 'reset').rows, [{'room': 'reset', 'memberships': '0'}])
        ended = self.ctl('room', 'reset', 'nowhere')
        self.assertEqual((ended.code, ended.out), (5, ''))

    def test_a_tail_goes_on_behind_a_reset(self):
        with self.following('tail-reset', '--json') as tail:
            self.line(tail)
            self.json('chatx.room-reset.v1', 'room', 'reset', 'tail-reset')
            self.send('tail-reset', 'afterwards')
            said = [json.loads(self.line(tail)) for _ in range(2)]
            self.assertEqual([line['message']['content'] for line in said if 'message' in line], ['afterwards'])

    # Connections.

    def test_connections_are_listed_described_and_closed(self):
        def of(user, *arguments):
            rows = self.json('chatx.connections.v1', 'conn', 'ls', *arguments)['connections']
            return [row for row in rows if row['user'] == user]
        with self.client_in('conn', 'carl') as client:
            row, = of('carl')
            self.assertEqual(set(row), {
                'id', 'user', 'peer', 'transport', 'version', 'connected_at', 'rooms', 'outbox_bytes', 'waiting_ms',
                'frames_in', 'refused', 'strikes', 'gaps'})
            self.assertEqual((row['peer'], row['transport'], row['version'], row['rooms'], row['outbox_bytes'],
                              row['frames_in'], row['strikes']), ('127.0.0.1', 'websocket', '2.0.0', 1, 0, 1, 0))
            self.assertAlmostEqual(row['connected_at'] / 1000, time.time(), delta=SECONDS_MAX)
            self.assertRegex(row['id'], r'^[0-9]+-[0-9]+$')
            self.assertEqual(of('carl', '--slow'), [row])
            info = self.json('chatx.connection.v1', 'conn', 'info', row['id'])
            self.assertEqual(info, {**row, 'topics': ['room:conn']})
            self.assertRegex(self.on_terminal('conn', 'info', row['id']).out, r'(?m)^user +carl$')
            self.assertRegex(self.on_terminal('conn', 'ls').out, r'(?m)^id +user +peer +rooms +outbox +waiting +refused')
            self.assertEqual(self.json('chatx.connection-closed.v1', 'conn', 'close', row['id']), {'id': row['id']})
            heard = b''
            while part := client.recv(65536):
                heard += part
            self.assertIn(b'\x88\x14\x03\xe9closed by operator', heard)
        for command in ('info', 'close'):
            ended = self.ctl('conn', command, row['id'])
            self.assertEqual((ended.code, ended.out), (5, ''), command)
            self.assertEqual(self.ctl('conn', command, '99-1').code, 5)
            self.assertEqual(self.ctl('conn', command, 'nonsense').code, 2)

    def test_connections_page_in_the_order_of_their_ids(self):
        with contextlib.ExitStack() as clients:
            for number in range(5):
                clients.enter_context(self.client_in('pages', f'page-{number}'))
            def ids(*arguments):
                return [row['id'] for row in self.json('chatx.connections.v1', 'conn', 'ls', *arguments)['connections']]
            everybody = ids()
            self.assertGreaterEqual(len(everybody), 5)
            self.assertEqual(everybody, sorted(everybody, key=lambda id: [int(part) for part in id.split('-')]))
            self.assertEqual(ids('--limit', '2'), everybody[:2])
            self.assertEqual(ids('--limit', '2', '--after', everybody[1]), everybody[2:4])
        self.assertEqual(self.ctl('conn', 'ls', '--slow', '--after', '0-1').code, 2)

    # Tails.

    @contextlib.contextmanager
    def following(self, *arguments):
        tail = subprocess.Popen([CHATXCTL, '--socket', self.at, 'room', 'tail', '-f', *arguments], env=ENVIRONMENT,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        tail.heard = b''
        try:
            yield tail
        finally:
            tail.kill()
            tail.communicate()

    def line(self, tail):
        """The next line; what came with it is kept, since nobody is woken for it again."""
        while b'\n' not in tail.heard:
            self.assertTrue(select.select([tail.stdout], [], [], SECONDS_MAX)[0], 'no line')
            tail.heard += os.read(tail.stdout.fileno(), 65536)
        line, tail.heard = tail.heard.split(b'\n', 1)
        return line.decode()

    def test_a_tail_shows_the_past_then_what_follows_until_it_is_interrupted(self):
        for number in range(3):
            self.send('tail', f'past {number}')
        with self.following('tail', '-n', '2', '--json') as tail:
            head = json.loads(self.line(tail))
            self.assertEqual((head['schema'], head['coverage'], head['seq']), ('chatx.room-tail.v1', COVERAGE, 3))
            said = [json.loads(self.line(tail))['message']['content'] for _ in range(2)]
            self.assertEqual(said, ['past 1', 'past 2'])
            self.assertEqual(self.json('chatx.room.v1', 'room', 'info', 'tail')['listeners'], 1)
            self.send('tail', 'live')
            self.assertEqual(json.loads(self.line(tail))['message']['content'], 'live')
            tail.send_signal(signal.SIGINT)
            self.assertEqual(tail.wait(SECONDS_MAX), 0)
            self.assertEqual(tail.stderr.read(), b'')
        until(lambda: self.json('chatx.room.v1', 'room', 'info', 'tail')['listeners'] == 0, 'the listener has left')

    def test_a_piped_tail_is_tab_separated(self):
        self.send('piped', 'one')
        with self.following('piped') as tail:
            self.assertEqual(self.line(tail), 'time\tseq\tuser\tcontent\tid')
            self.assertEqual(self.line(tail).split('\t')[1:4], ['1', 'ops', 'one'])

    def test_a_tail_waits_for_a_room_that_nobody_has_spoken_in(self):
        with self.following('later', '--json') as tail:
            self.assertEqual(json.loads(self.line(tail))['seq'], 0)
            self.send('later', 'at last')
            self.assertEqual(json.loads(self.line(tail))['message']['seq'], 1)

    # Dead letters.

    def test_a_dead_letter_is_listed_and_replayed(self):
        store = sqlite3.connect(self.node.data / 'chatx.db', timeout=SECONDS_MAX, isolation_level=None)
        self.addCleanup(store.close)
        store.execute("CREATE TRIGGER fire BEFORE INSERT ON messages WHEN new.content = 'lost' "
                      "BEGIN SELECT raise(ABORT, 'disk on fire'); END")
        sent = self.send('letters', 'lost')
        def letters():
            return self.json('chatx.dead-letters.v1', 'dead-letter', 'ls')
        until(lambda: letters()['total'], 'the letter is dead')
        letter, = letters()['dead_letters']
        self.assertEqual((letter['room'], letter['seq'], letter['message_id'], letter['target'], letter['sender'],
                          letter['content']), ('letters', 1, sent['id'], 'persistence', 'ops', 'lost'))
        self.assertIn('refused a record', letter['error'])
        self.assertEqual(self.ok('dead-letter', 'ls').rows[0]['room'], 'letters')
        self.assertRegex(self.on_terminal('dead-letter', 'ls').out, 'letters')

        ended = self.ctl('dead-letter', 'replay', letter['id'])
        self.assertEqual((ended.code, ended.rows), (1, [{'replayed': '0', 'failed': '1', 'missing': '0'}]))
        self.assertIn('refused a record', ended.err)
        store.execute('DROP TRIGGER fire')
        replayed = self.json('chatx.dead-letters-replayed.v1', 'dead-letter', 'replay', letter['id'])
        self.assertEqual(replayed, {'replayed': 1, 'failed': [], 'missing': []})
        self.assertEqual(store.execute("SELECT count(*) FROM messages WHERE content = 'lost'").fetchone(), (1,))
        self.assertEqual(letters()['total'], 0)

        ended = self.ctl('dead-letter', 'replay', letter['id'])
        self.assertEqual((ended.code, ended.rows), (5, [{'replayed': '0', 'failed': '0', 'missing': '1'}]))
        self.assertEqual(self.ok('dead-letter', 'replay', '--all').rows, [{'replayed': '0', 'failed': '0', 'missing': '0'}])

    # The node.

    def test_node_info_tells_name_load_and_addresses(self):
        info = self.json('chatx.node.v1', 'node', 'info')
        self.assertEqual(set(info), {'name', 'version', 'process', 'epoch', 'ready', 'started_at', 'uptime_s', 'shards',
                                     'connections', 'rooms', 'delivery_backlog', 'url', 'admin_socket', 'store'})
        self.assertEqual((info['name'], info['process'], info['ready']), ('box', self.node.process.pid, True))
        self.assertEqual(self.ok('node', 'info').rows[0]['name'], 'box')
        self.assertRegex(self.on_terminal('node', 'info').out, r'(?m)^ready +yes$')

    def test_config_show_tells_each_key_with_its_origin(self):
        shown = {key['key']: key for key in self.json('chatx.config.v1', 'config', 'show')['config']}
        self.assertEqual(shown['name'], {'key': 'name', 'value': '"box"', 'origin': 'flag --name'})
        self.assertEqual(shown['rate_limit.burst']['origin'], 'default')
        self.assertRegex(self.on_terminal('config', 'show').out, r'(?m)^name +"box" +flag --name$')

    # What a command line may be.

    def test_the_socket_is_named_by_flag_server_or_environment(self):
        for arguments, env in ((('--socket', self.at), {}), (('--server', f'unix:{self.at}'), {}),
                               ((), {'CHATXCTL_SOCKET': self.at})):
            self.assertEqual(ctl('node', 'info', *arguments, env=env).code, 0, arguments)
        self.assertEqual(ctl('node', 'info', cwd=self.directory).code, 3)
        os.symlink('data', f'{self.directory}/chatx-data')
        self.assertEqual(ctl('node', 'info', cwd=self.directory).code, 0)

    def test_flags_may_stand_before_or_behind_the_command(self):
        self.assertEqual(json.loads(self.ok('--json', 'node', 'info').out).keys(),
                         json.loads(self.ok('node', 'info', '--json').out).keys())

    # The API itself.

    def ask(self, request):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(SECONDS_MAX)
            client.connect(self.at)
            client.sendall(request)
            answer = b''
            while part := client.recv(65536):
                answer += part
        head, body = answer.split(b'\r\n\r\n', 1)
        return int(head.split()[1]), json.loads(body) if b'json' in head else body

    def test_the_api_refuses_what_it_does_not_know_in_json(self):
        for line, status, reason in ((b'GET /v1/nothing', 404, 'not_found'), (b'GET /', 404, 'not_found'),
                                     (b'POST /v1/rooms', 405, 'method_not_allowed'),
                                     (b'GET /v1/room/send', 405, 'method_not_allowed'),
                                     (b'GET /v1/rooms?limit=0', 400, 'bad_request'),
                                     (b'GET /v1/rooms?colour=red', 400, 'bad_request'),
                                     (b'GET /v1/room', 400, 'invalid_room_id')):
            with self.subTest(line):
                told, answer = self.ask(line + b' HTTP/1.1\r\nHost: chatx\r\nConnection: close\r\n\r\n')
                self.assertEqual((told, answer['error']['reason'], answer['coverage']), (status, reason, COVERAGE))

    def test_the_api_takes_no_body_but_json(self):
        for body in (b'', b'{', b'[]', b'"x"', b'{"ids":[]}', b'{"ids":["x"]}', b'{"ids":"1"}', b'\xff'):
            for path in (b'/v1/room/send', b'/v1/dead-letters/replay'):
                status, answer = self.ask(b'POST %s HTTP/1.1\r\nHost: chatx\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s'
                                          % (path, len(body), body))
                self.assertEqual((status, answer['schema']), (400, 'chatx.error.v1'), (path, body))

    def test_the_api_lists_the_reasons(self):
        status, answer = self.ask(b'GET /v1/errors HTTP/1.1\r\nHost: chatx\r\nConnection: close\r\n\r\n')
        self.assertEqual((status, answer['schema']), (200, 'chatx.errors.v1'))
        self.assertEqual(answer['errors'][0]['reason'], 'invalid_room_id')

    def test_the_socket_is_for_the_owner_alone(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.at).st_mode), 0o600)


class Offline(Scratch):
    def test_without_a_node_it_says_how_to_point_to_one(self):
        ended = ctl('node', 'info', at=str(self.directory / 'none.sock'))
        self.assertEqual((ended.code, ended.out), (3, ''))
        self.assertRegex(ended.err, r'^chatxctl: no node answers at .*none.sock; .*--socket PATH or CHATXCTL_SOCKET\n$')

    def test_a_stranger_at_the_socket_is_no_node(self):
        path = str(self.directory / 'stranger.sock')
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.bind(path)
            stranger.listen()
            client = subprocess.Popen([CHATXCTL, '--socket', path, 'node', 'info'], env=ENVIRONMENT, stderr=subprocess.PIPE)
            stranger.accept()[0].close()
            self.assertIn(b'broke off', client.communicate(timeout=SECONDS_MAX)[1])
            self.assertEqual(client.returncode, 3)

    def test_a_socket_of_somebody_else_is_not_allowed(self):
        path = str(self.directory / 'closed.sock')
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            other.listen()
            os.chmod(path, 0)
            somebody = {'user': 65534, 'group': 65534} if os.geteuid() == 0 else {}
            try:
                ended = subprocess.run([CHATXCTL, '--socket', path, 'node', 'info'], env=ENVIRONMENT,
                                       capture_output=True, **somebody)
            except PermissionError:
                self.skipTest('another user may not run the program here')
            self.assertEqual(ended.returncode, 4)
            self.assertIn(b'permission denied', ended.stderr)

    def test_usage_errors_end_with_2_and_one_line(self):
        for line, said in (
                ('', 'subcommand is required'), ('bogus', 'no command bogus'), ('rooms', 'did you mean room'),
                ('room', 'subcommand is required'), ('room l', 'did you mean ls'), ('room info', 'ROOM is required'),
                ('room send r x', '--user is required'), ('room history r --limit 0', '--limit'),
                ('room ls --limit x', '--limit'), ('dead-letter replay', 'name letters'),
                ('node info --socket a --server unix:b', 'use one'), ('node info --server host:1', 'Unix socket only'),
                ('node info --nope', '--nope')):
            with self.subTest(line):
                ended = ctl(*line.split())
                self.assertEqual((ended.code, ended.out), (2, ''), ended.err)
                self.assertIn(said, ended.err)
                self.assertEqual(ended.err.count('\n'), 1, ended.err)

    def test_help_and_version(self):
        ended = ctl('--help')
        self.assertEqual(ended.code, 0)
        for part in ('Examples:', 'Exit status:', 'dead-letter', '--socket'):
            self.assertIn(part, ended.out)
        self.assertEqual(ctl('room', 'tail', '--help').code, 0)
        self.assertRegex(ctl('--version').out, r'^chatxctl \d+\.\d+\.\d+\n$')

    def test_errors_explains_reasons(self):
        everything = ctl('errors')
        self.assertEqual((everything.code, len(everything.rows)), (0, 20))
        one = json.loads(ctl('errors', 'queue_overflow', '--json').out)
        self.assertEqual((one['schema'], one['coverage'], len(one['errors'])), ('chatx.errors.v1', OFFLINE, 1))
        self.assertEqual(set(one['errors'][0]), {'reason', 'cause', 'remedy'})
        shown = on_terminal('errors')
        self.assertLessEqual(max(map(len, shown.out.splitlines())), 80)
        self.assertIn('\nqueue_overflow\n    ', shown.out)
        ended = ctl('errors', 'queue_overflw')
        self.assertEqual(ended.code, 5)
        self.assertIn('did you mean queue_overflow?', ended.err)

    def test_config_check_finds_problems(self):
        good, bad = self.directory / 'good.toml', self.directory / 'bad.toml'
        good.write_text('message_size_limit = 1000\n')
        bad.write_text('message_size_limt = 1000\nack = "never"\n')
        ended = ctl('config', 'check', good)
        self.assertEqual(ended.code, 0)
        self.assertIn('The configuration is good.', ended.out)
        ended = ctl('config', 'check', bad)
        self.assertEqual(ended.code, 8)
        self.assertIn('did you mean', ended.out)
        answer = json.loads(ctl('config', 'check', bad, '--json').out)
        self.assertEqual((answer['schema'], answer['coverage'], answer['good'], answer['summary']),
                         ('chatx.config-check.v1', OFFLINE, False, []))
        self.assertEqual(len(answer['problems']), 2, answer)
        self.assertEqual(ctl('config', 'check').code, 0)
        self.assertEqual(ctl('config', 'check', env={'CHATX_ACK': 'never'}).code, 8)


class Lives(Scratch):
    """The socket over the life of a node."""

    def test_rooms_in_the_store_alone_are_found_after_a_restart(self):
        node = self.start()
        self.assertEqual(ctl('room', 'send', 'kept', 'words', '--user', 'ops', at=str(node.socket)).code, 0)
        self.assertEqual(node.end(), 0)
        self.assertFalse(node.socket.exists())
        node = self.start()
        at = str(node.socket)
        row, = ctl('room', 'ls', at=at).rows
        self.assertEqual((row['room'], row['state'], row['seq']), ('kept', 'stored', '1'))
        self.assertEqual(ctl('room', 'where', 'kept', at=at).rows[0]['state'], 'stored')
        self.assertEqual(ctl('room', 'members', 'kept', at=at).code, 0)
        self.assertEqual(ctl('room', 'history', 'kept', at=at).rows[0]['content'], 'words')
        self.assertEqual(ctl('room', 'ls', at=at).rows[0]['state'], 'active')

    def test_the_socket_file_of_a_killed_node_is_replaced(self):
        node = self.start()
        node.end(signal.SIGKILL)
        self.assertTrue(node.socket.exists())
        node = self.start()
        self.assertEqual(ctl('node', 'info', at=str(node.socket)).code, 0)

    def test_the_socket_of_a_living_node_is_a_start_error_that_names_the_process(self):
        first = self.start()
        second = self.start('--set', f'admin_socket={first.socket}', data='other')
        self.assertEqual(second.process.wait(SECONDS_MAX), 1)
        self.assertIn(f'process {first.process.pid} listens there', second.said())
        self.assertEqual(ctl('node', 'info', at=str(first.socket)).code, 0)

    def test_the_end_of_the_node_ends_a_tail(self):
        node = self.start()
        tail = subprocess.Popen([CHATXCTL, '--socket', node.socket, 'room', 'tail', '-f', 'r', '--json'], env=ENVIRONMENT,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(tail.communicate)
        self.assertIn('chatx.room-tail.v1', tail.stdout.readline())
        self.assertEqual(node.end(), 0)
        self.assertEqual(tail.wait(SECONDS_MAX), 3)

    def test_the_listener_of_metrics_serves_metrics_and_health_and_nothing_else(self):
        port = free_port()
        self.start('--set', f'metrics_listen=127.0.0.1:{port}')
        def get(path):
            with socket.create_connection(('127.0.0.1', port), SECONDS_MAX) as client:
                client.sendall(f'GET {path} HTTP/1.1\r\nHost: chatx\r\nConnection: close\r\n\r\n'.encode())
                answer = b''
                while part := client.recv(65536):
                    answer += part
            return answer
        self.assertIn(b'\nchatx_', get('/metrics'))
        self.assertIn(b' 200 ', get('/healthz').split(b'\r\n')[0])
        self.assertIn(b' 200 ', get('/readyz').split(b'\r\n')[0])
        self.assertIn(b' 404 ', get('/v1/node').split(b'\r\n')[0])

    def test_two_nodes_for_trying_out_stand_side_by_side(self):
        runtime = {'XDG_RUNTIME_DIR': str(self.directory)}
        ports = [free_port(), free_port()]
        for port in ports:
            log = (self.directory / f'dev-{port}').open('w')
            self.addCleanup(log.close)
            process = subprocess.Popen([CHATXD, '--dev', '--listen', f'127.0.0.1:{port}', '--name', f'n{port}'],
                                       env={**ENVIRONMENT, **runtime}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            until(lambda: ' ready ' in (self.directory / f'dev-{port}').read_text(), 'chatxd --dev is ready')
        first = ctl('node', 'info', env=runtime, cwd=self.directory)
        self.assertEqual((first.code, first.rows[0]['name'], first.rows[0]['store']), (0, f'n{ports[0]}', 'memory'))
        second = ctl('node', 'info', at=str(self.directory / f'chatx/admin-{ports[1]}.sock'))
        self.assertEqual(second.rows[0]['name'], f'n{ports[1]}')
        self.assertEqual(ctl('dead-letter', 'ls', env=runtime, cwd=self.directory).code, 5)


if __name__ == '__main__':
    sys.exit(unittest.main())
