import java.io.IOException;
import java.net.CookieManager;
import java.net.HttpCookie;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** A whole session with java.net.http: java HttpClientSession.java URL USERNAME PASSWORD */
public class HttpClientSession {
    static final CookieManager jar = new CookieManager();
    static final HttpClient client = HttpClient.newBuilder().cookieHandler(jar).build();
    static String url;

    static HttpResponse<String> call(String step, String method, String path, String json)
            throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(url + "/v1" + path));
        if (json == null) request.method(method, BodyPublishers.noBody());
        else request.header("Content-Type", "application/json").method(method, BodyPublishers.ofString(json));
        var response = client.send(request.build(), BodyHandlers.ofString());
        var names = jar.getCookieStore().getCookies().stream().map(HttpCookie::getName).sorted();
        System.out.println(step + " " + response.statusCode() + " " + names.collect(Collectors.joining(",")));
        return response;
    }

    public static void main(String[] args) throws IOException, InterruptedException {
        url = args[0];
        var credentials = "{\"username\":\"%s\",\"password\":\"%s\"}".formatted(args[1], args[2]);
        call("sign-up", "POST", "/accounts", credentials);
        call("log-in", "POST", "/session", credentials);
        var post = call("post", "POST", "/posts", "{\"text\":\"Hello from HttpClient.\"}").body();
        var id = Pattern.compile("\"id\":\"([^\"]+)\"").matcher(post).results().findFirst().orElseThrow().group(1);
        call("like", "PUT", "/posts/" + id + "/reaction", "{\"value\":\"like\"}");
        call("dislike", "PUT", "/posts/" + id + "/reaction", "{\"value\":\"dislike\"}");
        call("refresh", "POST", "/session/refresh", null);
        call("read", "GET", "/session", null);
        call("log-out", "DELETE", "/session", null);
        call("refused", "GET", "/session", null);
    }
}
