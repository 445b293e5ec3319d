package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"casm"
	"casm/auth"
)

const (
	passphrase = "correct horse battery staple"
	another    = "seven green bottles on a wall"
)

// items are the members with the name of a list's items.
func (r *answered) items(name string) (out []any) {
	r.t.Helper()
	for _, item := range r.member("items").([]any) {
		out = append(out, item.(map[string]any)[name])
	}
	return out
}

func TestKeysOverHTTP(t *testing.T) {
	a := newAPI(t, nil)
	a.key("admin")
	made := a.post("/v1/admin/keys", `{"name":"crm","description":"The CRM.","roles":["crm-integration"],"permissions":["dwh:read"],"expires":"2099-01-01T00:00:00Z","rateLimit":50}`).is(201)
	key, code := made.member("key").(string), made.member("code").(string)
	if loc := made.Header.Get("Location"); loc != "/v1/admin/keys/"+code || made.Header.Get("ETag") != `"1"` {
		t.Errorf("Location %s, ETag %s", loc, made.Header.Get("ETag"))
	}
	as := []string{"Authorization", "", "Authorization", "Bearer " + key}
	who := a.get("/v1/session", as...).is(200)
	want := []any{"casm:read", "casm:write", "balance:write", "stream:read", "dwh:read"}
	if got := who.member("permissions").([]any); !slices.Equal(got, want) || who.member("actor") != "key:crm" || who.member("key") != code ||
		who.member("dev") != false || who.member("expiresAt") != "2099-01-01T00:00:00.000000Z" {
		t.Errorf("%s", who.Body)
	}
	for _, r := range []*answered{a.get("/v1/admin/keys"), a.get("/v1/admin/keys/" + code)} {
		if text := string(r.is(200).Body); strings.Contains(text, "hash") || strings.Contains(text, key[len(key)-43:]) || !strings.Contains(text, `"rateLimit":50`) {
			t.Errorf("%s", text)
		}
	}
	a.do(http.MethodDelete, "/v1/admin/keys/"+code, "", "If-Match", `"7"`).refuses(412, "version_mismatch If-Match")
	a.do(http.MethodDelete, "/v1/admin/keys/"+code, "", "If-Match", `"1"`).is(204)
	a.do(http.MethodDelete, "/v1/admin/keys/"+code, "").is(204)
	a.get("/v1/session", as...).refuses(401, "unauthenticated Authorization")
	r := a.get("/v1/admin/keys/" + code).is(200)
	if r.member("revoked") != true || len(r.member("roles").([]any)) != 0 || !slices.Equal(r.member("permissions").([]any), want) {
		t.Errorf("%s", r.Body)
	}
	a.get("/v1/admin/keys/none").refuses(404, "not_found")
	a.post("/v1/admin/keys", `{"name":"x","name":"y"}`).refuses(400, "malformed_json")
	a.do(http.MethodDelete, "/v1/admin/keys/none", "").refuses(404, "not_found")
	for body, errors := range map[string][]string{
		`{}`:                                  {"required /name"},
		`{"name":"x"}`:                        {"required /permissions"},
		`{"name":"x","roles":["no"]}`:         {"not_configured /roles/0"},
		`{"name":"x","permissions":["root"]}`: {"invalid_value /permissions/0"},
		`{"name":"x","permissions":"admin"}`:  {"wrong_type /permissions"},
		`{"name":"x","permissions":["admin"],"rateLimit":-1}`:                      {"out_of_range /rateLimit"},
		`{"name":"x","permissions":["admin"],"expires":"2020-01-01T00:00:00Z"}`:    {"out_of_range /expires"},
		`{"name":"x","permissions":["admin"],"hash":"0"}`:                          {"unknown_member /hash"},
		`{"name":"x","permissions":["admin"],"code":"aaaaaaaaaaaaaaaa"}`:           {"unknown_member /code"},
		`{"name":"` + strings.Repeat("x", 256) + `","permissions":["admin"]}`:      {"too_long /name"},
		`{"name":"x","roles":[` + strings.Repeat(`"reader",`, 1000) + `"reader"]}`: {"too_many /roles"},
		`{"name":"x","roles":["no"],"expires":"2020-01-01T00:00:00Z"}`:             {"out_of_range /expires", "not_configured /roles/0"},
	} {
		a.post("/v1/admin/keys", body).refuses(400, errors...)
	}
	a.post("/v1/admin/keys?x=1", `{"name":"x","roles":["reader"]}`).refuses(400, "unknown_member x")
	a.post("/v1/admin/keys", `{"name":"x","roles":["reader"]}`, "If-Match", `"1"`).refuses(400, "invalid_value If-Match")
	if strings.Contains(a.log.String(), key[len(key)-43:]) {
		t.Error("the log holds the key")
	}
	for _, act := range []string{"key.create", "key.revoke"} {
		if len(a.log.find(`"audit"`, `"actor":"key:crm"`, `"act":"`+act+`"`, `"outcome":"done"`)) == 0 {
			t.Errorf("%s was not audited", act)
		}
	}
}

