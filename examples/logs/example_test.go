package main

import (
	"fmt"
)

// What a record holds is one line of the archive for each event.
func Example() {
	line := `192.0.2.7 - ann [21/Nov/2026:08:03:12 +0100] "GET /lamps HTTP/1.1" 200 512 "-" "curl"`
	c, err := read(record([]byte(line)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range c.Events {
		fmt.Println(e.ID, e.Time.UTC(), e.Access.Request, e.Access.Status)
	}
	// Output:
	// shardId-000000000000/42/0 2026-11-21 07:03:12 +0000 UTC GET /lamps HTTP/1.1 200
}
