package acceptance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casm/internal/testkit"

	"github.com/google/uuid"
)

// Case is one thing that casm does, shown by requests.
type Case struct {
	Name  string
	Steps []*step
}

// step is one request and what it must answer.
//
// Paths begin at /v1/casm unless they begin with /v1 or name something of the
// system. In path, body and expectation {{name}} stands for a value: one that
// a step before has saved, or else a fresh one, the same throughout the case:
// a telephone number where the name begins with msisdn, the number of a SIM
// with imsi, an address with ip, a code of configuration with code, and else
// an external id. {{$guid}} is a new GUID each time, {{$now}}, {{$now+1h}} and
// {{$now-5m}} are times. A write without requestId gets a fresh one.
type step struct {
	method, path, body string
	headers            []string // names and values, in turn
	bare               bool     // sent exactly as it stands

	status   int
	expected string   // a part of the answer; see match
	refusal  []string // all errors, "code pointer"
	answers  []string // headers that the answer must have, names and values
	saves    []string // names, and where in the answer, in turn
	patient  bool
	custom   func(*testing.T, *scene)
}

func post(path, body string) *step { return &step{method: http.MethodPost, path: path, body: body} }

func get(path string) *step { return &step{method: http.MethodGet, path: path} }

func put(path, body string) *step { return &step{method: http.MethodPut, path: path, body: body} }

func del(path string) *step { return &step{method: http.MethodDelete, path: path} }

// does is for what cannot be said with a request and an answer.
func does(f func(*testing.T, *scene)) *step { return &step{custom: f} }

// ok expects success, with a part of the answer.
func (s *step) ok(expected string) *step {
	s.status, s.expected = http.StatusOK, expected
	return s
}

// is expects a status, with a part of the answer.
func (s *step) is(status int, expected string) *step {
	s.status, s.expected = status, expected
	return s
}

// refused expects a refusal with exactly these errors, each "code pointer".
func (s *step) refused(errors ...string) *step {
	return s.refusedWith(http.StatusBadRequest, errors...)
}

func (s *step) refusedWith(status int, errors ...string) *step {
	s.status, s.refusal = status, errors
	return s
}

// saves a value of the answer, named as in a path: payload.refId, items.0.state.
func (s *step) save(name, where string) *step {
	s.saves = append(s.saves, name, where)
	return s
}

// with sends a header.
func (s *step) with(name, value string) *step {
	s.headers = append(s.headers, name, value)
	return s
}

// header expects a header in the answer.
func (s *step) header(name, value string) *step {
	s.answers = append(s.answers, name, value)
	return s
}

// exactly sends the body as it stands, without adding a requestId.
func (s *step) exactly() *step {
	s.bare = true
	return s
}

// eventually repeats the request until it answers as expected, for 10 s.
func (s *step) eventually() *step {
	s.patient = true
	return s
}

// steps joins steps and lists of steps.
func steps(list ...any) []*step {
	var out []*step
	for _, s := range list {
		switch s := s.(type) {
		case *step:
			out = append(out, s)
		case []*step:
			out = append(out, s...)
		default:
			panic(fmt.Sprintf("%T is no step", s))
		}
	}
	return out
}

// runner runs cases against one server.
type runner struct {
	app  *testkit.App
	api  *testkit.OpenAPI
	seen coverage
}

// scene is one case under way.
type scene struct {
	*runner
	vars map[string]string
}

func (r *runner) run(t *testing.T, c Case) {
	s := &scene{r, map[string]string{}}
	for i, step := range c.Steps {
		if step.custom != nil {
			step.custom(t, s)
		} else {
			s.step(t, i, step)
		}
		if t.Failed() {
			return // what follows builds on it
		}
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	value  any // of the body, if it is JSON
}

func (s *scene) step(t *testing.T, n int, step *step) {
	t.Helper()
	path := s.fill(step.path)
	body := s.fill(step.body)
	for _, room := range []string{"/customers", "/accounts", "/subscribers", "/subscriptions", "/batch"} {
		if strings.HasPrefix(path, room) {
			path = "/v1/casm" + path
			break
		}
	}
	if step.method == http.MethodPost && strings.HasPrefix(path, "/v1/casm/") && !step.bare && !strings.Contains(body, `"requestId"`) {
		body = `{"requestId": "` + uuid.NewString() + `", ` + strings.TrimPrefix(body, "{")
		body = strings.Replace(body, `", }`, `"}`, 1)
	}
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		got, err := s.send(t, step, path, body)
		if err == nil {
			err = s.check(step, path, got)
		}
		if err == nil {
			s.keep(t, step, got)
			return
		}
		if !step.patient || time.Since(begun) > 10*time.Second {
			t.Fatalf("step %d, %s %s %s\n%v", n+1, step.method, path, clip(body), err)
		}
	}
}

func clip(s string) string {
	if len(s) > 1000 {
		return s[:1000] + "…"
	}
	return s
}

