package casm

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json"
)

// Collection is one kind of configuration.
type Collection struct {
	Path  string // as in /v1/config/<path>
	Title string
	// Object describes an item.
	Object *Object
	// Builtin are the codes that every installation holds and that cannot be deleted.
	Builtin []string
	// OnePrimary: at most one item is primary; setting it clears the other.
	OnePrimary bool
	// Internal collections are not part of /v1/config.
	Internal bool
	// Sealed: what every installation holds cannot be changed either.
	Sealed bool
	make   func() ConfigItem
}

// New returns an empty item.
func (c *Collection) New() ConfigItem { return c.make() }

// Decode reads a stored item.
func (c *Collection) Decode(doc []byte) (ConfigItem, error) {
	item := c.make()
	if err := json.Unmarshal(doc, item); err != nil {
		return nil, fmt.Errorf("casm: decode %s: %w", c.Path, err)
	}
	return item, nil
}

// EncodeItem returns an item as it is stored and answered.
func EncodeItem(item ConfigItem) ([]byte, error) {
	b, err := json.Marshal(item, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("casm: encode configuration %s: %w", item.Base().Code, err)
	}
	return b, nil
}

func collection[T any, P interface {
	*T
	ConfigItem
}](path, title string, builtin ...string,
) *Collection {
	_, onePrimary := reflect.TypeFor[T]().FieldByName("Primary")
	return &Collection{
		Path: path, Title: title, Object: Describe[T](), Builtin: builtin, OnePrimary: onePrimary,
		make: func() ConfigItem { return P(new(T)) },
	}
}

func internal(c *Collection) *Collection { c.Internal = true; return c }

func sealed(c *Collection) *Collection { c.Sealed = true; return c }

// Collections are all collections of configuration (contract 5).
var Collections = []*Collection{
	collection[AccountType]("account-types", "Account Types"),
	collection[ResourceType]("resource-types", "Resource Types"),
	collection[Segment]("customer-segments", "Customer Segments"),
	collection[Segment]("account-segments", "Account Segments"),
	collection[Segment]("subscriber-segments", "Subscriber Segments"),
	collection[StateReason]("state-reasons", "State Reasons", "dfltInactive", "dfltActive", "dfltSuspended", "dfltDeactivated"),
	collection[CustomerProfile]("customer-profiles", "Customer Profiles"),
	collection[AccountProfile]("account-profiles", "Account Profiles"),
	collection[SubscriberProfile]("subscriber-profiles", "Subscriber Profiles"),
	collection[BillCycle]("bill-cycles", "Billing Cycles", "monthly"),
	collection[Currency]("currencies", "Currencies", "EUR"),
	collection[Tax]("taxes", "Taxes"),
	collection[GLCode]("gl-codes", "GL Codes"),
	collection[ChargingClass]("charging-classes", "Charging Classes"),
	collection[Product]("products", "Products"),
	collection[Offer]("offers", "Offers"),
	collection[PubSubEndpoint](PubSubEndpoints, "Pub-Sub Endpoints"),
	internal(collection[APIKey]("api-keys", "API Keys")),
	internal(sealed(collection[Role]("roles", "Roles", "organization-manager", "power-user", "reader", "crm-integration"))),
	internal(collection[User]("users", "Users")),
	internal(collection[Stream]("streams", "Streams")),
}

// CollectionByPath returns the collection, or nil.
func CollectionByPath(path string) *Collection {
	if i := slices.IndexFunc(Collections, func(c *Collection) bool { return c.Path == path }); i >= 0 {
		return Collections[i]
	}
	return nil
}

// Stream is what is set about a stream that the relay publishes to; its code is
// the relay's name.
type Stream struct {
	Item
	Paused bool `json:"paused" doc:"Whether publishing is paused, by hand, on all servers."`
}
