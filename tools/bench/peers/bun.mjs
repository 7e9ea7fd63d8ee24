// The least chat that Bun's own publish and subscribe makes, to measure chatx against. No order that anybody promises,
// no acknowledgement, no history, no presence.
//
//     + ROOM       a client enters a room, and is told `welcome`
//     ROOM TEXT    goes to everybody in the room as it is
//
//     bun bun.mjs PORT
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv.at(-1)),
  fetch(request) {
    return server.upgrade(request) ? undefined : new Response("WebSocket only", { status: 426 });
  },
  websocket: {
    idleTimeout: 0,
    perMessageDeflate: false,
    message(client, text) {
      const space = text.indexOf(" ");
      const word = text.slice(0, space);
      if (word !== "+") return server.publish(word, text);
      client.subscribe(text.slice(space + 1));
      client.send("welcome");
    },
  },
});
