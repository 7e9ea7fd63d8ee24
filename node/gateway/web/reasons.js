// What the server's reasons mean to the person who reads them.
const words = {
  adapter_error: 'A part behind the server failed. Try again.',
  banned: 'You are banned from this room.',
  blocked: 'The rules of this room do not allow this text.',
  invalid_content: 'The text is empty or not allowed.',
  invalid_room_id: 'This is not a valid room name.',
  invalid_user_id: 'This is not a valid user name.',
  invalid_utf8: 'The text has characters that cannot be sent.',
  message_too_large: 'The text is too long.',
  muted: 'You are muted in this room.',
  no_quorum: 'Too few nodes of the cluster can see each other. Try again.',
  queue_overflow: 'The room is busier than it can bear. Try again.',
  rate_limited: 'You are sending too fast.',
  read_only: 'Nobody may write in this room at present.',
  room_unavailable: 'The room is moving or cannot be reached. Try again.',
  shutting_down: 'The node is shutting down. Try again.',
  slow_mode: 'This room wants a pause between two messages.',
  timeout: 'No answer in time. The message may have arrived; trying again will not double it.',
  too_many_connections: 'There are too many connections already.',
  too_many_joins: 'Too many attempts to join. Wait a moment.',
  unauthorized: 'You may not do this here.',
  'join crashed': 'The server could not open the room.',
  'too many channels joined': 'This connection is in too many rooms.',
  'unmatched topic': 'The server does not know this room.',
};

export function explain(reason, retryAfterMs) {
  const text = Object.hasOwn(words, reason) ? words[reason] : `The server said: ${reason}.`;
  return retryAfterMs > 0 ? `${text} Wait ${(retryAfterMs / 1000).toFixed(1)} s.` : text;
}
