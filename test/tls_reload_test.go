package test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"casm/internal/testkit"
)

// serves waits until new connections get a certificate, and with it what leads
// to the root.
func (s *overTLS) serves(config *tls.Config, p testkit.Pair) {
	s.t.Helper()
	eventually(s.t, 20*time.Second, "the certificate is served", func() bool { return s.served(config) == p.Serial })
}

// served is the serial number of the certificate that a new connection gets.
func (s *overTLS) served(config *tls.Config) string {
	s.t.Helper()
	conn, err := s.dial(config)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// swap lets a link name another folder, in one step.
func swap(t *testing.T, link, folder string) {
	t.Helper()
	if err := os.Symlink(folder, link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
}

// TestTLSReload: certificates that are replaced in every way that they are; what
// does not fit is not taken; connections that stand go on.
func TestTLSReload(t *testing.T) {
	root := testkit.NewCA(t, "root")
	config := root.TLS()
	s := newTLS(t, root, nil, "--dev")

	// Two connections that stand from now on: one with requests, one with the live feed.
	standing := over(t, config)
	reused := func() bool {
		t.Helper()
		var again bool
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { again = i.Reused }})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := standing.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%s, %v", res.Status, err)
		}
		return again
	}
	reused()
	lines, leave := s.live(over(t, config))
	defer leave()
	stand := func(name string) {
		t.Helper()
		if !reused() {
			t.Errorf("%s: a connection that stood was ended", name)
		}
		status, _, body, err := s.Post(t.Context(), "/v1/casm/customers/create", fmt.Sprintf(`{"requestId":%q,"externalId":%[1]q,"customerProfile":"b2b"}`, name))
		if err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s %v", name, status, body, err)
		}
		for {
			select {
			case line, ok := <-lines:
				if !ok {
					t.Fatalf("%s: the live feed ended", name)
				}
				if strings.Contains(line, `"externalId":"`+name+`"`) {
					return
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s: nothing comes on the live feed", name)
			}
		}
	}

	// A client that resumes its session where it can.
	resuming := root.TLS()
	resuming.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	visitor := over(t, resuming)
	visitor.Transport.(*http.Transport).DisableKeepAlives = true
	resumes := func() bool {
		t.Helper()
		res, err := visitor.Get(s.URL + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		return res.TLS.DidResume
	}
	if resumes() || !resumes() {
		t.Error("a session is not resumed, or one that there never was")
	}

	inPlace := s.ca.Server("in place")
	inPlace.Write(t, s.dir)
	s.serves(config, inPlace)
	stand("in-place")
	if resumes() || !resumes() {
		t.Error("a session from before the change is resumed, or none after it")
	}

	renamed, aside := s.ca.Server("renamed"), t.TempDir()
	cert, key := renamed.Write(t, aside)
	for _, path := range []string{key, cert} {
		if err := os.Rename(path, filepath.Join(s.dir, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	s.serves(config, renamed)
	stand("renamed")

	twoSteps := s.ca.Server("two steps")
	before := len(s.Log())
	testkit.WriteFile(t, s.dir, "cert.pem", twoSteps.Cert)
	untaken := func() int { return strings.Count(s.Log()[before:], "are not taken") }
	eventually(t, 20*time.Second, "it is told that the pair does not fit", func() bool { return untaken() > 0 })
	if got := s.served(config); got != renamed.Serial {
		t.Errorf("served is %s instead of the former %s", got, renamed.Serial)
	}
	testkit.WriteFile(t, s.dir, "key.pem", twoSteps.Key)
	s.serves(config, twoSteps)
	if n := untaken(); n != 1 {
		t.Errorf("that it does not fit is told %d times", n)
	}
	stand("two-steps")

	before = len(s.Log())
	testkit.WriteFile(t, s.dir, "cert.pem", []byte("-----BEGIN CERTIFICATE-----\ngarbage"))
	testkit.WriteFile(t, s.dir, "key.pem", []byte("garbage"))
	eventually(t, 20*time.Second, "it is told that it is garbage", func() bool { return untaken() > 0 })
	if got := s.served(config); got != twoSteps.Serial {
		t.Errorf("served is %s instead of the former %s", got, twoSteps.Serial)
	}
	stand("garbage")

	// As after a kill -HUP; told at once.
	asked := s.ca.Server("asked for")
	asked.Write(t, s.dir)
	if err := syscall.Kill(s.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.serves(config, asked)
	stand("hangup")
	_, _, metrics, err := s.Get(t.Context(), "/metrics")
	if err != nil || !strings.Contains(string(metrics), "\ncasm_tls_certificate_expires_timestamp_seconds 1.") {
		t.Errorf("the metric of the certificate's end is missing: %v", err)
	}
	if !strings.Contains(s.Log(), `msg="certificate taken" subject="CN=asked for"`) || strings.Contains(s.Log(), "PRIVATE KEY") {
		t.Errorf("the log:\n%s", s.Log())
	}

	// Who leaves the live feed is noticed through TLS.
	leave()
	eventually(t, 20*time.Second, "the live feed is left", func() bool {
		_, _, metrics, err := s.Get(t.Context(), "/metrics")
		return err == nil && strings.Contains(string(metrics), "\ncasm_http_streams 0\n")
	})
}

// TestTLSReloadByLink: files as Kubernetes mounts a secret: links into a folder
// that itself is a link, which is swapped.
func TestTLSReloadByLink(t *testing.T) {
	root, dir := testkit.NewCA(t, "root"), t.TempDir()
	ca := root.Intermediate("middle")
	put := func(p testkit.Pair) string {
		t.Helper()
		folder, err := os.MkdirTemp(dir, "..data_")
		if err != nil {
			t.Fatal(err)
		}
		p.Write(t, folder)
		return folder
	}
	data := filepath.Join(dir, "..data")
	first := ca.Server("first")
	swap(t, data, put(first))
	for _, name := range []string{"cert.pem", "key.pem"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	config := root.TLS()
	s := &overTLS{t: t, dir: dir, ca: ca}
	s.App = testkit.NewTLSApp(t, config, "--tls-cert", filepath.Join(dir, "cert.pem"), "--tls-key", filepath.Join(dir, "key.pem"))
	if got := s.served(config); got != first.Serial {
		t.Errorf("served is %s, not %s", got, first.Serial)
	}
	before := len(s.Log())
	for i := range 2 {
		old, err := filepath.EvalSymlinks(data)
		if err != nil {
			t.Fatal(err)
		}
		next := ca.Server(fmt.Sprint("next ", i))
		swap(t, data, put(next))
		if err := os.RemoveAll(old); err != nil {
			t.Fatal(err)
		}
		s.serves(config, next)
	}
	if log := s.Log()[before:]; strings.Contains(log, "not taken") {
		t.Errorf("a swap in one step is seen as two:\n%s", log)
	}
}

// TestTLSReloadUnderLoad: many clients, with connections that last and with a
// new one for each request, lose none while the certificate changes again and
// again.
func TestTLSReloadUnderLoad(t *testing.T) {
	root := testkit.NewCA(t, "root")
	s := newTLS(t, root, nil, "--dev", "--log-level", "warn")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	var answered atomic.Int64
	for i := range 24 {
		all.Go(func() {
			c := over(t, root.TLS())
			c.Transport.(*http.Transport).DisableKeepAlives = i%2 == 0
			for n := 0; ctx.Err() == nil; n++ {
				body := fmt.Sprintf(`{"requestId":"%d-%d","externalId":"%[1]d-%[2]d","customerProfile":"b2b"}`, i, n)
				res, err := c.Post(s.URL+"/v1/casm/customers/create", "application/json", strings.NewReader(body))
				if err != nil {
					t.Errorf("client %d, request %d: %v", i, n, err)
					return
				}
				answer, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != http.StatusOK {
					t.Errorf("client %d, request %d: %d %s %v", i, n, res.StatusCode, answer, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	const reloads = 20
	for i := range reloads {
		next := s.ca.Server(fmt.Sprint("next ", i))
		next.Write(t, s.dir)
		if err := syscall.Kill(s.PID(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		s.serves(root.TLS(), next)
	}
	cancel()
	all.Wait()
	if got := int64(len(feed(t, s.App))); got != answered.Load() || got < reloads {
		t.Errorf("%d requests were answered, %d customers are in the feed", answered.Load(), got)
	}
	t.Logf("%d requests over %d changes", answered.Load(), reloads)
}

// live follows the feed; each line comes through the channel, which is closed
// when the feed ends.
func (s *overTLS) live(c *http.Client) (lines <-chan string, leave func()) {
	s.t.Helper()
	c.Timeout = 0
	res, err := c.Get(s.URL + "/v1/business-transactions/stream")
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("live feed: %v %v", res, err)
	}
	all := make(chan string, 1000)
	go func() {
		defer close(all)
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			all <- in.Text()
		}
	}()
	return all, func() { res.Body.Close() }
}
