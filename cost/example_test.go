package cost_test

import (
	"fmt"

	"github.com/towpath/towpath/cost"
)

// A thousand shards on which records come all the time, shared by fifty workers.
func Example() {
	prices, _ := cost.In("us-east-1")
	shape := cost.Shape{Shards: 1000, Workers: 50, Records: 20_000}
	for _, bill := range []cost.Bill{cost.Towpath(shape, prices), cost.KCL(2, shape, prices), cost.KCL(3, shape, prices)} {
		total := bill.Total()
		fmt.Printf("%-8s %s writes a second, $%s a month\n", bill.Of, cost.Thousands(total.Writes), cost.Thousands(total.Dollars))
	}
	// Output:
	// towpath  150 writes a second, $340 a month
	// KCL 2    402 writes a second, $701 a month
	// KCL 3    404 writes a second, $656 a month
}
