package engine_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"casm"

	"github.com/anishathalye/porcupine"
)

// register is what the linearizability test knows of a customer.
type register struct {
	name    string
	state   string
	version int
}

type call struct {
	customer string
	kind     string // read, name, state
	value    string
}

// TestLinearizable reads and changes a few customers from many clients and
// looks whether there is an order of all that explains every answer.
func TestLinearizable(t *testing.T) {
	f := newFixture(t, true)
	customers := []string{"a", "b", "c"}
	for _, c := range customers {
		f.do("createCustomer", customer(c))
	}
	var mu sync.Mutex
	var history []porcupine.Operation
	began := time.Now()
	together(16, func(client int) {
		r := rand.New(rand.NewPCG(1, uint64(client)))
		for n := range 30 {
			in := call{customer: customers[r.IntN(len(customers))]}
			var out register
			var err error
			start := time.Since(began)
			switch r.IntN(4) {
			case 0, 1:
				in.kind = "read"
				var doc map[string]any
				if doc, err = f.tryRead(casm.KindCustomer, in.customer, 0); err == nil {
					out = registerOf(doc)
				}
			case 2:
				in.kind, in.value = "name", fmt.Sprintf("%d-%d", client, n)
				var a *answer
				if a, err = f.try("updateCustomerCustomName", name(in.customer, in.value)); err == nil {
					out = registerOf(a.Payload)
				}
			case 3:
				in.kind, in.value = "state", []string{"ACTIVE", "SUSPENDED"}[r.IntN(2)]
				var a *answer
				if a, err = f.try("updateCustomerState", stateBody(casm.KindCustomer, in.customer, in.value)); err == nil {
					out = registerOf(a.Payload)
				}
			}
			end := time.Since(began)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			history = append(history, porcupine.Operation{ClientId: client, Input: in, Call: int64(start), Output: out, Return: int64(end)})
			mu.Unlock()
		}
	})
	model := porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			by := map[string][]porcupine.Operation{}
			for _, o := range history {
				c := o.Input.(call).customer
				by[c] = append(by[c], o)
			}
			var parts [][]porcupine.Operation
			for _, part := range by {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() any { return register{state: "ACTIVE", version: 1} },
		Step: func(state, input, output any) (bool, any) {
			now, in := state.(register), input.(call)
			next := now
			switch in.kind {
			case "name":
				next.name = in.value
			case "state":
				next.state = in.value
			}
			if next != now {
				next.version++
			}
			return output.(register) == next, next
		},
	}
	if !porcupine.CheckOperations(model, history) {
		t.Errorf("the history of %d calls is not linearizable", len(history))
	}
}

func registerOf(doc map[string]any) (r register) {
	r.name, _ = doc["customName"].(string)
	r.state, _ = at(doc, "state.state").(string)
	version, _ := doc["version"].(float64)
	r.version = int(version)
	return r
}
