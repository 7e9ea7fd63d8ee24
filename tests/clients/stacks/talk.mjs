// Joins a room, says hello, prints the welcome that follows. The WebSocket of the package named first: ws or undici.
const [, , name, url, topic] = process.argv;
const { WebSocket } = await import(name);
const socket = new WebSocket(url);
socket.addEventListener('open', () => {
  socket.send(JSON.stringify(['1', '1', topic, 'phx_join', {}]));
  socket.send(JSON.stringify(['1', '2', topic, 'new_message', { content: `hello from ${name}` }]));
});
socket.addEventListener('message', ({ data }) => {
  const [, , , event, payload] = JSON.parse(data);
  if (event !== 'new_message' || !payload.content.startsWith('welcome')) return;
  console.log(payload.content);
  socket.close(1000);
});
