package warehouse

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"slices"
	"strings"

	"casm"
	"casm/warehouse/sqldb"

	"github.com/google/uuid"
)

// facts are what must be known of an entity to apply its next version.
type facts struct {
	exists  bool
	version int64
	at      int64 // the position of that version
	test    bool
	dims    dims
	// attributes are the custom attributes as they stand in the table.
	attributes string
	// indexed are the indexed columns as they stand in the table.
	indexed []string
	// row and entity are the present version where this batch made it; else it
	// stands in the database. stored: there is one in the database.
	row    []sqldb.Value
	entity casm.Entity
	stored bool
	table  *entityTable
}

// dims are by what metrics count an entity.
type dims struct {
	state, segment, offer, accountType string
	service, unit, currency            string
	granted, actual                    int64
}

// factColumns are expressions for what facts.read reads.
func (t *entityTable) factColumns() []string {
	has := func(name string) bool {
		return slices.ContainsFunc(t.current.Columns, func(c sqldb.Column) bool { return c.Name == name })
	}
	out := []string{"t.ref_id", "t.version", "t.is_test", "t.position"}
	for _, name := range []string{
		"custom_attributes", "state", segmentColumn[t.kind], "offer", "account_type",
		"service", "unit_of_measure", "currency", "granted_balance", "actual_balance",
	} {
		// An account's currency is not one that metrics count by.
		if name == "" || !has(name) || name == "currency" && t.kind != casm.KindBalance {
			out = append(out, "NULL")
		} else {
			out = append(out, "t."+name)
		}
	}
	for _, i := range t.indexed {
		out = append(out, "t."+t.current.Columns[i].Name)
	}
	return out
}

// segmentColumn is where a kind's segment stands.
var segmentColumn = map[casm.Kind]string{
	casm.KindCustomer: "customer_segment", casm.KindAccount: "account_segment", casm.KindSubscriber: "subscriber_segment",
}

// read takes facts from a row of factColumns.
func (f *facts) read(row []sqldb.Value) {
	f.exists, f.stored, f.version, f.test, f.at = true, true, row[1].Int(), row[2].Bool(), row[3].Int()
	row = row[4:]
	f.attributes = row[0].Text()
	f.dims = dims{
		state: row[1].Text(), segment: row[2].Text(), offer: row[3].Text(), accountType: row[4].Text(),
		service: row[5].Text(), unit: row[6].Text(), currency: row[7].Text(), granted: row[8].Int(), actual: row[9].Int(),
	}
	for _, v := range row[10:] {
		f.indexed = append(f.indexed, v.Text())
	}
}

// moved reports whether the present version differs in an indexed column from
// what stands in the database.
func (f *facts) moved() bool {
	var text []byte
	for n, i := range f.table.indexed {
		if text = f.row[i].AppendText(text[:0]); string(text) != f.indexed[n] {
			return true
		}
	}
	return false
}

// dimsOf reads what metrics count by from an entity.
func dimsOf(e casm.Entity) (d dims) {
	if top := e.Top(); top != nil {
		d.state = top.State.State
	}
	if s := e.SegmentCode(); s != nil {
		d.segment = *s
	}
	switch e := e.(type) {
	case *casm.Account:
		d.accountType = e.AccountType
	case *casm.OfferSubscription:
		d.offer = e.Offer
	case *casm.Balance:
		d.service, d.unit, d.currency = e.Service, e.UnitOfMeasure, e.Currency
		d.granted, d.actual = e.GrantedBalance, e.ActualBalance
	}
	return d
}

// isTest reports whether an entity says of itself that it exists for tests.
func isTest(e casm.Entity) bool {
	switch e := e.(type) {
	case *casm.Customer:
		return e.TestCustomer
	case *casm.Account:
		return e.TestAccount
	}
	return false
}

// parents are the entities that make an entity a test entity.
func parents(e casm.Entity) []entityKey {
	var keys []entityKey
	add := func(kind casm.Kind, ref casm.Ref) {
		if ref.RefID != uuid.Nil {
			keys = append(keys, entityKey{kind, ref.RefID})
		}
	}
	if above, kind := e.Superior(); above != nil {
		add(kind, *above)
	}
	if a, ok := e.(*casm.Account); ok && !a.Parent.IsZero() {
		add(casm.KindCustomer, a.Customer)
	}
	return keys
}

type entityKey struct {
	kind casm.Kind
	id   uuid.UUID
}

// rowHash is the hash that stands in row_hash: of the names and values of all
// columns that are not NULL, in the order of their names, so that a column that
// is added later changes nothing.
func (t *entityTable) rowHash(row []sqldb.Value) int64 {
	return hashColumns(t.order, t.current.Columns, row)
}

// hashOrder gives the columns that are hashed, by their names.
func (t *entityTable) hashOrder() []int {
	var order []int
	for i, c := range t.current.Columns {
		if c.Name != "row_hash" {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return strings.Compare(t.current.Columns[a].Name, t.current.Columns[b].Name)
	})
	return order
}

func hashColumns(order []int, columns []sqldb.Column, row []sqldb.Value) int64 {
	b := make([]byte, 0, 1024)
	for _, i := range order {
		if row[i].IsNull() {
			continue
		}
		b = append(b, columns[i].Name...)
		b = append(b, 0)
		at := len(b)
		b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
		b = row[i].AppendText(b)
		binary.BigEndian.PutUint64(b[at:], uint64(len(b)-at-8))
	}
	sum := sha256.Sum256(b)
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// number writes a whole number of any size as the databases keep it.
func number(n *big.Int) sqldb.Value {
	if n.IsInt64() {
		return sqldb.Int(n.Int64())
	}
	return sqldb.Str(n.String())
}

// parseNumber reads what number wrote.
func parseNumber(v sqldb.Value) *big.Int {
	if n, ok := new(big.Int).SetString(v.Text(), 10); ok {
		return n
	}
	return new(big.Int)
}
