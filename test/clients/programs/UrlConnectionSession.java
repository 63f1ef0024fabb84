import java.io.IOException;
import java.net.CookieHandler;
import java.net.CookieManager;
import java.net.HttpCookie;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** A whole session with HttpURLConnection: java UrlConnectionSession.java URL USERNAME PASSWORD */
public class UrlConnectionSession {
    static final CookieManager jar = new CookieManager();
    static String url;

    static String call(String step, String method, String path, String json) throws IOException {
        var connection = (HttpURLConnection) URI.create(url + "/v1" + path).toURL().openConnection();
        connection.setRequestMethod(method);
        if (json != null) {
            connection.setRequestProperty("Content-Type", "application/json");
            connection.setDoOutput(true);
            connection.getOutputStream().write(json.getBytes(StandardCharsets.UTF_8));
        }
        var status = connection.getResponseCode();
        var names = jar.getCookieStore().getCookies().stream().map(HttpCookie::getName).sorted();
        System.out.println(step + " " + status + " " + names.collect(Collectors.joining(",")));
        try (var body = status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
            return new String(body.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    public static void main(String[] args) throws IOException {
        CookieHandler.setDefault(jar);
        url = args[0];
        var credentials = "{\"username\":\"%s\",\"password\":\"%s\"}".formatted(args[1], args[2]);
        call("sign-up", "POST", "/accounts", credentials);
        call("log-in", "POST", "/session", credentials);
        var post = call("post", "POST", "/posts", "{\"text\":\"Hello from HttpURLConnection.\"}");
        var id = Pattern.compile("\"id\":\"([^\"]+)\"").matcher(post).results().findFirst().orElseThrow().group(1);
        call("like", "PUT", "/posts/" + id + "/reaction", "{\"value\":\"like\"}");
        call("dislike", "PUT", "/posts/" + id + "/reaction", "{\"value\":\"dislike\"}");
        call("refresh", "POST", "/session/refresh", null);
        call("read", "GET", "/session", null);
        call("log-out", "DELETE", "/session", null);
        call("refused", "GET", "/session", null);
    }
}