func TestRolesOverHTTP(t *testing.T) {
	a := newAPI(t, nil)
	a.key("admin")
	if got := a.get("/v1/admin/roles").is(200).items("code"); !slices.Equal(got, []any{"organization-manager", "power-user", "reader", "crm-integration"}) {
		t.Errorf("%v", got)
	}
	r := a.get("/v1/admin/roles/reader").is(200)
	if r.member("builtIn") != true || r.member("name") != "Reader" || len(r.member("permissions").([]any)) != 4 {
		t.Errorf("%s", r.Body)
	}
	a.do(http.MethodPut, "/v1/admin/roles/reader", `{"code":"reader","name":"Reader","permissions":["admin"]}`).refuses(409, "in_use")
	a.do(http.MethodDelete, "/v1/admin/roles/reader", "").refuses(409, "in_use")
	a.post("/v1/admin/roles", `{"code":"reader","name":"x","permissions":["admin"]}`).refuses(409, "duplicate_code /code")

	made := a.post("/v1/admin/roles", `{"code":"support","name":"Support","permissions":["stream:read","casm:read","casm:read"]}`).is(201)
	if made.Header.Get("Location") != "/v1/admin/roles/support" || !slices.Equal(made.member("permissions").([]any), []any{"casm:read", "stream:read"}) || made.member("builtIn") != false {
		t.Errorf("%s", made.Body)
	}
	// A change acts at once on who holds it.
	key := a.post("/v1/admin/keys", `{"name":"s","roles":["support"]}`).is(201)
	as := []string{"Authorization", "", "Authorization", "Bearer " + key.member("key").(string)}
	a.get("/v1/config/services", as...).refuses(403, "forbidden Authorization")
	a.do(http.MethodPut, "/v1/admin/roles/support", `{"code":"support","name":"Support","permissions":["config:read"],"builtIn":true,"version":9}`, "If-Match", `"1"`).is(200)
	a.get("/v1/config/services", as...).is(200)
	a.get("/v1/casm/customers", as...).refuses(403, "forbidden Authorization")
	a.do(http.MethodPut, "/v1/admin/roles/support", `{"code":"support","name":"Support","permissions":[]}`, "If-Match", `"1"`).refuses(412, "version_mismatch If-Match")
	a.do(http.MethodPut, "/v1/admin/roles/support", `{"code":"other","name":"Support","permissions":[]}`).refuses(400, "code_immutable /code")
	a.do(http.MethodPut, "/v1/admin/roles/none", `{"code":"none","name":"x","permissions":[]}`).refuses(404, "not_found")

	p := a.do(http.MethodDelete, "/v1/admin/roles/support", "").refuses(409, "in_use")
	if !strings.Contains(p.Errors[0].Detail, "api-keys/"+key.member("code").(string)) {
		t.Errorf("%q does not say by what", p.Errors[0].Detail)
	}
	a.do(http.MethodDelete, "/v1/admin/keys/"+key.member("code").(string), "").is(204)
	a.do(http.MethodDelete, "/v1/admin/roles/support", "").is(204)
	a.do(http.MethodDelete, "/v1/admin/roles/support", "").refuses(404, "not_found")
	for body, errors := range map[string][]string{
		`{}`: {"required /code", "required /name", "required /permissions"},
		`{"code":"a b","name":"x","permissions":[]}`:        {"invalid_value /code"},
		`{"code":"a","name":"x","permissions":["reader"]}`:  {"invalid_value /permissions/0"},
		`{"code":"a","name":"x","permissions":[1]}`:         {"wrong_type /permissions/0"},
		`{"code":"a","name":"x\ny","permissions":[]}`:       {"invalid_value /name"},
		`{"code":"a","name":"x","permissions":[],"x":true}`: {"unknown_member /x"},
	} {
		a.post("/v1/admin/roles", body).refuses(400, errors...)
	}
}

