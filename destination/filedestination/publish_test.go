package filedestination_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/filedestination"
)

func TestFileIsAPublisher(t *testing.T) {
	destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig {
		path := filepath.Join(t.TempDir(), "emitted.ndjson")
		return destinationtest.PublisherRig{
			Publisher:  filedestination.Open(path),
			Attributed: true,
			Published: func(t *testing.T) (all []destinationtest.Published) {
				text, err := os.ReadFile(path)
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
				lines := bufio.NewScanner(bytes.NewReader(text))
				lines.Buffer(nil, 64<<20)
				for lines.Scan() {
					all = append(all, destinationtest.Unwrap(t, destination.FormDocument, bytes.Clone(lines.Bytes()), nil))
				}
				return all
			},
			Refuse: func(t *testing.T) func() {
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Fatal(err)
				}
				return func() {
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
				}
			},
		}
	})
}

func ExampleFile_Publish() {
	folder, err := os.MkdirTemp("", "towpath")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	file := filedestination.Open(filepath.Join(folder, "orders.ndjson"))

	// Set as EmitTo of a consumer, whose handler calls Emit. Here by hand.
	err = file.Publish(context.Background(), []batching.Emitted{
		{ID: "order-1#0", Key: "alice", Data: []byte(`{"total":12}`)},
		{ID: "order-1#1", Key: "alice", Data: []byte("paid")},
	})
	text, _ := os.ReadFile(file.String())
	fmt.Print(string(text), err)
	// Output:
	// {"id":"order-1#0","key":"alice","data":{"total":12}}
	// {"id":"order-1#1","key":"alice","text":"paid"}
	// <nil>
}
