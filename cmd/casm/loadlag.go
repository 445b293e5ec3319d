package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"casm/bench"
)

// lag is how far a data warehouse fell behind while something was measured.
type lag struct {
	Messages int64   `json:"messages"` // at most
	Seconds  float64 `json:"seconds"`  // at most
	Rest     float64 `json:"rest"`     // seconds until it had all, after the last request
	Samples  int     `json:"samples"`
}

func (l *lag) add(o lag) {
	l.Messages, l.Seconds, l.Rest = max(l.Messages, o.Messages), max(l.Seconds, o.Seconds), max(l.Rest, o.Rest)
	l.Samples += o.Samples
}

const (
	lagEvery = 200 * time.Millisecond // how often it is asked for
	lagRest  = 5 * time.Minute        // how long the warehouse has to get all
)

// watchLag asks a server for the lag of its warehouse, again and again, until
// the function is called. That waits until the warehouse has all.
func watchLag(ctx context.Context, t *bench.Target) func() (lag, error) {
	stop, ended := make(chan struct{}), make(chan error, 1)
	var most lag
	go func() {
		ended <- func() error {
			var stopped time.Time
			for {
				now, err := readLag(ctx, t)
				if err != nil {
					return err
				}
				most.add(now)
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-stop:
					if stopped.IsZero() {
						stopped = time.Now()
					}
					most.Rest = time.Since(stopped).Seconds()
					if now.Messages == 0 || most.Rest > lagRest.Seconds() {
						return nil
					}
					time.Sleep(lagEvery / 10)
				case <-time.After(lagEvery):
				}
			}
		}()
	}()
	return func() (lag, error) {
		close(stop)
		err := <-ended
		return most, err
	}
}

// readLag reads the lag that a server tells.
func readLag(ctx context.Context, t *bench.Target) (l lag, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL.JoinPath("/v1/dwh/metrics").String(), nil)
	if err != nil {
		return l, err
	}
	if t.Key != "" {
		req.Header.Set("Authorization", "Bearer "+t.Key)
	}
	caller := &http.Client{Transport: &http.Transport{TLSClientConfig: t.TLS, DisableKeepAlives: true}}
	res, err := caller.Do(req)
	if err != nil {
		return l, fmt.Errorf("the warehouse's lag: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return l, fmt.Errorf("the warehouse's lag: /v1/dwh/metrics answered %s", res.Status)
	}
	const most = 64 << 20
	var metrics struct{ Lag lag }
	err = json.NewDecoder(io.LimitReader(res.Body, most)).Decode(&metrics)
	metrics.Lag.Samples = 1
	return metrics.Lag, err
}
