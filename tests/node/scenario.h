#pragma once

#include <string>
#include <string_view>

namespace chatx::test {

/// Plays a scenario: a story of clients and one node, as in `tests/scenarios`.
///
/// A line that begins with a space is what happened, every other one is a command, a comment (#) or
/// empty. Returns the commands with what really happened behind each; equal to `text` when the
/// scenario is true. A command that is not understood is answered with `  not understood`.
///
/// Commands:
///
///     node shards=2 store commit=logged auth moderation=closed rate=1/2 queue=4 joins=2 ...
///     connect ann                   a client and user `ann`; `connect tab as ann on 1`: a second
///                                   one, on shard 1
///     ann -> FRAME                  says a frame, then all settles
///     ann ->> FRAME                 says a frame, and the next command comes with it
///     hang up ann
///     clock 500ms                   lets time pass (ms or s)
///     hold checks                   what is asked from now on waits; also auth, log, opens, loads,
///                                   saves
///     release checks
///     verdict pass | reject REASON [MS] | replace CONTENT | fail     for the oldest question;
///                                   `verdict last pass`: for the newest
///     authorize ok | refuse REASON | fail
///     log takes 1                   the log has the oldest waiting entries
///     log fails 1                   the log cannot have the oldest waiting entries
///     archive fails | archive works
///     fault                         the next join throws inside its room
///     reset ROOM                    what an operator does
///     restart                       as after a crash, over the same store
///     show ROOM
///
/// What says nothing to a reader has names in the order of its appearance: `<m1>` is a message id,
/// `<r1>` a presence ref. Commands may use them.
[[nodiscard]] std::string play_scenario(std::string_view text);

}  // namespace chatx::test
