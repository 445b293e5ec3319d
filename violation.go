package casm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Code says what is wrong, for programs: stable, from contract 4.
type Code string

// The codes of contract 4.
const (
	Required                      Code = "required"
	UnknownMember                 Code = "unknown_member"
	WrongType                     Code = "wrong_type"
	InvalidValue                  Code = "invalid_value"
	TooLong                       Code = "too_long"
	TooMany                       Code = "too_many"
	OutOfRange                    Code = "out_of_range"
	MalformedJSON                 Code = "malformed_json"
	OneOfRequired                 Code = "one_of_required"
	RequestIDReused               Code = "request_id_reused"
	NotFound                      Code = "not_found"
	AmbiguousReference            Code = "ambiguous_reference"
	IsDeactivated                 Code = "deactivated"
	NotConfigured                 Code = "not_configured"
	Retired                       Code = "retired"
	StateReasonNotForState        Code = "state_reason_not_for_state"
	DuplicateExternalID           Code = "duplicate_external_id"
	TransitionNotAllowed          Code = "transition_not_allowed"
	StateChangeAlreadyPlanned     Code = "state_change_already_planned"
	NoPlannedStateChange          Code = "no_planned_state_change"
	PendingNeedsFutureDate        Code = "pending_needs_future_date"
	OtherCustomer                 Code = "other_customer"
	ParentRequired                Code = "parent_required"
	HierarchyCycle                Code = "hierarchy_cycle"
	PaymentResponsibleMismatch    Code = "payment_responsible_mismatch"
	NotIndividual                 Code = "not_individual"
	IndividualRequired            Code = "individual_required"
	AttributeRequired             Code = "attribute_required"
	ServiceKindMismatch           Code = "service_kind_mismatch"
	ResourceTaken                 Code = "resource_taken"
	ResourceTypeAlreadyAssigned   Code = "resource_type_already_assigned"
	ResourceNotAssigned           Code = "resource_not_assigned"
	NotPrimaryResourceType        Code = "not_primary_resource_type"
	BillCycleChangeAlreadyPlanned Code = "bill_cycle_change_already_planned"
	NoPlannedBillCycleChange      Code = "no_planned_bill_cycle_change"
	NoSuchBalance                 Code = "no_such_balance"
	InsufficientBalance           Code = "insufficient_balance"
	BalanceExpired                Code = "balance_expired"
	VersionMismatch               Code = "version_mismatch"
	InUse                         Code = "in_use"
	CodeImmutable                 Code = "code_immutable"
	DuplicateCode                 Code = "duplicate_code"
	Unauthenticated               Code = "unauthenticated"
	Forbidden                     Code = "forbidden"
	RateLimited                   Code = "rate_limited"
	Overloaded                    Code = "overloaded"
	OutcomeUnknown                Code = "outcome_unknown"
	MethodNotAllowed              Code = "method_not_allowed"
	TooLarge                      Code = "too_large"
	NotJSON                       Code = "not_json"
	Internal                      Code = "internal"
)

// Violation is one thing that is wrong with a request.
type Violation struct {
	Code Code `json:"code" doc:"What is wrong, for programs: stable."`
	// Pointer is a JSON pointer into the request, or the name of a query
	// parameter or header.
	Pointer string `json:"pointer" doc:"Where: a JSON pointer into the request, or the name of a query parameter or header."`
	// Detail says what was found and what would be right.
	Detail string `json:"detail" doc:"What was found, and what would be right."`
}

// Violations is everything found wrong at one step of contract rule 2. It is
// an error; a nil or empty Violations means that all is well.
type Violations []Violation

// Add appends a violation; detail is a format.
func (v *Violations) Add(code Code, pointer, detail string, args ...any) {
	*v = append(*v, Violation{code, pointer, fmt.Sprintf(detail, args...)})
}

// Sort orders by pointer, then code (contract rule 2), and drops repetitions.
func (v *Violations) Sort() {
	slices.SortStableFunc(*v, func(a, b Violation) int {
		if c := cmp.Compare(a.Pointer, b.Pointer); c != 0 {
			return c
		}
		return cmp.Compare(a.Code, b.Code)
	})
	*v = slices.CompactFunc(*v, func(a, b Violation) bool {
		return a.Code == b.Code && a.Pointer == b.Pointer
	})
}

// Error implements error.
func (v Violations) Error() string {
	var b strings.Builder
	for i, x := range v {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s at %q: %s", x.Code, x.Pointer, x.Detail)
	}
	return b.String()
}

// Err returns v sorted as an error, or nil when it is empty.
func (v Violations) Err() error {
	if len(v) == 0 {
		return nil
	}
	v.Sort()
	return v
}

// Below reports whether v holds a violation at the pointer or below it.
func (v Violations) Below(pointer string) bool {
	return slices.ContainsFunc(v, func(x Violation) bool {
		rest, ok := strings.CutPrefix(x.Pointer, pointer)
		return ok && (rest == "" || rest[0] == '/')
	})
}

// Has reports whether v holds a violation with the code.
func (v Violations) Has(code Code) bool {
	return slices.ContainsFunc(v, func(x Violation) bool { return x.Code == code })
}
