package recordpage_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/towpath/towpath/internal/recordpage"
)

// A page costs a few allocations, however many records it has.
func TestAllocationsOfAPage(t *testing.T) {
	for _, of := range []struct {
		size, records int
		most          float64 // allocations for each record
	}{{100, 1000, 0.05}, {1000, 1000, 0.05}, {10_000, 200, 0.2}} {
		body := pageOf(of.records, of.size)
		got := testing.AllocsPerRun(5, func() {
			var p recordpage.Page
			if err := recordpage.ReadJSON(body, &p, recordpage.Apart); err != nil {
				t.Fatal(err)
			}
		}) / float64(of.records)
		if got > of.most {
			t.Errorf("%d B: %.3f allocations a record, want at most %.3f", of.size, got, of.most)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, size := range []int{100, 1000, 10_000} {
		records := min(10_000, 10<<20/size) / 4
		body := pageOf(records, size)
		run := func(name string, read func() error) {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := read(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(records), "ns/record")
			})
		}
		run("sdk", func() error { _, err := sdkRead(body); return err })
		run("apart", func() error {
			var p recordpage.Page
			return recordpage.ReadJSON(body, &p, recordpage.Apart)
		})
		var p recordpage.Page
		scratch := bytes.Clone(body)
		run("inBody", func() error { // with a copy of the body, which is overwritten
			return recordpage.ReadJSON(scratch[:copy(scratch, body)], &p, recordpage.InBody)
		})
	}
}
