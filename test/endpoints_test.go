package test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casm/internal/testkit"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// endpointSecret is in the file crm of secretsDir's folder, which has a nats too.
const endpointSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func secretsDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, secret := range map[string]string{"crm": endpointSecret, "nats": "copy:of-it"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// hookReceiver takes messages, and fails now and then.
type hookReceiver struct {
	*testing.T
	url   string
	fails float64
	mu    sync.Mutex
	taken map[string][]string // positions by customer, as they were answered 200
}

func newHookReceiver(t *testing.T, fails float64) *hookReceiver {
	r := &hookReceiver{T: t, fails: fails, taken: map[string][]string{}}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

// ServeHTTP takes a message.
func (r *hookReceiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // the server was killed
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(endpointSecret, "whsec_"))
	if err != nil {
		r.Error(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(q.Header.Get("webhook-id") + "." + q.Header.Get("webhook-timestamp") + "."))
	mac.Write(body)
	if q.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) || q.Header.Get("webhook-id") != q.Header.Get("ce-id") {
		r.Errorf("the signature does not hold: %v", q.Header)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if rand.Float64() < r.fails {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	customer := q.Header.Get("ce-partitionkey")
	r.taken[customer] = append(r.taken[customer], q.Header.Get("Casm-Position"))
}

// first gives what was taken, repeats left out, and how many those were.
func (r *hookReceiver) first() (first map[string][]string, n, repeats int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first = map[string][]string{}
	for customer, all := range r.taken {
		for _, position := range all {
			if slices.Contains(first[customer], position) {
				repeats++
			} else {
				first[customer] = append(first[customer], position)
				n++
			}
		}
	}
	return first, n, repeats
}

// configure configures an endpoint.
func configureEndpoint(t *testing.T, app *testkit.App, body string) {
	t.Helper()
	status, _, answer, err := app.Post(t.Context(), "/v1/config/pub-sub-endpoints", body)
	if err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s %v", status, answer, err)
	}
}

// streamOf reads a stream's status.
func streamOf(t *testing.T, app *testkit.App, code string) (s streamStatus) {
	t.Helper()
	_, _, body, err := app.Get(t.Context(), "/v1/streams")
	var list struct{ Items []streamStatus }
	if err != nil || json.Unmarshal(body, &list) != nil {
		t.Fatalf("%s %v", body, err)
	}
	for _, s := range list.Items {
		if s.Code == code {
			return s
		}
	}
	t.Fatalf("no %s in %s", code, body)
	return s
}

type streamStatus struct {
	Code, State, Holder, Position, LastError             string
	LagTransactions, LagSeconds, CustomersBehind, Parked int64
}

// customersOf writes changes of a few customers until stopped, to any of the
// servers; a request that fails is sent again, to another.
func customersOf(t *testing.T, name string, apps ...*testkit.App) (stop func()) {
	t.Helper()
	var all sync.WaitGroup
	var ended atomic.Bool
	for c := range 6 {
		all.Go(func() {
			send := func(path, body string) {
				for i := 0; ; i++ {
					app := apps[(c+i)%len(apps)]
					status, _, answer, err := app.Post(t.Context(), "/v1/casm/customers/"+path, body)
					if err == nil && status == http.StatusOK || t.Context().Err() != nil {
						return
					}
					if err == nil && status != http.StatusServiceUnavailable {
						t.Errorf("%d %s", status, answer)
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
			}
			id := fmt.Sprintf("%s-%d", name, c)
			send("create", fmt.Sprintf(`{"requestId":%q,"externalId":%q,"customerProfile":"b2b"}`, id, id))
			for n := 0; !ended.Load(); n++ {
				send("custom-name/update", fmt.Sprintf(`{"requestId":"%s-%d","customer":{"externalId":%q},"customName":"%d"}`, id, n, id, n))
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	return func() { ended.Store(true); all.Wait() }
}

// delivered waits until the receiver has all that the feed has, and checks that
// each customer's came in order.
func delivered(t *testing.T, app *testkit.App, r *hookReceiver) {
	t.Helper()
	want, total := map[string][]string{}, 0
	for _, m := range feed(t, app) {
		want[m.refID] = append(want[m.refID], m.Position)
		total++
	}
	eventually(t, 60*time.Second, "everything is delivered", func() bool { _, n, _ := r.first(); return n >= total })
	got, n, repeats := r.first()
	t.Logf("%d messages, %d repeats", n, repeats)
	for customer := range want {
		if !slices.Equal(got[customer], want[customer]) {
			t.Errorf("customer %s got\n%v\nwant\n%v", customer, got[customer], want[customer])
		}
	}
}

const hookBody = `{"code":"crm","name":"CRM","type":"WEBHOOK","url":%q,"secretFile":"crm"}`

// TestEndpointKill kills the server while it sends: nothing is lost, and each
// customer's messages stay in order.
func TestEndpointKill(t *testing.T) {
	app := testkit.NewApp(t, "--warehouse", "off", "--secrets-dir", secretsDir(t))
	r := newHookReceiver(t, 0.01)
	configureEndpoint(t, app, fmt.Sprintf(hookBody, r.url))
	stop := customersOf(t, "k", app)
	for round := range rounds() {
		_, before, _ := r.first()
		eventually(t, 30*time.Second, fmt.Sprint("messages are delivered in round ", round), func() bool { _, n, _ := r.first(); return n > before+200 })
		app.Kill()
		app.Start()
	}
	stop()
	delivered(t, app, r)
	eventually(t, 10*time.Second, "it is well", func() bool {
		s := streamOf(t, app, "crm")
		return s.State == "running" && s.CustomersBehind == 0 && s.LagTransactions == 0
	})
	if strings.Contains(app.Log(), endpointSecret) {
		t.Error("the secret is in the log")
	}
}

// TestEndpointsOfSeveralServers: one server sends, and another one goes on when
// it is killed; a copy on NATS is the journal.
func TestEndpointsOfSeveralServers(t *testing.T) {
	apps := servers(t, 2, testkit.Database(t), "--secrets-dir", secretsDir(t))
	other, err := url.Parse(broker(t, func(o *server.Options) { o.Username, o.Password = "copy", "of-it" }))
	if err != nil {
		t.Fatal(err)
	}
	other.User = nil
	js := connectJetStream(t, "nats://copy:of-it@"+other.Host)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "COPY", Subjects: []string{"copy.>"}}); err != nil {
		t.Fatal(err)
	}
	r := newHookReceiver(t, 0.01)
	configureEndpoint(t, apps[0], fmt.Sprintf(hookBody, r.url))
	configureEndpoint(t, apps[1], fmt.Sprintf(`{"code":"nats","name":"NATS","type":"NATS","url":%q,"topic":"copy","secretFile":"nats"}`, other.String()))
	stop := customersOf(t, "s", apps...)
	for range 3 {
		_, before, _ := r.first()
		eventually(t, 30*time.Second, "messages are delivered", func() bool { _, n, _ := r.first(); return n > before+100 })
		holder := streamOf(t, apps[0], "crm").Holder
		var hurt *testkit.App
		for _, app := range apps {
			if strings.Contains(holder, "/"+strconv.Itoa(app.PID())+"/") {
				hurt = app
			}
		}
		if hurt == nil {
			t.Fatalf("no server is %q", holder)
		}
		hurt.Kill()
		begun := time.Now()
		_, before, _ = r.first()
		eventually(t, 15*time.Second, "another server goes on", func() bool { _, n, _ := r.first(); return n > before+20 })
		t.Logf("the other server goes on after %v", time.Since(begun).Round(time.Millisecond))
		hurt.Start()
	}
	stop()
	delivered(t, apps[0], r)

	want := feed(t, apps[0])
	s, err := js.Stream(t.Context(), "COPY")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the copy is complete", func() bool {
		info, err := s.Info(t.Context())
		return err == nil && info.State.Msgs >= uint64(len(want))
	})
	for i, m := range want {
		got, err := s.GetMsg(t.Context(), uint64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		if p := got.Header["Casm-Position"]; len(p) != 1 || p[0] != m.Position || got.Subject != "copy.customer."+m.Event {
			t.Fatalf("message %d of the copy is %v at %s, want %s", i+1, p, got.Subject, m.Position)
		}
	}
}

// TestStreamsAdministered: streams and endpoints are watched, paused, resumed
// and replayed over HTTP and on the command line, by those who may.
func TestStreamsAdministered(t *testing.T) {
	app := testkit.NewKeyedApp(t, "--warehouse", "off", "--secrets-dir", secretsDir(t))
	admin, reader := app.Key("admin", "--permission", "admin"), app.Key("reader", "--role", "Reader")
	call := func(key, method, path, body string, want int) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, app.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != want {
			t.Fatalf("%s %s %s: %d %s %v, want %d", method, path, body, res.StatusCode, answer, err, want)
		}
		return string(answer)
	}
	r := newHookReceiver(t, 0)
	call(admin, "POST", "/v1/config/pub-sub-endpoints", fmt.Sprintf(hookBody, r.url), 201)
	call(reader, "GET", "/v1/streams", "", 200)
	for _, act := range []string{"pause", "resume", "replay"} {
		call(reader, "POST", "/v1/streams/crm/"+act, "", 403)
		call(admin, "POST", "/v1/streams/none/"+act, map[string]string{"replay": `{"after":"0"}`}[act], 404)
	}
	create := func(n int) {
		t.Helper()
		call(admin, "POST", "/v1/casm/customers/create", fmt.Sprintf(`{"requestId":"c%d","externalId":"c%d","customerProfile":"b2b"}`, n, n), 200)
	}
	taken := func(want int) {
		t.Helper()
		eventually(t, 15*time.Second, fmt.Sprint(want, " messages are taken, repeats counted"), func() bool {
			_, n, repeats := r.first()
			return n+repeats == want && strings.Contains(call(reader, "GET", "/v1/streams", "", 200), `"lagTransactions":0,"lagSeconds":0,"customersBehind":0`)
		})
	}
	create(1)
	taken(1)
	if got := call(admin, "POST", "/v1/streams/crm/pause", "", 200); !strings.Contains(got, `"state":"paused"`) {
		t.Errorf("paused: %s", got)
	}
	if got := call(reader, "GET", "/v1/config/pub-sub-endpoints/crm", "", 200); !strings.Contains(got, `"paused":true`) {
		t.Errorf("configured: %s", got)
	}
	eventually(t, 5*time.Second, "it is paused", func() bool { return strings.Contains(app.Log(), "endpoint ends") })
	create(2)
	call(admin, "POST", "/v1/streams/crm/resume", "", 200)
	taken(2)
	call(admin, "POST", "/v1/streams/crm/replay", `{"after":"0"}`, 200)
	taken(4)
	call(admin, "POST", "/v1/streams/crm/replay", `{"since":"2000-01-01T00:00:00Z","customer":{"externalId":"c2"}}`, 200)
	taken(5)
	for body, want := range map[string]string{
		`{"after":"0","since":"2000-01-01T00:00:00Z"}`: "one_of_required", `{}`: "one_of_required", `{"after":"x"}`: "invalid_value",
		`{"after":"99-0"}`: "out_of_range", `{"after":"0","customer":{"externalId":"none"}}`: "not_found", `{"before":"0"}`: "unknown_member",
	} {
		if got := call(admin, "POST", "/v1/streams/crm/replay", body, 400); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	if got := call(admin, "POST", "/v1/streams/stream/replay", `{"after":"0"}`, 400); !strings.Contains(got, "each message once") {
		t.Errorf("the built-in stream: %s", got)
	}
	if got := call(reader, "GET", "/v1/streams/crm/behind?parked=true&limit=3", "", 200); got != `{"items":[]}` {
		t.Errorf("behind: %s", got)
	}
	call(admin, "POST", "/v1/streams/stream/pause", "", 200)
	if got := call(admin, "POST", "/v1/streams/stream/resume", "{}", 200); !strings.Contains(got, `"code":"stream"`) {
		t.Errorf("the built-in stream: %s", got)
	}

	command := func(want string, args ...string) {
		t.Helper()
		out, err := exec.Command(testkit.Binary(t), append(append([]string{"relay"}, args...), "--data", app.Data)...).CombinedOutput()
		if !strings.Contains(string(out), want) {
			t.Errorf("casm relay %v: %s %v, want %q", args, out, err, want)
		}
	}
	command("crm", "status")
	command("customers behind", "status", "--endpoint", "crm")
	command(`"customersBehind": 0`, "status", "--endpoint", "crm", "--json")
	command("paused", "pause", "--endpoint", "crm")
	command("resumed", "resume", "--endpoint", "crm")
	command("sent again", "replay", "--endpoint", "crm", "--after", "0", "--customer-external-id", "c1")
	taken(6)
	command("no endpoint", "replay", "--endpoint", "none", "--after", "0")
	command("--after or --since", "replay", "--endpoint", "crm")
	for _, want := range []string{
		`act=pauseStream outcome=done`, `act=replayStream outcome=done`, `act=replayStream outcome=refused`, `act=resumeStream outcome=denied`,
		`actor=local:`,
	} {
		if !strings.Contains(app.Log(), want) {
			t.Errorf("the audit has no %s", want)
		}
	}
}
