package engine_test

import (
	"fmt"
	"sync"
	"testing"

	"casm/command"
	"casm/engine"
)

// BenchmarkCreateCustomer measures creates without HTTP by how many clients wait at once.
func BenchmarkCreateCustomer(b *testing.B) {
	for _, clients := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			f := newFixture(b, true)
			op := command.OperationByID("createCustomer")
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for c := range clients {
				wg.Go(func() {
					for n := c; n < b.N; n += clients {
						body := fmt.Appendf(nil, `{"requestId":"b%d","externalId":"x%d","customerProfile":"b2b","customName":"Demo Customer","customAttributes":{"key1":"value 1","key2":"value 2"}}`, n, n)
						in, v := op.Decode(body, "", false)
						if len(v) > 0 {
							b.Error(v)
							return
						}
						if _, err := f.Write(b.Context(), engine.Write{Input: in, Body: body, Actor: "bench"}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
