package postgres

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"

	"casm"
	"casm/store"

	"github.com/google/uuid"
)

// The feed reads transactions in the order of their positions, and then the
// journal rows of as many as fill a page.
var (
	feedOfAll      = newFeed(`t.rows > 0 AND $3::uuid IS NULL`)
	feedOfCustomer = newFeed(`t.customer = $3`)
	feedOfKind     = func() (s [casm.KindBalance + 1]*statement) {
		for _, kind := range casm.Kinds {
			s[kind] = newFeed(`t.kinds & ` + strconv.Itoa(1<<kind) + ` <> 0 AND $3::uuid IS NULL`)
		}
		return s
	}()

	// The bounds of the months are known before it begins, which spares the
	// database the tables of all others.
	selectFeedRows = newStatement(`SELECT u.i, j.ordinal, ` + changeColumns + `
	FROM unnest($1::integer[], $2::uuid[], $3::integer[], $4::integer[]) WITH ORDINALITY AS u(month, transaction_id, ordinal, first, i)
	CROSS JOIN LATERAL (SELECT * FROM journal j WHERE j.month = u.month AND j.month BETWEEN $8 AND $9 AND j.transaction_id = u.transaction_id
	  AND j.batch_ordinal = u.ordinal AND j.ordinal >= u.first
	  AND ($5::uuid IS NULL OR j.customer = $5) AND ($6::smallint = 0 OR j.kind = $6)
	  ORDER BY j.ordinal LIMIT $7) j`)
)

func newFeed(condition string) *statement {
	return newStatement(`SELECT t.month, t.position, t.rows, t.kinds, ` + headColumns + ` FROM business_transaction t
	WHERE t.position >= $1 AND ` + condition + ` ORDER BY t.position LIMIT $2`)
}

// several is what business_transaction.customer holds when the journal rows are
// not all of one customer.
var several uuid.UUID

// logged is a transaction of which journal rows are to be read.
type logged struct {
	head     store.Transaction
	month    int32
	position int64
	rows     int32 // in all
	kinds    int32
	first    int32 // ordinal of the first that is wanted
}

// Feed implements store.Reader.
func (r *reader) Feed(ctx context.Context, after casm.Position, filter store.FeedFilter, limit int) (found []store.Entry, err error) {
	if limit <= 0 || filter.Kind != 0 && !filter.Kind.Valid() {
		return nil, nil
	}
	for {
		page, next, err := r.feedPage(ctx, after, filter, limit-len(found))
		if err != nil {
			return nil, err
		}
		// With a filter, transactions may hold fewer rows than was reckoned.
		if found, err = r.feedRows(ctx, found, page, filter, limit); err != nil {
			return nil, err
		}
		if len(found) >= limit || next == 0 {
			return found, nil
		}
		after = casm.Position{Transaction: next, Ordinal: math.MaxInt64}
	}
}

// feedPage gives transactions with journal rows after a position: as many as
// fill the limit if all of their rows are wanted. next is the position behind
// which to go on, or 0 at the end of the log.
func (r *reader) feedPage(ctx context.Context, after casm.Position, filter store.FeedFilter, limit int) (page []logged, next int64, err error) {
	p, err := r.pipe()
	if err != nil {
		return nil, 0, err
	}
	streams := []struct {
		statement *statement
		customer  []byte
	}{{feedOfAll, nil}}
	switch {
	case filter.Customer != none:
		streams = append(streams, streams[0])
		streams[0].statement, streams[0].customer = feedOfCustomer, filter.Customer[:]
		streams[1].statement, streams[1].customer = feedOfCustomer, several[:]
	case filter.Kind != 0:
		streams[0].statement = feedOfKind[filter.Kind]
	}
	// One more than the limit: the first may have been read to its end. A
	// stream that gives all that was asked for has more behind its last.
	ask := limit + 1
	ends := make([]int64, len(streams))
	for i, s := range streams {
		n := 0
		p.add(s.statement, func(a *args) {
			a.int8(after.Transaction)
			a.limit(ask)
			a.add(s.customer)
		}, func(row *row) error {
			t := logged{month: row.int4(), position: row.int8(), rows: row.int4(), kinds: row.int4(), head: row.transactionHead()}
			if n++; n == ask {
				ends[i] = t.position
			}
			if t.position == after.Transaction {
				if after.Ordinal >= int64(t.rows)-1 {
					return nil
				}
				t.first = int32(after.Ordinal + 1)
			}
			if filter.Kind == 0 || t.kinds&(1<<filter.Kind) != 0 {
				page = append(page, t)
			}
			return nil
		})
	}
	if err := r.run(ctx, p, "feed"); err != nil {
		return nil, 0, err
	}
	slices.SortFunc(page, func(a, b logged) int { return cmp.Compare(a.position, b.position) })
	for _, end := range ends {
		if end != 0 && (next == 0 || end < next) {
			next = end
		}
	}
	rows := 0
	for i, t := range page {
		if next != 0 && t.position > next {
			return page[:i], next, nil
		}
		if rows += int(t.rows - t.first); rows >= limit {
			return page[:i+1], t.position, nil
		}
	}
	return page, next, nil
}