func TestUsersOverHTTP(t *testing.T) {
	a := newAPI(t, nil)
	a.key("admin")
	made := a.post("/v1/admin/users", `{"code":"ann@example.com","name":"Ann Example","roles":["reader"],"permissions":["casm:write"],"password":"`+passphrase+`"}`).is(201)
	if made.Header.Get("Location") != "/v1/admin/users/ann@example.com" || made.Header.Get("ETag") != `"1"` || made.member("disabled") != false || made.member("createdAt") == nil {
		t.Errorf("%v %s", made.Header, made.Body)
	}
	a.post("/v1/admin/users", `{"code":"bob","name":"Bob"}`).is(201)
	if got := a.get("/v1/admin/users").is(200).items("code"); !slices.Equal(got, []any{"ann@example.com", "bob"}) {
		t.Errorf("%v", got)
	}
	read := a.get("/v1/admin/users/ann@example.com").is(200)
	// What was read can be sent back.
	a.do(http.MethodPut, "/v1/admin/users/ann@example.com", string(read.Body), "If-Match", `"1"`).is(200)
	now := a.do(http.MethodPut, "/v1/admin/users/ann@example.com", `{"code":"ann@example.com","name":"Ann","roles":["power-user"]}`).is(200)
	if now.member("version") != 2.0 || now.member("createdAt") != read.member("createdAt") || len(now.member("permissions").([]any)) != 0 {
		t.Errorf("%s", now.Body)
	}
	a.get("/v1/admin/users/none").refuses(404, "not_found")
	a.post("/v1/admin/users", `{"code":"bob","name":"Bob"}`).refuses(409, "duplicate_code /code")
	a.do(http.MethodDelete, "/v1/admin/roles/power-user", "").refuses(409, "in_use")
	a.do(http.MethodDelete, "/v1/admin/users/bob", "", "If-Match", `"2"`).refuses(412, "version_mismatch If-Match")
	a.do(http.MethodDelete, "/v1/admin/users/bob", "").is(204)
	a.do(http.MethodDelete, "/v1/admin/users/bob", "").refuses(404, "not_found")

	for body, errors := range map[string][]string{
		`{}`:                        {"required /code", "required /name"},
		`{"code":"a b","name":"x"}`: {"invalid_value /code"},
		`{"code":"..","name":"x"}`:  {"invalid_value /code"},
		`{"code":"x","name":"` + strings.Repeat("y", 256) + `"}`:                   {"too_long /name"},
		`{"code":"x","name":"y","roles":["no"]}`:                                   {"not_configured /roles/0"},
		`{"code":"x","name":"y","hash":"z"}`:                                       {"unknown_member /hash"},
		`{"code":"x","name":"y","era":"z"}`:                                        {"unknown_member /era"},
		`{"code":"x","name":"y","disabled":"no"}`:                                  {"wrong_type /disabled"},
		`{"code":"x","name":"y","password":true}`:                                  {"wrong_type /password"},
		`{"code":"x","name":"y","password":""}`:                                    {"invalid_value /password"},
		`{"code":"x","name":"y","password":"too short"}`:                           {"out_of_range /password"},
		`{"code":"x","name":"y","password":"` + strings.Repeat("ab cd", 26) + `"}`: {"too_long /password"},
		`{"code":"x","name":"y","password":"` + strings.Repeat("x", 1001) + `"}`:   {"too_long /password"},
		`{"code":"x","name":"y","password":"line\nbreak is in it"}`:                {"invalid_value /password"},
		`{"code":"x","name":"y","password":"Passw0rd1234!"}`:                       {"invalid_value /password"},
		`{"code":"x","name":"y","password":"aaaaaaaaaaaaaaab"}`:                    {"invalid_value /password"},
		`{"code":"x","name":"y","password":"qwertyuiop123"}`:                       {"invalid_value /password"},
		`{"code":"x","name":"y","password":"abcdefghijklmnop"}`:                    {"invalid_value /password"},
		`{"code":"x","name":"y","password":"123456789012"}`:                        {"invalid_value /password"},
		`{"code":"mallory","name":"y","password":"i am MALLORY of it"}`:            {"invalid_value /password"},
		`{"code":"x","name":"Jane Fox","password":"my name is not jane"}`:          {"invalid_value /password"},
	} {
		p := a.post("/v1/admin/users", body).refuses(400, errors...)
		for _, secret := range []string{"too short", "Passw0rd", "MALLORY", "not jane", "qwertyuiop123"} {
			if strings.Contains(p.Detail, secret) || strings.Contains(p.Errors[0].Detail, secret) {
				t.Errorf("the answer holds the password: %s", p.Detail)
			}
		}
	}
	// Nothing secret is told or logged.
	texts := a.log.String() + string(a.get("/v1/admin/users").Body) + string(read.Body) + string(made.Body) +
		string(a.get("/v1/config/export", "Accept", "application/json").is(200).Body)
	for _, secret := range []string{passphrase, "argon2id", "too short", "Passw0rd1234", "hash\":", "\"era\""} {
		if strings.Contains(texts, secret) {
			t.Errorf("%q is told", secret)
		}
	}
	a.get("/v1/config/users").refuses(404, "not_found")
	a.post("/v1/config/import", `{"users":[]}`).refuses(400, "unknown_member /users")
	if len(a.log.find(`"audit"`, `"act":"user.create"`, `"outcome":"done"`, `"user":"ann@example.com"`)) != 1 {
		t.Error("no record of the creation")
	}
}

