package console

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func compressed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestServe(t *testing.T) {
	const script = "export const a = 1\n"
	c, err := open(fstest.MapFS{
		".gitkeep":            {},
		"index.html":          {Data: []byte(`<script src="/assets/a-1.js" nonce="__NONCE__"></script>`)},
		"assets/a-1.js.gz":    {Data: compressed(t, script)},
		"favicon.svg.gz":      {Data: compressed(t, "<svg/>")},
		"assets/a-1.js.other": {Data: []byte("not served")},
	})
	if err != nil || c == nil {
		t.Fatal(err)
	}
	get := func(path, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		return w
	}
	nonces := map[string]bool{}
	for _, path := range []string{"/", "/configuration/offers"} {
		w := get(path, "gzip")
		policy := w.Header().Get("Content-Security-Policy")
		m := regexp.MustCompile(`'nonce-([A-Z2-7]{20,})'`).FindStringSubmatch(policy)
		if m == nil || strings.Contains(policy, "unsafe") || w.Header().Get("Cache-Control") != "no-cache" {
			t.Fatalf("%s: %v", path, w.Header())
		}
		if !strings.Contains(w.Body.String(), `nonce="`+m[1]+`"`) {
			t.Errorf("%s: the page has another nonce: %s", path, w.Body)
		}
		nonces[m[1]] = true
	}
	if len(nonces) != 2 {
		t.Error("a nonce was used twice")
	}
	w := get("/assets/a-1.js", "br, gzip")
	if w.Header().Get("Content-Encoding") != "gzip" || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/javascript") {
		t.Errorf("%v", w.Header())
	}
	if w = get("/assets/a-1.js", ""); w.Header().Get("Content-Encoding") != "" || w.Body.String() != script {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	if !c.Has("/favicon.svg") || c.Has("/index.html") || c.Has("/assets/a-1.js.other") {
		t.Error("it has other files than it should")
	}
}

func TestNotBuilt(t *testing.T) {
	if c, err := open(fstest.MapFS{".gitkeep": {}}); err != nil || c != nil {
		t.Errorf("%v, %v", c, err)
	}
}