// feedRows adds the journal rows of transactions to what was found, up to the limit.
func (r *reader) feedRows(ctx context.Context, found []store.Entry, page []logged, filter store.FeedFilter, limit int) ([]store.Entry, error) {
	if len(page) == 0 {
		return found, nil
	}
	err := r.query(ctx, "feed", selectFeedRows, func(a *args) {
		months, ids := newArray(oidInt4, 8*len(page)), newArray(oidUUID, 20*len(page))
		ordinals, firsts := newArray(oidInt4, 8*len(page)), newArray(oidInt4, 8*len(page))
		for _, t := range page {
			months.int4(t.month)
			ids.id(t.head.ID)
			ordinals.int4(int32(t.head.Ordinal))
			firsts.int4(t.first)
		}
		a.array(months)
		a.array(ids)
		a.array(ordinals)
		a.array(firsts)
		if filter.Customer != none {
			a.id(filter.Customer)
		} else {
			a.add(nil)
		}
		a.int2(int16(filter.Kind))
		a.limit(limit - len(found))
		older := func(a, b logged) int { return cmp.Compare(a.month, b.month) }
		a.int4(slices.MinFunc(page, older).month)
		a.int4(slices.MaxFunc(page, older).month)
	}, func(row *row) error {
		if len(found) >= limit {
			return nil
		}
		t := &page[row.int8()-1]
		found = append(found, store.Entry{
			Position:    casm.Position{Transaction: t.position, Ordinal: int64(row.int4())},
			Transaction: t.head,
			Change:      row.change(),
		})
		return nil
	})
	return found, err
}

var (
	selectTransaction = newStatement(`SELECT ` + transactionColumns + ` FROM business_transaction t
	WHERE t.transaction_id = $1 ORDER BY t.ordinal LIMIT 1`)
	// An ordinal that does not exist gives no row; a transaction without changes one without them.
	selectVersionCount = newStatement(`SELECT t.month, t.versions FROM business_transaction t
	WHERE t.transaction_id = $1 AND t.ordinal = $2`)
	selectTransactionChanges = newStatement(`SELECT ` + changeColumns + ` FROM journal j
	WHERE j.month = $1 AND j.transaction_id = $2 AND j.batch_ordinal = $3 AND j.threshold = 0
	ORDER BY j.ordinal LIMIT $4`)
)

// Transaction implements store.Reader.
func (r *reader) Transaction(ctx context.Context, id uuid.UUID) (found *store.Transaction, err error) {
	err = r.query(ctx, "transaction", selectTransaction, func(a *args) { a.id(id) }, func(row *row) error {
		t := row.transaction()
		found = &t
		return nil
	})
	return found, err
}

// TransactionChanges implements store.Reader.
func (r *reader) TransactionChanges(ctx context.Context, id uuid.UUID, ordinal, limit int) (found []store.Change, total int, err error) {
	if ordinal < 0 || ordinal > math.MaxInt32 {
		return nil, 0, nil
	}
	var month int32
	err = r.query(ctx, "transaction", selectVersionCount,
		func(a *args) { a.id(id); a.int4(int32(ordinal)) },
		func(row *row) error { month, total = row.int4(), int(row.int4()); return nil })
	if err != nil || total == 0 {
		return nil, 0, err
	}
	err = r.query(ctx, "changes of a transaction", selectTransactionChanges, func(a *args) {
		a.int4(month)
		a.id(id)
		a.int4(int32(ordinal))
		a.limit(limit)
	}, func(row *row) error { found = append(found, row.change()); return nil })
	return found, total, err
}
