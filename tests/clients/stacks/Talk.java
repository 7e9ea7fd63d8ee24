import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** Joins a room, says hello, prints the welcome that follows. The WebSocket of the JDK. */
public final class Talk implements WebSocket.Listener {
    private static final Pattern WELCOME = Pattern.compile("\"content\":\"(welcome[^\"]*)\"");
    private final CompletableFuture<String> welcome = new CompletableFuture<>();
    private final StringBuilder message = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
        message.append(part);
        if (last) {
            var found = WELCOME.matcher(message);
            if (found.find()) welcome.complete(found.group(1));
            message.setLength(0);
        }
        socket.request(1);
        return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable error) {
        welcome.completeExceptionally(error);
    }

    public static void main(String[] arguments) throws Exception {
        var talk = new Talk();
        var topic = arguments[1];
        var socket = HttpClient.newHttpClient().newWebSocketBuilder().buildAsync(URI.create(arguments[0]), talk).get(10, TimeUnit.SECONDS);
        socket.sendText("[\"1\",\"1\",\"" + topic + "\",\"phx_join\",{}]", true).get(10, TimeUnit.SECONDS);
        socket.sendText("[\"1\",\"2\",\"" + topic + "\",\"new_message\",{\"content\":\"hello from java\"}]", true).get(10, TimeUnit.SECONDS);
        System.out.println(talk.welcome.get(20, TimeUnit.SECONDS));
        socket.sendClose(WebSocket.NORMAL_CLOSURE, "").get(10, TimeUnit.SECONDS);
    }
}
