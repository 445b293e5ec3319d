// Package casm is the vocabulary of customer, account and subscription
// management: entities, references, time, money, configuration and the
// violations of the contract's rules. It knows no SQL, no HTTP and no clock.
package casm

import "fmt"

// Kind is a type of entity. Its numbers are stored: never renumber them.
type Kind uint8

// The kinds of entity (contract 1).
const (
	KindCustomer           Kind = 1
	KindAccount            Kind = 2
	KindSubscriber         Kind = 3
	KindSubscriberResource Kind = 4
	KindOfferSubscription  Kind = 5
	KindBalance            Kind = 6
)

// Kinds lists all kinds in the order of their numbers.
var Kinds = []Kind{
	KindCustomer, KindAccount, KindSubscriber,
	KindSubscriberResource, KindOfferSubscription, KindBalance,
}

var kindNames = [...]struct{ name, messageCode, member string }{
	KindCustomer:           {"Customer", "customer", "customer"},
	KindAccount:            {"Account", "account", "account"},
	KindSubscriber:         {"Subscriber", "subscriber", "subscriber"},
	KindSubscriberResource: {"SubscriberResource", "subscriberResource", "resource"},
	KindOfferSubscription:  {"OfferSubscription", "offerSubscription", "subscription"},
	KindBalance:            {"Balance", "balance", "balance"},
}

// String returns the type's name as clients see it, such as "OfferSubscription".
func (k Kind) String() string {
	if k.Valid() {
		return kindNames[k].name
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// MessageCode returns the code that messages about the kind carry (contract 7),
// such as "offerSubscription".
func (k Kind) MessageCode() string { return kindNames[k].messageCode }

// Member returns the name of the request member that names an entity of the
// kind, such as "subscription".
func (k Kind) Member() string { return kindNames[k].member }

// Valid reports whether k is one of Kinds.
func (k Kind) Valid() bool { return k >= KindCustomer && k <= KindBalance }

// KindByName returns the kind whose String is name.
func KindByName(name string) (Kind, bool) {
	for _, k := range Kinds {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// KindByMessageCode returns the kind whose MessageCode is code.
func KindByMessageCode(code string) (Kind, bool) {
	for _, k := range Kinds {
		if k.MessageCode() == code {
			return k, true
		}
	}
	return 0, false
}
