package httpapi

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// externalIDs are those of a page's items, sorted.
func (r *answered) externalIDs() []string {
	r.t.Helper()
	ids := []string{}
	for _, item := range r.member("items").([]any) {
		ids = append(ids, item.(map[string]any)["externalId"].(string))
	}
	slices.Sort(ids)
	return ids
}

func TestLists(t *testing.T) {
	a := newDev(t)
	s := loadOpenAPI(t)
	create := func(id, more string) {
		a.post("/v1/casm/customers/create", `{"requestId":"`+fresh()+`","externalId":"`+id+`","customerProfile":"b2b"`+more+`}`).is(200)
	}
	create("c1", `,"customName":"Anna","customAttributes":{"town":"Wien","empty":""}`)
	create("c2", `,"customName":"Anton","customAttributes":{"town":"Linz"},"testCustomer":true`)
	create("c3", `,"customName":"Berta","customerSegment":"b2c"`)
	create("d4", `,"state":{"state":"INACTIVE","stateReason":"dfltInactive"}`)
	for query, want := range map[string]string{
		"":                           "c1 c2 c3 d4",
		"externalId=c":               "c1 c2 c3",
		"customName=An":              "c1 c2",
		"customName=An&customName=B": "c1 c2 c3",
		"customName=An&segment=b2c":  "",
		"segment=b2c&segment=b2b":    "c1 c2 c3 d4",
		"state=INACTIVE":             "d4",
		"stateReason=dfltActive":     "c1 c2 c3",
		"test=true":                  "c2",
		"test=false":                 "c1 c3 d4",
		"test=false&test=true":       "c1 c2 c3 d4",
		"customAttributes.town=Wien": "c1",
		"customAttributes.town=Wien&customAttributes.town=Linz": "c1 c2",
		"customAttributes.empty=":                               "c1",
		"updatedSince=2024-01-01T00:00:00Z":                     "c1 c2 c3 d4",
		"plannedBefore=2199-01-01T00:00:00Z":                    "",
	} {
		r := a.get("/v1/casm/customers?" + query).is(200)
		s.validate(t, "CustomerList", r.Body)
		if got := strings.Join(r.externalIDs(), " "); got != want {
			t.Errorf("%s gives %q, want %q", query, got, want)
		}
	}
	for _, query := range []string{"limit=3", "limit=1&updatedSince=2024-01-01T00:00:00Z", "limit=2&state=ACTIVE&state=INACTIVE"} {
		var all []string
		for cursor := ""; ; {
			r := a.get("/v1/casm/customers?" + query + cursor).is(200)
			all = append(all, r.externalIDs()...)
			next, ok := r.member("nextCursor").(string)
			if !ok {
				break
			}
			cursor = "&cursor=" + url.QueryEscape(next)
		}
		slices.Sort(all)
		if got := strings.Join(all, " "); got != "c1 c2 c3 d4" {
			t.Errorf("%s pages through %q", query, got)
		}
	}
	for query, want := range map[string]string{
		"customer=x":             "unknown_member customer",
		"offer=x":                "unknown_member offer",
		"resource=1":             "unknown_member resource",
		"state=ALIVE":            "invalid_value state",
		"test=1":                 "invalid_value test",
		"limit=0":                "out_of_range limit",
		"limit=1&limit=1":        "invalid_value limit",
		"cursor=zzz":             "invalid_value cursor",
		"updatedSince=yesterday": "invalid_value updatedSince",
		"customAttributes.=x":    "invalid_value customAttributes.",
		"customAttributes.a=x&customAttributes.b=x": "too_many customAttributes.",
		"customAttributes=x":                        "unknown_member customAttributes",
		"externalId=":                               "invalid_value externalId",
		strings.Repeat("state=ACTIVE&", 101):        "too_many state",
	} {
		a.get("/v1/casm/customers?"+query).refuses(400, want)
	}

	// A cursor is of its list and filters, in any order; limit may change.
	next := a.get("/v1/casm/customers?limit=1&state=ACTIVE&state=INACTIVE").is(200).member("nextCursor").(string)
	a.get("/v1/casm/customers?limit=2&state=INACTIVE&state=ACTIVE&cursor=" + next).is(200)
	for _, query := range []string{"customers?", "customers?state=ACTIVE&", "customers?updatedSince=2024-01-01T00:00:00Z&", "accounts?state=ACTIVE&state=INACTIVE&"} {
		a.get("/v1/casm/"+query+"cursor="+next).refuses(400, "invalid_value cursor")
	}

	id := a.get("/v1/casm/customers/read?externalId=c1").member("refId").(string)
	a.post("/v1/casm/accounts/create", `{"requestId":"`+fresh()+`","externalId":"a1","accountProfile":"postpaid","customer":{"externalId":"c1"}}`).is(200)
	a.post("/v1/casm/subscribers/create", `{"requestId":"`+fresh()+`","externalId":"s1","subscriberProfile":"mobile","account":{"externalId":"a1"},"primaryResource":"491701234567"}`).is(200)
	for path, schema := range map[string]string{
		"/v1/casm/accounts?customer=" + id:                             "AccountList",
		"/v1/casm/subscribers?customer=" + id + "&resourceType=msisdn": "SubscriberList",
		"/v1/casm/subscribers?resource=491701234567":                   "SubscriberList",
	} {
		r := a.get(path).is(200)
		s.validate(t, schema, r.Body)
		if len(r.externalIDs()) != 1 {
			t.Errorf("%s: %s", path, r.Body)
		}
	}
	if r := a.get("/v1/casm/subscriptions?offer=offer_code").is(200); len(r.externalIDs()) != 0 {
		t.Errorf("%s", r.Body)
	}
}
