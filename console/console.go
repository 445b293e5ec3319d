// Package console is the web console: the source of its pages, and what make
// console builds of them, inside of the binary.
package console

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"embed"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// dist holds index.html, and every other file compressed, as name.gz. In a
// fresh clone it is empty: go build alone must work.
//
//go:embed all:dist
var dist embed.FS

// noncePlace is where the page's nonce goes (html.cspNonce in vite.config.ts).
const noncePlace = "__NONCE__"

// Console serves the built console. Its files are public.
type Console struct {
	page  []byte
	files map[string][]byte // by path, compressed
}

// New returns the console, or nil when it was not built.
func New() (*Console, error) {
	built, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	return open(built)
}

func open(built fs.FS) (*Console, error) {
	c := &Console{files: map[string][]byte{}}
	err := fs.WalkDir(built, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(built, name)
		if err != nil {
			return err
		}
		if plain, compressed := strings.CutSuffix(name, ".gz"); compressed {
			c.files["/"+plain] = content
		} else if name == "index.html" {
			c.page = content
		}
		return nil
	})
	if err != nil || c.page == nil {
		return nil, err
	}
	return c, nil
}

// Has reports whether the path is that of a file.
func (c *Console) Has(path string) bool { return c.files[path] != nil }

// ServeHTTP answers with the file at the path, else with the page: which of
// its views is shown is the page's own matter.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	content := c.files[r.URL.Path]
	if content == nil {
		c.servePage(w, r)
		return
	}
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(r.URL.Path)))
	h.Set("Vary", "Accept-Encoding")
	if strings.HasPrefix(r.URL.Path, "/assets/") { // its name changes with its content
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "public, max-age=3600")
	}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		send(w, r, content)
		return
	}
	plain, err := gunzip(content)
	if err != nil {
		http.Error(w, "the console's file is damaged", http.StatusInternalServerError)
		return
	}
	send(w, r, plain)
}

func (c *Console) servePage(w http.ResponseWriter, r *http.Request) {
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-"+nonce+"'; img-src 'self' data:; "+
		"font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	send(w, r, bytes.ReplaceAll(c.page, []byte(noncePlace), []byte(nonce)))
}

func send(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that went away has no use for an error
	}
}

func gunzip(content []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
