// A whole session with net/http: go run session.go URL USERNAME PASSWORD
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"sort"
	"strings"
)

type object map[string]any

var (
	base   string
	client http.Client
)

func call(step, method, path string, body object) object {
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			log.Fatal(err)
		}
	}
	request, err := http.NewRequest(method, base+"/v1"+path, &content)
	if err != nil {
		log.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	var names []string
	for _, cookie := range client.Jar.Cookies(request.URL) {
		names = append(names, cookie.Name)
	}
	sort.Strings(names)
	fmt.Println(step, response.StatusCode, strings.Join(names, ","))
	answer := object{}
	if response.StatusCode != http.StatusNoContent {
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			log.Fatal(err)
		}
	}
	return answer
}

func main() {
	base = os.Args[1]
	client.Jar, _ = cookiejar.New(nil)
	credentials := object{"username": os.Args[2], "password": os.Args[3]}
	call("sign-up", "POST", "/accounts", credentials)
	call("log-in", "POST", "/session", credentials)
	post := call("post", "POST", "/posts", object{"text": "Hello from Go."})
	reaction := "/posts/" + url.PathEscape(fmt.Sprint(post["id"])) + "/reaction"
	call("like", "PUT", reaction, object{"value": "like"})
	call("dislike", "PUT", reaction, object{"value": "dislike"})
	call("refresh", "POST", "/session/refresh", nil)
	call("read", "GET", "/session", nil)
	call("log-out", "DELETE", "/session", nil)
	call("refused", "GET", "/session", nil)
}