func (s *scene) send(t *testing.T, step *step, path, body string) (*answer, error) {
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), step.method, s.app.URL+path, in)
	if err != nil {
		return nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(step.headers); i += 2 {
		req.Header.Set(step.headers[i], s.fill(step.headers[i+1]))
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	a := &answer{status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		return nil, err
	}
	if strings.Contains(res.Header.Get("Content-Type"), "json") {
		err = json.Unmarshal(a.body, &a.value)
	}
	return a, err
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 30 * time.Second}

// check compares an answer with what is expected, and with the OpenAPI document.
func (s *scene) check(step *step, path string, got *answer) error {
	bare, _, _ := strings.Cut(path, "?")
	op := s.api.Find(step.method, bare)
	if err := s.api.CheckAnswer(op, got.status, got.header, got.body); err != nil {
		return err
	}
	if got.status != step.status {
		return fmt.Errorf("status %d, want %d: %s", got.status, step.status, got.body)
	}
	var codes []string
	if step.refusal != nil {
		var p testkit.APIProblem
		if err := json.Unmarshal(got.body, &p); err != nil {
			return err
		}
		var have []string
		for _, e := range p.Errors {
			have = append(have, strings.TrimSpace(e.Code+" "+e.Pointer))
			codes = append(codes, e.Code)
		}
		if !slices.Equal(have, step.refusal) {
			return fmt.Errorf("refused with %q, want %q: %s", have, step.refusal, got.body)
		}
	}
	for i := 0; i < len(step.answers); i += 2 {
		if have := got.header.Get(step.answers[i]); have != s.fill(step.answers[i+1]) {
			return fmt.Errorf("the header %s is %q, want %q", step.answers[i], have, s.fill(step.answers[i+1]))
		}
	}
	if step.expected != "" {
		var want any
		if err := json.Unmarshal([]byte(s.fill(step.expected)), &want); err != nil {
			return fmt.Errorf("the expectation is no JSON: %w: %s", err, step.expected)
		}
		if err := match("", want, got.value); err != nil {
			return fmt.Errorf("%w\n%s", err, got.body)
		}
	}
	s.seen.add(op, got.status, codes)
	return nil
}

// match looks for the expected in what is there: objects may have more
// members, lists must have as many elements. The text "<any>" stands for
// anything that is there, "<none>" for a member that is not.
func match(at string, want, have any) error {
	switch want := want.(type) {
	case map[string]any:
		object, ok := have.(map[string]any)
		if !ok {
			return fmt.Errorf("at %q: want an object, have %v", at, have)
		}
		for name, value := range want {
			got, there := object[name]
			if there == (value == "<none>") {
				return fmt.Errorf("at %q: there=%t, want %v", at+"/"+name, there, value)
			}
			if value == "<none>" {
				continue
			}
			if err := match(at+"/"+name, value, got); err != nil {
				return err
			}
		}
		return nil
	case []any:
		list, ok := have.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Errorf("at %q: want a list of %d, have %v", at, len(want), have)
		}
		for i := range want {
			if err := match(fmt.Sprintf("%s/%d", at, i), want[i], list[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if want != "<any>" && want != have {
		return fmt.Errorf("at %q: want %v, have %v", at, want, have)
	}
	return nil
}

func (s *scene) keep(t *testing.T, step *step, got *answer) {
	t.Helper()
	for i := 0; i < len(step.saves); i += 2 {
		value := got.value
		for part := range strings.SplitSeq(step.saves[i+1], ".") {
			switch v := value.(type) {
			case map[string]any:
				value = v[part]
			case []any:
				var n int
				if _, err := fmt.Sscan(part, &n); err != nil || n >= len(v) {
					t.Fatalf("no %s in %s", step.saves[i+1], got.body)
				}
				value = v[n]
			}
		}
		if value == nil {
			t.Fatalf("no %s in %s", step.saves[i+1], got.body)
		}
		s.vars[step.saves[i]] = fmt.Sprint(value)
	}
}

var variable = regexp.MustCompile(`\{\{(\$?[A-Za-z]\w*)([+-]\w+)?\}\}`)

// fill puts values in the place of variables.
func (s *scene) fill(text string) string {
	return variable.ReplaceAllStringFunc(text, func(v string) string {
		m := variable.FindStringSubmatch(v)
		switch m[1] {
		case "$guid":
			return uuid.NewString()
		case "$now":
			d, err := time.ParseDuration(strings.TrimPrefix(m[2]+"0s", "+"))
			if err != nil {
				panic(v + ": " + err.Error())
			}
			return time.Now().Add(d).UTC().Format("2006-01-02T15:04:05.000000Z")
		}
		if s.vars[m[1]] == "" {
			s.vars[m[1]] = fresh(m[1])
		}
		return s.vars[m[1]]
	})
}

var count atomic.Int64

// fresh makes a value that nobody has had.
func fresh(name string) string {
	n := count.Add(1)
	switch {
	case strings.HasPrefix(name, "msisdn"):
		return fmt.Sprintf("49%010d", n)
	case strings.HasPrefix(name, "imsi"):
		return fmt.Sprintf("26%013d", n)
	case strings.HasPrefix(name, "ip"):
		return fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)
	}
	return name + "-" + uuid.NewString()
}
