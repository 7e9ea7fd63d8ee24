// Joins a room, says hello, prints the welcome that follows. Debian's golang-github-gorilla-websocket-dev.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/gorilla/websocket"
)

func main() {
	socket, _, err := websocket.DefaultDialer.Dial(os.Args[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	topic := os.Args[2]
	for _, frame := range [][]interface{}{
		{"1", "1", topic, "phx_join", struct{}{}},
		{"1", "2", topic, "new_message", map[string]string{"content": "hello from gorilla"}},
	} {
		if err := socket.WriteJSON(frame); err != nil {
			log.Fatal(err)
		}
	}
	for {
		var frame []json.RawMessage
		if err := socket.ReadJSON(&frame); err != nil {
			log.Fatal(err)
		}
		var payload struct{ Content string }
		if json.Unmarshal(frame[4], &payload) == nil && strings.HasPrefix(payload.Content, "welcome") {
			fmt.Println(payload.Content)
			closing := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
			if err := socket.WriteMessage(websocket.CloseMessage, closing); err != nil {
				log.Fatal(err)
			}
			return
		}
	}
}
