package acceptance

import "strings"

// attributeCases are the same for each kind of entity that they are of.
var attributeCases = attributes()

func attributes() []Case {
	var list []Case
	for _, kind := range []struct {
		name, noun, path string
		begin            []*step
		segments         []string // one given by the profile, another
	}{
		{"customer", "Customer", "/customers", aCustomer, []string{"b2b", "b2c"}},
		{"account", "Account", "/accounts", anAccount, []string{"standard", "keyAccount"}},
		{"subscriber", "Subscriber", "/subscribers", aSubscriber, []string{"voice", "data"}},
		{"subscription", "Subscription", "/subscriptions", aSubscription, nil},
	} {
		text := func(s string) string {
			return strings.NewReplacer("ENTITY", `"`+kind.name+`": {"externalId": "{{`+kind.name+`}}"}`, "ID", `"`+kind.name+`": {"refId": "{{`+kind.name+`Id}}"}`, "NOUN", kind.noun).Replace(s)
		}
		list = append(list,
			Case{kind.name + ": the new external id holds at once, the old one is free (rule 24)", steps(kind.begin,
				post(kind.path+"/external-id/update", text(`{ENTITY, "externalId": "{{new}}"}`)).
					ok(text(`{"operation": "updateNOUNExternalId", "impactedTotal": 1, "payload": {"externalId": "{{new}}", "version": 2}}`)),
				get(kind.path+"/read?externalId={{new}}").ok(`{"refId": "{{`+kind.name+`Id}}"}`),
				get(kind.path+"/read?externalId={{`+kind.name+`}}").refused("not_found externalId"),
				post(kind.path+"/external-id/update", text(`{ENTITY, "externalId": "{{new2}}"}`)).refused("not_found /"+kind.name),
				post(kind.path+"/external-id/update", text(`{ID, "externalId": null}`)).refused("required /externalId"),
				post(kind.path+"/external-id/update", text(`{ID, "externalId": ""}`)).refused("invalid_value /externalId"),
				post(kind.path+"/external-id/update", text(`{ID}`)).refused("required /externalId"),
			)},
			Case{kind.name + ": the name is set and removed (rule 8)", steps(kind.begin,
				post(kind.path+"/custom-name/update", text(`{ENTITY, "customName": "Müller 😀"}`)).ok(text(`{"operation": "updateNOUNCustomName", "payload": {"customName": "Müller 😀", "version": 2}}`)),
				post(kind.path+"/custom-name/update", text(`{ENTITY, "customName": null}`)).ok(`{"payload": {"customName": "<none>", "version": 3}}`),
				post(kind.path+"/custom-name/update", text(`{ENTITY}`)).refused("required /customName"),
				post(kind.path+"/custom-name/update", text(`{ENTITY, "customName": "a\u0000b"}`)).refused("invalid_value /customName"),
				post(kind.path+"/custom-name/update", text(`{ENTITY, "customName": "`+strings.Repeat("é", 256)+`"}`)).refused("too_long /customName"),
				post(kind.path+"/custom-name/update", text(`{ENTITY, "customName": "`+strings.Repeat("😀", 255)+`"}`)).ok(``), // code points count
			)},
			Case{kind.name + ": custom attributes are replaced or merged (rule 23)", steps(kind.begin,
				post(kind.path+"/custom-attributes/update", text(`{ENTITY, "customAttributes": {"a": "1", "b": "2"}}`)).
					ok(text(`{"operation": "updateNOUNCustomAttributes", "payload": {"customAttributes": {"a": "1", "b": "2"}}}`)),
				post(kind.path+"/custom-attributes/update", text(`{ENTITY, "customAttributes": {"b": null, "c": "3\nlines"}, "merge": true}`)).ok(`{"payload": {"customAttributes": {"a": "1", "b": "<none>", "c": "3\nlines"}}}`),
				post(kind.path+"/custom-attributes/update", text(`{ENTITY, "customAttributes": null, "merge": true}`)).ok(`{"impactedTotal": 0}`),
				post(kind.path+"/custom-attributes/update", text(`{ENTITY, "customAttributes": {"d": "4"}}`)).ok(`{"payload": {"customAttributes": {"a": "<none>", "d": "4"}}}`),
				post(kind.path+"/custom-attributes/update", text(`{ENTITY, "customAttributes": {"d": null}}`)).refused("wrong_type /customAttributes/d"),
				post(kind.path+"/custom-attributes/update", text(`{ENTITY, "customAttributes": {"d": 4, "": "x"}}`)).refused("invalid_value /customAttributes/", "wrong_type /customAttributes/d"),
				post(kind.path+"/custom-attributes/update", text(`{ENTITY, "customAttributes": null}`)).ok(`{"payload": {"customAttributes": "<none>"}}`),
				post(kind.path+"/custom-attributes/update", text(`{ENTITY}`)).refused("required /customAttributes"),
			)},
			Case{kind.name + ": several attributes at once, at least one", steps(kind.begin,
				post(kind.path+"/update", text(`{ENTITY, "externalId": "{{new}}", "customName": "N", "customAttributes": {"k": "v"}}`)).
					ok(text(`{"operation": "updateNOUN", "impactedTotal": 1, "payload": {"version": 2, "externalId": "{{new}}", "customName": "N", "customAttributes": {"k": "v"}}}`)),
				post(kind.path+"/update", text(`{ID, "externalId": "{{new}}"}`)).ok(`{"impactedTotal": 0, "payload": {"version": 2}}`),
				post(kind.path+"/update", text(`{ID}`)).refused("one_of_required"),
				post(kind.path+"/update", text(`{ID, "merge": true}`)).refused("one_of_required"),
			)},
		)
		if kind.segments == nil {
			continue
		}
		member := kind.name + "Segment"
		list = append(list, Case{kind.name + ": the segment is changed and removed, and remembered (rule 22)", steps(kind.begin,
			post(kind.path+"/segment/update", text(`{ENTITY, "`+member+`": "`+kind.segments[1]+`"}`)).ok(text(`{"operation": "updateNOUNSegment", "payload": {"`+member+`": "`+kind.segments[1]+`"}}`)),
			post(kind.path+"/segment/update", text(`{ENTITY, "`+member+`": null}`)).ok(`{"payload": {"`+member+`": "<none>"}}`),
			post(kind.path+"/segment/update", text(`{ENTITY, "`+member+`": "none"}`)).refused("not_configured /"+member),
			post(kind.path+"/segment/update", text(`{ENTITY}`)).refused("required /"+member),
			get(kind.path+"/read?externalId={{"+kind.name+"}}&segmentHistory=true").
				ok(`{"segmentHistory": [{"`+member+`": "<none>", "validTo": "<none>"}, {"`+member+`": "`+kind.segments[1]+`"}, {"`+member+`": "`+kind.segments[0]+`", "validTo": "<any>"}]}`),
		)})
	}
	return list
}
