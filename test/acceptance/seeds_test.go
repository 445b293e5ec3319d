package acceptance

// The bodies that the product's pages show, as they stand there. They name the
// same external id, so each is renamed before the next.
var seedCases = []Case{
	{"the examples of the pages Create Customer and Create Subscription on Customer", steps(
		post("/customers/create", `{
  "requestId": "{{$guid}}",
  "externalId": "customer_external_id",
  "customerProfile": "b2b"
}`).ok(`{"payload": {"externalId": "customer_external_id", "customerSegment": "b2b", "state": {"state": "ACTIVE", "stateReason": "dfltActive"}}}`),
		renameSeed("first"),
		post("/customers/create", `{
  "requestId": "{{$guid}}",
  "externalId": "customer_external_id",
  "customerProfile": "b2b",
  "customAttributes": {
    "key1": "value 1",
    "key2": "value 2"
  },
  "customName": "Demo Customer"
}`).ok(`{"payload": {"customName": "Demo Customer", "customAttributes": {"key1": "value 1", "key2": "value 2"}}}`),
		renameSeed("second"),
		post("/customers/create", `{
  "requestId": "{{$guid}}",
  "externalId": "customer_external_id",
  "customerSegment": "b2b",
  "customAttributes": {
    "key1": "value 1",
    "key2": "value 2"
  },
  "state" : {
    "state": "ACTIVE",
    "stateReason": "active"
  },
  "customName": "Demo Customer"
}`).ok(`{"payload": {"customerSegment": "b2b", "state": {"state": "ACTIVE", "stateReason": "active"}}}`),
		post("/customers/subscriptions/create", `{
  "requestId": "{{$guid}}",
  "customer": {
    "externalId": "customer_external_id"
  },
  "offer": "offer_code",
  "externalId": "subscription_external_id",
  "customName": "Demo Subscription",
  "customAttributes": {
    "attribute1": "value1",
    "attribute2": "value2"
  },
  "state": {
    "state": "ACTIVE",
    "stateReason": "dfltActive",
    "stateValidFrom": "2024-05-01T00:00:00+02:00"
  }
}`).ok(`{"payload": {"customer": {"externalId": "customer_external_id"}, "offer": "offer_code", "externalId": "subscription_external_id", "customName": "Demo Subscription",
			"customAttributes": {"attribute1": "value1", "attribute2": "value2"}, "state": {"state": "ACTIVE", "stateReason": "dfltActive", "stateValidFrom": "2024-04-30T22:00:00.000000Z"}}}`),
		get("/subscriptions/read?externalId=subscription_external_id").ok(`{"customer": {"externalId": "customer_external_id"}}`),
	)},
}

func renameSeed(to string) *step {
	return post("/customers/external-id/update", `{"customer": {"externalId": "customer_external_id"}, "externalId": "{{`+to+`}}"}`).ok(``)
}
