package casm

import "strconv"

// Problem is the body of an answer that refuses (RFC 9457, contract 4).
type Problem struct {
	Type      string     `json:"type" doc:"A URI reference that identifies the kind of problem."`
	Title     string     `json:"title" doc:"What kind of problem it is."`
	Status    int        `json:"status" doc:"The HTTP status."`
	Detail    string     `json:"detail" doc:"What to know about this one."`
	RequestID string     `json:"requestId,omitzero" doc:"The requestId of the request, as far as it could be read."`
	Errors    Violations `json:"errors" doc:"Everything found wrong, by pointer, then code."`
}

// statuses are the HTTP statuses of codes other than 400 (contract 4).
var statuses = map[Code]int{
	Unauthenticated: 401, Forbidden: 403, MethodNotAllowed: 405, InUse: 409, DuplicateCode: 409,
	VersionMismatch: 412, TooLarge: 413, NotJSON: 415, RateLimited: 429, Internal: 500, Overloaded: 503, OutcomeUnknown: 504,
}

var titles = map[int]string{
	400: "The request is not valid", 401: "Sign-in needed", 403: "Not permitted", 404: "Not found",
	405: "Method not allowed", 409: "In conflict with what stands", 412: "Changed meanwhile", 413: "Too large",
	415: "Not JSON", 429: "Too many requests", 500: "Internal error", 503: "Overloaded or stopping",
	504: "Outcome unknown",
}

// Status returns the HTTP status of a code.
func (c Code) Status() int {
	if s := statuses[c]; s != 0 {
		return s
	}
	return 400
}

// Status returns the HTTP status of violations: that of the first whose status
// is not 400, else 400.
func (v Violations) Status() int {
	for _, x := range v {
		if s := x.Code.Status(); s != 400 {
			return s
		}
	}
	return 400
}

// NewProblem returns the problem that violations make.
func NewProblem(v Violations, requestID string) Problem {
	status := v.Status()
	p := Problem{Status: status, Title: titles[status], RequestID: requestID, Errors: v[:min(len(v), MaxViolations)], Type: "about:blank"}
	if len(v) > 0 {
		p.Type = "/docs#" + string(v[0].Code)
		p.Detail = v[0].Detail
		if v[0].Pointer != "" {
			p.Detail = v[0].Pointer + ": " + p.Detail
		}
		if n := len(v) - 1; n > 0 {
			p.Detail += " (and " + strconv.Itoa(n) + " more)"
		}
	}
	return p
}
