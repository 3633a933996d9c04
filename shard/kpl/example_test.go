package kpl_test

import (
	"errors"
	"fmt"

	"github.com/towpath/towpath/shard/kpl"
)

// Three clicks of one user are put as one record, and taken apart again.
func ExampleAggregator() {
	var a kpl.Aggregator
	for _, page := range []string{"/", "/docs", "/docs/leases"} {
		a.Add(kpl.User{PartitionKey: "alice", Data: []byte(page)})
	}
	if !a.Add(kpl.User{PartitionKey: "bob", Data: []byte("/")}) {
		fmt.Println("bob goes into another record")
	}
	record := a.Flush()
	fmt.Println(record.Users, "clicks under the key", record.PartitionKey)

	aggregate, err := kpl.Decode(record.Data)
	if err != nil {
		fmt.Println(err)
		return
	}
	for u, ok := aggregate.Next(); ok; u, ok = aggregate.Next() {
		fmt.Printf("%d: %s %s\n", u.Index, u.PartitionKey, u.Data)
	}
	// Output:
	// bob goes into another record
	// 3 clicks under the key alice
	// 0: alice /
	// 1: alice /docs
	// 2: alice /docs/leases
}

// A record that is not aggregated is told from one that its producer has spoilt.
func ExampleDecode() {
	for _, data := range []string{
		"hello",
		// Its only user record has the key number 5 of a table of one.
		"\xF3\x89\x9A\xC2\x0a\x01k\x1a\x05\x08\x05\x1a\x01x\x45\x93\x85\x0f\x61\x47\xb3\xbb\xd2\xab\x65\x2d\x96\x57\x77\x9f",
	} {
		_, err := kpl.Decode([]byte(data))
		var malformed *kpl.MalformedError
		switch {
		case errors.Is(err, kpl.ErrPlain):
			fmt.Println("plain")
		case errors.As(err, &malformed):
			fmt.Println(malformed)
		}
	}
	// Output:
	// plain
	// malformed aggregated record: user record 0: its partition key is number 5 of 1
}
