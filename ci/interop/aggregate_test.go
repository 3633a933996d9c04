package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestAggregateIsThatOfTheProducerLibrary(t *testing.T) {
	got := fmt.Sprintf("%x", aggregated("k", [][]byte{[]byte("a"), []byte("bc")}))
	// Magic; table "k"; records (0, "a") and (0, "bc"); then 16 bytes of digest.
	const want = "f3899ac2" + "0a016b" + "1a0508001a0161" + "1a0608001a026263"
	if !strings.HasPrefix(got, want) || len(got) != len(want)+32 {
		t.Errorf("got %s, want %s and a digest", got, want)
	}
}
