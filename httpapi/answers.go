package httpapi

import "casm"

// views are the entities that views of reads and payloads hold.
var views = map[string]casm.Kind{
	"accounts": casm.KindAccount, "subordinates": casm.KindAccount, "subscribers": casm.KindSubscriber,
	"offers": casm.KindOfferSubscription, "resources": casm.KindSubscriberResource, "balances": casm.KindBalance,
}

// addView describes what a flag of a read includes.
func addView(s *schemas, properties *object, flag string) {
	kind, ok := views[flag]
	if !ok {
		properties.set(flag, obj("type", "array", "items", s.ref("TimeLineEntry"), "description", flagDocs[flag]))
		return
	}
	properties.set(flag, obj("type", "array", "items", s.ref(kind.String()), "description", flagDocs[flag]))
	if kind != casm.KindSubscriberResource && kind != casm.KindBalance {
		properties.set(flag+"Truncated", obj("type", "boolean", "description", "Stands when there are more than 1,000."))
	}
}

// transactionSchema describes the answer of a write whose payload is of the kind.
func transactionSchema(s *schemas, kind casm.Kind) *object {
	payload := s.ref(kind.String())
	properties := obj()
	switch kind {
	case casm.KindSubscriber:
		addView(s, properties, "resources")
	case casm.KindOfferSubscription:
		addView(s, properties, "balances")
	}
	if len(properties.members) > 0 {
		payload = obj("allOf", []any{payload, obj("type", "object", "properties", properties)})
	}
	return obj("type", "object", "required", []string{"requestId", "operation", "timestamp", "payload", "impactedTotal", "impacted"},
		"properties", obj(
			"transactionId", obj("type", "string", "format", "uuid", "description", "The business transaction; none of a dry run."),
			"dryRun", obj("type", "boolean", "description", "Stands, true, when nothing was done."),
			"requestId", obj("type", "string", "description", "The client's id of the request."),
			"operation", obj("type", "string", "description", "The operationId."),
			"timestamp", obj("type", "string", "format", "date-time", "description", "When it took effect."),
			"payload", payload,
			"impactedTotal", obj("type", "integer", "format", "int64", "description", "How many new versions of entities there are; 0 when nothing changed."),
			"impacted", obj("type", "array", "maxItems", 100, "items", s.ref("Impacted"), "description", "The first 100 of them."),
		))
}

// timeLineSchema describes an entry of a history of state, segment, bill cycle or parent.
func timeLineSchema(s *schemas) *object {
	at := func(doc string) *object { return obj("type", "string", "format", "date-time", "description", doc) }
	code := func(doc string) *object { return obj("type", "string", "description", doc) }
	return obj("type", "object", "required", []string{"recordedAt", "transactionId", "overtaken"}, "properties", obj(
		"state", code("Of a state history: the state."), "stateReason", code("Of a state history: its reason."),
		"customerSegment", code("Of a segment history; none: it had none."), "accountSegment", code("Likewise."), "subscriberSegment", code("Likewise."),
		"billCycle", code("Of a bill cycle history."),
		"billingDay", obj("type", "integer"), "billingMonth", obj("type", "integer"), "billingYear", obj("type", "integer"),
		"parent", s.reference(reply).set("description", "Of a parent history; none: it stood at the top."),
		"validFrom", at("Since when it held."), "validTo", at("Until when; none: it holds."), "recordedAt", at("When it was recorded."),
		"transactionId", obj("type", "string", "format", "uuid", "description", "The business transaction that recorded it."),
		"overtaken", obj("type", "boolean", "description", "Whether entries recorded later overtook it whole."),
	))
}

// historySchema describes the business transactions of an entity.
func historySchema() *object {
	text := func(doc string) *object { return obj("type", "string", "description", doc) }
	change := obj("type", "object", "required", []string{"pointer"}, "properties", obj(
		"pointer", text("The member, as a JSON pointer into the entity."),
		"from", obj("description", "What it was; none: it was not there."), "to", obj("description", "What it is; none: it is gone.")))
	item := obj("type", "object", "required", []string{"transactionId", "operation", "timestamp", "version", "changes"}, "properties", obj(
		"transactionId", obj("type", "string", "format", "uuid"), "requestId", text("The client's id of the request."),
		"operation", text("The operation."), "timestamp", obj("type", "string", "format", "date-time"),
		"actor", text("Who did it."), "comment", text("Why."), "version", obj("type", "integer", "format", "int64"),
		"changes", obj("type", "array", "items", change)))
	return obj("type", "object", "required", []string{"items"}, "properties", obj(
		"items", obj("type", "array", "items", item),
		"nextCursor", text("Give it as cursor for the next page; none: this is the last.")))
}

// problemSchema describes problems with all codes and their statuses.
func problemSchema(s *schemas) *object {
	var codes []any
	known := make([]string, 0, len(codeDocs))
	for _, c := range codeDocs {
		known = append(known, string(c.Code))
		codes = append(codes, obj("code", string(c.Code), "status", c.Code.Status(), "meaning", c.Meaning))
	}
	schema := s.object(casm.Describe[casm.Problem](), reply)
	if v, ok := find(s.named, "Violation"); ok {
		properties, _ := find(v.(*object), "properties")
		code, _ := find(properties.(*object), "code")
		code.(*object).set("x-extensible-enum", known).set("x-casm-codes", codes)
	}
	return schema
}

// batchSchema describes the answer of a batch.
func batchSchema(s *schemas) *object {
	result := obj("type", "object", "required", []string{"status"}, "properties", obj(
		"status", obj("type", "integer", "description", "The HTTP status that the operation would have had alone."),
		"transaction", obj("type", "object", "description", "Its business transaction, as its operation answers it."),
		"problem", s.ref("Problem")))
	return obj("type", "object", "required", []string{"requestId", "results"}, "properties", obj(
		"requestId", obj("type", "string"),
		"results", obj("type", "array", "items", result, "description", "One for each operation, in order.")))
}
