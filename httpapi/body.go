package httpapi

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"casm"
)

// The largest bodies (contract 4).
const (
	maxBody      = 1 << 20
	maxBatchBody = 16 << 20
)

// buffers are for request bodies. Nothing that outlives a request may point
// into one: decoding copies what it keeps, and the engine hashes a body before
// it waits.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled is how large a buffer may be to be kept for the next request.
const maxPooled = 256 << 10

func release(b *bytes.Buffer) {
	if b.Cap() <= maxPooled {
		b.Reset()
		buffers.Put(b)
	}
}

// body reads the request's body, and answers when it is too large or not JSON:
// the second and third of contract rule 2's checks. The buffer goes back with
// release.
func (x *exchange) body(most int64) (*bytes.Buffer, bool) {
	return x.bodyOf(most, isJSON, "send JSON in UTF-8, with the header Content-Type: application/json and no Content-Encoding")
}

// bodyOf is body for another media type; what is wrong with one is answered
// with what would be right.
func (x *exchange) bodyOf(most int64, accepts func(http.Header) bool, right string) (*bytes.Buffer, bool) {
	b := buffers.Get().(*bytes.Buffer)
	// The connection is closed after what is too large: MaxBytesReader sees to it.
	in := http.MaxBytesReader(x.ResponseWriter, x.r.Body, most)
	var err error
	tooLarge := x.r.ContentLength > most
	if tooLarge {
		x.Header().Set("Connection", "close")
	} else {
		if x.r.ContentLength > 0 {
			b.Grow(int(x.r.ContentLength) + bytes.MinRead)
		}
		_, err = b.ReadFrom(in)
		_, isLimit := errors.AsType[*http.MaxBytesError](err)
		tooLarge = isLimit
	}
	switch {
	case tooLarge:
		x.drain()
		x.refuseOne(casm.TooLarge, "", "the body is larger than %d MiB; send less at once", most>>20)
	case err != nil:
		x.unreadable(err)
	case !accepts(x.r.Header):
		x.refuseOne(casm.NotJSON, "Content-Type", "%s", right)
	default:
		return b, true
	}
	release(b)
	return nil, false
}

// maxDrained is how much of a body that is too large is read and thrown away.
const maxDrained = 32 << 20

// drain reads on in a body that is too large: a client that sends all of it
// before it looks at the answer would find the connection reset instead. One
// that waits to be asked for the body is not asked.
func (x *exchange) drain() {
	if x.r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, x.r.Body, maxDrained) // the answer is the same if it breaks off
	}
}

// unreadable ends a request whose body broke off.
func (x *exchange) unreadable(err error) {
	if x.r.Context().Err() != nil || errors.Is(err, io.ErrUnexpectedEOF) {
		x.gone = true
		return
	}
	x.refuseOne(casm.MalformedJSON, "", "the body could not be read to its end")
}

// isJSON reports whether the headers announce JSON in UTF-8.
func isJSON(h http.Header) bool {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return false
	}
	types := h["Content-Type"]
	if len(types) != 1 {
		return false
	}
	switch types[0] {
	case "application/json", "application/json; charset=utf-8": // nearly all
		return true
	}
	t, parameters, err := mime.ParseMediaType(types[0])
	if err != nil {
		return false
	}
	if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	_, subtype, _ := strings.Cut(t, "/")
	return t == "application/json" || strings.HasSuffix(subtype, "+json")
}
