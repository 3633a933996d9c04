package main

import (
	"context"
	"fmt"
)

// Visitors may come in any order, and the pages of each come in theirs.
func Example() {
	fmt.Println(run(context.Background(), ""))
	// Unordered output:
	// ada is at /lamps
	// ada is at /basket
	// ada is at /paid
	// ben is at /
	// <nil>
}
