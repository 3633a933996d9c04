package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/towpath/towpath/bench/measure"
)

// results are the runs of each subject, in the order in which they were made.
type results struct {
	order []subject
	runs  map[subject][]measure.Usage
}

func (r *results) add(s subject, u measure.Usage) {
	if r.runs == nil {
		r.runs = map[subject][]measure.Usage{}
	}
	if _, known := r.runs[s]; !known {
		r.order = append(r.order, s)
	}
	r.runs[s] = append(r.runs[s], u)
}

// rows are the figures, never null.
func (r *results) rows() []row {
	rows := []row{}
	for _, s := range r.order {
		rows = append(rows, summarize(s, r.runs[s]))
	}
	return rows
}

// print shows the figures, and towpath's against the others'.
func (r *results) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "consumer\tbytes\tTLS\tCPU s/million\tspread\trecords/core/s\tallocs/record\tB/record\tshards/core at 2 MB/s\t")
	for _, f := range r.rows() {
		allocs := "–"
		if f.Allocs != nil {
			allocs = fmt.Sprintf("%.3g", *f.Allocs)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%.3g\t%.0f %%\t%.0f\t%s\t%.4g\t%.0f\t\n",
			f.Consumer, f.Size, onOff(f.TLS), f.CPU, 100*f.Spread, f.PerCore, allocs, f.Bytes, shardsPerCore(f))
	}
	fmt.Fprintln(w, "\t\t\t\t\t\t\t\t\t")
	fmt.Fprintln(w, "ratio\tbytes\tTLS\tto sdk\tto kcl\tto floor\t")
	for _, s := range r.order {
		if !strings.HasPrefix(s.consumer, "towpath") {
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t", s.consumer, s.size, onOff(s.tls))
		for _, other := range []string{"sdk", "kcl", "floor"} {
			if runs := r.runs[subject{other, s.size, s.tls}]; len(runs) > 0 {
				fmt.Fprintf(w, "%.3f\t", ratio(r.runs[s], runs))
			} else {
				fmt.Fprint(w, "–\t")
			}
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

func onOff(tls bool) string {
	if tls {
		return "on"
	}
	return "off"
}

// sort puts the subjects into the order of the options.
func (r *results) sort(o options) {
	slices.SortStableFunc(r.order, func(a, b subject) int {
		return cmp.Or(
			cmp.Compare(slices.Index(o.tls, a.tls), slices.Index(o.tls, b.tls)),
			cmp.Compare(slices.Index(o.sizes, a.size), slices.Index(o.sizes, b.size)),
			cmp.Compare(slices.Index(o.consumers, a.consumer), slices.Index(o.consumers, b.consumer)),
		)
	})
}
