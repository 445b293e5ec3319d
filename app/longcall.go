package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// longLine is a line of the answer to a call through the socket that takes its
// time: how far it is, and at last how it ended.
type longLine struct {
	Done     int64           `json:"done,omitzero"`
	Total    int64           `json:"total,omitzero"`
	Messages int64           `json:"messages,omitzero"` // of a rebuild
	Ended    bool            `json:"ended,omitzero"`
	Error    string          `json:"error,omitzero"`
	Result   json.RawMessage `json:"result,omitzero"`
}

// callLong makes a call that takes its time of the server that works on the
// data folder, and returns its result. The server gives up when ctx ends.
func callLong(ctx context.Context, data, actor, path string, query url.Values, each func(longLine)) (result json.RawMessage, err error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, data) },
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://casm"+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set(actorHeader, actor)
	res, err := client.Do(req)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrNoServer
	}
	if err != nil {
		return nil, fmt.Errorf("reach the running server: %w", err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the running server answered %s", res.Status)
	}
	lines := bufio.NewReader(res.Body)
	for {
		text, err := lines.ReadBytes('\n')
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("it ended before it was done")
			}
			return nil, fmt.Errorf("the running server: %w", err)
		}
		var line longLine
		if err := json.Unmarshal(text, &line); err != nil {
			return nil, fmt.Errorf("the running server: %w", err)
		}
		switch {
		case line.Error != "":
			return nil, fmt.Errorf("the running server: %s", line.Error)
		case line.Ended:
			return line.Result, nil
		}
		each(line)
	}
}

// longEvery is how often a call that takes its time tells how far it is.
const longEvery = 100 * time.Millisecond

// serveLong answers callLong with what fn does. The context that fn gets ends
// when the other end goes away.
func serveLong(w http.ResponseWriter, r *http.Request, fn func(ctx context.Context, say func(longLine)) (any, error)) {
	out, encode := http.NewResponseController(w), json.NewEncoder(w)
	said := time.Time{}
	say := func(line longLine) {
		if !line.Ended && time.Since(said) < longEvery {
			return
		}
		said = time.Now()
		// What cannot be said is known by the end of the request's context.
		_ = out.SetWriteDeadline(said.Add(writeTimeout))
		_ = encode.Encode(line)
		_ = out.Flush()
	}
	last := longLine{Ended: true}
	result, err := fn(r.Context(), say)
	if err == nil && result != nil {
		last.Result, err = json.Marshal(result)
	}
	if err != nil {
		last.Error = err.Error()
	}
	say(last)
}
