// Package page is the web page for operators: files without anything from elsewhere, which ask the
// methods of JSON-RPC at /rpc for all that they show. It knows nothing of calls; what a token may
// not do, /rpc refuses.
package page

import (
	"bytes"
	"embed"
	"net/http"
	"time"
)

//go:embed index.html page.css *.js
var files embed.FS

// names are the files that are served, by path, with their types.
var names = map[string][2]string{
	"/":         {"index.html", "text/html; charset=utf-8"},
	"/page.css": {"page.css", "text/css; charset=utf-8"},
	"/page.js":  {"page.js", "text/javascript; charset=utf-8"},
	"/draw.js":  {"draw.js", "text/javascript; charset=utf-8"},
	"/trace.js": {"trace.js", "text/javascript; charset=utf-8"},
}

// policy lets the page load and ask nothing but its own server (Content Security Policy Level 3).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// Handler serves the page at / and its files.
func Handler() http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, q *http.Request) {
		name, there := names[q.URL.Path]
		if !there {
			http.NotFound(out, q)
			return
		}
		text, err := files.ReadFile(name[0])
		if err != nil {
			panic("BUG: the page has no " + name[0] + ": " + err.Error())
		}
		h := out.Header()
		h.Set("Content-Type", name[1])
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		http.ServeContent(out, q, name[0], time.Time{}, bytes.NewReader(text))
	})
}