// TestSomebodyStaysAdmin: over HTTP nobody can lock everybody out, however it
// is tried.
func TestSomebodyStaysAdmin(t *testing.T) {
	a := newAPI(t, nil)
	own := strings.Split(a.key("admin"), "_")[1]
	last := func(method, path, body string) {
		t.Helper()
		p := a.do(method, path, body).refuses(409, "in_use")
		if !strings.Contains(p.Detail, "admin") {
			t.Errorf("%s", p.Detail)
		}
	}
	last(http.MethodDelete, "/v1/admin/keys/"+own, "")
	// A user without a password, and one that is disabled, are nobody.
	a.post("/v1/admin/users", `{"code":"bob","name":"Bob","roles":["organization-manager"]}`).is(201)
	a.post("/v1/admin/users", `{"code":"cid","name":"Cid","permissions":["admin"],"disabled":true,"password":"`+passphrase+`"}`).is(201)
	last(http.MethodDelete, "/v1/admin/keys/"+own, "")
	a.post("/v1/admin/roles", `{"code":"boss","name":"Boss","permissions":["admin"]}`).is(201)
	a.post("/v1/admin/users", `{"code":"ann","name":"Ann","roles":["boss"],"password":"`+passphrase+`"}`).is(201)
	// Ann signs in, and goes on after the key.
	cookie := a.signIn("ann", passphrase)
	a.do(http.MethodDelete, "/v1/admin/keys/"+own, "").is(204)
	a.header.Del("Authorization")
	a.header.Set("Cookie", cookie)
	last(http.MethodDelete, "/v1/admin/users/ann", "")
	last(http.MethodPut, "/v1/admin/users/ann", `{"code":"ann","name":"Ann","roles":["boss"],"disabled":true}`)
	last(http.MethodPut, "/v1/admin/users/ann", `{"code":"ann","name":"Ann","roles":["reader"]}`)
	last(http.MethodPut, "/v1/admin/roles/boss", `{"code":"boss","name":"Boss","permissions":["casm:read"]}`)
	a.do(http.MethodPut, "/v1/admin/users/ann", `{"code":"ann","name":"Ann B.","roles":["boss"]}`).is(200)
	// On the command line it can be done.
	if err := auth.Users(auth.Office{Configuration: a.engine, Sessions: a.store}).Delete(context.Background(), "root", "", "ann", 0); err != nil {
		t.Error(err)
	}
	a.get("/v1/session").refuses(401, "unauthenticated Cookie")
}

