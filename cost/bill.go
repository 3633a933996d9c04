package cost

import (
	"fmt"
	"math"
)

// Bill is what an application costs, part by part.
type Bill struct {
	// Of is whose it is, such as towpath.
	Of string `json:"of"`
	// Parts are what it is made of.
	Parts []Part `json:"parts"`
}

// Part is one thing that costs.
type Part struct {
	// Name is what it is.
	Name string `json:"name"`
	// Writes and Reads are requests to DynamoDB a second.
	Writes float64 `json:"writes_per_second"`
	Reads  float64 `json:"reads_per_second"`
	// Written and Read are what these are billed as: units a second.
	Written float64 `json:"write_units_per_second"`
	Read    float64 `json:"read_units_per_second"`
	// Dollars is what that costs a month, at given prices.
	Dollars float64 `json:"dollars_per_month"`
}

// Total is the sum of the parts.
func (b Bill) Total() Part {
	sum := Part{Name: "total"}
	for _, p := range b.Parts {
		sum.Writes, sum.Reads = sum.Writes+p.Writes, sum.Reads+p.Reads
		sum.Written, sum.Read = sum.Written+p.Written, sum.Read+p.Read
		sum.Dollars += p.Dollars
	}
	return sum
}

func (b *Bill) add(p Prices, part Part) {
	part.Dollars += p.Units(part.Written, part.Read)
	b.Parts = append(b.Parts, part)
}

// written is a part of single writes of rows below a kilobyte, which are a unit
// each.
func written(name string, perSecond float64) Part {
	return Part{Name: name, Writes: perSecond, Written: perSecond}
}

// read is a part of reads of so many bytes: a unit for each 4,096 begun, strongly
// consistent, and half a unit otherwise.
func read(name string, perSecond, bytes float64, strongly bool) Part {
	units := max(1, math.Ceil(bytes/4096))
	if !strongly {
		units /= 2
	}
	return Part{Name: name, Reads: perSecond, Read: perSecond * units}
}

// Thousands is a figure with three digits that count.
func Thousands(n float64) string {
	switch {
	case n < 9.95:
		return fmt.Sprintf("%.1f", n)
	case n < 1000:
		return fmt.Sprintf("%.0f", n)
	}
	whole := fmt.Sprintf("%.0f", n)
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return whole
}