// TestAdminsAtOnce: two who take admin from each other at once do not both
// succeed.
func TestAdminsAtOnce(t *testing.T) {
	for range 10 {
		a := newAPI(t, nil)
		var keys, codes [2]string
		for n := range keys {
			keys[n] = a.key("admin")
			codes[n] = strings.Split(keys[n], "_")[1]
		}
		a.header.Del("Authorization")
		var both sync.WaitGroup
		for n := range keys {
			both.Go(func() {
				r := a.do(http.MethodDelete, "/v1/admin/keys/"+codes[1-n], "", "Authorization", "Bearer "+keys[n])
				if r.Status != 204 && r.Status != 409 && r.Status != 401 {
					t.Errorf("%d %s", r.Status, r.Body)
				}
			})
		}
		both.Wait()
		left := 0
		for _, key := range keys {
			if a.get("/v1/admin/keys", "Authorization", "Bearer "+key).Status == 200 {
				left++
			}
		}
		if left != 1 {
			t.Fatalf("%d of 2 are left", left)
		}
	}
}

// TestPasswordSurvivesOthersChanges: a replacement without a password that
// meets the setting of one loses neither.
func TestPasswordSurvivesOthersChanges(t *testing.T) {
	a := newAPI(t, nil)
	a.key("admin")
	a.post("/v1/admin/users", `{"code":"ann","name":"0","password":"`+passphrase+`"}`).is(201)
	users := auth.Users(auth.Office{Configuration: a.engine, Sessions: a.store})
	var all sync.WaitGroup
	all.Go(func() {
		if err := users.SetPassword(context.Background(), "root", "", "ann", another); err != nil {
			t.Error(err)
		}
	})
	for range 16 {
		all.Go(func() {
			for range 10 {
				a.do(http.MethodPut, "/v1/admin/users/ann", `{"code":"ann","name":"`+fresh()+`"}`).is(200)
			}
		})
	}
	all.Wait()
	a.header.Del("Authorization")
	a.signIn("ann", another)
	s, err := a.engine.Config(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if u := s.Item(auth.UserCollection, "ann").(*casm.User); !strings.HasPrefix(u.Hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is %s", u.Hash)
	}
}

// TestPasswordsLeaveNothingBehind: a user's history has each version, and in none of
// them what was kept of a password; the present one holds.
func TestPasswordsLeaveNothingBehind(t *testing.T) {
	a := newAPI(t, nil)
	a.key("admin")
	a.post("/v1/admin/users", `{"code":"ann","name":"Ann","roles":["reader"],"password":"`+passphrase+`"}`).is(201)
	a.do(http.MethodPut, "/v1/admin/users/ann", `{"code":"ann","name":"Ann","roles":["reader"],"password":"`+another+`"}`).is(200)
	a.do(http.MethodPut, "/v1/admin/users/ann", `{"code":"ann","name":"Ann B.","roles":["reader"]}`).is(200)
	a.signIn("ann", another)
	list, err := a.engine.ConfigHistory(t.Context(), casm.CodeRef{Collection: auth.UserCollection, Code: "ann"}, 10)
	if err != nil || len(list) != 3 {
		t.Fatalf("%d versions, %v", len(list), err)
	}
	for i, name := range []string{"Ann B.", "Ann", "Ann"} {
		if doc := string(list[i].Doc); strings.Contains(doc, "argon2") || strings.Contains(doc, `"hash"`) || !strings.Contains(doc, `"name":"`+name+`"`) || list[i].Actor != "key:crm" {
			t.Errorf("version %d, by %s: %s", list[i].Version, list[i].Actor, doc)
		}
	}
}
